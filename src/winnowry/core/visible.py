"""Text of others made harmless to look at: what would steer a terminal or turn a line around becomes a picture."""

from __future__ import annotations

_PICTURES = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421, 0x0A: 0x23CE}
_TURNING = dict.fromkeys([*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)], 0xB7)
_ON_ONE_LINE = _PICTURES | _TURNING
_ON_A_PAGE = {code: picture for code, picture in _ON_ONE_LINE.items() if chr(code) not in "\t\n\r"}
_ON_A_PAGE |= dict.fromkeys(range(0xD800, 0xE000), 0xFFFD)  # half a surrogate pair: no encoding can write it


def visible(text: str) -> str:
    r"""Text as a terminal may show it, on one line.

    >>> visible("a\nb\r\x1b[31m\u202e")
    'a⏎b␍␛[31m·'
    """
    return text.translate(_ON_ONE_LINE)


def printable(text: str) -> str:
    r"""Text as a page may show it: ends of lines and tabs stay.

    >>> printable("a\nb\x1b[31m\u202e\udc80")
    'a\nb␛[31m·�'
    """
    return text.translate(_ON_A_PAGE)
