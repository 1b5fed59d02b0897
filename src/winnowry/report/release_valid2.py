"""Section of a release's page: the VALID² card with its thresholds, and the map to SAC/TC609."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from winnowry.report.charts import bars
from winnowry.report.markup import day, note, number, percent, table

Facts = Mapping[str, Any]

LETTER_TITLES = {
    "vitality": "Vitality",
    "authenticity": "Authenticity",
    "large_sample": "Large sample",
    "integrity": "Integrity",
    "diversity": "Diversity",
    "density": "knowledge Density",
}
"""The six qualities by letter, as people read them."""
_CLASSES = {"measured": "good", "declared": "", "not applicable": "dim", "not measured": "warn"}


def valid2_section(facts: Facts) -> str:
    """Scores by letter, every indicator with its threshold, records that fail, and what TC609 asks for."""
    card = facts["valid2"]
    if card is None:
        return note("No card was made when this was released.")
    parts = [_verdict(card), note(_about(card)), bars([_bar(letter) for letter in card["letters"]], of=1.0)]
    parts += [_letter(letter) for letter in card["letters"]]
    if facts.get("tc609"):
        parts.append(_tc609(facts["tc609"]))
    return "".join(parts)


def _verdict(card: Facts) -> str:
    grade = card["grade"]
    if grade["score"] is None:
        return f'<div class="verdict no"><strong>Nothing was measured</strong>{_unmeasured(grade)}</div>'
    failing = [LETTER_TITLES[letter["letter"]] for letter in card["letters"] if letter["passed"] is False]
    said = f"{len(failing)} of 6 letters fail: {', '.join(failing)}" if failing else "No letter that was judged fails"
    kind = " bad" if failing else " no" if grade["unmeasured"] else ""
    mean = f"geometric mean {grade['geometric_mean']:.2f}"
    worst = f"Worst letter {LETTER_TITLES[grade['worst']]} with {grade['score']:.2f}, {mean}."
    return (
        f'<div class="verdict{kind}"><strong>{escape(said)}</strong><p class="dim">{escape(worst)}</p>'
        f"{_unmeasured(grade)}</div>"
    )


def _unmeasured(grade: Facts) -> str:
    missing = ", ".join(LETTER_TITLES[letter] for letter in grade["unmeasured"])
    return note(f"Not measured, and in neither number: {missing}.") if missing else ""


def _about(card: Facts) -> str:
    origin = "the recipe's date" if card["as_of_from"] == "recipe" else "the time of the release"
    gate = "A failing letter warns; the recipe sets no gate."
    if card.get("gated"):
        blocking = ", ".join(LETTER_TITLES[letter] for letter in card.get("blocks", ()))
        gate = f"The recipe's gate blocks a release for: {blocking}." if blocking else "The recipe's gate only warns."
    return (
        f"A letter scores what its worst indicator reaches of its threshold, 1 where all are met. Snapshot "
        f"{day(card['as_of'], with_time=True)} UTC ({origin}); presets for domain {card['domain']} and consumer "
        f"{card['consumer']}. {gate} VALID² has no published numbers: indicators and thresholds are winnowry's."
    )


def _bar(letter: Facts) -> tuple[str, float, str, str]:
    judged = [item for item in letter["indicators"] if item["passed"] is not None]
    failing = sum(item["passed"] is False for item in judged)
    if letter["score"] is None:
        return LETTER_TITLES[letter["letter"]], 0.0, "not measured", ""
    told = f"{letter['score']:.2f} · " + (f"{failing} of {len(judged)} fail" if failing else f"{len(judged)} met")
    return LETTER_TITLES[letter["letter"]], letter["score"], told, "" if failing else "last"


def _letter(letter: Facts) -> str:
    rows, examples = [], []
    for item in letter["indicators"]:
        told = [item["why"] or item["note"]]
        if item["interval"] is not None:
            low, high = (indicator_value(bound, item) for bound in item["interval"])
            told.insert(0, f"95 % interval {low} to {high}")
        value = "not measured" if item["value"] is None else indicator_value(item["value"], item)
        rows.append([
            item["label"], value, indicator_bound(item),
            "–" if item["records"] is None else f"{item['records']:,}", "; ".join(filter(None, told)), _word(item),
        ])  # fmt: skip
        examples += [[item["label"], row["record_id"], row["value"]] for row in item["examples"]]
    head = ["indicator", "found", "asked for", "records", "remark", "verdict"]
    shown = table(head, rows, left=(0, 4), raw=5)
    if examples:
        shown += table(["fails", "record", "value"], examples, left=(0, 1, 2))
    failing = letter["passed"] is False
    said = "not measured" if letter["score"] is None else f"{letter['score']:.2f}"
    unmeasured = sum(item["value"] is None for item in letter["indicators"])
    if unmeasured and letter["score"] is not None:
        said += f", {unmeasured} of {len(rows)} indicators not measured"
    return (
        f"<details{' open' if failing else ''}><summary>{escape(LETTER_TITLES[letter['letter']])} "
        f'<span class="dim">{escape(said)}</span></summary>{shown}</details>'
    )


def indicator_value(value: float, item: Facts) -> str:
    """A value of an indicator, in its unit."""
    if item["unit"] == "share":
        return percent(value, 1)
    if item["unit"] == "count":
        return number(round(value))
    return f"{value:,.0f} days" if item["unit"] == "days" else number(float(value))


def indicator_bound(item: Facts) -> str:
    """The threshold of an indicator, e.g. ``at most 40.0 %``."""
    if item["threshold"] is None:
        return "–"
    return f"{'at least' if item['at_least'] else 'at most'} {indicator_value(item['threshold'], item)}"


def _word(item: Facts) -> str:
    if item["passed"] is None:
        return '<span class="dim">not judged</span>'
    return '<span class="good">met</span>' if item["passed"] else '<span class="bad">fails</span>'


def _tc609(found: Facts) -> str:
    rows = [
        [item["id"], item["name"], item["value"], item["by"],
         f'<span class="{_CLASSES[item["status"]]}">{escape(item["status"])}</span>']
        for item in found["indicators"]
    ]  # fmt: skip
    checks = [
        [item["id"], item["name"], item["answer"],
         '<span class="good">answered</span>' if item["answered"] else '<span class="bad">open</span>']
        for item in found["documentation"]
    ]  # fmt: skip
    measured = sum(item["status"] == "measured" for item in found["indicators"])
    answered = sum(item["answered"] for item in found["documentation"])
    said = (
        f"{measured} of {len(rows)} items measured, {answered} of {len(checks)} documentation checks answered. Read "
        "through an implementation (dingo 2.5.0), not from the standard itself."
    )
    return (
        '<details><summary>SAC/TC609 quality items <span class="dim">of the Chinese specification</span></summary>'
        f"{note(said)}{table(['item', 'name', 'value', 'by', 'status'], rows, left=(0, 1, 2, 3), raw=4)}"
        f"{table(['check', 'asks for', 'answer', ''], checks, left=(0, 1, 2), raw=3)}</details>"
    )
