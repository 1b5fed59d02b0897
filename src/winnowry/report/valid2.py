"""The VALID² card as people read it, once: titles, values in their units, thresholds and verdicts.

The page of a release, its Markdown card (which is also what a terminal shows), its known limits and Dagster's metadata
all show the card; each lays out what is here. What fails is loud: bold, and red where there is colour. What is met, and
what was measured without a limit in the recipe, is plain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from winnowry.core.numbers import NONE, number, percent, rounded, significant
from winnowry.report.cells import Tone

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
FAILS: Tone = "bad"


@dataclass(frozen=True, slots=True)
class Indicator:
    """One measured or unmeasured indicator.

    Attributes:
        facts: as the card holds it.
        required: whether the recipe asks for the card's limits.
    """

    facts: Mapping[str, Any]
    required: bool = True

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
        """Whether it meets its threshold; None where it was not judged, or nobody asked for a limit."""
        passed: bool | None = self.facts["passed"]
        return passed if self.required else None

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
        """Its threshold in its unit, such as ``at most 40.0 %``; a dash without one that the recipe asks for."""
        if self.facts["threshold"] is None or not self.required:
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
        """``met``, ``fails``, ``measured`` or ``not measured``."""
        if self.passed is not None:
            return _VERDICTS[self.passed]
        return "measured" if self.measured else "not measured"

    @property
    def tone(self) -> Tone:
        """Loud where it fails."""
        return FAILS if self.passed is False else ""

    @property
    def miss(self) -> str:
        """What it is and what was asked for, of one that fails."""
        return f"{self.label}: {self.value}, asked for {self.bound}"

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
        score: 0–1, higher is better; None where nothing was measured, or the recipe asks for no limit.
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
        """The score with two decimals; how much was measured where there is none."""
        if self.score is not None:
            return f"{self.score:.2f}"
        n_measured = sum(item.measured for item in self.indicators)
        return f"{n_measured} of {len(self.indicators)} measured" if n_measured else "not measured"

    @property
    def verdict(self) -> str:
        """``met``, ``fails``, ``measured`` or ``not measured``."""
        if self.passed is not None:
            return _VERDICTS[self.passed]
        return "measured" if any(item.measured for item in self.indicators) else "not measured"

    @property
    def outcome(self) -> str:
        """Score and verdict on a line, such as ``0.79 · 1 of 4 fail``."""
        if self.passed is None:
            return self.score_text
        n_failing, n_judged = len(self.failing), len(self.judged)
        return f"{self.score_text} · " + (f"{n_failing} of {n_judged} fail" if n_failing else f"{n_judged} met")

    @property
    def tone(self) -> Tone:
        """Loud where it fails."""
        return FAILS if self.passed is False else ""

    @property
    def judged(self) -> tuple[Indicator, ...]:
        """Indicators with a verdict."""
        return tuple(item for item in self.indicators if item.passed is not None)

    @property
    def failing(self) -> tuple[Indicator, ...]:
        """Indicators that miss their threshold."""
        return tuple(item for item in self.indicators if item.passed is False)


def letters(card: Mapping[str, Any]) -> tuple[Letter, ...]:
    """The six letters of a card, in its order; without a gate in the recipe none of them passes or fails."""
    required = bool(card.get("gated", True))
    return tuple(
        Letter(
            item["letter"],
            item["score"] if required else None,
            item["passed"] if required else None,
            tuple(Indicator(facts, required) for facts in item["indicators"]),
        )
        for item in card["letters"]
    )


def about(card: Mapping[str, Any]) -> str:
    """How to read the card: what scores mean, where limits come from, and what they do."""
    if not card.get("gated", True):
        return "Measured, and not judged: the recipe asks for no limits. gates.published.valid2 sets them."
    blocking = ", ".join(LETTER_TITLES[letter] for letter in card.get("blocks", ()))
    gate = f"The recipe's gate blocks a release for: {blocking}." if blocking else "The recipe's gate only warns."
    return (
        f"A letter scores what its worst indicator reaches of its threshold, 1 where all are met. Presets for domain "
        f"{card['domain']} and consumer {card['consumer']}. {gate}"
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
