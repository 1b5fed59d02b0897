"""From what was read to what is published: where records went, by stage and reason; and the duplicates."""

from __future__ import annotations

from typing import Any

from winnowry.core.sql import literal
from winnowry.reading.session import Session
from winnowry.stages.graph import ARRIVED, KEPT, LEFT_OUT, PUBLISHED, all_stages, reading_stages

_REASONS_SHOWN = 15  # of a stage


def funnel(session: Session) -> list[dict[str, Any]]:
    """Steps in order.

    Returns:
        For each step ``stage``, ``label``, ``rows`` that are left, ``dropped`` since the step before, the ``reasons``
        (operator, reason, rows; the rarest summed up in ``other_rows``) and ``pending``: rows that are neither left
        nor dropped for a reason, e.g. of partitions that were not taken further; below zero where a later table has
        more rows than came in.
    """
    tables = session.tables
    rows = {name: session.one(f"SELECT COUNT(*) AS n FROM {name}")["n"] for name in tables.views if name != "gates"}
    reasons = _reasons(session)
    unread = [reason for name in reading_stages() for reason in reasons.pop(name, [])]
    before = rows.get(ARRIVED, 0) + sum(reason["rows"] for reason in unread)
    steps = [_step("read", "read from the sources", before, [], before)]
    for stage in all_stages():
        if stage.left is None or (stage.name not in rows and stage.name != ARRIVED):
            continue
        why = unread if stage.name == ARRIVED else reasons.pop(stage.name, [])
        left = rows.get(stage.name, 0)
        if stage.keeps == "others":
            why = _stood_for(session, stage.name) + why
            left = before - sum(reason["rows"] for reason in why)
        elif stage.keeps == "selected":
            left, why = _drawn(session, stage.name)
        elif stage.name == PUBLISHED:
            why = why + [reason for more in reasons.values() for reason in more]
        label = stage.left
        if stage.name == KEPT:
            parents, children = _derived(session)
            before += children - parents
            if parents:
                label += f"; {parents:,} records became {children:,}"
        steps.append(_step(stage.name, label, left, why, before))
        before = left
    return steps


def _derived(session: Session) -> tuple[int, int]:
    """Records that others were made of, and those others, kept and rejected ones."""
    parts = [f"SELECT parent_ids FROM {KEPT}"] if session.tables.has(KEPT, "parent_ids") else []
    if session.tables.has("quarantine", "parent_ids"):
        parts.append(f"SELECT parent_ids FROM quarantine WHERE stage = {literal(KEPT)}")
    if not parts:
        return 0, 0
    rows = f"SELECT parent_ids FROM ({' UNION ALL '.join(parts)}) WHERE len(parent_ids) > 0"
    counts = session.one(
        f"SELECT (SELECT COUNT(DISTINCT parent) FROM (SELECT unnest(parent_ids) AS parent FROM ({rows}))) AS parents, "
        f"(SELECT COUNT(*) FROM ({rows})) AS children"
    )
    return counts["parents"], counts["children"]


def _stood_for(session: Session, table: str) -> list[dict[str, Any]]:
    """Records that others stand for, by method."""
    return session.rows(
        f"SELECT 'duplicate' AS operator, method AS reason, COUNT(*) AS rows FROM {table} "
        "GROUP BY method ORDER BY rows DESC, method"
    )


def _drawn(session: Session, table: str) -> tuple[int, list[dict[str, Any]]]:
    """Records that the sample drew, and why the others are left out."""
    counts = session.one(f"SELECT COUNT(*) FILTER (WHERE selected) AS drawn, COUNT(*) AS n FROM {table}")
    rest = counts["n"] - counts["drawn"]
    return counts["drawn"], [{"operator": "sample", "reason": "not drawn", "rows": rest}] if rest else []


def _step(stage: str, label: str, rows: int, reasons: list[dict[str, Any]], before: int) -> dict[str, Any]:
    dropped = sum(reason["rows"] for reason in reasons)
    shown = reasons[:_REASONS_SHOWN]
    return {
        "stage": stage,
        "label": label,
        "rows": rows,
        "dropped": dropped,
        "reasons": shown,
        "other_reasons": len(reasons) - len(shown),
        "other_rows": dropped - sum(reason["rows"] for reason in shown),
        "pending": before - dropped - rows,
    }


def _reasons(session: Session) -> dict[str, list[dict[str, Any]]]:
    """Quarantined rows by stage, most frequent reason first."""
    by_stage: dict[str, list[dict[str, Any]]] = {}
    if session.tables.has("quarantine"):
        for row in session.rows(
            "SELECT stage, operator, reason, COUNT(*) AS rows FROM quarantine GROUP BY ALL "
            "ORDER BY rows DESC, operator, reason"
        ):
            by_stage.setdefault(row.pop("stage"), []).append(row)
    return by_stage


def duplicates(session: Session) -> dict[str, Any] | None:
    """Groups of duplicates: records left out, groups, the largest, the share of cleaned records; None without any."""
    if not session.tables.has(LEFT_OUT):
        return None
    totals = session.one(
        "WITH groups AS (SELECT kept_record_id, COUNT(*) + 1 AS members FROM duplicates GROUP BY kept_record_id) "
        "SELECT COUNT(*) AS groups, COALESCE(SUM(members - 1), 0)::BIGINT AS rows, "
        "COALESCE(MAX(members), 0) AS largest FROM groups"
    )
    cleaned = session.one(f"SELECT COUNT(*) AS n FROM {KEPT}")["n"] if session.tables.has(KEPT) else 0
    methods = session.rows(
        "SELECT method, COUNT(*) AS rows, AVG(similarity) AS similarity FROM duplicates GROUP BY method "
        "ORDER BY rows DESC, method"
    )
    sizes = session.rows(
        "WITH groups AS (SELECT kept_record_id, COUNT(*) + 1 AS members FROM duplicates GROUP BY kept_record_id) "
        "SELECT CASE WHEN members = 2 THEN '2' WHEN members = 3 THEN '3' WHEN members <= 5 THEN '4–5' "
        "WHEN members <= 10 THEN '6–10' WHEN members <= 100 THEN '11–100' ELSE 'over 100' END AS members, "
        "COUNT(*) AS groups, MIN(members) AS place FROM groups GROUP BY 1 ORDER BY MIN(groups.members)"
    )
    share = totals["rows"] / cleaned if cleaned else None
    return {
        **totals,
        "share": share,
        "methods": methods,
        "sizes": [{k: v for k, v in size.items() if k != "place"} for size in sizes],
    }
