"""Fields of a record by name: nested ones, what is there where one is missing, and those that lie in the path."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from urllib.parse import unquote

from winnowry.storage.globs import literal_folder

HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
"""What Hive and Spark write into a path where a partition column is null."""
_LISTED = 20
_NAME_CHARACTERS = 60


def value_at(data: Mapping[str, object], name: str) -> object:
    """The value of a field; None where there is none.

    Args:
        data: a record.
        name: a field, or a path through nested ones (``doc.text``); a field that is called so comes first.

    >>> value_at({"doc": {"text": "a"}}, "doc.text"), value_at({"doc": {"text": "a"}, "doc.text": "b"}, "doc.text")
    ('a', 'b')
    """
    if name in data:
        return data[name]
    value: object = data
    for part in name.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def without(data: Mapping[str, object], name: str) -> dict[str, object]:
    """A record without one field, which may be nested.

    >>> without({"doc": {"text": "a", "title": "t"}, "n": 1}, "doc.text")
    {'doc': {'title': 't'}, 'n': 1}
    """
    if name in data:
        return {key: value for key, value in data.items() if key != name}
    first, _, rest = name.partition(".")
    inner = data.get(first)
    if not rest or not isinstance(inner, Mapping):
        return dict(data)
    return {key: without(inner, rest) if key == first else value for key, value in data.items()}


def absent(data: Mapping[str, object], name: str) -> str:
    """Says that a field is missing or null, and which there are.

    >>> absent({"id": 1, " text": "a"}, "text")
    "text; the fields are id, ' text'"
    >>> absent({"doc": {"body": "a"}}, "doc.text"), absent({"text": None}, "text")
    ('doc.text; the fields of doc are body', 'text is null')
    """
    if name in data:
        return f"{name} is null"
    where, value, path = "", data, name.split(".")
    for at, part in enumerate(path):
        if part not in value:
            break
        inner = value[part]
        where = ".".join(path[: at + 1])
        if not isinstance(inner, Mapping):
            return f"{name}; {where} is {'null' if inner is None else described(inner)}"
        value = inner
    return f"{name}; the fields{f' of {where}' if where else ''} are {_names(value)}"


def described(value: object) -> str:
    """What a value is, in the words of JSON.

    >>> described([{"from": "human"}]), described({"b": 1, "a": 2}), described([]), described(2.5), described(True)
    ('list of objects', 'object with b, a', 'empty list', 'number 2.5', 'boolean true')
    """
    if isinstance(value, Mapping):
        return f"object with {_names(value)}"
    if isinstance(value, list | tuple):
        kinds = {_kind(item) for item in value}
        return f"list of {kinds.pop()}s" if len(kinds) == 1 else "empty list" if not kinds else "list of mixed values"
    if isinstance(value, bool):
        return f"boolean {str(value).lower()}"
    if isinstance(value, int | float | Decimal):
        return f"number {value!s:.40}"
    return _kind(value)


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float | Decimal):
        return "number"
    if isinstance(value, date):
        return "date"
    names = {"str": "text", "NoneType": "null", "dict": "object", "tuple": "list"}
    kind = type(value).__name__
    return names.get(kind, kind)


def _names(data: Mapping[str, object]) -> str:
    if not data:
        return "none"
    named = [str(name)[:_NAME_CHARACTERS] for name in list(data)[:_LISTED]]
    more = f" and {len(data) - _LISTED} more" if len(data) > _LISTED else ""
    shown = [name if name == name.strip() and name.isprintable() and name else repr(name) for name in named]
    return ", ".join(shown) + more


# ------------------------------------------------------------------------------------------------ fields in the path


class HiveConflictError(ValueError):
    """A field has one value in the record and another in the path."""


@lru_cache(maxsize=64)
def hive_columns(pattern: str, relative_path: str) -> tuple[tuple[str, str | None], ...]:
    """Partition columns of a path: its folders named ``key=value``.

    Args:
        pattern: the pattern of the source as declared; its folders before the first wildcard count too.
        relative_path: path of the object below them.

    >>> hive_columns("landing/lang=en/**/*.jsonl", "date=2024-01-01/v%3Aw=__HIVE_DEFAULT_PARTITION__/part=0.jsonl")
    (('lang', 'en'), ('date', '2024-01-01'), ('v:w', None))
    """
    folders = [*literal_folder(pattern).split("/"), *relative_path.split("/")[:-1]]
    columns = []
    for folder in folders:
        key, equals, value = folder.partition("=")
        if equals and key:
            columns.append((unquote(key), None if value == HIVE_NULL else unquote(value)))
    return tuple(columns)


def with_hive_columns(data: Mapping[str, object], columns: tuple[tuple[str, str | None], ...]) -> dict[str, object]:
    """A record with the fields of its path; where the record has the field too, its own value stays.

    Raises:
        HiveConflictError: the two differ; null in the record is no value.

    >>> with_hive_columns({"text": "a", "n": 1, "lang": None}, (("lang", "en"), ("n", "01")))
    {'text': 'a', 'n': 1, 'lang': 'en'}
    """
    extended = dict(data)
    for key, value in columns:
        own = extended.get(key)
        if own is None:
            extended[key] = value
        elif not _same(own, value):
            there = "null" if value is None else repr(value)
            raise HiveConflictError(f"{key} is {own!r} in the record and {there} in the path")
    return extended


def _same(own: object, value: str | None) -> bool:
    if value is None:
        return False
    if isinstance(own, bool):
        return str(own).lower() == value.lower()
    if isinstance(own, int):
        return value.lstrip("-").isdigit() and own == int(value)
    return (own.isoformat() if isinstance(own, date) else str(own)) == value
