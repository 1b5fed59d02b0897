"""``text.extract_markdown``: the readable text of Markdown."""

from __future__ import annotations

import html
import re
from typing import Literal

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

_CODE = re.compile(
    r"^ {0,3}(?P<fence>`{3,}|~{3,})[^\n`]*\n(?P<block>.*?)(?:^ {0,3}(?P=fence)[`~]*[ \t]*$|\Z)"
    r"|(?<![`\\])(?P<ticks>`{1,8})(?!`)(?P<inline>[^\n]{1,1000}?)(?<!`)(?P=ticks)(?!`)",
    re.DOTALL | re.MULTILINE,
)
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_HELD = 0xE000
"""Escaped punctuation waits in the private use area while the other marks go."""
_HELD_ANY = re.compile("[\ue021-\ue07e]")
_RELEASED = {_HELD + point: point for point in range(0x21, 0x7F)}
_TABLE_ROW = re.compile(r"^[ \t]{0,3}\|(.*?)\|?[ \t]*$", re.MULTILINE)
_TABLE_RULE = r"(?m)^[ \t]{0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)+\|?[ \t]*(?:\n|\z)"

_BLOCK_TAGS = (
    "address|article|aside|blockquote|body|br|center|dd|details|div|dl|dt|figcaption|figure|footer|form|h[1-6]|head"
    "|header|hr|html|li|main|nav|ol|p|pre|section|summary|table|tbody|td|tfoot|th|thead|title|tr|ul"
)
_INLINE_TAGS = (
    "a|abbr|b|bdi|bdo|big|cite|code|del|dfn|em|font|i|iframe|img|ins|kbd|mark|q|s|samp|small|span|strike|strong|sub"
    "|sup|tt|u|var|video|wbr"
)
_TARGET = r"\([ \t]*(?:<[^<>\n]*>|[^()\s]*(?:\([^()\s]*\)[^()\s]*)*)(?:[ \t]+(?:\"[^\"\n]*\"|'[^'\n]*'))?[ \t]*\)"
_HTML_STEPS = (
    (r"(?s)<!--.*?(?:-->|\z)", ""),
    (r"(?is)<(?:script|style)\b[^>]*>.*?(?:</(?:script|style)\s*>|\z)", ""),
    (rf"(?i)</?(?:{_BLOCK_TAGS})(?:[\s/][^<>]*)?>", "\n"),
    (rf"(?i)</?(?:{_INLINE_TAGS})(?:[\s/][^<>]*)?>", ""),
    (r"<((?:https?|ftp|mailto):[^\s<>]*)>", r"\1"),
)
_BLOCK_STEPS = (
    (r"(?m)^[ \t]{0,3}(?:>[ \t]?)+", ""),
    (r"(?m)^[ \t]{0,3}#{1,6}(?:[ \t]+|$)", ""),
    (r"(?m)[ \t]+#+[ \t]*$", ""),
    (r"(?m)^[ \t]{0,3}(?:=+|-{2,}|(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})[ \t]*$", ""),
    (
        r"(?m)^[ \t]{0,3}\[[^\]\[\n^][^\]\n]*\]:[ \t]*(?:<[^>\n]*>|\S*[/.#@]\S*)(?:[ \t]+[\"'(][^\n]*)?[ \t]*(?:\n|\z)",
        "",
    ),
    (r"(?m)^([ \t]*)[*+-][ \t]+(?:\[[ xX]\][ \t]+)?", r"\1- "),
)
_SPAN_STEPS = (
    (r"\[\^[^\]\s]+\]:?[ \t]?", ""),
    (rf"\[([^\]\[\n]*)\]{_TARGET}", r"\1"),
    (r"\[([^\]\[\n]+)\][ ]?\[[^\]\[\n]*\]", r"\1"),
    (r"\*\*\*([^\s*](?:[^*\n]*[^\s*])?)\*\*\*", r"\1"),
    (r"\*\*([^\s*](?:[^*\n]|\*[^*\n]+\*)*?)\*\*", r"\1"),
    (r"(^|[^\w_])__([^\s_](?:[^_\n]|[^_\n]_[^_\n])*?)__($|[^\w_])", r"\1\2\3"),
    (r"(^|[^\w*])\*([^\s*](?:[^*\n]*[^\s*])?)\*", r"\1\2"),
    (r"(^|[^\w_])_([^\s_](?:[^\n]*?[^\s_])?)_($|[^\w_])", r"\1\2\3"),
    (r"~~([^~\n]+)~~", r"\1"),
)
_LAST_STEPS = (
    (r"[ \t]+\n", "\n"),
    (r"\n{3,}", "\n\n"),
    (r"\A\s*\n|\s+\z", ""),
)


class ExtractMarkdown(Operator):
    """Replace Markdown by its readable text.

    Of CommonMark and GitHub's tables, task lists, strike-through and footnotes: headings, emphasis and quotes lose
    their marks; links and reference links become their text; definitions, rules, front matter and HTML comments go;
    table rows become cells with tabs between them; bullets become ``-``; HTML tags go, those of blocks leaving a line
    break; character references and backslash escapes become their character; code stays as it is, without fences.
    Three and more line breaks become two. A text without any mark stays as it is.

    Lines are read one by one: a link or emphasis across lines keeps its marks.

    Writes ``text`` (or the column named by ``as``); null stays null and empty stays empty.

    Source: CommonMark 0.31.2; GitHub Flavored Markdown Spec 0.29.
    """

    op: Literal["text.extract_markdown"] = "text.extract_markdown"
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
        """Texts without marks; prose of all texts goes through each step at once, code around it."""
        texts = pc.replace_substring_regex(texts, _FRONT_MATTER, "")
        prose: list[str] = []
        documents: list[list[str | int]] = []  # code, or the index of a piece of prose
        for text in texts.to_pylist():
            parts: list[str | int] = []
            at = 0
            for found in _CODE.finditer(text):
                parts.append(len(prose))
                prose.append(text[at : found.start()])
                parts.append(self._code(found))
                at = found.end()
            parts.append(len(prose))
            prose.append(text[at:])
            documents.append(parts)
        plain = self._plain(prose)
        joined = ["".join(plain[part] if isinstance(part, int) else part for part in parts) for parts in documents]
        return [str(text) for text in _stepped(pa.array(joined, TEXT), _LAST_STEPS).to_pylist()]

    def _code(self, found: re.Match[str]) -> str:
        if found["ticks"] is not None:
            return found["inline"]
        return found["block"] if self.code == "keep" else ""

    def _plain(self, prose: list[str]) -> list[str]:
        image = rf"!\[([^\]\[\n]*)\](?:{_TARGET}|\[[^\]\[\n]*\])"
        held = pa.array([_hold(text) if "\\" in text else text for text in prose], TEXT)
        held = _stepped(held, (*_HTML_STEPS, (_TABLE_RULE, "")))
        held = pa.array([_TABLE_ROW.sub(_cells, text) if "|" in text else text for text in held.to_pylist()], TEXT)
        held = _stepped(held, (*_BLOCK_STEPS, (image, r"\1") if self.alt_texts else (image + " ?", ""), *_SPAN_STEPS))
        return [_released(text, before) for text, before in zip(held.to_pylist(), prose, strict=True)]


def _stepped(texts: pa.Array, steps: tuple[tuple[str, str], ...]) -> pa.Array:
    for pattern, replacement in steps:
        texts = pc.replace_substring_regex(texts, pattern, replacement)
    return texts


def _hold(text: str) -> str:
    if _HELD_ANY.search(text):
        return text
    return _ESCAPED.sub(lambda found: chr(_HELD + ord(found[1])), text)


def _released(text: str, before: str) -> str:
    if "&" in text:
        text = html.unescape(text)
    if "\\" in before and not _HELD_ANY.search(before):
        text = text.translate(_RELEASED)
    return text


def _cells(row: re.Match[str]) -> str:
    return "\t".join(cell.strip() for cell in row[1].split("|"))
