"""Diversity: how evenly tokens are spread, and how many records are copies."""

from __future__ import annotations

import math
from typing import NamedTuple

from winnowry.core.sql import identifier, literal
from winnowry.evidence.valid2.indicators import (
    EXAMPLES,
    Example,
    Measured,
    Setting,
    below,
    id_bound,
    unmeasured,
    wilson,
    within,
)
from winnowry.evidence.valid2.whole import Counts, Indicators, declared_strata
from winnowry.reading.session import Session
from winnowry.recipe.valid2 import Valid2Gate
from winnowry.stages.graph import ARRIVED, LEFT_OUT, PUBLISHED

_LOOKED_AT = 20_000  # texts (by the hash of the text, so that all copies of one are there)
_NEAR = ("dedup.minhash", "dedup.image")
"""Operators that find copies which are not equal."""
_KNOWN = 0.5  # of the tokens must have a value


class Mix(NamedTuple):
    """How tokens are spread over the values of a column; records without a value are left out.

    Attributes:
        values: how many there are.
        entropy: natural entropy over its maximum, the logarithm of ``values``; 0 where there is one value.
        top: share of the largest.
        known: share of all tokens that have a value.
    """

    values: int
    entropy: float
    top: float
    known: float


def mix(session: Session, column: str, weight: str) -> Mix | None:
    """The mix of a column of the release, by one grouping on disk; None where no token has a value.

    Args:
        session: the session.
        column: SQL of the value.
        weight: SQL of what a record weighs.
    """
    row = session.one(
        "SELECT COUNT(w) FILTER (WHERE value IS NOT NULL) AS k, SUM(w) AS whole, "
        "SUM(w) FILTER (WHERE value IS NOT NULL) AS total, MAX(w) FILTER (WHERE value IS NOT NULL) AS top, "
        "SUM(w * ln(w)) FILTER (WHERE value IS NOT NULL) AS logs FROM "
        f"(SELECT {column} AS value, SUM({weight})::DOUBLE AS w FROM published GROUP BY 1) WHERE w > 0"
    )
    k, total = row["k"], row["total"]
    if not k:
        return None
    entropy = math.log(total) - row["logs"] / total
    return Mix(k, min(max(entropy / math.log(k), 0.0), 1.0) if k > 1 else 0.0, row["top"] / total, total / row["whole"])


def diversity(session: Session, gate: Valid2Gate, setting: Setting, totals: Counts) -> Indicators:
    """Mixes over sources, languages, licences, years and declared strata; exact and near copies."""
    result: Indicators = {
        "language_entropy": _entropy(session, "language", totals),
        "license_entropy": _entropy(session, "license", totals),
        "time_entropy": _entropy(session, "event_time", totals, "year(make_timestamp(epoch_us(event_time)))"),
        "stratum_entropy": _strata(session, gate, setting, totals),
        "near_duplicate_share": _near(session, setting, totals),
        **_sources(session, totals),
        **_copies(session, setting, totals),
    }
    return result


def _sources(session: Session, totals: Counts) -> Indicators:
    sources = mix(session, "source", totals.weight)
    if sources is None:
        why = "no token has a source"
        return {"source_entropy": unmeasured(why), "top_source_share": unmeasured(why)}

    note = f"{sources.values:,} source{'' if sources.values == 1 else 's'}"
    return {
        "source_entropy": Measured(sources.entropy, records=totals.rows, note=note),
        "top_source_share": Measured(sources.top, records=totals.rows, note=note),
    }


def _entropy(session: Session, column: str, totals: Counts, value: str | None = None) -> Measured:
    if not session.tables.has(PUBLISHED, column):
        return unmeasured(f"the release has no column `{column}`")
    spread = mix(session, value or identifier(column), totals.weight)
    if spread is None or spread.known < _KNOWN:
        known = 0.0 if spread is None else spread.known
        return unmeasured(f"{known:.0%} of the tokens have a value of {column}; half must")
    note = f"{spread.values:,} value{'' if spread.values == 1 else 's'}"
    note += f", known for {spread.known:.1%} of the tokens" if spread.known < 1 else ""
    return Measured(spread.entropy, records=totals.rows, note=note)


def _strata(session: Session, gate: Valid2Gate, setting: Setting, totals: Counts) -> Measured:
    columns, absent = declared_strata(session, gate, setting)
    if absent or not columns:
        return unmeasured(absent or "neither the gate nor the sample declares strata")
    spreads = [(column, _entropy(session, column, totals)) for column in columns]
    for column, spread in spreads:
        if spread.value is None:
            return unmeasured(f"{column}: {spread.why}")
    column, lowest = min(spreads, key=lambda item: item[1].value or 0.0)
    return Measured(lowest.value, records=totals.rows, note=f"{column}: {lowest.note}")


def _copies(session: Session, setting: Setting, totals: Counts) -> Indicators:
    """Exact copies, by the hash of the text as it was read; all copies of a text that is looked at are there."""
    if not session.tables.has(ARRIVED, "record_id", "content_sha256"):
        why = "there is no table `raw` with the hashes of the texts"
        return {"duplicate_share": unmeasured(why), "split_leak": unmeasured(why)}
    bound = below(_LOOKED_AT / totals.rows)
    among = f" WHERE content_sha256 < {literal(bound)}" if bound is not None else ""
    split = "split::VARCHAR" if session.tables.has(PUBLISHED, "split") else "NULL"
    session.run(f"CREATE TEMP TABLE looked_at AS SELECT record_id, content_sha256 AS content FROM raw{among}")
    # As written: DuckDB knows no size of a table of Lance, and would build its hash table on all of the release.
    session.run("SET disabled_optimizers = 'join_order,build_side_probe_side'")
    session.run(
        f"CREATE TEMP TABLE copies AS SELECT l.content, p.record_id, {split} AS split "
        "FROM published AS p JOIN looked_at AS l ON l.record_id = p.record_id"
    )
    session.run("RESET disabled_optimizers")
    row = session.one("SELECT COUNT(*) AS n, COUNT(DISTINCT content) AS texts FROM copies")
    n, texts = row["n"], row["texts"]
    if not n:
        why = "none of its records is in `raw`" if bound is None else "the texts that were drawn are not in the release"
        return {"duplicate_share": unmeasured(why), "split_leak": unmeasured(why)}
    looked = not setting.operators.isdisjoint(("dedup.exact", "dedup.content", *_NEAR))
    note = f"of the {'text' if setting.kind.has_text else 'file'} as it was read" + (
        "" if looked else "; the recipe looks for no duplicates"
    )

    def examples() -> list[Example]:
        rows = session.rows(
            "SELECT record_id, 'copy of ' || first AS value FROM (SELECT record_id, MIN(record_id) OVER "
            f"(PARTITION BY content) AS first FROM copies) WHERE record_id <> first ORDER BY record_id LIMIT {EXAMPLES}"
        )
        return [{"record_id": row["record_id"], "value": row["value"]} for row in rows]

    interval = None if bound is None else wilson(n - texts, n)
    result: Indicators = {"duplicate_share": Measured((n - texts) / n, "", n, interval, note, examples)}
    result["split_leak"] = unmeasured("the release has no column `split`")
    if split != "NULL":
        result["split_leak"] = _leak(session, n)
    return result


def _leak(session: Session, n: int) -> Measured:
    grouped = "(SELECT content, MIN(record_id) AS record_id, COUNT(DISTINCT split) AS splits FROM copies GROUP BY 1)"
    row = session.one(f"SELECT COUNT(*) AS texts, COUNT(*) FILTER (WHERE splits > 1) AS shared FROM {grouped}")

    def examples() -> list[Example]:
        rows = session.rows(
            f"SELECT record_id, splits || ' splits' AS value FROM {grouped} WHERE splits > 1 "
            f"ORDER BY record_id LIMIT {EXAMPLES}"
        )
        return [{"record_id": row["record_id"], "value": row["value"]} for row in rows]

    return Measured(row["shared"] / row["texts"], records=n, examples=examples)


def _near(session: Session, setting: Setting, totals: Counts) -> Measured:
    ran = [name for name in _NEAR if name in setting.operators]
    if not ran:
        return unmeasured(f"the recipe has no {' or '.join(_NEAR)}: nobody looked")
    if not session.tables.has(LEFT_OUT):
        return unmeasured("there is no table `duplicates`")
    bound = id_bound(session.tables.views[PUBLISHED], 5 * _LOOKED_AT, totals.rows)
    among = within(bound)
    pairs = f"(SELECT record_id FROM published{among}) JOIN (SELECT * FROM duplicates{among}) USING (record_id)"
    n = session.one(f"SELECT COUNT(*) AS n FROM (SELECT record_id FROM published{among})")["n"]
    twice = session.one(f"SELECT COUNT(*) AS n FROM {pairs}")["n"]

    def examples() -> list[Example]:
        rows = session.rows(
            f"SELECT record_id, 'like ' || kept_record_id AS value FROM {pairs} ORDER BY record_id LIMIT {EXAMPLES}"
        )
        return [{"record_id": row["record_id"], "value": row["value"]} for row in rows]

    interval = wilson(twice, n) if n and bound is not None else None
    share = twice / n if n else None
    return Measured(share, "no record was looked at", n, interval, f"left over by {' and '.join(ran)}", examples)
