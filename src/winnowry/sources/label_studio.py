"""Label Studio: tasks with the answers of several annotators, predictions of models, and skipped work."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, ClassVar

import orjson

from winnowry.core.jsonable import exact_json
from winnowry.records.annotations import State
from winnowry.sources.annotated import AnnotationFormat, Box, RefusedLabels, edges_of, numbers, whole_number
from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.fields import absent, described
from winnowry.sources.mapping import serialized

_PERCENT = 100
_SHAPES = ("rectangle", "polygon", "keypoint", "ellipse")
_UNREAD_SHAPES = ("brush", "bitmask", "video", "cuboid")
_PICTURES = ("image", "img", "photo", "picture")


@dataclass
class _Task:
    """A task, whose answers may stand in several entries of an export."""

    position: int
    entry: dict[str, Any]
    annotations: list[Any] = field(default_factory=list)
    predictions: list[Any] = field(default_factory=list)


class LabelStudio(AnnotationFormat):
    """Reads exports of Label Studio (JSON): a record is a task, its boxes one answer to it.

    The answer is the one marked as ground truth, else the first that was not cancelled; other answers and predictions
    stand beside it, each as its own set. A task whose answers were all cancelled is `skipped`, one without answers
    `unlabelled`; an answer without regions is background. An export may repeat a task for each of its answers: those
    are one record, and an entry that says nothing new is refused as repeated.

    Numbers are percents of the picture; a rotation turns a rectangle about its top left corner.
    """

    name: ClassVar[str] = "label_studio"

    def items(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`AnnotationFormat.items`.

        Reasons: ``json_invalid``, ``no_tasks`` (of the document); ``repeated_id``, ``wrong_type``, ``missing_field``,
        ``value_count``, ``not_finite``, ``class_missing``, ``image_size_missing``, ``region_unknown`` (a shape that is
        not read); and those of :class:`~winnowry.sources.streams.BrokenStreamError`.
        """
        data = self.document(stream, limits)
        try:
            entries = _entries(data)
        except RefusedLabels as error:
            yield self.refused(0, error, data, ends_object=True)
            return
        tasks: dict[str, _Task] = {}
        refused = []
        for position, entry in enumerate(entries):
            try:
                _gather(tasks, position, entry)
            except RefusedLabels as error:
                refused.append(self.refused(position, error, entry))
        yield from sorted([*map(self._item, tasks.values()), *refused], key=lambda item: item.position)

    def _item(self, task: _Task) -> Record | Unreadable:
        try:
            return self._record(task)
        except RefusedLabels as error:
            return self.refused(task.position, error, task.entry)

    def _record(self, task: _Task) -> Record:
        cancelled = [item for item in task.annotations if item.get("was_cancelled")]
        answers = [item for item in task.annotations if not item.get("was_cancelled")]
        answers.sort(key=lambda item: not item.get("ground_truth"))
        sets = [self._set(item, "gold" if item.get("ground_truth") else "annotator") for item in answers]
        predictions = [self._set(item, "prediction") for item in task.predictions]
        own = sets[0] if sets else None
        state: State | None = None if own is not None else "skipped" if cancelled else "unlabelled"
        size = next(filter(None, map(_size, [*answers, *task.predictions, *cancelled])), (None, None))
        data = task.entry.get("data")
        fields = data if isinstance(data, dict) else {}
        path = next((value for name in (*_PICTURES, *fields) if isinstance(value := fields.get(name), str)), None)
        extra = {"cancelled": cancelled} if cancelled else {}
        extra |= {
            key: value for key, value in task.entry.items() if key not in ("id", "data", "annotations", "predictions")
        }
        return self.labels(
            task.position,
            {"id": task.entry.get("id"), **fields},
            own["boxes"] if own is not None else [],
            state,
            key=str(task.entry.get("id")) if task.entry.get("id") is not None else None,
            image=self.image(task.entry.get("id"), path, *size),
            annotator=own["annotator"] if own is not None else None,
            gold=own["role"] == "gold" if own is not None else None,
            others=[*sets[1:], *predictions] or None,
            extra=serialized(extra).decode() if extra else None,
            layout=serialized({"format": "label_studio", "answer": own["id"] if own is not None else None}).decode(),
        )

    def _set(self, answer: Mapping[str, Any], role: str) -> dict[str, Any]:
        """An answer or a prediction as a set of labels."""
        result = answer.get("result")
        if not isinstance(result, list):
            raise RefusedLabels("wrong_type", absent(answer, "result") if result is None else described(result), "list")
        by = answer.get("completed_by")
        if isinstance(by, dict):
            by = by.get("id", by.get("email"))
        boxes = [box for region in _regions(result) if (box := _box(region)) is not None]
        score = answer.get("score")
        return {
            "id": None if answer.get("id") is None else str(answer["id"]),
            "annotator": None if by is None else str(by),
            "role": role,
            "state": "labelled" if boxes else "background",
            "score": None if score is None else numbers("score", [score])[0],
            "model": answer.get("model_version") if isinstance(answer.get("model_version"), str) else None,
            "boxes": boxes,
        }


def _entries(data: bytes) -> list[Any]:
    try:
        document = exact_json(data)
    except orjson.JSONDecodeError:
        try:
            document = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise RefusedLabels("json_invalid", str(error)) from None
    if isinstance(document, dict) and "data" in document:
        return [document]
    if not isinstance(document, list):
        raise RefusedLabels("no_tasks", described(document), "list of tasks")
    return document


def _gather(tasks: dict[str, _Task], position: int, entry: Any) -> None:
    """Put an entry with its task.

    Raises:
        RefusedLabels: it is no task, or says nothing that is not there yet.
    """
    if not isinstance(entry, dict) or not isinstance(entry.get("data"), dict):
        expected = "object with data and annotations: the export JSON, not JSON-MIN"
        raise RefusedLabels("no_tasks", described(entry), expected)
    parts = {}
    for name in ("annotations", "predictions"):
        value = entry.get(name) or []
        if not isinstance(value, list):
            raise RefusedLabels("wrong_type", f"{name} is {described(value)}", "list of objects")
        # An export without expanded answers lists their ids only: nothing can be read of those.
        if not all(isinstance(item, dict) for item in value):
            raise RefusedLabels("wrong_type", f"{name} is {described(value)}", "list of objects")
        parts[name] = value
    name = f"#{position}" if entry.get("id") is None else str(entry["id"])
    task = tasks.get(name)
    if task is None:
        tasks[name] = _Task(position, entry, list(parts["annotations"]), list(parts["predictions"]))
        return
    new = {
        key: [item for item in parts[key] if item not in known]
        for key, known in (("annotations", task.annotations), ("predictions", task.predictions))
    }
    if not new["annotations"] and not new["predictions"]:
        raise RefusedLabels("repeated_id", f"task {name} of entry {task.position} once more")
    task.annotations += new["annotations"]
    task.predictions += new["predictions"]


def _regions(result: Sequence[Any]) -> list[dict[str, Any]]:
    """The regions of an answer; results of one id are one region (its shape, and the label that it has)."""
    regions: dict[str, dict[str, Any]] = {}
    for place, item in enumerate(result):
        if not isinstance(item, dict) or not isinstance(item.get("value"), dict):
            raise RefusedLabels("wrong_type", f"result {place} is {described(item)}", "object with a value")
        name = f"#{place}" if item.get("id") is None else str(item["id"])
        before = regions.get(name)
        if before is None:
            regions[name] = {**item, "value": dict(item["value"])}
        else:
            before["value"] |= item["value"]
            if _shape(before) is None:
                before["type"] = item.get("type")
    return list(regions.values())


def _shape(region: Mapping[str, Any]) -> str | None:
    """The shape of a region; None where it is about the whole picture, such as a choice."""
    kind = str(region.get("type") or "")
    unread = next((shape for shape in _UNREAD_SHAPES if kind.startswith(shape)), None)
    if unread is not None:
        raise RefusedLabels("region_unknown", f"region {region.get('id')}: {kind}", f"one of {', '.join(_SHAPES)}")
    return next((shape for shape in _SHAPES if kind.startswith(shape)), None)


def _box(region: Mapping[str, Any]) -> Box | None:
    """A region as a box; None for one about the whole picture."""
    shape = _shape(region)
    if shape is None:
        return None
    value = region["value"]
    where = f"region {region.get('id')}"
    labels = next((value[name] for name in (f"{shape}labels", "labels") if value.get(name)), None)
    if not isinstance(labels, list) or not all(isinstance(label, str) and label for label in labels):
        raise RefusedLabels("class_missing", f"{where}: no label in {shape}labels", "at least one label")
    width, height = (whole_number(name, region.get(name)) for name in ("original_width", "original_height"))
    if not width or not height:
        raise RefusedLabels("image_size_missing", f"{where}: {absent(region, 'original_width')}")
    attributes = {name: region[name] for name in ("image_rotation", "meta", "origin") if region.get(name)}
    if len(labels) > 1:
        attributes["labels"] = labels
    box: Box = {"id": None if region.get("id") is None else str(region["id"]), "class": labels[0]}
    scale = (width / _PERCENT, height / _PERCENT)
    box |= _geometry(shape, value, scale, where, attributes)
    score = region.get("score")
    box["score"] = None if score is None else numbers("score", [score])[0]
    box["attributes"] = serialized(attributes).decode() if attributes else None
    return box


def _geometry(
    shape: str, value: Mapping[str, Any], scale: tuple[float, float], where: str, attributes: dict[str, Any]
) -> Box:
    def values_of(*names: str) -> list[float]:
        missing = [name for name in names if value.get(name) is None]
        if missing:
            raise RefusedLabels("missing_field", f"{where}: {absent(value, missing[0])}")
        return numbers(where, [value[name] for name in names])

    if shape == "polygon":
        points = [numbers(where, point, 2) for point in value.get("points") or []]
        if not points:
            raise RefusedLabels("missing_field", f"{where}: {absent(value, 'points')}")
        corners = [(x * scale[0], y * scale[1]) for x, y in points]
        return {**edges_of(corners), "polygon": [[number for corner in corners for number in corner]]}
    x, y = (number * factor for number, factor in zip(values_of("x", "y"), scale, strict=True))
    if shape == "keypoint":
        return {"keypoints": [x, y, 2.0]}
    names = ("radiusX", "radiusY") if shape == "ellipse" else ("width", "height")
    w, h = (number * factor for number, factor in zip(values_of(*names), scale, strict=True))
    turn = math.radians(numbers(where, [value.get("rotation") or 0])[0])
    if shape == "ellipse":
        attributes["ellipse"] = {"radius_x": w, "radius_y": h, "rotation": math.degrees(turn)}
        half_w, half_h = (math.hypot(w * math.cos(at), h * math.sin(at)) for at in (turn, turn + math.pi / 2))
        return {"x1": x - half_w, "y1": y - half_h, "x2": x + half_w, "y2": y + half_h}
    if not turn:
        return {"x1": x, "y1": y, "x2": x + w, "y2": y + h}
    attributes["rotation"] = math.degrees(turn)
    cosine, sine = math.cos(turn), math.sin(turn)
    corners = [
        (x + dx * cosine - dy * sine, y + dx * sine + dy * cosine) for dx, dy in ((0, 0), (w, 0), (w, h), (0, h))
    ]
    return {**edges_of(corners), "polygon": [[number for corner in corners for number in corner]]}


def _size(answer: Mapping[str, Any]) -> tuple[int | None, int | None] | None:
    """The size of the picture that an answer states."""
    for item in answer.get("result") or []:
        if isinstance(item, dict) and item.get("original_width") and item.get("original_height"):
            width, height = (whole_number(name, item[name]) for name in ("original_width", "original_height"))
            return width, height
    return None
