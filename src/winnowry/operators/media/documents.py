"""Documents: the pages of a PDF file, with their text, and what the file is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from winnowry.operators.media.faults import DecodeError
from winnowry.operators.media.pdf_process import read_pdf
from winnowry.operators.media.pictures import Plane, smaller
from winnowry.sources.media_types import HEAD_BYTES, media_type_in

THUMBNAIL_BYTES = 8 << 10
"""Most of a thumbnail."""
SCAN_IMAGE_SHARE = 0.5
"""Share of a page that images cover, from which a page without visible text is a scan."""

_HEADER, _HEADER_BYTES = b"%PDF-", 1024
_THUMBNAILS = tuple((side, quality) for side in (360, 240, 160) for quality in (60, 35, 15))
"""Sides and qualities in the order in which they are tried."""


class DocumentFacts(NamedTuple):
    """What a file says of itself.

    Attributes:
        pdf_version: e.g. ``1.7``.
        n_pages: as counted by its tree of pages, also those that cannot be read.
        encrypted: whether it is encrypted; one that can be read has an empty password.
        copy_allowed: whether its permissions allow to copy text out of it.
        repaired: whether its table of objects was wrong and made anew.
        form: ``acroform`` or ``xfa``; None where it is no form.
        title, author, creator, producer, created: as the file has them; None for none.
    """

    pdf_version: str | None
    n_pages: int
    encrypted: bool
    copy_allowed: bool
    repaired: bool
    form: str | None
    title: str | None
    author: str | None
    creator: str | None
    producer: str | None
    created: str | None


class Page(NamedTuple):
    """One page.

    Attributes:
        fault: why it cannot be read; None: it can.
        width, height: as shown, in points.
        text: what people see, or what lies invisibly over the picture of a scan; in reading order.
        hidden: text that nobody sees.
        n_glyphs: of the text, blanks included.
        n_unmapped: those of them of which nothing says which characters they are; they are not in the text.
        text_source: ``visible``, ``invisible_over_image`` or ``mixed``; None without text.
        n_images: how many are drawn.
        image_share: share of the page that images cover.
        is_blank: whether nothing is drawn.
        thumbnail: JPEG; None where the page cannot be read.
    """

    fault: str | None = None
    width: float | None = None
    height: float | None = None
    text: str = ""
    hidden: str = ""
    n_glyphs: int = 0
    n_unmapped: int = 0
    text_source: str | None = None
    n_images: int = 0
    image_share: float = 0.0
    is_blank: bool = False
    thumbnail: bytes | None = None

    @property
    def is_scan(self) -> bool:
        """Whether it is a picture, with or without a text that nobody sees."""
        return self.image_share >= SCAN_IMAGE_SHARE and self.text_source not in ("visible", "mixed")

    def text_fault(self, max_unmapped: float) -> str | None:
        """Why its text cannot be used; None: it can."""
        if self.n_unmapped > max_unmapped * self.n_glyphs:
            return f"text layer unusable: {self.n_unmapped} of {self.n_glyphs} glyphs without Unicode"
        if self.text:
            return None
        if self.is_blank:
            return "blank page"
        return "no text layer (scan)" if self.is_scan else "no text layer"


@dataclass(frozen=True)
class Document:
    """A file: what it says of itself, and its pages."""

    facts: DocumentFacts
    pages: tuple[Page, ...]


def decode_document(data: bytes) -> Document:
    """Read a file to its last page.

    Raises:
        DecodeError: it is no PDF, needs a password, is cut off, or none of its pages can be read.
    """
    media_type = media_type_in(data[:HEAD_BYTES])
    if media_type != "application/pdf":
        raise DecodeError(f"no PDF: {media_type}")
    answers = read_pdf(_from_header(data))
    read, _ = next(answers)
    if read["fault"] is not None:
        for _ in answers:
            pass
        raise DecodeError(read["fault"])
    pages = tuple(_page(values, content) for values, content in answers)
    if all(page.fault is not None for page in pages):
        raise DecodeError(f"damaged: none of its {len(pages)} pages can be read")
    facts = DocumentFacts(
        pdf_version=read["version"],
        created=read["creationdate"],
        **{name: read[name] for name in DocumentFacts._fields if name not in ("pdf_version", "created")},
    )
    return Document(facts, pages)


def pictures_of_pages(data: bytes, numbers: Sequence[int], side_px: int) -> Iterator[Plane]:
    """Some pages as they are shown, each with a longer side of ``side_px``: rows × columns × 3.

    Raises:
        DecodeError: one of them cannot be read.
    """
    answers = read_pdf(_from_header(data), draw=numbers, side_px=side_px)
    for values, content in answers:
        if values["fault"] is not None:
            raise DecodeError(values["fault"])
        if "picture" in values:
            width, height = values["picture"]
            yield np.frombuffer(content, np.uint8).reshape(height, width, 3)


def _from_header(data: bytes) -> bytes:
    """The file from its header on, from which the places in it are counted."""
    start = data.find(_HEADER, 0, _HEADER_BYTES)
    if start < 0:
        raise DecodeError("no PDF: no header")
    return data[start:]


def _page(values: dict[str, Any], content: bytes) -> Page:
    if values["fault"] is not None:
        return Page(values["fault"])
    width_px, height_px = values["picture"]
    picture = np.frombuffer(content, np.uint8).reshape(height_px, width_px, 3)
    return Page(
        text_source=values["source"],
        thumbnail=_thumbnail(picture),
        **{name: values[name] for name in Page._fields if name not in ("text_source", "thumbnail")},
    )


def _thumbnail(picture: Plane) -> bytes | None:
    """A JPEG of at most 8 KiB, as large as that allows; grey where the page is."""
    import simplejpeg

    grey = bool((picture[:, :, 0] == picture[:, :, 1]).all() and (picture[:, :, 1] == picture[:, :, 2]).all())
    plane = picture[:, :, :1] if grey else picture
    for side, quality in _THUMBNAILS:
        small = smaller(np.ascontiguousarray(plane), side)
        written: bytes = simplejpeg.encode_jpeg(small, quality, "GRAY" if grey else "RGB", "Gray" if grey else "420")
        if len(written) <= THUMBNAIL_BYTES:
            return written
    return None
