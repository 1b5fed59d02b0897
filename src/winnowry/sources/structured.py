"""What formats of records with structure share: rows of JSON Lines or Parquet, paths to their parts, reasons."""

from __future__ import annotations

import difflib
import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, ClassVar, cast

from pydantic import Field, field_validator

from winnowry.records.conversations import Turn
from winnowry.records.turns import MESSAGES, Keys, TurnError, json_text, read_turn
from winnowry.sources.base import ReadLimits, Record, SourceFormat, Unreadable, unreadable
from winnowry.sources.fields import absent, described, value_at
from winnowry.sources.jsonl import JsonLines
from winnowry.sources.mapping import serialized
from winnowry.sources.parquet import Parquet
from winnowry.sources.strict_json import RefusedJson, SpeltFloat, strict_json

_PARQUET = b"PAR1"
_INDEX = re.compile(r"\[(\d+)\]")


class StructuredFormat(SourceFormat):
    """A format whose records are columns made of the rows of JSON Lines or Parquet, as the content of an object says.

    A subclass names the parts of a row in :attr:`PARTS`, and makes a record of a row in :meth:`record_of`. A bad row is
    one unreadable place; in structs of Parquet, which have the keys of all rows, null means absent.
    """

    payload_kind = "structured"
    opens_zip: ClassVar[bool] = True
    PARTS: ClassVar[Mapping[str, str]] = {}
    """Parts of a row, and the path of each unless the recipe has another."""

    paths: dict[str, str] = Field(
        default={},
        description="where the parts of a record lie, where they are not under their own names: a field, or a path "
        "such as `reward_model.ground_truth` or `$.data[0].text`",
    )

    @field_validator("paths")
    @classmethod
    def _known_parts(cls, paths: dict[str, str]) -> dict[str, str]:
        for part in paths:
            if part not in cls.PARTS:
                near = difflib.get_close_matches(part, cls.PARTS, n=1)
                hint = f"did you mean {near[0]}?" if near else f"parts are {', '.join(cls.PARTS)}"
                raise ValueError(f"no part {part!r} in records of {cls.name}; {hint}")
        return paths

    def path(self, part: str) -> str:
        """Where a part lies; empty where it lies nowhere: a field of its name is another part."""
        usual = self.PARTS[part]
        return self.paths.get(part, "" if usual in self.paths.values() else usual)

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`~winnowry.sources.base.Reader.read`.

        Reasons: those of :class:`~winnowry.sources.jsonl.JsonLines` and :class:`~winnowry.sources.parquet.Parquet`;
        ``duplicate_key`` (twice in one object), ``surrogate`` (half a character), ``too_deep`` (more than 64 levels),
        and those of the format.
        """
        for item in self.rows(stream, uri, limits):
            yield self._made(item) if isinstance(item, Record) else item

    def rows(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """Rows as JSON has them."""
        head = stream.read(len(_PARQUET))
        whole = cast(BinaryIO, _Prefixed(head, stream))
        if stream.seekable():
            stream.seek(0)
            whole = stream
        if head == _PARQUET:
            for item in Parquet().read(whole, uri, limits):
                yield Record(item.position, without_nulls(item.data)) if isinstance(item, Record) else item
        else:
            yield from JsonLines().strictly().read(whole, uri, limits)

    def _made(self, row: Record) -> Record | Unreadable:
        try:
            return self.record_of(row)
        except TurnError as wrong:
            return self.refused(row, wrong.reason, wrong.value, wrong.expected)

    def refused(self, row: Record, reason: str, value: str, expected: str | None = None) -> Unreadable:
        """A row that is no record."""
        return unreadable(row.position, f"source.{self.name}", reason, serialized(row.data), value, expected)

    @abstractmethod
    def record_of(self, row: Record) -> Record:
        """The record that a row is.

        Raises:
            TurnError: it is none.
        """

    def part(self, data: Mapping[str, object], part: str) -> object:
        """The value of a part; None where the row has none."""
        return value_of(data, self.path(part))


def value_of(data: Mapping[str, object], path: str) -> object:
    """The value at a path; None where there is none.

    >>> value_of({"doc": {"turns": [{"text": "a"}]}}, "$.doc.turns[0].text")
    'a'
    """
    path = path.removeprefix("$.")
    if "[" not in path:
        return value_at(data, path)
    value: object = data
    for name in path.split("."):
        plain = name.partition("[")[0]
        value = value.get(plain) if isinstance(value, Mapping) else None
        for index in _INDEX.findall(name):
            value = value[int(index)] if isinstance(value, list) and int(index) < len(value) else None
    return value


def left_over(data: Mapping[str, Any], *used: str) -> dict[str, Any]:
    """The fields of a row that no part was made of; numbers as Python has them.

    >>> left_over({"id": 1, "doc": {"turns": [], "n": 2}}, "doc.turns")
    {'id': 1, 'doc': {'n': 2}}
    """
    rest = dict(data)
    for path in used:
        rest = _without(rest, path.removeprefix("$."))
    return cast(dict[str, Any], _plain(rest))


def _without(data: dict[str, Any], path: str) -> dict[str, Any]:
    if path in data:
        return {key: value for key, value in data.items() if key != path}
    first, _, rest = path.partition(".")
    inner = data.get(first)
    if not rest or not isinstance(inner, dict):
        return data
    return {**data, first: _without(inner, rest)}


def _plain(value: Any) -> Any:
    if isinstance(value, SpeltFloat):
        return float(value)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def without_nulls(value: Any) -> Any:
    """A row of Parquet without the keys that other rows have.

    >>> without_nulls({"a": None, "b": [{"c": None, "d": 1}, None]})
    {'b': [{'d': 1}, None]}
    """
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


def turns_of(
    data: Mapping[str, object], path: str, keys: Keys, where: str | None = None
) -> tuple[list[Turn], dict[str, Any]]:
    """Turns of a list, and what is unusual about how they are written, by their number.

    Raises:
        TurnError: ``no_turns``, or what is wrong with one.
    """
    value = value_of(data, path)
    name = where or path
    layout: dict[str, Any] = {}
    if isinstance(value, str):
        value = _parsed(value, name)
        layout["json_text"] = True
    if value is None:
        raise TurnError("no_turns", absent(data, path.removeprefix("$.").partition("[")[0]), "a list of turns")
    if not isinstance(value, list):
        raise TurnError("no_turns", f"{name} is {described(value)}", "a list of turns")
    if not value:
        raise TurnError("no_turns", f"{name} is an empty list", "at least one turn")
    read = [read_turn(message, keys, f"{name}[{number}]") for number, message in enumerate(value)]
    unusual = {str(number): how for number, (_, how) in enumerate(read) if how}
    if unusual:
        layout["turns"] = unusual
    if keys != MESSAGES:
        layout["keys"] = list(keys)
    return [made for made, _ in read], layout


def text_of(data: Mapping[str, object], path: str, *, required: bool = True) -> str | None:
    """A text at a path.

    Raises:
        TurnError: ``missing_field`` or ``wrong_type``.
    """
    value = value_of(data, path)
    if value is None:
        if required:
            raise TurnError("missing_field", absent(data, path.removeprefix("$.")), "text")
        return None
    if not isinstance(value, str):
        raise TurnError("wrong_type", f"{path} is {described(value)}", "text")
    return value


def extra_of(rest: Mapping[str, Any]) -> str | None:
    """Fields that nobody knows as JSON text; None where there are none."""
    return json_text(rest) if rest else None


def _parsed(text: str, where: str) -> object:
    try:
        return strict_json(text.encode())
    except (RefusedJson, UnicodeEncodeError):
        raise TurnError("no_turns", f"{where} is text", "a list of turns") from None


class _Prefixed:
    """A stream that begins with bytes that were read before."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def seekable(self) -> bool:
        """It goes on only."""
        return False

    def readable(self) -> bool:
        """It can be read."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """At most so many bytes; none at the end."""
        if not self._head:
            return self._rest.read(size)
        data = self._head if size < 0 else self._head[:size]
        self._head = self._head[len(data) :]
        return data + self._rest.read() if size < 0 else data
