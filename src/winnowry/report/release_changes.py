"""Section of a release's page: what changed since the release before."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from winnowry.report.charts import bars
from winnowry.report.markup import counted, note, number, percent, table

Facts = Mapping[str, Any]


def changes_section(facts: Facts) -> str:
    """Records that came and went, why, where, and what it did to the mix, the scores and the gates."""
    found = facts.get("changes")
    if found is None:
        return note("This is the first release: there is none before it to compare with.")
    old, new = found["before"], facts["release"]["name"]
    parts = [_summary(facts, found, old, new)]
    whole = max(found["rows_before"], facts["contents"]["rows"], 1)
    moved = [
        ("in both", found["kept"], f"{found['kept']:,}", "left"),
        ("+ added", found["added"], f"{found['added']:,}", "last"),
        ("− removed", found["removed"], f"{found['removed']:,}", "drop"),
    ]
    moved += [(f"− {r['reason']}", r["rows"], f"{r['rows']:,}", "drop") for r in found["removed_reasons"]]
    parts += [bars(moved, of=whole), _more(found, "removed_reasons", "more reasons")]
    parts += ["<h3>What changed in the recipe</h3>", _recipe(found)]
    if found["sources"]:
        parts += ["<h3>Sources</h3>", _sources(found, old, new)]
    if found["scores"]:
        head = ["column", f"mean {old}", f"mean {new}", f"median {old}", f"median {new}"]
        names = ("mean_old", "mean_new", "median_old", "median_new")
        rows = [[score["column"], *(_value(score[name]) for name in names)] for score in found["scores"]]
        parts += ["<h3>Scores</h3>", table(head, rows), note("Medians are approximate."),
                  _more(found, "scores", "more columns")]  # fmt: skip
    if found["gates"]:
        rows = [[f"{gate['suite']} {gate['expectation']}" + (f" of {gate['column']}" if gate["column"] else ""),
                 gate["verdict_old"] or "not judged", gate["verdict_new"] or "not judged"]
                for gate in found["gates"]]  # fmt: skip
        parts += ["<h3>Gates with another verdict</h3>", table(["expectation", old, new], rows, left=(0, 1, 2)),
                  _more(found, "gates", "more expectations")]  # fmt: skip
    if found["partitions"]:
        rows = [[row["partition"], f"{row['added']:,}", f"{row['removed']:,}"] for row in found["partitions"]]
        shown = counted(len(rows), "partition") + (" with most changes" if found["more_partitions"] else "")
        listed = table(["partition", "added", "removed"], rows) + _more(found, "partitions", "more partitions")
        parts.append(f"<details><summary>{escape(shown)}</summary>{listed}</details>")
    return "".join(parts)


def _summary(facts: Facts, found: Facts, old: str, new: str) -> str:
    rows, before = facts["contents"]["rows"], found["rows_before"]
    said = f"Against {old}: {rows:,} records instead of {before:,}"
    tokens = facts["contents"]["tokens"]
    if tokens is not None and found["tokens_before"] is not None:
        said += f", {number(tokens)} tokens instead of {number(found['tokens_before'])}"
    said += f". {counted(found['added'], 'record')} came, {found['removed']:,} went"
    if before:
        said += f"; together {percent(found['added'] + found['removed'], before)} of {old}"
    said += "."
    if found["rewritten"]:
        said += (
            f" {counted(found['rewritten'], 'record')} that both have "
            f"{'was' if found['rewritten'] == 1 else 'were'} written anew in {new}: the text or a column changed."
        )
    elif not found["added"] and not found["removed"]:
        said += " Both hold the same records."
    return f"<p>{escape(said)}</p>"


def _recipe(found: Facts) -> str:
    if not found["recipe"]:
        return note("Nothing: the specifications of all stages are the same.")
    listed = "".join(f"<li>{escape(line)}</li>" for line in found["recipe"])
    return f'<ul class="limits">{listed}</ul>' + _more(found, "recipe", "more changes")


def _sources(found: Facts, old: str, new: str) -> str:
    totals = [sum(source[name] for source in found["sources"]) for name in ("tokens_old", "tokens_new")]
    head = ["source", f"records {old}", f"records {new}", f"of tokens {old}", f"of tokens {new}"]
    rows = [
        [source["source"], f"{source['rows_old']:,}", f"{source['rows_new']:,}",
         percent(source["tokens_old"], totals[0]), percent(source["tokens_new"], totals[1])]
        for source in found["sources"]
    ]  # fmt: skip
    cut = " Shares are of the sources that are listed." if found["more_sources"] else ""
    return table(head, rows) + (note(f"and {found['more_sources']:,} more.{cut}") if cut else "")


def _value(value: float | None) -> str:
    return "–" if value is None else f"{value:,.4g}"


def _more(found: Facts, name: str, noun: str) -> str:
    return note(f"and {found[f'more_{name}']:,} {noun}") if found[f"more_{name}"] else ""
