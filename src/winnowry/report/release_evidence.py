"""Sections of a release's page about its proof: examples, gates, comparison, and how it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from winnowry.core.numbers import minute, number
from winnowry.report.card_terms import rule_name
from winnowry.report.cells import GATE_TONES, Table, Word
from winnowry.report.comparison_ranges import arm_charts, results_table

Facts = Mapping[str, Any]

_OPENED = 10  # rows that are shown without a click
_OPENED_EXAMPLES = 5  # of an opened rule
_EXAMPLES_SIZE = 2_000_000  # characters of markup
_EXAMPLE_MARKUP = 200  # characters of markup around one example
_MORE_OF_AN_ENTITY = 4  # characters that an escaped one takes more
_OUTCOMES = {"better": "", "worse": " bad"}


def examples_view(facts: Facts) -> dict[str, Any]:
    """Some records that each rule left out, with the value that did it; the first few open, the others folded.

    Returns:
        What ``release/examples.html.j2`` shows; so many records of each rule that the page stays small.
    """
    rules = facts["examples"]
    most = max((len(rule["records"]) for rule in rules), default=0)
    while (
        most > _OPENED_EXAMPLES and sum(_size(record) for r in rules for record in r["records"][:most]) > _EXAMPLES_SIZE
    ):
        most //= 2
    return {
        "most": most,
        "masked": facts.get("masked", True),
        "rules": [
            {
                "name": rule_name(rule),
                "stage": rule["stage"],
                "rows": rule["rows"],
                "first": rule["records"][:most][:_OPENED_EXAMPLES],
                "folded": rule["records"][:most][_OPENED_EXAMPLES:],
            }
            for rule in rules
        ],
    }  # fmt: skip


def _size(record: Facts) -> int:
    texts = (record[key] for key in ("value", "threshold", "record_id", "partition", "text"))
    drawn = record.get("jpeg", "") + record.get("svg", "")
    return _EXAMPLE_MARKUP + len(drawn) + sum(_escaped_size(str(text)) for text in texts if text)


def _escaped_size(text: str) -> int:
    return len(text) + _MORE_OF_AN_ENTITY * sum(map(text.count, "&<>'\""))


def gates_view(facts: Facts) -> dict[str, Any] | None:
    """Verdicts by suite, what the release itself had to meet, and what did not pass.

    Returns:
        What ``release/gates.html.j2`` shows; None where no result is stored.
    """
    gates = facts["gates"]
    if not gates["suites"]:
        return None
    suites = [
        [suite["table"], suite["suite"], *(number(suite[key]) for key in ("passed", "warned", "failed", "broken")),
         minute(suite["last"])]
        for suite in gates["suites"]
    ]  # fmt: skip
    own = [
        [_expectation(row), row["severity"], row["message"] or row["observed"] or "", _verdict(row)]
        for row in gates["own"]
    ]
    notable = [
        [minute(row["judged_at"]), row["table"], _partition(row["partition"]), row["message"] or _expectation(row),
         _verdict(row)]
        for row in gates["notable"]
    ]  # fmt: skip
    return {
        "suites": Table(
            ["table", "suite", "passed", "warned", "failed", "broken", "last judged (UTC)"], suites, left=(0, 1)
        ),
        "own": Table(["expectation", "severity", "observed", "verdict"], own, left=(0, 1, 2)) if own else None,
        "own_passed": sum(row["verdict"] == "pass" for row in gates["own"]),
        "notable": Table(
            ["judged (UTC)", "table", "partition", "problem", "verdict"], notable, left=(0, 1, 2, 3), tight=(0,)
        )
        if notable
        else None,
        "opened": len(notable) <= _OPENED,
    }


def _expectation(row: Facts) -> str:
    name = row["expectation"].removeprefix("expect_").replace("_", " ")
    limits = ", ".join(f"{key} {value}" for key, value in (row.get("parameters") or {}).items() if key != "column")
    return f"{row['column'] + ': ' if row['column'] else ''}{name}{f' ({limits})' if limits else ''}"[:300]


def _partition(partition: str) -> str:
    return "all" if partition == "__all__" else partition


def _verdict(row: Facts) -> Word:
    return Word(row["verdict"], GATE_TONES.get(row["verdict"], ""))


def comparison_view(facts: Facts) -> dict[str, Any] | None:
    """Verdict and arms of the comparison.

    Returns:
        What ``release/comparison.html.j2`` shows; None where none was made.
    """
    comparison = facts["comparison"]
    if comparison is None:
        return None
    verdict, colon, rest = str(comparison["verdict"]).partition(":")
    names = [item["name"] for item in comparison["evaluations"]]
    decides, reference = comparison["decides"], comparison["reference"]
    titles = {decides: f"{decides} (decides)"}
    measured = any("difference" in arm["evaluations"].get(decides, {}) for arm in comparison["arms"])
    return {
        "verdict": verdict,
        "because": colon + rest,
        "tone": _OUTCOMES.get(comparison["outcome"], " no"),
        "advice": comparison.get("advice"),
        "charts": arm_charts(comparison["arms"], names, reference, titles),
        "results": results_table(comparison["arms"], decides, reference) if measured else None,
    }


def made_view(facts: Facts) -> dict[str, Any] | None:
    """Operators and parameters of every stage, and the packages.

    Returns:
        What ``release/made.html.j2`` shows; None where nothing is recorded.
    """
    made = facts["made"]
    if not made["stages"]:
        return None
    rows = []
    for stage, spec in made["stages"].items():
        operators = spec.get("clean") or spec.get("score") or []
        rows += [[stage, f"{op.get('op')}, version {op.get('version', 1)}", _parameters(op)] for op in operators]
        for source in spec.get("sources", []):
            origin = " ".join(filter(None, [source.get("format"), source.get("uri"), source.get("license")]))
            rows.append([stage, f"source {source.get('name')}", origin])
        if spec.get("sample"):
            rows.append([stage, f"sample {spec['sample'].get('method', '')}", _parameters(spec["sample"])])
        if spec.get("gate"):
            rows.append([stage, "gate", _parameters(spec["gate"])])
    return {
        "steps": Table(["stage", "what", "with"], rows, left=(0, 1, 2)),
        "packages": ", ".join(f"{name} {version}" for name, version in made["packages"].items()),
    }


def _parameters(spec: Facts) -> str:
    left_out = {"op", "version", "method"}
    shown = {key: value for key, value in spec.items() if key not in left_out and value not in (None, [], {})}
    return ", ".join(
        f"{key}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for key, value in shown.items()
    )
