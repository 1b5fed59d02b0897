"""Label files of YOLO: rows of shares of the picture, and the names of the classes beside them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from winnowry.releases.labels.layouts import File, LabelLayout, Names, Row, is_label

_NOT_WRITTEN = ("id", "track", "attributes", "rle", "keypoints", "x", "score", "points")
_RINGS = 1


class YoloLayout(LabelLayout):
    """``labels/NAME.txt`` for each picture, empty for one with nothing in it, and ``data.yaml`` with the names.

    A polygon of one ring is written as a polygon, everything else as its box. A record whose size is not known, and one
    that nobody has looked at, has no file.
    """

    name: ClassVar[str] = "yolo"

    def files(self, rows: Iterable[Row]) -> Iterator[File]:
        """See :meth:`LabelLayout.files`."""
        labels = list(rows)
        classes = sorted({str(box["class"]) for row in labels for box in row["boxes"]})
        numbers = {name: number for number, name in enumerate(classes)}
        names = Names()
        for row in labels:
            self.lost(row, box_fields=_NOT_WRITTEN)
            image = row["image"] or {}
            width, height = image.get("width"), image.get("height")
            if not is_label(row):
                self.losses[f"records.{row['state']}"] += 1
            elif not width or not height:
                self.losses["records.without_size"] += 1
            else:
                lines = [line for box in row["boxes"] if (line := self._line(box, numbers, width, height))]
                yield f"labels/{names.of(row)}.txt", "".join(lines).encode(), 1
        listed = "".join(f"  {number}: {json.dumps(name, ensure_ascii=False)}\n" for name, number in numbers.items())
        yield "data.yaml", f"names:\n{listed}".encode() if listed else b"names: {}\n", 0

    def _line(self, box: Mapping[str, Any], numbers: Mapping[str, int], width: int, height: int) -> str | None:
        polygon = box["polygon"] or []
        if len(polygon) > _RINGS:
            self.losses["boxes.polygon"] += 1
        if len(polygon) == _RINGS:
            values = [value / (height if place % 2 else width) for place, value in enumerate(polygon[0])]
        elif None in (box["x1"], box["y1"], box["x2"], box["y2"]):
            self.losses["boxes.without_edges"] += 1
            return None
        else:
            values = [
                (box["x1"] + box["x2"]) / 2 / width,
                (box["y1"] + box["y2"]) / 2 / height,
                (box["x2"] - box["x1"]) / width,
                (box["y2"] - box["y1"]) / height,
            ]
        return " ".join([str(numbers[str(box["class"])]), *(f"{value:.9g}" for value in values)]) + "\n"
