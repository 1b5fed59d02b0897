"""The VALID² card of the live release as of today."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from winnowry.evidence.valid2.card import asked_of, card_at, end_of
from winnowry.releases.releases import find_release

if TYPE_CHECKING:
    from datetime import datetime

    from winnowry.lakehouse.workspace import Workspace
    from winnowry.recipe.model import Recipe


def card_of_today(ws: Workspace, recipe: Recipe, now: datetime) -> dict[str, Any]:
    """The card of the release that the recipe's tag is on, measured again: what was fresh when it came out may not be.

    Args:
        ws: the lake.
        recipe: the corpus; its gate of ``published`` sets thresholds, else the presets do.
        now: the snapshot, unless the recipe names a day.

    Returns:
        What ``release_card`` gives, and ``release`` (its numbered tag).

    Raises:
        NotFoundError: nothing is published.
    """
    release = find_release(ws, recipe.corpus, recipe.publish.tag)
    published = ws.lake.open(recipe.corpus, "published", release.version)
    day = asked_of(recipe).as_of
    as_of, said_by = (now, "now") if day is None else (end_of(day), "recipe")
    return {**card_at(ws, recipe, published, as_of, said_by), "release": release.name}
