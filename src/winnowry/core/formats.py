"""Format numbers of the JSON files that lie beside the tables of a lake.

A file without a number is of format 1. A key that a reader does not know is ignored and, where the file is written
again, kept; so a number goes up only when an older reader would misread the file. What is of a newer format than this
version writes is refused: it is never guessed at.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
    "note of work",
]

FORMAT = "format"
DIGEST = "body_sha256"
"""Key of the digest of everything else in a document, by which :func:`is_as_written` knows that a bit has changed."""
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
    "note of work": 1,
}
"""Format that this version writes; it reads this one and all before it."""


Shape = Any
"""What a value has to be: a type; ``[shape]``, a list of such values; ``{...: shape}``, such values by any name; or
values by name, of which those whose name ends in ``?`` may be missing or null."""

_NUMBER = int | float
_SPEC = {"name": str, "table": str, "kind": str, "source": str, "inputs": [str], "arrow": str}
_CANDIDATE = {"table": str, "fragments": [dict], "rows": int, "scope": str, "detached_version": int}

_SHAPES: Mapping[Kind, Shape] = {
    "promotion record": {
        "id": str,
        "stage": str,
        "partition": str,
        "main?": _CANDIDATE,
        "sides": [_CANDIDATE],
        "replaces?": str,
        "state": str,
        "created_at": _NUMBER,
        "lineage": dict,
        "outputs": dict,
        "ledger": dict,
        "facts?": dict,
        "refusal?": dict,
        "promoted_version?": int,
        "promoted_at?": _NUMBER,
        "files?": {...: list},
        "digests?": dict,
    },
    "column definition": {
        "spec": _SPEC,
        "state": str,
        "created_at": _NUMBER,
        "template?": dict,
        "table_version?": int,
        "next?": _SPEC,
        "earlier?": [list],
    },
    "column file": {"key": str, "path": str, "rows": int, "nulls": int, "type": str},
    "rollback": {"not_before": int, "to": str, "since?": str, "by?": str},
    "facts of a release": {"release": dict},
    "recipe of a release": {"promotion_id": str, "yaml": str, "spec": dict},
    "measurement": {"setting": {"experiment": str, "arm": str, "token_fraction": _NUMBER, "seed": int}},
    "corpus recipe": {"file?": str, "places": [str], "recipe": dict, "written_at": str},
    "seal": {"files": {...: list}},
    "stopped automation": {"steps": [{"stage": str, "partition?": str, "token": str}]},
    "tombstones": {"marks": [str]},
    "erasure": {"state": str},
    "note of work": {"work": str, "erases": bool, "process": dict},
}
"""What a document of a kind holds, whatever wrote it; others may be beside it."""


_REMEDIES: Mapping[Kind, str] = {
    "promotion record": "restore the file from a copy, or remove it: the next run makes again what it promoted",
    "fit": "remove the file: the next run of the stage `fit` makes it again",
    "rollback": "put the tag where it belongs again: `winnowry release rollback`",
    "column file": "remove the file: its values are computed again",
    "facts of a release": "remove the file: the facts are gathered anew",
    "corpus recipe": "remove the file: the next run notes its recipe there",
    "measurement": "remove the file: it is measured again",
    "seal": "restore the file from a copy, or remove it: what only it seals counts as not sealed then",
    "stopped automation": "remove the file: the automation tries again",
    "note of work": "remove the file once nothing runs on the corpus",
}
_RESTORE = "restore the file from a copy"
_OF_MANY = frozenset({"facts of a release", "tombstones"})


class Stored(NamedTuple):
    """A document that was stored, and the number of its format; 1 where none was written."""

    number: int
    content: dict[str, Any]


def stamped(kind: Kind, document: Mapping[str, Any]) -> dict[str, Any]:
    """A document with the number of its format, which comes first.

    Raises:
        ValueError: the document has a key of that name, or one of the digest's.

    >>> stamped("rollback", {"to": "v1"})
    {'format': 1, 'to': 'v1'}
    """
    for name in (FORMAT, DIGEST):
        if name in document:
            raise ValueError(f"{kind}: the key {name!r} is that of the format; name it otherwise")
    return {FORMAT: FORMATS[kind], **document}


def to_bytes(kind: Kind, document: Mapping[str, Any]) -> bytes:
    """A document as it is stored: JSON with sorted keys, the number of its format and the digest of it all."""
    whole = stamped(kind, document)
    return json.dumps({**whole, DIGEST: _digest(whole)}, sort_keys=True).encode()


def is_as_written(body: bytes) -> bool:
    """Whether a stored document holds what was written, as far as it says; those of older versions do not.

    Args:
        body: JSON that :func:`from_bytes` can read.
    """
    document = json.loads(body)
    return document.pop(DIGEST, None) in (None, _digest(document))


def _digest(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


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
        what = f"it is no JSON ({error})" if body.strip(b"\0") else "it holds nothing but zeros"
        what = what if body.strip() else "it is empty"
        raise TableFormatError(damaged(kind, uri, what), damaged=True) from error
    if not isinstance(document, dict):
        raise TableFormatError(damaged(kind, uri, "expected a JSON object"), damaged=True)
    number = document.pop(FORMAT, 1)
    if type(number) is not int or number > FORMATS[kind]:
        raise TableFormatError(
            f"{uri}: this {kind} has format {number}, and this version of winnowry reads formats up to "
            f"{FORMATS[kind]}: upgrade winnowry to open it"
        )
    document.pop(DIGEST, None)
    if wrong := list(_wrong(document, _SHAPES.get(kind, {}))):
        raise TableFormatError(damaged(kind, uri, f"{', '.join(wrong)} is missing or wrong"), damaged=True)
    return Stored(number, document)


def _wrong(value: Any, shape: Shape, at: str = "") -> Iterator[str]:
    """Places in a value that are not as they have to be."""
    if isinstance(shape, list) and isinstance(value, list):
        for number, item in enumerate(value):
            yield from _wrong(item, shape[0], f"{at}[{number}]")
    elif isinstance(shape, dict) and isinstance(value, dict):
        of_any = shape.get(...)
        shapes = shape if of_any is None else dict.fromkeys(value, of_any)
        for name, of_value in shapes.items():
            key = name if of_any is not None else name.removesuffix("?")
            if key == name or value.get(key) is not None:
                yield from _wrong(value.get(key), of_value, f"{at}.{key}" if at else key)
    elif (
        isinstance(shape, dict | list)
        or not isinstance(value, shape)
        or (isinstance(value, bool) and shape is not bool)
    ):
        yield at


def damaged(kind: Kind, uri: str, what: str) -> str:
    """The sentence about a document that does not hold what was written, with what to do about it."""
    this = f"these {kind} are" if kind in _OF_MANY else f"this {kind} is"
    return f"{uri}: {this} damaged: {what}; {_REMEDIES.get(kind, _RESTORE)}"


@contextmanager
def made_from(kind: Kind, uri: str) -> Iterator[None]:
    """Where something is made from the content of a document: what fails says that the document is damaged.

    Raises:
        TableFormatError: in place of the bare error.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TableFormatError(damaged(kind, uri, f"{type(error).__name__}: {error}"), damaged=True) from error


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
