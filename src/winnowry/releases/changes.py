"""What changed between two releases: who is in them and why, sources, scores, verdicts of gates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from winnowry.records.kinds import sized_by

if TYPE_CHECKING:
    from winnowry.lakehouse.view import TableView
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.reading.session import Session

from winnowry.core.sql import identifier, in_list

_EXAMPLES = 5  # ids
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


@dataclass(frozen=True)
class PartitionChange:
    """Records that entered and left one partition of a release."""

    partition: str
    added: int
    removed: int


@dataclass(frozen=True)
class MembershipChanges:
    """Which records only one of two releases has.

    Attributes:
        added: records that only the new one has.
        removed: records that only the old one has.
        partitions: those with a change, in order.
        removed_reasons: what the session's tables say of records that left, most first: ``not sampled``, ``duplicate``,
            ``rejected: REASON``, ``selected again`` or ``no longer in the corpus``.
        added_examples: some ids, the lowest.
        removed_examples: some ids, the lowest.
    """

    added: int
    removed: int
    partitions: tuple[PartitionChange, ...]
    removed_reasons: dict[str, int]
    added_examples: tuple[str, ...]
    removed_examples: tuple[str, ...]


def membership_changes(session: Session, before: TableView) -> MembershipChanges:
    """Compare the records of a session's ``published`` with those of an older release.

    Ids are joined within the session's memory and spill to its disk; no text is read.

    Args:
        session: a session with ``published``, and what may know of records that left: ``sampled``, ``duplicates``,
            ``quarantine``.
        before: the older release.
    """
    session.add("before", before)
    session.run(
        "CREATE TEMP TABLE moved AS SELECT COALESCE(a.record_id, b.record_id) AS record_id, "
        "COALESCE(a.partition, b.partition) AS partition, b.record_id IS NULL AS came "
        "FROM (SELECT record_id, partition FROM published) AS a "
        "FULL OUTER JOIN (SELECT record_id, partition FROM before) AS b ON a.record_id = b.record_id "
        "WHERE a.record_id IS NULL OR b.record_id IS NULL"
    )
    counts = session.one(
        "SELECT COUNT(*) FILTER (WHERE came) AS added, COUNT(*) FILTER (WHERE NOT came) AS removed, "
        f"MIN(record_id, {_EXAMPLES}) FILTER (WHERE came) AS came, "
        f"MIN(record_id, {_EXAMPLES}) FILTER (WHERE NOT came) AS went FROM moved"
    )
    partitions = session.rows(
        "SELECT partition, COUNT(*) FILTER (WHERE came) AS added, COUNT(*) FILTER (WHERE NOT came) AS removed "
        "FROM moved GROUP BY partition ORDER BY partition"
    )
    return MembershipChanges(
        added=counts["added"],
        removed=counts["removed"],
        partitions=tuple(PartitionChange(**row) for row in partitions),
        removed_reasons=_why_removed(session) if counts["removed"] else {},
        added_examples=tuple(counts["came"] or ()),
        removed_examples=tuple(counts["went"] or ()),
    )


def _why_removed(session: Session) -> dict[str, int]:
    """Records that left by the first of the tables that knows them."""
    tables, joins, cases = session.tables, [], []
    if tables.has("sampled"):
        joins.append("LEFT JOIN (SELECT record_id, selected FROM sampled) AS s ON s.record_id = moved.record_id")
        cases.append("WHEN s.selected THEN 'selected again' WHEN s.record_id IS NOT NULL THEN 'not sampled'")
    if tables.has("duplicates"):
        joins.append("LEFT JOIN (SELECT DISTINCT record_id FROM duplicates) AS d ON d.record_id = moved.record_id")
        cases.append("WHEN d.record_id IS NOT NULL THEN 'duplicate'")
    if tables.has("quarantine"):
        joins.append(
            "LEFT JOIN (SELECT record_id, MAX(reason) AS reason FROM quarantine SEMI JOIN "
            "(SELECT record_id FROM moved WHERE NOT came) AS gone USING (record_id) GROUP BY record_id) AS q "
            "ON q.record_id = moved.record_id"
        )
        cases.append("WHEN q.record_id IS NOT NULL THEN 'rejected: ' || q.reason")
    reason = f"CASE {' '.join(cases)} ELSE 'no longer in the corpus' END" if cases else "'no longer in the corpus'"
    rows = session.rows(
        f"SELECT {reason} AS reason, COUNT(*) AS rows FROM moved {' '.join(joins)} WHERE NOT came "
        "GROUP BY ALL ORDER BY rows DESC, reason"
    )
    return {row["reason"]: row["rows"] for row in rows}


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
    rows = ws.lake.open(corpus, "gates").to_table(columns=columns, where=in_list("promotion_id", (old, new)))
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


def _by_source(view: TableView) -> dict[str, tuple[int, int]]:
    kind = sized_by(view.schema.names)
    tokens = f"COALESCE(SUM({kind.size_column}), 0)" if kind is not None else "0"
    rows = view.sql(f"SELECT source, COUNT(*) AS n, {tokens} AS tokens FROM dataset GROUP BY source").to_pylist()
    return {row["source"]: (int(row["n"]), int(row["tokens"])) for row in rows}


def _centres(view: TableView, names: list[str]) -> dict[str, tuple[float | None, float | None]]:
    if not names or view.count_rows() == 0:
        return dict.fromkeys(names, (None, None))
    averages = ", ".join(
        f"AVG({identifier(name)}) AS m{index}, approx_percentile_cont({identifier(name)}, 0.5) AS p{index}"
        for index, name in enumerate(names)
    )
    (row,) = view.sql(f"SELECT {averages} FROM dataset").to_pylist()
    return {name: (row[f"m{index}"], row[f"p{index}"]) for index, name in enumerate(names)}
