"""Rows as landing files hold them, and the records that a format of structure makes of them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from winnowry.records.kinds import kind_named
from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.registry import formats


def read(name: str, rows: Iterable[Any], **options: Any) -> list[Record | Unreadable]:
    """What a format makes of rows: JSON, or lines as they are."""
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    return read_bytes(name, "".join(line + "\n" for line in lines).encode(), **options)


def read_bytes(name: str, data: bytes, **options: Any) -> list[Record | Unreadable]:
    """What a format makes of an object."""
    source = formats()[name].model_validate(options)
    return list(source.read(io.BytesIO(data), "a.jsonl", ReadLimits()))


def records(name: str, rows: Iterable[Any], **options: Any) -> list[Record]:
    """The records that a format makes of rows, all of which it can read."""
    items = read(name, rows, **options)
    assert not [item for item in items if isinstance(item, Unreadable)]
    return [item for item in items if isinstance(item, Record)]


def reasons(name: str, rows: Iterable[Any], **options: Any) -> list[str | None]:
    """Why each row is refused; None where it is a record."""
    return [item.reason if isinstance(item, Unreadable) else None for item in read(name, rows, **options)]


def batch_of(name: str, rows: Iterable[Any], **options: Any) -> pa.RecordBatch:
    """Rows as a batch of the columns of their kind."""
    kind = formats()[name].model_validate(options).record_kind
    made = [dict(record.columns or {}) for record in records(name, rows, **options)]
    return pa.RecordBatch.from_pylist(made, schema=pa.schema(list(kind_named(kind).columns)))


def said(*turns: str, **more: Any) -> dict[str, Any]:
    """A conversation of ``role: content`` in the profile messages; a content of nothing is null."""
    messages = []
    for one in turns:
        role, _, content = one.partition(": ")
        messages.append({"role": role, "content": content if ": " in one else None})
    return {"messages": messages, **more}
