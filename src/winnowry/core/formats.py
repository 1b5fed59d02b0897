"""Format numbers of the JSON files that lie beside the tables of a lake.

A file without a number is of format 1. A key that a reader does not know is ignored and, where the file is written
again, kept; so a number goes up only when an older reader would misread the file. What is of a newer format than this
version writes is refused: it is never guessed at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeVar

from winnowry.core.errors import TableFormatError


class DataclassInstance(Protocol):
    """Any instance of a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Made = TypeVar("Made", bound=DataclassInstance)

Kind = Literal[
    "promotion record",
    "column definition",
    "column file",
    "fit",
    "rollback",
    "facts of a release",
    "recipe of a release",
    "measurement",
    "corpus recipe",
    "seal",
    "stopped automation",
    "tombstones",
    "erasure",
]

FORMAT = "format"
UNKNOWN_KEYS = "unknown_keys"
"""Field of a dataclass that keeps the keys it has no field for."""

FORMATS: Mapping[Kind, int] = {
    "promotion record": 1,
    "column definition": 1,
    "column file": 1,
    "fit": 1,
    "rollback": 1,
    "facts of a release": 1,
    "recipe of a release": 1,
    "measurement": 1,
    "corpus recipe": 1,
    "seal": 1,
    "stopped automation": 1,
    "tombstones": 1,
    "erasure": 1,
}
"""Format that this version writes; it reads this one and all before it."""


_REQUIRED: Mapping[Kind, tuple[str, ...]] = {
    "promotion record": ("id", "stage", "partition", "main", "sides", "state", "created_at", "outputs", "ledger"),
    "column definition": ("spec", "state", "created_at"),
    "column file": ("key", "path", "rows", "nulls", "type"),
    "rollback": ("not_before", "to"),
    "facts of a release": ("release",),
    "recipe of a release": ("promotion_id", "yaml", "spec"),
    "measurement": ("setting",),
    "corpus recipe": ("file", "places", "recipe", "written_at"),
    "seal": ("files",),
    "stopped automation": ("steps",),
    "tombstones": ("marks",),
    "erasure": ("state",),
}
"""Keys without which a document is not of its kind, whatever wrote it."""

_REMEDIES: Mapping[Kind, str] = {
    "fit": "Remove the file: the next run of the stage `fit` makes it again",
    "rollback": "Put the tag where it belongs again: `winnowry release rollback`",
    "column file": "Remove the file: its values are computed again",
    "corpus recipe": "Remove the file: the next run notes its recipe there",
    "measurement": "Remove the file: it is measured again",
    "stopped automation": "Remove the file: the automation tries again",
}
_RESTORE = "Restore the file from a copy"


class Stored(NamedTuple):
    """A document that was stored, and the number of its format; 1 where none was written."""

    number: int
    content: dict[str, Any]


def stamped(kind: Kind, document: Mapping[str, Any]) -> dict[str, Any]:
    """A document with the number of its format, which comes first.

    Raises:
        ValueError: the document has a key of that name.

    >>> stamped("rollback", {"to": "v1"})
    {'format': 1, 'to': 'v1'}
    """
    if FORMAT in document:
        raise ValueError(f"{kind}: the key {FORMAT!r} is that of the format number; name it otherwise")
    return {FORMAT: FORMATS[kind], **document}


def to_bytes(kind: Kind, document: Mapping[str, Any]) -> bytes:
    """A document as it is stored: JSON with sorted keys and the number of its format."""
    return json.dumps(stamped(kind, document), sort_keys=True).encode()


def from_bytes(kind: Kind, uri: str, body: bytes) -> Stored:
    """Read a stored document.

    Args:
        kind: what it is.
        uri: where it lies, for messages.
        body: its bytes.

    Raises:
        TableFormatError: it is of a newer format, or damaged.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        what = "it is empty" if not body.strip() else str(error)
        raise TableFormatError(_damaged(kind, uri, what), damaged=True) from error
    if not isinstance(document, dict):
        raise TableFormatError(_damaged(kind, uri, "expected a JSON object"), damaged=True)
    number = document.pop(FORMAT, 1)
    if type(number) is not int or number > FORMATS[kind]:
        raise TableFormatError(
            f"{uri}: this {kind} has format {number}, and this version of winnowry reads formats up to "
            f"{FORMATS[kind]}: upgrade winnowry to open it"
        )
    if missing := [name for name in _REQUIRED.get(kind, ()) if name not in document]:
        raise TableFormatError(_damaged(kind, uri, f"it has no {', '.join(missing)}"), damaged=True)
    return Stored(number, document)


def _damaged(kind: Kind, uri: str, what: str) -> str:
    return f"{uri}: this {kind} is damaged: {what}. {_REMEDIES.get(kind, _RESTORE)}"


def from_document(made: type[Made], document: Mapping[str, Any], **converted: Any) -> Made:
    """A dataclass from a document; keys that it has no field for go into its ``unknown_keys``, if it has that.

    Args:
        made: the dataclass.
        document: values by field.
        converted: fields whose values in the document are not yet what the dataclass holds.
    """
    names = {field.name for field in fields(made)}
    values = {name: value for name, value in {**document, **converted}.items() if name in names - {UNKNOWN_KEYS}}
    if UNKNOWN_KEYS in names:
        values[UNKNOWN_KEYS] = {name: value for name, value in document.items() if name not in names}
    return made(**values)


def to_document(value: Any) -> Any:
    """The opposite of :func:`from_document`, at any depth; the dataclass's own fields win over unknown keys."""
    if is_dataclass(value) and not isinstance(value, type):
        known = {field.name: to_document(getattr(value, field.name)) for field in fields(value)}
        return {**known.pop(UNKNOWN_KEYS, {}), **known}
    if isinstance(value, Mapping):
        return {name: to_document(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_document(item) for item in value]
    return value
