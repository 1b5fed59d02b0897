"""Text that others wrote changes no page: whatever it holds, the page has the same elements and the same letters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tests.page_structure import structure
from tests.unit.report.test_comparison_page import summary
from tests.unit.report.test_release_page import facts
from tests.unit.report.test_release_valid2 import TC609, card
from winnowry.gates.docs import write_index
from winnowry.gates.result import GateResult
from winnowry.report.comparison_page import comparison_page
from winnowry.report.release_page import release_page

_PLANTED = "<script>alert(1)</script>"
"""Stands in the facts of the other tests wherever a corpus, a recipe or a record may put its own text."""

HOSTILE = {
    "a script": "<script>alert(1)</script>",
    "an attribute": '" onmouseover="alert(1)',
    "an attribute in single quotes": "' onmouseover='alert(1)",
    "an attribute without quotes": " onmouseover=alert(1) ",
    "a template expression": "{{ 7*7 }}{% for x in y %}{# z #}",
    "a format field": "{0.__class__} %s %(name)s",
    "the end of the style sheet": "</style><b>",
    "the end of the title": "</title></svg></text></textarea><b>",
    "a comment": "--><!-- ",
    "an entity": "&lt;script&gt;&#60;b&#62;",
    "character data": "]]><![CDATA[<b>",
    "control characters": "a\x00\x01\x08\x0b\x0c\x0e\x1b[31m\x7f\x85\x9bz",
    "text that turns around": "a\u202egnp\u2066b\u202c\u2069",
    "half a surrogate pair": "a\ud800b\udfffc",
    "markup in other letters": "＜script＞\u2028\u2029\ufeff",
}


def planted(value: Any, text: str) -> Any:
    """The value with a text in every place that the planted one had."""
    if isinstance(value, str):
        return value.replace(_PLANTED, text)
    if isinstance(value, dict):
        return {planted(key, text): planted(item, text) for key, item in value.items()}
    if isinstance(value, list):
        return [planted(item, text) for item in value]
    return value


def a_release(text: str, folder: Path) -> str:
    return release_page(planted(facts(valid2=card(), tc609=TC609), text))


def a_release_with_bars_for_lines(text: str, folder: Path) -> str:
    return release_page(planted(facts(valid2=card(measured=False), masked=False, comparison=None), text))


def a_comparison(text: str, folder: Path) -> str:
    recommendation = {_PLANTED: _PLANTED, "why": _PLANTED}
    return comparison_page(text, planted(summary(recommendation=recommendation, reference=_PLANTED), text))


def the_index_of_data_docs(text: str, folder: Path) -> str:
    result = GateResult(suite=text, expectation=text, column=text, parameters={}, observed=text, observed_number=None,
                        unexpected_count=None, severity="critical", verdict="fail", message=text)  # fmt: skip
    return Path(write_index(folder, text, [result], {result.suite: text})).read_text(encoding="utf-8")


PAGES: dict[str, Callable[[str, Path], str]] = {
    "release": a_release,
    "release, other branches": a_release_with_bars_for_lines,
    "comparison": a_comparison,
    "index of Data Docs": the_index_of_data_docs,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_hostile_text_is_shown_letter_by_letter_and_changes_no_element(
    page: Callable[[str, Path], str], text: str, tmp_path: Path
) -> None:
    hostile, harmless = page(text, tmp_path), page("W" * len(text), tmp_path)
    read, like = structure(hostile), structure(harmless)

    assert [(e.kind, e.name, [name for name, _ in e.attributes]) for e in read.events] == [
        (e.kind, e.name, [name for name, _ in e.attributes]) for e in like.events
    ]
    assert [[len(value) for _, value in e.attributes] for e in read.events] == [
        [len(value) for _, value in e.attributes] for e in like.events
    ]
    assert [len(e.text) for e in read.events] == [len(e.text) for e in like.events]
    assert read.unclosed == []
    assert read.handlers() == []
    assert {c for c in hostile if unicodedata.category(c) == "Cc"} <= {"\n", "\t"}
    hostile.encode("utf-8")


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_text_of_others_is_on_the_page(page: Callable[[str, Path], str], tmp_path: Path) -> None:
    assert "find me <here>" in structure(page("find me <here>", tmp_path)).text


def test_ends_of_lines_in_a_record_stay(tmp_path: Path) -> None:
    assert "first\nsecond\tthird" in structure(a_release("first\nsecond\tthird", tmp_path)).text


def test_templates_alone_know_html_and_none_trusts_a_string() -> None:
    report = Path(str(files("winnowry.report")))
    code = {path.name: path.read_text(encoding="utf-8") for path in report.glob("*.py")}
    templates = {path.name: path.read_text(encoding="utf-8") for path in report.glob("templates/**/*.j2")}
    assert len(templates) > 10
    assert [name for name, text in code.items() if re.search(r"</[a-z]|\bMarkup\b|\bescape\(", text)] == []
    assert [name for name, text in templates.items() if re.search(r"\|\s*safe\b|autoescape|forceescape", text)] == []
    unquoted = r"""=\{\{|=[^"'\s>]*\{\{"""  # a space in the value would begin the next attribute
    tags = {name: re.findall(r"<[a-z][^>]*>", re.sub(r"\{%.*?%\}", "", text)) for name, text in templates.items()}
    assert [(name, tag) for name, listed in tags.items() for tag in listed if re.search(unquoted, tag)] == []
