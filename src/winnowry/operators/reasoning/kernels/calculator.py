r"""A calculator for answers and steps: numbers, the LaTeX of school, letters. Nothing is ever executed.

Values are exact fractions where they can be, else complex numbers. A letter has a fixed value; two expressions are one
where they agree at several such points. Depth, length, powers and factorials have bounds.
"""

from __future__ import annotations

import cmath
import math
import re
from collections.abc import Callable
from fractions import Fraction

Value = Fraction | complex

MAX_CHARACTERS = 400
_MAX_DEPTH = 40
_MAX_BITS = 4096
_MAX_EXPONENT = 64
_MAX_FACTORIAL = 100
_MAX_DIGITS = 60
_INFINITE = complex(1e300)

SHIFTS = (0.0, 0.37, 1.73)
"""What is added to the value of every letter, at three points."""

_NUMBER = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3}(?![\d.]))?")
_MIXED = re.compile(r"\s*\\frac\s*(?:\{(\d+)\}|(\d))\s*(?:\{(\d+)\}|(\d))")
_COMMAND = re.compile(r"\\([a-z]+)")
_TIMES = ("\\cdot", "\\times", "×", "*", "·")
_OVER = ("\\div", "÷", "/")
_DEGREES = ("^\\circ", "^{\\circ}", "°")
_GREEK = frozenset(("alpha", "beta", "theta", "lambda", "phi", "mu", "sigma", "omega"))
_FUNCTIONS: dict[str, Callable[[complex], complex]] = {
    "sin": cmath.sin,
    "cos": cmath.cos,
    "tan": cmath.tan,
    "ln": cmath.log,
    "log": cmath.log10,
    "exp": cmath.exp,
    "arcsin": cmath.asin,
    "arccos": cmath.acos,
    "arctan": cmath.atan,
}
_BRACKETS = {"(": ")", "{": "}", "[": "]", "|": "|"}


class UnreadableError(ValueError):
    """A text is no expression that can be computed within the bounds."""


def value_of(text: str, shift: float = 0.0) -> tuple[Value, frozenset[str]]:
    r"""The value of an expression, and the letters in it.

    Args:
        text: numbers, ``+ - * / ^ !``, brackets, functions and fractions of LaTeX, one-letter names.
        shift: see :data:`SHIFTS`.

    Raises:
        UnreadableError: it is none.

    >>> value_of(r"\frac{1}{2} + 0.25")
    (Fraction(3, 4), frozenset())
    """
    if len(text) > MAX_CHARACTERS:
        raise UnreadableError(f"more than {MAX_CHARACTERS} characters")
    reader = _Reader(text, shift)
    try:
        return reader.whole(), frozenset(reader.letters)
    except (OverflowError, ZeroDivisionError, RecursionError, ValueError) as error:
        raise UnreadableError(str(error)) from None


class _Reader:
    """Reads an expression from left to right and computes as it goes."""

    def __init__(self, text: str, shift: float) -> None:
        self._text = text
        self._at = 0
        self._shift = shift
        self._depth = 0
        self._angle = False  # whether a degree is an angle: inside sin and its like
        self.letters: set[str] = set()

    def whole(self) -> Value:
        value = self._sum()
        if self._next():
            raise UnreadableError(f"{self._text[self._at :]!r:.40} is left over")
        return value

    def _next(self) -> str:
        """The next character that is no blank; empty at the end."""
        while self._text[self._at : self._at + 1] in (" ", "~"):
            self._at += 1
        return self._text[self._at : self._at + 1]

    def _eat(self, word: str) -> bool:
        if self._text.startswith(word, self._at):
            self._at += len(word)
            return True
        return False

    def _sum(self) -> Value:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise UnreadableError(f"nested deeper than {_MAX_DEPTH}")
        value = self._product()
        while (sign := self._next()) in ("+", "-"):
            self._at += 1
            value = _combined(value, self._product(), sign)
        self._depth -= 1
        return value

    def _product(self) -> Value:
        value = self._factor()
        while following := self._next():
            if any(self._eat(word) for word in _TIMES):
                value = _combined(value, self._factor(), "*")
            elif any(self._eat(word) for word in _OVER):
                value = _combined(value, self._factor(), "/")
            elif following in "([{\\√π" or following.isalnum():
                value = _combined(value, self._factor(), "*")
            else:
                break
        return value

    def _factor(self) -> Value:
        negative = False
        while (sign := self._next()) in ("+", "-"):
            negative ^= sign == "-"
            self._at += 1
        value = self._atom()
        while True:
            self._next()
            if self._eat("!"):
                value = _factorial(value)
            elif any(self._eat(word) for word in _DEGREES):
                value = _combined(value, complex(math.pi / 180), "*") if self._angle else value
            elif self._eat("^"):
                value = _power(value, self._exponent())
            else:
                break
        return _combined(Fraction(-1), value, "*") if negative else value

    def _exponent(self) -> Value:
        following = self._next()
        if following == "{":
            return self._bracketed()
        if following == "-":
            return self._factor()
        return self._digits() if following.isdigit() else self._atom()

    def _argument(self) -> Value:
        """What a fraction or a root applies to: braces, or one digit."""
        following = self._next()
        if following == "{":
            return self._bracketed()
        if following.isdigit():
            self._at += 1
            return Fraction(int(following))
        return self._atom()

    def _digits(self) -> Value:
        """The exponent of ``2^10``; in LaTeX, where braces would hold more, one digit."""
        end = self._at + 1
        while "\\" not in self._text and self._text[end : end + 1].isdigit():
            end += 1
        digits, self._at = self._text[self._at : end], end
        return Fraction(int(digits))

    def _bracketed(self) -> Value:
        opening = self._next()
        self._at += 1
        value = self._sum()
        self._next()
        if not self._eat(_BRACKETS[opening]):
            raise UnreadableError(f"{_BRACKETS[opening]} is missing")
        if opening != "|":
            return value
        return abs(value) if isinstance(value, Fraction) else complex(abs(value))

    def _atom(self) -> Value:
        following = self._next()
        if not following:
            raise UnreadableError("it ends too early")
        number = _NUMBER.match(self._text, self._at)
        if number is not None:
            return self._number(number[0])
        if following in _BRACKETS:
            return self._bracketed()
        if self._eat("√"):
            return _power(self._atom(), Fraction(1, 2))
        if self._eat("π"):
            return complex(math.pi)
        if self._eat("∞"):
            return _INFINITE
        command = _COMMAND.match(self._text, self._at)
        if command is not None:
            self._at = command.end()
            return self._command(command[1])
        if following.isascii() and following.isalpha() and not self._text[self._at + 1 : self._at + 2].isalpha():
            self._at += 1
            if following == "e":
                return complex(math.e)
            return 1j if following == "i" else self._letter(following)
        raise UnreadableError(f"{self._text[self._at :]!r:.40}")

    def _number(self, spelling: str) -> Value:
        self._at += len(spelling)
        if len(spelling) > _MAX_DIGITS:
            raise UnreadableError(f"a number of more than {_MAX_DIGITS} characters")
        value = Fraction(spelling)
        mixed = _MIXED.match(self._text, self._at) if "." not in spelling else None
        if mixed is None:
            return value
        self._at = mixed.end()
        return value + Fraction(int(mixed[1] or mixed[2]), int(mixed[3] or mixed[4]))

    def _command(self, name: str) -> Value:
        if name == "frac":
            above = self._argument()
            return _combined(above, self._argument(), "/")
        if name == "binom":
            n = self._argument()
            k = self._argument()
            below = _combined(_factorial(k), _factorial(_combined(n, k, "-")), "*")
            return _combined(_factorial(n), below, "/")
        if name == "sqrt":
            index: Value = Fraction(2)
            if self._next() == "[":
                index = self._bracketed()
            return _power(self._argument(), _combined(Fraction(1), index, "/"))
        if name == "pi":
            return complex(math.pi)
        if name == "infty":
            return _INFINITE
        if name == "log" and self._eat("_"):
            base = complex(self._argument())
            return cmath.log(complex(self._factor())) / cmath.log(base)
        if name in _FUNCTIONS:
            self._angle = True
            value = self._factor()
            self._angle = False
            return _FUNCTIONS[name](complex(value))
        if name in _GREEK:
            return self._letter(name)
        raise UnreadableError(f"\\{name}")

    def _letter(self, name: str) -> Value:
        self.letters.add(name)
        return complex(sum(map(ord, name)) % 17 / 7 + 0.11 + self._shift)


def _combined(first: Value, second: Value, sign: str) -> Value:
    if isinstance(first, Fraction) and isinstance(second, Fraction):
        if sign == "+":
            return first + second
        if sign == "-":
            return first - second
        return first * second if sign == "*" else first / second
    one, other = complex(first), complex(second)
    if sign == "+":
        return one + other
    if sign == "-":
        return one - other
    return one * other if sign == "*" else one / other


def _power(base: Value, exponent: Value) -> Value:
    if isinstance(base, Fraction) and isinstance(exponent, Fraction) and exponent.denominator == 1:
        bits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if abs(exponent) <= _MAX_EXPONENT and bits * abs(exponent) < _MAX_BITS:
            raised: Fraction = base ** int(exponent)
            return raised
    return complex(base) ** complex(exponent)


def _factorial(value: Value) -> Value:
    if not isinstance(value, Fraction) or value.denominator != 1 or not 0 <= value <= _MAX_FACTORIAL:
        raise UnreadableError(f"the factorial of {value!s:.40}")
    return Fraction(math.factorial(int(value)))
