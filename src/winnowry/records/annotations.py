"""Annotations: boxes, masks and keypoints of an image, of a track or of a log, in one form for every source format.

Two-dimensional numbers are pixels from 0; the far edge of a box is exclusive. Three-dimensional numbers are as read, in
metres, in the coordinate frame that the record names (in ``camera``, that of KITTI, a box stands on its place; in the
others its place is its middle). What a source does not say is null, never 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pyarrow as pa

State = Literal["labelled", "background", "unlabelled", "skipped"]
_SHOWN_CHARACTERS = 200

STATES: tuple[State, ...] = ("labelled", "background", "unlabelled", "skipped")
"""``labelled``: there are boxes; ``background``: somebody looked and there is nothing; ``unlabelled``: nobody has
looked yet; ``skipped``: somebody looked and gave no answer. Only the first two are labels."""

Unit = Literal["image", "track", "log"]
"""What a record is: an image (or a sweep), an object through time, or everything of a recording."""

RING = pa.list_(pa.float64())
BOX = pa.struct(
    [
        pa.field("id", pa.string()),
        pa.field("class", pa.string()),
        *(pa.field(name, pa.float64()) for name in ("x1", "y1", "x2", "y2")),
        *(pa.field(name, pa.float64()) for name in ("h", "w", "l", "x", "y", "z", "qw", "qx", "qy", "qz", "alpha")),
        pa.field("track", pa.string()),
        pa.field("number", pa.int64()),
        pa.field("time_ns", pa.int64()),
        pa.field("trunc", pa.float64()),
        pa.field("occ", pa.int32()),
        pa.field("score", pa.float64()),
        pa.field("points", pa.int64()),
        pa.field("area", pa.float64()),
        pa.field("crowd", pa.int32()),
        pa.field("polygon", pa.list_(RING)),
        pa.field(
            "rle",
            pa.struct(
                [
                    pa.field("height", pa.int64()),
                    pa.field("width", pa.int64()),
                    pa.field("counts", pa.large_string()),
                    pa.field("runs", pa.list_(pa.int64())),
                ]
            ),
        ),
        pa.field("keypoints", pa.list_(pa.float64())),
        pa.field("attributes", pa.large_string()),
    ]
)
"""A box: its class, its edges in pixels; height, width, length, centre and rotation in metres; ``number`` and
``time_ns`` of its frame where the record has several; ``points`` of the lidar inside it; ``area`` as stated; the rings
of its polygon or its run lengths in column-major order (compressed text or numbers); other fields as JSON."""

IMAGE = pa.struct(
    [
        pa.field("id", pa.string()),
        pa.field("uri", pa.string()),
        *(pa.field(name, pa.int64()) for name in ("width", "height", "stored_width", "stored_height")),
        pa.field("orientation", pa.int32()),
    ]
)
"""The image that boxes are in: its size as the labels state it; as its file stores it, with the EXIF orientation, where
the file is at hand."""

POSE = pa.struct(
    [
        pa.field("time_ns", pa.int64()),
        *(pa.field(name, pa.float64()) for name in ("qw", "qx", "qy", "qz", "x", "y", "z")),
    ]
)
"""Where the vehicle was: its rotation and place in the frame of the city or the map."""

LABEL_SET = pa.struct(
    [
        pa.field("id", pa.string()),
        pa.field("annotator", pa.string()),
        pa.field("role", pa.string()),
        pa.field("state", pa.string()),
        pa.field("score", pa.float64()),
        pa.field("model", pa.string()),
        pa.field("boxes", pa.list_(BOX)),
    ]
)
"""Another answer to the same image; its role is ``annotator``, ``gold`` or ``prediction``."""

BOXES = pa.field("boxes", pa.list_(BOX), metadata={"description": "Boxes of the record's own answer"})
_COLUMNS: tuple[tuple[str, pa.DataType, str], ...] = (
    ("image", IMAGE, "The image that the boxes are in: its size as stated, and as its file stores it"),
    ("frame", pa.string(), "Coordinate frame of three-dimensional numbers: camera, ego, city or global"),
    ("time_ns", pa.int64(), "First time of the record, in nanoseconds"),
    ("projection", pa.list_(pa.float64()), "3 × 4 matrix of the camera, row by row"),
    ("poses", pa.list_(POSE), "Poses of the vehicle at the times of the boxes"),
    ("sync_ns", pa.int64(), "Longest time between a frame and one of its sensors, in nanoseconds"),
    (BOXES.name, BOXES.type, "Boxes of the record's own answer"),
    ("n_boxes", pa.int64(), "How many there are"),
    ("state", pa.string(), "labelled, background (looked at, and nothing there), unlabelled or skipped"),
    ("annotator", pa.string(), "Whose answer it is"),
    ("gold", pa.bool_(), "Whether it is planted gold, which annotators are measured with"),
    ("others", pa.list_(LABEL_SET), "Other answers to the same image, and predictions"),
    ("group", pa.string(), "What a split must not cut: a recording, a scene"),
    ("extra", pa.large_string(), "Other fields of the source, as JSON"),
    ("layout", pa.large_string(), "How the source wrote the record, as JSON, for exports"),
)
COLUMNS: tuple[pa.Field, ...] = tuple(
    pa.field(name, kind, metadata={"description": description}) for name, kind, description in _COLUMNS
)
"""Columns of every record of the kind."""


def annotation(boxes: Sequence[Mapping[str, Any]], state: State | None = None, **columns: object) -> dict[str, object]:
    """The columns of a record.

    Args:
        boxes: by the names of :data:`BOX`; what is not there is null.
        state: None: ``labelled``, or ``background`` without a box.
        columns: the others, by name.

    >>> record = annotation([{"class": "car", "x1": 1.0}], group="drive 1")
    >>> record["n_boxes"], record["state"], record["frame"], annotation([])["state"]
    (1, 'labelled', None, 'background')
    """
    values: dict[str, object] = {field.name: None for field in COLUMNS}
    return values | columns | {
        "boxes": list(boxes),
        "n_boxes": len(boxes),
        "state": state or ("labelled" if boxes else "background"),
    }  # fmt: skip


def rendered(columns: Mapping[str, Any]) -> str:
    """What a record says, in a line of text.

    >>> rendered(annotation([{"class": "car"}, {"class": "dog"}, {"class": "car"}], image={"uri": "a.jpg", "id": "7"}))
    'a.jpg: 2 car, 1 dog'
    >>> rendered(annotation([], "unlabelled", group="drive 1"))
    'drive 1: unlabelled'
    """
    image = columns.get("image") or {}
    name = image.get("uri") or image.get("id") or columns.get("group") or "record"
    counts = Counter(box.get("class") or "no class" for box in columns["boxes"])
    classes = ", ".join(f"{counts[name]} {name}" for name in sorted(counts))
    return f"{name}: {classes or columns['state']}"


def described(row: Mapping[str, Any]) -> str:
    """What people are shown of a record.

    >>> described({"text": "a.jpg: 2 car", "image": {"width": 64, "height": 48}})
    'a.jpg: 2 car (64×48)'
    >>> described({"text": "drive 1: unlabelled"})
    'drive 1: unlabelled'
    """
    image = row.get("image") or {}
    width, height = image.get("width"), image.get("height")
    text = row.get("text") or ""
    shown = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
    return f"{shown} ({width}×{height})" if width is not None and height is not None else shown
