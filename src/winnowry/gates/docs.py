"""Data Docs of one promotion, in a folder of its own: building them never grows with history.

Great Expectations' site builder renders every page anew a suite, compiles its templates for each, and copies 4 MB of
fonts and pictures: seconds a promotion. Here its own renderer is called once a suite with templates compiled once a
process, all suites are one page (small partitions are many, and each file is an object of the store), and the index is
a small page that needs neither scripts nor network.
"""

from __future__ import annotations

import copy
import html
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from great_expectations.render.renderer import ValidationResultsPageRenderer
from great_expectations.render.view import DefaultJinjaPageView

from winnowry.gates.result import GateResult
from winnowry.report.cells import GATE_TONES, Word
from winnowry.report.render import render, stylesheet

SUITES_PAGE = "suites.html"
_SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL | re.IGNORECASE)
_REMOTE = re.compile(r"<link\b[^>]*>|<img\b[^>]*src=\"https?:[^>]*>", re.IGNORECASE)


def write_page(folder: Path, suites: Sequence[Any]) -> dict[str, str]:
    """Write what Great Expectations shows of every suite, one below the other, as ``suites.html``.

    Args:
        folder: of the promotion; made when missing.
        suites: Great Expectations' results, one a suite; at least one.

    Returns:
        Where each suite begins, as an address from the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    renderer = ValidationResultsPageRenderer()
    parts = [renderer.render(_escaped(result)) for result in suites]
    whole, begins = parts[0], dict[str, str]()
    sections: list[Any] = []
    for result, part in zip(suites, parts, strict=True):
        begins[result.suite_name] = f"{SUITES_PAGE}#section-{len(sections) + 1}"
        part.sections[0].section_name = result.suite_name  # all are called Overview
        sections += part.sections
    whole.sections = sections
    page = self_contained(_view().render(whole, show_how_to_buttons=False))
    (folder / SUITES_PAGE).write_text(page, encoding="utf-8", errors="replace")
    return begins


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


def write_index(docs: Path, name: str, results: Sequence[GateResult], suites: Mapping[str, str]) -> str:
    """Write the page to open first: every verdict, with links to what Great Expectations shows of its suite.

    Args:
        docs: the promotion's folder.
        name: title.
        results: all verdicts.
        suites: address of each suite, see :func:`write_page`.

    Returns:
        Path of the page.
    """
    n_by_verdict = {verdict: sum(result.verdict == verdict for result in results) for verdict in GATE_TONES}
    page = render(
        "data_docs.html.j2",
        name=name,
        counts=[Word(f"{n} {verdict}", GATE_TONES[verdict]) for verdict, n in n_by_verdict.items() if n],
        rows=[(result, Word(result.verdict, GATE_TONES[result.verdict]), suites[result.suite]) for result in results],
    )
    index = docs / "index.html"
    index.write_text(page, encoding="utf-8", errors="replace")
    return str(index)
