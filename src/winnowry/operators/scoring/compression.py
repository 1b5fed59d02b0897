"""``score.compression``: how much shorter a text becomes when it is compressed."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from winnowry.operators.base import Operator
from winnowry.operators.buffers import utf8_buffers
from winnowry.operators.quality import Quality

_LEVEL = 3


class Compression(Operator):
    """Measure redundancy: bytes of the text divided by its bytes after compression with zstd at level 3.

    High is repetitive, low is dense or random. Short texts compress badly whatever they say (the frame alone has about
    13 bytes): compare texts of like length, or look at the residual. Null for a null or empty text.

    Writes ``zstd_ratio`` (double), or the name given by ``as``.

    Source: RFC 8878.

    >>> batch = pa.record_batch({"text": pa.array(["abc " * 100], pa.large_string())})
    >>> Compression().apply(batch)["zstd_ratio"][0].as_py() > 10
    True
    """

    COST: ClassVar[Literal["cheap", "costly"]] = "costly"

    QUALITIES: ClassVar[Mapping[str, Quality]] = {"zstd_ratio": Quality("machine")}

    op: Literal["score.compression"] = "score.compression"
    as_: str = Field(default="zstd_ratio", alias="as", min_length=1, description="name of the written column")

    def reads(self) -> pa.Schema:
        """The text."""
        return pa.schema([pa.field("text", pa.large_string())])

    def writes(self) -> pa.Schema:
        """The ratio, double."""
        return pa.schema([pa.field(self.as_, pa.float64())])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Compress n texts."""
        import zstandard

        text = utf8_buffers(batch.column("text"))
        compressor = zstandard.ZstdCompressor(level=_LEVEL)
        data = text.data.data
        shorter = [len(compressor.compress(data[start:end])) for start, end in pairwise(text.offsets.tolist())]
        sizes = np.diff(text.offsets)
        ratios = sizes / np.maximum(np.array(shorter, dtype=np.float64), 1)
        return pa.record_batch([pa.array(ratios, mask=~text.valid | (sizes == 0))], schema=self.writes())
