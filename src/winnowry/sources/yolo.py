"""YOLO: a text file of normalised rows for each picture, class names in a file of the folder above."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, BinaryIO, ClassVar, Literal

from pydantic import Field
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from winnowry.sources.annotated import (
    PICTURE_ENDINGS,
    AnnotationFormat,
    Box,
    RefusedLabels,
    edges_of,
    number_in,
    stored,
)
from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.fields import described
from winnowry.sources.mapping import serialized
from winnowry.sources.picture_size import PictureSize

_NAME_FILES = ("classes.txt", "obj.names")
_DATA_FILES = ("data.yaml", "data.yml", "dataset.yaml")
_BOX_COLUMNS = 5
_LEAST_POLYGON_COLUMNS = 7
_SLACK = 1e-4  # of a normalised number beyond its range, for rounding

_KeypointShape = tuple[int, int]


class Yolo(AnnotationFormat):
    """Reads the label files of YOLO: a record is a picture, and a row of its file a box (5 columns) or a polygon.

    Rows are normalised to the picture as it is shown, so the picture has to be at hand: in the folder `images` where
    the labels lie in `labels`, else beside them. Names of classes come from `names`, or from `data.yaml`,
    `classes.txt` or `obj.names` beside the labels or in a folder above. With `kpt_shape` in `data.yaml`
    rows end with keypoints.

    An empty file says that there is nothing in the picture. Where the source's pattern matches pictures too, one
    without a file is a record of its own, which nobody has labelled yet; pictures with one are read with it.
    """

    name: ClassVar[str] = "yolo"
    one_record: ClassVar[bool] = True

    names: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="names of the classes in their order; unset: of the data set's file"
    )
    score: bool = Field(default=False, description="whether rows end with a score, as predictions do")
    missing: Literal["unlabelled", "background"] = Field(
        default="unlabelled", description="what a picture without a label file is"
    )

    def items(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`AnnotationFormat.items`.

        Reasons, each with its line: ``columns``, ``not_a_number``, ``not_finite``, ``not_normalised``,
        ``class_unknown``; of the file ``image_missing``, ``names_missing``, ``bad_utf8``, and those of
        :class:`~winnowry.sources.streams.BrokenStreamError`.
        """
        path = uri.split("/")
        ending = path[-1].rpartition(".")[2].lower()
        if ending in PICTURE_ENDINGS:
            yield from self._unlabelled(path)
        elif ending == "txt" and path[-1] not in _NAME_FILES:
            data = self.document(stream, limits)
            try:
                yield self._record(path, data)
            except RefusedLabels as error:
                yield self.refused(0, error, data)

    def _unlabelled(self, path: Sequence[str]) -> Iterator[Record | Unreadable]:
        stem = path[-1].rpartition(".")[0]
        labels = self.neighbour(f"{_folder_beside(path, 'images', 'labels')}{stem}.txt")
        if labels is not None:
            labels.close()
            return
        size = self.size_at(path[-1])
        state: Literal["unlabelled", "background"] = self.missing
        yield self.labels(0, {"id": stem}, [], state, image=_image(stem, path[-1], size))

    def _record(self, path: Sequence[str], data: bytes) -> Record:
        stem = path[-1].rpartition(".")[0]
        names, shape = self._classes(path)
        picture, size = self._picture_of(path, stem)
        try:
            lines = data.decode().splitlines()
        except UnicodeDecodeError as error:
            raise RefusedLabels("bad_utf8", f"{error.reason} at byte {error.start}") from None
        boxes = []
        for number, line in enumerate(lines, start=1):
            words = line.split()
            if words:
                try:
                    boxes.append(self._box(words, names, shape, size))
                except RefusedLabels as error:
                    raise RefusedLabels(error.reason, f"line {number}: {error.value}", error.expected) from None
        layout = {"format": "yolo", "names": names}
        return self.labels(
            0, {"id": stem}, boxes, image=_image(stem, picture, size), layout=serialized(layout).decode()
        )  # fmt: skip

    def _picture_of(self, path: Sequence[str], stem: str) -> tuple[str, PictureSize]:
        folder = f"{self.pictures.rstrip('/')}/" if self.pictures else _folder_beside(path, "labels", "images")
        for ending in PICTURE_ENDINGS:
            for spelt in (ending, ending.upper()):
                size = self.size_at(f"{folder}{stem}.{spelt}")
                if size is not None:
                    return f"{stem}.{spelt}", size
        raise RefusedLabels(
            "image_missing", f"{folder}{stem}", "a picture of this name: numbers are shares of its size"
        )

    def _classes(self, path: Sequence[str]) -> tuple[dict[int, str], _KeypointShape | None]:
        """Names by number, and how many keypoints of how many numbers end a row."""
        steps = ["../" * step for step in range(_depth(path, "labels") + 1)]
        for name in (f"{step}{file}" for step in steps for file in (*_DATA_FILES, *_NAME_FILES)):
            file = self.neighbour(name)
            if file is None:
                continue
            with file:
                data = file.read()
            names, shape = _declared(data) if name.endswith((".yaml", ".yml")) else (_listed(data), None)
            if names or self.names:
                return dict(enumerate(self.names)) if self.names else names, shape
        if not self.names:
            raise RefusedLabels(
                "names_missing", f"no {', '.join((*_DATA_FILES, *_NAME_FILES))}", "`names` of the source"
            )
        return dict(enumerate(self.names)), None

    def _box(
        self, words: Sequence[str], names: Mapping[int, str], shape: _KeypointShape | None, size: PictureSize
    ) -> Box:
        columns = len(words) - self.score
        n_points = shape[0] * shape[1] if shape is not None else 0
        is_polygon = not n_points and columns >= _LEAST_POLYGON_COLUMNS and columns % 2 == 1
        if columns != _BOX_COLUMNS + n_points and not is_polygon:
            expected = f"{_BOX_COLUMNS + n_points + self.score}" + (
                "" if n_points else ", or a class and three points or more"
            )
            hint = "; a sixth column may be a score: `score: true`" if columns == _BOX_COLUMNS + 1 else ""
            raise RefusedLabels("columns", f"{len(words)} columns", expected + hint)
        values = [number_in(f"column {place}", word) for place, word in enumerate(words, start=1)]
        name = names.get(int(values[0])) if values[0].is_integer() else None
        if name is None:
            raise RefusedLabels("class_unknown", f"class {words[0]}", f"one of {', '.join(map(str, list(names)[:20]))}")
        box: Box = {"class": name, "score": _within("score", values[-1]) if self.score else None}
        shares = values[1 : len(values) - self.score]
        width, height = size.shown
        if is_polygon:
            for share in shares:
                _within("polygon", share)
            points = [(x * width, y * height) for x, y in zip(shares[::2], shares[1::2], strict=True)]
            return {**box, **edges_of(points), "polygon": [[value for point in points for value in point]]}
        for share in shares[:4]:
            _within("box", share)
        x, y, w, h = shares[:4]
        edges = {
            "x1": (x - w / 2) * width,
            "y1": (y - h / 2) * height,
            "x2": (x + w / 2) * width,
            "y2": (y + h / 2) * height,
        }
        return {**box, **edges, "keypoints": _keypoints(shares[4:], shape, width, height)}


def _image(stem: str, path: str, size: PictureSize | None) -> dict[str, Any]:
    width, height = size.shown if size is not None else (None, None)
    return {"id": stem, "uri": path, "width": width, "height": height, **stored(size)}


def _depth(path: Sequence[str], folder: str) -> int:
    """Folders between an object and what lies beside the folder of that name; 1 where there is none."""
    places = [place for place, part in enumerate(path[:-1]) if part == folder]
    return len(path) - 1 - places[-1] if places else 1


def _folder_beside(path: Sequence[str], folder: str, other: str) -> str:
    """Where the files lie that belong to those of a folder, from an object in it."""
    places = [place for place, part in enumerate(path[:-1]) if part == folder]
    if not places:
        return ""
    below = "".join(f"{part}/" for part in path[places[-1] + 1 : -1])
    return "../" * (len(path) - 1 - places[-1]) + f"{other}/{below}"


def _declared(data: bytes) -> tuple[dict[int, str], _KeypointShape | None]:
    """Names and shape of keypoints of a `data.yaml`."""
    try:
        document = YAML(typ="safe", pure=True).load(data.decode("utf-8-sig"))
    except (YAMLError, UnicodeDecodeError, ValueError) as error:
        raise RefusedLabels("names_missing", f"{type(error).__name__} in the data set's file", "YAML") from None
    names = document.get("names") if isinstance(document, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if names is not None and not (isinstance(names, dict) and all(isinstance(key, int) for key in names)):
        raise RefusedLabels("names_missing", f"names is {described(names)}", "list, or numbers to names")
    shape = document.get("kpt_shape") if isinstance(document, dict) else None
    if shape is not None and not (isinstance(shape, list) and len(shape) == 2 and shape[1] in (2, 3)):
        raise RefusedLabels("names_missing", f"kpt_shape is {shape!r:.80}", "number of keypoints, then 2 or 3")
    return {key: str(value) for key, value in (names or {}).items()}, (shape[0], shape[1]) if shape else None


def _listed(data: bytes) -> dict[int, str]:
    """Names of a file with one a line."""
    names = data.decode("utf-8-sig", "replace").splitlines()
    while names and not names[-1].strip():
        names.pop()
    numbers = count()
    return {next(numbers): name.strip() for name in names}


def _within(what: str, share: float) -> float:
    if not -_SLACK <= share <= 1 + _SLACK:
        raise RefusedLabels("not_normalised", f"{what} {share:g}", "0 to 1, shares of the picture")
    return share


def _keypoints(shares: Sequence[float], shape: _KeypointShape | None, width: int, height: int) -> list[float] | None:
    if shape is None:
        return None
    step = shape[1]
    points: list[float] = []
    for place in range(0, len(shares), step):
        x, y, *seen = shares[place : place + step]
        points += [x * width, y * height, seen[0] if seen else 2.0]
    return points
