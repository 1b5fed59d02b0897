"""What operators on documents share: the extra they need, the pages of a document that a record is."""

from __future__ import annotations

import importlib.util

from winnowry.operators.media.documents import Document
from winnowry.operators.media.views import DecodeError, View

PAGE = "page"
"""The unit of the span of a page: numbers of pages from 0, half open."""


def need_document(op: str) -> None:
    """Refuse a recipe whose operator cannot run here.

    Raises:
        ValueError: the extra is missing.
    """
    missing = [name for name in ("pypdfium2", "simplejpeg") if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(f"{op} needs {', '.join(missing)}; install it with: pip install 'winnowry[document]'")


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
