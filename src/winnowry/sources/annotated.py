"""What the formats of annotations share: where the pictures lie, and how a record or a reason is made."""

from __future__ import annotations

import math
import posixpath
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, ClassVar, Literal

from pydantic import Field, PrivateAttr

from winnowry.records.annotations import State, annotation, rendered
from winnowry.sources.base import ReadLimits, Record, SourceFormat, Unreadable, unreadable
from winnowry.sources.content import text_chunks
from winnowry.sources.fields import described
from winnowry.sources.mapping import serialized
from winnowry.sources.picture_size import PictureSize, picture_size
from winnowry.sources.streams import BrokenStreamError

PICTURE_ENDINGS = ("jpg", "jpeg", "png", "bmp", "webp", "gif", "tif", "tiff")
_MOST_MISSING = 50
_FOLDERS = ("", "images/", "img/", "../images/")

Box = dict[str, Any]


class RefusedLabels(Exception):
    """Labels of a record that cannot be used.

    Attributes:
        reason: snake_case code.
        value: what is there, and where.
        expected: what was expected; None where the reason says it.
    """

    def __init__(self, reason: str, value: str, expected: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.value, self.expected = reason, value, expected


class AnnotationFormat(SourceFormat):
    """Base of the formats of annotations.

    Pictures are opened for their size and orientation only, and not needed. A box that cannot be read costs its record:
    an image without it would say that nothing is there.
    """

    payload_kind: ClassVar[Literal["text", "blob", "structured"]] = "structured"

    pictures: str | None = Field(
        default=None,
        min_length=1,
        description="folder of the pictures, from the file's, e.g. `../images`; unset: beside it, in `images`, `img`; "
        "looked for until 50 are missing",
    )

    _folder: str | None = PrivateAttr(default=None)
    _n_missing: int = PrivateAttr(default=0)

    @property
    def record_kind(self) -> str:
        """Annotations, whose size is counted in boxes."""
        return "annotation"

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`~winnowry.sources.base.Reader.read`.

        Reasons: those of :meth:`items`, and those of :class:`~winnowry.sources.streams.BrokenStreamError`.
        """
        position = 0
        try:
            for item in self.items(stream, uri, limits):
                position = item.position + 1
                yield item
        except BrokenStreamError as broken:
            payload, operator = broken.beginning, f"source.{self.name}"
            yield unreadable(
                position, operator, broken.reason, payload, broken.value, broken.threshold, ends_object=True
            )

    @abstractmethod
    def items(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """The records of an object, and what of it cannot be used, in position order.

        Raises:
            BrokenStreamError: the object cannot be decompressed, or is of another format.
        """

    def why_no_members(self) -> str | None:
        """Labels inside archives belong to files that cannot be opened."""
        return "labels belong to files beside them; unpack the archive"

    def picture(self, path: str | None) -> PictureSize | None:
        """Size of a picture that the labels name; None where it is not at hand, or its path leads elsewhere."""
        if not path or "://" in path or path.startswith("/") or ".." in path.split("/"):
            return None
        if self.pictures is not None:
            return self.size_at(f"{self.pictures.rstrip('/')}/{path}")
        if self._folder is None and self._n_missing == _MOST_MISSING:
            return None  # a store would be asked in vain for every picture of a large file
        for folder in _FOLDERS if self._folder is None else (self._folder,):
            size = self.size_at(folder + path)
            if size is not None:
                self._folder = folder
                return size
        self._n_missing += 1
        return None

    def size_at(self, name: str) -> PictureSize | None:
        """Size of a picture beside the object."""
        file = self.neighbour(posixpath.normpath(name))
        if file is None:
            return None
        with file:
            return picture_size(file)

    def image(self, image_id: object, path: str | None, width: object = None, height: object = None) -> dict[str, Any]:
        """The image of a record, with the size that the labels state and the one of its file.

        Raises:
            RefusedLabels: what is stated is no size.
        """
        size = self.picture(path)
        return {
            "id": None if image_id is None else str(image_id),
            "uri": path,
            "width": whole_number("width", width),
            "height": whole_number("height", height),
            **stored(size),
        }

    def refused(
        self, position: int, error: RefusedLabels, data: object = b"", *, ends_object: bool = False
    ) -> Unreadable:
        """A place that cannot be used."""
        payload = data if isinstance(data, bytes) else serialized(data)
        return unreadable(
            position, f"source.{self.name}", error.reason, payload, error.value, error.expected, ends_object=ends_object
        )

    def labels(
        self,
        position: int,
        data: dict[str, object],
        boxes: Sequence[Mapping[str, Any]],
        state: State | None = None,
        *,
        key: str | None = None,
        **columns: object,
    ) -> Record:
        """A record of annotations."""
        values = annotation(boxes, state, **columns)
        return Record(position, data, key=key, text=rendered(values), columns=values)

    def document(self, stream: BinaryIO, limits: ReadLimits) -> bytes:
        """The whole object as UTF-8 without a byte-order mark; a document of labels is one value, however long.

        Raises:
            BrokenStreamError: it cannot be decompressed, or is of another format.
        """
        return b"".join(text_chunks(stream, None, limits, any_text=True)).removeprefix(b"\xef\xbb\xbf")


def stored(size: PictureSize | None) -> dict[str, Any]:
    """The fields of an image that its file says."""
    if size is None:
        return {"stored_width": None, "stored_height": None, "orientation": None}
    return {"stored_width": size.width, "stored_height": size.height, "orientation": size.orientation}


def whole_number(name: str, value: object) -> int | None:
    """A number of pixels or the like; null stays null.

    Raises:
        RefusedLabels: it is none.
    """
    if value is None:
        return None
    number = numbers(name, [value])[0]
    if not number.is_integer() or not 0 <= number < 2**53:
        raise RefusedLabels("wrong_type", f"{name} is {described(value)}", "whole number, 0 or more")
    return int(number)


def numbers(name: str, values: object, count: int | None = None) -> list[float]:
    """A list of finite numbers.

    Raises:
        RefusedLabels: ``wrong_type``, ``value_count`` or ``not_finite``.
    """
    if not isinstance(values, Sequence) or isinstance(values, str | bytes):
        raise RefusedLabels("wrong_type", f"{name} is {described(values)}", "list of numbers")
    if count is not None and len(values) != count:
        raise RefusedLabels("value_count", f"{name} has {len(values)} values", str(count))
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise RefusedLabels("wrong_type", f"{name} holds {described(value)}", "numbers")
        if not math.isfinite(value):
            raise RefusedLabels("not_finite", f"{name} holds {value}", "finite numbers")
    return [float(value) for value in values]


def number_in(name: str, word: str | None) -> float:
    """A finite number that is written as text.

    Raises:
        RefusedLabels: ``not_a_number`` or ``not_finite``.
    """
    try:
        value = float(word or "")
    except ValueError:
        value = math.nan
        if (word or "").strip().lower().lstrip("+-") != "nan":
            raise RefusedLabels("not_a_number", f"{name} is {word!r:.80}", "number") from None
    if "_" in (word or ""):
        raise RefusedLabels("not_a_number", f"{name} is {word!r:.80}", "number")
    if not math.isfinite(value):
        raise RefusedLabels("not_finite", f"{name} is {word!r:.80}", "finite number")
    return value


def edges_of(points: Sequence[tuple[float, float]]) -> Box:
    """The box around points."""
    xs, ys = zip(*points, strict=True)
    return {"x1": min(xs), "y1": min(ys), "x2": max(xs), "y2": max(ys)}
