"""What a comparison decides about the recipe's selection: one place, which verdict, page, card and gate quote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from winnowry.core.outcome import Outcome
from winnowry.evidence.comparison.statistics import Difference

Decided = Literal["better", "worse", "no difference", "inconclusive"]

RECIPE = "recipe"
REFERENCES = ("length_matched", "random")
_UNIFORM: Mapping[str, Any] = {"sample.method": "uniform", "sample.by": None}
_TAKEN_OVER: Mapping[str, Mapping[str, Any]] = {
    "gc_paper": {"sample.mode": "paper", "score.normalise": "minmax", "score.length_control": "none"},
    "gc_length_controlled": {"sample.mode": "exact", "score.normalise": "robust", "score.length_control": "residual"},
}
"""Arms that a recipe can take over, with the change that does so."""
_SAYS: Mapping[Outcome, str] = {
    "better": "better than", "worse": "worse than", "not told apart": "not told from",
}  # fmt: skip


@dataclass(frozen=True)
class Decision:
    """What was decided, and what follows.

    Attributes:
        outcome: of the recipe's selection on the set that decides: better only where it beats every reference, worse
            where one beats it.
        verdict: a sentence that begins with ``conclusive`` or ``inconclusive``.
        recommendation: changes of the recipe by key, with ``why``; None where nothing is to be changed.
        advice: the recommendation as a sentence, or why there is none.
    """

    outcome: Decided
    verdict: str
    recommendation: dict[str, Any] | None
    advice: str


def decide(
    gain: Callable[[str, str, str], Difference],
    arms: tuple[str, ...],
    evaluations: tuple[str, ...],
    decides: str,
    controls: Mapping[str, Any],
    *,
    method: str = "cdf",
    enough: float | None = None,
) -> Decision:
    """Judge the recipe's selection, and recommend what the judgement allows.

    Args:
        gain: difference of an arm (first) to another (second) on an evaluation (third); positive: the first is better.
        arms: that were compared.
        evaluations: that they were compared on.
        decides: the evaluation that decides.
        controls: ``told_apart`` and ``why``.
        method: of the recipe's sample.
        enough: smallest share of tokens of the selection that is no worse than all of them, where that is another
            budget than the recipe's.
    """
    if not controls["told_apart"]:
        advice = "none: what the controls do not show, the arms cannot."
        return Decision("inconclusive", f"inconclusive: {controls['why']}", None, advice)
    references = [arm for arm in REFERENCES if arm in arms]
    if RECIPE not in arms or not references:
        advice = "none: the recipe's selection was not compared with random documents."
        return Decision("inconclusive", "conclusive: the controls are told apart", None, advice)
    against = {arm: gain(RECIPE, arm, decides) for arm in references}
    outcomes = {difference.outcome for difference in against.values()}
    decided: Decided = "no difference"
    if "worse" in outcomes:
        decided = "worse"
    elif outcomes == {"better"}:
        decided = "better"
    parts = [_part(gain(RECIPE, arm, name), arm, name) for name in evaluations for arm in references
             if arm == references[0] or name == decides]  # fmt: skip
    rival = _better_rival(gain, arms, references, decides)
    if rival is not None:
        parts.append(_part(gain(RECIPE, rival, decides), rival, decides))
    verdict = f"conclusive: the selection is {', '.join(parts)}"
    if rival is not None:
        changes = {
            **_TAKEN_OVER[rival],
            "why": f"{rival} is better than the recipe and than {' and '.join(references)}",
        }
    elif decided == "better":
        if enough is None:
            return Decision(decided, verdict, None, f"keep the recipe: it is better than {' and '.join(references)}.")
        why = f"{enough:.0%} of the tokens are no worse than all of them on {decides}"
        changes = {"sample.token_fraction": enough, "why": why}
    elif against.get("random") is not None and against["random"].outcome == "better":
        # Its lengths are what helps: random documents of the same lengths do as well or better.
        if decided == "no difference" or method == "length_matched":
            advice = "keep the recipe: it is better than random; random documents of its lengths are as good."
            return Decision(decided, verdict, None, advice)
        why = f"random documents of the same lengths are better on {decides}"
        match = {"sample.match": method} if method in ("cdf", "top_k") else {}
        changes = {"sample.method": "length_matched", **match, "why": why}
    else:
        beaten = [arm for arm in references if against[arm].outcome == "worse"]
        relation = f"worse than {' and '.join(beaten)}" if beaten else f"not told from {' and '.join(references)}"
        changes = {**_UNIFORM, "why": f"the selection is {relation} on {decides}, and `uniform` needs no score"}
        if method == "uniform":
            return Decision(decided, verdict, None, "keep the recipe: it selects uniformly.")
    settings = ", ".join(
        f"{key}: {'null' if value is None else value}" for key, value in changes.items() if key != "why"
    )
    return Decision(decided, verdict, changes, f"{settings} ({changes['why']}).")


def _better_rival(
    gain: Callable[[str, str, str], Difference], arms: tuple[str, ...], references: list[str], decides: str
) -> str | None:
    """The best arm to take over that is better than the recipe and than every reference."""
    rivals = {
        arm: gain(arm, RECIPE, decides).mean
        for arm in _TAKEN_OVER
        if arm in arms
        and all(gain(arm, other, decides).outcome == "better" for other in (RECIPE, *references) if other != arm)
    }
    return max(rivals, key=lambda arm: rivals[arm], default=None)


def _part(difference: Difference, reference: str, evaluation: str) -> str:
    return (
        f"{_SAYS[difference.outcome]} {reference} on {evaluation} ({difference.mean:+.4f} bits per byte, "
        f"{difference.detectable:.4f} can be detected)"
    )
