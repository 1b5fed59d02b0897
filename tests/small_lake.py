"""A lake of six records, promoted with the real primitive, whose every number can be counted by hand.

a  published in v1 and v2        b  published in v2 only, selected after a recipe change
c  quarantined at cleaned        d  duplicate of a
e  scored, not selected          f  unreadable line, quarantined at raw
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from winnowry.core.ids import record_id
from winnowry.core.tables import (
    CLEANED,
    DUPLICATES,
    GATES,
    LANDING,
    QUARANTINE,
    RAW,
    SAMPLED,
    SCORED,
    with_operator_columns,
)
from winnowry.lakehouse.promotion import stage as stage_table
from winnowry.lakehouse.record import WHOLE_TABLE, PromotionRecord, new_promotion_id
from winnowry.lakehouse.table import FragmentWriter
from winnowry.lakehouse.workspace import Workspace

CORPUS = "letters"
IDS = {name: str(record_id("pages", mapped_id=f"page/{name}")) for name in "abcde"}
IDS["f"] = str(record_id("pages", path="2021.jsonl", index=2))
YEAR = {"a": "2020", "b": "2020", "c": "2020", "d": "2021", "e": "2021", "f": "__unpartitioned__"}
TEXT = {name: f"text of {name} " * 3 for name in "abcde"}
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)

_CLEANED = with_operator_columns(CLEANED, [pa.field("n_words", pa.int64())])
_SCORED = with_operator_columns(SCORED, [pa.field("gc", pa.float64())])
_PUBLISHED = with_operator_columns(
    CLEANED,
    [
        pa.field("n_words", pa.int64()),
        pa.field("n_tokens", pa.int64()),
        pa.field("gc", pa.float64()),
        SAMPLED.field("stratum"),
        SAMPLED.field("probability"),
    ],
)
_GC = {"a": 0.9, "b": 0.5, "e": float("nan")}


def make_small_lake(root: Path) -> Workspace:
    """Write the lake below a folder and open it."""
    ws = Workspace.open(str(root))
    landing = [
        {
            "uri": f"{root}/landing/{year}.jsonl",
            "source": "pages",
            "size": 100,
            "etag": year,
            "modified_at": NOON,
            "partitions": [{"partition": year, "n_records": n}],
            "n_records": n,
        }
        for year, n in (("2020", 3), ("2021", 3))
    ]
    unreadable = _rejected("f", "raw", "source.jsonl", "bad_json", None, None, payload=b'{"id": ')
    unreadable |= {"uri": f"{root}/landing/2021.jsonl", "position": 2}
    _promote(ws, "landing", None, LANDING, landing, [unreadable], {"landing": "l1"}, rows_in=6, rows_out=5)
    for year in ("2020", "2021"):
        names = [name for name in "abcde" if YEAR[name] == year]
        _promote(ws, "raw", year, RAW, [_raw(root, name) for name in names], [], {year: f"r{year}"}, {})
        kept = [name for name in names if name != "c"]
        rejected = [_rejected("c", "cleaned", "text.length", "min_words", "7", "50", columns='{"n_words": 7}')]
        _promote(
            ws,
            "cleaned",
            year,
            _CLEANED,
            [_cleaned(name) for name in kept],
            rejected if "c" in names else [],
            {year: f"c{year}"},
            {f"raw/{year}": f"r{year}"},
            spec={"clean": [{"op": "text.length", "min_words": 50, "version": 1}]},
        )
    duplicate = {
        "record_id": IDS["d"],
        "partition": "2021",
        "kept_record_id": IDS["a"],
        "method": "exact",
        "similarity": 1.0,
    }
    _promote(ws, "duplicates", None, DUPLICATES, [duplicate], [], {"2021": "d1"}, {}, rows_in=4, rows_out=4)
    for year, names in (("2020", "ab"), ("2021", "e")):
        scored = [
            {"record_id": IDS[n], "partition": year, "n_tokens": 10 * (ord(n) - ord("a") + 1), "gc": _GC[n]}
            for n in names
        ]
        _promote(ws, "scored", year, _SCORED, scored, [], {year: f"s{year}"}, {f"cleaned/{year}": f"c{year}"})
    for release, chosen in ((1, "a"), (2, "ab")):
        _sample_and_publish(ws, release, chosen)
    ws.lake.tag(CORPUS, "published", "prod", ws.lake.tags(CORPUS)["v2"])
    ws.lake.append_gates(CORPUS, _gates(ws))
    return ws


def _sample_and_publish(ws: Workspace, release: int, chosen: str) -> None:
    sampled = [
        {
            "record_id": IDS[name],
            "partition": YEAR[name],
            "stratum": "all",
            "probability": 0.25 * release,
            "draw": 0.5,
            "selected": name in chosen,
            "n_tokens": 10 * (ord(name) - ord("a") + 1),
        }
        for name in "abe"
    ]
    scored = {f"scored/{year}": f"s{year}" for year in ("2020", "2021")}
    spec = {"sample": {"method": "cdf", "by": "gc", "token_fraction": 0.2 * release, "seed": 7}}
    _promote(ws, "sampled", None, SAMPLED, sampled, [], {WHOLE_TABLE: f"m{release}"}, scored, spec=spec)
    record = publish(ws, release, chosen)
    assert record.promoted_version is not None
    ws.lake.tag(CORPUS, "published", f"v{release}", record.promoted_version)


def publish(ws: Workspace, release: int, chosen: str) -> PromotionRecord:
    """Promote a release of some of the records a, b and e; it has no tag yet."""
    published = [
        {**_cleaned(name), "n_tokens": 10 * (ord(name) - ord("a") + 1), "gc": _GC[name], "stratum": "all"}
        | {"probability": 0.25 * release}
        for name in chosen
    ]
    facts = {"release": release, "rows_added": 1, "rows_removed": 0}
    return _promote(
        ws, "published", None, _PUBLISHED, published, [], {WHOLE_TABLE: f"p{release}"}, {"sampled": f"m{release}"},
        facts=facts,
    )  # fmt: skip


def _raw(root: Path, name: str) -> dict[str, Any]:
    return {
        "record_id": IDS[name],
        "partition": YEAR[name],
        "source": "pages",
        "uri": f"{root}/landing/{YEAR[name]}.jsonl",
        "position": "abcde".index(name) % 3,
        "event_time": NOON.replace(year=int(YEAR[name])),
        "ingested_at": NOON,
        "content_sha256": name * 64,
        "media_type": "text/plain",
        "payload": TEXT[name],
        "meta": '{"author": "nobody"}',
        "license": "CC0-1.0",
    }


def _cleaned(name: str) -> dict[str, Any]:
    return {
        "record_id": IDS[name],
        "partition": YEAR[name],
        "parent_ids": [IDS[name]],
        "source": "pages",
        "event_time": NOON.replace(year=int(YEAR[name])),
        "license": "CC0-1.0",
        "text": TEXT[name],
        "size": 90,
        "n_words": 90,
    }


def _rejected(
    name: str, stage: str, operator: str, reason: str, value: str | None, threshold: str | None, **more: Any
) -> dict[str, Any]:
    return {
        "record_id": IDS[name],
        "partition": YEAR[name],
        "stage": stage,
        "operator": operator,
        "reason": reason,
        "value": value,
        "threshold": threshold,
        "reasons": [{"operator": operator, "rule": reason, "value": value, "threshold": threshold}],
        **more,
    }


def _promote(
    ws: Workspace,
    stage: str,
    partition: str | None,
    schema: pa.Schema,
    rows: list[dict[str, Any]],
    rejected: list[dict[str, Any]],
    outputs: dict[str, str],
    inputs: dict[str, str] | None = None,
    *,
    spec: dict[str, Any] | None = None,
    facts: dict[str, Any] | None = None,
    rows_in: int | None = None,
    rows_out: int | None = None,
) -> PromotionRecord:
    lake, promotion_id = ws.lake, new_promotion_id()
    key = partition if partition is not None else WHOLE_TABLE
    main, side = lake.table(CORPUS, stage), lake.quarantine(CORPUS)
    main.create(schema)
    candidates = []
    for table, table_schema, held, scope in (
        (main, schema, rows, "partition" if partition else "table"),
        (side, QUARANTINE, rejected, "partition"),
    ):
        writer = FragmentWriter(table, table_schema)
        if held:
            stamped = [{**row, "promotion_id": promotion_id} for row in held]
            writer.write(pa.RecordBatch.from_pylist(stamped, schema=table_schema))
        writer.flush()
        owner = ("raw", "__unpartitioned__") if stage == "landing" and table is side else (stage, key)
        candidates.append(
            stage_table(table, writer.fragments, writer.rows, scope=scope, partition=owner[1], stage_name=owner[0])
        )
    promoter = lake.promoter(CORPUS)
    record = lake.records(CORPUS).save(
        PromotionRecord(
            id=promotion_id,
            corpus=CORPUS,
            stage=stage,
            partition=key,
            main=candidates[0],
            sides=[candidates[1]],
            replaces=promoter.live(stage, main.name, key),
            state="staged",
            created_at=time.time(),
            lineage={"run_id": "run-1", "spec": spec or {}, "inputs": inputs or {}, "recipe": {"data_hash": "h"}},
            outputs=outputs,
            ledger={
                "rows_in": rows_in if rows_in is not None else len(rows) + len(rejected),
                "rows_out": rows_out if rows_out is not None else len(rows),
                "rows_quarantined": len(rejected),
            },
            facts=facts or {},
        )
    )
    return promoter.promote(record)


def _gates(ws: Workspace) -> pa.Table:
    row = {
        "promotion_id": ws.lake.live_promotions(CORPUS)["cleaned", "2020"],
        "table": "cleaned",
        "version": 2,
        "partition": "2020",
        "suite": "cleaned.quality",
        "expectation": "expect_column_values_to_be_between",
        "column": "n_words",
        "parameters": "{}",
        "observed_number": 0.0,
        "unexpected_count": 0,
        "severity": "critical",
        "verdict": "pass",
        "judged_at": NOON,
    }
    return pa.Table.from_pylist([row], schema=GATES)
