"""Takedown lists: files that name what is to be erased, as plain text, CSV or JSON Lines."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Literal

from winnowry.core.errors import UsageError
from winnowry.core.numbers import counted
from winnowry.recipe.messages import did_you_mean

Reading = Literal["record", "id", "content", "uri"]
"""What a name may be: a record id, an id that a source gave, the SHA-256 of a content, a landing object or a place."""

PLACE = re.compile(r"(?P<uri>.+):(?P<position>\d{1,18})")
"""A place in a landing object."""

_RECORD = re.compile(r"[0-9a-f]{32}")
_CONTENT = re.compile(r"[0-9a-f]{64}")
_COLUMNS: Mapping[str, frozenset[Reading]] = {
    "id": frozenset({"record", "id"}),
    "record_id": frozenset({"record"}),
    "uri": frozenset({"uri"}),
    "sha256": frozenset({"content"}),
    "content_sha256": frozenset({"content"}),
}
_SOURCE = "source"
_KNOWN = (*_COLUMNS, _SOURCE)
_SHOWN = 50
_FORMS = "a plain text of one name a line, a .csv with a header, or a .jsonl"


@dataclass(frozen=True)
class Entry:
    """A name of what is to be erased.

    Attributes:
        value: the name as it is written.
        readings: what it may be the name of.
        source: where it is an id that a source gave, only that of this source; None: of any.
    """

    value: str
    readings: frozenset[Reading]
    source: str | None = None

    @property
    def digest(self) -> str | None:
        """The name as a record id or a hash is written, in lower case; None where it is neither."""
        lower = self.value.lower()
        fits = ("record" in self.readings and _RECORD.fullmatch(lower)) or (
            "content" in self.readings and _CONTENT.fullmatch(lower)
        )
        return lower if fits else None


def entry_of(name: str) -> Entry:
    """A name of which nothing else is said: whatever bears it is meant.

    >>> sorted(entry_of("T-1").readings)
    ['id', 'uri']
    >>> sorted(entry_of("0" * 32).readings), sorted(entry_of("0" * 64).readings)
    (['id', 'record', 'uri'], ['content', 'id', 'uri'])
    """
    readings: set[Reading] = {"id", "uri"}
    if _RECORD.fullmatch(name.lower()):
        readings.add("record")
    if _CONTENT.fullmatch(name.lower()):
        readings.add("content")
    return Entry(name, frozenset(readings))


@dataclass(frozen=True)
class TakedownList:
    """What a file names.

    Attributes:
        entries: each name once, in order.
        repeated: lines that name what an earlier one does.
        unread: columns that say nothing of what is to be erased.
    """

    entries: tuple[Entry, ...]
    repeated: int = 0
    unread: tuple[str, ...] = ()


def read_takedown_list(path: str | PathLike[str]) -> TakedownList:
    """Read a takedown list.

    A name that ends in ``.csv`` or ``.tsv`` is a table with a header, ``.jsonl``, ``.ndjson`` or ``.json`` has a JSON
    text or object a line, with the same keys; anything else is plain text, one name a line, ``#`` before a comment.
    Columns: ``id`` (a record id, or the id that the source gave), with ``source`` beside it where ids of several
    sources are the same; ``record_id``; ``sha256`` of a content; ``uri`` of a landing object, or ``URI:POSITION``.
    A line names one thing.

    Args:
        path: of the file.

    Raises:
        UsageError: it cannot be read, it names nothing, or lines are wrong: all of them are told.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: cannot be read ({error}); expected {_FORMS}, in UTF-8") from error
    problems: list[str] = []
    unread: tuple[str, ...] = ()
    suffix = file.suffix.lower()
    if suffix in (".csv", ".tsv"):
        named, unread = _of_csv(text, "\t" if suffix == ".tsv" else ",", problems)
    elif suffix in (".jsonl", ".ndjson", ".json"):
        named = _of_json_lines(text, problems)
    else:
        named = _of_plain_text(text, problems)
    if problems:
        more = [f"… and {len(problems) - _SHOWN:,} more"] if len(problems) > _SHOWN else []
        listed = "\n  ".join([*problems[:_SHOWN], *more])
        raise UsageError(f"{file}: {counted(len(problems), 'mistake')}; nothing was erased\n  {listed}")
    if not named:
        raise UsageError(f"{file}: names nothing; expected {_FORMS}")
    entries = tuple(dict.fromkeys(named))
    return TakedownList(entries, len(named) - len(entries), unread)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    # Not splitlines(): an id may hold a character that it takes for the end of a line.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line.removesuffix("\r")


def _of_plain_text(text: str, problems: list[str]) -> list[Entry]:
    named: list[Entry] = []
    for number, line in _lines(text):
        name = line.strip()
        if name.startswith("#"):
            continue
        if name.startswith(("{", "[")):
            problems.append(f"line {number}: looks like JSON; let the name of the file end in .jsonl")
        elif not named and not problems and set(_cells(name)) & set(_KNOWN):
            problems.append(f"line {number}: looks like the header of a table; let the name of the file end in .csv")
        else:
            named.append(entry_of(name))
    return named


def _cells(line: str) -> list[str]:
    return [cell.strip().strip('"').lower() for cell in re.split("[,;\t]", line)]


def _of_csv(text: str, delimiter: str, problems: list[str]) -> tuple[list[Entry], tuple[str, ...]]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    named: list[Entry] = []
    header: list[str] = []
    start = 1
    try:
        for row in rows:
            first, start = start, rows.line_num + 1
            if not any(cell.strip() for cell in row):
                continue
            if not header:
                header = [cell.strip().lower() for cell in row]
                wrong = _wrong_header(header)
                if wrong:
                    problems.append(f"line {first}: {wrong}")
                    break
                continue
            if len(row) > len(header):
                problems.append(f"line {first}: {len(row)} cells, and the header has {len(header)}")
                continue
            entry = _entry(dict(zip(header, (cell.strip() for cell in row), strict=False)))
            if isinstance(entry, str):
                problems.append(f"line {first}: {entry}")
            else:
                named.append(entry)
    except csv.Error as error:
        problems.append(f"line {rows.line_num}: {error}")
    return named, tuple(name for name in header if name not in _KNOWN)


def _wrong_header(header: list[str]) -> str | None:
    twice = sorted({name for name in header if header.count(name) > 1 and name in _KNOWN})
    if twice:
        return f"two columns are named {twice[0]}"
    misspelt = [(name, did_you_mean(name, _KNOWN, cutoff=0.8)) for name in header if name not in _KNOWN]
    for name, meant in misspelt:
        if meant:
            return f"unknown column {name!r}{meant}"
    if not set(header) & set(_COLUMNS):
        expected = ", ".join(_COLUMNS)
        return f"no column of {', '.join(map(repr, header))} names what to erase; expected one of {expected}"
    return None


def _of_json_lines(text: str, problems: list[str]) -> list[Entry]:
    named: list[Entry] = []
    for number, line in _lines(text):
        try:
            document = json.loads(line)
        except (ValueError, RecursionError) as error:
            problems.append(f"line {number}: no JSON ({error})")
            continue
        entry = _of_document(document)
        if isinstance(entry, str):
            problems.append(f"line {number}: {entry}")
        else:
            named.append(entry)
    return named


def _of_document(document: object) -> Entry | str:
    """The entry of a JSON value, or what is wrong with it."""
    if isinstance(document, str):
        return entry_of(document) if document.strip() else "an empty text names nothing"
    if not isinstance(document, dict):
        return f"expected a text, or an object with one of {', '.join(_COLUMNS)}"
    cells = {}
    for name, value in document.items():
        if name in _KNOWN and value is not None:
            if isinstance(value, bool) or not isinstance(value, str | int):
                return f"{name}: expected a text, got {json.dumps(value)[:60]}"
            cells[name] = str(value)
        elif name not in _KNOWN and (meant := did_you_mean(name, _KNOWN, cutoff=0.8)):
            return f"unknown key {name!r}{meant}"
    return _entry(cells)


def _entry(cells: Mapping[str, str]) -> Entry | str:
    """The entry of a line, or what is wrong with it."""
    names = [name for name in _COLUMNS if cells.get(name, "").strip()]
    if not names:
        return f"names nothing; expected one of {', '.join(_COLUMNS)}"
    if len(names) > 1:
        return f"{' and '.join(names)} are both given; a line names one thing, or it could mean more than you want"
    [name] = names
    value, source = cells[name], cells.get(_SOURCE) or None
    if name == "record_id" and not _RECORD.fullmatch(value.lower()):
        return f"record_id {value!r}: expected 32 hexadecimal characters; an id of the source goes into the column id"
    if "content" in _COLUMNS[name] and not _CONTENT.fullmatch(value.lower()):
        return f"{name} {value!r}: expected 64 hexadecimal characters"
    if source is not None and name != "id":
        return f"a source goes with an id, and {name} is given"
    return Entry(value, _COLUMNS[name], source)
