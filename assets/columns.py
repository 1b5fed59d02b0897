"""The columns of each stage's table as the UI lists them: type, nullability, what they mean, what they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from winnowry.core.tables import COMPARISON, DUPLICATES, LANDING

if TYPE_CHECKING:
    import pyarrow as pa

    from winnowry.operators.base import Operator
    from winnowry.recipe.model import Recipe

_MEANING = {
    "record_id": "Identifies the record in every table: 128 bits, stable across re-ingest and roots",
    "partition": "Partition key of the record",
    "promotion_id": "The promotion that wrote the row",
    "source": "Source of the recipe the record came from",
    "uri": "Landing object",
    "size": "Size of the text in UTF-8 bytes",
    "etag": "The object's entity tag: another one means other content",
    "modified_at": "When the object was last written",
    "partitions": "Partitions the object holds, with their records",
    "n_records": "Records in the object, unreadable ones included",
    "position": "0-based line or row in the object",
    "event_time": "When the event the record tells of happened, UTC",
    "ingested_at": "When the record was read, UTC",
    "content_sha256": "SHA-256 of the payload",
    "media_type": "Media type of the payload",
    "payload": "The record's text as it arrived",
    "meta": "All other fields of the record, as JSON",
    "license": "License of the record, or of its source",
    "parent_ids": "Records this one was made from; null when it was made from itself",
    "text": "The cleaned text",
    "kept_record_id": "The keeper of the group of duplicates",
    "method": "How the duplicate was found",
    "similarity": "Similarity to the twin, 0 to 1; estimated for near-duplicates",
    "twin_record_id": "The record of the group that it was found to be like",
    "steps": "Twins between this record and the keeper",
    "group_size": "Records of the group, the keeper among them",
    "n_tokens": "Tokens of the text",
    "stratum": "Stratum the record was drawn in",
    "probability": "Inclusion probability, 0 to 1",
    "draw": "The record's permanent random number, 0 to 1",
    "selected": "Whether the record is in the sample",
}


def schema_of(recipe: Recipe, stage: str) -> pa.Schema | None:
    """Arrow schema of a stage's table, or None for a stage that writes no table."""
    if stage == "cleaned":
        from winnowry.recipe.tables import cleaned_schema

        return cleaned_schema(recipe)
    if stage == "scored":
        from winnowry.recipe.tables import scored_schema

        return scored_schema(recipe)
    if stage == "published":
        from winnowry.recipe.tables import published_schema

        return published_schema(recipe)
    if stage == "sampled":
        from winnowry.recipe.tables import sampled_schema

        return sampled_schema(recipe)
    if stage == "raw":
        from winnowry.recipe.tables import raw_schema

        return raw_schema(recipe)
    return {"landing": LANDING, "duplicates": DUPLICATES, "comparison": COMPARISON}.get(stage)


def table_schema(recipe: Recipe, stage: str) -> dg.TableSchema | None:
    """The stage's columns for Dagster's column table."""
    schema = schema_of(recipe, stage)
    if schema is None:
        return None
    written = {field.name: operator for operator in (*recipe.clean, *recipe.score) for field in operator.writes()}
    return dg.TableSchema(
        [
            dg.TableColumn(
                name=field.name,
                type=str(field.type),
                description=_description(field, stage, written),
                constraints=dg.TableColumnConstraints(nullable=field.nullable, unique=_is_unique(field.name, stage)),
            )
            for field in schema
        ]
    )


def _description(field: pa.Field, stage: str, written: dict[str, Operator]) -> str | None:
    own = (field.metadata or {}).get(b"description")
    if own:
        return str(own.decode())
    if field.name == "size" and stage == "landing":
        return "Size of the object in bytes"
    operator = written.get(field.name)
    if operator is not None and field.name not in _MEANING:
        return f"Written by {operator.op}, version {operator.VERSION}"
    return _MEANING.get(field.name)


def _is_unique(name: str, stage: str) -> bool:
    return name == {"landing": "uri", "comparison": "measurement_id"}.get(stage, "record_id")


def column_lineage(recipe: Recipe, stage: str) -> dg.TableColumnLineage | None:
    """Which columns of which upstream tables each column comes from, as far as names and operators tell."""
    corpus = recipe.corpus
    upstream = {"cleaned": "raw", "scored": "cleaned"}.get(stage)
    schema = schema_of(recipe, stage)
    if schema is None:
        return None
    deps: dict[str, list[dg.TableColumnDep]] = {}
    if upstream is not None:
        operators = recipe.clean if stage == "cleaned" else recipe.score
        origin = _origins(
            operators, schema_of(recipe, upstream), renamed={"text": "payload"} if stage == "cleaned" else {}
        )
        for field in schema:
            if field.name != "promotion_id" and origin.get(field.name):
                deps[field.name] = [_dep(corpus, upstream, name) for name in sorted(origin[field.name])]
    elif stage == "published":
        cleaned, scored = schema_of(recipe, "cleaned"), schema_of(recipe, "scored")
        assert cleaned is not None
        assert scored is not None
        for field in schema:
            table = "cleaned" if field.name in cleaned.names else "scored" if field.name in scored.names else None
            if table is not None and field.name != "promotion_id":
                deps[field.name] = [_dep(corpus, table, field.name)]
    elif stage == "sampled":
        by = recipe.sample.by if recipe.sample is not None else None
        for name in ("record_id", "partition", "n_tokens"):
            deps[name] = [_dep(corpus, "scored", name)]
        for name in ("probability", "selected"):
            deps[name] = [_dep(corpus, "scored", column) for column in dict.fromkeys((by, "n_tokens")) if column]
    elif stage == "duplicates":
        deps = {name: [_dep(corpus, "cleaned", name)] for name in ("record_id", "partition")}
    return dg.TableColumnLineage(deps) if deps else None


def _origins(
    operators: tuple[Operator, ...], upstream: pa.Schema | None, renamed: dict[str, str]
) -> dict[str, set[str]]:
    assert upstream is not None
    origin = {name: {name} for name in upstream.names if name not in renamed.values()}
    origin |= {new: {old} for new, old in renamed.items()}
    for operator in operators:
        read = set().union(*(origin.get(name, set()) for name in operator.reads().names))
        for name in operator.writes().names:
            origin[name] = read
    return origin


def _dep(corpus: str, table: str, column: str) -> dg.TableColumnDep:
    return dg.TableColumnDep(dg.AssetKey([corpus, table]), column)
