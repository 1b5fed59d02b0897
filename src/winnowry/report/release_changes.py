"""Section of a release's page: what changed since the release before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from winnowry.core.numbers import counted, number, percent, rounded, significant
from winnowry.report.cells import Bar, Table, unit_of

Facts = Mapping[str, Any]

_SCORE_KEYS = ("mean_old", "mean_new", "median_old", "median_new")


def changes_view(facts: Facts) -> dict[str, Any] | None:
    """Records that came and went, why, where, and what it did to the mix, the scores and the gates.

    Returns:
        What ``release/changes.html.j2`` shows; None for a first release.
    """
    changes = facts.get("changes")
    if changes is None:
        return None
    old, new = changes["before"], facts["release"]["name"]
    return {
        "summary": _summary(facts, changes, old, new),
        "whole": max(changes["rows_before"], facts["contents"]["rows"], 1),
        "bars": [
            Bar("in both", changes["kept"], number(changes["kept"]), "left"),
            Bar("+ added", changes["added"], number(changes["added"]), "last"),
            Bar("− removed", changes["removed"], number(changes["removed"]), "drop"),
            *(Bar(f"− {r['reason']}", r["rows"], number(r["rows"]), "drop") for r in changes["removed_reasons"]),
        ],
        "sources": _sources(changes, old, new, unit_of(facts["contents"])),
        "scores": Table(
            ["column", f"mean {old}", f"mean {new}", f"median {old}", f"median {new}"],
            [[score["column"], *(significant(score[key]) for key in _SCORE_KEYS)] for score in changes["scores"]],
        ),
        "gates": Table(
            ["expectation", old, new],
            [
                [
                    f"{gate['suite']} {gate['expectation']}" + (f" of {gate['column']}" if gate["column"] else ""),
                    gate["verdict_old"] or "not judged",
                    gate["verdict_new"] or "not judged",
                ]
                for gate in changes["gates"]
            ],
            left=(0, 1, 2),
        ),
        "partitions": Table(
            ["partition", "added", "removed"],
            [[row["partition"], number(row["added"]), number(row["removed"])] for row in changes["partitions"]],
        ),
    }


def _summary(facts: Facts, changes: Facts, old: str, new: str) -> str:
    rows, rows_before = facts["contents"]["rows"], changes["rows_before"]
    text = f"Against {old}: {rows:,} records instead of {rows_before:,}"
    tokens = facts["contents"]["tokens"]
    if tokens is not None and changes["tokens_before"] is not None:
        text += f", {rounded(tokens)} {unit_of(facts['contents'])} instead of {rounded(changes['tokens_before'])}"
    text += f". {counted(changes['added'], 'record')} came, {changes['removed']:,} went"
    if rows_before:
        text += f"; together {percent(changes['added'] + changes['removed'], rows_before)} of {old}"
    text += "."
    if changes["rewritten"]:
        text += (
            f" {counted(changes['rewritten'], 'record')} that both have "
            f"{'was' if changes['rewritten'] == 1 else 'were'} written anew in {new}: the text or a column changed."
        )
    elif not changes["added"] and not changes["removed"]:
        text += " Both hold the same records."
    return text


def _sources(changes: Facts, old: str, new: str, unit: str) -> Table:
    tokens_old, tokens_new = (sum(source[key] for source in changes["sources"]) for key in ("tokens_old", "tokens_new"))
    rows = [
        [source["source"], number(source["rows_old"]), number(source["rows_new"]),
         percent(source["tokens_old"], tokens_old), percent(source["tokens_new"], tokens_new)]
        for source in changes["sources"]
    ]  # fmt: skip
    return Table(["source", f"records {old}", f"records {new}", f"of {unit} {old}", f"of {unit} {new}"], rows)
