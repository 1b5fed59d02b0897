"""The rows that a derivation puts in the place of their parents.

``parent_ids`` of a child names the *ingested* record, also where one derivation follows another: records between the
two have no row that could be followed. The way through them is in the id, and in the column :data:`PATH` of the chain.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from winnowry.core.ids import derived_id
from winnowry.engine.columns import with_columns

PATH = "derived:path"
"""Column of a chain, in no table: the numbers of a child within its parents, for the ids of its own children."""

PARENTS = "parent_ids"


def children_of(
    batch: pa.RecordBatch, parent: npt.NDArray[np.int64], written: pa.RecordBatch, operator: str
) -> pa.RecordBatch:
    """Children with their ids, their parents, the written columns, and every other column of their parents.

    Args:
        batch: the parents, with ``record_id``.
        parent: row of the parent of each of n children, ascending.
        written: n rows with the columns of the derivation.
        operator: its registered name.
    """
    own = {*written.schema.names, "record_id", PARENTS, PATH}
    inherited = batch.select([name for name in batch.schema.names if name not in own]).take(pa.array(parent))
    ids = batch.column("record_id").to_pylist()
    names = batch.schema.names
    roots = batch.column(PARENTS).to_pylist() if PARENTS in names else [None] * len(ids)
    ingested = [root if root else [record_id] for root, record_id in zip(roots, ids, strict=True)]
    paths = batch.column(PATH).to_pylist() if PATH in names else [""] * len(ids)
    numbers = np.arange(len(parent)) - np.searchsorted(parent, parent)
    rows = parent.tolist()
    steps = [f"{paths[row]}{number}" for row, number in zip(rows, numbers.tolist(), strict=True)]
    identity = {
        "record_id": pa.array(
            [derived_id(ingested[row], step, operator) for row, step in zip(rows, steps, strict=True)], pa.string()
        ),
        PARENTS: pa.array([ingested[row] for row in rows], pa.list_(pa.string())),
        PATH: pa.array([f"{step}:{operator}/" for step in steps], pa.string()),
    }
    columns = dict(zip(inherited.schema.names, inherited.columns, strict=True))
    children = pa.RecordBatch.from_arrays([*identity.values(), *columns.values()], names=[*identity, *columns])
    return with_columns(children, written)
