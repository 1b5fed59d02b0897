"""What each stage reads, as data versions: the edges of the asset graph."""

from __future__ import annotations

from winnowry.core.errors import EmptySourceError
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.lineage import live, output_version, stale_reasons
from winnowry.promotion.partitions import partitions_of
from winnowry.recipe.comparison import Questions, TextSet
from winnowry.recipe.model import Recipe
from winnowry.stages.landing import landing_state

_PARTITIONED_BEFORE = {"duplicates": ("raw", "cleaned"), "fit": ("cleaned",), "sampled": ("scored",),
                       "published": ("cleaned", "scored")}  # fmt: skip

Inputs = dict[str, str | None]


def inputs_of(ws: Workspace, recipe: Recipe, stage: str, partition: str | None) -> Inputs:
    """Present data version of every input of a stage, keyed ``stage/partition``; None where it is not promoted.

    Partitions that a corpus-wide stage lacks are left out here; see :func:`incomplete_partitions`.
    """
    if stage == "landing":
        return dict(landing_state(ws, recipe))
    if stage == "raw":
        assert partition is not None
        return {f"landing/{partition}": output_version(live(ws, recipe, "landing"), partition)}
    if stage == "cleaned":
        return {f"raw/{partition}": _version(ws, recipe, "raw", partition)}
    if stage == "duplicates":
        return _present(ws, recipe, "cleaned")
    if stage == "fit":
        return {}  # frozen: a fit does not follow its corpus, only its operator (see pipeline.fit)
    if stage == "scored":
        assert partition is not None
        return {
            f"cleaned/{partition}": _version(ws, recipe, "cleaned", partition),
            f"duplicates/{partition}": output_version(live(ws, recipe, "duplicates"), partition),
            "fit": _version(ws, recipe, "fit", None),
        }
    if stage == "sampled":
        return _present(ws, recipe, "scored")
    if stage == "comparison":
        return {"sampled": _version(ws, recipe, "sampled", None), **_text_sets(ws, recipe)}
    return {
        "sampled": _version(ws, recipe, "sampled", None),
        **_proof(ws, recipe),
        **_present(ws, recipe, "cleaned"),
        **_score_contents(ws, recipe),
    }


def _version(ws: Workspace, recipe: Recipe, stage: str, partition: str | None) -> str | None:
    return output_version(live(ws, recipe, stage, partition), partition)


def _present(ws: Workspace, recipe: Recipe, stage: str) -> Inputs:
    found: Inputs = {}
    for partition in partitions_of(ws, recipe):
        version = _version(ws, recipe, stage, partition)
        if version is not None:
            found[f"{stage}/{partition}"] = version
    return found


def _text_sets(ws: Workspace, recipe: Recipe) -> Inputs:
    """The objects that a comparison reads beside the corpus.

    Raises:
        EmptySourceError: a text set matches no object.
    """
    if recipe.comparison is None:
        return {}
    found: Inputs = {}
    target = recipe.comparison.target
    asked = recipe.comparison.questions or ()
    sets: list[TextSet | Questions] = [
        *([target] if target is not None else []),
        *recipe.comparison.evaluations,
        *asked,
    ]
    for text_set in sets:
        objects = list(ws.store.list(ws.store.resolve(text_set.uri)))
        if not objects:
            raise EmptySourceError(
                f"text set {text_set.name!r} of the comparison of {recipe.corpus}: no object matches "
                f"{ws.store.resolve(text_set.uri)}. Check its `uri` (relative ones start at --root)."
            )
        found |= {f"{text_set.name}:{info.uri}": f"{info.etag}:{info.size}" for info in objects}
    return found


def _proof(ws: Workspace, recipe: Recipe) -> Inputs:
    """The selection that the live comparison is about: measured again with more seeds, it makes no new release."""
    if recipe.comparison is None:
        return {}
    record = live(ws, recipe, "comparison")
    return {"comparison": record.lineage.get("inputs", {}).get("sampled") if record is not None else None}


def _score_contents(ws: Workspace, recipe: Recipe) -> Inputs:
    """What scores are made from, apart from who the keepers are: a new duplicate leaves old scores as they are."""
    found: Inputs = {}
    for partition in partitions_of(ws, recipe):
        record = live(ws, recipe, "scored", partition)
        if record is not None:
            inputs = record.lineage.get("inputs", {})
            parts = [record.lineage.get("stage_hash", ""), inputs.get(f"cleaned/{partition}"), inputs.get("fit")]
            found[f"content/{partition}"] = ":".join(str(part) for part in parts)
    return found


def incomplete_partitions(ws: Workspace, recipe: Recipe, stage: str) -> list[str]:
    """Partitions whose upstream stages are missing or stale, so that a corpus-wide stage would not see all the data."""
    incomplete = []
    for partition in partitions_of(ws, recipe):
        for upstream in _PARTITIONED_BEFORE.get(stage, ()):
            record = live(ws, recipe, upstream, partition)
            if stale_reasons(recipe, upstream, record, inputs_of(ws, recipe, upstream, partition)):
                incomplete.append(partition)
                break
    return incomplete
