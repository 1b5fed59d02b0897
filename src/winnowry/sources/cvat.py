"""CVAT 1.1: one XML document of a task, with the shapes of its images or with tracks through the frames of a video."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, ClassVar, Literal
from xml.etree.ElementTree import Element

from pydantic import Field

from winnowry.sources.annotated import AnnotationFormat, Box, RefusedLabels, edges_of, number_in, whole_number
from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.elements import Broken, split_elements
from winnowry.sources.mapping import serialized
from winnowry.sources.xml_trees import check_no_entities, tree_of

_CORNERS = ("xtl", "ytl", "xbr", "ybr")
_SHAPES = ("box", "polygon", "polyline", "points", "ellipse", "mask", "cuboid", "skeleton")
_READ = frozenset({"box", "polygon", "points", "ellipse"})
_OWN = frozenset({*_CORNERS, "label", "occluded", "points", "frame", "outside", "cx", "cy", "rx", "ry", "id"})


class Cvat(AnnotationFormat):
    """Reads the XML of CVAT 1.1: a record is an image, or of a video a frame or a track.

    A shape that is marked `outside` is no box, and none of its track is after it until a key frame that is inside
    again: what stands between is a shape that the program went on drawing. Frames are joined by their number.
    """

    name: ClassVar[str] = "cvat"

    record: Literal["image", "track"] = Field(
        default="image", description="what a record of a video is: a frame, or an object through all of them"
    )

    def items(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`AnnotationFormat.items`.

        Reasons: ``xml_entities``, ``xml_invalid``, ``too_deep``, ``not_cvat``, ``missing_field``, ``class_missing``,
        ``not_a_number``, ``not_finite``, ``value_count``, ``region_unknown`` (a shape that is not read), ``id_twice``,
        and those of :func:`~winnowry.sources.elements.split_elements`. A track that cannot be read is a place of its
        own, and so is every frame that it has shapes in.
        """
        data = self.document(stream, limits)
        try:
            check_no_entities(data)
            if b"<annotations" not in data:
                raise RefusedLabels("not_cvat", f"{data[:60]!r}", "annotations of CVAT 1.1")
            size = _stated_size(data)
        except RefusedLabels as error:
            yield self.refused(0, error, data, ends_object=True)
            return
        position = 0
        for item in self._images(data, limits):
            yield item
            position = item.position + 1
        yield from self._video(data, limits, position, size)

    def _images(self, data: bytes, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        seen: set[str] = set()
        for position, item in enumerate(split_elements([data], "image", ignore_case=False, limits=limits)):
            if isinstance(item, Broken):
                error = RefusedLabels(item.reason, item.value or "", item.threshold)
                yield self.refused(position, error, item.data, ends_object=item.ends_stream)
                continue
            try:
                yield self._image_record(position, tree_of(item.data), seen)
            except RefusedLabels as error:
                yield self.refused(position, error, item.data)

    def _image_record(self, position: int, element: Element, seen: set[str]) -> Record:
        name, number = element.get("name"), element.get("id")
        if number is not None and number in seen:
            raise RefusedLabels("id_twice", f"image id {number}")
        seen.add(number or "")
        boxes = [_box(shape, shape.get("label")) for shape in element if shape.tag in _SHAPES]
        width, height = (whole_number(side, number_in(side, element.get(side))) for side in ("width", "height"))
        image = self.image(number, name, width, height)
        fields: dict[str, object] = {key: value for key, value in element.items() if key not in ("width", "height")}
        tags = [tag.get("label") for tag in element.findall("tag")]
        return self.labels(
            position, fields, boxes, key=number or name, image=image,
            extra=serialized({"tags": tags}).decode() if tags else None, layout=_layout(),
        )  # fmt: skip

    def _video(
        self, data: bytes, limits: ReadLimits, position: int, size: tuple[int, int] | None
    ) -> Iterator[Record | Unreadable]:
        """Records of the tracks of a document; frames without a shape cannot be told and are none."""
        tracks: list[tuple[str, list[Box], int]] = []
        lost: dict[int, str] = {}
        for item in split_elements([data], "track", ignore_case=False, limits=limits):
            try:
                if isinstance(item, Broken):
                    raise RefusedLabels(item.reason, item.value or "", item.threshold)
                tracks.append(_track(tree_of(item.data)))
            except RefusedLabels as error:
                yield self.refused(
                    position, error, item.data, ends_object=isinstance(item, Broken) and item.ends_stream
                )
                lost |= dict.fromkeys(map(int, re.findall(rb'\sframe="(\d{1,9})"', item.data)), error.reason)
                position += 1
        if self.record == "track":
            for name, boxes, n_outside in tracks:
                yield self._of_video(position, f"track {name}", boxes, size, extra={"n_outside": n_outside})
                position += 1
            return
        frames: dict[int, list[Box]] = {}
        for _, boxes, _ in tracks:
            for box in boxes:
                frames.setdefault(box["number"], []).append(box)
        for number in sorted({*frames, *lost}):
            if number in lost:
                value = f"frame {number}: {lost[number]}"
                yield self.refused(position, RefusedLabels("track_unreadable", value, "every track of the frame"))
            else:
                yield self._of_video(position, f"frame {number}", frames[number], size, number=number)
            position += 1

    def _of_video(
        self, position: int, name: str, boxes: Sequence[Box], size: tuple[int, int] | None,
        number: int | None = None, extra: dict[str, Any] | None = None,
    ) -> Record:  # fmt: skip
        width, height = size or (None, None)
        image = self.image(number, None, width, height)
        return self.labels(
            position, {"id": name}, boxes, key=name, image=image,
            extra=serialized(extra).decode() if extra else None, layout=_layout(),
        )  # fmt: skip


def _layout() -> str:
    return serialized({"format": "cvat"}).decode()


def _stated_size(data: bytes) -> tuple[int, int] | None:
    """Size of the frames of a video, as the task's description states it."""
    match = re.search(rb"<original_size>\s*<width>(\d{1,9})</width>\s*<height>(\d{1,9})</height>", data)
    return (int(match[1]), int(match[2])) if match else None


def _track(element: Element) -> tuple[str, list[Box], int]:
    """A track: its name, its boxes in order of their frames, and how many of its shapes are no boxes."""
    name, label = element.get("id") or "", element.get("label")
    shapes = [shape for shape in element if shape.tag in _SHAPES]
    numbered = [(whole_number("frame", number_in("frame", shape.get("frame"))) or 0, shape) for shape in shapes]
    boxes, n_outside, inside = [], 0, True
    before = -1
    for number, shape in sorted(numbered, key=lambda pair: pair[0]):
        if number == before:
            raise RefusedLabels("id_twice", f"track {name}: two shapes in frame {number}")
        before = number
        if shape.get("outside") == "1":
            inside = False
        elif shape.get("keyframe") != "0":
            inside = True
        if inside:
            boxes.append({**_box(shape, label), "track": name, "number": number})
        else:
            n_outside += 1
    return name, boxes, n_outside


def _box(shape: Element, label: str | None) -> Box:
    if not label:
        raise RefusedLabels("class_missing", f"{shape.tag} without a label")
    if shape.tag not in _READ:
        raise RefusedLabels("region_unknown", f"{shape.tag} of {label}", f"one of {', '.join(sorted(_READ))}")
    attributes: dict[str, object] = {key: value for key, value in shape.items() if key not in _OWN}
    attributes |= {item.get("name") or "": (item.text or "").strip() for item in shape.findall("attribute")}
    box: Box = {"class": label, "id": shape.get("id")}
    if shape.get("occluded") is not None:
        box["occ"] = int(shape.get("occluded") == "1")
    if shape.tag == "box":
        box |= dict(zip(("x1", "y1", "x2", "y2"), (number_in(key, shape.get(key)) for key in _CORNERS), strict=True))
    elif shape.tag == "ellipse":
        x, y, rx, ry = (number_in(key, shape.get(key)) for key in ("cx", "cy", "rx", "ry"))
        attributes["ellipse"] = {"radius_x": rx, "radius_y": ry}
        box |= {"x1": x - rx, "y1": y - ry, "x2": x + rx, "y2": y + ry}
    else:
        points = _points(shape)
        if shape.tag == "points":
            box["keypoints"] = [number for x, y in points for number in (x, y, 2.0)]
        else:
            box |= {**edges_of(points), "polygon": [[number for point in points for number in point]]}
    box["attributes"] = serialized(attributes).decode() if attributes else None
    return box


def _points(shape: Element) -> list[tuple[float, float]]:
    points = []
    for pair in (shape.get("points") or "").split(";"):
        words = pair.split(",")
        if len(words) != 2:
            raise RefusedLabels("value_count", f"points of {shape.tag}: {pair!r:.40}", "x,y;x,y;…")
        points.append((number_in("x", words[0]), number_in("y", words[1])))
    return points
