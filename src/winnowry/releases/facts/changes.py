"""What changed since the release before: records that came and went, why, and what it did to the mix and scores."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from winnowry.reading.session import Session
from winnowry.releases.changes import gate_changes, membership_changes, score_changes, source_changes
from winnowry.releases.recipes import recipe_of
from winnowry.releases.releases import recipe_changes

if TYPE_CHECKING:
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.releases.model import Release

_PARTITIONS = 40  # those with most changes
_SOURCES = 20
_SCORES = 30
_GATES = 30
_RECIPE = 40
_REASONS = 20


def changes(ws: Workspace, session: Session, before: Release | None, release: Release) -> dict[str, Any] | None:
    """What differs from the release before; ids are joined within the session's memory, no text is read.

    Args:
        ws: the lake.
        session: a session over the tables of ``release``.
        before: the release before; None for the first.
        release: the release.

    Returns:
        None for the first release. ``before``; rows and tokens of it; ``added``, ``removed``, ``kept`` records, and of
        the kept those ``rewritten`` (None where nobody counted); ``partitions``, ``removed_reasons`` (what the tables
        said when this release was made), ``recipe`` (one line a change; ``recipe_of_stages`` where recipes are not
        stored, and those of the stages were compared), ``sources``, ``scores`` and ``gates``, each
        cut, with ``more_`` and its name for how many were left out.
    """
    if before is None:
        return None
    corpus, new_view = release.corpus, session.tables.views["published"]
    old_view = ws.lake.open(corpus, "published", before.version)
    apart = membership_changes(session, old_view)
    most = sorted(apart.partitions, key=lambda change: (-change.added - change.removed, change.partition))[:_PARTITIONS]
    result: dict[str, Any] = {
        "before": before.name,
        "rows_before": before.rows,
        "tokens_before": before.size if before.unit else before.tokens,
        "added": apart.added,
        "removed": apart.removed,
        "kept": release.rows - apart.added,
        "rewritten": None if release.rows_added is None else max(0, release.rows_added - apart.added),
        "partitions": [asdict(change) for change in sorted(most, key=lambda change: change.partition)],
        "more_partitions": len(apart.partitions) - len(most),
        "recipe_of_stages": recipe_of(ws, before) is None or recipe_of(ws, release) is None,
    }
    reasons = [{"reason": reason, "rows": rows} for reason, rows in apart.removed_reasons.items()]
    listed: dict[str, tuple[list[Any], int]] = {
        "removed_reasons": (reasons, _REASONS),
        "recipe": (recipe_changes(ws, corpus, before, release), _RECIPE),
        "sources": ([asdict(change) for change in source_changes(old_view, new_view)], _SOURCES),
        "scores": ([asdict(change) for change in score_changes(old_view, new_view)], _SCORES),
        "gates": ([asdict(c) for c in gate_changes(ws, corpus, before.promotion_id, release.promotion_id)], _GATES),
    }
    for name, (entries, shown) in listed.items():
        result[name] = entries[:shown]
        result[f"more_{name}"] = max(0, len(entries) - shown)
    return result
