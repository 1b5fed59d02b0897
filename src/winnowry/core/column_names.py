"""What a column may be called: readers of SQL, Lance and winnowry itself each keep names for themselves."""

from __future__ import annotations

import re

MAX_NAME_BYTES = 128
_LANCE = frozenset({"_rowid", "_rowaddr", "_rowoffset", "_row_created_at_version", "_row_last_updated_at_version"})
_QUERIES = frozenset({"_distance", "_score", "_relevance_score", "_fragid"})  # columns that searches of Lance add
_MARKS = frozenset(".\"'`\\")
_WORD = re.compile(r"[^\W\d_]\w*")


def wrong_name(name: str) -> str | None:
    """What is expected instead, where a text cannot be the name of a column; None where it can.

    >>> wrong_name("page title"), wrong_name("日期")
    (None, None)
    >>> wrong_name("doc.url")
    'no point, quote or backslash'
    >>> wrong_name("_RowID")
    'none of the names that Lance keeps for itself'
    """
    if not name.strip():
        return "a name"
    if not name.isprintable() or name != name.strip():
        return "printable characters, without white space around them"
    if _MARKS & {*name}:
        return "no point, quote or backslash"
    if len(name.encode("utf-8", "replace")) > MAX_NAME_BYTES:
        return f"at most {MAX_NAME_BYTES} bytes"
    if name.lower() in _LANCE | _QUERIES:
        return "none of the names that Lance keeps for itself"
    return None


def wrong_word(name: str) -> str | None:
    """As :func:`wrong_name`, for names that winnowry's users choose: those are one word, which SQL need not quote.

    >>> wrong_word("quality"), wrong_word("qualité")
    (None, None)
    >>> wrong_word("page title")
    'a letter, then letters, digits and _'
    """
    return wrong_name(name) or (None if _WORD.fullmatch(name) else "a letter, then letters, digits and _")
