"""What changed between two releases besides who is in them: reasons, sources, scores, verdicts of gates."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from winnowry.lakehouse.view import TableView
    from winnowry.pipeline.workspace import Workspace

_DRAWN = frozenset({"probability"})


@dataclass(frozen=True)
class SourceChange:
    """Records and tokens of one source in either release."""

    source: str
    rows_old: int
    rows_new: int
    tokens_old: int
    tokens_new: int


@dataclass(frozen=True)
class ScoreChange:
    """Mean and approximate median of a number column in either release; None where no row has a value."""

    column: str
    mean_old: float | None
    mean_new: float | None
    median_old: float | None
    median_new: float | None


@dataclass(frozen=True)
class GateChange:
    """An expectation whose verdict differs; None where the release was not judged by it."""

    suite: str
    expectation: str
    column: str | None
    verdict_old: str | None
    verdict_new: str | None
    observed_old: str | None
    observed_new: str | None


def why_removed(ws: Workspace, corpus: str, removed: pa.Array) -> dict[str, int]:
    """What the tables say today of records that left: counts by reason, most first.

    Args:
        ws: the lake.
        corpus: the corpus.
        removed: ids.

    Returns:
        ``not sampled``, ``duplicate``, ``rejected: REASON``, ``selected again`` or ``no longer in the corpus``.
    """
    reasons: Counter[str] = Counter()
    tables = ws.lake.tables(corpus)
    left = removed
    if "sampled" in tables and len(left):
        rows = _of(ws, corpus, "sampled", ["record_id", "selected"], left)
        again = int(pc.sum(rows["selected"]).as_py() or 0)
        reasons.update({"not sampled": rows.num_rows - again, "selected again": again})
        left = _without(left, rows)
    if "duplicates" in tables and len(left):
        rows = _of(ws, corpus, "duplicates", ["record_id"], left)
        reasons["duplicate"] = len(rows["record_id"].unique())
        left = _without(left, rows)
    if "quarantine" in tables and len(left):
        rows = _of(ws, corpus, "quarantine", ["record_id", "reason"], left)
        first = dict(zip(rows["record_id"].to_pylist(), rows["reason"].to_pylist(), strict=True))
        reasons.update(f"rejected: {reason}" for reason in first.values())
        left = _without(left, rows)
    reasons["no longer in the corpus"] = len(left)
    return {reason: count for reason, count in reasons.most_common() if count}


def source_changes(old: TableView, new: TableView) -> list[SourceChange]:
    """Sources of two releases by the tokens they have in the new one, most first."""
    before, after = _by_source(old), _by_source(new)
    changes = [
        SourceChange(source, before.get(source, (0, 0))[0], after.get(source, (0, 0))[0],
                     before.get(source, (0, 0))[1], after.get(source, (0, 0))[1])
        for source in before.keys() | after.keys()
    ]  # fmt: skip
    return sorted(changes, key=lambda change: (-change.tokens_new, change.source))


def score_changes(old: TableView, new: TableView) -> list[ScoreChange]:
    """Every floating-point column that both releases have, except how a record was drawn."""
    names = [
        field.name
        for field in new.schema
        if pa.types.is_floating(field.type) and field.name in old.schema.names and field.name not in _DRAWN
    ]
    before, after = _centres(old, names), _centres(new, names)
    return [ScoreChange(name, before[name][0], after[name][0], before[name][1], after[name][1]) for name in names]


def gate_changes(ws: Workspace, corpus: str, old: str | None, new: str | None) -> list[GateChange]:
    """Expectations whose verdict on ``published`` differs between two promotions."""
    if old is None or new is None or old == new or "gates" not in ws.lake.tables(corpus):
        return []
    columns = ["promotion_id", "suite", "expectation", "column", "parameters", "verdict", "observed"]
    rows = ws.lake.open(corpus, "gates").to_table(columns=columns, where=f"promotion_id IN ('{old}', '{new}')")
    judged: dict[tuple[str, str, str | None, str], dict[str, tuple[str, str | None]]] = {}
    for row in rows.to_pylist():
        # A threshold that moved is another expectation with another verdict; the recipe's part of the diff shows it.
        key = (row["suite"], row["expectation"], row["column"], row["parameters"])
        judged.setdefault(key, {})[row["promotion_id"]] = (row["verdict"], row["observed"])
    changes = []
    for (suite, expectation, column, _), verdicts in judged.items():
        before, after = verdicts.get(old, (None, None)), verdicts.get(new, (None, None))
        if before[0] != after[0]:
            changes.append(GateChange(suite, expectation, column, before[0], after[0], before[1], after[1]))
    return sorted(changes, key=lambda change: (change.suite, change.expectation, change.column or ""))


def _of(ws: Workspace, corpus: str, table: str, columns: list[str], ids: pa.Array) -> pa.Table:
    """Rows of some records; read in batches, so that only what is asked for is held."""
    view = ws.lake.open(corpus, table)
    parts = [
        pa.Table.from_batches([batch]).filter(pc.is_in(batch.column("record_id"), value_set=ids))
        for batch in view.scan(columns=columns)
    ]
    empty = pa.schema([view.schema.field(name) for name in columns]).empty_table()
    return pa.concat_tables([empty, *parts], promote_options="permissive")


def _without(ids: pa.Array, rows: pa.Table) -> pa.Array:
    return ids.filter(pc.invert(pc.is_in(ids, value_set=rows["record_id"].combine_chunks())))


def _by_source(view: TableView) -> dict[str, tuple[int, int]]:
    tokens = "COALESCE(SUM(n_tokens), 0)" if "n_tokens" in view.schema.names else "0"
    rows = view.sql(f"SELECT source, COUNT(*) AS n, {tokens} AS tokens FROM dataset GROUP BY source").to_pylist()
    return {row["source"]: (int(row["n"]), int(row["tokens"])) for row in rows}


def _centres(view: TableView, names: list[str]) -> dict[str, tuple[float | None, float | None]]:
    if not names or view.count_rows() == 0:
        return dict.fromkeys(names, (None, None))
    asked = ", ".join(
        f'AVG("{name}") AS m{index}, approx_percentile_cont("{name}", 0.5) AS p{index}'
        for index, name in enumerate(names)
    )
    (row,) = view.sql(f"SELECT {asked} FROM dataset").to_pylist()
    return {name: (row[f"m{index}"], row[f"p{index}"]) for index, name in enumerate(names)}
