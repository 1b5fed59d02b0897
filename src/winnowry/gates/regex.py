r"""Regular expressions that mean the same to pandas and to DataFusion.

pandas means Python's ``re``, DataFusion the Rust crate ``regex``. They agree on a large common part; ``$`` and classes
such as ``\w`` differ and are written out. What is left is refused.
"""

from __future__ import annotations

from winnowry.gates.sql import Unanswerable

_CLASSES = {"d": "\\p{Nd}", "w": "\\p{L}\\p{N}_", "s": "\\s\\x1c-\\x1f"}
_NEGATED = {"D": "d", "W": "w", "S": "s"}
_ESCAPED = frozenset("\\.^$*+?()[]{}|/-_ \"'@#%&~=:;,<>!`")
_CONTROLS = frozenset("tnrf")


def portable(pattern: str) -> str:
    r"""Rewrite a pattern so that Rust's ``regex`` finds what Python's ``re`` finds.

    Args:
        pattern: literals, ``.``, classes, groups, alternation, greedy and lazy repetition, ``^`` and ``$``.

    Raises:
        Unanswerable: lookaround, back references, flags, ``\b``, named classes, set operations, or a trailing
            backslash.

    >>> print(portable(r"^\d{4}$"))
    ^[\p{Nd}]{4}\n?\z
    """
    out: list[str] = []
    at, depth = 0, 0
    closed_at = -1  # where the outermost group that holds a ``$`` was closed
    holds_end = False
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            out.append(_escape(pattern, at, inside=False))
            at += 2
            continue
        if char == "[":
            piece, at = _bracket(pattern, at)
            out.append(piece)
            continue
        if char == "$":
            if pattern[at + 1 : at + 2] not in ("", "|", ")") or closed_at >= 0:
                raise Unanswerable(f"'$' inside the pattern {pattern!r} is not portable")
            out.append("\\n?\\z")  # Python's $ also stands before a last newline
            holds_end = holds_end or depth > 0
        elif char == "(":
            if pattern.startswith("(?", at) and not pattern.startswith("(?:", at):
                raise Unanswerable(f"{pattern[at : at + 4]!r} in the pattern {pattern!r} is not portable")
            depth += 1
            out.append(char)
        elif char == ")":
            depth -= 1
            out.append(char)
            if depth == 0 and holds_end:
                closed_at = at
        else:
            out.append(char)
        at += 1
    if holds_end and closed_at != len(pattern) - 1:
        raise Unanswerable(f"'$' inside the pattern {pattern!r} is not portable")
    if any(twice in pattern for twice in ("++", "*+", "?+", "}+")):
        raise Unanswerable(f"possessive repetition in {pattern!r} is not portable")
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
