"""Sections of a release's page about its proof: examples, gates, comparison, and how it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from winnowry.report.charts import intervals
from winnowry.report.markup import counted, day, note, table

Facts = Mapping[str, Any]

_OPENED = 10  # rows that are shown without being asked for
_OPENED_EXAMPLES = 5  # of an opened rule
_EXAMPLES_SIZE = 2_000_000  # characters of markup
_OUTCOMES = {"better": "", "worse": " bad"}
_WORDS = {"pass": "good", "warn": "warn", "fail": "bad", "broken": "bad"}


def examples_section(facts: Facts) -> str:
    """Some records that each rule left out, with the value that did it; the first few open, the others folded."""
    rules = facts["examples"]
    if not rules:
        return note("Nothing was left out.")
    hidden = (
        "e-mail addresses, telephone numbers and the like are masked"
        if facts.get("masked", True)
        else "personal data is NOT masked on this page"
    )
    most = max(len(rule["records"]) for rule in rules)
    shown = [_rule(rule, most, opened=place == 0) for place, rule in enumerate(rules)]
    while most > _OPENED_EXAMPLES and sum(map(len, shown)) > _EXAMPLES_SIZE:
        most //= 2
        shown = [_rule(rule, most, opened=place == 0) for place, rule in enumerate(rules)]
    said = (
        f"Up to {most:,} records of each rule, picked at random. Text is as it arrived, of HTML the words (after "
        f"cleaning, for duplicates and what was not drawn), cut to 300 characters; {hidden}. "
        "winnowry explain RECORD_ID tells the rest."
    )
    return note(said) + "".join(shown)


def _rule(rule: Facts, most: int, *, opened: bool) -> str:
    name = f"{rule['operator']}: {rule['reason']}" if rule["operator"] != rule["reason"] else rule["reason"]
    examples = [_example(record) for record in rule["records"][:most]]
    shown, more = "".join(examples[:_OPENED_EXAMPLES]), examples[_OPENED_EXAMPLES:]
    if more:
        shown += f'<details class="more"><summary>{len(more):,} more</summary>{"".join(more)}</details>'
    return (
        f'<details{" open" if opened else ""}><summary>{escape(name)} <span class="dim">at {escape(rule["stage"])}, '
        f"{counted(rule['rows'], 'record')}</span></summary>{shown}</details>"
    )


def _example(record: Facts) -> str:
    told = [f"<b>{escape(record['value'])}</b>" if record["value"] else ""]
    told.append(f"against {escape(record['threshold'])}" if record["threshold"] else "")
    where = f'<span class="dim">{escape(record["record_id"])}, partition {escape(record["partition"])}</span>'
    text = record["text"]
    quote = (
        f"<blockquote>{escape(text)}{'…' if record['cut'] else ''}</blockquote>"
        if text
        else note("no text is stored" if text is None else "the text is empty")
    )
    return f'<div class="example"><p>{" ".join(filter(None, [*told, where]))}</p>{quote}</div>'


def gates_section(facts: Facts) -> str:
    """Verdicts by suite, what the release itself had to meet, and what did not pass."""
    gates = facts["gates"]
    if not gates["suites"]:
        return note("No gate result is stored.")
    parts = [
        note("Every promotion on the way here was judged before it became visible. All verdicts up to this release:")
    ]
    rows = [
        [suite["table"], suite["suite"], *(f"{suite[kind]:,}" for kind in ("passed", "warned", "failed", "broken")),
         day(suite["last"], with_time=True)]
        for suite in gates["suites"]
    ]  # fmt: skip
    head = ["table", "suite", "passed", "warned", "failed", "broken", "last judged (UTC)"]
    parts.append(table(head, rows, left=(0, 1)))
    if gates["own"]:
        own = [[_expectation(row), row["severity"], row["message"] or row["observed"] or "", _word(row["verdict"])]
               for row in gates["own"]]  # fmt: skip
        table_of_own = table(["expectation", "severity", "observed", "verdict"], own, left=(0, 1, 2), raw=3)
        held = sum(row["verdict"] == "pass" for row in gates["own"])
        parts.append(
            f"<details><summary>What this release itself had to meet: {held:,} of {len(own):,} passed</summary>"
            f"{table_of_own}</details>"
        )
    else:
        parts.append(note("No result is stored for the promotion of this release itself."))
    if gates["notable"]:
        rest = gates["n_notable"] - len(gates["notable"])
        listed = [
            [day(row["judged_at"], with_time=True), row["table"], _partition(row["partition"]),
             row["message"] or _expectation(row), _word(row["verdict"])]
            for row in gates["notable"]
        ]  # fmt: skip
        head = ["judged (UTC)", "table", "partition", "what was found", "verdict"]
        more = note(f"and {rest:,} more") if rest else ""
        opened = " open" if len(listed) <= _OPENED else ""
        parts.append(
            f"<details{opened}><summary>What did not pass: {gates['n_notable']:,}</summary>"
            f"{table(head, listed, left=(0, 1, 2, 3), raw=4, tight=(0,))}{more}</details>"
        )
    return "".join(parts)


def _expectation(row: Facts) -> str:
    said = row["expectation"].removeprefix("expect_").replace("_", " ")
    limits = ", ".join(f"{k} {v}" for k, v in (row.get("parameters") or {}).items() if k != "column")
    return f"{row['column'] + ': ' if row['column'] else ''}{said}{f' ({limits})' if limits else ''}"[:300]


def _partition(partition: str) -> str:
    return "all" if partition == "__all__" else partition


def _word(verdict: str) -> str:
    return f'<span class="{_WORDS.get(verdict, "")}">{escape(verdict)}</span>'


def comparison_section(facts: Facts) -> str:
    """Verdict and arms of the comparison."""
    found = facts["comparison"]
    if found is None:
        return note("Not measured: no comparison of this selection with a random one was made for this release.")
    decides = found["decides"]
    verdict, colon, rest = str(found["verdict"]).partition(":")
    said = colon + rest
    parts = [
        (
            f'<div class="verdict{_OUTCOMES.get(found["outcome"], " no")}"><strong>{escape(verdict)}</strong>'
            f"{escape(said)}"
            f'<p class="dim">Controls: {escape(str(found["controls"]["why"]))}.</p></div>'
        ),
        note(
            f"{found['proxy']} proxies, {found['seeds']} seeds, {found['budget_tokens']:,} tokens each; bits per byte, "
            f"lower is better. Compared {day(found['compared_at'], with_time=True)} UTC."
        ),
    ]
    if not found["of_this_selection"]:
        parts.append(note("It was made of an earlier selection, not of the one that this release holds."))
    charts = []
    for evaluation in [item["name"] for item in found["evaluations"]]:
        rows = []
        for arm in found["arms"]:
            measured = arm["evaluations"].get(evaluation, {})
            if "difference" in measured:
                colour = "var(--b)" if arm["arm"] == "recipe" else "var(--a)"
                colour = "var(--dim)" if arm["role"] != "candidate" else colour
                rows.append((arm["arm"], measured["difference"], *measured["interval"], colour))
        label = f"bits per byte better than {found['reference']}"
        title = evaluation + (" (decides)" if evaluation == decides else "")
        charts.append(intervals(title, sorted(rows, key=lambda row: -row[1]), label))
    return "".join(parts) + f'<div class="charts">{"".join(charts)}</div>'


def made_section(facts: Facts) -> str:
    """Operators and parameters of every stage, and the packages."""
    made = facts["made"]
    if not made["stages"]:
        return note("No promotion record tells how the release was made.")
    rows = []
    for stage, spec in made["stages"].items():
        operators = spec.get({"cleaned": "clean", "duplicates": "clean", "scored": "score"}.get(stage, ""), [])
        rows += [[stage, f"{op.get('op')}, version {op.get('version', 1)}", _parameters(op)] for op in operators]
        for source in spec.get("sources", []):
            told = " ".join(filter(None, [source.get("format"), source.get("uri"), source.get("license")]))
            rows.append([stage, f"source {source.get('name')}", told])
        if spec.get("sample"):
            rows.append([stage, f"sample {spec['sample'].get('method', '')}", _parameters(spec["sample"])])
        if spec.get("gate"):
            rows.append([stage, "gate", _parameters(spec["gate"])])
    packages = ", ".join(f"{name} {version}" for name, version in made["packages"].items())
    return (
        table(["stage", "what", "with"], rows, left=(0, 1, 2))
        + (note(f"Seed {made['seed']}.") if made["seed"] is not None else "")
        + (note(f"Packages: {packages}.") if packages else "")
    )


def _parameters(spec: Facts) -> str:
    left_out = {"op", "version", "method"}
    said = {k: v for k, v in spec.items() if k not in left_out and v not in (None, [], {})}
    return ", ".join(f"{k}: {v if isinstance(v, str) else json.dumps(v, ensure_ascii=False)}" for k, v in said.items())
