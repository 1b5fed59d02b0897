"""Hashes of a recipe: what changes data, what does not, and what each stage depends on of its own."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from winnowry.operators.dedup.keys import DuplicateKeys
from winnowry.recipe.model import Recipe

_METADATA = ("owner", "description")


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _hash(value: Any) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def key_columns(recipe: Recipe) -> set[str]:
    """Columns of ``cleaned`` that only ``duplicates`` reads: they are not published."""
    return {name for op in recipe.clean if isinstance(op, DuplicateKeys) for name in op.writes().names}


def recipe_spec(recipe: Recipe) -> dict[str, Any]:
    """The recipe as data, operators with their versions, defaults spelled out."""
    spec = recipe.model_dump(mode="json", by_alias=True)
    spec["clean"] = [
        {**written, **operator.fingerprint()} for written, operator in zip(spec["clean"], recipe.clean, strict=True)
    ]
    spec["score"] = [operator.fingerprint() for operator in recipe.score]
    spec["sample"] = recipe.sample.fingerprint() if recipe.sample is not None else None
    if recipe.columns is not None:
        spec["columns"] = [column.fingerprint() for column in recipe.columns]
    del spec["limits"]["batch_rows"]  # how much is held at once changes no row
    return spec


def data_hash(recipe: Recipe) -> str:
    """Hash of all that can change data or its acceptance."""
    return _hash({key: value for key, value in recipe_spec(recipe).items() if key not in _METADATA})


def metadata_hash(recipe: Recipe) -> str:
    """Hash of what people read and data does not depend on."""
    return _hash({key: value for key, value in recipe_spec(recipe).items() if key in _METADATA})


def stage_spec(recipe: Recipe, stage: str) -> dict[str, Any]:
    """The parts of the recipe that a stage's output depends on, apart from its inputs."""
    spec = recipe_spec(recipe)
    gate = spec["gates"].get(stage, {})
    if stage in ("landing", "raw"):
        own: dict[str, Any] = {"sources": spec["sources"], "max_record_bytes": spec["limits"]["max_record_bytes"]}
    elif stage == "cleaned":
        columns = [operator.fingerprint() for operator in recipe.clean]
        own = {"clean": columns, "max_error_fraction": spec["limits"]["max_error_fraction"]}
    elif stage == "duplicates":
        own = {"clean": [op for op in spec["clean"] if op["op"].startswith("dedup.")]}
    elif stage in ("fit", "scored"):
        own = {"score": spec["score"]}
        if stage == "scored":
            own["by"] = (spec["sample"] or {}).get("by")
    elif stage == "sampled":
        own = {"sample": spec["sample"]}
    elif stage == "comparison":
        own = {"comparison": spec.get("comparison"), "sample": spec["sample"]}
    else:
        # Only which columns there are: what is in them is an input, so that a moved threshold rewrites no kept text.
        written = {column.name for operator in (*recipe.clean, *recipe.score) for column in operator.writes()}
        drawn = {"repeats"} if recipe.sample is not None and recipe.sample.epochs else set()
        own = {"publish": spec["publish"], "columns": sorted(written - key_columns(recipe) | drawn)}
    return {**own, "gate": gate}


def stage_hash(recipe: Recipe, stage: str) -> str:
    """Hash of :func:`stage_spec`."""
    return _hash(stage_spec(recipe, stage))
