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
        "decides": _BAD, "measurements": 3, "training_cpu_seconds": 1.0,
        "pool": {"documents": 5, "tokens": 9, "sampled": True, "corpus_documents": 99, "holdout": _BAD,
                 "removed_as_overlap": 0},
        "evaluations": [{"name": _BAD, "documents": 1, "tokens": 2, "bytes": 3}],
        "arms": [arm("recipe", "candidate", 2.0, 0.02), arm("length_matched", "reference", 2.02, None)],
        "dose": [
            {"arm": "recipe", "token_fraction": f, "tokens": 1, "evaluations": {_BAD: on(2 - f)}} for f in (0.1, 1)
        ],
        "attribution": [{"kind": "component", "left_out": _BAD,
                         "evaluations": {_BAD: {"mean": 0.01, "low": 0.0, "high": 0.02}}}],
        "questions": [{"name": _BAD, "questions": 9, "chance": 0.25, "beats_chance": False,
                       "arms": {_BAD: {"mean": 0.3, "sd": 0.1, "beats_chance": False}}}],
        "controls": {"told_apart": True, "why": _BAD}, "verdict": f"conclusive: {_BAD}", "recommendation": None,
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
    page = comparison_page(
        "c", summary(dose=[], attribution=[], recommendation={"sample.method": "uniform", "why": "it is better"})
    )
    assert "Dose" not in page
    assert "sample.method: uniform" in page
    assert "it is better" in page
