"""What happened to one record: its walk through the tables, and where it ended."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from winnowry.core.errors import NotFoundError, UsageError
from winnowry.core.ids import record_id as make_record_id
from winnowry.inspect.explain_draw import draw_sentence, draw_values
from winnowry.inspect.explain_group import Twin, duplicate_outcome, group_values, keeper_values, twin_of

if TYPE_CHECKING:
    from winnowry.lakehouse.workspace import Workspace

Status = Literal["published", "selected", "not_selected", "scored", "duplicate", "quarantined", "cleaned", "raw"]

_ID = re.compile(r"[0-9a-f]{8,32}")
_NUMBERED = re.compile(r"v\d+")
_PLACE = re.compile(r"(?P<uri>.+):(?P<position>\d{1,18})")
_FULL = 32
_EXCERPT = 600  # characters of text that are shown
_LONG = ("payload", "text")
_RELEASES_SEARCHED = 20  # newest ones


@dataclass(frozen=True)
class Step:
    """One table that knows the record.

    Attributes:
        stage: stage that wrote the row (for quarantine: the stage that rejected the record).
        table: where the row lies.
        version: version of the table that was read.
        outcome: one sentence.
        values: the row; long text is cut to an excerpt.
        promotion_id: promotion that wrote the row.
        promoted_at: when it was promoted; None when its record is gone.
        run_id: run that wrote it.
    """

    stage: str
    table: str
    version: int
    outcome: str
    values: dict[str, Any] = field(default_factory=dict)
    promotion_id: str | None = None
    promoted_at: datetime | None = None
    run_id: str | None = None


@dataclass(frozen=True)
class Walk:
    """A record's way through the stages.

    Attributes:
        status: where it stands now.
        verdict: the same as a sentence.
        steps: in stage order.
        releases: tags that hold the record, of the newest releases.
        twin: of a duplicate, the record it was found to be like, with both texts; None where a text is gone.
    """

    record_id: str
    corpus: str
    partition: str | None
    status: Status
    verdict: str
    steps: list[Step]
    releases: tuple[str, ...] = ()
    twin: Twin | None = None

    def to_dict(self) -> dict[str, Any]:
        """The walk as data."""
        return asdict(self)


def explain(ws: Workspace, record_id: str, corpus: str | None = None) -> Walk:
    """Follow a record through every table of a corpus.

    Args:
        ws: the lake.
        record_id: record id, the first 8 or more characters of one, the id that the source itself gave, or its place
            as ``URI:POSITION`` (a relative URI starts at the root).
        corpus: look only here; in all corpora when None.

    Raises:
        NotFoundError: no table knows such a record.
        UsageError: several records or corpora match.
    """
    known = ws.lake.corpora()
    if corpus is not None and corpus not in known:
        raise NotFoundError(f"no corpus {corpus!r}; there are: {', '.join(known) or 'none yet'}")
    found = [(name, full) for name in known if corpus in (None, name) for full in _matches(ws, name, record_id)]
    if not found:
        where = corpus or f"any corpus of {ws.root}"
        raise NotFoundError(
            f"no record {record_id!r} in {where}. Expected a record id (32 hexadecimal characters, or the first 8 or "
            "more), the id that the source gave the record, or its place as URI:POSITION."
        )
    if len(found) > 1:
        listed = ", ".join(f"{name}: {full}" for name, full in found[:5])
        raise UsageError(f"{record_id!r} is ambiguous: {listed}. Give the whole id, or --corpus.")
    name, full = found[0]
    return _walk(ws, name, full)


def _matches(ws: Workspace, corpus: str, asked: str) -> list[str]:
    """Full ids of the corpus's records that ``asked`` may mean."""
    tables = ws.lake.tables(corpus)
    if _ID.fullmatch(asked):
        # A range rather than a pattern: the index answers it. No hexadecimal digit comes after "f".
        where = (
            f"record_id = '{asked}'" if len(asked) == _FULL else f"record_id >= '{asked}' AND record_id < '{asked}g'"
        )
        found: set[str] = set()
        for name in ("raw", "quarantine"):
            if name in tables:
                found.update(_ids(ws, corpus, name, where))
        if found:
            return sorted(found)
    found = set()
    candidates = [make_record_id(source, mapped_id=asked) for source in _sources(ws, corpus)]
    if "raw" in tables and candidates:
        listed = ", ".join(f"'{candidate}'" for candidate in candidates)
        found.update(_ids(ws, corpus, "raw", f"record_id IN ({listed})"))
    # What could not be read has no id of its source: it is known by its place.
    place = _PLACE.fullmatch(asked)
    if place is not None:
        uri = ws.store.resolve(place["uri"]).replace("'", "''")
        for name in ("raw", "quarantine"):
            if name in tables:
                found.update(_ids(ws, corpus, name, f"position = {int(place['position'])} AND uri = '{uri}'"))
    return sorted(found)


def _ids(ws: Workspace, corpus: str, table: str, where: str) -> list[str]:
    rows = ws.lake.open(corpus, table).to_table(columns=["record_id"], where=where, limit=5)
    return [str(value) for value in rows["record_id"].to_pylist()]


def _sources(ws: Workspace, corpus: str) -> list[str]:
    if "landing" not in ws.lake.tables(corpus):
        return []
    return sorted(set(ws.lake.open(corpus, "landing").to_table(columns=["source"])["source"].to_pylist()))


def _walk(ws: Workspace, corpus: str, record_id: str) -> Walk:
    promotions = {record.id: record for record in ws.lake.records(corpus).all()}
    rows: dict[str, tuple[int, list[dict[str, Any]]]] = {}
    present = ws.lake.tables(corpus)
    for name in ("raw", "quarantine", "cleaned", "duplicates", "scored", "sampled", "published"):
        if name in present:
            view = ws.lake.open(corpus, name)
            rows[name] = (view.version, view.to_table(where=f"record_id = '{record_id}'").to_pylist())
    steps: list[Step] = []

    releases = _releases_with(ws, corpus, record_id) if "published" in present else []

    def add(
        stage: str,
        table: str,
        version: int,
        outcome: str,
        row: Mapping[str, Any],
        more: Mapping[str, Any] | None = None,
    ) -> None:
        promotion = promotions.get(row.get("promotion_id", ""))
        at = promotion.promoted_at if promotion is not None else None
        steps.append(
            Step(
                stage,
                table,
                version,
                outcome,
                {**_values(row), **(more or {})},
                row.get("promotion_id"),
                None if at is None else datetime.fromtimestamp(at, UTC),
                promotion.lineage.get("run_id") if promotion is not None else None,
            )
        )

    _landing_step(ws, corpus, present, rows, add)
    partition: str | None = None
    for name, (version, held) in rows.items():
        for row in held:
            partition = partition or row.get("partition")
            stage = row["stage"] if name == "quarantine" else name
            made = promotions.get(row.get("promotion_id", ""))
            spec = made.lineage.get("spec", {}) if made is not None else {}
            more = _drawn_by(ws, corpus, record_id, spec.get("sample") or {}) if name == "sampled" else {}
            add(stage, name, version, _outcome(name, row, releases, more), row, more)
    stands_for = _tell_group(ws, corpus, record_id, rows, steps)
    order = ("landing", "raw", "cleaned", "duplicates", "scored", "sampled", "published")
    steps.sort(key=lambda step: order.index(step.stage) if step.stage in order else len(order))
    status, verdict = _verdict(rows, releases)
    if stands_for:
        verdict += f"; keeper of {stands_for}"
    if releases and status != "published":
        verdict += f"; an earlier release holds it: {', '.join(releases)}"
    duplicate = rows.get("duplicates", (0, []))[1]
    twin = twin_of(ws.lake.open(corpus, "cleaned"), duplicate[0]) if duplicate and "cleaned" in present else None
    return Walk(record_id, corpus, partition, status, verdict, steps, tuple(releases), twin)


def _drawn_by(ws: Workspace, corpus: str, record_id: str, sample: Mapping[str, Any]) -> dict[str, Any]:
    scored = ws.lake.open(corpus, "scored") if "scored" in ws.lake.tables(corpus) else None
    return draw_values(scored, record_id, sample)


def _tell_group(
    ws: Workspace, corpus: str, record_id: str, rows: Mapping[str, tuple[int, list[dict[str, Any]]]], steps: list[Step]
) -> str:
    """Add the record's group of duplicates to its steps; for a keeper, say how large the group is."""
    if "duplicates" not in rows or not rows.get("cleaned", (0, []))[1]:
        return ""
    view = ws.lake.open(corpus, "duplicates")
    if rows["duplicates"][1]:
        step = next(step for step in steps if step.table == "duplicates")
        step.values.update(group_values(view, rows["duplicates"][1][0]))
        return ""
    found = keeper_values(view, record_id)
    next(step for step in steps if step.table == "cleaned").values.update(found)
    if not found:
        return ""
    size = found.get("group_size")
    return f"a group of {size:,}" if size else "a group of duplicates"


def _landing_step(ws: Workspace, corpus: str, present: list[str], rows: Mapping[str, Any], add: Any) -> None:
    uris = [row["uri"] for name in ("raw", "quarantine") for row in rows.get(name, (0, []))[1] if row.get("uri")]
    if not uris or "landing" not in present:
        return
    view = ws.lake.open(corpus, "landing")
    escaped = uris[0].replace("'", "''")
    columns = ["uri", "source", "size", "etag", "modified_at", "n_records", "promotion_id"]
    for row in view.to_table(columns=columns, where=f"uri = '{escaped}'").to_pylist():
        add("landing", "landing", view.version, f"one of {row['n_records']:,} records in {row['uri']}", row)


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in row.items():
        if name in ("record_id", "promotion_id"):
            continue
        if name in _LONG and value is not None:
            text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
            values[f"{name}_excerpt"] = text[:_EXCERPT]
            values[f"{name}_characters"] = len(text)
        elif name in ("columns", "meta") and isinstance(value, str):
            values[name] = _parsed(value)
        else:
            values[name] = value
    return values


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _outcome(table: str, row: Mapping[str, Any], releases: list[str], more: Mapping[str, Any]) -> str:
    if table == "raw":
        return f"read from position {row['position']:,} of {row['uri']}, partition {row['partition']}"
    if table == "quarantine":
        return _why(row)
    if table == "cleaned":
        return f"kept by every rule, {len(row['text']):,} characters" if row.get("text") else "kept by every rule"
    if table == "duplicates":
        return duplicate_outcome(row)
    if table == "scored":
        return f"scored, {row['n_tokens']:,} tokens"
    if table == "sampled":
        return f"{_drawn(row)}, stratum {row['stratum']}{draw_sentence(more)}"
    return f"in the latest release; tags that hold it: {', '.join(releases) or 'none yet'}"


def _drawn(row: Mapping[str, Any]) -> str:
    chosen = "selected" if row["selected"] else "not selected"
    return f"{chosen}: draw {row['draw']:.4g} at probability {row['probability']:.4g}"


def _why(row: Mapping[str, Any]) -> str:
    reasons = row.get("reasons") or []
    if not reasons:
        reasons = [
            {"operator": row["operator"], "rule": row["reason"], "value": row["value"], "threshold": row["threshold"]}
        ]
    return "rejected: " + "; ".join(_reason(reason) for reason in reasons)


def _reason(reason: Mapping[str, Any]) -> str:
    text = f"{reason['operator']} {reason['rule']}"
    if reason.get("value") is not None:
        text += f", value {reason['value']}"
    if reason.get("threshold") is not None:
        text += f", threshold {reason['threshold']}"
    return text


def _releases_with(ws: Workspace, corpus: str, record_id: str) -> list[str]:
    found = ws.lake.tags(corpus).items()
    tags = sorted(found, key=lambda item: (-item[1], not _NUMBERED.fullmatch(item[0]), item[0]))[:_RELEASES_SEARCHED]
    held: dict[int, bool] = {}
    for _, version in tags:
        if version not in held:
            view = ws.lake.open(corpus, "published", version)
            held[version] = view.count_rows(f"record_id = '{record_id}'") > 0
    return [tag for tag, version in tags if held[version]]


def _verdict(rows: Mapping[str, tuple[int, list[dict[str, Any]]]], releases: list[str]) -> tuple[Status, str]:
    def of(name: str) -> list[dict[str, Any]]:
        return rows.get(name, (0, []))[1]

    if of("quarantine"):
        row = of("quarantine")[0]
        return "quarantined", f"quarantined at {row['stage']}, {_why(row)}"
    if of("duplicates"):
        row = of("duplicates")[0]
        return "duplicate", f"left out as a duplicate of {row['kept_record_id']} ({row['method']})"
    if of("published"):
        return "published", "published, " + _outcome("published", of("published")[0], releases, {})
    if of("sampled"):
        if of("sampled")[0]["selected"]:
            return "selected", "selected, not yet published"
        return "not_selected", f"kept and scored, but {_drawn(of('sampled')[0])}"
    if of("scored"):
        return "scored", "scored, not yet sampled"
    if of("cleaned"):
        return "cleaned", "kept by every rule, not yet scored"
    return "raw", "ingested, not yet cleaned"
