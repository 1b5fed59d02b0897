"""Mistakes of gates and of the release beside the rest of the recipe, and what a recipe lacks to run a stage."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import get_args

from winnowry.recipe.columns import ColumnTable
from winnowry.recipe.gates import Gates
from winnowry.recipe.messages import Problem, did_you_mean
from winnowry.recipe.model import Publish, Recipe
from winnowry.recipe.tables import size_is_taken_over, written_fields

_, _CLEANED, _SCORED, _PUBLISHED = get_args(ColumnTable)
_DRAWN = "sampled"
_LATEST = "latest"  # published@latest of a query
_LONGEST_TAG = 100


def check_gates(
    gates: Gates | None,
    publish: Publish | None,
    cleaned: Collection[str] | None,
    scored: Collection[str] | None = None,
    *,
    leaves_raw: bool,
    has_releases: bool,
) -> list[Problem]:
    """All problems among the parts.

    Args:
        gates: None stands for a part with a mistake of its own.
        publish: as above.
        cleaned: columns of ``cleaned``; None where they are not known.
        scored: columns that operators of `score` write; None where they are not known.
        leaves_raw: whether the recipe has a table ``cleaned``.
        has_releases: whether it has a table ``published``.
    """
    problems = []
    if gates is not None:
        absent = (() if leaves_raw else (_CLEANED, _SCORED)) + (() if has_releases else (_DRAWN, _PUBLISHED))
        problems += [
            Problem(("gates", name), f"a gate of {name}, which the recipe does not have: its files stay in `raw`"
                    if not leaves_raw else f"a gate of {name}, which the recipe does not have: add `sample`")
            for name in absent
            if name in gates.model_fields_set
        ]  # fmt: skip
        if leaves_raw and gates.cleaned.languages and cleaned is not None and "language" not in cleaned:
            message = "no operator of `clean` writes `language`; add {op: text.language}"
            problems.append(Problem(("gates", "cleaned", "languages"), message))
        if cleaned is not None and scored is not None:
            known = {*cleaned, *scored}
            problems += [
                Problem(("gates", "sampled", "disjoint", index), f"no column {name!r}{did_you_mean(name, known)}")
                for index, name in enumerate(gates.sampled.disjoint or ())
                if name not in known
            ]
    if publish is not None and (wrong := _wrong_tag(publish.tag)) is not None:
        problems.append(Problem(("publish", "tag"), wrong))
    return problems


def _wrong_tag(tag: str) -> str | None:
    """Why a tag cannot follow releases: it would be a release's own, or mean something else, or no tag of Lance's."""
    if re.fullmatch(r"[vV]\d+", tag):  # `V1` too: some file systems take it for `v1`
        return f"{tag!r} is the name of a release; give the tag that moves with them another one, e.g. prod"
    if tag == _LATEST:
        return f"{tag!r} names the newest version of `published`, released or not; give the tag another name, e.g. prod"
    if ".." in tag or tag.endswith((".", ".lock")) or len(tag) > _LONGEST_TAG:
        return (
            f"{tag!r} cannot be a tag: expected at most {_LONGEST_TAG} characters, no two dots in a row, and neither a "
            "dot nor `.lock` at the end"
        )
    return None


def lacking_for(recipe: Recipe, stages: Collection[str]) -> list[str]:
    """What a recipe lacks to run stages: a recipe without it is right as far as its earlier stages go.

    Args:
        recipe: without mistakes of its own.
        stages: names of the stages that are to run.

    Returns:
        A sentence for each part that is missing.
    """
    lacking = []
    size = recipe.kind.size_column
    counted = size_is_taken_over(recipe) or size in {field.name for field in written_fields(recipe.score)}
    if _SCORED in stages and not counted:
        add = f"; add {{op: {recipe.kind.counted_by}}}" if recipe.kind.counted_by is not None else ""
        place = "score" if recipe.kind.in_tokens else "clean"
        lacking.append(f"{place}: nothing writes {size}, the size of a record, which stage scored needs{add}")
    if _DRAWN in stages and recipe.sample is None:
        example = "{method: uniform, fraction: 1.0}, which takes every record"
        lacking.append(f"sample: missing, and stage sampled needs it; e.g. {example}")
    return [f"{recipe.corpus}: {sentence}" for sentence in lacking]
