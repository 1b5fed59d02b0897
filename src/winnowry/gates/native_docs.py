"""Great Expectations' own page of a promotion's suites.

Its site builder renders every page anew a suite, compiles its templates for each, and copies 4 MB of fonts and
pictures: seconds a promotion. Here its own renderer is called once a suite with templates compiled once a process, and
all suites are one page.
"""

from __future__ import annotations

import copy
import html
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from great_expectations.core.expectation_validation_result import (
    ExpectationSuiteValidationResult,
    ExpectationValidationResult,
)
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.render.renderer import ValidationResultsPageRenderer
from great_expectations.render.view import DefaultJinjaPageView

from winnowry.gates.direct import suite_result
from winnowry.gates.native_facts import META, ExpectStoredFact
from winnowry.report.render import stylesheet

_SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL | re.IGNORECASE)
_REMOTE = re.compile(r"<link\b[^>]*>|<img\b[^>]*src=\"https?:[^>]*>", re.IGNORECASE)


def native_page(suites: Sequence[Any]) -> str:
    """What Great Expectations shows of every suite, one below the other.

    Args:
        suites: Great Expectations' results, one a suite; at least one. Suite ``i``, from 0, begins at the anchor
            ``section-{i + 1}``.
    """
    renderer = ValidationResultsPageRenderer()
    parts = [renderer.render(_escaped(result)) for result in suites]
    whole = parts[0]
    for result, part in zip(suites, parts, strict=True):
        part.sections[0].section_name = result.suite_name  # all are called Overview
    whole.sections = [section for part in parts for section in part.sections]
    return self_contained(_view().render(whole, show_how_to_buttons=False))


def page_of_stored(document: Mapping[str, Any]) -> str:
    """The same page, of what was judged without Great Expectations.

    Args:
        document: as :func:`winnowry.gates.docs.stored_results` reads it from a page.
    """
    return native_page([_native_suite(suite, document["judged_at"]) for suite in document["suites"]])


def _native_suite(suite: Mapping[str, Any], judged_at: str) -> ExpectationSuiteValidationResult:
    return suite_result(
        suite["name"], [_native_result(result) for result in suite["results"]], datetime.fromisoformat(judged_at)
    )


def _native_result(stored: Mapping[str, Any]) -> ExpectationValidationResult:
    asked = stored["asked"]
    of_fact = bool(asked["meta"])
    return ExpectationValidationResult(
        success=stored["success"],
        expectation_config=ExpectationConfiguration(
            type=ExpectStoredFact.expectation_type if of_fact else asked["type"],
            kwargs=dict(asked["kwargs"]),
            severity=asked["severity"],
            meta={META: asked["meta"]} if of_fact else None,
        ),
        result=dict(stored["result"]),
    )


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
