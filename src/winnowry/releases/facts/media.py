"""What a release holds by the kind of its contents, and the medians of what was measured of pictures, sound, films."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from winnowry.core.sql import identifier, literal
from winnowry.reading.session import Session
from winnowry.stages.graph import PUBLISHED

_WANTED = {
    "image": ("width", "height", "luma_std", "noise", "piqe", "sharpness"),
    "video": ("width", "height", "fps", "seconds", "duration_ms", "dynamic_range"),
    "audio": ("snr_db", "rate_hz", "bits", "bit_rate", "duration_ms"),
}
_SNR_DB = "20 * log10(luma_std / noise)"


def media(session: Session) -> dict[str, Any]:
    """Records by modality, and the medians of their measures.

    Returns:
        By ``text``, ``image``, ``video``, ``audio`` or what else the media types say before the slash: ``records`` and
        ``medians`` by column, of those that have a value; ``snr_db`` of pictures is made of two columns. Only text has
        no media type; a picture with a caption counts as both.
    """
    schema = session.tables.views[PUBLISHED].schema
    texts = session.one(f"SELECT COUNT(text) AS n FROM {PUBLISHED}")["n"] if "text" in schema.names else 0
    held: dict[str, Any] = {"text": {"records": texts, "medians": {}}} if texts else {}
    if "media_type" not in schema.names:
        return held
    modality = "split_part(media_type, '/', 1)"
    rows = session.rows(f"SELECT {modality} AS name, COUNT(*) AS n FROM {PUBLISHED} GROUP BY 1 ORDER BY n DESC, name")
    modalities: dict[str, Any] = {}
    for row in rows:
        columns = {name: identifier(name) for name in _WANTED.get(row["name"], ()) if _is_number(schema, name)}
        if row["name"] == "image" and {"luma_std", "noise"} <= columns.keys():
            columns["snr_db"] = f"CASE WHEN luma_std > 0 AND noise > 0 THEN {_SNR_DB} END"
        medians = {}
        if columns:
            selected = ", ".join(
                f"MEDIAN({value}) FILTER (WHERE isfinite(({value})::DOUBLE)) AS {identifier(name)}"
                for name, value in columns.items()
            )
            where = f"{modality} = {literal(row['name'])}"
            medians = session.one(f"SELECT {selected} FROM {PUBLISHED} WHERE {where}")
        modalities[row["name"]] = {
            "records": row["n"],
            "medians": {name: float(value) for name, value in medians.items() if value is not None},
        }
    return modalities | held


def _is_number(schema: pa.Schema, name: str) -> bool:
    if name not in schema.names:
        return False
    kind = schema.field(name).type
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
