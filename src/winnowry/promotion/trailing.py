"""What the partitions before this one looked like, for drift checks."""

from __future__ import annotations

from typing import Any

from winnowry.promotion.request import Request

_TRAILING = 5
_LANDING = "landing"


def trailing_facts(request: Request) -> dict[str, list[float]]:
    """Measures of up to five live partitions before this one in key order, each a list, oldest first.

    Only what was promoted before the newest landing is a past to differ from: a first load, however many partitions and
    runs it has, and a corpus that is cleaned anew by another recipe have no drift.
    """
    lake = request.ws.lake
    landing = lake.live_record(request.corpus, _LANDING)
    landed = landing.promoted_at if landing is not None else None
    records = (
        lake.live_record(request.corpus, request.stage.name, partition)
        for partition in lake.partitions(request.corpus, request.stage.name)
        if partition < request.key
    )
    known = [
        record
        for record in records
        if record is not None and (landed is None or record.promoted_at is None or record.promoted_at < landed)
    ]
    facts: dict[str, list[float]] = {}
    for record in known[-_TRAILING:]:
        measures: dict[str, Any] = record.facts
        for name, value in measures.items():
            if isinstance(value, int | float):
                facts.setdefault(name, []).append(float(value))
    return facts
