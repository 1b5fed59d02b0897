"""JSON Lines: one object a line; plain, gzip or zstd."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import orjson

from winnowry.sources.base import ReadLimits, Record, Unreadable, unreadable
from winnowry.sources.compression import decompressed
from winnowry.sources.lines import Line, split_lines

_OPERATOR = "source.jsonl"


class JsonLines:
    """Reads JSON Lines as UTF-8; lines end with LF or CRLF.

    Blank lines hold no record; they count in the positions, so that a position is the line number less one.
    Integers beyond 64 bits become floats, of repeated keys the last wins, NaN and Infinity are not JSON.
    """

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`Format.read`.

        Reasons: ``bad_json``, ``bad_utf8``, ``not_an_object``, ``over_long_record``, and those of
        :class:`~winnowry.sources.compression.BrokenStreamError`.
        """
        for line in split_lines(decompressed(stream, limits), limits.max_record_bytes):
            item = _parse(line, limits)
            if item is not None:
                yield item


def _parse(line: Line, limits: ReadLimits) -> Record | Unreadable | None:
    if line.broken is not None:
        broken = line.broken
        return unreadable(line.number, _OPERATOR, broken.reason, line.data, broken.value, broken.threshold)
    if line.too_long:
        threshold = str(limits.max_record_bytes)
        return unreadable(line.number, _OPERATOR, "over_long_record", line.data, str(line.n_bytes), threshold)
    try:
        data = orjson.loads(line.data)
    except orjson.JSONDecodeError as error:
        if not line.data.strip():
            return None
        try:
            line.data.decode("utf-8")
        except UnicodeDecodeError as wrong:
            return unreadable(line.number, _OPERATOR, "bad_utf8", line.data, f"{wrong.reason} at byte {wrong.start}")
        return unreadable(line.number, _OPERATOR, "bad_json", line.data, str(error))
    if not isinstance(data, dict):
        return unreadable(line.number, _OPERATOR, "not_an_object", line.data, type(data).__name__, "object")
    return Record(line.number, data)
