"""The suites of each stage, by name: what Dagster must know before it runs anything.

``expectations/`` has the suites themselves; asking it would import Great Expectations, which takes seconds, at every
load of the code location. A test holds the two together: name a suite here when you add one there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from winnowry.recipe.valid2 import LETTERS

if TYPE_CHECKING:
    from winnowry.recipe.model import Recipe

SUITES: Mapping[str, tuple[str, ...]] = {
    "landing": (),
    "raw": ("raw.contract", "raw.ledger", "raw.quality", "raw.drift"),
    "cleaned": ("cleaned.contract", "cleaned.ledger", "cleaned.quality", "cleaned.drift"),
    "duplicates": ("duplicates.contract", "duplicates.ledger"),
    "fit": (),
    "scored": ("scored.contract", "scored.ledger", "scored.quality", "scored.drift"),
    "sampled": ("sampled.contract", "sampled.ledger", "sampled.budget"),
    "comparison": ("comparison.contract", "comparison.ledger", "comparison.proof"),
    "published": ("published.contract", "published.ledger", "published.quality"),
}
"""Suite names by stage, in the order of the UI; each is a blocking check named after its concern.

``published`` also has one a letter of the VALID² card where the recipe sets that gate.
"""

COLUMN_SUITES = ("column.contract", "column.values")
"""Suites of a column that a recipe adds to a table."""


def suites_of(stage: str, recipe: Recipe) -> tuple[str, ...]:
    """Suites of a stage of a corpus, or of a column named ``TABLE.COLUMN``."""
    if "." in stage:
        return COLUMN_SUITES
    letters = LETTERS if stage == "published" and recipe.gates.published.valid2 is not None else ()
    return (*SUITES.get(stage, ()), *(f"published.valid2.{letter}" for letter in letters))
