"""The section of the VALID² card: thresholds and failures are shown, and texts stay text."""

from __future__ import annotations

import re
from typing import Any

from winnowry.report.release_valid2 import valid2_view
from winnowry.report.render import render
from winnowry.report.valid2 import letters

_BAD = "<script>alert(1)</script>"


def indicator(**changes: Any) -> dict[str, Any]:
    return {
        "name": "truncated_share", "letter": "integrity", "label": _BAD, "unit": "share", "value": 0.25,
        "threshold": 0.05, "at_least": False, "score": 0.79, "passed": False, "why": "", "records": 400,
        "interval": [0.21, 0.29], "note": _BAD, "examples": [{"record_id": "0" * 32, "value": _BAD}], **changes,
    }  # fmt: skip


def card(*, measured: bool = True) -> dict[str, Any]:
    letters = ["vitality", "authenticity", "large_sample", "integrity", "diversity", "density"]
    return {
        "as_of": "2026-07-01T00:00:00+00:00", "as_of_from": "recipe", "domain": _BAD, "consumer": _BAD, "gated": True,
        "blocks": ["integrity"],
        "letters": [
            {"letter": name, "score": 0.79 if name == "integrity" and measured else None,
             "passed": False if name == "integrity" and measured else None,
             "indicators": [indicator()] if name == "integrity" and measured
             else [indicator(value=None, score=None, passed=None, why=_BAD, interval=None, examples=[])]}
            for name in letters
        ],
        "grade": {"worst": "integrity" if measured else None, "score": 0.79 if measured else None,
                  "geometric_mean": 0.79 if measured else None,
                  "unmeasured": [name for name in letters if name != "integrity" or not measured]},
    }  # fmt: skip


def valid2_section(facts: dict[str, Any]) -> str:
    return render("release/valid2.html.j2", view=valid2_view(facts))


TC609 = {
    "indicators": [{"id": "0101", "name": _BAD, "status": "measured", "value": _BAD, "by": _BAD}],
    "documentation": [{"id": "0101.1", "name": _BAD, "answered": False, "answer": _BAD}],
}


def test_a_failing_letter_shows_its_threshold_and_its_records() -> None:
    html = valid2_section({"valid2": card(), "tc609": TC609})
    assert "<script" not in html
    for text in ("1 of 6 letters fail: Integrity", "25.0 %", "at most 5.0 %", "21.0 % to 29.0 %", "0" * 32,
                 "Not measured, and in neither number: Vitality", "blocks a release for: Integrity",
                 "1 of 1 items measured, 0 of 1 documentation checks answered"):  # fmt: skip
        assert text in html


def test_what_fails_is_red_and_bold_and_what_is_met_is_plain() -> None:
    met = card()
    met["letters"][3] |= {"score": 1.0, "passed": True, "indicators": [indicator(score=1.0, passed=True, examples=[])]}
    plain, loud = (valid2_section({"valid2": one, "tc609": TC609}) for one in (met, card()))
    assert 'class="bar fails"' in loud
    assert '<span class="bad">fails</span>' in loud
    for colour in ("good", "bad", "warn", "last", "fails"):
        assert f'class="{colour}"' not in plain
        assert f'class="bar {colour}"' not in plain
    assert "1 met" in plain


def test_what_no_limit_was_asked_for_is_measured_in_no_colour_and_judged_by_nobody() -> None:
    html = valid2_section({"valid2": {**card(), "gated": False, "blocks": []}, "tc609": None})
    assert "Measured; the recipe asks for no limits" in html
    assert '<span class="">measured</span>' in html
    assert "at most 5.0 %" not in html  # a preset that nobody chose
    assert not re.search(r"\bfails?\b", html)
    assert 'class="verdict bad"' not in html
    (integrity,) = [letter for letter in letters({**card(), "gated": False}) if letter.name == "integrity"]
    assert (integrity.passed, integrity.score, integrity.verdict) == (None, None, "measured")
    assert integrity.failing == ()


def test_a_card_without_numbers_says_so() -> None:
    html = valid2_section({"valid2": card(measured=False), "tc609": None})
    assert "Nothing was measured" in html
    assert "letters fail" not in html
    assert "No card was made" in valid2_section({"valid2": None, "tc609": None})
