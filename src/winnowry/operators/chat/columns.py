"""Turns of n records as flat arrays, and what operators on conversations share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from winnowry.records.conversations import TURNS

TURNS_FIELD = pa.field("turns", TURNS)
_BLANK = r"^[\s\p{Z}\p{Cc}\p{Cf}\x{115F}\x{1160}\x{2800}\x{3164}\x{FFA0}]*$"
_CODES = pa.array(["system", "user", "assistant", "tool"])
SYSTEM, USER, ASSISTANT, TOOL = range(4)
UNKNOWN = -1


class Turns:
    """The turns of n records, one after the other.

    Attributes:
        bounds: n + 1 values; turns of record i are ``bounds[i]`` to ``bounds[i + 1]``. A null list has none.
        turns: the turns, a struct array.
    """

    def __init__(self, column: pa.Array | pa.ChunkedArray) -> None:
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        lengths = pc.fill_null(pc.list_value_length(column), 0)
        self.bounds: list[int] = [0, *np.cumsum(lengths.to_numpy(zero_copy_only=False)).tolist()]
        self.turns: pa.StructArray = column.flatten()

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self.bounds[:-1], self.bounds[1:], strict=True)

    def field(self, name: str) -> pa.Array:
        """A field of every turn."""
        return pc.struct_field(self.turns, name)

    def roles(self) -> npt.NDArray[np.int8]:
        """:data:`SYSTEM`, :data:`USER`, :data:`ASSISTANT`, :data:`TOOL` or :data:`UNKNOWN`, a turn."""
        codes = pc.fill_null(pc.index_in(self.field("role"), value_set=_CODES), UNKNOWN)
        return np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int8)

    def blank(self) -> npt.NDArray[np.bool_]:
        """Whether a turn's text is there and has nothing that can be seen."""
        return flags(pc.fill_null(is_blank(self.field("text")), False))

    def present(self, name: str) -> npt.NDArray[np.bool_]:
        """Whether a field of a turn is not null."""
        return flags(pc.is_valid(self.field(name)))

    def n_calls(self) -> npt.NDArray[np.int64]:
        """Calls of a turn."""
        lengths = pc.fill_null(pc.list_value_length(self.field("calls")), 0)
        return np.asarray(lengths.to_numpy(zero_copy_only=False), dtype=np.int64)


def is_blank(texts: pa.Array) -> pa.Array:
    """Whether texts hold nothing that can be seen: blanks of Unicode, control and format characters; null for null."""
    return pc.match_substring_regex(texts, _BLANK)


def flags(values: pa.Array) -> npt.NDArray[np.bool_]:
    """A column of booleans without nulls as an array."""
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.bool_)


def answers_of(turns: list[dict[str, Any]] | None) -> list[str]:
    """The texts of assistants, in their order."""
    return [one["text"] for one in turns or () if one["role"] == "assistant" and one["text"]]
