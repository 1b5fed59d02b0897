"""From what was read to what is published: where records went, by stage and reason; and the duplicates."""

from __future__ import annotations

from typing import Any

from winnowry.reading.session import Session

_REASONS_SHOWN = 15  # of a stage


def funnel(found: Session) -> list[dict[str, Any]]:
    """Steps in order.

    Returns:
        For each step ``stage``, ``label``, ``rows`` that are left, ``dropped`` since the step before, the ``reasons``
        (operator, reason, rows; the rarest summed up in ``other_rows``) and ``pending``: rows that are neither left
        nor dropped for a reason, e.g. of partitions that were not taken further; below zero where a later table has
        more rows than came in.
    """
    tables = found.tables
    rows = {name: found.one(f"SELECT COUNT(*) AS n FROM {name}")["n"] for name in tables.views if name != "gates"}
    reasons = _reasons(found)
    unread = [reason for stage in ("landing", "raw") for reason in reasons.pop(stage, [])]
    before = rows.get("raw", 0) + sum(reason["rows"] for reason in unread)
    steps = [_step("read", "read from the sources", before, [], before)]

    def add(stage: str, label: str, left: int, why: list[dict[str, Any]]) -> None:
        nonlocal before
        steps.append(_step(stage, label, left, why, before))
        before = left

    add("raw", "readable records", rows.get("raw", 0), unread)
    if "cleaned" in rows:
        add("cleaned", "passed the cleaning rules", rows["cleaned"], reasons.pop("cleaned", []))
    if "duplicates" in rows:
        why = found.rows(
            "SELECT 'duplicate' AS operator, method AS reason, COUNT(*) AS rows FROM duplicates "
            "GROUP BY method ORDER BY rows DESC, method"
        )
        why += reasons.pop("duplicates", [])
        add("duplicates", "not a duplicate", before - sum(reason["rows"] for reason in why), why)
    if "scored" in rows:
        add("scored", "scored", rows["scored"], reasons.pop("scored", []))
    if "sampled" in rows:
        said = found.one("SELECT COUNT(*) FILTER (WHERE selected) AS drawn, COUNT(*) AS n FROM sampled")
        why = [{"operator": "sample", "reason": "not drawn", "rows": said["n"] - said["drawn"]}]
        add("sampled", "drawn by the sample", said["drawn"], [reason for reason in why if reason["rows"]])
    add("published", "published", rows["published"], [reason for left in reasons.values() for reason in left])
    return steps


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


def _reasons(found: Session) -> dict[str, list[dict[str, Any]]]:
    """Quarantined rows by stage, most frequent reason first."""
    by_stage: dict[str, list[dict[str, Any]]] = {}
    if found.tables.has("quarantine"):
        for row in found.rows(
            "SELECT stage, operator, reason, COUNT(*) AS rows FROM quarantine GROUP BY ALL "
            "ORDER BY rows DESC, operator, reason"
        ):
            by_stage.setdefault(row.pop("stage"), []).append(row)
    return by_stage


def duplicates(found: Session) -> dict[str, Any] | None:
    """Groups of duplicates: records left out, groups, the largest, the share of cleaned records; None without any."""
    if not found.tables.has("duplicates"):
        return None
    said = found.one(
        "WITH groups AS (SELECT kept_record_id, COUNT(*) + 1 AS members FROM duplicates GROUP BY kept_record_id) "
        "SELECT COUNT(*) AS groups, COALESCE(SUM(members - 1), 0)::BIGINT AS rows, "
        "COALESCE(MAX(members), 0) AS largest FROM groups"
    )
    cleaned = found.one("SELECT COUNT(*) AS n FROM cleaned")["n"] if found.tables.has("cleaned") else 0
    methods = found.rows(
        "SELECT method, COUNT(*) AS rows, AVG(similarity) AS similarity FROM duplicates GROUP BY method "
        "ORDER BY rows DESC, method"
    )
    sizes = found.rows(
        "WITH groups AS (SELECT kept_record_id, COUNT(*) + 1 AS members FROM duplicates GROUP BY kept_record_id) "
        "SELECT CASE WHEN members = 2 THEN '2' WHEN members = 3 THEN '3' WHEN members <= 5 THEN '4–5' "
        "WHEN members <= 10 THEN '6–10' WHEN members <= 100 THEN '11–100' ELSE 'over 100' END AS members, "
        "COUNT(*) AS groups, MIN(members) AS place FROM groups GROUP BY 1 ORDER BY MIN(groups.members)"
    )
    share = said["rows"] / cleaned if cleaned else None
    return {
        **said,
        "share": share,
        "methods": methods,
        "sizes": [{k: v for k, v in size.items() if k != "place"} for size in sizes],
    }
