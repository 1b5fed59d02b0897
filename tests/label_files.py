"""Files of labels for tests, written byte by byte: pictures of a size, and formats read from a folder of bytes."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from posixpath import normpath
from typing import Any

import pyarrow as pa

from winnowry.records.annotations import COLUMNS, annotation
from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.registry import formats

SCHEMA = pa.schema(COLUMNS)
EDGES = ("x1", "y1", "x2", "y2")


def png(width: int, height: int, orientation: int | None = None) -> bytes:
    """A grey PNG, with an EXIF orientation where one is asked for."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    exif = b"II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, orientation or 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        + (chunk(b"eXIf", exif) if orientation is not None else b"")
        + chunk(b"IDAT", zlib.compress((b"\0" + b"\x80" * width) * height))
        + chunk(b"IEND", b"")
    )


def read(name: str, files: Mapping[str, bytes], uri: str, **options: Any) -> list[Record | Unreadable]:
    """The items of one file of a folder."""
    folder = uri.rpartition("/")[0]

    def neighbour(path: str) -> io.BytesIO | None:
        data = files.get(normpath(f"{folder}/{path}") if folder else normpath(path))
        return None if data is None else io.BytesIO(data)

    format_ = formats()[name](**options).with_neighbour(neighbour)
    return list(format_.read(io.BytesIO(files[uri]), uri, ReadLimits()))


def records(items: list[Record | Unreadable]) -> list[dict[str, Any]]:
    """The columns of records, as a table gives them back: what a source leaves out is null."""
    columns = [dict(item.columns or {}) for item in items if isinstance(item, Record)]
    return pa.RecordBatch.from_pylist(columns, schema=SCHEMA).to_pylist()


def reasons(items: list[Record | Unreadable]) -> list[str]:
    """Why items are unreadable."""
    return [item.reason for item in items if isinstance(item, Unreadable)]


def edges(box: Mapping[str, Any]) -> list[float]:
    """The four edges of a box, rounded to a thousandth of a pixel."""
    return [round(box[name], 3) for name in EDGES]


def batch(*rows: dict[str, Any]) -> pa.RecordBatch:
    """Records as operators are handed them."""
    return pa.RecordBatch.from_pylist(list(rows), schema=SCHEMA)


def labelled(
    *boxes: dict[str, Any], width: int | None = None, height: int | None = None, **columns: Any
) -> dict[str, Any]:
    """A record with boxes, in a picture of a stated size."""
    image = {"width": width, "height": height} | columns.pop("image", {})
    return annotation(list(boxes), image=image, **columns)


def box(x1: float, y1: float, x2: float, y2: float, name: str = "car", **fields: Any) -> dict[str, Any]:
    """A box of a class."""
    return {"class": name, "x1": x1, "y1": y1, "x2": x2, "y2": y2, **fields}
