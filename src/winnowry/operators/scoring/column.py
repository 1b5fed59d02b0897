"""``score.column``: a number that ``clean`` has measured already, as a score."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from winnowry.operators.base import Operator


class Column(Operator):
    """Take a number of ``cleaned`` over as a score, so that records can be drawn by it.

    What media are measured by is measured in ``clean``, where their bytes are decoded once for all operators; this
    makes one of those numbers a score without decoding anything again.

    Writes the column's name and ``_score`` (float64; null where the column is), or the name given by ``as``.

    >>> batch = pa.record_batch({"piqe": [12.5, None]})
    >>> Column(column="piqe").apply(batch).to_pydict()
    {'piqe_score': [12.5, None]}
    """

    op: Literal["score.column"] = "score.column"
    column: str = Field(min_length=1, description="a numeric column of `cleaned`, such as `piqe` of image.piqe")

    def reads(self) -> pa.Schema:
        """The column."""
        return pa.schema([pa.field(self.column, pa.float64())])

    def writes(self) -> pa.Schema:
        """The column's name and ``_score``, float64."""
        return pa.schema([pa.field(self.as_ or f"{self.column}_score", pa.float64())])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The numbers as fractions."""
        return pa.record_batch([pc.cast(batch.column(self.column), pa.float64(), safe=False)], schema=self.writes())
