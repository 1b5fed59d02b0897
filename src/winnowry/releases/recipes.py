"""The recipe that a release was made with, stored beside its documents."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from winnowry.core.errors import NotFoundError
from winnowry.core.formats import Kind, from_bytes, to_bytes
from winnowry.recipe.as_yaml import as_yaml
from winnowry.recipe.fingerprint import data_hash, recipe_spec
from winnowry.recipe.model import Recipe
from winnowry.releases.tags import RELEASES

if TYPE_CHECKING:
    from winnowry.lakehouse.record import PromotionRecord
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.releases.model import Release

logger = logging.getLogger(__name__)

RECIPE = "recipe.json"
_KIND: Kind = "recipe of a release"


@dataclass(frozen=True)
class ReleaseRecipe:
    """A recipe as it was when a release was made.

    Attributes:
        promotion_id: promotion of ``published`` that the release is.
        yaml: what its file set; variables of the environment by name.
        spec: the same as data, with defaults and versions of operators spelled out.
    """

    promotion_id: str
    yaml: str
    spec: dict[str, Any]


def documents_uri(ws: Workspace, corpus: str, release: str) -> str:
    """Folder of a release's recipe, page and cards; without a slash at the end."""
    return f"{ws.lake.corpus_uri(corpus)}/{RELEASES}/{release}"


def store_recipe(ws: Workspace, recipe: Recipe, record: PromotionRecord) -> None:
    """Store a recipe beside the release that was made with it.

    A process may die between the promotion and this. Where the recipe was changed before the next run, what it was is
    lost: nothing is stored then.

    Args:
        ws: the lake.
        recipe: the recipe as it is now.
        record: promotion of the release.
    """
    release = f"v{record.facts['release']}"
    if record.lineage.get("recipe", {}).get("data_hash") != data_hash(recipe):
        logger.warning("%s %s: the recipe changed before it was stored; the release has none", recipe.corpus, release)
        return
    stored = ReleaseRecipe(str(record.id), as_yaml(recipe), recipe_spec(recipe))
    ws.store.write(f"{documents_uri(ws, recipe.corpus, release)}/{RECIPE}", to_bytes(_KIND, asdict(stored)))


def recipe_yaml(ws: Workspace, release: Release) -> str:
    """The recipe of a release as YAML.

    Raises:
        NotFoundError: the release was made before recipes were stored.
    """
    stored = recipe_of(ws, release)
    if stored is None:
        raise NotFoundError(
            f"{release.corpus} {release.name} has no stored recipe: it was made before recipes were stored with "
            "releases. What each stage was made with is under facts.made of `winnowry release show --json`"
        )
    return stored.yaml


def recipe_of(ws: Workspace, release: Release) -> ReleaseRecipe | None:
    """The recipe of a release; None of releases made before recipes were stored.

    Raises:
        TableFormatError: the file is damaged, or of a newer format.
    """
    uri = f"{documents_uri(ws, release.corpus, release.name)}/{RECIPE}"
    if not ws.store.exists(uri):
        return None
    content = from_bytes(_KIND, uri, ws.store.read(uri)).content
    stored = ReleaseRecipe(content["promotion_id"], content["yaml"], content["spec"])
    return stored if stored.promotion_id == release.promotion_id else None
