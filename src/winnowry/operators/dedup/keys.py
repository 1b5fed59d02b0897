"""What operators have in common whose columns the corpus-wide ``duplicates`` stage joins."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, NamedTuple, Self

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


class Verification(NamedTuple):
    """How near the codes of two records must be: records are duplicates when they are, and never for a key they share.

    The column is narrow: a code of each record. Candidates are found by pieces of the codes so that no pair within
    the distance is missed, and each is compared.

    Attributes:
        max_distance: bits in which two codes may differ.
        n_words: words of 64 bits of a code.
    """

    max_distance: int
    n_words: int

    @property
    def n_bits(self) -> int:
        """Bits of a code."""
        return 64 * self.n_words


class DuplicateKeys(Operator):
    """Base of operators that write keys: records that share one are duplicates, and so are those linked by others.

    With a :meth:`verification` the key is a code, and records are duplicates of a keeper whose code is near.

    There is no rule here: which record of a group stays can only be decided when all partitions are known.
    """

    DECIDES_LATER: ClassVar[frozenset[str]] = frozenset({"keep", "by"})
    """Parameters on which no key depends, only what ``duplicates`` makes of the keys."""

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
        """What identifies the keys: everything but what is decided when they are joined."""
        return {name: value for name, value in super().fingerprint().items() if name not in self.DECIDES_LATER}

    @property
    def key_column(self) -> str:
        """The column that :meth:`keys` decodes."""
        return str(self.writes().names[0])

    def keys(self, column: pa.Array) -> Keys:
        """Decode the written column (n rows) for the join.

        With a :meth:`verification`: one key, whose first word is 1 where there is a code and whose others are the code.
        """
        raise NotImplementedError

    def verification(self) -> Verification | None:
        """How near two codes must be; None where sharing a key is enough."""
        return None

    def similarity(self, shared: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Similarity of two records, 0 to 1, from the number of keys they share (at least 1).

        With a :meth:`verification` it is not asked: the share of bits that agree is.
        """
        raise NotImplementedError

    def forecast(self) -> Forecast | None:
        """What theory expects of these keys, where it says anything; for ``winnowry plan``."""
        return None
