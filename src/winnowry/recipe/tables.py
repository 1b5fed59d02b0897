"""The columns of every table of a corpus, for a recipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa

from winnowry.core.tables import CLEANED, CLEANED_BLOBS, RAW, SAMPLED, SCORED, TEXT, with_operator_columns
from winnowry.lakehouse.blobs import blob_field
from winnowry.operators.base import Operator
from winnowry.operators.media.operator import SPAN_FIELD
from winnowry.recipe.fingerprint import key_columns
from winnowry.recipe.model import Recipe
from winnowry.records.kinds import Kind

FROM_SAMPLED = ("stratum", "probability", "repeats")
"""Columns that ``published`` has from ``sampled``; the last only where the recipe has epochs."""


TEXT_BESIDE = pa.field("text", TEXT)
"""The text beside the bytes of a record, null where it has none."""

_REPEATS = pa.field("repeats", pa.int64(), nullable=False)
_TEXT_SIZE = "n_tokens"  # what the fixed columns call the size; other kinds have theirs in its place


def raw_schema(recipe: Recipe) -> pa.Schema:
    """Columns of ``raw`` for a recipe."""
    at = RAW.get_field_index("payload")
    schema = RAW.set(at, blob_field("payload")) if recipe.kind.carries == "blob" else RAW
    for field in reversed(beside_content(recipe)):
        schema = schema.insert(at + 1, field)
    return schema


def beside_content(recipe: Recipe) -> list[pa.Field]:
    """What ``raw`` and ``cleaned`` have of a record beside its text or its bytes."""
    media = [*([TEXT_BESIDE] if recipe.has_text_beside else []), *([SPAN_FIELD] if recipe.has_spans else [])]
    return [*media, *recipe.kind.columns]


def columns_written(operators: Iterable[Operator | None]) -> set[str]:
    """Names of all columns that operators write; None stands for one with a mistake of its own."""
    return {name for operator in operators if operator is not None for name in operator.writes().names}


def cleaned_columns(kind: Kind, beside: Sequence[pa.Field] | None = None) -> pa.Schema:
    """Columns that ``cleaned`` has whatever operators there are."""
    schema = CLEANED if kind.has_text else CLEANED_BLOBS
    at = schema.get_field_index("size")
    for field in reversed(kind.columns if beside is None else beside):
        schema = schema.insert(at, field)
    return schema


def cleaned_schema(recipe: Recipe) -> pa.Schema:
    """Columns of ``cleaned`` for a recipe."""
    fixed = cleaned_columns(recipe.kind, beside_content(recipe))
    return with_operator_columns(fixed, written_fields(recipe.cleaning))


def scored_schema(recipe: Recipe) -> pa.Schema:
    """Columns of ``scored`` for a recipe: the size of its kind, and what `score` writes."""
    fixed = _with_size(SCORED, recipe.kind)
    return with_operator_columns(fixed, [f for f in written_fields(recipe.score) if f.name != "text"])


def size_is_taken_over(recipe: Recipe) -> bool:
    """Whether ``scored`` has the size of a record from ``cleaned``, because no operator of `score` writes it."""
    size = recipe.kind.size_column
    return size in cleaned_schema(recipe).names and size not in {field.name for field in written_fields(recipe.score)}


def sampled_schema(recipe: Recipe) -> pa.Schema:
    """Columns of ``sampled``: with ``repeats``, how often a record is taken, where the recipe has ``epochs``."""
    schema = _with_size(SAMPLED, recipe.kind)
    if recipe.sample is None or not recipe.sample.epochs:
        return schema
    return schema.insert(schema.get_field_index(recipe.kind.size_column), _REPEATS)


def published_schema(recipe: Recipe) -> pa.Schema:
    """Columns of ``published``: the cleaned record, its scores and how it was drawn; no keys of deduplication.

    Of files it has the bytes too, as ``raw`` holds them; of parts of files it has none, only where they lie.
    """
    left_out = {"promotion_id", *key_columns(recipe)}
    fields = {f.name: f for f in cleaned_schema(recipe) if f.name not in left_out}
    if recipe.kind.carries == "blob" and not recipe.cuts_media:
        fields["payload"] = blob_field("payload")
    for field in scored_schema(recipe):
        if field.name not in left_out:
            fields.setdefault(field.name, field)
    fields |= {field.name: field for field in sampled_schema(recipe) if field.name in FROM_SAMPLED}
    return pa.schema([*fields.values(), pa.field("promotion_id", pa.string(), nullable=False)])


def _with_size(fixed: pa.Schema, kind: Kind) -> pa.Schema:
    at = fixed.get_field_index(_TEXT_SIZE)
    return fixed.set(at, fixed.field(at).with_name(kind.size_column))


def written_fields(operators: Sequence[Operator]) -> list[pa.Field]:
    """Fields a chain adds or replaces, in first-written order, ``text`` as the type of the text column."""
    fields: dict[str, pa.Field] = {}
    for operator in operators:
        for column in operator.writes():
            fields[column.name] = column if column.name != "text" else pa.field("text", TEXT)
    return list(fields.values())
