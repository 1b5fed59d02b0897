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
from typing import Any, Literal

from great_expectations.checkpoint import UpdateDataDocsAction
from great_expectations.render.renderer import ValidationResultsPageRenderer
from great_expectations.render.view import DefaultJinjaPageView

from winnowry.gates.result import GateResult

_STYLE = (
    "body{font:15px/1.45 system-ui,sans-serif;margin:2rem;max-width:75rem}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ccc;vertical-align:top}"
    ".fail,.broken{color:#a40000;font-weight:600}.warn{color:#8a5a00}.pass{color:#1c6b2a}"
    "@media(prefers-color-scheme:dark){body{background:#16181c;color:#ddd}th,td{border-color:#444}"
    ".fail,.broken{color:#ff8a80}.warn{color:#ffcf70}.pass{color:#8fd19e}a{color:#8ab4f8}}"
)


# Only the few classes of Bootstrap that the pages use; what needs a script to work is hidden.
_PAGE_STYLE = (
    "*{box-sizing:border-box}body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;padding:1.5rem;max-width:75rem}"
    ".row{display:flex;flex-wrap:wrap;gap:0 1.5rem}.col-md-2{flex:0 0 13rem}.col-md-10{flex:1 1 30rem;min-width:0}"
    ".col-12{flex:1 1 100%;min-width:0}.lead{color:#666}"
    "table{border-collapse:collapse;width:100%;margin:.3rem 0 1rem}th,td{text-align:left;vertical-align:top;"
    "padding:.3rem .6rem;border-bottom:1px solid #ccc;overflow-wrap:anywhere}th{white-space:nowrap}"
    ".alert{padding:.4rem .7rem;background:#eef1f4;border-radius:.3rem;margin:.6rem 0}"
    ".badge{padding:.05rem .4rem;border-radius:.3rem;background:#e3e6ea;font-size:.85em}"
    ".card{margin-bottom:1rem}.nav{list-style:none;padding:0}.nav a,.nav-link{display:block;padding:.15rem 0}"
    ".text-success,.fa-check-circle{color:#1c6b2a}.text-danger,.fa-times{color:#a40000}"
    ".fa-check-circle::before{content:'✓'}.fa-times::before{content:'✗'}"
    ".fa-exclamation-triangle::before{content:'!'}"
    ".navbar.sticky-top,.btn-group,.collapse-button,.card:has(.btn-group){display:none}"
    ".collapse,a[data-toggle],footer{display:none}a[href^='../']{color:inherit;text-decoration:none;pointer-events:none}"
    "h4,h5,h6{margin:.3rem 0;font-size:1rem}.ge-section{margin-bottom:1.5rem}"
    "@media(prefers-color-scheme:dark){body{background:#16181c;color:#ddd}th,td{border-color:#444}a{color:#8ab4f8}"
    ".alert,.badge{background:#262a31}.bg-light{background:none}.text-success,.fa-check-circle{color:#8fd19e}"
    ".text-danger,.fa-times{color:#ff8a80}}"
)
_SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL | re.IGNORECASE)
_REMOTE = re.compile(r"<link\b[^>]*>|<img\b[^>]*src=\"https?:[^>]*>", re.IGNORECASE)


class PromotionDocsAction(UpdateDataDocsAction):
    """Write one Data Docs page a suite.

    Attributes:
        folder: existing or new folder for ``<suite>.html``.
    """

    type: Literal["winnowry_promotion_docs"] = "winnowry_promotion_docs"  # type: ignore[assignment]
    folder: str

    def run(self, checkpoint_result: Any, action_context: Any = None) -> dict[str, Any]:
        """Render the results of every suite."""
        folder = Path(self.folder)
        folder.mkdir(parents=True, exist_ok=True)
        renderer, view = ValidationResultsPageRenderer(), _view()
        for result in checkpoint_result.run_results.values():
            page = self_contained(view.render(renderer.render(_escaped(result)), show_how_to_buttons=False))
            (folder / page_name(result.suite_name)).write_text(page, encoding="utf-8", errors="replace")
        return {"folder": self.folder}


def self_contained(page: str) -> str:
    """A page of Great Expectations without what it loads from other hosts, in a style of its own.

    Its stylesheets, scripts, fonts and logo come from six content delivery networks: without network the page is bare,
    and with one they learn what is looked at when. The scripts only fold sections.
    """
    page = _SCRIPT.sub("", page)
    page = _REMOTE.sub("", page)
    return page.replace("</head>", f"<style>{_PAGE_STYLE}</style></head>", 1)


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
    rows = "".join(_row(result) for result in results)
    counts = {v: sum(r.verdict == v for r in results) for v in ("pass", "warn", "fail", "broken")}
    summary = ", ".join(f'<span class="{verdict}">{n} {verdict}</span>' for verdict, n in counts.items() if n)
    title = html.escape(name)
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>{summary}</p><table><thead><tr><th>Verdict<th>Suite<th>Column<th>Expectation<th>Found"
        f"</thead><tbody>{rows}</tbody></table></html>\n"
    )
    index = docs / "index.html"
    index.write_text(page, encoding="utf-8", errors="replace")
    return str(index)


def _row(result: GateResult) -> str:
    suite = html.escape(result.suite)
    return (
        f'<tr><td class="{result.verdict}">{result.verdict}<td><a href="{html.escape(page_name(result.suite))}">{suite}'
        f"</a><td>{html.escape(result.column or '')}<td>{html.escape(result.expectation)}"
        f"<td>{html.escape(result.message)}"
    )
