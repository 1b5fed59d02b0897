"""Data Docs of one promotion, in a folder of its own: building them never grows with history.

Great Expectations' site builder renders every page anew a suite, compiles its templates for each, and copies 4 MB of
fonts and pictures: seconds a promotion. Here its own page renderer is called once a suite with templates compiled once
a process, and the index is a small page that needs neither scripts nor network.
"""

from __future__ import annotations

import copy
import html
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from great_expectations.render.renderer import ValidationResultsPageRenderer
from great_expectations.render.view import DefaultJinjaPageView

from winnowry.gates.result import GateResult
from winnowry.report.cells import GATE_TONES, Word
from winnowry.report.render import render, stylesheet

_SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL | re.IGNORECASE)
_REMOTE = re.compile(r"<link\b[^>]*>|<img\b[^>]*src=\"https?:[^>]*>", re.IGNORECASE)


def write_pages(folder: Path, suites: Sequence[Any]) -> None:
    """Write one Data Docs page a suite, ``<suite>.html``.

    Args:
        folder: of the promotion; made when missing.
        suites: Great Expectations' results, one a suite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    renderer, view = ValidationResultsPageRenderer(), _view()
    for result in suites:
        page = self_contained(view.render(renderer.render(_escaped(result)), show_how_to_buttons=False))
        (folder / page_name(result.suite_name)).write_text(page, encoding="utf-8", errors="replace")


def self_contained(page: str) -> str:
    """A page of Great Expectations without what it loads from other hosts, in a style of its own.

    Its stylesheets, scripts, fonts and logo come from six content delivery networks: without network the page is bare,
    and with one they learn what is looked at when. The scripts only fold sections.
    """
    page = _SCRIPT.sub("", page)
    page = _REMOTE.sub("", page)
    return page.replace("</head>", f"<style>{stylesheet('great_expectations.css')}</style></head>", 1)


def _escaped(result: Any) -> Any:
    """A copy whose values cannot be markup: Great Expectations puts values of failing rows into its pages as they are.

    Values come from crawled text; unescaped, one could run a script in the browser of whoever reads the page.
    """
    copied = copy.deepcopy(result)
    for judged in copied.results:
        judged.result = _text_only(judged.result)
        judged.exception_info = _text_only(judged.exception_info)
    return copied


def _text_only(value: Any) -> Any:
    if isinstance(value, str):
        return html.escape(value)
    if isinstance(value, dict):
        return {key: _text_only(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return type(value)(_text_only(item) for item in value)
    return value


@cache
def _view() -> Any:
    return DefaultJinjaPageView()  # holds the compiled templates


def page_name(suite: str) -> str:
    """File name of a suite's page."""
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in suite) + ".html"


def write_index(docs: Path, name: str, results: Sequence[GateResult]) -> str:
    """Write the page to open first: every verdict, with links to the suites' pages.

    Args:
        docs: the promotion's folder.
        name: title.
        results: all verdicts.

    Returns:
        Path of the page.
    """
    n_by_verdict = {verdict: sum(result.verdict == verdict for result in results) for verdict in GATE_TONES}
    page = render(
        "data_docs.html.j2",
        name=name,
        counts=[Word(f"{n} {verdict}", GATE_TONES[verdict]) for verdict, n in n_by_verdict.items() if n],
        rows=[
            (result, Word(result.verdict, GATE_TONES[result.verdict]), page_name(result.suite)) for result in results
        ],
    )
    index = docs / "index.html"
    index.write_text(page, encoding="utf-8", errors="replace")
    return str(index)
