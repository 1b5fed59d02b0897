"""What operators have in common whose columns the corpus-wide ``duplicates`` stage joins."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.operators.base import Operator
from winnowry.operators.buffers import TEXT

Keys = list[tuple[npt.NDArray[np.uint64], ...]]
"""Per key of a record the words that spell it, n values each; 0 in the first word where a record has no such key."""


class Forecast(NamedTuple):
    """What keys made of bands of rows are expected to find.

    Attributes:
        unit: what n-grams are made of.
        ngram: how many of them make one.
        bands: keys of a record.
        rows: hash functions of a key.
        threshold: similarity near which the curve is steepest, ``(1 / bands)^(1 / rows)``.
        recall: probability that two records share a key, by their Jaccard similarity.
    """

    unit: str
    ngram: int
    bands: int
    rows: int
    threshold: float
    recall: dict[float, float]


class DuplicateKeys(Operator):
    """Base of operators that write keys: records that share one are duplicates, and so are those linked by others.

    There is no rule here: which record of a group stays can only be decided when all partitions are known.
    """

    keep: Literal["earliest", "longest", "best"] = Field(
        default="earliest",
        description="Which record of a group stays: the one with the earliest event time, the one with the longest "
        "text, or the one with the greatest value of the column `by`; then the smallest record id.",
    )
    by: str | None = Field(
        default=None,
        description="With `keep: best`, the numeric column that decides: one that an operator of `clean` writes, or "
        "`size`.",
    )

    @model_validator(mode="after")
    def _best_of_what(self) -> Self:
        if (self.keep == "best") != (self.by is not None):
            raise ValueError("`keep: best` and `by: COLUMN` need each other")
        return self

    @property
    def method(self) -> str:
        """Name under which ``duplicates`` records what this operator found."""
        return self.as_ or self.op.removeprefix("dedup.")

    def reads(self) -> pa.Schema:
        """``text``; the column that decides who stays is read by ``duplicates``."""
        return pa.schema([pa.field("text", TEXT)])

    def fingerprint(self) -> dict[str, Any]:
        """What identifies the keys: everything but who stays of a group, which no key depends on."""
        return {name: value for name, value in super().fingerprint().items() if name not in ("keep", "by")}

    @property
    def key_column(self) -> str:
        """The column that :meth:`keys` decodes."""
        return str(self.writes().names[0])

    def keys(self, column: pa.Array) -> Keys:
        """Decode the written column (n rows) for the join."""
        raise NotImplementedError

    def similarity(self, shared: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Similarity of two records, 0 to 1, from the number of keys they share (at least 1)."""
        raise NotImplementedError

    def forecast(self) -> Forecast | None:
        """What theory expects of these keys, where it says anything; for ``winnowry plan``."""
        return None
