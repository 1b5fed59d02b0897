"""Columns of quarantined rows, read back from the JSON they are stored in, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Mask = npt.NDArray[np.bool_]

_BLOCK = 1 << 20  # bytes the JSON reader takes at once; a row has to fit


@dataclass(frozen=True)
class StoredColumns:
    """Columns of n quarantined rows.

    Attributes:
        texts: n JSON objects.
        values: n values of each requested column; null where it is null or was not computed.
        order: columns in the order in which the chain computes them. A row was set aside between two operators: it
            has all columns up to some place in this order and none after it.
    """

    texts: pa.Array
    values: Mapping[str, pa.Array]
    order: Sequence[str]

    def computed(self) -> dict[str, Mask]:
        """For each requested column, which rows had it computed: a null may be a value."""
        n = len(self.texts)
        ended = np.zeros(n, bool)  # rows known to have been set aside already
        known: dict[str, Mask] = {}
        for name in (name for name in self.order if name in self.values):
            there = self.values[name].is_valid().to_numpy(zero_copy_only=False).copy()
            unknown = np.flatnonzero(~there & ~ended)
            if len(unknown):
                there[unknown] = has_column(self.texts.take(pa.array(unknown)), name)
                ended[unknown] = ~there[unknown]
            known[name] = there
        return known

    def lacking(self, rows: Mask, wanted: Iterable[str]) -> tuple[Mask, set[str]]:
        """Which of some rows lack a wanted column, and the columns that any of them lacks.

        Args:
            rows: n rows, the ones to look at.
            wanted: names of columns.
        """
        lacking = np.zeros(len(rows), bool)
        names: set[str] = set()
        left = np.flatnonzero(rows)
        for name in reversed([name for name in self.order if name in set(wanted)]):
            left = left[~has_column(self.texts.take(pa.array(left)), name)] if len(left) else left
            if not len(left):
                break  # what has a later column has the earlier ones
            lacking[left] = True
            names.add(name)
        return lacking, names


def has_column(texts: pa.Array, name: str) -> Mask:
    """Whether compact JSON objects have a key.

    A quotation mark before a colon ends a key: inside a string it would have a backslash before it.
    """
    matches: Mask = pc.match_substring(texts, f'"{name}":').to_numpy(zero_copy_only=False)
    return matches


def read_columns(texts: pa.Array, fields: Sequence[pa.Field], order: Sequence[str]) -> StoredColumns:
    """Parse some columns of n JSON objects; numbers, booleans and strings can be read back.

    Args:
        texts: n objects, one per row, without line breaks between tokens.
        fields: names and types of the columns.
        order: see :class:`StoredColumns`.
    """
    texts = pc.fill_null(texts.cast(pa.large_string()), "{}")
    if not fields or not len(texts):
        return StoredColumns(texts, {f.name: pa.nulls(len(texts), f.type) for f in fields}, order)
    from pyarrow import json

    lines = pc.binary_join_element_wise(texts, *(pa.scalar(text, texts.type) for text in ("\n", "")))
    offsets = np.frombuffer(lines.buffers()[1], np.int64)[lines.offset : lines.offset + len(lines) + 1]
    body = lines.buffers()[2].slice(int(offsets[0]), int(offsets[-1] - offsets[0]))
    longest = int(np.diff(offsets).max())
    table = json.read_json(
        pa.BufferReader(body),
        read_options=json.ReadOptions(block_size=max(_BLOCK, 2 * longest)),
        parse_options=json.ParseOptions(
            explicit_schema=pa.schema([pa.field(f.name, _as_json(f.type)) for f in fields]),
            unexpected_field_behavior="ignore",
        ),
    )
    values = {f.name: table[f.name].cast(f.type).combine_chunks() for f in fields}
    return StoredColumns(texts, values, order)


def _as_json(kind: Any) -> pa.DataType:
    """The type a JSON reader gives a value of a column before it is cast to the column's own."""
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_floating(kind):
        return pa.float64()
    return pa.bool_() if pa.types.is_boolean(kind) else pa.string()
