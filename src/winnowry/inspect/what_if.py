"""What a changed rule would keep and drop, answered from stored columns (promise 4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from winnowry.core.errors import NotFoundError, UsageError
from winnowry.engine.chain import EMPTY_RULE, ERROR_RULE
from winnowry.inspect.live_rules import Chain, NamedRule, chains_of, live_specs
from winnowry.inspect.what_if_selection import Later, after_cleaning
from winnowry.lakehouse.workspace import Workspace
from winnowry.operators.base import Derivation, Operator
from winnowry.operators.registry import operators as registered
from winnowry.promotion import lineage
from winnowry.reading.stored_columns import Mask, read_columns
from winnowry.recipe.diff import diff_specs
from winnowry.recipe.model import Recipe
from winnowry.stages.graph import KEPT, LEFT_OUT, SCORED, stage_named

_EXAMPLES = 10
_KEPT_AT_ONCE = 1 << 16  # rows of a few narrow columns
_REJECTED_AT_ONCE = 1 << 14  # rows with their columns as JSON


@dataclass(frozen=True)
class RuleCount:
    """Records a rule drops now and would drop then (a record may fail several rules).

    Attributes:
        threshold_now: in the live promotions; several where partitions differ, None where the rule is new.
    """

    rule: str
    threshold_now: str | None
    threshold_then: str | None
    dropped_now: int
    dropped_then: int


@dataclass(frozen=True)
class WhatIf:
    """The effect of a changed recipe on the cleaning decisions that are live.

    Attributes:
        undecided: records that pass every rule that can be asked, and lack a column that another rule asks for: they
            were set aside before it was computed, or it would be computed anew; a run computes it.
        tokens_now: tokens of scored keepers, where scores are stored; else None.
        tokens_then: the same without those of records that would be dropped.
        examples: records that change side.
        reopens_dedup: the keepers of duplicate groups may change, because records enter or leave, or the policy does.
        operators_recomputed: operators whose stored columns do not hold for the changed recipe.
        undecided_operators: operators whose columns the undecided records lack.
        later: what becomes of the records after cleaning: duplicates and the selection.
        recipe_differs: how the recipe file already differs from the rules of the live promotions, one line a change.
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
    undecided_operators: list[str] = field(default_factory=list)
    recipe_differs: list[str] = field(default_factory=list)
    later: Later | None = None

    def to_dict(self) -> dict[str, Any]:
        """The answer as JSON-serialisable data."""
        return asdict(self)


def what_if(ws: Workspace, recipe: Recipe, changed: Recipe) -> WhatIf:
    """Compare the live cleaning decisions with those of a changed recipe, over stored columns.

    *Now* is what the live promotions decided, each by the rules in its lineage; the recipe file may have moved on
    since, which is told apart. Kept rows give the columns of changed rules, rejected rows their reasons and, as JSON,
    what was computed before they were set aside; no text is read and nothing is computed anew.

    Args:
        ws: the lake.
        recipe: the recipe as its file says.
        changed: the recipe with the changes that are asked about.

    Raises:
        NotFoundError: nothing was cleaned yet.
        UsageError: there is no answer, see :func:`not_judged`.
    """
    corpus = recipe.corpus
    if ws.lake.table(corpus, KEPT).dataset_or_none() is None:
        raise NotFoundError(f"{corpus}: nothing is cleaned yet; run the recipe first")
    specs = live_specs(ws, corpus)
    if (unjudged := _unjudged(specs.values(), changed)) is not None:
        raise UsageError(unjudged)
    live, then = chains_of(specs, changed.cleaning)
    chains = list({id(chain): chain for chain in live.values()}.values())
    tally = _Tally(then)
    for chain, rows in _by_chain(_kept_batches(ws, corpus, chains, then), live, chains):
        tally.kept(chain, rows)
    if ws.lake.table(corpus, "quarantine").dataset_or_none() is not None:
        view = ws.lake.open(corpus, "quarantine")
        columns = ["record_id", "reasons", "columns", "promotion_id"]
        batches = view.scan(columns=columns, where="stage = 'cleaned'", batch_rows=_REJECTED_AT_ONCE)
        for chain, rows in _by_chain(batches, live, chains):
            tally.rejected(chain, rows)
    tokens_now, tokens_then = _tokens(ws, corpus, tally.leaving)
    file_specs = tuple(operator.fingerprint() for operator in recipe.cleaning)
    differs = [line for spec in specs.values() for line in _differences(spec, file_specs)]
    policy = _live_policy(ws, recipe)
    differs += _differences(policy, _policy(recipe))
    kept_then = tally.staying + tally.entering
    recomputed = _recomputed(chains, then)
    moves = bool(tally.leaving or tally.entering or tally.undecided or recomputed)
    return WhatIf(
        corpus=corpus,
        kept_now=tally.n_kept,
        kept_then=kept_then,
        dropped_now=tally.n_rejected,
        dropped_then=tally.n_kept + tally.n_rejected - kept_then - tally.undecided,
        undecided=tally.undecided,
        tokens_now=tokens_now,
        tokens_then=tokens_then,
        rules=tally.rules(chains),
        examples=tally.examples(),
        reopens_dedup=_reopens_dedup(tally, chains, then) or policy != _policy(changed),
        operators_recomputed=recomputed,
        undecided_operators=sorted(tally.lacking),
        recipe_differs=list(dict.fromkeys(differs)),
        later=after_cleaning(ws, changed, moves),
    )


def not_judged(ws: Workspace, changed: Recipe) -> str | None:
    """Why :func:`what_if` has no answer; None where it has one.

    Args:
        ws: the lake.
        changed: the recipe with the changes that are asked about.
    """
    return _unjudged(live_specs(ws, changed.corpus).values(), changed)


def _unjudged(specs: Iterable[Sequence[Mapping[str, Any]]], changed: Recipe) -> str | None:
    """A stored row of a child tells nothing of children that its parent would have, or would not have."""
    live = {str(item.get("op")) for spec in specs for item in spec}
    registry = registered()
    derivations = sorted(
        {operator.op for operator in changed.clean if isinstance(operator, Derivation)}
        | {op for op in live if issubclass(registry.get(op, Operator), Derivation)}
    )
    if not derivations:
        return None
    return (
        f"{changed.corpus}: not judged: {', '.join(derivations)} makes records of records, and stored columns do not "
        "tell which records a changed recipe would make. Run the changed recipe below another root to see its counts."
    )


class _Tally:
    """Counts what becomes of every row under the rules of a changed recipe.

    Args:
        then: chain of the changed recipe.
    """

    def __init__(self, then: Chain) -> None:
        self.then = then
        self.n_kept = self.n_rejected = 0
        self.staying = self.entering = self.undecided = 0
        self.leaving: list[pa.Array] = []
        self.dropped_now: Counter[str] = Counter()
        self.dropped_then: Counter[str] = Counter()
        self.lacking: set[str] = set()
        self._out: list[dict[str, Any]] = []
        self._in: list[dict[str, Any]] = []

    def kept(self, chain: Chain, rows: pa.RecordBatch) -> None:
        """Count rows that are kept now; they pass every rule of their chain."""
        self.n_kept += rows.num_rows
        n = rows.num_rows
        failing: dict[str, Mask] = {}
        unanswered = []
        for rule in self.then.rules:
            if chain.decides(rule):
                continue
            if chain.answers(rule) and rule.rule.column in rows.schema.names:
                failing[rule.label] = _fails(rule, rows.column(rule.rule.column))
            else:
                unanswered.append(rule)
        fails = _any(failing.values(), n)
        self._count(failing)
        if fails.any():
            self.leaving.append(rows.column("record_id").filter(pa.array(fails)))
            self._example(self._out, rows, fails, lambda row: ("kept", f"dropped ({_first(failing, row)})"))
        if unanswered:
            self.undecided += int(n - fails.sum())
            self._lack(rule.rule.column for rule in unanswered)
        else:
            self.staying += int(n - fails.sum())

    def rejected(self, chain: Chain, rows: pa.RecordBatch) -> None:
        """Count rows that are in quarantine now."""
        n = rows.num_rows
        self.n_rejected += n
        then = _StoredReasons(rows.column("reasons"))
        # What a rule that did not move said is in the reasons, unless several operators of a kind speak alike there.
        told_then = [rule for rule in self.then.rules if chain.decides(rule) and not rule.shared]
        asked_then = [rule for rule in self.then.rules if chain.answers(rule) and rule not in told_then]
        asked_now = [rule for rule in chain.rules if rule.shared]
        names = dict.fromkeys(rule.rule.column for rule in (*asked_now, *asked_then))
        fields = [pa.field(name, chain.columns[name].type) for name in names]
        stored = read_columns(rows.column("columns"), fields, list(chain.columns))
        computed = stored.computed()

        def asked(rules: Iterable[NamedRule]) -> dict[str, Mask]:
            return {r.label: _fails(r, stored.values[r.rule.column]) & computed[r.rule.column] for r in rules}

        for label, mask in {**then.failing(r for r in chain.rules if not r.shared), **asked(asked_now)}.items():
            self.dropped_now[label] += int(mask.sum())
        self.dropped_now.update(then.by_others(chain))
        self.dropped_then.update(then.empty())
        failing = {**then.failing(told_then), **asked(asked_then)}
        self._count(failing)
        passing = ~(_any(failing.values(), n) | then.lost)
        if not passing.any():
            return
        unanswered = [rule for rule in self.then.rules if not chain.answers(rule)]
        lacking, columns = stored.lacking(passing, {r.rule.column for r in self.then.rules if chain.answers(r)})
        if unanswered:
            lacking = passing
        self._lack([*columns, *(rule.rule.column for rule in unanswered)])
        self.undecided += int(lacking.sum())
        self.entering += int((passing & ~lacking).sum())
        self._example(
            self._in,
            rows,
            passing,
            lambda row: (f"dropped ({_reason(rows, row)})", "undecided" if lacking[row] else "kept"),
        )

    def _lack(self, columns: Iterable[str]) -> None:
        self.lacking.update(self.then.columns[name].writer for name in columns)

    def _count(self, failing: Mapping[str, Mask]) -> None:
        self.dropped_then.update({label: int(mask.sum()) for label, mask in failing.items()})

    def _example(
        self, into: list[dict[str, Any]], rows: pa.RecordBatch, changed: Mask, sides: Callable[[int], tuple[str, str]]
    ) -> None:
        for row in np.flatnonzero(changed)[: _EXAMPLES - len(into)]:
            now, then = sides(int(row))
            into.append({"record_id": rows.column("record_id")[int(row)].as_py(), "now": now, "then": then})

    def examples(self) -> list[dict[str, Any]]:
        """Up to ten records that change side, of both directions where there are both."""
        out = self._out[: max(_EXAMPLES // 2, _EXAMPLES - len(self._in))]
        return [*out, *self._in[: _EXAMPLES - len(out)]]

    def rules(self, live: Iterable[Chain]) -> list[RuleCount]:
        """Counts by rule: those of the live promotions, then new ones."""
        now: dict[str, list[str]] = {}
        for chain in live:
            for rule in chain.rules:
                now.setdefault(rule.label, []).append(str(rule.rule.threshold))
        then = {rule.label: str(rule.rule.threshold) for rule in self.then.rules}
        return [
            RuleCount(
                label,
                " / ".join(dict.fromkeys(now[label])) if label in now else None,
                then.get(label),
                self.dropped_now[label],
                self.dropped_then[label],
            )
            for label in dict.fromkeys([*now, *self.dropped_now, *then])
        ]


class _StoredReasons:
    """What the reasons of n quarantined rows say.

    Args:
        reasons: n lists of ``core.tables.REASON``.
    """

    def __init__(self, reasons: pa.Array) -> None:
        self.n = len(reasons)
        flat = pc.list_flatten(reasons)
        self._rows = pc.list_parent_indices(reasons).to_numpy(zero_copy_only=False)
        names = pc.binary_join_element_wise(pc.struct_field(flat, 0), pc.struct_field(flat, 1), "\0")
        encoded = names.dictionary_encode()
        self._codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
        self._known = [tuple(name.split("\0", 1)) for name in encoded.dictionary.to_pylist()]
        # No threshold brings them back: they crashed an operator, or nothing was left of them.
        lost = (ERROR_RULE, EMPTY_RULE)
        self.lost = self._rows_with([code for code, (_, rule) in enumerate(self._known) if rule in lost])

    def _rows_with(self, codes: list[int]) -> Mask:
        mask = np.zeros(self.n, bool)
        if codes:
            mask[self._rows[np.isin(self._codes, codes)]] = True
        return mask

    def failing(self, rules: Iterable[NamedRule]) -> dict[str, Mask]:
        """Rows that failed each rule."""
        codes = {name: code for code, name in enumerate(self._known)}
        return {
            r.label: self._rows_with([codes[r.operator, r.rule.name]] if (r.operator, r.rule.name) in codes else [])
            for r in rules
        }

    def empty(self) -> Counter[str]:
        """Rows of which operators left nothing, by operator."""
        return Counter(
            {
                f"{operator}.{rule}": int((self._codes == code).sum())
                for code, (operator, rule) in enumerate(self._known)
                if rule == EMPTY_RULE
            }
        )

    def by_others(self, chain: Chain) -> Counter[str]:
        """Counts of reasons that no rule of the chain, as it is understood now, can have given; crashes aside."""
        own = {(rule.operator, rule.rule.name) for rule in chain.rules}
        return Counter(
            {
                f"{operator}.{rule}": int((self._codes == code).sum())
                for code, (operator, rule) in enumerate(self._known)
                if (operator, rule) not in own and rule != ERROR_RULE
            }
        )


def _fails(rule: NamedRule, values: pa.Array) -> Mask:
    mask: Mask = pc.invert(rule.rule.keeps(values)).to_numpy(zero_copy_only=False)
    return mask


def _any(masks: Iterable[Mask], n: int) -> Mask:
    matching = np.zeros(n, bool)
    for mask in masks:
        matching |= mask
    return matching


def _first(failing: Mapping[str, Mask], row: int) -> str:
    return next(label for label, mask in failing.items() if mask[row])


def _reason(rows: pa.RecordBatch, row: int) -> str:
    first = rows.column("reasons")[row].as_py()[0]
    return f"{first['operator']}.{first['rule']}"


def _kept_batches(ws: Workspace, corpus: str, live: Collection[Chain], then: Chain) -> Iterator[pa.RecordBatch]:
    """Rows of ``cleaned`` with the columns of rules that are not those of every live promotion."""
    view = ws.lake.open(corpus, KEPT)
    changed_rules = [rule for rule in then.rules if not all(chain.decides(rule) for chain in live)]
    names = [name for name in dict.fromkeys(rule.rule.column for rule in changed_rules) if name in view.schema.names]
    columns = ["record_id", *names] if names else []
    if not columns or len(live) > 1:
        columns.append("promotion_id")
    yield from view.scan(columns=columns, batch_rows=_KEPT_AT_ONCE)


def _by_chain(
    batches: Iterable[pa.RecordBatch], live: Mapping[str, Chain], distinct: Sequence[Chain]
) -> Iterator[tuple[Chain, pa.RecordBatch]]:
    """Batches with the chain that decided their rows, cut where promotions of different chains meet."""
    for batch in batches:
        if len(distinct) == 1:
            yield distinct[0], batch
            continue
        promotions = batch.column("promotion_id")
        for promotion_id in promotions.unique().to_pylist():
            yield live.get(promotion_id, Chain()), batch.filter(pc.equal(promotions, promotion_id))


def _differences(spec: Sequence[Mapping[str, Any]], file: Sequence[Mapping[str, Any]]) -> list[str]:
    return diff_specs({"clean": list(spec)}, {"clean": list(file)})


def _recomputed(live: Iterable[Chain], then: Chain) -> list[str]:
    """Operators of the changed recipe that some live promotion has not run as they would run then."""
    stored = [{basis for _, _, basis in chain.operators} for chain in live]
    return list(
        dict.fromkeys(label for _, label, basis in then.operators if not all(basis in known for known in stored))
    )


def _reopens_dedup(tally: _Tally, live: Iterable[Chain], then: Chain) -> bool:
    groups = [{b for op, _, b in chain.operators if op.startswith("dedup.")} for chain in (*live, then)]
    moves = bool(tally.leaving or tally.entering or tally.undecided)
    return any(groups) and (moves or any(group != groups[-1] for group in groups))


def _live_policy(ws: Workspace, recipe: Recipe) -> list[dict[str, Any]]:
    """Who stays of a group by the live decisions; by the recipe where nothing was decided yet."""
    record = lineage.live(ws, recipe, LEFT_OUT)
    return _policies(record.lineage.get("spec", {}).get("clean", [])) if record is not None else _policy(recipe)


def _policy(recipe: Recipe) -> list[dict[str, Any]]:
    return _policies(stage_named(LEFT_OUT).specification(recipe)["clean"])


def _policies(specs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{key: spec.get(key) for key in ("op", "as", "keep", "by")} for spec in specs if "keep" in spec]


def _tokens(ws: Workspace, corpus: str, leaving: list[pa.Array]) -> tuple[int | None, int | None]:
    """Tokens of scored records, and of those that stay."""
    if ws.lake.table(corpus, SCORED).dataset_or_none() is None:
        return None, None
    view = ws.lake.open(corpus, SCORED)
    if not leaving:
        now = int(view.sql("SELECT COALESCE(SUM(n_tokens), 0) AS n FROM dataset").to_pylist()[0]["n"])
        return now, now
    import duckdb

    columns = ["record_id", "n_tokens"]
    scored = view.scan(columns=columns, batch_rows=_KEPT_AT_ONCE)
    connection = duckdb.connect(":memory:", config={"enable_external_access": "false"})
    try:
        connection.register("leaving", pa.table({"record_id": pa.chunked_array(leaving)}))
        schema = pa.schema([view.schema.field(name) for name in columns])
        connection.register(SCORED, pa.RecordBatchReader.from_batches(schema, scored))
        lost = "n_tokens) FILTER (record_id IN (SELECT record_id FROM leaving)"
        query = f"SELECT COALESCE(SUM(n_tokens), 0), COALESCE(SUM({lost}), 0) FROM scored"
        [(now, gone)] = connection.sql(query).fetchall()
    finally:
        connection.close()
    return int(now), int(now) - int(gone)
