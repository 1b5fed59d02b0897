"""``dedup.image``: pictures that look alike, by a perceptual hash and the bits in which two of them differ."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from winnowry.operators.dedup.keys import DuplicateKeys, Keys, Verification

_DIGITS = 16


class ImageDuplicates(DuplicateKeys):
    """Write the perceptual hash by which the ``duplicates`` stage finds pictures that look alike, across the corpus.

    Two pictures are alike when their hashes of 64 bits differ in at most ``max_distance`` bits. All such pairs are
    found, and every one is compared. A picture is left out for one that stays and that it is alike itself: where one
    picture leads to the next by small steps, those that are far from all that stay, stay too. A picture without a hash
    (it has no structure, or could not be decoded) is like no other.

    Writes ``image_key`` (uint64; null without a hash), or the name given by ``as``; ``similarity`` in ``duplicates`` is
    1 - distance / 64.
    """

    DECIDES_LATER: ClassVar[frozenset[str]] = DuplicateKeys.DECIDES_LATER | {"max_distance"}

    op: Literal["dedup.image"] = "dedup.image"
    column: str = Field(
        default="phash", description="The column of hashes, 16 hexadecimal digits each; image.measure writes `phash`."
    )
    max_distance: int = Field(
        default=7,
        ge=0,
        le=11,
        description="Most bits of 64 in which the hashes of two pictures that are alike differ. 7 finds re-compressed, "
        "smaller and brighter copies; 3 finds less and mistakes fewer charts for one another.",
    )

    def reads(self) -> pa.Schema:
        """The hashes."""
        return pa.schema([pa.field(self.column, pa.string())])

    def writes(self) -> pa.Schema:
        """``image_key``, uint64."""
        return pa.schema([pa.field(self.as_ or "image_key", pa.uint64())])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The numbers that n hashes are; what is no hash has none."""
        codes = [_code(value) for value in batch.column(self.column).to_pylist()]
        return pa.record_batch([pa.array(codes, pa.uint64())], schema=self.writes())

    def keys(self, column: pa.Array) -> Keys:
        """One key: whether there is a code, and the code."""
        known = np.asarray(column.is_valid().to_numpy(zero_copy_only=False), dtype=np.uint64)
        codes = np.asarray(column.fill_null(0).to_numpy(zero_copy_only=False), dtype=np.uint64)
        return [(known, codes)]

    def verification(self) -> Verification:
        """At most ``max_distance`` of 64 bits."""
        return Verification(self.max_distance, 1)


def _code(digits: str | None) -> int | None:
    if digits is None or len(digits) != _DIGITS:
        return None
    try:
        return int(digits, 16)
    except ValueError:
        return None
