"""JSON Lines: one object a line; plain, gzip or zstd."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, ClassVar, Literal

import orjson
from pydantic import Field

from winnowry.sources.base import ReadLimits, Record, SourceFormat, Unreadable, unreadable
from winnowry.sources.compression import decompressed
from winnowry.sources.lines import Line, split_lines
from winnowry.sources.tc609 import lift_text
from winnowry.sources.transcode import Encoding, utf8_stream

_OPERATOR = "source.jsonl"


class JsonLines(SourceFormat):
    """Reads JSON Lines (plain, gzip or zstd); lines end with LF or CRLF.

    Blank lines hold no record; they count in the positions, so that a position is the line number less one.
    Integers beyond 64 bits become floats, of repeated keys the last wins, NaN and Infinity are not JSON.
    """

    name: ClassVar[str] = "jsonl"

    encoding: Encoding | None = Field(
        default=None, description="character encoding of the objects, e.g. gb18030; UTF-8 unless set"
    )
    profile: Literal["tc609"] | None = Field(
        default=None,
        description="`tc609` reads records of SAC/TC609, whose text lies in `data_content`; the date is in "
        "`original_time`",
    )

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`~winnowry.sources.base.Reader.read`.

        Reasons: ``bad_json``, ``bad_utf8``, ``not_an_object``, ``over_long_record``, those of
        :class:`~winnowry.sources.streams.BrokenStreamError`, and with a profile those of
        :func:`~winnowry.sources.tc609.lift_text`.
        """
        lines = split_lines(decompressed(utf8_stream(stream, self.encoding, limits), limits), limits.max_record_bytes)
        for line in lines:
            item = _parse(line, limits)
            if item is None:
                continue
            yield lift_text(item, self.text_field) if self.profile == "tc609" and isinstance(item, Record) else item


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
