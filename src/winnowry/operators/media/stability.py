"""``image.stability``: whether a machine takes a picture for the same one after it was written anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.operators.base import Rule
from winnowry.operators.media.measure import require_image_extra
from winnowry.operators.media.operator import MediaOperator, as_batch
from winnowry.operators.media.perceptual_hash import perceptual_hash
from winnowry.operators.media.pictures import Pixels, Plane
from winnowry.operators.media.views import DecodeError, View, Views, Wants
from winnowry.operators.quality import Quality

_JPEG_QUALITY = 75
_COLUMNS = ("flipped_bits_jpeg", "flipped_bits_half")
_Flipped = tuple[int | None, int | None]


@dataclass(frozen=True)
class _FlippedBits:
    """The reduction of a picture to the bits of its hash that change when it is written anew."""

    def __call__(self, pixels: Pixels) -> _Flipped:
        before = perceptual_hash(pixels.small_luma)
        if before is None:
            return None, None
        return _flipped(before, pixels, _compressed(pixels.stored)), _flipped(before, pixels, _half(pixels.stored))


class ImageStability(MediaOperator):
    """Count the bits of a picture's perceptual hash that flip when it is compressed again, and at half its size.

    A measure of what a machine gets out of a picture: people see no difference between the two. What flips many bits
    hangs by detail that the next copy loses: it will be taken for another picture, and its copies will not be found.
    Of 64 bits a random picture shares 32; ``dedup.image`` takes up to 7 for the same.

    Writes ``flipped_bits_jpeg`` (of 64; written as JPEG of quality 75 with halved colours) and ``flipped_bits_half``
    (each side halved, by area), int64; null where the picture cannot be decoded or has no hash. A picture with little
    structure has a digest for its hash (see ``image.measure``): of that about half flip as soon as anything changes.

    Needs the extra ``image``. It costs another decoding, of the copy.
    """

    QUALITIES: ClassVar[Mapping[str, Quality]] = {name: Quality("machine", "lower") for name in _COLUMNS}

    op: Literal["image.stability"] = "image.stability"
    max_flipped_bits: int | None = Field(
        default=None, ge=0, le=64, description="most bits that either copy may flip; null: any"
    )

    def wants(self) -> Wants:
        """The flipped bits."""
        return Wants(picture=frozenset({_FlippedBits()}))

    def writes(self) -> pa.Schema:
        """``flipped_bits_jpeg`` and ``flipped_bits_half``; after ``as``, if given."""
        prefix = f"{self.as_}_" if self.as_ is not None else ""
        return pa.schema([pa.field(prefix + name, pa.int64()) for name in _COLUMNS])

    def rules(self) -> tuple[Rule, ...]:
        """``max_flipped_bits`` of both copies, if given; what cannot be decoded passes."""
        if self.max_flipped_bits is None:
            return ()
        return tuple(
            Rule(name="max_flipped_bits", column=name, comparison="<=", threshold=self.max_flipped_bits, null="keep")
            for name in self.writes().names
        )

    @model_validator(mode="after")
    def _can_decode(self) -> Self:
        require_image_extra(self.op)
        return self

    def apply_media(self, batch: pa.RecordBatch, views: Views) -> pa.RecordBatch:
        """Write n pictures anew."""
        return as_batch(self.writes(), (_of_view(view) for view in views))


def _of_view(view: View) -> _Flipped:
    try:
        return view.picture().value(_FlippedBits())
    except DecodeError:
        return None, None


def _flipped(before: str, pixels: Pixels, copy: Plane) -> int:
    after = perceptual_hash(pixels.like(copy).small_luma)
    return 64 if after is None else (int(before, 16) ^ int(after, 16)).bit_count()


def _compressed(stored: Plane) -> Plane:
    import simplejpeg

    if stored.ndim == 2:
        grey: Plane = simplejpeg.decode_jpeg(
            simplejpeg.encode_jpeg(stored[:, :, None], _JPEG_QUALITY, "GRAY", "Gray"), "GRAY"
        )
        return grey[:, :, 0]
    colours: Plane = simplejpeg.decode_jpeg(simplejpeg.encode_jpeg(stored, _JPEG_QUALITY, "RGB", "420"), "RGB")
    return colours


def _half(stored: Plane) -> Plane:
    from winnowry.operators.media.kernels.planes import shrink

    height, width = stored.shape[:2]
    rows, columns = max(1, height // 2), max(1, width // 2)
    return shrink(stored.reshape(height, width, -1), rows, columns).reshape(rows, columns, *stored.shape[2:])
