"""Files for ``winnowry explain``: where one lies and what was decoded of it, and how far two that look alike differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from winnowry.core.sql import in_list

if TYPE_CHECKING:
    from winnowry.lakehouse.view import TableView
    from winnowry.lakehouse.workspace import Workspace

_FORMATS = ("image_format", "audio_format", "video_format")


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


def decoded_values(ws: Workspace, row: Mapping[str, Any], computed: Mapping[str, Any]) -> dict[str, Any]:
    """Where a file lies and what was decoded of it; nothing of records that no operator decoded.

    Args:
        ws: the lake.
        row: of ``cleaned``, or of the quarantine of cleaning.
        computed: what operators wrote of it.

    Returns:
        ``file``, its whole path or URI, that of its archive where it lies in one; ``decoded``, in words.
    """
    form = next((str(computed[name]) for name in _FORMATS if computed.get(name)), None)
    error = computed.get("decode_error")
    if form is None and error is None:
        return {}
    values = {"file": ws.store.resolve(str(row["uri"]))} if row.get("uri") else {}
    return values | {"decoded": f"not: {error}" if error is not None else ", ".join([str(form), *_facts(computed)])}


def _facts(computed: Mapping[str, Any]) -> Iterator[str]:
    """What a decoder says of a file, in words."""
    if None not in (computed.get("width"), computed.get("height")):
        yield f"{computed['width']}×{computed['height']} pixels as shown"
    for name, words in (
        ("bit_depth", "{} bits a sample"),
        ("orientation", "stored with orientation {}"),
        ("codec", "{}"),
        ("fps", "{:.4g} frames a second"),
        ("rate_hz", "{:,} Hz"),
        ("channels", "{} channels"),
        ("bits", "{} bits a sample"),
    ):
        if computed.get(name) is not None:
            yield words.format(computed[name])
    if (computed.get("n_frames") or 1) > 1:
        yield f"{computed['n_frames']:,} frames"
    if computed.get("duration_ms") is not None:
        yield f"{computed['duration_ms'] / 1000:.1f} s"
    if computed.get("decode_warning"):
        yield str(computed["decode_warning"])


def _code_column(schema: pa.Schema, method: str) -> str | None:
    """The column of codes of an operator, by the name of its method: what `as` says, else the method and `_key`."""
    for name in (method, f"{method}_key"):
        if name in schema.names and schema.field(name).type == pa.uint64():
            return name
    return None
