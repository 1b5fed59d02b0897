"""What a reader of a release must know before trusting it; derived from the facts, never flattering."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from winnowry.core.numbers import counted, day
from winnowry.report.valid2 import letters

_FEW = 5  # names that are listed
_FEW_REFUSED = 0.1  # share of a source's records
_MANY_DUPLICATES = 0.5


def limits(facts: Mapping[str, Any]) -> list[dict[str, str]]:
    """Known limits.

    Args:
        facts: everything else that is known.

    Returns:
        ``kind`` (``serious`` or ``note``) and ``text``, serious ones first.
    """
    problems = [
        *_of_reading(facts),
        *_of_contents(facts),
        *_of_erasures(facts),
        *_of_quality(facts),
        *_of_gaps(facts),
        *_of_process(facts),
        *_of_selection(facts),
    ]
    return sorted(
        ({"kind": kind, "text": text} for kind, text in problems), key=lambda limit: limit["kind"] != "serious"
    )


def _of_reading(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What was lost before any table: objects first, most bytes first, then records by source, most of them first."""
    lost = facts.get("lost") or {"unread": [], "unread_objects": 0, "sources": []}
    for item in lost["unread"][:_FEW]:
        yield "serious", f"Not read as a whole: {item['words']}."
    more = lost["unread_objects"] - len(lost["unread"][:_FEW])
    if more > 0:
        yield "serious", f"{more:,} more objects were not read as a whole."
    for source in sorted(lost["sources"], key=lambda source: -source["refused"]):
        if source["refused"]:
            share = source["refused"] / source["records"]
            why = _listed([f"{reason} ({rows:,})" for reason, rows in source["reasons"].items()])
            refused = f"{source['refused']:,} of {source['records']:,} records ({100 * share:.1f} %)"
            kind = "serious" if share > _FEW_REFUSED else "note"
            yield kind, f"Of source {source['source']} {refused} were refused when they were read: {why}."
    duplicates = facts.get("duplicates")
    if duplicates is not None and (duplicates["share"] or 0.0) > _MANY_DUPLICATES:
        share = 100 * duplicates["share"]
        yield "note", f"{duplicates['rows']:,} records ({share:.1f} % of the cleaned ones) were dropped as duplicates."


def _of_contents(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    data = facts["contents"]
    rows = data["rows"]
    if not rows:
        yield "serious", "The release is empty: no record was published."
        return
    undated = data["time"]["undated"]
    if undated == rows:
        yield "serious", "No record has a date: neither its age nor its freshness can be told."
    elif undated:
        sentence = f"{undated:,} of {rows:,} records ({100 * undated / rows:.1f} %) have no date"
        yield "serious" if 2 * undated > rows else "note", f"{sentence}; the time span is that of the others."
    unlicensed = data["unlicensed"]
    if unlicensed == rows:
        yield "serious", "No record states a licence: whether the data may be used is for the reader to find out."
    elif unlicensed:
        yield "serious", f"{unlicensed:,} of {rows:,} records ({100 * unlicensed / rows:.1f} %) state no licence."
    named = data["licenses"]["total"] - (1 if unlicensed else 0)
    if named > 1:
        yield "note", f"{named:,} different licences apply; they are listed with their shares."
    if data["sources"]["total"] == 1:
        yield "note", "All records come from one source: whatever that source leaves out is not here either."
    if data["languages"] is None and "unit" not in data:
        yield "note", "The language of the records was not identified."


def _of_erasures(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """How many records were erased since; never which."""
    for erased in facts["release"].get("erased") or ():
        records = counted(erased["rows"], "record")
        was = "was" if erased["rows"] == 1 else "were"
        yield "note", f"{records} {was} erased from it on {day(erased['at'])} (certificate: {erased['certificate']})."


def _of_quality(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    card = facts.get("valid2")
    if card is None or not facts["contents"]["rows"]:
        return
    failing = [letter.words for letter in letters(card) if letter.passed is False]
    unmeasured = [letter.words for letter in letters(card) if letter.verdict == "not measured"]
    if failing:
        yield "serious", f"Of the six qualities of VALID² {len(failing)} fail: {', '.join(failing)}."
    if unmeasured:
        yield "note", f"Of the six qualities of VALID² nothing was measured for: {', '.join(unmeasured)}."


def _of_gaps(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Partitions that are not in the release or not as they should be, and failures that somebody has signed for."""
    release = facts["release"]
    if release["missing_partitions"]:
        yield "serious", f"Published without {_listed(release['missing_partitions'])} (--allow-missing)."
    for stale in release.get("stale_partitions") or ():
        since = f" since {stale['since']}" if stale["since"] else ""
        as_of = f"as of promotion {stale['promotion']} of {stale['promoted_at']}"
        why = f"{stale['stage']} is stale{since}, {stale['why']} (--allow-missing)."
        yield "serious", f"Partition {stale['partition']} is {as_of}: {why}"
    for left_out in release.get("left_out_partitions") or ():
        yield "serious", f"Partition {left_out['partition']} is left out, {_signed(left_out)}"
    for accepted in facts.get("accepted", ()):
        what = accepted["stage"] + (f" of partition {accepted['partition']}" if accepted["partition"] else "")
        message = _ended(accepted["message"])
        yield "serious", f"The gate of {what} failed and was accepted: {accepted['failed']}: {message}"


def _of_process(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "kept_partitions" in facts:
        unlanded = facts["kept_partitions"]
        which = f"; of these partitions no object is left: {_listed(unlanded)}" if unlanded else ""
        yield "note", f"Records stay whose objects are gone from the landing (keep_gone){which}."
    parts = facts["partitions"]
    if parts["n_unpublished"] and facts["contents"]["rows"]:
        names = _listed(parts["unpublished"], parts["n_unpublished"])
        yield "note", f"Partitions of which no record is published: {names}."
    for step in facts["funnel"]:
        if step["pending"] > 0:
            yield "serious", f"No table says why {step['pending']:,} of the records did not get to “{step['label']}”."
        elif step["pending"] < 0:
            yield (
                "serious",
                (f"“{step['label']}” counts {-step['pending']:,} more than came from the step before."),
            )
    if facts["tables_moved"]:
        yield (
            "serious",
            (
                f"Changed since this release, and their versions of then are gone: {_listed(facts['tables_moved'])}. "
                "What this page says about them is of today."
            ),
        )
    ops = {str(op.get("op")) for op in (facts["made"]["stages"].get("cleaned", {}).get("clean") or [])}
    of_text = "unit" not in facts["contents"]
    if facts["made"]["stages"] and "text.pii" not in ops:
        why = ": the recipe has no text.pii" if of_text else ""
        yield "note", f"Personal data was not looked for{why}."
    if of_text and facts["made"]["stages"] and not any("decontaminate" in op for op in ops):
        yield "note", "Records were not compared with evaluation sets: the recipe has no text.decontaminate."
    not_passed = [row for row in facts["gates"]["own"] if row["verdict"] != "pass"]
    if not_passed:
        yield "serious", f"Of the release's own expectations {len(not_passed):,} did not pass; they are listed."
    if not facts["gates"]["suites"]:
        yield "serious", "No gate result is stored: nothing shows that these tables were checked."


def _signed(accepted: Mapping[str, Any]) -> str:
    until = f" until {accepted['until']}" if accepted["until"] else ""
    return _ended(f"accepted by {accepted['by']}{until}: {accepted['reason']}")


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _of_selection(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    scores = facts["scores"]
    if scores is None:
        yield "note", "Records were not chosen by a score."
    elif not scores["edges"]:
        yield "serious", f"No record has a usable score {scores['by']}."
    elif scores["missing"]:
        yield "note", f"Without a usable {scores['by']}: {scores['missing']:,} of {scores['rows']:,} scored records."
    compared = facts["comparison"]
    if compared is not None and not compared["of_this_selection"]:
        yield "serious", "The comparison was made of an earlier selection, not of this one."
    if compared is None:
        yield (
            "note",
            (
                "No comparison was made: nothing here shows that a model learns more from this selection than from a "
                "random one."
            ),
        )
    elif compared["outcome"] == "inconclusive":
        yield "serious", "The comparison is inconclusive: it shows nothing about this selection."
    elif compared["outcome"] == "worse":
        yield (
            "serious",
            (f"The comparison found this selection worse than {compared['reference']} on {compared['decides']}."),
        )
    elif compared["outcome"] == "no difference":
        yield (
            "note",
            (
                f"The comparison found no difference between this selection and {compared['reference']} on "
                f"{compared['decides']}."
            ),
        )


def _listed(names: list[str], total: int | None = None) -> str:
    total = len(names) if total is None else total
    rest = total - len(names[:_FEW])
    return ", ".join(names[:_FEW]) + (f" and {rest:,} more" if rest else "")
