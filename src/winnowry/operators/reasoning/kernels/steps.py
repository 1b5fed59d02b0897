"""Equations in the steps of a solution, recomputed."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from winnowry.operators.reasoning.kernels.calculator import UnreadableError, Value, value_of

_MARKED = re.compile(r"<<([^<>]{1,200})>>")
_TERM = r"[-−]?[$¥€]?\s?(?:\d[\d,]*+(?:\.\d++)?+|\.\d++)(?:\s?%)?+"
_OPERATION = r"\s*[-+−*/×÷]\s*"
_EQUATION = re.compile(rf"(?<![\w.=)])[(\s]*{_TERM}[)\s]*(?:{_OPERATION}[(\s]*{_TERM}[)\s]*)+(?:=\s*{_TERM}(?!\w)\s*)+")
_GOES_ON_BEFORE = re.compile(r"(?:[-+−*/×÷^=(.,:\d%]|\b(?:and|[A-Za-z]))\s*$")
_GOES_ON_BEHIND = re.compile(r"\s*(?:[-+−*/×÷^(=\d]|and\s+(?:an?\b|\d)|cents?\b|[A-Za-z]\b(?!\s+[a-z]))")
"""Signs that an equation in prose is part of a longer one, or of a mixed number, or counts in another unit."""
_PERCENT = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s?%")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_NOTHING = re.compile(r"[$¥€\s]")


class Equation(NamedTuple):
    """An equation of a step that was recomputed.

    Attributes:
        written: its sides, as they stand.
        computed: what the wrong side should be; None where the equation holds.
        result: what is written there.
    """

    written: str
    computed: str | None
    result: str


def equations_of(step: str) -> list[Equation]:
    """The equations of a step between numbers: those in calculator marks where it has any, else those in its text.

    >>> equations_of("He has 3 + 4 = <<3+4=7>>7 apples"), equations_of("so 12 * 2 = 25 in all")[0].computed
    ([Equation(written='3+4=7', computed=None, result='7')], '24')
    """
    marked = _MARKED.findall(step)
    texts = marked or _in_prose(step)
    equations: list[Equation] = []
    for text in texts:
        sides = [side.strip() for side in text.split("=")]
        if len(sides) < 2:
            continue
        try:
            values = [_value(side) for side in sides]
        except UnreadableError:
            continue
        wrong = next((at for at in range(1, len(sides)) if not _holds(values[at - 1], values[at], sides[at])), None)
        at = wrong if wrong is not None else len(sides) - 1
        computed = _shown(values[at - 1]) if wrong is not None else None
        equations.append(Equation(text.strip(), computed, sides[at]))
    return equations


def _in_prose(step: str) -> list[str]:
    """Equations in a text that stand alone."""
    return [
        match[0]
        for match in _EQUATION.finditer(step)
        if _GOES_ON_BEFORE.search(step, 0, match.start()) is None and _GOES_ON_BEHIND.match(step, match.end()) is None
    ]


def _value(side: str) -> Value:
    plain = side.replace("−", "-").replace("//", "/")
    plain = _PERCENT.sub(r"(\1/100)", _THOUSANDS.sub("", plain))
    value, letters = value_of(_NOTHING.sub("", plain))
    if letters:
        raise UnreadableError(f"letters {', '.join(sorted(letters))}")
    return value


def _holds(computed: Value, value: Value, written: str) -> bool:
    """Whether a side is what the one before it computes, rounded to as many places as it has."""
    if not isinstance(computed, Fraction) or not isinstance(value, Fraction):
        return abs(complex(computed) - complex(value)) <= 1e-9 * max(1.0, abs(complex(value)))
    if computed == value:
        return True
    digits = re.search(r"\.(\d+)", written)
    if digits is None:
        return False
    places = len(digits[1]) + (2 if "%" in written else 0)
    return abs(computed - value) <= Fraction(1, 2 * 10**places)


def _shown(value: Value) -> str:
    if isinstance(value, Fraction):
        return str(value.numerator) if value.denominator == 1 else f"{float(value):.10g}"
    return f"{value:.10g}"
