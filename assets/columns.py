"""The columns of each stage's table as the UI lists them: type, nullability, what they mean, what they come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from assets.keys import stage_key
from winnowry.core.column_meanings import MEANINGS
from winnowry.stages.graph import Stage, stage_named

if TYPE_CHECKING:
    import pyarrow as pa

    from winnowry.operators.base import Operator
    from winnowry.recipe.model import Recipe


def table_schema(recipe: Recipe, stage: Stage) -> dg.TableSchema | None:
    """The stage's columns for Dagster's column table."""
    if stage.schema is None:
        return None
    schema = stage.schema(recipe)
    written = {field.name: operator for operator in (*recipe.cleaning, *recipe.score) for field in operator.writes()}
    return dg.TableSchema(
        [
            dg.TableColumn(
                name=field.name,
                type=str(field.type),
                description=_description(field, stage, written),
                constraints=dg.TableColumnConstraints(nullable=field.nullable, unique=field.name == stage.key),
            )
            for field in schema
        ]
    )


def _description(field: pa.Field, stage: Stage, written: dict[str, Operator]) -> str | None:
    own = (field.metadata or {}).get(b"description")
    if own:
        return str(own.decode())
    if field.name == "size" and stage.starts:
        return "Size of the object in bytes"
    operator = written.get(field.name)
    if operator is not None and field.name not in MEANINGS:
        return f"Written by {operator.op}, version {operator.VERSION}"
    return MEANINGS.get(field.name)


def column_lineage(recipe: Recipe, stage: Stage) -> dg.TableColumnLineage | None:
    """Which columns of which upstream tables each column comes from, as far as names and operators tell."""
    if stage.schema is None:
        return None
    origins = {name: list(sources) for name, sources in stage.origins(recipe).items()}
    own = [name for name in stage.schema(recipe).names if name != "promotion_id"]
    upstream = next((read.stage for read in stage.edges(recipe) if read.how == "same"), None)
    if upstream is not None:
        passed = _origins(stage.operators(recipe), _columns(recipe, upstream), dict(stage.renames))
        origins |= {name: [(upstream, column) for column in sorted(passed[name])] for name in own if passed.get(name)}
    for table in reversed(stage.takes):
        origins |= {name: [(table, name)] for name in own if name in _columns(recipe, table)}
    if not origins:
        return None
    return dg.TableColumnLineage(
        {
            name: [dg.TableColumnDep(stage_key(recipe.corpus, table), column) for table, column in sources]
            for name, sources in origins.items()
        }
    )


def _columns(recipe: Recipe, table: str) -> list[str]:
    schema = stage_named(table).schema
    return list(schema(recipe).names) if schema is not None else []


def _origins(operators: tuple[Operator, ...], upstream: Sequence[str], renamed: dict[str, str]) -> dict[str, set[str]]:
    origin = {name: {name} for name in upstream if name not in renamed.values()}
    origin |= {new: {old} for new, old in renamed.items()}
    for operator in operators:
        read = set().union(*(origin.get(name, set()) for name in operator.reads().names))
        for name in operator.writes().names:
            origin[name] = read
    return origin
