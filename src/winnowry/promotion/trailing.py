"""What the partitions before this one looked like, for drift checks."""

from __future__ import annotations

from typing import Any

from winnowry.promotion.request import Request

_TRAILING = 5


def trailing_facts(request: Request) -> dict[str, list[float]]:
    """Measures of up to five live partitions before this one in key order, each a list, oldest first.

    Partitions that this run promoted itself are no past to differ from: a first load has no drift.
    """
    lake = request.ws.lake
    records = (
        lake.live_record(request.corpus, request.stage.name, partition)
        for partition in lake.partitions(request.corpus, request.stage.name)
        if partition < request.key
    )
    known = [record for record in records if record is not None and record.lineage.get("run_id") != request.run_id]
    facts: dict[str, list[float]] = {}
    for record in known[-_TRAILING:]:
        measures: dict[str, Any] = record.facts
        for name, value in measures.items():
            if isinstance(value, int | float):
                facts.setdefault(name, []).append(float(value))
    return facts
