"""Text as taggers and parsers take it: decoded, in pieces of a bearable length, without the bars of tables."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

LONGEST_PIECE = 50_000


def decoded(texts: pa.Array) -> list[str | None]:
    """The texts as Python strings, nulls as None; bytes that are no UTF-8 become U+FFFD."""
    return [_decoded(text) for text in texts]


def pieces(text: str) -> Iterator[str]:
    """The text in pieces of at most 50,000 characters, cut at a space where there is one."""
    while len(text) > LONGEST_PIECE:
        cut = text.rfind(" ", 1, LONGEST_PIECE) + 1 or LONGEST_PIECE
        yield text[:cut]
        text = text[cut:]
    yield text


def without_table_bars(text: str) -> str:
    """The text whose lines are stripped, with blanks for the bars of those that start and end with one.

    Before words are tagged only; a parser sees the text as it is. Source: the code of Ying et al. 2025.

    >>> without_table_bars("|a|b|")
    ' a b '
    """
    lines = [line.strip() for line in text.split("\n")]
    return "\n".join(line.replace("|", " ") if line.startswith("|") and line.endswith("|") else line for line in lines)


def _decoded(text: pa.Scalar) -> str | None:
    if not text.is_valid:
        return None
    try:
        return str(text.as_py())
    except UnicodeDecodeError:
        return bytes(text.as_buffer()).decode("utf-8", "replace")
