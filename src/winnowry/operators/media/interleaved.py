"""``interleaved.images``: the pictures of documents of texts and pictures, each judged by itself."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, Self

import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.operators.base import Rule
from winnowry.operators.media.faults import DecodeError
from winnowry.operators.media.measure import MEASURES, require_image_extra
from winnowry.operators.media.operator import CONTENT, MediaOperator, as_batch
from winnowry.operators.media.pictures import decode_picture
from winnowry.operators.media.views import View, Views, Wants
from winnowry.records.kinds import PICTURE_MARK
from winnowry.sources.media_types import HEAD_BYTES, media_type_in

_FAULT_CHARACTERS = 200
_PICTURE = pa.struct(
    [
        pa.field("name", pa.string()),
        pa.field("media_type", pa.string()),
        pa.field("width", pa.int64()),
        pa.field("height", pa.int64()),
        pa.field("sha256", pa.string()),
        pa.field("phash", pa.string()),
        pa.field("at", pa.int64()),
    ]
)
_LEFT_OUT = pa.struct([pa.field("name", pa.string()), pa.field("reason", pa.string())])


class _Row(NamedTuple):
    marks_error: str | None = None
    text: str | None = None
    n_images: int | None = None
    n_images_left_out: int | None = None
    images: list[dict[str, Any]] | None = None
    images_left_out: list[dict[str, Any]] | None = None
    thumbnail: bytes | None = None


class InterleavedImages(MediaOperator):
    """Decode the pictures of a document, leave out the bad ones with their marks, and list those that stay.

    The text of a document has U+FFFC where a picture is. A picture that is missing, does not decode, is too small, too
    large or too long leaves the document, with its mark and its reason; the document stays while it has `min_images`.
    The marks say which picture belongs where, so operators that take lines out of a text come first: a document whose
    marks and pictures are not as many is quarantined.

    Writes ``marks_error`` (string; null: each picture has its mark), ``text`` (without the marks of those left out),
    ``n_images``, ``n_images_left_out``, ``images`` (in order: name, media_type, width, height, sha256, phash, and
    ``at``, the number of the picture in the archive of the record), ``images_left_out`` (name, reason) and
    ``thumbnail`` (of the first picture; JPEG of at most 8 KiB).

    Needs the extra ``image``.

    Source: OBELICS (Laurençon et al. 2023): sides of 150 to 20,000 pixels, aspect 2, 1 to 30 pictures.
    """

    op: Literal["interleaved.images"] = "interleaved.images"
    min_side: int | None = Field(default=150, ge=1, description="least shorter side of a picture in pixels; null: any")
    max_side: int | None = Field(default=20_000, ge=1, description="most longer side in pixels; null: any")
    max_aspect: float | None = Field(default=2.0, ge=1, description="most of longer over shorter side; null: any")
    marks: bool = Field(default=True, description="whether only documents are kept whose pictures all have a mark")
    min_images: int = Field(default=1, ge=0, description="fewest pictures of a document")
    max_images: int | None = Field(default=30, ge=1, description="most pictures of a document; null: any")

    def reads(self) -> pa.Schema:
        """``payload``, the archive of pictures, and ``text``."""
        return pa.schema([*CONTENT, pa.field("text", pa.large_string())])

    def wants(self) -> Wants:
        """Nothing that others share."""
        return Wants()

    def writes(self) -> pa.Schema:
        """The columns of the class's description, in its order; after ``as``, if given."""
        columns = [
            ("marks_error", pa.string()),
            ("text", pa.large_string()),
            ("n_images", pa.int64()),
            ("n_images_left_out", pa.int64()),
            ("images", pa.list_(_PICTURE)),
            ("images_left_out", pa.list_(_LEFT_OUT)),
            ("thumbnail", pa.binary()),
        ]
        return pa.schema([pa.field(self._named(name), kind) for name, kind in columns])

    def _named(self, column: str) -> str:
        return column if self.as_ is None else f"{self.as_}_{column}"

    def rules(self) -> tuple[Rule, ...]:
        """``marks``, ``min_images`` and ``max_images``; a document whose marks do not fit fails the first alone."""
        marked = Rule(name="marks", column=self._named("marks_error"), comparison="==", threshold="", null="keep")
        n_images, most = self._named("n_images"), self.max_images
        rules = [marked] if self.marks else []
        rules.append(Rule(name="min_images", column=n_images, comparison=">=", threshold=self.min_images, null="keep"))
        if most is not None:
            rules.append(Rule(name="max_images", column=n_images, comparison="<=", threshold=most, null="keep"))
        return tuple(rules)

    @model_validator(mode="after")
    def _can_decode(self) -> Self:
        require_image_extra(self.op)
        return self

    def apply_media(self, batch: pa.RecordBatch, views: Views) -> pa.RecordBatch:
        """Judge the pictures of n documents."""
        texts = batch.column("text").to_pylist()
        return as_batch(self.writes(), [self._row(view, text) for view, text in zip(views, texts, strict=True)])

    def _row(self, view: View, text: str | None) -> _Row:
        try:
            pictures = list(pictures_in(view.data))
        except (DecodeError, tarfile.TarError) as error:
            return _Row(f"no archive of pictures: {error}"[:_FAULT_CHARACTERS], text)
        parts = (text or "").split(PICTURE_MARK)
        if len(parts) - 1 != len(pictures):
            return _Row(f"{len(parts) - 1} marks in the text, {len(pictures)} pictures", text)
        stay: list[dict[str, Any]] = []
        left_out: list[dict[str, Any]] = []
        whole, thumbnail = parts[0], None
        for at, ((name, data), after) in enumerate(zip(pictures, parts[1:], strict=True)):
            try:
                width, height, measures = self._judged(data)
            except DecodeError as error:
                left_out.append({"name": name, "reason": str(error)[:_FAULT_CHARACTERS]})
                whole = whole.rstrip("\n") + after if whole.strip() else after.lstrip("\n")
                continue
            thumbnail = thumbnail or measures["thumbnail"]
            stay.append(
                {
                    "name": name,
                    "media_type": media_type_in(data[:HEAD_BYTES]),
                    "width": width,
                    "height": height,
                    "sha256": hashlib.sha256(data).hexdigest(),
                    "phash": measures["phash"],
                    "at": at,
                }
            )
            whole += PICTURE_MARK + after
        return _Row(None, whole, len(stay), len(left_out), stay, left_out, thumbnail)

    def _judged(self, data: bytes) -> tuple[int, int, dict[str, Any]]:
        """Size and measures of a picture.

        Raises:
            DecodeError: it does not stay.
        """
        if not data:
            raise DecodeError("missing: there is no file of its name")
        try:
            picture = decode_picture(data, [MEASURES])
        except DecodeError:
            raise
        except Exception as error:  # what decoders raise on damaged bytes is their own affair
            raise DecodeError(f"{type(error).__name__}: {error}") from None
        width, height = picture.facts.width, picture.facts.height
        shorter, longer = min(width, height), max(width, height)
        if self.min_side is not None and shorter < self.min_side:
            raise DecodeError(f"min_side: {shorter} pixels, fewer than {self.min_side}")
        if self.max_side is not None and longer > self.max_side:
            raise DecodeError(f"max_side: {longer} pixels, more than {self.max_side}")
        if self.max_aspect is not None and longer > self.max_aspect * shorter:
            raise DecodeError(f"max_aspect: {longer / shorter:.2f}, more than {self.max_aspect:g}")
        return width, height, picture.value(MEASURES)


def pictures_in(archive: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of the pictures of a document, in their order."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        for member in opened:
            file = opened.extractfile(member)
            yield member.name, file.read() if file is not None else b""
