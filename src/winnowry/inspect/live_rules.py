"""The cleaning operators that the live promotions used, as their lineage says, and what their columns were made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from winnowry.core.jsonable import digest
from winnowry.core.tables import TEXT
from winnowry.lakehouse.workspace import Workspace
from winnowry.operators.base import Operator, Rule
from winnowry.operators.carried import CARRY, CarriedFields
from winnowry.operators.registry import operators as registered


@dataclass(frozen=True)
class NamedRule:
    """A rule of one operator of a chain.

    Attributes:
        label: ``operator.rule``; the operator's ``as`` stands for it where the chain has several of its kind.
        operator: registered name, as it stands in the reasons of a quarantined row.
        basis: what the rule's column was computed from (see :class:`Column`); None when nothing before it writes it.
        shared: the chain has several operators of this kind, whose reasons look alike.
    """

    label: str
    operator: str
    rule: Rule
    basis: str | None
    shared: bool

    def same_decision(self, other: NamedRule) -> bool:
        """Whether both keep the same rows."""
        return self.basis is not None and (self.basis, self.rule) == (other.basis, other.rule)


@dataclass(frozen=True)
class Column:
    """A column that a chain writes.

    Attributes:
        basis: hash of the operator that writes it, thresholds aside, and of the bases of what that one reads. Equal
            bases, equal values.
        writer: label of that operator.
        type: Arrow type.
    """

    basis: str
    writer: str
    type: pa.DataType


@dataclass(frozen=True)
class Chain:
    """The cleaning operators of a recipe or of a promotion.

    Attributes:
        specs: fingerprints of the operators, in order.
        operators: registered name, label and basis of each.
        rules: their rules.
        columns: what they write, in their order.
    """

    specs: tuple[Mapping[str, Any], ...] = ()
    operators: tuple[tuple[str, str, str], ...] = ()
    rules: tuple[NamedRule, ...] = ()
    columns: Mapping[str, Column] = field(default_factory=dict)

    def answers(self, rule: NamedRule) -> bool:
        """Whether the column that this chain stored is the one that a rule of another chain asks for."""
        column = self.columns.get(rule.rule.column)
        return column is not None and column.basis == rule.basis

    def decides(self, rule: NamedRule) -> bool:
        """Whether this chain has a rule of that name that keeps the same rows."""
        return any(rule.operator == own.operator and rule.same_decision(own) for own in self.rules)


def live_specs(ws: Workspace, corpus: str) -> dict[str, tuple[Mapping[str, Any], ...]]:
    """Fingerprints of the cleaning operators of every live promotion of ``cleaned``, by its id."""
    records = ws.lake.records(corpus)
    specs: dict[str, tuple[Mapping[str, Any], ...]] = {}
    for (stage, partition), promotion_id in ws.lake.live_promotions(corpus).items():
        if stage == "cleaned":
            record = records.load(stage, partition, promotion_id)
            specs[promotion_id] = tuple(record.lineage.get("spec", {}).get("clean", ())) if record is not None else ()
    return specs


def chains_of(
    specs: Mapping[str, Sequence[Mapping[str, Any]]], changed: Sequence[Operator]
) -> tuple[dict[str, Chain], Chain]:
    """Chains of live promotions and of a changed recipe, with bases that can be compared.

    An operator that this version of winnowry does not know any more, or not with those parameters, has no rules, and
    what comes after it in the text is not comparable.

    Args:
        specs: fingerprints by promotion id.
        changed: cleaning operators of the changed recipe.
    """
    rebuilt = {digest(item): _rebuilt(item) for chain in specs.values() for item in chain}
    known = [*changed, *(operator for operator in rebuilt.values() if operator is not None)]
    thresholds: dict[str, set[str]] = {}
    for operator in known:
        thresholds.setdefault(operator.op, set()).update(rule.name for rule in operator.rules())
    alike: dict[str, Chain] = {}
    live: dict[str, Chain] = {}
    for promotion_id, chain in specs.items():
        key = digest(list(chain))
        if key not in alike:
            alike[key] = _chain([(item, rebuilt[digest(item)]) for item in chain], thresholds)
        live[promotion_id] = alike[key]
    return live, _chain([(operator.fingerprint(), operator) for operator in changed], thresholds)


def _rebuilt(spec: Mapping[str, Any]) -> Operator | None:
    name = str(spec.get("op"))
    cls = CarriedFields if name == CARRY else registered().get(name)
    if cls is None:
        return None
    try:
        return cls.model_validate({key: value for key, value in spec.items() if key != "version"})
    except ValidationError:
        return None


def _chain(items: Iterable[tuple[Mapping[str, Any], Operator | None]], thresholds: Mapping[str, set[str]]) -> Chain:
    items = list(items)
    kinds = Counter(str(spec.get("op")) for spec, _ in items)
    columns: dict[str, Column] = {}
    operators: list[tuple[str, str, str]] = []
    rules: list[NamedRule] = []

    def basis_of(name: str) -> str | None:
        return columns[name].basis if name in columns else None

    for spec, operator in items:
        op = str(spec.get("op"))
        label = str(spec.get("as") or op) if kinds[op] > 1 else op
        own = {key: value for key, value in spec.items() if key not in thresholds.get(op, ())}
        if operator is None:
            basis = digest([own, basis_of("text")])
            columns["text"] = Column(basis, label, TEXT)  # it may have rewritten it
            operators.append((op, label, basis))
            continue
        basis = digest([own, [basis_of(name) for name in operator.reads().names]])
        operators.append((op, label, basis))
        columns.update({column.name: Column(basis, label, column.type) for column in operator.writes()})
        rules += [
            NamedRule(f"{label}.{rule.name}", op, rule, basis_of(rule.column), kinds[op] > 1)
            for rule in operator.rules()
        ]
    return Chain(tuple(spec for spec, _ in items), tuple(operators), tuple(rules), columns)
