"""Files of labels for tests, written byte by byte: pictures of a size, and formats read from a folder of bytes."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Mapping
from posixpath import normpath
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather

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


def feather_table(columns: Mapping[str, Any]) -> bytes:
    """A table as a feather file."""
    out = io.BytesIO()
    feather.write_feather(pa.table(dict(columns)), out)
    return out.getvalue()


_ONE = ("qw", "qx", "qy", "qz", "tx_m", "ty_m", "tz_m", "length_m", "width_m", "height_m")
_COCO = {
    "images": [{"id": n, "file_name": f"{n}.png", "width": 100, "height": 80} for n in (1, 2)],
    "annotations": [{"id": 7, "image_id": 1, "category_id": 3, "bbox": [10, 20, 30, 40]}],
    "categories": [{"id": 3, "name": "car"}],
}
_REGION = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["car"]}
_RESULT = {"id": "r", "type": "rectanglelabels", "original_width": 200, "original_height": 100, "value": _REGION}
_TASK = {"id": 1, "data": {"image": "/a.jpg"}, "annotations": [{"id": 2, "completed_by": 3, "result": [_RESULT]}]}
SAMPLES: dict[str, bytes] = {
    "rubrics": b"rubric_id: r\ncriteria:\n- {criterion_id: a, text: Is it kind?}\n- {criterion_id: b, program: w}\n",
    "coco": json.dumps(_COCO).encode(),
    "yolo": b"0 0.5 0.5 0.2 0.25\n1 0.10 0.20 0.40 0.20 0.25 0.60\n",
    "voc": b"<annotation><filename>a.jpg</filename><size><width>100</width><height>80</height><depth>3</depth></size>"
    b"<object><name>car</name><bndbox><xmin>1</xmin><ymin>11</ymin><xmax>10</xmax><ymax>20.5</ymax></bndbox></object>"
    b"</annotation>",
    "cvat": b'<annotations><version>1.1</version><image id="4" name="a.jpg" width="100" height="80">'
    b'<box label="car" occluded="1" xtl="1.5" ytl="2" xbr="9" ybr="8"/></image></annotations>',
    "label_studio": json.dumps([_TASK]).encode(),
    "kitti": b"0 1 Car 0.00 1 -1.57 600.5 170 650 200.25 1.5 1.6 3.9 2.0 1.7 20.0 -1.5\n",
    "nuscenes": json.dumps([{"token": "s", "timestamp": 1532402927647951, "scene_token": "scene"}]).encode(),
    "argoverse2": feather_table(
        {"timestamp_ns": [1, 2], "track_uuid": ["a", "b"], "category": ["BUS"] * 2, "num_interior_pts": [0, 1]}
        | {name: [1.0, 0.5] for name in _ONE}
    ),
}
"""A small file of each format of labels, and of rubrics: no rows of text."""
