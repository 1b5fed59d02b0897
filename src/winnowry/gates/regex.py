r"""Regular expressions that mean the same to pandas and to DataFusion.

pandas asks RE2 or Python's ``re``, DataFusion the Rust crate ``regex``. They agree on a large common part; classes
such as ``\d`` are ASCII in RE2 and Unicode in Rust, so these are written out. What is left is refused.
"""

from __future__ import annotations

from winnowry.gates.sql import Unanswerable

_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": "\\t\\n\\f\\r "}
_NEGATED = {"D": "d", "W": "w", "S": "s"}
_ESCAPED = frozenset("\\.^$*+?()[]{}|/-_ \"'@#%&~=:;,<>!`")
_CONTROLS = frozenset("tnrf")


def portable(pattern: str) -> str:
    r"""Rewrite a pattern so that Rust's ``regex`` finds what RE2 finds.

    Args:
        pattern: literals, ``.``, classes, groups, alternation, greedy and lazy repetition, ``^`` and ``$``.

    Raises:
        Unanswerable: lookaround, back references, flags, ``\b``, named classes, set operations, or a trailing
            backslash.

    >>> portable(r"^\d{4}$")
    '^[0-9]{4}$'
    """
    out: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            out.append(_escape(pattern, at, inside=False))
            at += 2
        elif char == "[":
            piece, at = _bracket(pattern, at)
            out.append(piece)
        elif pattern.startswith("(?", at):
            if not pattern.startswith("(?:", at):
                raise Unanswerable(f"{pattern[at : at + 4]!r} in the pattern {pattern!r} is not portable")
            out.append("(?:")
            at += 3
        else:
            out.append(char)
            at += 1
    if "++" in pattern or "*+" in pattern or "?+" in pattern or "}+" in pattern:
        raise Unanswerable(f"possessive or repeated repetition in {pattern!r} is not portable")
    return "".join(out)


def _escape(pattern: str, at: int, *, inside: bool) -> str:
    after = pattern[at + 1 : at + 2]
    if after in _ESCAPED and after:
        return "\\" + after if after in "\\.^$*+?()[]{}|-" else after
    if after in _CONTROLS and after:
        return "\\" + after
    if after in _CLASSES:
        return _CLASSES[after] if inside else f"[{_CLASSES[after]}]"
    if after in _NEGATED and not inside:
        return f"[^{_CLASSES[_NEGATED[after]]}]"
    raise Unanswerable(f"'\\{after}' in the pattern {pattern!r} is not portable")


def _bracket(pattern: str, at: int) -> tuple[str, int]:
    """One ``[...]``: the rewritten text, and where it ends."""
    out = ["["]
    start = at
    at += 1
    if pattern.startswith("^", at):
        out.append("^")
        at += 1
    first = True
    while at < len(pattern):
        char = pattern[at]
        if char == "]" and not first:
            return "".join([*out, "]"]), at + 1
        if char == "\\":
            out.append(_escape(pattern, at, inside=True))
            at += 2
        elif char in "[]" or pattern[at : at + 2] in ("&&", "--", "~~"):
            raise Unanswerable(f"{pattern[start : at + 1]!r} in the pattern {pattern!r} is not portable")
        else:
            out.append(char)
            at += 1
        first = False
    raise Unanswerable(f"unterminated '[' in the pattern {pattern!r}")
