"""What the partitions before this one looked like, for drift checks."""

from __future__ import annotations

from typing import Any

from winnowry.promotion.request import Request

_TRAILING = 5


def trailing_facts(request: Request) -> dict[str, list[float]]:
    """Measures of up to five live partitions before this one in key order, each a list, oldest first."""
    lake = request.ws.lake
    before = [p for p in lake.partitions(request.corpus, request.stage.name) if p < request.key][-_TRAILING:]
    facts: dict[str, list[float]] = {}
    for partition in before:
        record = lake.live_record(request.corpus, request.stage.name, partition)
        measures: dict[str, Any] = record.facts if record is not None else {}
        for name, value in measures.items():
            if isinstance(value, int | float):
                facts.setdefault(name, []).append(float(value))
    return facts
