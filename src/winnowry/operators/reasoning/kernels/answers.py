r"""What a solution answers, and whether two answers are the same.

A solution commits to its last ``\boxed``; else to what follows its last marker (``####``, ``A:``, "the answer is",
答案); else, where a number is asked, to its last number. Answers are compared as choices, times, intervals, sets,
tuples, numbers with units and percentages, expressions at fixed points, and at last as words.
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from typing import Literal, NamedTuple

from winnowry.operators.reasoning.kernels.calculator import MAX_CHARACTERS, SHIFTS, UnreadableError, Value, value_of

AnswerKind = Literal["choice", "number", "expression"]
_MARK = re.compile(
    r"####"
    r"|(?:^|\n)\s*(?:\*\*)?A\s*[:：]"
    r"|(?:final |correct )?answer(?:\s+is)?\s*[:：]?(?:\*\*)?\s*(?:is\s+)?"
    r"|(?:正确)?答案(?:是|为|[:：])*"
    r"|故?选(?:择)?[:：]?"
    r"|因此|所以|hence|therefore",
    re.IGNORECASE,
)
_BOX = re.compile(r"\\boxed|\\fbox")
_NUMBER = re.compile(r"(?<![\w.])[-−]?[$¥€]?\s?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:/\d+)?(?:[eE][+-]?\d+)?%?")
_FORMULA = re.compile(
    r"\$\$(.+?)\$\$|(?<!\\)\$([^$]*[\\^_=][^$]*|[^$\s]{1,12})\$(?!\d)|\\\[(.+?)\\\]|\\\((.+?)\\\)", re.DOTALL
)
_BOLD = re.compile(r"\*\*([^*]{1,40})\*\*")
_LETTERS = re.compile(r"[A-J](?:[\s,、和&]*(?:and)?[\s,、]*[A-J])*")
_GOLD_LETTERS = re.compile(r"[A-Ja-j](?:[,、 ]*[A-J])*")
_LEADING_LETTER = re.compile(r"\(?([A-J])(?:[).:。、,]|\s*$|\)?\s+\d)")
_LETTER_BEHIND_MARK = re.compile(r"[\s*(]*((?:[A-J][、,和 ]*)+)(?![A-Za-z])")
_LETTER_IN_LINE = re.compile(r"\(([A-J])\)|\b([A-J])\b")
_PROSE = re.compile(r"[a-z]{3}.*[.!?] [A-Z]")
_FIRST_SENTENCE = re.compile(r"(?<=[^\d])[.。](?:\s|$)|[.。]$")
_NO_CURRENCY = str.maketrans("", "", "€¥£元")
_MOST_LETTERS = 8
_SHORT = 40
_SHORT_ANSWER = 60


class _Quantity(NamedTuple):
    """A readable answer: its value at each shift, its unit, whether it is a percentage, and its letters."""

    values: tuple[Value, ...]
    unit: str | None
    percent: bool
    letters: frozenset[str]


class _Bounds(NamedTuple):
    low: _Quantity | str
    high: _Quantity | str
    low_closed: bool
    high_closed: bool


# ------------------------------------------------------------------------------------------------------- extraction


def extract(solution: str, kind: AnswerKind) -> str | None:
    r"""The answer that a solution commits to; None where it commits to none.

    Args:
        solution: text of any length.
        kind: what is asked for: :func:`kind_of` the right answer.

    >>> extract("So she makes $18. #### 18", "number"), extract("First \\boxed{41}, no: \\boxed{42}", "number")
    ('18', '42')
    """
    text = unicodedata.normalize("NFKC", solution)
    if _BOX.search(text) is not None:
        return _boxed(text)
    marks = list(_MARK.finditer(text))
    if marks:
        return _behind_mark(text[marks[-1].end() :], kind)
    formula = None if kind == "choice" else _last_formula(text)
    if formula is not None:
        return formula or None
    if kind == "choice":
        bold = _BOLD.findall(text)
        return (_choice(bold[-1]) if bold else _choice(text.partition("\n")[0])) or None
    if kind == "number":
        numbers = _NUMBER.findall(text)
        return numbers[-1].strip() if numbers else None
    return text.strip() if len(text) < _SHORT_ANSWER else None


def has_mark(text: str) -> bool:
    """Whether a text says where its answer is: a box or a marker."""
    return _boxed(text) is not None or _MARK.search(text) is not None


def kind_of(answer: str) -> AnswerKind:
    """What an answer is: letters of choices, a number (with a unit or not), or anything else.

    >>> kind_of("B"), kind_of("5 cm"), kind_of("x^2")
    ('choice', 'number', 'expression')
    """
    cleaned = _cleaned(answer)
    if _GOLD_LETTERS.fullmatch(cleaned):
        return "choice"
    quantity = _quantity(cleaned)
    return "number" if isinstance(quantity, _Quantity) and not quantity.letters else "expression"


def _behind_mark(tail: str, kind: AnswerKind) -> str | None:
    line = tail.strip().partition("\n")[0].strip()
    if kind == "choice":
        letters = _LETTER_BEHIND_MARK.match(line)
        if letters is not None:
            return letters[1]
        single = _LETTER_IN_LINE.search(line)
        return (single[1] or single[2]) if single is not None else None
    formula = _last_formula(tail)
    if formula is not None:
        return formula
    if kind == "number":
        numbers = _NUMBER.findall(line)
        if not numbers:
            return line.rstrip(".。") or None
        whole = len(line) < _SHORT and line.translate(_NO_CURRENCY).isascii() and _PROSE.search(line) is None
        return line if whole else numbers[-1]
    return _FIRST_SENTENCE.split(line)[0].strip(" *") or None


def _last_formula(text: str) -> str | None:
    if "<<" in text:  # calculator marks of GSM8K, where dollars are money
        return None
    formulas = _FORMULA.findall(text)
    return next(part for part in formulas[-1] if part).strip() if formulas else None


def _boxed(text: str) -> str | None:
    r"""What the last ``\boxed`` holds; None where there is none, or it is cut off."""
    boxes = list(_BOX.finditer(text))
    if not boxes:
        return None
    start = boxes[-1].start()
    opening = text.find("{", start)
    if opening < 0:
        words = text[start:].partition(" ")[2].split()
        return words[0].strip("$.") if words else None
    depth = 0
    for at in range(opening, len(text)):
        depth += (text[at] == "{") - (text[at] == "}")
        if depth == 0:
            return text[opening + 1 : at]
    return None


def _choice(text: str) -> str:
    """The letters that a text chooses, sorted; none where it chooses none."""
    text = text.strip().strip("*$() .。:,").strip()
    letters = re.findall("[A-J]", text)
    if _LETTERS.fullmatch(text) and len(letters) <= _MOST_LETTERS:
        return "".join(sorted(set(letters)))
    leading = _LEADING_LETTER.match(text)
    return leading[1] if leading is not None else ""


# ------------------------------------------------------------------------------------------------------- comparison

_SPELLINGS = (
    ("\\left", ""),
    ("\\right", ""),
    ("\\,", " "),
    ("\\!", ""),
    ("\\;", " "),
    ("\\:", " "),
    ("{,}", ","),
    ("\\%", "%"),
    ("\\$", "$"),
    ("\\dfrac", "\\frac"),
    ("\\cfrac", "\\frac"),
    ("\\tfrac", "\\frac"),
    ("\\textnormal", "\\text"),
    ("\\mathbf", "\\text"),
    ("\\varnothing", "\\emptyset"),
    ("∅", "\\emptyset"),
    ("\\leq", "<="),
    ("\\le ", "<="),
    ("\\geq", ">="),
    ("\\ge ", ">="),
    ("≤", "<="),
    ("≥", ">="),
    ("\\lt", "<"),
    ("\\gt", ">"),
)
_VULGAR = {"½": "1/2", "¼": "1/4", "¾": "3/4", "−": "-", "–": "-"}
_WORDS_IN_MATH = re.compile(r"\\(?:text|mathrm|textbf|mbox|operatorname)\s*\{([^{}]*)\}")
_THOUSANDS = re.compile(r"(?<![\d,.])(\d{1,3}(?:,\d{3})+)(?![\d,])")
_SPACED_THOUSANDS = re.compile(r"(?<![\d.])(\d{1,3}(?: \d{3})+)(?!\s?\d)")
_MIXED_NUMBER = re.compile(r"(\d)\s+(\d+/\d+)")
_NAMED = re.compile(r"\(?[a-zA-Z](?:\s*,\s*[a-zA-Z])*\)?\s*(?:\\in|=)\s*(?=[(\[\\{])")
_TIME = re.compile(r"(\d{1,2}:\d\d)\s*(?:[ap]\.?m\.?)?", re.IGNORECASE)
_INTERVAL = re.compile(r"([\[(])\s*([^,\[\]()]+|\([^()]*\))\s*,\s*([^,\[\]()]+|\([^()]*\))\s*([\])])")
_UNION = re.compile(r"\\cup|∪|\bor\b")
_TURNED = re.compile(r"([^a-z<>]+?)\s*(<=?|>=?)\s*([a-z])")
_INEQUALITY = re.compile(r"(?:(.+?)\s*(<=?)\s*)?([a-z])\s*(<=?|>=?)\s*(.+)")
_MATRIX = re.compile(r"\\begin\{[pb]?matrix\}(.*)\\end\{[pb]?matrix\}")
_AND = re.compile(r"\s*(?:,\s*)?\b(?:and|or)\b\s*|\s*[、和或]\s*")
_ASSIGNED = re.compile(r"[a-zA-Z]\s*=\s*(?!=)(.+)")
_PERCENT = re.compile(r"(.+?)\s*(?:%|percent)")
_WITH_UNIT = re.compile(
    r"(-?[\d./]+|.*[\d}\s)])\s*\\?([a-zA-Z/¢€¥元]+(?:\^\{?[23]\}?)?|\^?\{?(?:\\circ|°)\}?|个?[\u4e00-\u9fff]+)"
)
_DEGREES = re.compile(r"(.*\d)\s*(?:°|\^\{?\\circ\}?)")
_OF_ANGLE = re.compile(r"\\(?:sin|cos|tan)")
_NO_UNIT = re.compile(r"[a-zA-Z]$|infty|pi$|circ$")
_SHORT_UNITS = frozenset("mgshl")
_UNKNOWN_UNIT = "?"

_DIMENSIONS: dict[str, dict[str, float]] = {
    "length": {
        **dict.fromkeys(("m", "meter", "metre"), 1),
        "cm": 0.01,
        "mm": 0.001,
        "km": 1000,
        **dict.fromkeys(("inch", "in"), 0.0254),
        **dict.fromkeys(("ft", "foot", "feet"), 0.3048),
        "mile": 1609.344,
    },
    "mass": {"g": 1, "gram": 1, "kg": 1000, "kilogram": 1000, "mg": 0.001},
    # Currencies differ by factors that no amount makes up for.
    "money": {
        **dict.fromkeys(("$", "dollar", "usd"), 1),
        **dict.fromkeys(("cent", "¢"), 0.01),
        **dict.fromkeys(("€", "euro"), 1000003),
        **dict.fromkeys(("¥", "元", "yuan"), 1000033),
    },
    "time": {
        **dict.fromkeys(("s", "sec", "second"), 1),
        **dict.fromkeys(("min", "minute"), 60),
        **dict.fromkeys(("h", "hr", "hour"), 3600),
        "day": 86400,
        "week": 604800,
    },
    "area": {"m^2": 1, "cm^2": 0.0001, "km^2": 1000000},
    "volume": {**dict.fromkeys(("l", "liter", "litre"), 1), "ml": 0.001, "m^3": 1000, "cm^3": 0.001},
    "speed": {"m/s": 1, "km/h": 1 / 3.6, "mph": 0.44704},
}
_UNITS = {name: (dimension, factor) for dimension, units in _DIMENSIONS.items() for name, factor in units.items()}
_NUMBER_WORDS = {
    word: str(number)
    for number, word in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    )
}


def equal(right: str, answer: str | None) -> tuple[bool, str]:
    r"""Whether an answer is the right one, and how that was told.

    A percentage equals its number and its hundredth; 25 and 0.25 without a sign differ. Units of one dimension are
    converted, of two they differ, and a missing one means nothing. Expressions are equal where they agree at three
    points.

    Args:
        right: the right answer.
        answer: what :func:`extract` gives.

    Returns:
        The verdict, and one of ``no_answer``, ``too_long``, ``same_text``, ``choice``, ``time``, ``interval``, ``set``,
        ``tuple``, ``numbers``, ``words`` (one of the two could not be read).

    >>> equal("0.5", r"\frac{1}{2}"), equal("5 m", "500 cm")[0], equal("25", "0.25")[0]
    ((True, 'numbers'), True, False)
    """
    if answer is None:
        return False, "no_answer"
    if len(answer) > 4 * MAX_CHARACTERS or len(right) > 4 * MAX_CHARACTERS:
        return right == answer, "too_long"
    first, second = (_unnamed(_cleaned(text)) for text in (right, answer))
    if first == second and first:
        return True, "same_text"
    if _GOLD_LETTERS.fullmatch(first):
        return _choice(first.upper()) == _choice(second.upper()), "choice"
    times = _TIME.fullmatch(first), _TIME.fullmatch(second)
    if times[0] is not None and times[1] is not None:
        return times[0][1] == times[1][1], "time"
    intervals = _intervals(first)
    if intervals:
        others = _intervals(second) or _open_interval(second)
        if others:
            return _same_intervals(intervals, others), "interval"
    (form, members), (other_form, other_members) = _members(first), _members(second)
    if form != "one" or other_form != "one":
        how = form if form != "one" else other_form
        if len(members) != len(other_members):
            return False, how
        mine, theirs = [_quantity(one) for one in members], [_quantity(one) for one in other_members]
        if "tuple" in (form, other_form):
            return all(_same(one, other) for one, other in zip(mine, theirs, strict=True)), "tuple"
        return (
            all(any(_same(one, other) for other in theirs) for one in mine)
            and all(any(_same(one, other) for one in mine) for other in theirs)
        ), "set"
    one, other = _quantity(first), _quantity(second)
    readable = isinstance(one, _Quantity) and isinstance(other, _Quantity)
    return _same(one, other), "numbers" if readable else "words"


def is_verifiable(answer: str) -> bool:
    """Whether an answer can be compared at all: it is something, and equals itself."""
    return bool(answer.strip()) and equal(answer, answer)[0]


def _cleaned(text: str) -> str:
    """An answer in one spelling."""
    for spelling, plain in _VULGAR.items():
        text = text.replace(spelling, plain)
    text = unicodedata.normalize("NFKC", text).strip().strip("*").rstrip(".。").strip()
    if text.count("$") == 2 and len(text) > 2 and text[0] == text[-1] == "$" and text[-2] != "\\":
        text = text[1:-1]
    rows = text.split("\\\\")  # the row ends of matrices are no blanks
    for spelling, plain in (*_SPELLINGS, ("\\ ", " ")):
        rows = [row.replace(spelling, plain) for row in rows]
    text = "\\\\".join(rows)
    text = _WORDS_IN_MATH.sub(r" \1 ", text)
    text = re.sub(r"([a-z])\s+\^", r"\1^", text)
    text = _THOUSANDS.sub(lambda match: match[1].replace(",", ""), text)
    text = _SPACED_THOUSANDS.sub(lambda match: match[1].replace(" ", ""), text)
    return re.sub(r"\s+", " ", text).strip()


def _unnamed(text: str) -> str:
    """An answer without the letters before it: ``(x, y) = (1, 2)``."""
    named = _NAMED.match(text)
    return text if named is None else text[named.end() :]


def _quantity(text: str) -> _Quantity | str:
    """A text as a quantity; as folded words where it is none."""
    rest = text.strip()
    rest = _NUMBER_WORDS.get(rest.lower(), rest)
    unit, percent = None, False
    assigned = _ASSIGNED.fullmatch(rest)
    if assigned is not None:
        rest = assigned[1]
    if rest[:1] in "$¥€" and len(rest) > 1:
        unit, rest = rest[0], rest[1:]
    rest = rest.removeprefix("\\cdot")
    share = _PERCENT.fullmatch(rest)
    if share is not None:
        rest, percent = share[1], True
    rest, unit = _without_unit(rest, unit)
    rest = _MIXED_NUMBER.sub(r"\1+\2", rest)
    try:
        computed = [value_of(rest, shift) for shift in SHIFTS]
    except UnreadableError:
        return re.sub(r"[\s'\"]+", " ", text).strip().casefold()
    return _Quantity(tuple(value for value, _ in computed), unit, percent, computed[0][1])


def _without_unit(text: str, unit: str | None) -> tuple[str, str | None]:
    """A text without the unit at its end, and the unit: ``?`` for one that is not known."""
    if _OF_ANGLE.search(text):
        return text, unit
    match = _WITH_UNIT.fullmatch(text)
    if match is not None and match[2] not in ("e", "i", "\\pi"):
        written = match[2]
        looks = len(written) > 1 or written in _UNITS or " " in text
        if (looks and not _NO_UNIT.match(written)) or (written in _SHORT_UNITS and " " in text):
            name = written.lower().replace("{", "").replace("}", "")
            singular = next((form for form in (name, name[:-1], name[:-2]) if form in _UNITS), _UNKNOWN_UNIT)
            return match[1], singular
    degrees = _DEGREES.fullmatch(text)
    return (degrees[1], _UNKNOWN_UNIT) if degrees is not None else (text, unit)


def _same(one: _Quantity | str, other: _Quantity | str) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    units = _UNITS.get(one.unit or ""), _UNITS.get(other.unit or "")
    if units[0] is not None and units[1] is not None:
        if units[0][0] != units[1][0]:
            return False
        factors = units[0][1], units[1][1]
        return all(
            _near(complex(mine) * factors[0], complex(theirs) * factors[1])
            for mine, theirs in zip(one.values, other.values, strict=True)
        )
    return any(
        all(_near(mine, theirs) for mine, theirs in zip(first, second, strict=True))
        for first in _readings(one)
        for second in _readings(other)
    )


def _readings(quantity: _Quantity) -> list[tuple[Value, ...]]:
    """A number as it stands, and of a percentage its hundredth."""
    return [quantity.values, *([tuple(value / 100 for value in quantity.values)] if quantity.percent else [])]


def _near(one: Value, other: Value) -> bool:
    if isinstance(one, Fraction) and isinstance(other, Fraction) and one == other:
        return True
    try:
        first, second = complex(one), complex(other)
        return abs(first - second) <= 1e-9 * max(1e-12, abs(first), abs(second))
    except OverflowError:
        return False


def _intervals(text: str) -> list[_Bounds] | None:
    """Intervals and inequalities; None where a part is neither, or a pair of round brackets that may be a point."""
    parts = [part.strip() for part in _UNION.split(text)]
    intervals: list[_Bounds] = []
    for part in parts:
        bounds = _bounds(part, certain=len(parts) > 1)
        if bounds is None:
            return None
        intervals.append(bounds)
    return intervals


def _bounds(part: str, *, certain: bool) -> _Bounds | None:
    written = _INTERVAL.fullmatch(part)
    if written is not None:
        closed = written[1] == "[", written[4] == "]"
        if any(closed) or "infty" in part or "∞" in part or certain:
            return _Bounds(_quantity(written[2]), _quantity(written[3]), *closed)
        return None
    turned = _TURNED.fullmatch(part)
    if turned is not None:
        part = f"{turned[3]} {'<' if turned[2][0] == '>' else '>'}{turned[2][1:]} {turned[1]}"
    chain = _INEQUALITY.fullmatch(part)
    if chain is None:
        return None
    end = _quantity(chain[5])
    if chain[4][0] == "<":
        low = _quantity(chain[1]) if chain[1] else _quantity("-\\infty")
        return _Bounds(low, end, chain[2] == "<=", chain[4] == "<=")
    return _Bounds(end, _quantity("\\infty"), chain[4] == ">=", False)


def _open_interval(text: str) -> list[_Bounds]:
    written = _INTERVAL.fullmatch(text)
    return [] if written is None else [_Bounds(_quantity(written[2]), _quantity(written[3]), False, False)]


def _same_intervals(mine: list[_Bounds], theirs: list[_Bounds]) -> bool:
    def order(bounds: _Bounds) -> float:
        return complex(bounds.low.values[0]).real if isinstance(bounds.low, _Quantity) else 0.0

    return len(mine) == len(theirs) and all(
        _same(one.low, other.low) and _same(one.high, other.high) and one[2:] == other[2:]
        for one, other in zip(sorted(mine, key=order), sorted(theirs, key=order), strict=True)
    )


def _members(text: str) -> tuple[Literal["set", "tuple", "one"], list[str]]:
    """The members of a set, a tuple or a column of a matrix; one text otherwise."""
    matrix = _MATRIX.fullmatch(text)
    if matrix is not None:
        return "tuple", [part.strip() for part in re.split(r"\\\\|&", matrix[1]) if part.strip()]
    if text in ("\\emptyset", "\\{\\}"):
        return "set", []
    if text.startswith("\\{") and text.endswith("\\}"):
        return "set", _split(text[2:-2], ",")
    if text.startswith("(") and text.endswith(")") and len(inside := _split(text[1:-1], ",")) > 1:
        return "tuple", inside
    if "\\pm" in text or "±" in text:
        return "set", [re.sub(r"\\pm|±", sign, text) for sign in "+-"]
    listed = _AND.sub(",", text)
    parts = _split(listed, ";" if ";" in listed else ",")
    return ("set", parts) if len(parts) > 1 and all(parts) else ("one", [text])


def _split(text: str, separator: str) -> list[str]:
    """Parts of a text, parted where no bracket is open."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if character == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]
