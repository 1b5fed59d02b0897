"""The columns of every table of a corpus, for a recipe."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from winnowry.core.tables import CLEANED, RAW, SAMPLED, SCORED, TEXT, with_operator_columns
from winnowry.lakehouse.blobs import blob_field
from winnowry.operators.base import Operator
from winnowry.recipe.fingerprint import key_columns
from winnowry.recipe.model import Recipe

FROM_SAMPLED = ("stratum", "probability", "repeats")
"""Columns that ``published`` has from ``sampled``; the last only where the recipe has epochs."""


_REPEATS = pa.field("repeats", pa.int64(), nullable=False)


def raw_schema(recipe: Recipe) -> pa.Schema:
    """Columns of ``raw`` for a recipe."""
    if not recipe.media:
        return RAW
    return RAW.set(RAW.get_field_index("payload"), blob_field("payload"))


def cleaned_schema(recipe: Recipe) -> pa.Schema:
    """Columns of ``cleaned`` for a recipe."""
    return with_operator_columns(CLEANED, written_fields(recipe.clean))


def scored_schema(recipe: Recipe) -> pa.Schema:
    """Columns of ``scored`` for a recipe."""
    return with_operator_columns(SCORED, [f for f in written_fields(recipe.score) if f.name != "text"])


def sampled_schema(recipe: Recipe) -> pa.Schema:
    """Columns of ``sampled``: with ``repeats``, how often a record is taken, where the recipe has ``epochs``."""
    if recipe.sample is None or not recipe.sample.epochs:
        return SAMPLED
    return SAMPLED.insert(SAMPLED.get_field_index("n_tokens"), _REPEATS)


def published_schema(recipe: Recipe) -> pa.Schema:
    """Columns of ``published``: the cleaned record, its scores and how it was drawn; no keys of deduplication."""
    left_out = {"promotion_id", *key_columns(recipe)}
    fields = {f.name: f for f in cleaned_schema(recipe) if f.name not in left_out}
    for field in scored_schema(recipe):
        if field.name not in left_out:
            fields.setdefault(field.name, field)
    fields |= {field.name: field for field in sampled_schema(recipe) if field.name in FROM_SAMPLED}
    return pa.schema([*fields.values(), pa.field("promotion_id", pa.string(), nullable=False)])


def written_fields(operators: Sequence[Operator]) -> list[pa.Field]:
    """Fields a chain adds or replaces, in first-written order, ``text`` as the type of the text column."""
    fields: dict[str, pa.Field] = {}
    for operator in operators:
        for column in operator.writes():
            fields[column.name] = column if column.name != "text" else pa.field("text", TEXT)
    return list(fields.values())
