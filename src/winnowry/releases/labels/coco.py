"""COCO documents: as they were read where every record was, else with numbers of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import orjson

from winnowry.releases.labels.layouts import File, LabelLayout, Row, extent, is_label, parsed

_NOT_WRITTEN = ("x", "alpha", "qw", "points")


class CocoLayout(LabelLayout):
    """One document ``annotations.json``.

    Ids of images, annotations and categories are those of the source where all records come from COCO and no id comes
    twice; else they are numbers in the order of the release, and an image's `record_id` says where it comes from.
    Boxes are in the frame that `image` says. What nobody has looked at is not written.
    """

    name: ClassVar[str] = "coco"

    def files(self, rows: Iterable[Row]) -> Iterator[File]:
        """See :meth:`LabelLayout.files`."""
        labels = []
        for row in rows:
            self.lost(row, box_fields=_NOT_WRITTEN)
            if is_label(row):
                labels.append(row)
            else:
                self.losses[f"records.{row['state']}"] += 1
        layouts = [parsed(row["layout"]) for row in labels]
        own = _has_own_ids(labels, layouts)
        categories = _categories(labels, layouts, own=own)
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number, (row, layout) in enumerate(zip(labels, layouts, strict=True), start=1):
            image_id = layout["id"] if own else number
            extra = parsed(row["extra"])
            images.append(self._image(row, image_id, extra, own=own))
            for box in row["boxes"]:
                written = self._annotation(box, image_id, categories)
                written["id"] = _own_id(box["id"], layout) if own else len(annotations) + 1
                annotations.append({key: value for key, value in written.items() if value is not None})
            captions = extra.get("captions") or []
            if own:
                annotations += captions
            else:
                self.losses["captions"] += len(captions)
                self.losses["images.fields"] += bool(extra["fields"] if "captions" in extra else extra)
        document = {"images": images, "annotations": annotations, "categories": list(categories.values())}
        yield "annotations.json", orjson.dumps(document), len(images)

    def _image(self, row: Row, image_id: object, extra: Mapping[str, Any], *, own: bool) -> dict[str, Any]:
        image = row["image"] or {}
        named = {
            "id": image_id,
            "file_name": image.get("uri"),
            "width": image.get("width"),
            "height": image.get("height"),
        }
        written = {key: value for key, value in named.items() if value is not None}
        if own:
            return {**written, **(extra["fields"] if "captions" in extra else extra)}
        return {**written, "record_id": row["record_id"]}

    def _annotation(self, box: Mapping[str, Any], image_id: object, categories: Mapping[str, Any]) -> dict[str, Any]:
        edges = [box[name] for name in ("x1", "y1", "x2", "y2")]
        attributes = parsed(box["attributes"])
        written: dict[str, Any] = {"image_id": image_id, "category_id": categories[box["class"]]["id"]}
        if None not in edges:
            x1, y1, x2, y2 = edges
            written["bbox"] = [x1, y1, extent(x1, x2), extent(y1, y2)]
        written |= {"area": box["area"], "iscrowd": box["crowd"], "score": box["score"]}
        written |= {"keypoints": box["keypoints"], "segmentation": _segmentation(box), "track_id": box["track"]}
        return {**written, **attributes}


def _has_own_ids(rows: Sequence[Row], layouts: Sequence[Mapping[str, Any]]) -> bool:
    """Whether all records come from COCO documents, and no id of one is that of another."""
    if not all(layout.get("format") == "coco" for layout in layouts):
        return False
    images = Counter(str(layout["id"]) for layout in layouts)
    boxes = Counter(box["id"] for row in rows for box in row["boxes"] if box["id"] is not None)
    names: dict[str, str] = {}
    for layout in layouts:
        for category in layout["categories"]:
            if names.setdefault(str(category["id"]), category["name"]) != category["name"]:
                return False
    return max([*images.values(), *boxes.values()], default=1) == 1


def _categories(rows: Sequence[Row], layouts: Sequence[Mapping[str, Any]], *, own: bool) -> dict[str, dict[str, Any]]:
    if own:
        return {category["name"]: category for layout in layouts for category in layout["categories"]}
    names = sorted({str(box["class"]) for row in rows for box in row["boxes"]})
    return {name: {"id": number, "name": name} for number, name in enumerate(names, start=1)}


def _own_id(text: str | None, layout: Mapping[str, Any]) -> object:
    if text is None or layout.get("text_ids"):
        return text
    return int(text) if text.lstrip("-").isdecimal() else text


def _segmentation(box: Mapping[str, Any]) -> object:
    rle = box["rle"]
    if rle is None:
        return box["polygon"]
    counts = rle["counts"] if rle["counts"] is not None else rle["runs"]
    return {"size": [rle["height"], rle["width"]], "counts": counts}
