"""Expectations about a comparison: its controls, and the selection against a reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from winnowry.core.outcome import outcome
from winnowry.gates.facts import ExpectFact

_RECIPE = "recipe"


class ExpectControlsToBeToldApart(ExpectFact):
    """What must win wins and what must lose loses, by more than the smallest effect that can be detected."""

    sentence: ClassVar[str] = "The positive control must beat random selection, the negative one must lose to it."

    def judge(self, facts: Mapping[str, Any]) -> tuple[bool, Any, str]:
        """Judge ``facts["comparison"]["controls"]``: ``told_apart`` and ``why``."""
        controls = _of(facts, "controls")
        return bool(controls["told_apart"]), bool(controls["told_apart"]), str(controls["why"])


class ExpectSelectionToBeBetter(ExpectFact):
    """The recipe's selection beats a reference arm by more than the smallest effect that can be detected."""

    reference: str
    on: str
    success_keys: ClassVar[tuple[str, ...]] = ("reference", "on")
    args_keys: ClassVar[tuple[str, ...]] = ("reference", "on")
    sentence: ClassVar[str] = "A proxy trained on the selection must beat one trained on $reference, evaluated on $on."

    def judge(self, facts: Mapping[str, Any]) -> tuple[bool, Any, str]:
        """Judge the bits per byte of the arms ``recipe`` and ``reference`` on one evaluation; lower is better.

        Raises:
            LookupError: the comparison has no such arm or evaluation.
        """
        ours, theirs = (self._arm(facts, name) for name in (_RECIPE, self.reference))
        # What can be detected depends on the pair: another reference varies otherwise over the seeds.
        gain, needed = (float(ours["against"][self.reference][name]) for name in ("difference", "detectable"))
        message = (
            f"{self.on}: {ours['mean']:.4f} bits per byte against {theirs['mean']:.4f} of {self.reference}, "
            f"{abs(gain):.4f} {'better' if gain >= 0 else 'worse'}; {needed:.4f} can be detected"
        )
        return outcome(gain, needed) == "better", gain, message

    def _arm(self, facts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        arms = {arm["arm"]: arm for arm in _of(facts, "arms")}
        if name not in arms:
            raise LookupError(f"the comparison has no arm {name!r}; it has {', '.join(sorted(arms))}")
        evaluation: Mapping[str, Any] | None = arms[name]["evaluations"].get(self.on)
        if evaluation is None:
            known = ", ".join(sorted(arms[name]["evaluations"]))
            raise LookupError(f"the comparison was not evaluated on {self.on!r}, but on {known}")
        return evaluation


def _of(facts: Mapping[str, Any], name: str) -> Any:
    """A part of the comparison's summary.

    Raises:
        LookupError: it is not there.
    """
    summary = facts.get("comparison")
    if not isinstance(summary, Mapping) or name not in summary:
        raise LookupError(f"the pipeline measured no comparison.{name}")
    return summary[name]
