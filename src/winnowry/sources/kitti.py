"""KITTI: rows of 15 columns for each picture (object), or of 17 for a sequence (tracking), and a calibration."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, BinaryIO, ClassVar

from pydantic import Field

from winnowry.records.annotations import Unit
from winnowry.sources.annotated import AnnotationFormat, Box, RefusedLabels, number_in, stored
from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.mapping import serialized

_OBJECT_COLUMNS = (15, 16)  # with a score
_TRACKING_COLUMNS = (17, 18)
_MATRIX_NUMBERS = 12
_DONT_CARE = "DontCare"
_CALIBRATIONS = ("../calib/{name}.txt", "../../calib/{name}.txt")
_PICTURES = ("../image_2/", "../image_02/")
_NO_ANGLE, _NO_PLACE, _NO_SIZE = -10.0, -1000.0, -1.0  # how KITTI writes that nothing is known


class Kitti(AnnotationFormat):
    """Reads label files of KITTI: object (15 columns, a file is a picture) and tracking (17, a file is a sequence).

    A record is a picture, a track or a whole sequence. Rotation about the vertical axis of the camera becomes a
    quaternion; `DontCare` is a region to ignore, whose three-dimensional fields are null whatever they hold. The
    camera matrix is read from `calib` beside the folder of the labels. Pictures are joined by the
    number of their frame.
    """

    name: ClassVar[str] = "kitti"

    record: Unit = Field(
        default="image", description="what a record is: a picture, an object through time, or a sequence"
    )
    calibration: str | None = Field(
        default=None,
        min_length=1,
        description="calibration file from the label file, `{name}` for its name, e.g. `../calib/{name}.txt`; "
        "where it is set every file needs one",
    )
    camera: str = Field(default="P2", min_length=1, description="row of the calibration with the camera's matrix")
    projection: Annotated[tuple[float, ...], Field(min_length=_MATRIX_NUMBERS, max_length=_MATRIX_NUMBERS)] | None = (
        Field(default=None, description="3 × 4 camera matrix, row by row, of files without a calibration")
    )
    image_size: tuple[int, int] | None = Field(
        default=None, description="width and height of the pictures in pixels, where they are not at hand"
    )

    def items(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`AnnotationFormat.items`.

        Reasons: ``columns`` with the line, ``not_a_number``, ``not_finite``, ``calibration_missing``,
        ``calibration_invalid``, ``bad_utf8``, and those of :class:`~winnowry.sources.streams.BrokenStreamError`. A row
        that cannot be read costs its picture, track or sequence; where it does not say which, it is a place of its own
        and costs the whole sequence only if that is the record.
        """
        data = self.document(stream, limits)
        name = uri.rpartition("/")[2].rpartition(".")[0]
        try:
            lines = [line.split() for line in data.decode().splitlines()]
            matrix = self._matrix(name)
        except UnicodeDecodeError as error:
            refused = RefusedLabels("bad_utf8", f"{error.reason} at byte {error.start}")
            yield self.refused(0, refused, data, ends_object=True)
            return
        except RefusedLabels as error:
            yield self.refused(0, error, data, ends_object=True)
            return
        yield from _Sequence(self, name, lines, matrix, _is_tracking(lines, uri)).items()

    def _matrix(self, name: str) -> list[float] | None:
        """The camera's matrix; None where no file and no option says it."""
        patterns = (self.calibration,) if self.calibration is not None else _CALIBRATIONS
        for pattern in patterns:
            file = self.neighbour(pattern.replace("{name}", name))
            if file is not None:
                with file:
                    return _matrix_in(file.read(1 << 20), self.camera)
        if self.calibration is not None:
            path = self.calibration.replace("{name}", name)
            raise RefusedLabels("calibration_missing", path, "a file of that name from the label file")
        return list(self.projection) if self.projection is not None else None

    def image_of(self, image_id: str, path: str | None) -> dict[str, Any]:
        """The picture of a record; its stated size is that of the option."""
        width, height = self.image_size or (None, None)
        folders = (f"{self.pictures.rstrip('/')}/",) if self.pictures is not None else _PICTURES
        size = next(filter(None, (self.size_at(folder + path) for folder in folders)), None) if path else None
        return {"id": image_id, "uri": path, "width": width, "height": height, **stored(size)}


class _Sequence:
    """A label file that is being read."""

    def __init__(
        self, format: Kitti, name: str, lines: Sequence[list[str]], matrix: list[float] | None, tracking: bool
    ) -> None:
        self._format, self._name, self._matrix, self._tracking = format, name, matrix, tracking
        self._unit: Unit = format.record if tracking else "image"
        self._boxes: dict[object, list[Box]] = {}
        self._wrong: dict[object, RefusedLabels] = {}
        self._astray: list[RefusedLabels] = []
        self._without_track = 0
        if not tracking or self._unit == "log":
            self._boxes[name] = []
        for number, words in enumerate(lines, start=1):
            if words:
                self._line(number, words)

    def _line(self, number: int, words: list[str]) -> None:
        try:
            box = _tracked(words) if self._tracking else _box(words)
        except RefusedLabels as error:
            expected = error.expected
            wrong = RefusedLabels(error.reason, f"at line {number}: {error.value}", expected)
            key = self._key_of_words(words)
            if key is None:
                self._astray.append(wrong)
            else:
                self._wrong.setdefault(key, wrong)
            return
        key = self._key(box)
        if key is not None:
            self._boxes.setdefault(key, []).append(box)
        else:
            self._without_track += 1

    def _key(self, box: Box) -> object:
        """Of the record that a box is in; None for what is in no track."""
        if not self._tracking or self._unit == "log":
            return self._name
        return box["number"] if self._unit == "image" else box["track"]

    def _key_of_words(self, words: Sequence[str]) -> object:
        if not self._tracking or self._unit == "log":
            return self._name
        word = words[0] if self._unit == "image" else words[1] if len(words) > 1 else ""
        if not word.isdecimal():
            return None
        return int(word) if self._unit == "image" else word

    def items(self) -> Iterator[Record | Unreadable]:
        position = 0
        for key in sorted({*self._boxes, *self._wrong}, key=lambda key: (len(str(key)), str(key))):
            if key in self._wrong:
                yield self._format.refused(position, self._wrong[key])
            else:
                yield self._record(position, key, self._boxes[key])
            position += 1
        for error in self._astray:
            yield self._format.refused(position, error)
            position += 1

    def _record(self, position: int, key: object, boxes: list[Box]) -> Record:
        image = None
        if not self._tracking:
            image = self._format.image_of(self._name, f"{self._name}.png")
        elif self._unit == "image":
            image = self._format.image_of(f"{self._name}/{key}", f"{self._name}/{key:06d}.png")
        elif self._format.image_size is not None:
            image = self._format.image_of(self._name, None)
        own = None if key == self._name else str(key)
        return self._format.labels(
            position,
            {"id": self._name if own is None else f"{self._name}/{own}", "sequence": self._name},
            boxes,
            key=own,
            image=image,
            frame="camera",
            projection=self._matrix,
            group=self._name,
            extra=serialized({"without_track": self._without_track}).decode() if self._without_track else None,
            layout=serialized({"format": "kitti", "tracking": self._tracking}).decode(),
        )


def _is_tracking(lines: Sequence[list[str]], uri: str) -> bool:
    """Whether rows begin with a frame and a track; of an empty file the folder says it."""
    first = next((words for words in lines if words), None)
    if first is None:
        return "/label_02/" in uri
    return first[0].lstrip("-").isdecimal()


def _tracked(words: Sequence[str]) -> Box:
    if len(words) not in _TRACKING_COLUMNS:
        raise RefusedLabels("columns", f"{len(words)} columns", "17, or 18 with a score")
    frame = number_in("frame", words[0])
    if not frame.is_integer() or not 0 <= frame < 2**53:
        raise RefusedLabels("not_a_number", f"frame is {words[0]!r:.40}", "whole number")
    return {**_box(words[2:]), "number": int(frame), "track": None if words[1] == "-1" else words[1]}


def _box(words: Sequence[str]) -> Box:
    if len(words) not in _OBJECT_COLUMNS:
        raise RefusedLabels("columns", f"{len(words)} columns", "15, or 16 with a score")
    trunc, occ, alpha, x1, y1, x2, y2, h, w, length, x, y, z, turn, *score = (
        number_in(f"column {place}", word) for place, word in enumerate(words[1:], start=2)
    )
    box: Box = {
        "class": words[0], "x1": x1, "y1": y1, "x2": x2, "y2": y2, "crowd": int(words[0] == _DONT_CARE),
        "trunc": trunc if trunc >= 0 else None, "occ": int(occ) if occ >= 0 else None,
        "alpha": alpha if alpha != _NO_ANGLE else None, "score": score[0] if score else None,
    }  # fmt: skip
    if words[0] == _DONT_CARE or _NO_PLACE in (x, y, z) or {h, w, length} == {_NO_SIZE}:
        return {**box, "alpha": None if words[0] == _DONT_CARE else box["alpha"]}
    half = turn / 2
    return {
        **box, "h": h, "w": w, "l": length, "x": x, "y": y, "z": z,
        "qw": math.cos(half), "qx": 0.0, "qy": math.sin(half), "qz": 0.0,
    }  # fmt: skip


def _matrix_in(data: bytes, camera: str) -> list[float]:
    for line in data.decode("utf-8", "replace").splitlines():
        words = line.split()
        if words and words[0].rstrip(":") == camera:
            numbers = [number_in(camera, word) for word in words[1:]]
            if len(numbers) != _MATRIX_NUMBERS:
                raise RefusedLabels("calibration_invalid", f"{camera} has {len(numbers)} numbers", str(_MATRIX_NUMBERS))
            return numbers
    raise RefusedLabels("calibration_invalid", f"no row {camera}", f"{camera}: and {_MATRIX_NUMBERS} numbers")
