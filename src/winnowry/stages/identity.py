"""Which records a changed source would make new: what identifies a record is part of how its source is declared."""

from __future__ import annotations

from typing import Any

from winnowry.core.numbers import number
from winnowry.core.sql import literal
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.lineage import live
from winnowry.recipe.model import Recipe, Source
from winnowry.recipe.place import Place


def changed_identities(ws: Workspace, recipe: Recipe) -> list[str]:
    """A sentence for every source whose records would get other ids than those they have.

    A record without a mapped id is known by its path below the literal part of the glob, the part before the first
    wildcard, and by its place in the file.

    Args:
        ws: the lake.
        recipe: as it is now.
    """
    record = live(ws, recipe, "landing")
    if record is None:
        return []
    before = {spec["name"]: spec for spec in record.lineage.get("spec", {}).get("sources", ())}
    sentences = []
    for source in recipe.sources:
        why = _why_new(ws, source, before[source.name]) if source.name in before else None
        if why is not None:
            rows = ws.lake.open(recipe.corpus, "landing").to_table(
                columns=["n_records"], where=f"source = {literal(source.name)}"
            )
            n_records = sum(rows["n_records"].to_pylist())
            sentences.append(f"source {source.name!r}: {number(n_records)} records would be new: {why}")
    return sentences


def _why_new(ws: Workspace, source: Source, before: dict[str, Any]) -> str | None:
    old, new = before.get("fields", {}).get("id"), source.fields.id
    if old != new:
        was, now = (f"field {name!r}" if name is not None else "their place in a file" for name in (old, new))
        return f"they were known by {was}, and would be by {now}"
    if new is not None:
        return None
    try:
        there = _literal_part(ws, Place(before.get("uri", "")))
    except ValueError:  # a variable of the environment that is not set any more
        return None
    here = _literal_part(ws, source.uri)
    if there == here:
        return None
    return (
        f"the part of the glob before its first wildcard was {there} and is {here}, and a record is known by its path "
        "below that; map `fields.id`, which stays the same wherever files lie"
    )


def _literal_part(ws: Workspace, uri: str) -> str:
    return ws.store.literal_prefix(ws.store.resolve(uri)).removeprefix(ws.store.root).lstrip("/") or "the root"
