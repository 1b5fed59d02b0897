"""What a comparison must show."""

from __future__ import annotations

from typing import Any

import pytest

from expectations.proof import ExpectControlsToBeToldApart, ExpectSelectionToBeBetter


def facts(ours: float, theirs: float, detectable: float = 0.01, *, told_apart: bool = True) -> dict[str, Any]:
    def arm(name: str, mean: float) -> dict[str, Any]:
        against = {"length_matched": {"difference": theirs - ours, "detectable": detectable}}
        # what can be detected against the arm that the summary refers to is not what the gate asks about
        return {"arm": name, "evaluations": {"holdout": {"mean": mean, "detectable": 9.0, "against": against}}}

    return {
        "comparison": {
            "arms": [arm("recipe", ours), arm("length_matched", theirs)],
            "controls": {"told_apart": told_apart, "why": "because"},
        }
    }


@pytest.mark.parametrize(
    ("ours", "theirs", "met"),
    [(2.00, 2.05, True), (2.00, 2.005, False), (2.00, 2.01 - 1e-9, False), (2.05, 2.00, False)],
)
def test_only_a_gain_larger_than_what_can_be_detected_counts(ours: float, theirs: float, met: bool) -> None:
    found, observed, said = ExpectSelectionToBeBetter(reference="length_matched", on="holdout").judge(
        facts(ours, theirs)
    )
    assert found is met
    assert observed == pytest.approx(theirs - ours)
    assert f"of length_matched, {abs(theirs - ours):.4f} {'better' if ours < theirs else 'worse'}" in said


def test_controls_that_cannot_be_told_apart_fail_with_the_reason() -> None:
    assert ExpectControlsToBeToldApart().judge(facts(1, 2))[0] is True
    met, _, said = ExpectControlsToBeToldApart().judge(facts(1, 2, told_apart=False))
    assert met is False
    assert said == "because"


def test_what_was_not_measured_is_broken_and_not_met() -> None:
    with pytest.raises(LookupError, match="not evaluated on 'finance', but on holdout"):
        ExpectSelectionToBeBetter(reference="length_matched", on="finance").judge(facts(1, 2))
    with pytest.raises(LookupError, match="no arm 'random'"):
        ExpectSelectionToBeBetter(reference="random", on="holdout").judge(facts(1, 2))
    with pytest.raises(LookupError, match="measured no comparison"):
        ExpectControlsToBeToldApart().judge({})
