"""A release as a Markdown card with the front matter of the Hugging Face hub.

Source: https://huggingface.co/docs/hub/datasets-cards and the hub's dataset card specification.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from winnowry.core.numbers import byte_size, counted, day, fixed, percent, rounded, significant
from winnowry.report.card_terms import (
    dates_sentence,
    hub_license,
    languages,
    license_sentence,
    one_line,
    rule_name,
    size_category,
    stated_licenses,
)
from winnowry.report.cells import most_rows, unit_of
from winnowry.report.valid2 import about, letters, tc609_summary

Facts = Mapping[str, Any]

_MARKS = re.compile(r"([\\`*_\[\]|~#])")
_LONGEST = 300  # characters of a name


def markdown_card(facts: Facts) -> str:
    """Describe a release for people, with front matter for the hub.

    Args:
        facts: what ``releases.facts.facts.release_facts`` gives.

    Returns:
        Markdown without markup of the data's: every name in it is escaped. It holds no text of any record.
    """
    release = facts["release"]
    parts = [_front_matter(facts), markdown_facts(facts), "## Columns", _columns(facts)]
    parts += ["## Read it", _code("python", facts["use"]["read"]), "## Cite it", _code("bibtex", facts["use"]["cite"])]
    made = [f"{name} {_text(release[key])}" for name, key in
            (("recipe", "data_hash"), ("promotion", "promotion_id"), ("run", "run_id")) if release[key]]  # fmt: skip
    parts.append("Made by winnowry from the tables themselves" + (f": {', '.join(made)}." if made else "."))
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown_facts(facts: Facts) -> str:
    """What the card says in words and tables: limits, contents, funnel, choice, changes, VALID² and gates."""
    parts = [f"# {_text(facts['corpus'])}, release {_text(facts['release']['name'])}", _lead(facts)]
    parts += ["## Known limits", _limits(facts), "## What the data is", *_contents(facts)]
    if facts.get("families") is not None:
        parts += ["## Quality, to people and to a machine", *_families(facts["families"])]
    parts += ["## From raw to published", _funnel(facts)]
    parts += ["## How it was chosen", _chosen(facts)]
    if facts.get("changes") is not None:
        parts += [f"## Since {_text(facts['changes']['before'])}", _changes(facts)]
    parts += ["## VALID²", *_valid2(facts), "## Gates", _gates(facts)]
    return "\n\n".join(part for part in parts if part)


def _front_matter(facts: Facts) -> str:
    """YAML that the hub reads; strings are JSON, which YAML takes as they are."""
    lines = [f"pretty_name: {_quoted(facts['corpus'])}"]
    stated = stated_licenses(facts)
    known = list(dict.fromkeys(hub_license(name) or "other" for name in stated))
    if facts["contents"]["unlicensed"] or not stated:
        known.append("unknown")
    lines += [f"license: {known[0]}"] if len(known) == 1 else ["license:", *(f"- {name}" for name in known)]
    others = [name for name in stated if hub_license(name) is None]
    if others:
        lines.append(f"license_name: {_quoted(', '.join(others))}")
    if languages(facts):
        lines += ["language:", *(f"- {_quoted(code)}" for code in languages(facts))]
    media = [modality for modality in facts.get("media", {}) if modality != "text"]
    if media:
        lines += ["tags:", *(f"- {_quoted(modality)}" for modality in media)]
    if facts["contents"]["rows"]:
        lines += ["size_categories:", f"- {size_category(facts['contents']['rows'])}"]
    return "\n".join(["---", *lines, "---"])


def _quoted(text: str) -> str:
    return json.dumps(one_line(text), ensure_ascii=False)


def _text(value: object) -> str:
    """Text that Markdown leaves alone, on one line."""
    shown = one_line(str(value))
    shown = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
    shown = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKS.sub(r"\\\1", shown)


def _code(language: str, text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]], left: int = 1) -> str:
    rule = ["---" if place < left else "--:" for place in range(len(head))]
    lines = [head, rule, *([_text(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _lead(facts: Facts) -> str:
    release, data, about = facts["release"], facts["contents"], facts.get("about") or {}
    parts = []
    if about.get("description"):
        parts.append(_text(str(about["description"]).strip().rstrip(".")) + ".")
    amount = f"{data['rows']:,} records" + (
        "" if data["tokens"] is None else f", {rounded(data['tokens'])} {unit_of(data)}"
    )
    parts.append(f"{amount}, {byte_size(data['stored_bytes'])} stored.")
    if release["created_at"]:
        parts.append(f"Published {day(release['created_at'])}.")
    parts.append(_text(license_sentence(facts)))
    if about.get("owner"):
        parts.append(f"Who to ask: {_text(about['owner'])}.")
    return " ".join(parts)


def _limits(facts: Facts) -> str:
    if not facts["limits"]:
        return "None that the tables show."
    return "\n".join(
        f"- {'**Serious.** ' if limit['kind'] == 'serious' else ''}{_text(limit['text'])}" for limit in facts["limits"]
    )


def _contents(facts: Facts) -> list[str]:
    data = facts["contents"]
    if not data["rows"]:
        return ["Nothing: the release holds no record."]
    parts = [dates_sentence(data["time"])]
    for name, noun in (("sources", "source"), ("licenses", "licence"), ("languages", "language")):
        mix = data[name]
        if mix is None:
            parts.append("Languages: not identified by this recipe.")
            continue
        rows = [
            [entry["name"] or f"no {noun} stated", f"{entry['rows']:,}", percent(entry["rows"], data["rows"]),
             "–" if data["tokens"] is None else f"{entry['tokens']:,}", percent(entry["tokens"], data["tokens"])]
            for entry in mix["listed"]
        ]  # fmt: skip
        parts.append(_table([noun, "records", "share", unit_of(data), f"share of {unit_of(data)}"], rows))
        rest = mix["total"] - len(mix["listed"])
        if rest:
            parts.append(f"and {rest:,} more, with {counted(mix['rest_rows'], 'record')}.")
    return parts


def _families(measured: Facts) -> list[str]:
    """Each family for itself, and the rank correlations of the two."""
    parts = []
    for family, title in (("people", "What people experience"), ("machine", "What a machine gets out of it")):
        rows = [
            [column["column"], column["better"] or "neither end", significant(column["median"])]
            for column in measured["columns"]
            if column["family"] == family
        ]
        parts.append(_table([title, "better", "median"], rows, left=2) if rows else f"{title}: not measured.")
    ranked = [pair for pair in measured["pairs"] if pair["agreement"] is not None]
    if ranked:
        rows = [[pair["people"], pair["machine"], fixed(pair["agreement"], 2, sign=True)] for pair in ranked]
        parts.append("Rank correlation (Spearman) of the two, each counted so that more is better:")
        parts.append(_table(["people", "machine", "correlation"], rows, left=2))
    return parts


def _funnel(facts: Facts) -> str:
    rows = []
    whole = most_rows(facts["funnel"])
    share = "of all read" if whole == facts["funnel"][0]["rows"] else "of the step with most"
    for step in facts["funnel"]:
        why = [f"{rule_name(reason)} {reason['rows']:,}" for reason in step["reasons"]]
        if step["other_rows"]:
            why.append(f"{step['other_reasons']:,} more reasons {step['other_rows']:,}")
        if step["pending"] > 0:
            why.append(f"no reason stored {step['pending']:,}")
        rows.append([step["label"], "; ".join(why), f"{step['rows']:,}", percent(step["rows"], whole)])
    return _table(["step", "left out before it", "records", share], rows, left=2)


def _chosen(facts: Facts) -> str:
    scores = facts["scores"]
    if scores is None:
        return "Records were not chosen by a score."
    chosen = f"Chosen by {_text(scores['by'])}."
    groups = (("published", "mean_kept"), ("not published", "mean_dropped"))
    means = [f"{name} {scores[key]:.4g}" for name, key in groups if scores.get(key) is not None]
    compared = facts["comparison"]
    mean_scores = "" if not means else f" Mean score: {', '.join(means)}."
    proof = (
        " Whether a model learns more from it than from a random selection was not measured."
        if compared is None
        else f" Compared with {_text(compared['reference'])}: {_text(compared['verdict'])}."
    )
    return chosen + mean_scores + proof


def _changes(facts: Facts) -> str:
    changes = facts["changes"]
    counts = f"{counted(changes['added'], 'record')} came, {changes['removed']:,} went, {changes['kept']:,} stayed."
    why = [f"- {_text(reason['reason'])}: {reason['rows']:,}" for reason in changes["removed_reasons"]]
    recipe = [f"- recipe: {_text(line)}" for line in changes["recipe"]]
    return "\n".join([counts, *([""] if why or recipe else []), *why, *recipe])


def _valid2(facts: Facts) -> list[str]:
    card = facts.get("valid2")
    if card is None:
        return ["No card was made when this was released."]
    rows = []
    for letter in letters(card):
        verdict = f"**{letter.verdict}**" if letter.tone else letter.verdict
        rows.append([letter.title, letter.score_text, verdict, "; ".join(item.miss for item in letter.failing)])
    parts = [_text(about(card)), _table(["letter", "score", "verdict", "what fails"], rows, left=4)]
    if facts.get("tc609"):
        parts.append(f"SAC/TC609: {tc609_summary(facts['tc609'])}.")
    return parts


def _gates(facts: Facts) -> str:
    suites = facts["gates"]["suites"]
    if not suites:
        return "No gate result is stored."
    rows = [[suite["table"], suite["suite"], *(f"{suite[kind]:,}" for kind in ("passed", "warned", "failed", "broken"))]
            for suite in suites]  # fmt: skip
    return _table(["table", "suite", "passed", "warned", "failed", "broken"], rows, left=2)


def _columns(facts: Facts) -> str:
    rows = [[column["name"], column["type"], "may be null" if column["nullable"] else ""]
            for column in facts["table"]["columns"]]  # fmt: skip
    return _table(["column", "type", ""], rows, left=3)
