"""The narrow columns that a sample is drawn from; no text is read."""

from __future__ import annotations

import pyarrow as pa

from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.model import Recipe
from winnowry.recipe.tables import cleaned_schema, scored_schema


def sample_columns(ws: Workspace, recipe: Recipe, without: frozenset[str] = frozenset()) -> pa.Table:
    """Id, partition, size, score, strata and what a gate holds apart, of every scored record.

    Columns that ``scored`` does not have (``source``, ``license``, what cleaning operators wrote) are taken from
    ``cleaned``, partition by partition.

    Args:
        ws: the lake.
        recipe: its sample says which columns.
        without: partitions whose records are left out.

    Returns:
        record_id, partition, size (as its kind calls it), the score column, the strata columns and those of the gate;
        one row per record of ``scored``.
    """
    spec = recipe.sample
    assert spec is not None
    asked = list(dict.fromkeys([*spec.strata, *(recipe.gates.sampled.disjoint or ())]))
    here = set(scored_schema(recipe).names)
    own = [
        "record_id",
        "partition",
        recipe.kind.size_column,
        *([spec.by] if spec.by else []),
        *(n for n in asked if n in here),
    ]
    names = list(dict.fromkeys(own))
    elsewhere = [name for name in asked if name not in here]
    if not elsewhere:
        return ws.lake.open_without(recipe.corpus, "scored", without).to_table(columns=names).combine_chunks()
    fields = [*(scored_schema(recipe).field(n) for n in names), *(cleaned_schema(recipe).field(n) for n in elsewhere)]
    parts = [pa.schema(fields).empty_table()]
    for partition in ws.lake.partitions(recipe.corpus, "scored"):
        if partition in without:
            continue
        part = ws.lake.partition_view(recipe.corpus, "scored", partition).to_table(columns=names)
        beside = ws.lake.partition_view(recipe.corpus, "cleaned", partition).to_table(columns=["record_id", *elsewhere])
        at = pa.compute.index_in(part["record_id"], value_set=beside["record_id"])
        for name in elsewhere:
            part = part.append_column(name, beside[name].take(at))
        parts.append(part)
    return pa.concat_tables(parts, promote_options="permissive").combine_chunks()
