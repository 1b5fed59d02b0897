"""Which recipe a corpus is made by, so that another one of the same corpus name does not take its place unseen.

The corpus keeps a small file, ``<corpus>/recipe.json``. It is written by the first run and follows the recipe as that
is edited, moved and renamed. What counts is where records come from; see docs/adr/0011.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from winnowry.core.errors import NotFoundError, OtherRecipeError
from winnowry.core.formats import from_bytes, from_document, made_from, to_bytes, to_document
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.as_yaml import written
from winnowry.recipe.diff import diff_specs
from winnowry.recipe.model import Recipe

FOR_A_RUN = "winnowry-recipe-"
"""What the folder is called in which a recipe made in Python lies while Dagster runs it."""

_GLOB = re.compile(r"[*?\[{]")
_SHOWN = 20  # differences that are listed


@dataclass(frozen=True)
class CorpusRecipe:
    """The recipe that a corpus was last made by.

    Attributes:
        file: path of its file, from the root where it is below it; None for one that was made in Python.
        places: where its sources lie: URIs up to the first wildcard, below the root from there.
        recipe: what is set in it.
        written_at: when this was noted, ISO 8601.
        unknown_keys: what a newer version wrote beside these; kept.
    """

    file: str | None
    places: list[str]
    recipe: dict[str, Any]
    written_at: str
    unknown_keys: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def name(self) -> str | None:
        """Name of its file."""
        return None if self.file is None else Path(self.file).name

    @staticmethod
    def of(ws: Workspace, recipe: Recipe) -> CorpusRecipe:
        """That of a recipe."""
        places = sorted({_place(ws, source.uri) for source in recipe.sources})
        written_for_a_run = recipe.file is not None and recipe.file.parent.name.startswith(FOR_A_RUN)
        file = None if recipe.file is None or written_for_a_run else ws.relative(str(recipe.file.resolve()))
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return CorpusRecipe(file, places, written(recipe), now)

    def is_continued_by(self, other: CorpusRecipe) -> bool:
        """Whether another recipe is this one, edited, moved, renamed or in another clone.

        The same file is, whatever was edited. A file of the same name elsewhere is where it reads one of the same
        places. Any other is where it reads the same places.
        """
        if self.file is not None and self.file == other.file:
            return True
        if self.name == other.name:
            return bool(set(self.places) & set(other.places))
        return self.places == other.places

    def differences(self, other: CorpusRecipe) -> list[str]:
        """What another recipe says otherwise, a line a key."""
        lines = diff_specs(_by_name(self.recipe), _by_name(other.recipe))
        rest = len(lines) - _SHOWN
        return lines[:_SHOWN] + ([f"and {rest} more"] if rest > 0 else [])


def other_recipe(ws: Workspace, recipe: Recipe) -> dict[str, Any] | None:
    """The recipe that the corpus belongs to, where it is another one than this: ``file`` and ``differences``."""
    stored = stored_recipe(ws, recipe.corpus)
    own = CorpusRecipe.of(ws, recipe)
    if stored is None or stored.is_continued_by(own):
        return None
    return {"file": _shown(ws, stored.file), "written_at": stored.written_at, "differences": stored.differences(own)}


def claim_corpus(ws: Workspace, recipe: Recipe, *, take_over: bool = False) -> None:
    """Note that the corpus is made by this recipe from now on; refuse where it belongs to another one.

    Args:
        ws: the lake.
        recipe: the recipe that is about to run.
        take_over: let it take the place of another one.

    Raises:
        OtherRecipeError: the corpus belongs to another recipe.
    """
    stored = stored_recipe(ws, recipe.corpus)
    own = CorpusRecipe.of(ws, recipe)
    if stored is None:
        if ws.store.write(_uri(ws, recipe.corpus), _bytes(own), if_absent=True):
            return
        stored = stored_recipe(ws, recipe.corpus)  # a run beside this one was first
    if stored is not None and not take_over and not stored.is_continued_by(own):
        differences = "\n  ".join(stored.differences(own))
        before, now = (_shown(ws, one.file) or "one made in Python" for one in (stored, own))
        raise OtherRecipeError(
            f"corpus {recipe.corpus} of {ws.root} is made by another recipe: {before}, "
            f"last run {stored.written_at}; this is {now}. A run would replace "
            "that corpus's records and move its releases. Nothing was changed. Give this recipe a `corpus` name of its "
            f"own, or run it with --take-over. What differs:\n  {differences}"
        )
    if stored is None or (stored.file, stored.places, stored.recipe) != (own.file, own.places, own.recipe):
        ws.store.write(_uri(ws, recipe.corpus), _bytes(own))


def _shown(ws: Workspace, file: str | None) -> str | None:
    """A file of a recipe as its user knows it."""
    return None if file is None else ws.store.resolve(file)


def _place(ws: Workspace, uri: str) -> str:
    """A source's URI up to its first wildcard; with ``${env:…}`` as it is written.

    What lies below the root starts there, so that a lake may be moved as a whole.
    """
    literal = _GLOB.split(uri.replace("${", "\0"), maxsplit=1)[0].replace("\0", "${")
    return literal if "${" in literal else ws.store.resolve(literal).removeprefix(ws.store.root.rstrip("/") + "/")


def _by_name(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe whose sources are found by name, so that they are compared key by key."""
    return {**recipe, "sources": {source["name"]: source for source in recipe.get("sources", ())}}


def _uri(ws: Workspace, corpus: str) -> str:
    return f"{ws.lake.corpus_uri(corpus)}/recipe.json"


def _bytes(own: CorpusRecipe) -> bytes:
    return to_bytes("corpus recipe", to_document(own))


def stored_recipe(ws: Workspace, corpus: str) -> CorpusRecipe | None:
    """The recipe that a corpus was last made by; None where none is noted."""
    uri = _uri(ws, corpus)
    try:
        body = ws.store.read(uri)
    except NotFoundError:
        return None
    content = from_bytes("corpus recipe", uri, body).content
    with made_from("corpus recipe", uri):
        stored = from_document(CorpusRecipe, content)
    return stored if stored.file is None else replace(stored, file=ws.relative(stored.file))
