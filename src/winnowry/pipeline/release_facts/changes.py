"""What changed since the release before: records that came and went, why, and what it did to the mix and scores."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from winnowry.pipeline.release_changes import gate_changes, score_changes, source_changes
from winnowry.pipeline.release_facts.tables import Session
from winnowry.pipeline.releases import recipe_changes

if TYPE_CHECKING:
    from winnowry.pipeline.releases import Release
    from winnowry.pipeline.workspace import Workspace

_PARTITIONS = 40  # those with most changes
_SOURCES = 20
_SCORES = 30
_GATES = 30
_RECIPE = 40
_REASONS = 20


def changes(ws: Workspace, found: Session, before: Release | None, release: Release) -> dict[str, Any] | None:
    """What differs from the release before; ids are joined within the session's memory, no text is read.

    Args:
        ws: the lake.
        found: a session over the tables of ``release``.
        before: the release before; None for the first.
        release: the release.

    Returns:
        None for the first release. ``before``; rows and tokens of it; ``added``, ``removed``, ``kept`` records, and of
        the kept those ``rewritten`` (None where nobody counted); ``partitions``, ``removed_reasons`` (what the tables
        said when this release was made), ``recipe`` (one line a change), ``sources``, ``scores`` and ``gates``, each
        cut, with ``more_`` and its name for how many were left out.
    """
    if before is None:
        return None
    corpus, new_view = release.corpus, found.tables.views["published"]
    old_view = ws.lake.open(corpus, "published", before.version)
    found.add("before", old_view)
    found.run(
        "CREATE TEMP TABLE moved AS SELECT COALESCE(a.record_id, b.record_id) AS record_id, "
        "COALESCE(a.partition, b.partition) AS partition, b.record_id IS NULL AS came "
        "FROM (SELECT record_id, partition FROM published) AS a "
        "FULL OUTER JOIN (SELECT record_id, partition FROM before) AS b ON a.record_id = b.record_id "
        "WHERE a.record_id IS NULL OR b.record_id IS NULL"
    )
    said = found.one(
        "SELECT COUNT(*) FILTER (WHERE came) AS added, COUNT(*) FILTER (WHERE NOT came) AS removed FROM moved"
    )
    added, removed = said["added"], said["removed"]
    again = None if release.rows_added is None else max(0, release.rows_added - added)
    partitions = found.rows(
        "SELECT partition, COUNT(*) FILTER (WHERE came) AS added, COUNT(*) FILTER (WHERE NOT came) AS removed "
        f"FROM moved GROUP BY partition ORDER BY COUNT(*) DESC, partition LIMIT {_PARTITIONS}"
    )
    n_partitions = found.one("SELECT COUNT(DISTINCT partition) AS n FROM moved")["n"]
    result: dict[str, Any] = {
        "before": before.name,
        "rows_before": before.rows,
        "tokens_before": before.tokens,
        "added": added,
        "removed": removed,
        "kept": release.rows - added,
        "rewritten": again,
        "partitions": sorted(partitions, key=lambda row: str(row["partition"])),
        "more_partitions": n_partitions - len(partitions),
    }
    listed: dict[str, tuple[list[Any], int]] = {
        "removed_reasons": (_why_removed(found) if removed else [], _REASONS),
        "recipe": (recipe_changes(ws, corpus, before, release), _RECIPE),
        "sources": ([asdict(change) for change in source_changes(old_view, new_view)], _SOURCES),
        "scores": ([asdict(change) for change in score_changes(old_view, new_view)], _SCORES),
        "gates": ([asdict(c) for c in gate_changes(ws, corpus, before.promotion_id, release.promotion_id)], _GATES),
    }
    for name, (entries, most) in listed.items():
        result[name] = entries[:most]
        result[f"more_{name}"] = max(0, len(entries) - most)
    return result


def _why_removed(found: Session) -> list[dict[str, Any]]:
    """Records that left by the first of the tables that knows them, most frequent first."""
    tables, joins, cases = found.tables, [], []
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
    return found.rows(
        f"SELECT {reason} AS reason, COUNT(*) AS rows FROM moved {' '.join(joins)} WHERE NOT came "
        "GROUP BY ALL ORDER BY rows DESC, reason"
    )
