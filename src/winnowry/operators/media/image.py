"""``image.decode``: what an image is, read from its bytes."""

from __future__ import annotations

import importlib.util
import io
import warnings
from functools import cache
from typing import Any, Literal, NamedTuple, Self

import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.operators.base import Operator, Rule

DECODED = "ok"
_FAULT_CHARACTERS = 200
_ORIENTATION = 0x0112  # EXIF tag
_MOST_PIXELS = 178_956_970  # Pillow refuses larger images itself
_FORMATS = ("AVIF", "BMP", "GIF", "ICO", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""Formats that are decoded in this process; Pillow hands others (EPS) to a program."""
_TURNED = (5, 6, 7, 8)  # orientations by which width and height change places


class _Image(NamedTuple):
    decodes: str | None
    width: int | None = None
    height: int | None = None
    n_pixels: int | None = None
    image_format: str | None = None
    n_frames: int | None = None


class ImageDecode(Operator):
    """Decode every frame of an image, and write how wide and high it is, of which format, with how many frames.

    The format is the one that the bytes say, never the file's name. Width and height are those of the image as it is
    shown: an EXIF orientation that turns it by a quarter is applied. A record that is no image, or one that is cut
    off, goes to quarantine with the reason, and so does one with more pixels than ``max_pixels``: that is told from
    its header, before anything is decoded, so that a small file cannot take the machine's memory.

    Writes ``decodes`` (string; ``ok``, or what is wrong), ``width``, ``height``, ``n_pixels`` (of one frame),
    ``image_format`` (string, e.g. ``PNG``) and ``n_frames``; null where the image does not decode.

    Needs the extra ``image``.
    """

    COST = "costly"

    op: Literal["image.decode"] = "image.decode"
    decodes: bool = Field(default=True, description="whether only images that decode are kept")
    max_pixels: int = Field(
        default=100_000_000, ge=1, le=_MOST_PIXELS, description="most pixels of a frame; more are not decoded"
    )
    max_frames: int = Field(default=1000, ge=1, description="most frames; more are not decoded")

    def reads(self) -> pa.Schema:
        """``payload``, large_binary: the bytes of the file."""
        return pa.schema([pa.field("payload", pa.large_binary())])

    def writes(self) -> pa.Schema:
        """``decodes``, ``width``, ``height``, ``n_pixels``, ``image_format``, ``n_frames``; after ``as``, if given."""
        prefix = f"{self.as_}_" if self.as_ is not None else ""
        return pa.schema(
            [
                pa.field(f"{prefix}decodes", pa.string()),
                pa.field(f"{prefix}width", pa.int64()),
                pa.field(f"{prefix}height", pa.int64()),
                pa.field(f"{prefix}n_pixels", pa.int64()),
                pa.field(f"{prefix}image_format", pa.string()),
                pa.field(f"{prefix}n_frames", pa.int64()),
            ]
        )

    def rules(self) -> tuple[Rule, ...]:
        """``decodes``: the image can be decoded to its last frame."""
        if not self.decodes:
            return ()
        return (Rule(name="decodes", column=self.writes().names[0], comparison="==", threshold=DECODED),)

    @model_validator(mode="after")
    def _can_decode(self) -> Self:
        if importlib.util.find_spec("PIL") is None:
            raise ValueError("image.decode needs Pillow; install it with: pip install 'winnowry[image]'")
        return self

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Decode n files; a null is no image."""
        images = [self._decode(data) for data in batch.column("payload").to_pylist()]
        schema = self.writes()
        columns = list(zip(*images, strict=True)) or [()] * len(schema)
        return pa.record_batch([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)

    def _decode(self, data: bytes | None) -> _Image:
        if not data:
            return _Image("no bytes")
        from PIL import Image, UnidentifiedImageError

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # metadata that is odd does not keep an image from being decoded
                with Image.open(io.BytesIO(data), formats=_formats()) as image:
                    return self._measured(image)
        except UnidentifiedImageError:
            return _Image("no image of a known format")
        except Exception as error:
            # What decoders raise on damaged bytes is their own affair: OSError, SyntaxError, struct.error, ….
            return _Image(f"{type(error).__name__}: {error}"[:_FAULT_CHARACTERS])

    def _measured(self, image: Any) -> _Image:
        pixels = image.width * image.height
        if pixels > self.max_pixels:
            return _Image(f"{image.width}×{image.height} is {pixels} pixels, more than {self.max_pixels}")
        frames = getattr(image, "n_frames", 1)
        if frames > self.max_frames:
            return _Image(f"{frames} frames, more than {self.max_frames}")
        width, height = image.size
        for frame in range(frames):
            image.seek(frame)
            if image.width * image.height > self.max_pixels:
                return _Image(f"frame {frame} has {image.width * image.height} pixels, more than {self.max_pixels}")
            image.load()
            if frame == 0:
                # After loading: the TIFF reader has then turned the image itself, and taken the orientation away.
                width, height = image.size[::-1] if _orientation(image) in _TURNED else image.size
        return _Image(DECODED, width, height, pixels, image.format, frames)


def _orientation(image: Any) -> object:
    """The EXIF orientation; None where the metadata is damaged, which does not keep an image from being shown."""
    try:
        return image.getexif().get(_ORIENTATION)
    except Exception:
        return None


@cache
def _formats() -> tuple[str, ...]:
    """Those of the formats that this Pillow was built with."""
    from PIL import Image

    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)
