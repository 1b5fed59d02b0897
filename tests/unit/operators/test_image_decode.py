"""``image.decode`` says how an image is shown, whatever its metadata are worth."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pytest

from winnowry.operators.media.image import ImageDecode

Image = pytest.importorskip("PIL.Image")


def written(format: str, orientation: int | None = None, exif: bytes | None = None) -> bytes:
    """An image 30 wide and 20 high, with an orientation or with raw EXIF bytes."""
    options: dict[str, Any] = {}
    if orientation is not None:
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = orientation
    if exif is not None:
        options["exif"] = exif
    out = io.BytesIO()
    Image.new("RGB", (30, 20), (9, 99, 200)).save(out, format, **options)
    return out.getvalue()


def decoded(data: bytes) -> dict[str, Any]:
    batch = pa.record_batch([pa.array([data], pa.large_binary())], names=["payload"])
    row: dict[str, Any] = ImageDecode().apply(batch).to_pylist()[0]
    return row


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize(("orientation", "shown"), [(1, (30, 20)), (3, (30, 20)), (6, (20, 30)), (8, (20, 30))])
def test_width_and_height_are_those_of_the_image_as_it_is_shown(
    format: str, orientation: int, shown: tuple[int, int]
) -> None:
    row = decoded(written(format, orientation))
    assert (row["decodes"], row["width"], row["height"], row["n_pixels"]) == ("ok", *shown, 600)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize("exif", [b"Exif\0\0damaged", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*"])
def test_damaged_metadata_keep_no_image_from_being_decoded(format: str, exif: bytes) -> None:
    row = decoded(written(format, exif=exif))
    assert (row["decodes"], row["width"], row["height"]) == ("ok", 30, 20)
