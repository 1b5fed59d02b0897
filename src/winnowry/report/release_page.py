"""The page of a release: one HTML file without scripts or anything from the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from winnowry.core.numbers import NONE, byte_size, counted, day, minute, number, percent, rounded
from winnowry.report.cells import most_rows, unit_of
from winnowry.report.release_changes import changes_view
from winnowry.report.release_columns import columns_view, rows_view
from winnowry.report.release_evidence import comparison_view, examples_view, gates_view, made_view
from winnowry.report.release_families import families_view
from winnowry.report.release_pictures import pictures_view
from winnowry.report.release_sections import (
    chosen_view,
    contents_view,
    drift_view,
    duplicates_view,
    funnel_view,
    shifts_view,
)
from winnowry.report.release_valid2 import valid2_view
from winnowry.report.render import render

Facts = Mapping[str, Any]
View = Mapping[str, Any] | None


def _facts_alone(facts: Facts) -> View:
    """For sections whose template needs nothing but the facts."""
    return None


_SECTIONS: tuple[tuple[str, str, Callable[[Facts], View]], ...] = (
    ("limits", "Known limits", _facts_alone),
    ("contents", "What the data is", contents_view),
    ("pictures", "What it looks like", pictures_view),
    ("rows", "Some of its records", rows_view),
    ("columns", "Its columns", columns_view),
    ("families", "Quality, to people and to a machine", families_view),
    ("funnel", "From raw to published", funnel_view),
    ("chosen", "How it was chosen", chosen_view),
    ("shifts", "What the choice shifted", shifts_view),
    ("drift", "Drift over partitions", drift_view),
    ("duplicates", "Duplicates", duplicates_view),
    ("changes", "Since the release before", changes_view),
    ("examples", "What was left out, by example", examples_view),
    ("gates", "Gates", gates_view),
    ("valid2", "VALID²", valid2_view),
    ("comparison", "Is the selection worth it?", comparison_view),
    ("use", "Read, cite, reproduce", _facts_alone),
    ("made", "How it was made", made_view),
)


_WHERE_THERE = frozenset({"pictures", "rows", "columns", "families"})
"""Sections that a page has only where the facts have them."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section, laid out by the template of its anchor below ``templates/release``."""

    anchor: str
    title: str
    view: View


def release_page(facts: Facts) -> str:
    """Lay out a release.

    Args:
        facts: what ``releases.facts.facts.release_facts`` gives.

    Returns:
        The page; every name and text in it is escaped.
    """
    return render(
        "release.html.j2",
        facts=facts,
        published=_published(facts["release"]),
        tiles=_tiles(facts),
        sections=[
            Section(anchor, title, view(facts))
            for anchor, title, view in _SECTIONS
            if anchor in facts or anchor not in _WHERE_THERE
        ],
        origin=_origin(facts["release"]),
    )


def _published(release: Facts) -> str:
    parts = [f"Published {minute(release['created_at'])} UTC" if release["created_at"] else
             "It is not recorded when this was published", f"version {release['version']} of the table"]  # fmt: skip
    if release["rows_added"] is not None:
        parts.append(f"{counted(release['rows_added'], 'record')} added and {release['rows_removed'] or 0:,} removed")
    return ", ".join(parts)


def _tiles(facts: Facts) -> list[tuple[str, str]]:
    data = facts["contents"]
    rows, tokens = data["rows"], data["tokens"]
    tiles = [
        (number(rows), "record" if rows == 1 else "records"),
        (rounded(tokens), unit_of(data) + (f", {tokens / rows:,.0f} a record" if tokens and rows else "")),
    ]
    if data["tokens_with_repeats"] is not None and data["tokens_with_repeats"] != tokens:
        tiles.append((rounded(data["tokens_with_repeats"]), f"{unit_of(data)} with repeats"))
    return [
        *tiles,
        _read_tile(facts["funnel"], rows),
        (byte_size(data["stored_bytes"]), "stored"),
        _licenses_tile(data["licenses"]),
        _dates_tile(data["time"], rows),
        _gates_tile(facts["gates"]["suites"]),
    ]


def _read_tile(steps: list[Facts], rows: int) -> tuple[str, str]:
    """The share of the records read; where records were made of records, a share would say nothing."""
    read = steps[0]["rows"]
    if most_rows(steps) > read:
        return number(read), "record read" if read == 1 else "records read"
    return percent(rows, read), f"of {read:,} records read"


def _licenses_tile(licenses: Facts) -> tuple[str, str]:
    if licenses["total"] == 1:
        return licenses["listed"][0]["name"] or "none stated", "licence"
    return number(licenses["total"]) if licenses["listed"] else NONE, "licences"


def _dates_tile(time: Facts, rows: int) -> tuple[str, str]:
    first, last = day(time["first"])[:4], day(time["last"])[:4]
    if not first:
        return "no dates", "on any record"
    undated = time["undated"]
    name = f"dates of {percent(rows - undated, rows)} of the records" if undated else "by date of the records"
    return first if first == last else f"{first}–{last}", name


def _gates_tile(suites: list[Facts]) -> tuple[str, str]:
    passed, warned = (sum(suite[key] for suite in suites) for key in ("passed", "warned"))
    failed = sum(suite["failed"] + suite["broken"] for suite in suites)
    name = (
        "gate results passed" + (f", {warned:,} warned" if warned else "") + (f", {failed:,} failed" if failed else "")
    )
    return number(passed) if suites else "none", name


def _origin(release: Facts) -> str:
    named = (("recipe", "data_hash"), ("promotion", "promotion_id"), ("run", "run_id"))
    return ", ".join(f"{name} {release[key]}" for name, key in named if release[key])
