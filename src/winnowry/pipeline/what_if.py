"""What a changed rule would keep and drop, answered from stored columns (promise 4)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

from winnowry.core.errors import NotFoundError
from winnowry.engine.chain import ERROR_RULE
from winnowry.operators.base import Rule
from winnowry.pipeline.workspace import Workspace
from winnowry.recipe.model import Recipe

_EXAMPLES = 10


@dataclass(frozen=True)
class RuleCount:
    """Records a rule drops now and would drop then (a record may fail several rules)."""

    rule: str
    threshold_now: str | None
    threshold_then: str | None
    dropped_now: int
    dropped_then: int


@dataclass(frozen=True)
class WhatIf:
    """The effect of a changed recipe on the cleaning decisions.

    Attributes:
        undecided: records that pass all rules over stored columns but were set aside before later columns were
            computed; a run computes those columns for these records only.
        tokens_now: tokens of keepers that pass now, where scores are stored; else None.
        examples: records that change side.
        reopens_dedup: the keepers of duplicate groups may change, because records enter or leave.
    """

    corpus: str
    kept_now: int
    kept_then: int
    dropped_now: int
    dropped_then: int
    undecided: int
    tokens_now: int | None
    tokens_then: int | None
    rules: list[RuleCount]
    examples: list[dict[str, Any]] = field(default_factory=list)
    reopens_dedup: bool = False
    operators_recomputed: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The answer as JSON-serialisable data."""
        return asdict(self)


def _rules(recipe: Recipe) -> list[tuple[str, Rule]]:
    return [(operator.op, rule) for operator in recipe.clean for rule in operator.rules()]


def what_if(ws: Workspace, recipe: Recipe, changed: Recipe) -> WhatIf:
    """Compare the decisions of two recipes over the columns stored in ``cleaned`` and ``quarantine``.

    Only narrow columns are read. An operator whose computed columns depend on the changed parameter cannot be judged
    from stored columns; it is listed in ``operators_recomputed``.

    Raises:
        NotFoundError: nothing was cleaned yet.
    """
    if not ws.lake.table(recipe.corpus, "cleaned").dataset_or_none():
        raise NotFoundError(f"{recipe.corpus}: nothing is cleaned yet; run the recipe first")
    now, then = _rules(recipe), _rules(changed)
    columns = sorted({rule.column for _, rule in now + then})
    all_columns = {name for op in changed.clean for name in op.writes().names if name != "text"}
    kept_then = undecided = kept_now = 0
    dropped_now: Counter[str] = Counter()
    dropped_then: Counter[str] = Counter()
    examples: list[dict[str, Any]] = []
    leaving: set[str] = set()
    for was_kept, table in _stored(ws, recipe, columns, all_columns):
        fails_now = _failures(table, now, dropped_now)
        fails_then = _failures(table, then, dropped_then)
        del fails_now
        complete = table["_complete"].to_pylist()
        ids = table["record_id"].to_pylist()
        reasons = table["_reason"].to_pylist()
        for row, failing in enumerate(fails_then):
            crashed = reasons[row] == ERROR_RULE
            passes = not failing and not crashed
            kept_now += was_kept
            if passes and complete[row]:
                kept_then += 1
            elif passes:
                undecided += 1
            if was_kept and not passes:
                leaving.add(ids[row])
            if passes != was_kept and len(examples) < _EXAMPLES:
                examples.append({"record_id": ids[row], "now": "kept" if was_kept else f"dropped ({reasons[row]})",
                                 "then": ("kept" if complete[row] else "undecided") if passes else
                                 f"dropped ({failing[0]})"})  # fmt: skip
    total = kept_now + _quarantined(ws, recipe)
    tokens_now, tokens_then = _tokens(ws, recipe, leaving)
    thresholds_then = {f"{op}.{rule.name}": str(rule.threshold) for op, rule in then}
    thresholds_now = {f"{op}.{rule.name}": str(rule.threshold) for op, rule in now}
    names = list(dict.fromkeys([*thresholds_now, *thresholds_then]))
    return WhatIf(
        corpus=recipe.corpus,
        kept_now=kept_now,
        kept_then=kept_then,
        dropped_now=total - kept_now,
        dropped_then=total - kept_then - undecided,
        undecided=undecided,
        tokens_now=tokens_now,
        tokens_then=tokens_then,
        rules=[
            RuleCount(n, thresholds_now.get(n), thresholds_then.get(n), dropped_now[n], dropped_then[n]) for n in names
        ],
        examples=examples,
        reopens_dedup=bool(leaving or undecided or kept_then != kept_now)
        and any(op.op.startswith("dedup.") for op in changed.clean),
        operators_recomputed=_recomputed(recipe, changed),
    )


def _recomputed(recipe: Recipe, changed: Recipe) -> list[str]:
    """Operators whose parameters changed other than in their rules' thresholds."""
    found = []
    before = {operator.op: operator for operator in recipe.clean}
    for operator in changed.clean:
        old = before.get(operator.op)
        if old is None:
            found.append(operator.op)
            continue
        thresholds = {rule.name for rule in (*old.rules(), *operator.rules())}
        first, second = old.fingerprint(), operator.fingerprint()
        if any(first.get(key) != second.get(key) for key in set(first) | set(second) if key not in thresholds):
            found.append(operator.op)
    return found


def _failures(table: pa.Table, rules: list[tuple[str, Rule]], counts: Counter[str]) -> list[list[str]]:
    failing: list[list[str]] = [[] for _ in range(table.num_rows)]
    for op, rule in rules:
        if rule.column not in table.schema.names:
            continue
        column = table[rule.column].combine_chunks()
        if column.null_count == len(column) and pa.types.is_null(column.type):
            continue
        known = table[f"_has_{rule.column}"].to_pylist()
        for row, keeps in enumerate(rule.keeps(column).to_pylist()):
            if not keeps and known[row]:
                failing[row].append(f"{op}.{rule.name}")
                counts[f"{op}.{rule.name}"] += 1
    return failing


def _stored(
    ws: Workspace, recipe: Recipe, columns: list[str], all_columns: set[str]
) -> Iterator[tuple[bool, pa.Table]]:
    """Stored rule columns of kept rows, then of rejected ones: (kept?, table)."""
    cleaned = ws.lake.open(recipe.corpus, "cleaned")
    present = [name for name in columns if name in cleaned.schema.names]
    for batch in cleaned.scan(columns=["record_id", *present]):
        table = pa.Table.from_batches([batch])
        n = table.num_rows
        for name in present:
            table = table.append_column(f"_has_{name}", pa.array([True] * n))
        table = table.append_column("_complete", pa.array([all(c in cleaned.schema.names for c in all_columns)] * n))
        yield True, table.append_column("_reason", pa.nulls(n, pa.string()))
    if ws.lake.table(recipe.corpus, "quarantine").dataset_or_none() is None:
        return
    view = ws.lake.open(recipe.corpus, "quarantine")
    types = {name: cleaned.schema.field(name).type for name in present}
    for batch in view.scan(columns=["record_id", "reason", "columns"], where="stage = 'cleaned'"):
        computed = [json.loads(text or "{}") for text in batch.column("columns").to_pylist()]
        data: dict[str, Any] = {"record_id": batch.column("record_id")}
        for name in present:
            data[name] = pa.array([row.get(name) for row in computed], types[name])
            data[f"_has_{name}"] = pa.array([name in row for row in computed], pa.bool_())
        data["_complete"] = pa.array([all_columns <= set(row) for row in computed], pa.bool_())
        data["_reason"] = batch.column("reason")
        yield False, pa.table(data)


def _quarantined(ws: Workspace, recipe: Recipe) -> int:
    if ws.lake.table(recipe.corpus, "quarantine").dataset_or_none() is None:
        return 0
    return int(ws.lake.open(recipe.corpus, "quarantine").count_rows("stage = 'cleaned'"))


def _tokens(ws: Workspace, recipe: Recipe, leaving: set[str]) -> tuple[int | None, int | None]:
    if ws.lake.table(recipe.corpus, "scored").dataset_or_none() is None:
        return None, None
    now = lost = 0
    for batch in ws.lake.open(recipe.corpus, "scored").scan(columns=["record_id", "n_tokens"]):
        for record_id, tokens in zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True):
            now += tokens
            lost += tokens if record_id in leaving else 0
    return now, now - lost
