"""The fields that a recipe carries along, as columns: what ``fields.carry`` of its sources becomes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

import orjson
import pyarrow as pa
from pydantic import Field

from winnowry.core.jsonable import exact_json
from winnowry.core.tables import TEXT
from winnowry.operators.base import Operator
from winnowry.sources.fields import value_at
from winnowry.sources.mapping import serialized

CARRY: Literal["fields.carry"] = "fields.carry"


class CarriedFields(Operator):
    """Takes fields of the record out of ``meta``.

    It stands before the operators of `clean` where a source has ``fields.carry``. No recipe names it, so it has no
    default name and is in no list of operators. Text is taken as it is; numbers, true, false, lists and objects are
    JSON; null and a missing field are null, and so is a field that the record's source does not carry.

    >>> operator = CarriedFields(op="fields.carry", fields={"pages": {"url": "doc.url", "n": "n"}})
    >>> meta = pa.array(['{"doc":{"url":"a"},"n":[1,null]}', '{}', None], pa.large_string())
    >>> operator.apply(pa.record_batch({"source": ["pages"] * 3, "meta": meta})).to_pylist()[:2]
    [{'url': 'a', 'n': '[1,null]'}, {'url': None, 'n': None}]
    """

    op: Literal["fields.carry"]
    fields: dict[str, dict[str, str]] = Field(description="by source: columns, and the field each comes from")

    def reads(self) -> pa.Schema:
        """``source`` and ``meta``."""
        return pa.schema([pa.field("source", pa.string()), pa.field("meta", TEXT)])

    def writes(self) -> pa.Schema:
        """A text a column, null where the record has no such field."""
        names = dict.fromkeys(name for columns in self.fields.values() for name in columns)
        return pa.schema([pa.field(name, pa.string()) for name in names])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Read the fields of n records."""
        schema = self.writes()
        columns: dict[str, list[str | None]] = {name: [] for name in schema.names}
        for source, meta in zip(*(batch.column(name).to_pylist() for name in ("source", "meta")), strict=True):
            wanted = self.fields.get(source, {})
            data = _fields(meta) if wanted and meta else {}
            for name, values in columns.items():
                values.append(_as_text(value_at(data, wanted[name])) if name in wanted else None)
        return pa.RecordBatch.from_arrays(
            [pa.array(columns[field.name], field.type) for field in schema], schema=schema
        )


@lru_cache(maxsize=1)  # a record of several children is read once
def _fields(meta: str) -> Mapping[str, Any]:
    try:
        data = exact_json(meta.encode())
    except orjson.JSONDecodeError:  # lone surrogates, which the mapping wrote as JSON of Python
        data = json.loads(meta)
    return data if isinstance(data, dict) else {}


def _as_text(value: object) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else serialized(value).decode()
    return text.encode("utf-8", "replace").decode()  # lone surrogates cannot be stored
