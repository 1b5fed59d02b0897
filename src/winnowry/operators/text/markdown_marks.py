"""Markdown read line by line: marks are taken away by regular expressions, whatever they are nested in."""

from __future__ import annotations

import html
import re

import pyarrow as pa
import pyarrow.compute as pc

from winnowry.operators.buffers import TEXT

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
    "address|article|aside|blockquote|body|br|caption|center|col|colgroup|dd|details|div|dl|dt|fieldset|figcaption|figure"
    "|footer|form|h[1-6]|head|header|hr|html|legend|li|main|menu|nav|noscript|ol|p|picture|pre|section|summary|table"
    "|tbody|td|tfoot|th|thead|title|tr|ul"
)
_INLINE_TAGS = (
    "a|abbr|audio|b|bdi|bdo|big|button|cite|code|data|del|dfn|em|embed|font|i|iframe|img|input|ins|kbd|label|mark|object"
    "|q|rb|rp|rt|ruby|s|samp|small|source|span|strike|strong|sub|sup|time|track|tt|u|var|video|wbr"
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


def without_marks(texts: pa.Array, *, alt_texts: bool, fenced_code: bool) -> list[str]:
    """Texts without the marks of Markdown.

    Prose of all texts goes through each step at once, code around it.

    Args:
        texts: n texts without nulls, ``large_string``.
        alt_texts: whether to keep the alternative texts of images.
        fenced_code: whether to keep fenced code blocks.

    Returns:
        n texts.
    """
    prose: list[str] = []
    documents: list[list[str | int]] = []  # code, or the index of a piece of prose
    for text in texts.to_pylist():
        parts: list[str | int] = []
        at = 0
        for code in _CODE.finditer(text):
            parts.append(len(prose))
            prose.append(text[at : code.start()])
            if code["ticks"] is not None:
                parts.append(code["inline"])
            elif fenced_code:
                parts.append(code["block"])
            at = code.end()
        parts.append(len(prose))
        prose.append(text[at:])
        documents.append(parts)
    plain = _plain(prose, alt_texts)
    joined = ["".join(plain[part] if isinstance(part, int) else part for part in parts) for parts in documents]
    return [str(text) for text in _stepped(pa.array(joined, TEXT), _LAST_STEPS).to_pylist()]


def html_text(fragment: str) -> str:
    """The text of HTML within Markdown: comments, scripts and known tags go, those of blocks leaving a line break."""
    (text,) = _stepped(pa.array([fragment], TEXT), _HTML_STEPS).to_pylist()
    return html.unescape(text)


def _plain(prose: list[str], alt_texts: bool) -> list[str]:
    image = rf"!\[([^\]\[\n]*)\](?:{_TARGET}|\[[^\]\[\n]*\])"
    held = pa.array([_hold(text) if "\\" in text else text for text in prose], TEXT)
    held = _stepped(held, (*_HTML_STEPS, (_TABLE_RULE, "")))
    held = pa.array([_TABLE_ROW.sub(_cells, text) if "|" in text else text for text in held.to_pylist()], TEXT)
    held = _stepped(held, (*_BLOCK_STEPS, (image, r"\1") if alt_texts else (image + " ?", ""), *_SPAN_STEPS))
    return [_released(text, before) for text, before in zip(held.to_pylist(), prose, strict=True)]


def _stepped(texts: pa.Array, steps: tuple[tuple[str, str], ...]) -> pa.Array:
    for pattern, replacement in steps:
        texts = pc.replace_substring_regex(texts, pattern, replacement)
    return texts


def _hold(text: str) -> str:
    if _HELD_ANY.search(text):
        return text
    return _ESCAPED.sub(lambda escape: chr(_HELD + ord(escape[1])), text)


def _released(text: str, before: str) -> str:
    if "&" in text:
        text = html.unescape(text)
    if "\\" in before and not _HELD_ANY.search(before):
        text = text.translate(_RELEASED)
    return text


def _cells(row: re.Match[str]) -> str:
    return "\t".join(cell.strip() for cell in row[1].split("|"))
