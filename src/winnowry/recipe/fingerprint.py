"""Hashes of a recipe: what changes data, what does not, and what each stage depends on of its own."""

from __future__ import annotations

import hashlib
from typing import Any

from winnowry.core.jsonable import canonical_json
from winnowry.operators.dedup.keys import DuplicateKeys
from winnowry.recipe.model import Recipe

_METADATA = ("owner", "description")


def hash_of(value: Any) -> str:
    """SHA-256 of a value's canonical JSON."""
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
    return hash_of({key: value for key, value in recipe_spec(recipe).items() if key not in _METADATA})


def metadata_hash(recipe: Recipe) -> str:
    """Hash of what people read and data does not depend on."""
    return hash_of({key: value for key, value in recipe_spec(recipe).items() if key in _METADATA})
