"""``document.pages``: documents cut into their pages, with the text of each."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Self

import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.operators.base import Rule
from winnowry.operators.media.document_operator import PAGE, need_document, pages_of
from winnowry.operators.media.documents import Page
from winnowry.operators.media.operator import SPAN_FIELD, MediaDerivation
from winnowry.operators.media.views import View, Wants


class _Child(NamedTuple):
    span: dict[str, Any]
    text: str | None
    n_pages: int
    page_number: int
    n_document_pages: int
    page_error: str | None
    text_error: str | None
    text_source: str | None
    n_glyphs: int
    n_unmapped: int
    n_hidden_chars: int
    n_images: int
    image_share: float
    scanned: bool
    page_width: float | None
    page_height: float | None
    thumbnail: bytes | None


class DocumentPages(MediaDerivation):
    """Replace each PDF file by its pages, with their text; no bytes are copied, a page is a span of its file.

    The text is what people see, in the order in which they read: lines of a column, then those of the next. A text
    that lies invisibly over the picture of a scan is the text of that page. What nobody sees otherwise (invisible,
    in the colour of what is behind it, covered, off the page) is counted, and left out. Lines are those of the page;
    a word that a hyphen parts at the end of a line is whole again.

    A file shows glyphs, and need not say which characters they are. Glyphs of which it does not, or which it maps to
    nothing or to private use, are never part of a text; a page with more than `max_unmapped` of them has no usable
    text and is quarantined, for somebody to recognise it from its picture.

    Writes ``span`` (unit ``page``, numbers from 0, half open), ``text`` (null where a page has none), ``n_pages`` (1),
    ``page_number`` (from 1), ``n_document_pages``, ``page_error`` (string; null: the page can be read), ``text_error``
    (string: ``blank page``, ``no text layer``, ``no text layer (scan)``, ``text layer unusable: …``; null: it has a
    text), ``text_source`` (``visible``, ``invisible_over_image``, ``mixed``; null), ``n_glyphs`` (of the text, blanks
    included), ``n_unmapped``, ``n_hidden_chars``, ``n_images``, ``image_share`` (of the page), ``scanned`` (pictures
    of half the page or more and no visible text), ``page_width`` and ``page_height`` (points, as shown) and
    ``thumbnail`` (JPEG of at most 8 KiB).

    Needs the extra ``document``.

    Source: ISO 32000-1, 9.3.6 (rendering modes), 9.10 (from glyphs to text), 14.9.4 (replacement text).
    """

    op: Literal["document.pages"] = "document.pages"
    decodable: bool = Field(default=True, description="whether only pages that can be read are kept")
    readable: bool = Field(default=True, description="whether only pages with a usable text are kept")
    max_unmapped: float = Field(
        default=0.05, ge=0, le=1, description="share of glyphs without a character, from which a text is unusable"
    )
    hidden: Literal["leave_out", "append"] = Field(
        default="leave_out", description="what happens to text that nobody sees; appended, it is behind a blank line"
    )

    def wants(self) -> Wants:
        """The document."""
        return Wants()

    def writes(self) -> pa.Schema:
        """The columns of the class's description, in its order."""
        return pa.schema(
            [
                SPAN_FIELD,
                pa.field("text", pa.large_string()),
                pa.field("n_pages", pa.int64()),
                pa.field("page_number", pa.int64()),
                pa.field("n_document_pages", pa.int64()),
                pa.field("page_error", pa.string()),
                pa.field("text_error", pa.string()),
                pa.field("text_source", pa.string()),
                pa.field("n_glyphs", pa.int64()),
                pa.field("n_unmapped", pa.int64()),
                pa.field("n_hidden_chars", pa.int64()),
                pa.field("n_images", pa.int64()),
                pa.field("image_share", pa.float64()),
                pa.field("scanned", pa.bool_()),
                pa.field("page_width", pa.float64()),
                pa.field("page_height", pa.float64()),
                pa.field("thumbnail", pa.binary()),
            ]
        )

    def rules(self) -> tuple[Rule, ...]:
        """``decodable`` and ``readable``, on the pages."""
        asked = (("decodable", self.decodable, "page_error"), ("readable", self.readable, "text_error"))
        return tuple(
            Rule(name=name, column=column, comparison="==", threshold="", null="keep")
            for name, is_set, column in asked
            if is_set
        )

    @model_validator(mode="after")
    def _can_run(self) -> Self:
        need_document(self.op)
        return self

    def parts_of(self, view: View) -> list[_Child]:
        """The pages of a document."""
        document, numbers = pages_of(view)
        return [self._child(document.pages[number], number, len(document.pages)) for number in numbers]

    def _child(self, page: Page, number: int, n_pages: int) -> _Child:
        fault = page.text_fault(self.max_unmapped) if page.fault is None else None
        texts = [page.text] if fault is None and page.fault is None else []
        if self.hidden == "append" and page.hidden:
            texts.append(page.hidden)
        return _Child(
            span={"start": float(number), "end": float(number + 1), "unit": PAGE},
            text="\n\n".join(texts) or None,
            n_pages=1,
            page_number=number + 1,
            n_document_pages=n_pages,
            page_error=page.fault,
            text_error=fault,
            text_source=page.text_source,
            n_glyphs=page.n_glyphs,
            n_unmapped=page.n_unmapped,
            n_hidden_chars=len(page.hidden),
            n_images=page.n_images,
            image_share=page.image_share,
            scanned=page.is_scan,
            page_width=page.width,
            page_height=page.height,
            thumbnail=page.thumbnail,
        )
