"""Boxes of annotations as shapes in their frame, for pages: a bare frame, without the picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from winnowry.records.annotations import BOX, BOXES

READ = ("image", "frame", BOXES.name)
_MOST = 100  # shapes of a frame
_MARGIN = 0.05  # of a frame around shapes whose size nobody states
_DIGITS = 1
_SIDE_PX = 160


def holds_boxes(schema: pa.Schema) -> bool:
    """Whether a table holds annotations."""
    return BOXES.name in schema.names and schema.field(BOXES.name).type == pa.list_(BOX) and "image" in schema.names


def box_frame(row: Mapping[str, Any], faults: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any] | None:
    """What is drawn of a record: the boxes of its first frame, in the picture, else in space from above.

    Args:
        row: with the columns of :data:`READ`.
        faults: places of boxes and what is wrong with them, as operators on labels write them; boxes with one are
            drawn whatever their frame.

    Returns:
        ``left``, ``top``, ``width``, ``height`` of what is shown; ``wide`` and ``high``, in pixels of the page;
        ``picture`` (its width and height, or None); ``from_above``; ``shapes`` with ``points`` (x and y in turn),
        ``name``, ``colour`` (a number of its class) and ``fault`` (None: none); ``more``, how many are not drawn. None
        where no box has a shape.
    """
    boxes = row.get("boxes") or []
    wrong = {fault["box"]: fault["fault"] for fault in faults}
    first = next((box["number"] for box in boxes if box["number"] is not None), None)
    chosen = [place for place, box in enumerate(boxes) if box["number"] == first or place in wrong]
    classes = sorted({str(box["class"]) for box in boxes})
    from_above = bool(boxes) and all(box["x1"] is None for box in boxes) and row.get("frame") != "camera"
    shapes = []
    for place in sorted(chosen, key=lambda place: place not in wrong)[:_MOST]:
        points = _above(boxes[place]) if from_above else _outline(boxes[place])
        if points is not None and all(map(math.isfinite, points)):
            name = str(boxes[place]["class"])
            shapes.append(
                {
                    "points": [round(value, _DIGITS + from_above) for value in points],
                    "name": name,
                    "colour": classes.index(name),
                    "fault": wrong.get(place),
                }
            )
    if not shapes:
        return None
    picture = None if from_above else _size(row.get("image") or {})
    left, top, width, height = _window(picture, shapes)
    shapes.sort(key=lambda shape: shape["fault"] is not None)
    scale = _SIDE_PX / max(width, height)
    return {
        "left": left, "top": top, "width": width, "height": height,
        "wide": max(1, round(width * scale)), "high": max(1, round(height * scale)),
        "picture": picture, "from_above": from_above, "shapes": shapes, "more": len(boxes) - len(shapes),
    }  # fmt: skip


def _outline(box: Mapping[str, Any]) -> list[float] | None:
    """The polygon of a box, else its four corners."""
    if box["polygon"] and box["polygon"][0]:
        return list(box["polygon"][0])
    x1, y1, x2, y2 = (box[name] for name in ("x1", "y1", "x2", "y2"))
    return None if None in (x1, y1, x2, y2) else [x1, y1, x2, y1, x2, y2, x1, y2]


def _above(box: Mapping[str, Any]) -> list[float] | None:
    """The four corners of a box in space as seen from above, forward up and left to the left."""
    numbers = [box[name] for name in ("x", "y", "w", "l", "qw", "qz")]
    if None in numbers:
        return None
    x, y, width, length, qw, qz = numbers
    turn = 2 * math.atan2(qz, qw)
    cosine, sine = math.cos(turn), math.sin(turn)
    points = []
    for along, across in ((1, 1), (1, -1), (-1, -1), (-1, 1)):
        forward = x + (along * length * cosine - across * width * sine) / 2
        left = y + (along * length * sine + across * width * cosine) / 2
        points += [-left, -forward]
    return points


def _size(image: Mapping[str, Any]) -> list[int] | None:
    """Width and height of the picture; None where nobody states them."""
    width, height = image.get("width"), image.get("height")
    return [width, height] if width and height else None


def _window(picture: Sequence[int] | None, shapes: Sequence[Mapping[str, Any]]) -> tuple[float, ...]:
    """What is shown: the picture, grown to what lies outside it; without one what there is."""
    xs = [x for shape in shapes for x in shape["points"][::2]]
    ys = [y for shape in shapes for y in shape["points"][1::2]]
    if picture is None:
        span = max(max(xs) - min(xs), max(ys) - min(ys), 1.0) * _MARGIN
        left, top, right, bottom = min(xs) - span, min(ys) - span, max(xs) + span, max(ys) + span
    else:
        left, top, right, bottom = min(0, *xs), min(0, *ys), max(picture[0], *xs), max(picture[1], *ys)
    return tuple(round(value, 2) for value in (left, top, right - left, bottom - top))
