"""What happened to one record: its walk through the tables, and where it ended."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from winnowry.core.errors import NotFoundError, UsageError
from winnowry.core.ids import record_id as make_record_id
from winnowry.core.numbers import byte_size
from winnowry.core.sql import in_list, literal
from winnowry.inspect.explain_draw import draw_values
from winnowry.inspect.explain_erased import verdict_on_erased
from winnowry.inspect.explain_family import PARENTS, Origin, became, children_of, listed, origin_of, with_family
from winnowry.inspect.explain_gone import Withdrawal, withdrawals_of
from winnowry.inspect.explain_group import Twin, group_values, keeper_values, twin_of
from winnowry.inspect.explain_pictures import decoded_values, pair_values
from winnowry.inspect.explain_refused import QUARANTINE, InRefused, ids_in_refused, in_refused
from winnowry.inspect.sentences import Beside, draw, rejected
from winnowry.records.kinds import FILE
from winnowry.stages.freshness import named
from winnowry.stages.graph import ARRIVED, KEPT, PUBLISHED, Stage, all_stages, position, record_tables, stage_named

if TYPE_CHECKING:
    from winnowry.lakehouse.workspace import Workspace

_ID = re.compile(r"[0-9a-f]{8,32}")
_NUMBERED = re.compile(r"v\d+")
_PLACE = re.compile(r"(?P<uri>.+):(?P<position>\d{1,18})")
_FULL = 32
_EXCERPT = 600  # characters of text that are shown
_LONG = ("payload", "text")
_ITEMS = 100  # of a list
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
        status: where it stands now: ``quarantined``, ``duplicate``, ``selected``, ``not_selected``, ``derived`` (other
            records were made of it), ``refused`` (only a candidate that its gate refused got further), ``withdrawn``
            (the landing no longer holds it), ``erased``, or the last stage whose table holds it.
        verdict: the same as a sentence.
        steps: in stage order.
        releases: tags that hold the record, of the newest releases.
        twin: of a duplicate, the record it was found to be like, with both texts; None where a text is gone.
    """

    record_id: str
    corpus: str
    partition: str | None
    status: str
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
    if corpus is not None:
        ws.lake.check_corpus(corpus)
    matches = [(name, full) for name in known if corpus in (None, name) for full in _matches(ws, name, record_id)]
    if not matches:
        gone = [(name, one) for name in known if corpus in (None, name) for one in withdrawals_of(ws, name, record_id)]
        if len(gone) == 1:
            return _walk_of_gone(ws, *gone[0])
        matches = [(name, one.record_id) for name, one in gone]
    if not matches:
        for name in known if corpus is None else [corpus]:
            if (verdict := verdict_on_erased(ws, name, record_id)) is not None:
                return Walk(record_id, name, None, "erased", verdict, [])
        where = corpus or f"any corpus of {ws.root}"
        raise NotFoundError(
            f"no record {record_id!r} in {where}. Expected a record id (32 hexadecimal characters, or the first 8 or "
            "more), the id that the source gave the record, or its place as URI:POSITION. What was erased is known by "
            "its whole id only."
        )
    if len(matches) > 1:
        listed = ", ".join(f"{name}: {full}" for name, full in matches[:5])
        raise UsageError(f"{record_id!r} is ambiguous: {listed}. Give the whole id, or name the corpus.")
    name, full = matches[0]
    return _walk(ws, name, full)


def _walk_of_gone(ws: Workspace, corpus: str, gone: Withdrawal) -> Walk:
    """The way of a record that no table holds any more."""
    promotion = gone.taken_out_by
    releases = tuple(_releases_with(ws, corpus, gone.record_id)) if PUBLISHED in ws.lake.tables(corpus) else ()
    arrived = _sentence(stage_named(ARRIVED), gone.row, Beside())
    steps = [
        Step(ARRIVED, ARRIVED, gone.version, arrived, _values(gone.row), gone.row["promotion_id"]),
        Step(
            ARRIVED,
            ARRIVED,
            promotion.promoted_version or gone.version,
            gone.outcome,
            promotion_id=promotion.id,
            promoted_at=gone.at,
            run_id=promotion.lineage.get("run_id"),
        ),
    ]
    verdict = gone.outcome + (f"; an earlier release holds it: {', '.join(releases)}" if releases else "")
    return Walk(gone.record_id, corpus, gone.row["partition"], "withdrawn", verdict, steps, releases)


def _matches(ws: Workspace, corpus: str, wanted: str) -> list[str]:
    """Full ids of the corpus's records that ``wanted`` may mean."""
    by_id = _by_id(ws, corpus, wanted) if _ID.fullmatch(wanted) else []
    return sorted(set(by_id or [*_by_source_id(ws, corpus, wanted), *_by_place(ws, corpus, wanted)]))


def _by_id(ws: Workspace, corpus: str, wanted: str) -> list[str]:
    """Records with an id, or whose id begins so."""
    # A range rather than a pattern: the index answers it. No hexadecimal digit comes after "f".
    where = f"record_id = {literal(wanted)}"
    if len(wanted) != _FULL:
        where = f"record_id >= {literal(wanted)} AND record_id < {literal(wanted + 'g')}"
    arrived = [match for name in _first_tables(ws, corpus) for match in _ids(ws, corpus, name, where)]
    # A derived record has no row in the table of arrivals; one of a refused candidate has none that readers see.
    family = arrived or [match for name, _ in with_family(ws, corpus) for match in _ids(ws, corpus, name, where)]
    return family or ids_in_refused(ws, corpus, where)


def _by_source_id(ws: Workspace, corpus: str, wanted: str) -> list[str]:
    """Records that their source calls so."""
    candidates = [make_record_id(source, mapped_id=wanted) for source in _sources(ws, corpus)]
    if ARRIVED not in ws.lake.tables(corpus) or not candidates:
        return []
    where = in_list("record_id", candidates)
    return _ids(ws, corpus, ARRIVED, where) or ids_in_refused(ws, corpus, where)


def _by_place(ws: Workspace, corpus: str, wanted: str) -> list[str]:
    """The record at a place: what could not be read has no id of its source."""
    place = _PLACE.fullmatch(wanted)
    if place is None:
        return []
    where = f"position = {int(place['position'])} AND {in_list('uri', stored_as(ws, place['uri']))}"
    matches: list[str] = []
    for name in _first_tables(ws, corpus):
        # Derived records have the place of the record that they were made of.
        has_parents = PARENTS in ws.lake.open(corpus, name).schema.names
        matches += _ids(ws, corpus, name, where + (f" AND {PARENTS} IS NULL" if has_parents else ""))
    return matches or ids_in_refused(ws, corpus, where)


def stored_as(ws: Workspace, uri: str) -> list[str]:
    """How the lake may call an object: relative to the root where it is below it, and wholly in older rows."""
    return sorted({ws.relative(uri), ws.store.resolve(uri)})


def _first_tables(ws: Workspace, corpus: str) -> list[str]:
    """Tables that tell records by id and place: one of them has every record that arrived."""
    present = ws.lake.tables(corpus)
    return [name for name in (ARRIVED, QUARANTINE) if name in present]


def _ids(ws: Workspace, corpus: str, table: str, where: str) -> list[str]:
    rows = ws.lake.open(corpus, table).to_table(columns=["record_id"], where=where, limit=5)
    return [str(value) for value in rows["record_id"].to_pylist()]


def _sources(ws: Workspace, corpus: str) -> list[str]:
    start = _start().name
    if start not in ws.lake.tables(corpus):
        return []
    return sorted(set(ws.lake.open(corpus, start).to_table(columns=["source"])["source"].to_pylist()))


def _start() -> Stage:
    """The stage whose rows are landing objects."""
    return next(stage for stage in all_stages() if stage.starts)


Rows = Mapping[str, tuple[int, list[dict[str, Any]]]]


def _walk(ws: Workspace, corpus: str, record_id: str) -> Walk:
    present = ws.lake.tables(corpus)
    rows: dict[str, tuple[int, list[dict[str, Any]]]] = {}
    for name in (*record_tables(), QUARANTINE):
        if name in present:
            view = ws.lake.open(corpus, name)
            rows[name] = (view.version, view.to_table(where=f"record_id = {literal(record_id)}").to_pylist())
    releases = tuple(_releases_with(ws, corpus, record_id)) if PUBLISHED in present else ()
    origin = origin_of(rows)
    ancestors = _ancestors(ws, corpus, origin)
    steps = _steps(ws, corpus, record_id, rows, ancestors, releases)
    _tell_origin(origin, steps)
    refused = in_refused(ws, corpus, record_id)
    steps += [_refused_step(one) for one in refused]
    stands_for = _tell_group(ws, corpus, record_id, rows, steps)
    steps.sort(key=lambda step: position(step.stage))
    status, verdict = _verdict(rows, releases) if any(held for _, held in rows.values()) else ("refused", "")
    if refused:
        status, verdict = _with_refused(rows, refused[-1], status, verdict)
    if origin is not None:
        verdict += f"; {origin.place}"
    elif status == ARRIVED and (offspring := _offspring(ws, corpus, record_id)) is not None:
        steps.append(offspring)
        status, verdict = "derived", offspring.outcome
    if stands_for:
        verdict += f"; keeper of {stands_for}"
    if releases and status != PUBLISHED:
        verdict += f"; an earlier release holds it: {', '.join(releases)}"
    everywhere = [*(row for _, held in rows.values() for row in held), *(one.row for one in refused)]
    partition = next((row["partition"] for row in everywhere if row.get("partition")), None)
    left_out = _left_out(rows)
    text = _text_table()
    twin = twin_of(ws.lake.open(corpus, text), left_out[1]) if left_out is not None and text in present else None
    return Walk(record_id, corpus, partition, status, verdict, steps, releases, twin)


def _refused_step(one: InRefused) -> Step:
    stage = one.row["stage"] if one.table == QUARANTINE else one.record.stage
    run_id = one.record.lineage.get("run_id")
    return Step(stage, one.table, one.version, one.outcome, _values(one.row), one.record.id, None, run_id)


def _with_refused(rows: Rows, one: InRefused, status: str, verdict: str) -> tuple[str, str]:
    """The verdict on a record whose partition has a newer, refused candidate of a stage."""
    held = rows.get(one.record.stage, (0, []))[1]
    rejected_there = [row for row in rows.get(QUARANTINE, (0, []))[1] if row["stage"] == one.record.stage]
    if not held and not rejected_there:
        return "refused", f"nothing of it is promoted at {one.record.stage}: {one.outcome}"
    return status, f"{verdict}; as of the last good promotion: in a newer one of {one.record.stage} {one.outcome}"


def _ancestors(ws: Workspace, corpus: str, origin: Origin | None) -> Rows:
    """Rows of the ingested records that a derived record was made of."""
    if origin is None or ARRIVED not in ws.lake.tables(corpus):
        return {}
    view = ws.lake.open(corpus, ARRIVED)
    held = view.to_table(where=in_list("record_id", origin.parents)).to_pylist()
    return {ARRIVED: (view.version, held)}


def _tell_origin(origin: Origin | None, steps: list[Step]) -> None:
    """Say in the first step of a derived record which part of which record it is."""
    for at, step in enumerate(steps):
        if origin is not None and step.table == origin.table:
            steps[at] = replace(step, outcome=f"{origin.place}; {step.outcome}")
            return


def _offspring(ws: Workspace, corpus: str, record_id: str) -> Step | None:
    """The step in which a record was replaced by others; None where none were made of it."""
    fates = {child: _verdict(rows, ()) for child, rows in children_of(ws, corpus, record_id).items()}
    if not fates:
        return None
    shown = (
        (child, verdict if status in ("quarantined", "duplicate") else status)
        for child, (status, verdict) in fates.items()
    )
    outcome = became([status for status, _ in fates.values()])
    return Step(KEPT, KEPT, ws.lake.open(corpus, KEPT).version, outcome, listed(shown))


def _steps(
    ws: Workspace, corpus: str, record_id: str, rows: Rows, ancestors: Rows, releases: tuple[str, ...]
) -> list[Step]:
    promotions = {record.id: record for record in ws.lake.records(corpus).all()}
    steps: list[Step] = []

    def add(stage: str, table: str, version: int, outcome: str, row: Mapping[str, Any], beside: Beside) -> None:
        promotion = promotions.get(row.get("promotion_id", ""))
        at = promotion.promoted_at if promotion is not None else None
        steps.append(
            Step(
                stage,
                table,
                version,
                outcome,
                {**_values(row), **_decoded(ws, table, row), **beside.draw},
                row.get("promotion_id"),
                None if at is None else datetime.fromtimestamp(at, UTC),
                promotion.lineage.get("run_id") if promotion is not None else None,
            )
        )

    for start, version, row in _landing_rows(ws, corpus, {**rows, **ancestors}):
        add(start.name, start.name, version, _sentence(start, row, Beside()), row, Beside())
    for name, (version, held) in ancestors.items():
        for row in held:
            outcome = f"{row['record_id']} {_sentence(stage_named(name), row, Beside())}"
            add(name, name, version, outcome, row, Beside())
    for name, (version, held) in rows.items():
        for row in held:
            if name == QUARANTINE:
                add(row["stage"], name, version, rejected(row), row, Beside())
                continue
            stage = stage_named(name)
            beside = Beside(releases)
            if stage.keeps == "selected":
                made = promotions.get(row.get("promotion_id", ""))
                spec = made.lineage.get("spec", {}) if made is not None else {}
                beside = Beside(releases, _drawn_by(ws, corpus, record_id, stage, spec.get("sample") or {}))
            add(name, name, version, _sentence(stage, row, beside), row, beside)
    return steps


def _sentence(stage: Stage, row: Mapping[str, Any], beside: Beside) -> str:
    if stage.says is None:
        return f"in {stage.name}"
    return str(named(stage.says)(row, beside))


def _drawn_by(ws: Workspace, corpus: str, record_id: str, stage: Stage, sample: Mapping[str, Any]) -> dict[str, Any]:
    scores = next(read.stage for read in stage.reads if read.role == "rows")
    view = ws.lake.open(corpus, scores) if scores in ws.lake.tables(corpus) else None
    return draw_values(view, record_id, sample)


def _text_table() -> str:
    """The table whose text ``duplicates`` are compared by: what the stage that finds them reads."""
    stage = next(stage for stage in all_stages() if stage.keeps == "others")
    return next(read.stage for read in stage.reads if read.role == "rows")


def _left_out(rows: Rows) -> tuple[Stage, dict[str, Any]] | None:
    """The stage and row that say that another record stands for this one."""
    for stage in all_stages():
        held = rows.get(stage.name, (0, []))[1]
        if stage.keeps == "others" and held:
            return stage, held[0]
    return None


def _tell_group(ws: Workspace, corpus: str, record_id: str, rows: Rows, steps: list[Step]) -> str:
    """Add the record's group of duplicates to its steps; for a keeper, say how large the group is."""
    stage = next(stage for stage in all_stages() if stage.keeps == "others")
    text = _text_table()
    if stage.name not in rows or not rows.get(text, (0, []))[1]:
        return ""
    view = ws.lake.open(corpus, stage.name)
    if rows[stage.name][1]:
        row = rows[stage.name][1][0]
        at = next(at for at, step in enumerate(steps) if step.table == stage.name)
        pair = pair_values(ws.lake.open(corpus, text), row)
        steps[at].values.update({**pair, **group_values(view, row)})
        if "bits_apart" in pair:
            steps[at] = replace(steps[at], outcome=f"{steps[at].outcome}; {pair['bits_apart']} of 64 bits differ")
        return ""
    values = keeper_values(view, record_id)
    next(step for step in steps if step.table == text).values.update(values)
    if not values:
        return ""
    size = values.get("group_size")
    return f"a group of {size:,}" if size else "a group of duplicates"


def _landing_rows(ws: Workspace, corpus: str, rows: Rows) -> list[tuple[Stage, int, dict[str, Any]]]:
    """The landing object that the record lies in."""
    start = _start()
    first = (ARRIVED, QUARANTINE)
    uris = [row["uri"] for name in first for row in rows.get(name, (0, []))[1] if row.get("uri")]
    if not uris or start.name not in ws.lake.tables(corpus):
        return []
    view = ws.lake.open(corpus, start.name)
    columns = ["uri", "source", "size", "etag", "modified_at", "n_records", "promotion_id"]
    held = view.to_table(columns=columns, where=in_list("uri", stored_as(ws, uris[0]))).to_pylist()
    return [(start, view.version, row) for row in held]


def _decoded(ws: Workspace, table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Where the file of a row lies and what was decoded of it, where the table is that of the decoding."""
    if table == KEPT:
        return decoded_values(ws, row, row)
    computed = _parsed(row["columns"]) if table == QUARANTINE and row.get("columns") else None
    return decoded_values(ws, row, computed) if isinstance(computed, dict) else {}


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in row.items():
        if name in ("record_id", "promotion_id"):
            continue
        if name in _LONG and isinstance(value, dict):  # where a file lies; its bytes are not read
            values[name] = FILE.shows({"media_type": row.get("media_type"), "size": row.get("size", value.get("size"))})
        elif name in _LONG and value is not None:
            text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
            values[f"{name}_excerpt"] = text[:_EXCERPT]
            values[f"{name}_characters"] = len(text)
        elif name in ("columns", "meta") and isinstance(value, str):
            values[name] = _shortened(_parsed(value)) if name == "columns" else _parsed(value)
        elif isinstance(value, bytes):  # a thumbnail
            values[name] = byte_size(len(value))
        else:
            values[name] = _first_of(value) if isinstance(value, list) else value
    return values


def _first_of(values: list[Any]) -> list[Any]:
    """A list as it is, but of many numbers, such as those of a movement, the beginning."""
    if len(values) <= _ITEMS or isinstance(values[0], dict):
        return values
    return [*values[:_ITEMS], f"… {len(values) - _ITEMS:,} more"]


def _shortened(parsed: Any) -> Any:
    """Values by name, long ones (a thumbnail, for one) cut."""
    return {name: _cut(value) for name, value in parsed.items()} if isinstance(parsed, dict) else parsed


def _cut(value: Any) -> Any:
    if not isinstance(value, str) or len(value) <= _EXCERPT:
        return value
    return f"{value[:_EXCERPT]}… ({len(value):,} characters)"


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _releases_with(ws: Workspace, corpus: str, record_id: str) -> list[str]:
    by_tag = ws.lake.tags(corpus).items()
    tags = sorted(by_tag, key=lambda item: (-item[1], not _NUMBERED.fullmatch(item[0]), item[0]))[:_RELEASES_SEARCHED]
    held: dict[int, bool] = {}
    for _, version in tags:
        if version not in held:
            view = ws.lake.open(corpus, "published", version)
            held[version] = view.count_rows(f"record_id = {literal(record_id)}") > 0
    return [tag for tag, version in tags if held[version]]


def _later(name: str) -> list[str]:
    """Tables of records after one of them."""
    names = list(record_tables())
    return names[names.index(name) + 1 :]


def _verdict(rows: Rows, releases: tuple[str, ...]) -> tuple[str, str]:
    quarantined = rows.get(QUARANTINE, (0, []))[1]
    if quarantined:
        return "quarantined", f"quarantined at {quarantined[0]['stage']}, {rejected(quarantined[0])}"
    left_out = _left_out(rows)
    if left_out is not None:
        row = left_out[1]
        return "duplicate", f"left out as a duplicate of {row['kept_record_id']} ({row['method']})"
    for name in reversed(record_tables()):
        held = rows.get(name, (0, []))[1]
        if not held:
            continue
        stage, row = stage_named(name), held[0]
        if stage.keeps == "selected":
            if row["selected"]:
                return "selected", str(stage.waits)
            return "not_selected", f"kept and scored, but {draw(row)}"
        if stage.waits is not None:
            ends_here = isinstance(row.get("payload"), dict) and not any(n in rows for n in _later(name))
            return name, f"ingested, {_values(row)['payload']}" if ends_here else stage.waits
        return name, f"{name}, {_sentence(stage, row, Beside(releases))}"
    raise AssertionError("no table holds a record that one of them was found by")
