"""Records that were erased, for ``explain``: when, and nothing else, since nothing else is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from winnowry.core.ids import record_id as make_record_id
from winnowry.core.numbers import day
from winnowry.erasure.takedown import PLACE
from winnowry.erasure.tombstones import Tombstones, read_tombstones
from winnowry.releases.erased import FOLDER, erasures
from winnowry.stages.graph import ARRIVED

if TYPE_CHECKING:
    from winnowry.lakehouse.workspace import Workspace


def verdict_on_erased(ws: Workspace, corpus: str, wanted: str) -> str | None:
    """What is to be said of a record that was erased; None where none was that is called so.

    Args:
        ws: the lake.
        corpus: the corpus.
        wanted: its whole record id, the id that its source gave it, the SHA-256 of its content, or its place.
    """
    tombstones = read_tombstones(ws, corpus)
    name = _erasure_of(ws, tombstones, wanted, _sources(ws, corpus)) if tombstones.marks else None
    if name is None:
        return None
    erasure = next((erasure for erasure in erasures(ws, corpus) if erasure.name == name), None)
    if erasure is None or not erasure.finished:
        return f"being erased; an erasure that was cut off is finished with winnowry erase {corpus} --yes"
    on = day(erasure.erased_at)
    return f"erased on {on}; nothing of it is kept, and it is kept out (certificate {corpus}/{FOLDER}/{name}.json)"


def _erasure_of(ws: Workspace, tombstones: Tombstones, wanted: str, sources: set[str]) -> str | None:
    place = PLACE.fullmatch(wanted)
    uri, position = (ws.relative(place["uri"]), int(place["position"])) if place is not None else (None, None)
    lower = wanted.lower()
    names = [tombstones.erasure_of(lower, lower, source_id=wanted, uri=uri, position=position)]
    names += [tombstones.erasure_of(make_record_id(source, mapped_id=wanted)) for source in sorted(sources)]
    return next((name for name in names if name is not None), None)


def _sources(ws: Workspace, corpus: str) -> set[str]:
    """Sources of the corpus; of one without a table, those that its promotions name."""
    return {
        source["name"]
        for record in ws.lake.records(corpus).all()
        if record.stage in ("landing", ARRIVED)
        for source in record.lineage.get("spec", {}).get("sources", ())
    }
