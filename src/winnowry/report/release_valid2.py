"""Section of a release's page: the VALID² card with its thresholds, and the map to SAC/TC609."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from winnowry.core.numbers import minute, number
from winnowry.report.cells import Bar, Table, Tone, Word
from winnowry.report.valid2 import LETTER_TITLES, Indicator, Letter, letters, tc609_summary

Facts = Mapping[str, Any]

_STATUS_TONES: dict[str, Tone] = {"measured": "good", "declared": "", "not applicable": "dim", "not measured": "warn"}
_VERDICT_TONES: dict[str, Tone] = {"met": "good", "fails": "bad", "not judged": "dim"}


def valid2_view(facts: Facts) -> dict[str, Any] | None:
    """Scores by letter, every indicator with its threshold, records that fail, and what TC609 asks for.

    Returns:
        What ``release/valid2.html.j2`` shows; None where no card was made.
    """
    card = facts["valid2"]
    if card is None:
        return None
    grade, six = card["grade"], letters(card)
    return {
        "failing": [letter.title for letter in six if letter.passed is False],
        "unmeasured": [LETTER_TITLES[name] for name in grade["unmeasured"]],
        "worst": None if grade["score"] is None else LETTER_TITLES[grade["worst"]],
        "score": grade["score"],
        "mean": grade["geometric_mean"],
        "about": _about(card),
        "bars": [_bar(letter) for letter in six],
        "letters": [_letter(letter) for letter in six],
        "tc609": _tc609(facts["tc609"]) if facts.get("tc609") else None,
    }


def _about(card: Facts) -> str:
    origin = "the recipe's date" if card["as_of_from"] == "recipe" else "the time of the release"
    gate = "A failing letter warns; the recipe sets no gate."
    if card.get("gated"):
        blocking = ", ".join(LETTER_TITLES[letter] for letter in card.get("blocks", ()))
        gate = f"The recipe's gate blocks a release for: {blocking}." if blocking else "The recipe's gate only warns."
    return (
        f"A letter scores what its worst indicator reaches of its threshold, 1 where all are met. Snapshot "
        f"{minute(card['as_of'])} UTC ({origin}); presets for domain {card['domain']} and consumer "
        f"{card['consumer']}. {gate} VALID² has no published numbers: indicators and thresholds are winnowry's."
    )


def _bar(letter: Letter) -> Bar:
    if letter.score is None:
        return Bar(letter.title, 0.0, letter.score_text)
    n_failing, n_judged = len(letter.failing), len(letter.judged)
    outcome = f"{n_failing} of {n_judged} fail" if n_failing else f"{n_judged} met"
    return Bar(letter.title, letter.score, f"{letter.score_text} · {outcome}", "" if n_failing else "last")


def _letter(letter: Letter) -> dict[str, Any]:
    remark = letter.score_text
    n_unmeasured = sum(not item.measured for item in letter.indicators)
    if n_unmeasured and letter.score is not None:
        remark += f", {n_unmeasured} of {len(letter.indicators)} indicators not measured"
    examples = [
        [item.label, str(row["record_id"]), str(row["value"])]
        for item in letter.indicators
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
    verdict = Word(item.verdict, _VERDICT_TONES[item.verdict])
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
            Word("answered", "good") if item["answered"] else Word("open", "bad"),
        ]
        for item in tc609["documentation"]
    ]
    return {
        "summary": f"{tc609_summary(tc609)}.",
        "indicators": Table(["item", "name", "value", "by", "status"], items, left=(0, 1, 2, 3)),
        "checks": Table(["check", "asks for", "answer", ""], checks, left=(0, 1, 2)),
    }
