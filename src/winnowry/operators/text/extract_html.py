"""``text.extract_html``: the readable text of HTML."""

from __future__ import annotations

import html
import importlib.util
import re
from typing import TYPE_CHECKING, ClassVar, Literal, Self, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from winnowry.operators.base import Operator
from winnowry.operators.buffers import TEXT, as_text, utf8_buffers
from winnowry.operators.text.html_blocks import HELD, NOT_TEXT, hold_characters, keep_blocks
from winnowry.operators.text.html_formulas import FORMULA_SIGNS, write_formulas
from winnowry.operators.text.html_marks import MARK_SIGNS, write_marks

if TYPE_CHECKING:
    from resiliparse.parse.html import HTMLTree

    from winnowry.operators.text.html_tree import Page

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
_MOST_PRECISE_TAGS = 20_000

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


def _html_rows(text: pa.Array) -> npt.NDArray[np.int64]:
    """Rows that are HTML, rising."""
    begins = pc.fill_null(pc.match_substring_regex(text, _BEGINS_AS_HTML), False)
    is_html = begins.to_numpy(zero_copy_only=False).copy()
    others = np.flatnonzero(~is_html)
    blocks = pc.count_substring_regex(text.take(pa.array(others)), _BLOCK_END)
    is_html[others] = pc.fill_null(pc.greater_equal(blocks, _FEWEST_BLOCKS), False).to_numpy(zero_copy_only=False)
    return np.flatnonzero(is_html).astype(np.int64)


def _readable(page: str) -> HTMLTree:
    """The tree of a page, its formulas and raised text written as characters."""
    from resiliparse.parse.html import HTMLTree

    tree = HTMLTree.parse(page)
    if tree.body is not None:
        source = page.lower()
        parsed = cast("Page", tree)
        if any(sign in source for sign in FORMULA_SIGNS):
            write_formulas(parsed)
        if any(sign in source for sign in MARK_SIGNS):
            write_marks(parsed)
    return tree


class ExtractHtml(Operator):
    """Replace HTML by its readable text; leave other text as it is.

    A text counts as HTML when it begins with a doctype or a common HTML tag, or has at least three end tags of block
    elements. Extraction is that of resiliparse: paragraphs, lists, tables and preformatted text keep their line
    structure; scripts, styles, comments, hidden elements, form fields, and what stands in for pictures, sound and film
    go. Tables, code, quotes and captions of a ``<figure>`` stay. Of whole pages (with ``<html>``, ``<body>`` or a
    doctype) only the main content stays, without navigation and footers (see ``main_content``); if that heuristic
    finds nothing, all text stays. A list is navigation when more than a third of its text are links.

    Raised and lowered text gets a sign: ``10^6``, ``x^(n+1)``, ``x_i``; ordinals (``1st``), trade marks and chemical
    formulas (``H2O``) get none, footnote numbers brackets. A formula becomes its TeX source, once; MathML without one
    becomes a line (``(a+1)/b``). ``<q>`` gets quotation marks, a ``<ruby>`` reading parentheses.

    ``mode: precise`` takes the main content of whole pages from trafilatura instead, set up as for FineWeb: it lets
    less boilerplate through and costs about 14 times as much (docs/reference/extraction.md). Where it finds nothing,
    and on pages of more than 20,000 tags, which it would read in quadratic time, the fast mode stands in.

    Markup built to exhaust a parser (nested deeper than 500 elements, more than 1,000 attributes on a tag, more than
    a million formatting elements to open again) is stripped tag by tag instead.

    Writes ``text`` (or the column named by ``as``); null stays null and empty stays empty.

    Source: Bevendorff et al. 2018 and 2023 (resiliparse); Barbaresi 2021, "Trafilatura", ACL-IJCNLP demonstrations;
    Penedo et al. 2024, FineWeb (trafilatura for precision); WHATWG HTML, section 13.2 on how misnested tags are read;
    Kohlschütter et al. 2010, "Boilerplate detection using shallow text features" (link density).
    """

    VERSION: ClassVar[int] = 2
    COST: ClassVar[Literal["cheap", "costly"]] = "costly"

    op: Literal["text.extract_html"] = "text.extract_html"
    main_content: Literal["pages", "always", "never"] = Field(
        default="pages",
        description="Where to drop navigation, footers and other boilerplate: on whole pages (those with an html or "
        "body tag or a doctype), on fragments of HTML too, or nowhere. On fragments the heuristic drops lists.",
    )
    mode: Literal["fast", "precise"] = Field(
        default="fast",
        description="How the main content is found: fast by resiliparse, precise by trafilatura (extra winnowry[web]). "
        "Source: FineWeb (Penedo et al. 2024), which uses trafilatura with favour_precision.",
    )
    alt_texts: bool = Field(default=False, description="Whether to keep the alternative texts of images.")

    @model_validator(mode="after")
    def _can_run(self) -> Self:
        if self.mode == "precise":
            if self.main_content == "never":
                raise ValueError("`mode: precise` finds main content; with `main_content: never` there is none to find")
            if importlib.util.find_spec("trafilatura") is None:
                raise ValueError("`mode: precise` needs trafilatura; install it with: pip install 'winnowry[web]'")
        return self

    def reads(self) -> pa.Schema:
        """``text``."""
        return pa.schema([pa.field("text", TEXT)])

    def writes(self) -> pa.Schema:
        """``text``, replaced."""
        return pa.schema([pa.field(self.as_ or "text", TEXT)])

    def _extract(self, page: str, whole: bool) -> str:
        if self.mode == "precise" and whole and page.count("<") <= _MOST_PRECISE_TAGS:
            from trafilatura import extract

            precise: str | None = extract(
                str(_readable(page)).replace(HELD, ""), favor_precision=True, include_comments=False
            )
            if precise:
                return precise
        if self.main_content == "always" or (self.main_content == "pages" and whole):
            text = self._text(page, main_content=True)
            if text and not text.isspace():
                return text
        return self._text(page, main_content=False)

    def _text(self, page: str, *, main_content: bool) -> str:
        from resiliparse.extract.html2text import extract_plain_text

        tree = _readable(hold_characters(page) if main_content else page)
        if tree.body is None:
            return ""
        if main_content:
            keep_blocks(cast("Page", tree))
        # `alt_texts=False` would drop all of <figure>, tables and code included: images are left out by name instead.
        text: str = extract_plain_text(
            tree, main_content=main_content, alt_texts=True, skip_elements=None if self.alt_texts else NOT_TEXT
        )
        return text.replace(HELD, "")

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Extract the text of n documents."""
        from winnowry.operators.text.kernels import markup

        text = as_text(batch.column("text"))
        rows = _html_rows(text)
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
