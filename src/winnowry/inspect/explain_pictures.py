"""Two pictures that look alike: where they lie and in how many bits their hashes differ, for ``winnowry explain``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from winnowry.lakehouse.view import TableView

from winnowry.core.sql import in_list


def pair_values(cleaned: TableView, row: Mapping[str, Any]) -> dict[str, Any]:
    """What there is to see of a duplicate among files and the record that it matches; nothing of texts.

    Args:
        cleaned: the cleaned records.
        row: of ``duplicates``.

    Returns:
        ``uri`` of the record, ``twin_uri`` and ``kept_uri``; ``bits_apart`` of their hashes, where they were found by
        codes of 64 bits.
    """
    names = cleaned.schema.names
    if "uri" not in names:
        return {}
    own, keeper = str(row["record_id"]), str(row["kept_record_id"])
    twin = str(row.get("twin_record_id") or keeper)
    code = _code_column(cleaned.schema, str(row["method"]))
    columns = ["record_id", "uri", *([code] if code else [])]
    held = cleaned.to_table(columns=columns, where=in_list("record_id", (own, twin, keeper))).to_pylist()
    by_id = {entry["record_id"]: entry for entry in held}
    places = {"uri": own, "twin_uri": twin, "kept_uri": keeper}
    values = {name: by_id[record_id]["uri"] for name, record_id in places.items() if record_id in by_id}
    if code and own in by_id and twin in by_id and None not in (by_id[own][code], by_id[twin][code]):
        values["bits_apart"] = (by_id[own][code] ^ by_id[twin][code]).bit_count()
    return values


def _code_column(schema: pa.Schema, method: str) -> str | None:
    """The column of codes of an operator, by the name of its method: what `as` says, else the method and `_key`."""
    for name in (method, f"{method}_key"):
        if name in schema.names and schema.field(name).type == pa.uint64():
            return name
    return None
