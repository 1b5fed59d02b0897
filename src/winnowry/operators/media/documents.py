"""Documents: the pages of a PDF file, with their text, and what the file is."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from winnowry.operators.media.faults import DecodeError
from winnowry.operators.media.pdf_process import read_pdf
from winnowry.operators.media.pictures import Plane, smaller
from winnowry.operators.media.views import View
from winnowry.sources.media_types import HEAD_BYTES, media_type_in

PAGE = "page"
"""The unit of the span of a page: numbers of pages from 0, half open."""
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


def need_document(op: str) -> None:
    """Refuse a recipe whose operator cannot run here.

    Raises:
        ValueError: the extra is missing.
    """
    missing = [name for name in ("pypdfium2", "simplejpeg") if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(f"{op} needs {', '.join(missing)}; install it with: pip install 'winnowry[document]'")


def decode_document(data: bytes) -> Document:
    """Read a file to its last page.

    Raises:
        DecodeError: it is no PDF, needs a password, is cut off, or none of its pages can be read.
    """
    media_type = media_type_in(data[:HEAD_BYTES])
    if media_type != "application/pdf":
        raise DecodeError(f"no PDF: {media_type}")
    # A reader looks for the header there; pdfium counts places in the file from it.
    answers = read_pdf(data[data.index(_HEADER) :])
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


def pages_of(view: View) -> tuple[Document, range]:
    """The document of a record and the numbers, from 0, of the pages that it is.

    Raises:
        DecodeError: it cannot be decoded, or the pages are not in it.
    """
    document, span = view.document(), view.span
    n_pages = len(document.pages)
    if span is None:
        return document, range(n_pages)
    end = n_pages if span.end is None else span.end
    if span.unit != PAGE or not 0 <= span.start < end <= n_pages:
        raise DecodeError(f"span {span.start:g} to {end:g} in {span.unit}, the document has {n_pages} pages")
    return document, range(int(span.start), int(end))


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
        written: bytes = simplejpeg.encode_jpeg(
            small, quality, "GRAY" if grey else "RGB", "Gray" if grey else "420"
        )
        if len(written) <= THUMBNAIL_BYTES:
            return written
    return None
