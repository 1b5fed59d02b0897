"""Data Docs of one promotion, in a folder of its own: building them never grows with history.

Two small pages that need neither scripts nor network: an index of all verdicts, and every suite with what was asked
for, observed and shown of failing rows. What was judged without Great Expectations lies in the second page, as data:
whoever opens it in the UI is shown the page that Great Expectations makes of it (:mod:`winnowry.gates.native_docs`).
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from winnowry.gates.judge import Judged, JudgedSuite
from winnowry.gates.result import GateResult
from winnowry.report.cells import GATE_TONES, Tone, Word
from winnowry.report.render import render

INDEX_PAGE, SUITES_PAGE = "index.html", "suites.html"
_VERSION = 1
_STORED = re.compile(r'<script type="application/json" id="judged">(.*?)</script>', re.DOTALL)


def stored_page(name: str, suites: Sequence[JudgedSuite]) -> str | None:
    """The page of all suites, with the results in it as data.

    Args:
        name: title.
        suites: what was judged.

    Returns:
        None where a value in the results is not one that JSON keeps as it is.
    """
    document = {
        "version": _VERSION,
        "judged_at": datetime.now(UTC).isoformat(),
        "suites": [
            {
                "name": suite.suite_name,
                "results": [
                    {
                        "asked": asdict(result.expectation_config),
                        "success": result.success,
                        "result": result.result,
                    }
                    for result in suite.results
                ],
            }
            for suite in suites
        ],
    }
    try:
        stored = json.dumps(document)
    except (TypeError, ValueError):
        return None
    anchors = _anchors(suites)
    shown = [
        {
            "name": suite.suite_name,
            "anchor": anchors[suite.suite_name],
            "met": sum(result.success for result in suite.results),
            "results": [_shown(result) for result in suite.results],
        }
        for suite in suites
    ]
    return render("suites.html.j2", name=name, suites=shown, stored=stored)


def _anchors(suites: Sequence[Any]) -> dict[str, str]:
    """Where each suite begins on the page: Great Expectations numbers its overviews and columns through."""
    anchors: dict[str, str] = {}
    at = 1
    for suite in suites:
        anchors[suite.suite_name] = f"section-{at}"
        columns = {result.expectation_config.kwargs.get("column") for result in suite.results}
        at += 1 + len(columns)
    return anchors


def _shown(result: Judged) -> dict[str, Any]:
    asked = result.expectation_config
    tone: Tone = "good" if result.success else "bad" if asked.severity == "critical" else "warn"
    rows = result.result.get("partial_unexpected_index_list")
    samples = rows if rows is not None else result.result.get("partial_unexpected_list", [])
    return {
        "met": Word("yes" if result.success else "no", tone),
        "column": asked.kwargs.get("column", ""),
        "type": asked.type,
        "expected": _expected(result),
        "observed": _observed(result),
        "samples": [_sample(sample) for sample in samples],
    }


def _sample(sample: Any) -> str:
    return ", ".join(f"{name} {value}" for name, value in sample.items()) if isinstance(sample, dict) else str(sample)


def stored_results(page: str) -> dict[str, Any] | None:
    """What :func:`stored_page` put into a page; None where the page is Great Expectations' own."""
    match = _STORED.search(page)
    if match is None:
        return None
    document: dict[str, Any] = json.loads(html.unescape(match[1]))
    return document if document.get("version") == _VERSION else None


def _expected(result: Judged) -> str:
    asked = result.expectation_config
    if asked.meta:
        shown = {key: str(value) for key, value in asked.meta["shown"].items()}
        return re.sub(r"\$(\w+)", lambda match: shown.get(match[1], match[0]), asked.meta["sentence"])
    return ", ".join(f"{key}: {value}" for key, value in asked.kwargs.items() if key != "column")


def _observed(result: Judged) -> str:
    details = result.result.get("details", {})
    if "message" in details:
        return str(details["message"])
    if "observed_value" in result.result:
        differences = "; ".join(f"{key}: {', '.join(names)}" for key, names in details.get("mismatched", {}).items())
        return f"{result.result['observed_value']}" + (f" ({differences})" if differences else "")
    return f"{result.result['unexpected_count']:,} of {result.result['element_count']:,} rows do not meet it"


def write_docs(docs: Path, name: str, results: Sequence[GateResult], suites: Sequence[Any], page: str) -> str:
    """Write the page of the suites, and the page to open first: every verdict, with a link to its suite.

    Args:
        docs: the promotion's folder; made when missing.
        name: title.
        results: all verdicts.
        suites: what was judged.
        page: of all suites.

    Returns:
        Path of the page to open first.
    """
    docs.mkdir(parents=True, exist_ok=True)
    (docs / SUITES_PAGE).write_text(page, encoding="utf-8", errors="replace")
    addresses = {suite: f"{SUITES_PAGE}#{anchor}" for suite, anchor in _anchors(suites).items()}
    return write_index(docs, name, results, addresses)


def write_index(docs: Path, name: str, results: Sequence[GateResult], suites: Mapping[str, str]) -> str:
    """Write the page to open first.

    Args:
        docs: the promotion's folder.
        name: title.
        results: all verdicts.
        suites: address of each suite.

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
    index = docs / INDEX_PAGE
    index.write_text(page, encoding="utf-8", errors="replace")
    return str(index)
