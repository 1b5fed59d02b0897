"""``text.extract_html``: the readable text of HTML."""

from __future__ import annotations

import html
import re
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from winnowry.operators.base import Operator
from winnowry.operators.buffers import TEXT, as_text, utf8_buffers

_BEGINS_AS_HTML = (
    r"(?i)\A[\s\x{FEFF}]*(?:<\?xml[^>]*>\s*)?(?:<!doctype\s+html|<(?:html|head|body|title|meta|link|script|style|base"
    r"|div|p|span|a|h[1-6]|ul|ol|li|dl|dt|dd|table|thead|tbody|tr|td|th|br|hr|img|article|section|main|header|footer"
    r"|nav|aside|form|pre|blockquote|center|font|b|i|u|em|strong|code|small|figure|iframe)(?:[\s/][^<]*)?>)"
)
_BLOCK_END = r"(?i)</(?:p|div|ul|ol|li|dl|dd|table|tr|td|h[1-6]|section|article|main|body|html)\s*>"
_FEWEST_BLOCKS = 3
_WHOLE_PAGE = r"(?i)<(?:html|body|!doctype)[\s>]"

_DEEPEST = 500
_MOST_ATTRIBUTES = 1000
_MOST_REOPENED = 1_000_000

_INVISIBLE = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|template|noscript|head)(?=[\s/>]).*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE
)
_INLINE_TAG = re.compile(
    r"</?(?:a|abbr|b|big|cite|code|em|font|i|kbd|mark|q|s|small|span|strong|sub|sup|tt|u|var|wbr)(?:[\s/][^>]*)?(?:>|\Z)",
    re.IGNORECASE,
)
_TAG = re.compile(r"<[a-zA-Z/!?][^>]*(?:>|\Z)")


def strip_tags(page: str) -> str:
    r"""The text of markup that no parser should see, in linear time: tags out, one line a block.

    >>> strip_tags("<div><p>a &lt; <b>b</b></p><p>c")
    'a < b\nc'
    """
    text = _TAG.sub("\n", _INLINE_TAG.sub("", _INVISIBLE.sub(" ", page)))
    lines = (" ".join(line.split()) for line in html.unescape(text).split("\n"))
    return "\n".join(line for line in lines if line)


class ExtractHtml(Operator):
    """Replace HTML by its readable text; leave other text as it is.

    A text counts as HTML when it begins with a doctype or a common HTML tag, or has at least three end tags of block
    elements. Extraction is that of resiliparse: paragraphs, lists, tables and preformatted text keep their line
    structure; scripts, styles, comments and hidden elements go. Of whole pages (with ``<html>``, ``<body>`` or a
    doctype) only the main content stays, without navigation and footers (see ``main_content``); if that heuristic
    finds nothing, all text stays.

    Markup built to exhaust a parser (nested deeper than 500 elements, more than 1,000 attributes on a tag, more than
    a million formatting elements to open again) is stripped tag by tag instead.

    Writes ``text`` (or the column named by ``as``); null stays null and empty stays empty.

    Source: Bevendorff et al. 2018 and 2023 (resiliparse); WHATWG HTML, section 13.2 on how misnested tags are read.
    """

    COST: ClassVar[Literal["cheap", "costly"]] = "costly"

    op: Literal["text.extract_html"] = "text.extract_html"
    main_content: Literal["pages", "always", "never"] = Field(
        default="pages",
        description="Where to drop navigation, footers and other boilerplate: on whole pages (those with an html or "
        "body tag or a doctype), on fragments of HTML too, or nowhere. On fragments the heuristic drops lists.",
    )
    alt_texts: bool = Field(default=False, description="Whether to keep the alternative texts of images.")

    def reads(self) -> pa.Schema:
        """``text``."""
        return pa.schema([pa.field("text", TEXT)])

    def writes(self) -> pa.Schema:
        """``text``, replaced."""
        return pa.schema([pa.field(self.as_ or "text", TEXT)])

    def _extract(self, page: str, whole: bool) -> str:
        from resiliparse.extract.html2text import extract_plain_text

        if self.main_content == "always" or (self.main_content == "pages" and whole):
            text: str = extract_plain_text(page, main_content=True, alt_texts=self.alt_texts)
            if text and not text.isspace():
                return text
        everything: str = extract_plain_text(page, alt_texts=self.alt_texts)
        return everything

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Extract the text of n documents."""
        from winnowry.operators.text.kernels import markup

        text = as_text(batch.column("text"))
        is_html = pc.or_(
            pc.match_substring_regex(text, _BEGINS_AS_HTML),
            pc.greater_equal(pc.count_substring_regex(text, _BLOCK_END), _FEWEST_BLOCKS),
        )
        rows = np.flatnonzero(pc.fill_null(is_html, False).to_numpy(zero_copy_only=False)).astype(np.int64)
        if len(rows):
            buffers = utf8_buffers(text)
            depth, attributes, reopened = markup.measure_markup(
                buffers.offsets, buffers.data, rows, markup.LEAVES, markup.FORMATTING, markup.RAW
            )
            tangled = (depth > _DEEPEST) | (attributes > _MOST_ATTRIBUTES) | (reopened > _MOST_REOPENED)
            pages = text.take(pa.array(rows))
            whole = pc.match_substring_regex(pages, _WHOLE_PAGE).to_pylist()
            extracted = text.to_pylist()
            for row, page, is_whole, is_tangled in zip(
                rows.tolist(), pages.to_pylist(), whole, tangled.tolist(), strict=True
            ):
                extracted[row] = strip_tags(page) if is_tangled else self._extract(page, is_whole)
            text = pa.array(extracted, TEXT)
        return pa.record_batch([text], schema=self.writes())
