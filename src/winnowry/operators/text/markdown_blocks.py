"""Markdown as a parser of CommonMark reads it: blocks with the lines they stand on, and the text of their spans."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from winnowry.operators.text.markdown_marks import html_text

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_core import StateCore
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

# What the parser's time grows with, beyond the length of the text; each is far from what people write.
_MOST_CHARS = 500_000
_MOST_LINES = 20_000
_MOST_BRACKETS = 20_000
_MOST_BRACKETS_IN_PARAGRAPH = 1_000
_DEEPEST = 62

_FOOTNOTE_DEFINITION = re.compile(r"\[\^([^\]\s\[]+)\]:[ \t]*")
_FOOTNOTE = re.compile(r"\[\^([^\]\s\[]+)\]")
_IN_ADDRESS = re.compile(r"(?:https?|ftp)://[^\s<]*\Z", re.IGNORECASE)
_LONGEST_ADDRESS = 2_000
_INNER_MARK = re.compile(r"[*_~]+(?=[^\W_]|/)")
_FORMULA = re.compile(r"\$\$[^$]{1,2000}\$\$|\$(?=[^\s$])[^$\n]{0,500}(?<=\S)\$(?!\d)")
_TASK = re.compile(r"\A\[[ xX]\][ \t]+")
_LINE_END = re.compile(r"[ \t]+$", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n{3,}")
_FOOTNOTES = "footnotes"
"""Key of the parser's environment: the labels of all footnotes that are defined."""


class _TooCostly(Exception):
    """The rest of a text would take the parser longer than its length explains."""


def rendered(text: str, *, alt_texts: bool, fenced_code: bool) -> str | None:
    """The readable text of Markdown.

    Args:
        text: Markdown without front matter.
        alt_texts: whether to keep the alternative texts of images.
        fenced_code: whether to keep fenced code blocks.

    Returns:
        The text; None where the parser would take too long.
    """
    if (
        len(text) > _MOST_CHARS
        or text.count("\n") > _MOST_LINES
        or max(text.count("["), text.count("<")) > _MOST_BRACKETS
    ):
        return None
    try:
        tokens = _parser().parse(text)
    except _TooCostly:
        return None
    page = _Page()
    for lines, block in _blocks(tokens, page, alt_texts, fenced_code):
        page.add(lines, block)
    return "".join(page.parts)


@dataclass
class _Item:
    """A list item that is open: its mark, until a block has been written after it."""

    mark: str
    written: bool = False

    def prefix(self) -> str:
        """The mark for the first block of the item, as much room for the others."""
        return " " * len(self.mark) if self.written else self.mark


@dataclass
class _Page:
    """The text so far."""

    parts: list[str] = field(default_factory=list)
    items: list[_Item] = field(default_factory=list)
    last_line: int = 0

    def begins_item(self) -> bool:
        """Whether the next block is the first of a list item."""
        return bool(self.items) and not self.items[-1].written

    def add(self, lines: tuple[int, int], block: str) -> None:
        """Write a block that stands on some lines of the source; a gap between two blocks becomes a blank line."""
        if not block.strip():
            return
        if self.parts:
            self.parts.append("\n\n" if lines[0] > self.last_line else "\n")
        room = " " * sum(len(item.mark) for item in self.items)
        self.parts.append("".join(item.prefix() for item in self.items))
        self.parts.append(
            "\n".join(room + line if number and line else line for number, line in enumerate(block.split("\n")))
        )
        for item in self.items:
            item.written = True
        self.last_line = lines[1]


def _blocks(
    tokens: Sequence[Token], page: _Page, alt_texts: bool, fenced_code: bool
) -> Iterator[tuple[tuple[int, int], str]]:
    """Blocks with the first of their lines and the line after the last; keeps the items of ``page`` up to date."""
    lines = (0, 0)
    rest = iter(tokens)
    for token in rest:
        if token.map and token.type != "inline":
            lines = (token.map[0], token.map[1])
        match token.type:
            case "list_item_open":
                page.items.append(_Item(f"{token.info}{token.markup} " if token.info else "- "))
            case "list_item_close":
                page.items.pop()
            case "table_open":
                yield lines, _table(rest, alt_texts)
            case "inline":
                text = _spans(token.children or (), alt_texts)
                yield lines, _tidy(_TASK.sub("", text, count=1) if page.begins_item() else text)
            case "fence" if fenced_code:
                # The fences are lines of their own: a blank line will part the code from its neighbours.
                yield (lines[0] + 1, lines[1] - 1), token.content.rstrip("\n")
            case "code_block":
                yield lines, token.content.rstrip("\n")
            case "html_block":
                yield lines, _BLANK_LINES.sub("\n\n", _tidy(html_text(token.content)))


def _table(tokens: Iterator[Token], alt_texts: bool) -> str:
    """The rows of a table, cells with tabs between them; takes its tokens up to the end of the table."""
    rows: list[list[str]] = []
    for token in tokens:
        match token.type:
            case "tr_open":
                rows.append([])
            case "inline":
                rows[-1].append(" ".join(_spans(token.children or (), alt_texts).split()))
            case "table_close":
                break
    return _LINE_END.sub("", "\n".join(map("\t".join, rows)))


def _tidy(text: str) -> str:
    """Prose without white space at the ends of its lines."""
    return _LINE_END.sub("", text).strip()


def _spans(tokens: Sequence[Token], alt_texts: bool) -> str:
    """The text of the spans of a block."""
    parts: list[str] = []
    dropped = False  # an image, just now: of the spaces around it one is left
    for token in tokens:
        match token.type:
            case "text" | "code_inline" | "text_special":
                content = token.content
                if dropped and content.startswith(" ") and (not parts or parts[-1][-1:] in ("", " ", "\n")):
                    content = content[1:]
                parts.append(content)
            case "softbreak" | "hardbreak":
                parts.append("\n")
            case "html_inline":
                parts.append(_tag_text(token.content))
            case "image" if alt_texts:
                parts.append(_spans(token.children or (), alt_texts))
        dropped = token.type == "image" and not alt_texts
    return "".join(parts)


_tag_text = lru_cache(maxsize=1024)(html_text)
"""Tags within a line are few and come again."""


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"maxNesting": _DEEPEST}).enable(["table", "strikethrough"])
    parser.block.ruler.before("reference", "footnote", _footnote_definition, {"alt": ["paragraph", "reference"]})
    parser.inline.ruler.before("link", "footnote", _footnote)
    parser.inline.ruler.before("strikethrough", "address", _mark_in_address)
    parser.inline.ruler.before("escape", "formula", _formula)
    parser.core.ruler.after("block", "bounds", _refuse_what_is_too_costly)
    return parser


def _refuse_what_is_too_costly(state: StateCore) -> None:
    for token in state.tokens:
        # The parser leaves out what is nested deeper, and looks for the end of every bracket.
        if token.nesting == 1 and token.level >= _DEEPEST - 1:
            raise _TooCostly
        if (
            token.type == "inline"
            and max(token.content.count("["), token.content.count("<")) > _MOST_BRACKETS_IN_PARAGRAPH
        ):
            raise _TooCostly


def _footnote_definition(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """``[^label]: text``, with the indented blocks below it, as a block of its own."""
    begin = state.bMarks[start_line] + state.tShift[start_line]
    definition = _FOOTNOTE_DEFINITION.match(state.src, begin, state.eMarks[start_line])
    if definition is None or state.is_code_block(start_line):
        return False
    if silent:
        return True
    state.env.setdefault(_FOOTNOTES, set()).add(definition[1])
    before = state.bMarks[start_line], state.tShift[start_line], state.sCount[start_line], state.blkIndent
    parent = state.parentType
    state.push("footnote_open", "", 1)
    state.blkIndent += 4
    state.bMarks[start_line] = definition.end()
    state.tShift[start_line] = 0
    state.sCount[start_line] = state.blkIndent
    state.parentType = "footnote"
    state.md.block.tokenize(state, start_line, end_line)
    state.push("footnote_close", "", -1)
    state.bMarks[start_line], state.tShift[start_line], state.sCount[start_line], state.blkIndent = before
    state.parentType = parent
    return True


def _footnote(state: StateInline, silent: bool) -> bool:
    """``[^label]`` of a footnote that is defined; it has no text."""
    reference = _FOOTNOTE.match(state.src, state.pos, state.posMax)
    if reference is None or reference[1] not in state.env.get(_FOOTNOTES, ()):
        return False
    state.pos = reference.end()
    return True


def _formula(state: StateInline, silent: bool) -> bool:
    """TeX between dollar signs, by the rule of GitHub and pandoc: no space inside of them, no digit after."""
    formula = _FORMULA.match(state.src, state.pos, state.posMax)
    if formula is None:
        return False
    if not silent:
        state.pending += formula[0]
    state.pos = formula.end()
    return True


def _mark_in_address(state: StateInline, silent: bool) -> bool:
    """Marks within an address that no brackets surround: GitHub reads it as a link, so they are none."""
    mark = _INNER_MARK.match(state.src, state.pos, state.posMax)
    if mark is None or not _IN_ADDRESS.search(state.pending[-_LONGEST_ADDRESS:]):
        return False
    if not silent:
        state.pending += mark[0]
    state.pos = mark.end()
    return True
