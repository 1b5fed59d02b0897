"""JSON Lines: one object a line; also an array of objects, and objects one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, BinaryIO, ClassVar, Literal

import orjson
from pydantic import Field, PrivateAttr

from winnowry.core.jsonable import exact_json
from winnowry.sources.base import ReadLimits, Record, SourceFormat, Unreadable, unreadable
from winnowry.sources.content import text_chunks
from winnowry.sources.json_layout import laid_out, list_of_objects
from winnowry.sources.json_values import BrokenJson, JsonText, JsonValue
from winnowry.sources.lines import Line, split_lines
from winnowry.sources.strict_json import RefusedJson, strict_json
from winnowry.sources.tc609 import lift_text
from winnowry.sources.transcode import Encoding

_OPERATOR = "source.jsonl"
_EXPECTED = "objects: one a line, or an array of them"


class JsonLines(SourceFormat):
    """Reads JSON Lines: one object a line, with LF or CRLF at its end.

    Blank lines hold no record; they count in the positions, so that a position is the line number less one. An object
    of another layout is read too: a JSON array of objects, or objects that span lines or follow one another on one
    line; positions count them. Whole numbers of any length are kept, of repeated keys the last wins, NaN and Infinity
    are not JSON.
    """

    name: ClassVar[str] = "jsonl"
    opens_zip: ClassVar[bool] = True

    encoding: Encoding | None = Field(
        default=None,
        description="character encoding of the objects, e.g. gb18030; UTF-8 unless set or said by a byte-order mark",
    )
    profile: Literal["tc609"] | None = Field(
        default=None,
        description="`tc609` reads records of SAC/TC609, whose text lies in `data_content`; the date is in "
        "`original_time`",
    )

    _strict: bool = PrivateAttr(default=False)

    def strictly(self) -> JsonLines:
        """This format for records with structure: as :func:`~winnowry.sources.strict_json.strict_json` reads them.

        An object is a record whatever lists it holds.
        """
        changed = self.model_copy()
        changed._strict = True
        return changed

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`~winnowry.sources.base.Reader.read`.

        Reasons: ``bad_json``, ``truncated_json``, ``bad_utf8``, ``not_an_object``, ``over_long_record``,
        ``records_inside`` (the only value has no text, and a list of objects in a field), those of
        :class:`~winnowry.sources.streams.BrokenStreamError`, and with a profile those of
        :func:`~winnowry.sources.tc609.lift_text`.
        """
        parse = strict_json if self._strict else exact_json
        text = laid_out(text_chunks(stream, self.encoding, limits), limits.max_record_bytes)
        items: Iterator[Record | Unreadable]
        if text.layout == "lines":
            lines = split_lines(text.chunks, limits.max_record_bytes)
            parsed = (_parsed_line(line, limits, parse) for line in lines)
            items = _last_ends(item for item in parsed if item is not None)
        else:
            values = JsonText(text.chunks, limits.max_record_bytes)
            several = values.array() if text.layout == "array" else values.values()
            items = _parsed(several, limits, parse)
            items = _elements(items) if text.layout == "array" else items
        for item in items if self._strict else self._with_sole_value_judged(items):
            yield lift_text(item, self.text_field) if self.profile == "tc609" and isinstance(item, Record) else item

    def _with_sole_value_judged(self, items: Iterator[Record | Unreadable]) -> Iterator[Record | Unreadable]:
        """The items; the only one of an object may be no record but hold a list of them."""
        first = next(items, None)
        if first is None:
            return
        second = next(items, None)
        if second is not None:
            yield from (first, second)
            yield from items
            return
        payload = _written(first.data) if isinstance(first, Record) else first.payload
        has_text = isinstance(first, Record) and (self.text_field in first.data or self.profile is not None)
        wrong = isinstance(first, Unreadable) and first.reason not in ("over_long_record", "truncated_json")
        field = None if has_text or wrong else list_of_objects(payload)
        if field is None:
            yield first
            return
        value = f"one object without a field {self.text_field!r}; its field {field!r} holds a list of objects"
        yield unreadable(first.position, _OPERATOR, "records_inside", payload, value, _EXPECTED, ends_object=True)


def _written(data: dict[str, object]) -> bytes:
    """A record as JSON; nothing where it is nested too deep to be written."""
    try:
        return orjson.dumps(data)
    except TypeError:
        return b""


def _elements(items: Iterator[Record | Unreadable]) -> Iterator[Record | Unreadable]:
    """The elements of an array; one whose first element is no object holds no records at all."""
    for item in items:
        if item.position == 0 and isinstance(item, Unreadable) and item.reason == "not_an_object":
            yield replace(item, value=f"an array whose first element is a {item.value}", ends_object=True)
            return
        yield item


def _parsed(
    values: Iterator[JsonValue | BrokenJson], limits: ReadLimits, parse: Callable[[bytes], Any]
) -> Iterator[Record | Unreadable]:
    for value in values:
        if isinstance(value, BrokenJson):
            yield unreadable(
                value.index, _OPERATOR, value.reason, value.data, value.value, value.threshold, ends_object=True
            )
        elif value.too_long:
            yield _over_long(value.index, value.data, value.n_bytes, limits)
        else:
            yield _record(value.index, value.data, parse)


def _last_ends(items: Iterator[Record | Unreadable]) -> Iterator[Record | Unreadable]:
    """The items; what stands before another one ends no object, though it is cut off: what follows may be no line."""
    before: Record | Unreadable | None = None
    for item in items:
        if before is not None:
            yield replace(before, ends_object=False) if isinstance(before, Unreadable) else before
        before = item
    if before is not None:
        yield before


def _parsed_line(line: Line, limits: ReadLimits, parse: Callable[[bytes], Any]) -> Record | Unreadable | None:
    if line.broken is not None:
        broken = line.broken
        return unreadable(
            line.number, _OPERATOR, broken.reason, line.data, broken.value, broken.threshold, ends_object=True
        )
    if line.too_long:
        return _over_long(line.number, line.data, line.n_bytes, limits)
    if not line.data or line.data.isspace():
        return None
    item = _record(line.number, line.data, parse)
    cut = not line.ended and isinstance(item, Unreadable) and item.reason in ("bad_json", "bad_utf8")
    return replace(item, ends_object=True) if cut and isinstance(item, Unreadable) else item


def _over_long(position: int, beginning: bytes, n_bytes: int, limits: ReadLimits) -> Unreadable:
    return unreadable(position, _OPERATOR, "over_long_record", beginning, str(n_bytes), str(limits.max_record_bytes))


def _record(position: int, text: bytes, parse: Callable[[bytes], Any]) -> Record | Unreadable:
    try:
        data = parse(text)
    except (orjson.JSONDecodeError, RefusedJson, UnicodeDecodeError) as error:
        try:
            text.decode("utf-8")
        except UnicodeDecodeError as wrong:
            return unreadable(position, _OPERATOR, "bad_utf8", text, f"{wrong.reason} at byte {wrong.start}")
        reason = error.reason if isinstance(error, RefusedJson) else "bad_json"
        return unreadable(position, _OPERATOR, reason, text, str(error))
    if not isinstance(data, dict):
        return unreadable(position, _OPERATOR, "not_an_object", text, type(data).__name__, "object")
    return Record(position, data)
