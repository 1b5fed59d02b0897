"""``text.extract_markdown``: the readable text of Markdown."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from winnowry.operators.base import Operator
from winnowry.operators.buffers import TEXT, as_text

_MARKED = r"[#*_\[\]<>|~`\\&=+]|(?m:^[ \t]{0,3}-)"
_FRONT_MATTER = (
    r"\A\x{FEFF}?---[ \t]*\n(?:[A-Za-z_][\w -]*:[^\n]*\n|[ \t]+[^\n]*\n|[ \t]*-[ \t][^\n]*\n)+---[ \t]*(?:\n|\z)"
)


class ExtractMarkdown(Operator):
    """Replace Markdown by its readable text.

    Of CommonMark and GitHub's tables, task lists, strike-through and footnotes: headings, emphasis and quotes lose
    their marks; links and reference links become their text; definitions, rules, front matter and HTML comments go;
    table rows become cells with tabs between them; bullets become ``-``; HTML tags go, those of blocks leaving a line
    break; character references and backslash escapes become their character; code stays as it is, without fences.
    Formulas between dollar signs stay as they are; ``2*3*4`` outside of them is emphasis by CommonMark's rules.
    One blank line stays between blocks that a blank line or a mark parted. A text without any mark stays as it is.

    ``mode: precise`` reads blocks and spans as CommonMark defines them (markdown-it-py). ``mode: fast`` reads line by
    line with regular expressions: a link or emphasis across lines keeps its marks, and so does what is nested; it costs
    a seventh as much (docs/reference/extraction.md). It also stands in for texts that a parser would need too long for:
    more than 500,000 characters or 20,000 lines, more than 20,000 opening brackets (``[`` or ``<``) or 1,000 in a
    paragraph, or blocks nested deeper than 60.

    Writes ``text`` (or the column named by ``as``); null stays null and empty stays empty.

    Source: CommonMark 0.31.2; GitHub Flavored Markdown Spec 0.29.
    """

    VERSION: ClassVar[int] = 3
    COST: ClassVar[Literal["cheap", "costly"]] = "costly"

    op: Literal["text.extract_markdown"] = "text.extract_markdown"
    mode: Literal["precise", "fast"] = Field(
        default="precise",
        description="How marks are read: precise by a parser of CommonMark, fast by regular expressions.",
    )
    alt_texts: bool = Field(default=False, description="Whether to keep the alternative texts of images.")
    code: Literal["keep", "drop"] = Field(
        default="keep", description="What becomes of fenced code blocks; code within a line always stays."
    )

    def reads(self) -> pa.Schema:
        """``text``."""
        return pa.schema([pa.field("text", TEXT)])

    def writes(self) -> pa.Schema:
        """``text``, replaced."""
        return pa.schema([pa.field(self.as_ or "text", TEXT)])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Extract the text of n documents."""
        text = as_text(batch.column("text"))
        marked = pc.fill_null(pc.match_substring_regex(text, _MARKED), False).to_numpy(zero_copy_only=False)
        rows = np.flatnonzero(marked)
        if len(rows):
            values = text.to_pylist()
            extracted = self._extract(text.take(pa.array(rows)))
            for row, value in zip(rows.tolist(), extracted, strict=True):
                values[row] = value
            text = pa.array(values, TEXT)
        return pa.record_batch([text], schema=self.writes())

    def _extract(self, texts: pa.Array) -> list[str]:
        """The texts of n documents, none of which is null."""
        from winnowry.operators.text.markdown_blocks import rendered
        from winnowry.operators.text.markdown_marks import without_marks

        texts = pc.replace_substring_regex(texts, _FRONT_MATTER, "")
        fenced_code = self.code == "keep"
        if self.mode == "fast":
            return without_marks(texts, alt_texts=self.alt_texts, fenced_code=fenced_code)
        extracted = [rendered(text, alt_texts=self.alt_texts, fenced_code=fenced_code) for text in texts.to_pylist()]
        too_costly = [row for row, text in enumerate(extracted) if text is None]
        if too_costly:
            stand_ins = without_marks(
                texts.take(pa.array(too_costly, pa.int64())), alt_texts=self.alt_texts, fenced_code=fenced_code
            )
            for row, text in zip(too_costly, stand_ins, strict=True):
                extracted[row] = text
        return [text for text in extracted if text is not None]
