"""Section of a release's page: the VALID² card with its thresholds, and the map to SAC/TC609."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from winnowry.core.numbers import minute, number
from winnowry.report.cells import Bar, Table, Tone, Word
from winnowry.report.valid2 import LETTER_TITLES, Indicator, Letter, about, letters, tc609_summary

Facts = Mapping[str, Any]

_STATUS_TONES: dict[str, Tone] = {"measured": "", "declared": "", "not applicable": "dim", "not measured": "dim"}


def valid2_view(facts: Facts) -> dict[str, Any] | None:
    """Scores by letter, every indicator with its threshold, records that fail, and what TC609 asks for.

    Returns:
        What ``release/valid2.html.j2`` shows; None where no card was made.
    """
    card = facts["valid2"]
    if card is None:
        return None
    grade, six = card["grade"], letters(card)
    required = any(letter.score is not None for letter in six)
    return {
        "measured": any(item.measured for letter in six for item in letter.indicators),
        "failing": [letter.title for letter in six if letter.passed is False],
        "unmeasured": [letter.title for letter in six if letter.verdict == "not measured"],
        "worst": LETTER_TITLES[grade["worst"]] if required else None,
        "score": grade["score"],
        "mean": grade["geometric_mean"],
        "about": _about(card),
        "bars": [_bar(letter) for letter in six],
        "letters": [_letter(letter) for letter in six],
        "tc609": _tc609(facts["tc609"]) if facts.get("tc609") else None,
    }


def _about(card: Facts) -> str:
    origin = "the recipe's date" if card["as_of_from"] == "recipe" else "the time of the release"
    return (
        f"{about(card)} Snapshot {minute(card['as_of'])} UTC ({origin}). VALID² has no published numbers: indicators "
        "and thresholds are winnowry's."
    )


def _bar(letter: Letter) -> Bar:
    return Bar(letter.title, letter.score or 0.0, letter.outcome, "fails" if letter.tone else "")


def _letter(letter: Letter) -> dict[str, Any]:
    remark = letter.score_text
    n_unmeasured = sum(not item.measured for item in letter.indicators)
    if n_unmeasured and letter.score is not None:
        remark += f", {n_unmeasured} of {len(letter.indicators)} indicators not measured"
    examples = [
        [item.label, str(row["record_id"]), str(row["value"])]
        for item in letter.failing
        for row in item.facts["examples"]
    ]
    return {
        "title": letter.title,
        "passed": letter.passed,
        "remark": remark,
        "indicators": Table(
            ["indicator", "value", "threshold", "records", "remark", "verdict"],
            [_row(item) for item in letter.indicators],
            left=(0, 4),
        ),
        "examples": Table(["fails", "record", "value"], examples, left=(0, 1, 2)),
    }


def _row(item: Indicator) -> list[str | Word]:
    records = number(item.facts["records"], missing="–")
    verdict = Word(item.verdict, item.tone)
    return [item.label, item.value, item.bound, records, item.remark, verdict]


def _tc609(tc609: Facts) -> dict[str, Any]:
    items = [
        [item["id"], item["name"], item["value"], item["by"], Word(item["status"], _STATUS_TONES[item["status"]])]
        for item in tc609["indicators"]
    ]
    checks = [
        [
            item["id"],
            item["name"],
            item["answer"],
            "answered" if item["answered"] else Word("open", "dim"),
        ]
        for item in tc609["documentation"]
    ]
    return {
        "summary": f"{tc609_summary(tc609)}.",
        "indicators": Table(["item", "name", "value", "by", "status"], items, left=(0, 1, 2, 3)),
        "checks": Table(["check", "asks for", "answer", ""], checks, left=(0, 1, 2)),
    }
