"""The page of a release: one HTML file without scripts or anything from the network."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Any

from winnowry.report.markup import counted, day, n_bytes, number, percent
from winnowry.report.release_changes import changes_section
from winnowry.report.release_evidence import comparison_section, examples_section, gates_section, made_section
from winnowry.report.release_sections import (
    chosen_section,
    contents_section,
    drift_section,
    duplicates_section,
    funnel_section,
    shifts_section,
)
from winnowry.report.release_valid2 import valid2_section

Facts = Mapping[str, Any]


def release_page(facts: Facts) -> str:
    """Lay out a release.

    Args:
        facts: what ``pipeline.release_facts.facts.release_facts`` gives.

    Returns:
        The page; every name and text in it is escaped.
    """
    release = facts["release"]
    sections = (
        ("limits", "Known limits", _limits(facts)),
        ("contents", "What the data is", contents_section(facts)),
        ("funnel", "From raw to published", funnel_section(facts)),
        ("chosen", "How it was chosen", chosen_section(facts)),
        ("shifts", "What the choice shifted", shifts_section(facts)),
        ("drift", "Drift over partitions", drift_section(facts)),
        ("duplicates", "Duplicates", duplicates_section(facts)),
        ("changes", "Since the release before", changes_section(facts)),
        ("examples", "What was left out, by example", examples_section(facts)),
        ("gates", "Gates", gates_section(facts)),
        ("valid2", "VALID²", valid2_section(facts)),
        ("comparison", "Is the selection worth it?", comparison_section(facts)),
        ("use", "Read, cite, reproduce", _use(facts)),
        ("made", "How it was made", made_section(facts)),
    )
    tags = "".join(f'<span class="tag other">{escape(tag)}</span>' for tag in release["tags"])
    title = f"{facts['corpus']} {release['name']}"
    head = (
        f'<h1>{escape(facts["corpus"])} <span class="tag">{escape(release["name"])}</span>{tags}</h1>'
        f'<p class="dim">{escape(_born(release))}</p>'
    )
    nav = "".join(f'<a href="#{anchor}">{escape(name)}</a>' for anchor, name, _ in sections)
    body = "".join(f'<section id="{anchor}"><h2>{escape(name)}</h2>{text}</section>' for anchor, name, text in sections)
    style = files("winnowry.report").joinpath("release.css").read_text(encoding="utf-8")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,'
        f'initial-scale=1"><link rel="icon" href="data:,"><title>{escape(title)}</title><style>{style}</style></head>'
        f"<body><main>{head}{_tiles(facts)}<nav>{nav}</nav>{body}{_footer(release)}</main></body></html>"
    )


def _born(release: Facts) -> str:
    said = [f"Published {day(release['created_at'], with_time=True)} UTC" if release["created_at"] else
            "It is not recorded when this was published", f"version {release['version']} of the table"]  # fmt: skip
    if release["rows_added"] is not None:
        said.append(f"{counted(release['rows_added'], 'record')} added and {release['rows_removed'] or 0:,} removed")
    return ", ".join(said)


def _tiles(facts: Facts) -> str:
    data = facts["contents"]
    rows, tokens = data["rows"], data["tokens"]
    read = facts["funnel"][0]["rows"]
    suites = facts["gates"]["suites"]
    passed, warned = (sum(suite[name] for suite in suites) for name in ("passed", "warned"))
    failed = sum(suite["failed"] + suite["broken"] for suite in suites)
    licenses = [entry["name"] or "none stated" for entry in data["licenses"]["listed"]]
    first, last = (day(data["time"][name]) for name in ("first", "last"))
    undated = data["time"]["undated"]
    dates = "by date of the records" if not undated else f"dates of {percent(rows - undated, rows)} of the records"
    tiles = [
        (f"{rows:,}", "record" if rows == 1 else "records"),
        (number(tokens), "tokens" + (f", {tokens / rows:,.0f} a record" if tokens and rows else "")),
        (percent(rows, read), f"of {read:,} records read"),
        (n_bytes(data["stored_bytes"]), "stored"),
        (licenses[0] if data["licenses"]["total"] == 1 else f"{data['licenses']['total']:,}" if licenses else "–",
         "licence" if data["licenses"]["total"] == 1 else "licences"),
        ((first[:4] if first[:4] == last[:4] else f"{first[:4]}–{last[:4]}") if first else "no dates",
         dates if first else "on any record"),
        (f"{passed:,}" if suites else "none", "gate results passed" + (f", {warned:,} warned" if warned else "")
         + (f", {failed:,} failed" if failed else "")),
    ]  # fmt: skip
    if data["tokens_with_repeats"] is not None and data["tokens_with_repeats"] != tokens:
        tiles.insert(2, (number(data["tokens_with_repeats"]), "tokens with repeats"))
    return '<div class="tiles">' + "".join(
        f'<div class="tile"><b>{escape(value)}</b><span>{escape(name)}</span></div>' for value, name in tiles
    ) + "</div>"  # fmt: skip


def _limits(facts: Facts) -> str:
    if not facts["limits"]:
        return '<p class="dim">None that the tables show.</p>'
    listed = "".join(f'<li class="{escape(limit["kind"])}">{escape(limit["text"])}</li>' for limit in facts["limits"])
    return f'<ul class="limits">{listed}</ul>'


def _use(facts: Facts) -> str:
    use = facts["use"]
    return "".join(
        f'<h3>{title}</h3><p class="dim">{said}</p><pre><code>{escape(use[name])}</code></pre>'
        for name, title, said in (
            ("read", "Read it", "Three lines of Python; a release never changes under its name."),
            ("cite", "Cite it", "The number of the release and the hash of its recipe say exactly which data this is."),
            ("reproduce", "Make it again", (
                "In the project that holds the recipe; the same input and recipe select the same records, and what is "
                "unchanged is not redone."
            )),
        )
    )  # fmt: skip


def _footer(release: Facts) -> str:
    named = (("recipe", "data_hash"), ("promotion", "promotion_id"), ("run", "run_id"))
    said = [f"{name} {release[key]}" for name, key in named if release[key]]
    return f"<footer>Made by winnowry from the tables themselves. {escape(', '.join(said))}</footer>"
