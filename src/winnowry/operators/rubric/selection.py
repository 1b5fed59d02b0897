"""Which criteria an answer is judged by: those of a rubric file, and those that its prompt brought along."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from winnowry.core.errors import UsageError
from winnowry.operators.buffers import TEXT
from winnowry.records.rubrics import Criterion, Interaction, Rubric, rubric_of

CRITERIA = pa.field("criteria", TEXT)
"""Criteria of a prompt of its own, as a JSON array; null where it has none."""

JUDGED = pa.list_(pa.struct([("criterion_id", pa.string()), ("score", pa.float64()), ("error", pa.string())]))
"""How far each criterion is met: ``score`` 0 to 1, or null and why in ``error``."""


class Asked(NamedTuple):
    """Rows that are judged by the same criteria.

    Attributes:
        rows: their numbers, rising.
        criteria: of the file, then of the prompt.
        interactions: between criteria of the file.
        wrong: why the criteria of the prompt cannot be used; there are none then.
    """

    rows: npt.NDArray[np.int64]
    criteria: tuple[Criterion, ...]
    interactions: tuple[Interaction, ...]
    wrong: str | None


def asked_of(batch: pa.RecordBatch, rubric: Rubric | None) -> Iterator[Asked]:
    """Rows by the criteria that they are judged by.

    Args:
        batch: n rows.
        rubric: criteria of every row; each may have more, see :data:`CRITERIA`.
    """
    fixed = (rubric.criteria, rubric.interactions) if rubric is not None else ((), ())
    encoded = pc.dictionary_encode(batch.column(CRITERIA.name), null_encoding="encode")
    of_row = encoded.indices.to_numpy(zero_copy_only=False)
    for at, written in enumerate(encoded.dictionary.to_pylist()):
        rows = np.flatnonzero(of_row == at)
        try:
            own = own_criteria(written)
        except UsageError as error:
            yield Asked(rows, *fixed, str(error))
            continue
        yield Asked(rows, (*fixed[0], *own), fixed[1], None)


def own_criteria(written: str | None) -> tuple[Criterion, ...]:
    """Criteria of a prompt, from JSON.

    Raises:
        UsageError: they are none.
    """
    if written is None:
        return ()
    try:
        items: Any = json.loads(written)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"criteria are no JSON: {error}") from None
    if not items:
        return ()
    return rubric_of({"rubric_id": "prompt", "criteria": items}, "criteria").criteria
