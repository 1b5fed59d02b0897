"""Suites of the VALID² card: one a letter, where the recipe sets the gate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from expectations.contract import CRITICAL, WARNING
from winnowry.gates.facts import ExpectFact
from winnowry.gates.suite import Suite
from winnowry.recipe.valid2 import LETTERS, Valid2Gate


class ExpectLetterToHold(ExpectFact):
    """Every indicator of one letter of the VALID² card meets its threshold."""

    letter: str
    success_keys: ClassVar[tuple[str, ...]] = ("letter",)
    args_keys: ClassVar[tuple[str, ...]] = ("letter",)
    sentence: ClassVar[str] = "Every indicator of $letter on the VALID² card must meet its threshold."

    def judge(self, facts: Mapping[str, Any]) -> tuple[bool, Any, str]:
        """Judge ``facts["valid2"]``: the letter's score, 1 where all its thresholds are met.

        Raises:
            LookupError: there is no card, or nothing of the letter could be judged.
        """
        card = facts.get("valid2")
        if not isinstance(card, Mapping):
            raise LookupError("the pipeline made no VALID² card")
        own = next((letter for letter in card["letters"] if letter["letter"] == self.letter), None)
        if own is None:
            raise LookupError(f"the card has no letter {self.letter!r}")
        if own["score"] is None:
            why = next((item["why"] for item in own["indicators"] if item["why"]), "it has no threshold")
            raise LookupError(f"nothing of {self.letter} could be judged: {why}")
        failed = [item for item in own["indicators"] if item["passed"] is False]
        n = sum(item["passed"] is not None for item in own["indicators"])
        message = "; ".join(map(_threshold_text, failed)) if failed else f"{n} thresholds are met"
        return not failed, own["score"], message


def _threshold_text(item: Mapping[str, Any]) -> str:
    bound = f"{'at least' if item['at_least'] else 'at most'} {item['threshold']:g}"
    if item["value"] is None:
        return f"{item['name']} was not measured, {bound} is asked for: {item['why']}"
    ids = ", ".join(f"{row['record_id']} ({row['value']})" for row in item["examples"][:3])
    return f"{item['name']} is {item['value']:.4g}, {bound} is asked for" + (f"; e.g. {ids}" if ids else "")


def valid2_suites(gate: Valid2Gate | None) -> list[Suite]:
    """One suite a letter; none without the gate."""
    if gate is None:
        return []
    return [
        Suite(
            f"published.valid2.{letter}",
            [ExpectLetterToHold(letter=letter, severity=CRITICAL if letter in gate.blocks else WARNING)],
        )
        for letter in LETTERS
    ]
