"""Vitality, authenticity, size and integrity: from narrow columns of whole tables, grouped where they lie."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from winnowry.core.errors import ObjectChangedError
from winnowry.core.sql import identifier, literal
from winnowry.evidence.valid2.indicators import (
    EXAMPLES,
    Example,
    Measured,
    Setting,
    drawn,
    half_width,
    id_bound,
    unmeasured,
    wilson,
    within,
)
from winnowry.evidence.valid2.quarantined import COUNTED, KINDS, RuleKind, rule_kind
from winnowry.lakehouse.blobs import blob_columns, blob_sizes
from winnowry.lakehouse.references import DIGEST, read_contents
from winnowry.lakehouse.view import TableView
from winnowry.reading.session import Session
from winnowry.recipe.valid2 import IndicatorName, Valid2Gate
from winnowry.stages.graph import ARRIVED, PUBLISHED, reading_stages

Indicators = dict[IndicatorName, Measured]

MARKS = ("is_synthetic", "generated_data_indicator")
"""Columns that say of a record whether it is synthetic: true or 1."""
_HASHED = 500  # records whose text is hashed anew
_HASHED_BYTES = 64 << 20
_TRACED = 100_000  # records that are looked for in ``raw``
_BATCH_ROWS = 16  # of text as it was read, which may be long
_DAY_S = 86_400


class Counts(NamedTuple):
    """Size of a release.

    Attributes:
        rows: records.
        tokens: None where the table has no ``n_tokens``.
        weight: SQL of what a record weighs: its tokens, else 1.
    """

    rows: int
    tokens: int | None
    weight: str


def counts(session: Session) -> Counts:
    """Records and tokens."""
    if not session.tables.has(PUBLISHED, "n_tokens"):
        return Counts(session.one("SELECT COUNT(*) AS n FROM published")["n"], None, "1")
    row = session.one("SELECT COUNT(*) AS n, COALESCE(SUM(n_tokens), 0)::BIGINT AS tokens FROM published")
    return Counts(row["n"], row["tokens"], "n_tokens")


def examples_of(session: Session, value: str, where: str, order: str = "record_id") -> list[Example]:
    """Records of the release.

    Args:
        session: the session.
        value: SQL of what to show.
        where: SQL of which ones.
        order: SQL of the first ones.
    """
    rows = session.rows(
        f"SELECT record_id, ({value})::VARCHAR AS value FROM published WHERE {where} ORDER BY {order} LIMIT {EXAMPLES}"
    )
    return [{"record_id": row["record_id"], "value": (row["value"] or "")[:200]} for row in rows]


def of_kind(session: Session, column: str, *kinds: Callable[[pa.DataType], bool]) -> bool:
    """Whether the release has a column of one of some Arrow types: added columns may be of any."""
    if not session.tables.has(PUBLISHED, column):
        return False
    return any(kind(session.tables.views[PUBLISHED].schema.field(column).type) for kind in kinds)


def vitality(session: Session, gate: Valid2Gate, setting: Setting, totals: Counts) -> Indicators:
    """How fresh the release is at the snapshot; records are grouped by age in whole days."""
    seconds = f"({setting.as_of.timestamp()!r} - epoch(event_time))"
    rows = session.rows(
        f"SELECT floor({seconds} / {_DAY_S})::BIGINT AS age, COUNT(*) AS n, SUM({totals.weight})::DOUBLE AS w "
        "FROM published WHERE event_time IS NOT NULL GROUP BY 1 ORDER BY 1"
    )
    age, n, w = (np.array([row[name] for row in rows], np.float64) for name in ("age", "n", "w"))
    dated = int(n.sum())
    written = "make_timestamp(epoch_us(event_time))"
    undated = Measured(
        dated / totals.rows,
        records=totals.rows,
        examples=lambda: examples_of(session, "'no date'", "event_time IS NULL"),
    )
    if not dated:
        why = "no record has a date"
        others: list[IndicatorName] = ["fresh_share", "future_share", "half_life_score", "age_p50"]
        return {"time_known": undated, **{name: unmeasured(why) for name in others}}
    fresh_days, half_life = gate.freshness()
    whole = float(totals.tokens if totals.tokens else totals.rows)
    past = age >= 0
    fresh = float(w[past & (age < fresh_days)].sum())
    weight = float(w.sum())
    half = float((w * np.exp2(-np.maximum(age, 0) / half_life)).sum())
    middle = float(age[np.searchsorted(np.cumsum(n), dated / 2)])
    return {
        "time_known": undated,
        "fresh_share": Measured(
            fresh / whole, records=totals.rows, note=f"within {fresh_days} days; tokens without a date are not fresh"
        ),
        "future_share": Measured(
            float(n[~past].sum()) / dated, records=dated,
            examples=lambda: examples_of(session, written, f"{seconds} < 0", "event_time DESC, record_id"),
        ),
        "half_life_score": Measured(half / weight if weight else None, "no dated record has a token", dated,
                                    note=f"half-life {half_life} days"),
        "age_p50": Measured(max(middle, 0.0), records=dated),
    }  # fmt: skip


def authenticity(session: Session, gate: Valid2Gate, totals: Counts) -> Indicators:
    """Where records come from, under which licence, and whether what was read is still what is stored."""

    def filled(column: str) -> Measured:
        name = identifier(column)
        n = session.one(f"SELECT COUNT(NULLIF(trim({name}), '')) AS n FROM published")["n"]
        blank = f"NULLIF(trim({name}), '') IS NULL"
        return Measured(
            n / totals.rows, records=totals.rows, examples=lambda: examples_of(session, f"'no {column}'", blank)
        )

    result: Indicators = {
        "source_known": filled("source"),
        "license_known": filled("license"),
        "url_valid": unmeasured("the release has no column `url` of text"),
        "hash_verified": _hashes(session),
    }
    if of_kind(session, "url", pa.types.is_string, pa.types.is_large_string):
        valid = r"regexp_matches(url, '^https?://[^\s/?#]+\.?[^\s]*$', 'i')"
        n = session.one(f"SELECT COUNT(*) FILTER (WHERE {valid}) AS n FROM published")["n"]
        bad = f"url IS NULL OR NOT {valid}"
        result["url_valid"] = Measured(
            n / totals.rows, records=totals.rows, examples=lambda: examples_of(session, "url", bad)
        )
    return result | _synthetic(session, gate, totals)


def _synthetic(session: Session, gate: Valid2Gate, totals: Counts) -> Indicators:
    mark = next((name for name in MARKS if of_kind(session, name, pa.types.is_boolean, pa.types.is_integer)), None)
    if mark is None:
        why = f"no column of booleans or integers marks synthetic records ({' or '.join(MARKS)})"
        if gate.synthetic_share is not None:
            why += f"; declared: {gate.synthetic_share:g}"
        return {"synthetic_share": unmeasured(why), "synthetic_gap": unmeasured(why)}
    row = session.one(
        f"SELECT COUNT({mark}) AS n, COALESCE(SUM(({mark}::BIGINT <> 0)::BIGINT), 0)::BIGINT AS marked FROM published"
    )
    if not row["n"]:
        why = f"column {mark} is empty"
        return {"synthetic_share": unmeasured(why), "synthetic_gap": unmeasured(why)}
    share = row["marked"] / row["n"]
    note = f"column {mark}" + (f"; {totals.rows - row['n']:,} records say nothing" if row["n"] < totals.rows else "")
    gap = unmeasured("the recipe declares no `synthetic_share`")
    if gate.synthetic_share is not None:
        gap = Measured(
            abs(share - gate.synthetic_share), records=row["n"], note=f"declared {gate.synthetic_share:g}"
        )  # fmt: skip
    return {"synthetic_share": Measured(share, records=row["n"], note=note), "synthetic_gap": gap}


def _hashes(session: Session) -> Measured:
    """Hash the text of some records of ``raw`` anew."""
    if not session.tables.has(ARRIVED, "record_id", "payload", "content_sha256"):
        return unmeasured("there is no table `raw`")
    view = session.tables.views[ARRIVED]
    bound = id_bound(view, _HASHED, view.count_rows())
    if blob_columns(view.schema):
        return _file_hashes(view, bound)
    n, wrong = 0, list[Example]()
    for batch in drawn(view, bound, ["record_id", "payload", "content_sha256"], _BATCH_ROWS):
        octets = batch.column("payload").cast(pa.large_binary())
        for identity, text, recorded in zip(
            batch.column("record_id"), octets, batch.column("content_sha256"), strict=True
        ):
            if text.as_py() is None:  # kept elsewhere
                continue
            n += 1
            if hashlib.sha256(text.as_py()).hexdigest() != recorded.as_py():
                wrong.append({"record_id": identity.as_py(), "value": f"recorded {str(recorded.as_py())[:16]}…"})
    if not n:
        return unmeasured("`raw` holds no text")
    interval = None if bound is None else wilson(n - len(wrong), n)
    return Measured((n - len(wrong)) / n, records=n, interval=interval, examples=lambda: wrong[:EXAMPLES])


def _file_hashes(view: TableView, bound: str | None) -> Measured:
    """Hash some files of ``raw`` anew, at most 64 MiB of them: those with the lowest ids, which are hashes."""
    dataset = view.dataset()
    where = None if bound is None else f"record_id < {literal(bound)}"
    rows = dataset.to_table(columns=["record_id", "payload", DIGEST], filter=where, with_row_address=True)
    rows = rows.sort_by("record_id").combine_chunks()
    sizes = blob_sizes(dataset, "payload", rows["payload"], rows["_rowaddr"].combine_chunks()).to_pylist()
    n, n_bytes, wrong = 0, 0, list[Example]()
    for at, size in enumerate(sizes):
        if size is None:
            continue
        if n and n_bytes + size > _HASHED_BYTES:
            break
        n, n_bytes = n + 1, n_bytes + size
        one = rows.slice(at, 1).combine_chunks()
        identity, recorded = one["record_id"][0].as_py(), one[DIGEST][0].as_py()
        try:
            (data,) = read_contents(dataset, "payload", one, one["_rowaddr"].combine_chunks())
        except ObjectChangedError:
            data = None
        if data is None or hashlib.sha256(data).hexdigest() != recorded:
            wrong.append({"record_id": identity, "value": f"recorded {str(recorded)[:16]}…"})
    if not n:
        return unmeasured("`raw` holds no file")
    interval = None if n == view.count_rows() else wilson(n - len(wrong), n)
    return Measured((n - len(wrong)) / n, records=n, interval=interval, examples=lambda: wrong[:EXAMPLES])


def integrity(session: Session, gate: Valid2Gate, totals: Counts) -> Indicators:
    """Required columns, decoding, and the way back to what was read; texts are looked at in ``texts``."""
    return {
        "required_known": _required(session, gate, totals),
        "traced_share": _traced(session, totals),
        **_decoded(session),
    }


def _required(session: Session, gate: Valid2Gate, totals: Counts) -> Measured:
    absent = [name for name in gate.required if not session.tables.has(PUBLISHED, name)]
    if absent:
        return Measured(0.0, records=totals.rows, note=f"the release has no column {', '.join(absent)}")
    if not gate.required:
        return unmeasured("the recipe requires no column")
    row = session.one(
        "SELECT " + ", ".join(f"COUNT({identifier(n)}) AS {identifier(n)}" for n in gate.required) + " FROM published"
    )
    worst = min(gate.required, key=lambda name: row[name])
    return Measured(
        row[worst] / totals.rows, records=totals.rows, note=f"{worst}, of {', '.join(gate.required)}",
        examples=lambda: examples_of(session, literal(f"no {worst}"), f"{identifier(worst)} IS NULL"),
    )  # fmt: skip


def _decoded(session: Session) -> Indicators:
    if not session.tables.has(ARRIVED):
        why = "there is no table `raw`"
        return {"decoded_share": unmeasured(why), "quarantined_share": unmeasured(why)}
    raw = session.tables.views[ARRIVED].count_rows()
    reading = reading_stages()
    rules: list[tuple[RuleKind, dict[str, Any]]] = []
    if session.tables.has("quarantine"):
        rows = session.rows("SELECT stage, operator, reason, COUNT(*) AS n FROM quarantine GROUP BY ALL ORDER BY ALL")
        rules = [(rule_kind(row["stage"], row["operator"], row["reason"], reading), row) for row in rows]
    by_kind = Counter[RuleKind]()
    for kind, row in rules:
        by_kind[kind] += row["n"]
    # What a later stage rejected lies in `raw` too.
    read = raw + sum(row["n"] for _, row in rules if row["stage"] in reading)
    if not read:
        return {"decoded_share": unmeasured("nothing was read"), "quarantined_share": unmeasured("nothing was read")}
    counted = {name: sum(by_kind[kind] for kind in kinds) for name, kinds in COUNTED.items()}

    def examples() -> list[Example]:
        clauses = [
            f"(stage = {literal(row['stage'])} AND operator = {literal(row['operator'])} "
            f"AND reason = {literal(row['reason'])})"
            for kind, row in rules
            if kind in COUNTED["decoded_share"]
        ]
        rows = session.rows(
            f"SELECT record_id, operator || ': ' || reason AS value FROM quarantine WHERE {' OR '.join(clauses)} "
            f"ORDER BY record_id LIMIT {EXAMPLES}"
        )
        return [{"record_id": row["record_id"], "value": row["value"]} for row in rows]

    others = [f"{by_kind[kind]:,} {kind}" for kind in KINDS
              if by_kind[kind] and kind not in COUNTED["decoded_share"] | {"cleaned away"}]  # fmt: skip
    return {
        "decoded_share": Measured(
            1 - counted["decoded_share"] / read, records=read, examples=examples,
            note=f"read, but set aside for other reasons: {', '.join(others)}" if others else "",
        ),
        "quarantined_share": Measured(
            counted["quarantined_share"] / read, records=read, note="for any reason, cleaning rules included"
        ),
    }  # fmt: skip


def _traced(session: Session, totals: Counts) -> Measured:
    """Look for the records of a range of ids in the same range of ``raw``."""
    if not session.tables.has(ARRIVED):
        return unmeasured("there is no table `raw`")
    bound = id_bound(session.tables.views[PUBLISHED], _TRACED, totals.rows)
    among = within(bound)
    parents = "COALESCE(len(parent_ids), 0)" if session.tables.has(PUBLISHED, "parent_ids") else "0"
    joined = (
        f"(SELECT record_id, {parents} AS parents FROM published{among}) AS p "
        f"LEFT JOIN (SELECT record_id AS id FROM raw{among}) AS r ON r.id = p.record_id"
    )
    row = session.one(f"SELECT COUNT(*) AS n, COUNT(*) FILTER (WHERE id IS NULL AND parents = 0) AS lost FROM {joined}")

    def examples() -> list[Example]:
        rows = session.rows(
            f"SELECT record_id FROM {joined} WHERE id IS NULL AND parents = 0 ORDER BY record_id LIMIT {EXAMPLES}"
        )
        return [{"record_id": row["record_id"], "value": "not in raw"} for row in rows]

    n, lost = row["n"], row["lost"]
    return Measured((n - lost) / n if n else None, "no record was looked at", n, examples=examples,
                    interval=wilson(n - lost, n) if n and bound is not None else None)  # fmt: skip


def large_sample(
    session: Session, gate: Valid2Gate, setting: Setting, totals: Counts, measured: Mapping[IndicatorName, Measured]
) -> Indicators:
    """Size, and how much of it is not a copy; ``duplicate_share`` and the strata must be measured already."""
    result: Indicators = {"rows": Measured(float(totals.rows), records=totals.rows)}
    if totals.tokens is None:
        result["tokens"] = unmeasured("the release has no column `n_tokens`")
    else:
        result["tokens"] = Measured(float(totals.tokens), records=totals.rows)
    copies = measured["duplicate_share"]
    if not totals.rows or copies.value is None:
        why = copies.why
        result["effective_share"] = result["effective_rows"] = result["rate_half_width"] = unmeasured(why)
    else:
        share = 1 - copies.value
        interval = None if copies.interval is None else (1 - copies.interval[1], 1 - copies.interval[0])
        note = f"groups of copies have {1 / share:.3g} members on average"
        result["effective_share"] = Measured(share, "", copies.records, interval, note)
        result["effective_rows"] = Measured(share * totals.rows, records=copies.records, note=note)
        result["rate_half_width"] = Measured(half_width(share * totals.rows), records=copies.records)
    if totals.rows:
        result["smallest_stratum"] = _smallest(session, gate, setting)
    return result


def _smallest(session: Session, gate: Valid2Gate, setting: Setting) -> Measured:
    columns, absent = declared_strata(session, gate, setting)
    if absent or not columns:
        return unmeasured(absent or "neither the gate nor the sample declares strata")
    smallest: list[tuple[int, str, Any]] = []
    for column in columns:
        name = identifier(column)
        rows = session.rows(
            f"SELECT {name}::VARCHAR AS value, COUNT(*) AS n FROM published GROUP BY 1 ORDER BY n, value LIMIT 1"
        )
        smallest += [(row["n"], column, row["value"]) for row in rows]
    n, column, value = min(smallest, key=lambda item: (item[0], item[1]))
    return Measured(float(n), note=f"{column} {value}"[:120])


def declared_strata(session: Session, gate: Valid2Gate, setting: Setting) -> tuple[tuple[str, ...], str]:
    """Columns that must be spread, and what is wrong with them; of a sample by strata, its column ``stratum``."""
    columns = gate.strata or (("stratum",) if setting.strata else ())
    absent = [name for name in columns if not session.tables.has(PUBLISHED, name)]
    return columns, f"the release has no column {', '.join(absent)}" if absent else ""
