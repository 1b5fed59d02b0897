"""Small pictures for the page of a release; they need Pillow, the extra ``image``."""

from __future__ import annotations

import importlib.util
import io
import warnings

SIDE_PX = 160
MOST_BYTES = 64 << 10
"""Of a thumbnail; twelve of them stay far below what a page may have."""
_MOST_PIXELS = 100_000_000  # of a picture that is decoded
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
_QUALITIES = (80, 50, 25)


def why_no_thumbnails() -> str | None:
    """Why no thumbnail can be made on this machine; None where one can."""
    if importlib.util.find_spec("PIL") is not None:
        return None
    return "No pictures are shown: that needs Pillow (pip install 'winnowry[image]')."


def thumbnail(data: bytes) -> bytes | None:
    """A JPEG of at most 160 × 160 pixels and 64 KiB; None of what is no picture or too large to be decoded."""
    from PIL import Image, ImageOps

    Image.init()
    known = tuple(name for name in _FORMATS if name in Image.OPEN)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=known) as image:
                if image.width * image.height > _MOST_PIXELS:
                    return None
                image.draft("RGB", (2 * SIDE_PX, 2 * SIDE_PX))
                upright = ImageOps.exif_transpose(image)
                upright.thumbnail((SIDE_PX, SIDE_PX))
                small = upright.convert("RGB")
    except Exception:
        return None  # damaged bytes: the decoders raise what they like, and a page shows one picture less
    for quality in _QUALITIES:
        written = io.BytesIO()
        small.save(written, "JPEG", quality=quality)
        if written.tell() <= MOST_BYTES:
            return written.getvalue()
    return None
