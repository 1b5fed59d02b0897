"""The page of a comparison: whole without a network, and names in it stay text."""

from __future__ import annotations

import re
from typing import Any

from tests.page_structure import structure
from winnowry.report.comparison_page import comparison_page

_BAD = "<script>alert(1)</script>"


def summary(**changes: Any) -> dict[str, Any]:
    def on(mean: float, difference: float | None = None) -> dict[str, Any]:
        measured: dict[str, Any] = {"mean": mean, "sd": 0.01, "detectable": 0.005}
        if difference is not None:
            measured |= {"difference": difference, "interval": [difference - 0.01, difference + 0.01], "p": 0.01}
        return measured

    def arm(name: str, role: str, mean: float, difference: float | None) -> dict[str, Any]:
        return {
            "arm": name, "role": role, "documents": 10, "tokens": 1000, "mean_document_tokens": 100.0,
            "distinct_trigram_fraction": 0.9, "length_shift": None, "source_shift": 0.1,
            "evaluations": {_BAD: on(mean, difference)},
        }  # fmt: skip

    return {
        "proxy": "3-gram", "seeds": 5, "token_fraction": 0.2, "budget_tokens": 1000, "reference": "length_matched",
        "decides": _BAD, "measurements": 3, "draw_share": 0.9, "training_cpu_seconds": 1.0,
        "pool": {"documents": 5, "tokens": 9, "sampled": True, "corpus_documents": 99, "holdout": _BAD,
                 "removed_as_overlap": 0, "removed_from_sets": {_BAD: 2}},
        "evaluations": [{"name": _BAD, "documents": 1, "tokens": 2, "bytes": 3}],
        "arms": [arm("recipe", "candidate", 2.0, 0.02), arm("length_matched", "reference", 2.02, None)],
        "dose": [
            {"arm": "recipe", "token_fraction": f, "tokens": 1, "evaluations": {_BAD: on(2 - f)}} for f in (0.1, 1)
        ],
        "attribution": [{"kind": "component", "left_out": _BAD,
                         "evaluations": {_BAD: {"mean": 0.01, "low": 0.0, "high": 0.02, "detectable": 0.01}}}],
        "questions": [{"name": _BAD, "questions": 9, "chance": 0.25, "beats_chance": False,
                       "arms": {_BAD: {"mean": 0.3, "sd": 0.1, "beats_chance": False}}}],
        "controls": {"told_apart": True, "why": _BAD}, "verdict": f"conclusive: {_BAD}", "recommendation": None,
        "outcome": "better", "advice": _BAD,
        **changes,
    }  # fmt: skip


def test_every_tag_is_closed_nothing_is_loaded_and_names_stay_text() -> None:
    page = comparison_page(_BAD, summary())
    read = structure(page)
    assert read.unclosed == []
    assert read.loaded() == read.handlers() == []
    assert "script" not in read.tags
    assert not re.search(r"https?:|@import|url\(", page)
    assert page.count("&lt;script&gt;") >= 5
    assert {"svg", "table", "polyline"} <= set(read.tags)


def test_a_comparison_without_dose_and_attribution_and_with_a_recommendation_is_a_page_too() -> None:
    page = comparison_page("c", summary(dose=[], attribution=[], advice="sample.method: uniform (it is better)."))
    assert "Dose" not in page
    assert "Recommendation: sample.method: uniform (it is better)." in page


def two_evaluations() -> dict[str, Any]:
    """Three arms on two sets, where another one is the best."""
    means = {"dsir": (1.9, 1.8), "recipe": (2.0, 1.5), "random": (2.1, 1.6)}

    def on(arm: str, place: int) -> dict[str, Any]:
        gain = means["random"][place] - means[arm][place]
        difference = {"difference": gain, "interval": [gain - 0.1, gain + 0.1]} if arm != "random" else {}
        return {"mean": means[arm][place], "sd": 0.01, "detectable": 0.15, **difference}

    arms = [
        {
            "arm": arm, "role": "candidate", "documents": 10, "tokens": 1000, "mean_document_tokens": 100.0,
            "distinct_trigram_fraction": 0.9, "length_shift": None, "source_shift": 0.1,
            "evaluations": {"finance": on(arm, 0), "holdout": on(arm, 1)},
        }
        for arm in means
    ]  # fmt: skip
    return summary(
        reference="random", decides="finance", arms=arms, dose=[], attribution=[], questions=[],
        evaluations=[{"name": name, "documents": 1, "tokens": 2, "bytes": 3} for name in ("finance", "holdout")],
    )  # fmt: skip


def test_all_charts_and_tables_have_one_order_of_arms_and_all_charts_one_axis() -> None:
    page = comparison_page("c", two_evaluations())
    charts = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(charts) == 2
    names = [re.findall(r">(dsir|recipe|random)</text>", chart) for chart in charts]
    assert names == [["dsir", "recipe", "random"]] * 2
    axes = [re.findall(r">([-+][0-9.]+|0)</text>", chart) for chart in charts]
    assert axes[0] == axes[1]
    assert len(axes[0]) > 1
    for table in re.findall(r"<table>.*?</table>", page, flags=re.DOTALL)[:3]:
        assert re.findall(r"<td[^>]*>(dsir|recipe|random)</td>", table) == ["dsir", "recipe", "random"]


def test_no_number_of_a_chart_is_missing_from_the_tables() -> None:
    page = comparison_page("c", two_evaluations())
    for number in ("1.9000 ± 0.0100", "+0.2000", "+0.1000 to +0.3000", "0.1500", "not told apart", "-0.2000"):
        assert number in page, number
    assert re.search(r"\+0\.2000</td>.*?better</td>", page)


def test_what_was_left_out_of_a_text_set_is_counted() -> None:
    assert "2 documents were left out because they repeat others" in comparison_page("c", summary())
