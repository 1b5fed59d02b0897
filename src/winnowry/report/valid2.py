"""The VALID² card as people read it, once: titles, values in their units, thresholds and verdicts.

The page of a release, its Markdown card, its known limits and Dagster's metadata all show the card; each lays out what
is here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from winnowry.core.numbers import NONE, number, percent, rounded, significant

LETTER_TITLES = {
    "vitality": "Vitality",
    "authenticity": "Authenticity",
    "large_sample": "Large sample",
    "integrity": "Integrity",
    "diversity": "Diversity",
    "density": "knowledge Density",
}
"""The six qualities by letter, as people read them."""
_VERDICTS = {True: "met", False: "fails"}


@dataclass(frozen=True, slots=True)
class Indicator:
    """One measured or unmeasured indicator.

    Attributes:
        facts: as the card holds it.
    """

    facts: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Identifier, such as ``truncated_share``."""
        return str(self.facts["name"])

    @property
    def label(self) -> str:
        """What it measures, in words."""
        return str(self.facts["label"])

    @property
    def passed(self) -> bool | None:
        """Whether it meets its threshold; None where it was not judged."""
        passed: bool | None = self.facts["passed"]
        return passed

    @property
    def measured(self) -> bool:
        """Whether it has a value."""
        return self.facts["value"] is not None

    @property
    def value(self) -> str:
        """Its value in its unit."""
        return self._in_unit(self.facts["value"]) if self.measured else "not measured"

    @property
    def bound(self) -> str:
        """Its threshold in its unit, such as ``at most 40.0 %``; a dash without one."""
        if self.facts["threshold"] is None:
            return NONE
        return f"{'at least' if self.facts['at_least'] else 'at most'} {self._in_unit(self.facts['threshold'])}"

    @property
    def plain_value(self) -> str:
        """Its value without a unit: four digits, but counts in full."""
        return plain_value(self.facts["value"])

    @property
    def plain_bound(self) -> str:
        """Its threshold without a unit, such as ``≥ 0.1``; nothing without one."""
        threshold = self.facts["threshold"]
        return "" if threshold is None else f"{'≥' if self.facts['at_least'] else '≤'} {threshold}"

    @property
    def remark(self) -> str:
        """Its interval where it is an estimate, and why it is missing or what to know of it."""
        parts = [self.facts["why"] or self.facts["note"]]
        if self.facts["interval"] is not None:
            low, high = (self._in_unit(bound) for bound in self.facts["interval"])
            parts.insert(0, f"95 % interval {low} to {high}")
        return "; ".join(filter(None, parts))

    @property
    def verdict(self) -> str:
        """``met``, ``fails`` or ``not judged``."""
        return _VERDICTS[self.passed] if self.passed is not None else "not judged"

    def _in_unit(self, value: float) -> str:
        unit = self.facts["unit"]
        if unit == "share":
            return percent(value, 1)
        if unit == "count":
            return rounded(round(value))
        return f"{value:,.0f} days" if unit == "days" else rounded(float(value))


@dataclass(frozen=True, slots=True)
class Letter:
    """One quality with its indicators.

    Attributes:
        name: such as ``large_sample``.
        score: 0–1, higher is better; None where nothing was measured.
        passed: whether every judged indicator meets its threshold; None where none was judged.
        indicators: measured or not.
    """

    name: str
    score: float | None
    passed: bool | None
    indicators: tuple[Indicator, ...]

    @property
    def title(self) -> str:
        """As a heading."""
        return LETTER_TITLES[self.name]

    @property
    def words(self) -> str:
        """Inside a sentence."""
        return self.name.replace("_", " ")

    @property
    def score_text(self) -> str:
        """The score with two decimals."""
        return "not measured" if self.score is None else f"{self.score:.2f}"

    @property
    def verdict(self) -> str:
        """``met`` or ``fails``; nothing where it was not judged."""
        return _VERDICTS[self.passed] if self.passed is not None else ""

    @property
    def judged(self) -> tuple[Indicator, ...]:
        """Indicators with a verdict."""
        return tuple(item for item in self.indicators if item.passed is not None)

    @property
    def failing(self) -> tuple[Indicator, ...]:
        """Indicators that miss their threshold."""
        return tuple(item for item in self.indicators if item.passed is False)


def letters(card: Mapping[str, Any]) -> tuple[Letter, ...]:
    """The six letters of a card, in its order."""
    return tuple(
        Letter(item["letter"], item["score"], item["passed"], tuple(map(Indicator, item["indicators"])))
        for item in card["letters"]
    )


def tc609_summary(tc609: Mapping[str, Any]) -> str:
    """How much of SAC/TC609 is answered, in a sentence without a full stop."""
    items, checks = tc609["indicators"], tc609["documentation"]
    measured = sum(item["status"] == "measured" for item in items)
    answered = sum(item["answered"] for item in checks)
    return f"{measured} of {len(items)} items measured, {answered} of {len(checks)} documentation checks answered"


def plain_value(value: float | None) -> str:
    """A value without a unit: four digits, but counts in full.

    >>> [plain_value(value) for value in (0.145415, 967868.0, None)]
    ['0.1454', '967,868', '']
    """
    if value is None:
        return ""
    return number(round(value)) if value == round(value) else significant(value)
