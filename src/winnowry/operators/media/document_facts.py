"""``document.facts``: what a document is, and whether there is a text in it."""

from __future__ import annotations

from typing import Any, Literal, Self

import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.operators.base import Rule
from winnowry.operators.media.document_operator import need_document, pages_of
from winnowry.operators.media.operator import MediaMeasure
from winnowry.operators.media.views import View, Wants


class DocumentFacts(MediaMeasure):
    """Read a PDF file to its last page, and write what it is.

    A file is what its bytes say. One that is encrypted with an empty password opens, as it does for everybody; one
    that needs a password is not decodable, and so is one that is cut off. Whether text may be copied out of it is a
    column: the permission is a question of licences, which `copyable` turns into a rule.

    Writes ``decode_error`` (string; null: it can be read), ``n_pages`` (of the record), ``pdf_version``, ``encrypted``,
    ``copy_allowed``, ``repaired`` (its table of objects was wrong and made anew), ``form`` (``acroform``, ``xfa``;
    null), ``title``, ``author``, ``creator``, ``producer``, ``created`` (as the file has them), ``page_width`` and
    ``page_height`` (of the first page, as shown, in points), ``n_text_pages`` (that have a text),
    ``n_scanned_pages`` (pictures of half a page or more and no visible text), ``unmapped_ratio`` (share of the glyphs
    of which nothing says which characters they are), ``n_hidden_chars`` (of text that nobody sees) and ``thumbnail``
    (of the first page; JPEG of at most 8 KiB). The others are null where the file cannot be read.

    Needs the extra ``document``.
    """

    op: Literal["document.facts"] = "document.facts"
    decodable: bool = Field(default=True, description="whether only documents that can be read are kept")
    copyable: bool = Field(
        default=False, description="whether only documents are kept whose permissions allow to copy text out of them"
    )
    max_pages: int | None = Field(default=None, ge=1, description="most pages; null: any")

    def wants(self) -> Wants:
        """The document."""
        return Wants()

    def writes(self) -> pa.Schema:
        """The columns of the class's description, in its order; after ``as``, if given."""
        columns = [
            ("n_pages", pa.int64()),
            ("pdf_version", pa.string()),
            ("encrypted", pa.bool_()),
            ("copy_allowed", pa.bool_()),
            ("repaired", pa.bool_()),
            ("form", pa.string()),
            ("title", pa.string()),
            ("author", pa.string()),
            ("creator", pa.string()),
            ("producer", pa.string()),
            ("created", pa.string()),
            ("page_width", pa.float64()),
            ("page_height", pa.float64()),
            ("n_text_pages", pa.int64()),
            ("n_scanned_pages", pa.int64()),
            ("unmapped_ratio", pa.float64()),
            ("n_hidden_chars", pa.int64()),
            ("thumbnail", pa.binary()),
        ]
        return self.columns(columns)

    def rules(self) -> tuple[Rule, ...]:
        """``decodable``, and the others where they are asked for."""
        prefix = f"{self.as_}_" if self.as_ is not None else ""
        copyable = Rule(name="copyable", column=f"{prefix}copy_allowed", comparison="==", threshold=True, null="keep")
        return (*self.limits(max_pages="n_pages"), *((copyable,) if self.copyable else ()))

    @model_validator(mode="after")
    def _can_decode(self) -> Self:
        need_document(self.op)
        return self

    def values_of(self, view: View) -> tuple[Any, ...]:
        """The facts of a document."""
        document, numbers = pages_of(view)
        facts = document.facts
        pages = [document.pages[number] for number in numbers]
        n_glyphs = sum(page.n_glyphs for page in pages)
        return (
            len(pages),
            facts.pdf_version,
            facts.encrypted,
            facts.copy_allowed,
            facts.repaired,
            facts.form,
            facts.title,
            facts.author,
            facts.creator,
            facts.producer,
            facts.created,
            pages[0].width,
            pages[0].height,
            sum(bool(page.text) for page in pages),
            sum(page.is_scan for page in pages),
            sum(page.n_unmapped for page in pages) / n_glyphs if n_glyphs else 0.0,
            sum(len(page.hidden) for page in pages),
            pages[0].thumbnail,
        )
