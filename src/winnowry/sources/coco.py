"""COCO: images, annotations and categories in one JSON document."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, ClassVar

import orjson

from winnowry.core.jsonable import exact_json
from winnowry.sources.annotated import AnnotationFormat, Box, RefusedLabels, numbers
from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.fields import absent, described
from winnowry.sources.mapping import serialized

_LISTS = ("images", "annotations", "categories")
_OWN = frozenset(
    {"id", "image_id", "category_id", "bbox", "area", "iscrowd", "segmentation", "keypoints", "num_keypoints", "score"}
)
_IMAGE = frozenset({"id", "file_name", "width", "height"})
_XYWH = 4


class Coco(AnnotationFormat):
    """Reads COCO documents: a record is an image with its boxes, polygons, run lengths, keypoints and captions.

    Ids are compared as text, so that `7` and `"7"` are the same and none is cut to a number. An image without
    annotations is background. An annotation of no image is a place of its own behind the images.
    """

    name: ClassVar[str] = "coco"

    def items(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`AnnotationFormat.items`.

        Reasons: ``json_invalid``, ``not_coco`` (of the document); ``wrong_type``, ``value_count``, ``not_finite``,
        ``class_missing``, ``class_unknown``, ``id_twice`` (of an image, for itself or one of its annotations);
        ``image_unknown`` (of an annotation); and those of :class:`~winnowry.sources.streams.BrokenStreamError`.
        """
        data = self.document(stream, limits)
        try:
            document = _parsed(data)
            lists = [_list(document, name) for name in _LISTS]
        except RefusedLabels as error:
            yield self.refused(0, error, data, ends_object=True)
            return
        images, annotations, categories = lists
        yield from _Document(self, images, annotations, categories).items()


class _Document:
    """A document that is being read."""

    def __init__(self, format: Coco, images: list[Any], annotations: list[Any], categories: list[Any]) -> None:
        self._format = format
        self._images = images
        self._annotations = annotations
        self._categories = {str(item.get("id")): item for item in categories if isinstance(item, dict)}
        self._ids = Counter(_text(item, "id") for item in annotations)
        self._image_ids = Counter(_text(item, "id") for item in images)
        self._of_image: dict[str | None, list[Any]] = {}
        for item in annotations:
            self._of_image.setdefault(_text(item, "image_id"), []).append(item)

    def items(self) -> Iterator[Record | Unreadable]:
        for position, image in enumerate(self._images):
            try:
                yield self._record(position, image)
            except RefusedLabels as error:
                yield self._format.refused(position, error, image)
        for position, item in enumerate(self._annotations, start=len(self._images)):
            name = _text(item, "image_id")
            if name is None or name not in self._image_ids:
                value = f"annotation {_text(item, 'id')}: image_id {name}"
                yield self._format.refused(position, RefusedLabels("image_unknown", value, "an id of images"), item)

    def _record(self, position: int, image: Any) -> Record:
        if not isinstance(image, dict):
            raise RefusedLabels("wrong_type", f"image is {described(image)}", "object")
        name = _text(image, "id")
        if name is None:
            raise RefusedLabels("image_id_missing", absent(image, "id"))
        if self._image_ids[name] > 1:
            raise RefusedLabels("id_twice", f"{self._image_ids[name]} images have the id {name}")
        path = image.get("file_name")
        if path is not None and not isinstance(path, str):
            raise RefusedLabels("wrong_type", f"file_name is {described(path)}", "path")
        boxes: list[Box] = []
        captions: list[Box] = []
        for item in self._of_image.get(name, []):
            try:
                box = self._box(item)
            except RefusedLabels as error:
                value = f"annotation {_text(item, 'id')}: {error.value}"
                raise RefusedLabels(error.reason, value, error.expected) from None
            (captions if "caption" in item and "category_id" not in item else boxes).append(box)
        extra = {key: value for key, value in image.items() if key not in _IMAGE}
        if captions:
            extra = {"fields": extra, "captions": [self._as_is(item) for item in self._of_image[name]]}
        used = {box["class"]: self._category(box) for box in boxes}
        layout = {"format": "coco", "id": image["id"], "categories": list(used.values())}
        if any(isinstance(item.get("id"), str) for item in self._of_image.get(name, [])):
            layout["text_ids"] = True
        return self._format.labels(
            position,
            dict(image),
            boxes,
            key=name,
            image=self._format.image(name, path, image.get("width"), image.get("height")),
            extra=serialized(extra).decode() if extra else None,
            layout=serialized(layout).decode(),
        )

    @staticmethod
    def _as_is(item: Any) -> dict[str, object]:
        return dict(item)

    def _category(self, box: Box) -> Mapping[str, Any]:
        return next(item for item in self._categories.values() if item.get("name") == box["class"])

    def _box(self, item: Any) -> Box:
        if not isinstance(item, dict):
            raise RefusedLabels("wrong_type", f"annotation is {described(item)}", "object")
        name = _text(item, "id")
        if name is not None and self._ids[name] > 1:
            raise RefusedLabels("id_twice", f"{self._ids[name]} annotations have this id")
        if "caption" in item and "category_id" not in item:
            return {"id": name}
        category = self._categories.get(_text(item, "category_id") or "")
        if item.get("category_id") is None:
            raise RefusedLabels("class_missing", absent(item, "category_id"))
        if category is None or not isinstance(category.get("name"), str):
            known = ", ".join(list(self._categories)[:20])
            raise RefusedLabels("class_unknown", f"category_id {item['category_id']!r:.40}", f"one of {known}")
        return {
            "id": name,
            "class": category["name"],
            **_edges(item.get("bbox")),
            "area": _number(item, "area"),
            "crowd": _crowd(item.get("iscrowd")),
            "score": _number(item, "score"),
            **_segmentation(item.get("segmentation")),
            "keypoints": _keypoints(item.get("keypoints"), category),
            "attributes": _attributes(item),
        }


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        document = exact_json(data)
    except orjson.JSONDecodeError:
        try:
            document = json.loads(data)  # NaN, which one record may hold
        except (ValueError, RecursionError) as error:
            raise RefusedLabels("json_invalid", str(error)) from None
    if not isinstance(document, dict):
        raise RefusedLabels("not_coco", described(document), "object with images, annotations and categories")
    return document


def _list(document: Mapping[str, Any], name: str) -> list[Any]:
    value = document.get(name, [] if name == "categories" else None)
    if not isinstance(value, list):
        raise RefusedLabels("not_coco", absent(document, name) if value is None else f"{name} is {described(value)}")
    return value


def _text(item: Any, name: str) -> str | None:
    """An id as text; None where there is none."""
    value = item.get(name) if isinstance(item, dict) else None
    return None if value is None or isinstance(value, dict | list) else str(value)


def _number(item: Mapping[str, Any], name: str) -> float | None:
    return None if item.get(name) is None else numbers(name, [item[name]])[0]


def _edges(bbox: object) -> Box:
    if bbox is None:
        return {}
    x, y, width, height = numbers("bbox", bbox, _XYWH)
    return {"x1": x, "y1": y, "x2": x + width, "y2": y + height}


def _crowd(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**31) <= value < 2**31:
        raise RefusedLabels("wrong_type", f"iscrowd is {described(value)}", "0 or 1")
    return value


def _segmentation(value: object) -> Box:
    if value is None:
        return {}
    if isinstance(value, list):
        return {"polygon": [numbers("segmentation", ring) for ring in value]}
    if not isinstance(value, dict):
        raise RefusedLabels("wrong_type", f"segmentation is {described(value)}", "polygons, or an object with counts")
    height, width = numbers("segmentation.size", value.get("size"), 2)
    counts = value.get("counts")
    size = {"height": int(height), "width": int(width)}
    if isinstance(counts, str):
        return {"rle": {**size, "counts": counts}}
    runs = numbers("segmentation.counts", counts)
    if not all(run.is_integer() and abs(run) < 2**53 for run in runs):
        raise RefusedLabels("wrong_type", "segmentation.counts holds fractions", "whole numbers")
    return {"rle": {**size, "runs": [int(run) for run in runs]}}


def _keypoints(value: object, category: Mapping[str, Any]) -> list[float] | None:
    if value is None:
        return None
    points = numbers("keypoints", value)
    names = category.get("keypoints")
    if isinstance(names, list) and names and len(points) != 3 * len(names):
        raise RefusedLabels("value_count", f"keypoints has {len(points)} values", f"{3 * len(names)}: x, y, visibility")
    return points


def _attributes(item: Mapping[str, Any]) -> str | None:
    other = {key: value for key, value in item.items() if key not in _OWN}
    if item.get("num_keypoints") is not None:
        other["num_keypoints"] = item["num_keypoints"]
    return serialized(other).decode() if other else None
