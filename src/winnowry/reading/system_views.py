"""Views of the lake itself, as Arrow tables: what is there, which versions, rows in and out, verdicts of gates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from winnowry.core.tables import GATES, TIMESTAMP
from winnowry.lakehouse.lake import OLD_GATES_TIME
from winnowry.lakehouse.record import WHOLE_TABLE
from winnowry.reading.named_releases import sql_view

if TYPE_CHECKING:
    from winnowry.lakehouse.record import PromotionRecord
    from winnowry.lakehouse.workspace import Workspace

QUARANTINED = "quarantine"
STATE = "state"
"""The column that the view of the quarantine has beside those of the table."""

# Version numbers are unsigned: those of detached versions have the highest bit set.
TABLES = pa.schema(
    [
        ("name", pa.string()),
        ("uri", pa.string()),
        ("version", pa.uint64()),
        ("tags", pa.list_(pa.string())),
        ("rows", pa.int64()),
        ("bytes", pa.int64()),
    ]
)
VERSIONS = pa.schema(
    [
        ("name", pa.string()),
        ("version", pa.uint64()),
        ("created_at", TIMESTAMP),
        ("tags", pa.list_(pa.string())),
        ("stage", pa.string()),
        ("partition", pa.string()),
        ("promotion_id", pa.string()),
    ]
)
COLUMNS = pa.schema([("name", pa.string()), ("column", pa.string()), ("type", pa.string()), ("nullable", pa.bool_())])
LEDGER = pa.schema(
    [
        ("corpus", pa.string()),
        ("partition", pa.string()),
        ("stage", pa.string()),
        ("rows_in", pa.int64()),
        ("rows_out", pa.int64()),
        ("rows_quarantined", pa.int64()),
        ("promotion_id", pa.string()),
        ("promoted_at", TIMESTAMP),
    ]
)
ALL_GATES = pa.schema([pa.field("corpus", pa.string()), *GATES])


def tables_view(ws: Workspace) -> pa.Table:
    """Every table: ``corpus.table``, URI, the version that a query reads, tags on any version, rows, bytes of files.

    ``bytes`` counts the data files of this version, not of older ones; null where a file does not say.
    """
    rows = []
    for corpus, name in _names(ws):
        view = sql_view(ws, corpus, name)
        rows.append(
            {
                "name": f"{corpus}.{name}",
                "uri": view.uri,
                "version": view.version,
                "tags": sorted(ws.lake.tags(corpus, name)),
                "rows": view.count_rows(),
                "bytes": _bytes(view.dataset()),
            }
        )
    return pa.Table.from_pylist(rows, schema=TABLES)


def versions_view(ws: Workspace) -> pa.Table:
    """Every readable version of every table, with its tags and the promotion that made it."""
    rows = []
    for corpus, name in _names(ws):
        tags: dict[int, list[str]] = {}
        for tag, version in ws.lake.tags(corpus, name).items():
            tags.setdefault(version, []).append(tag)
        promotions = {
            record.promoted_version: record
            for record in ws.lake.records(corpus).all()
            if record.main is not None and record.main.table == name and record.promoted_version is not None
        }
        for entry in ws.lake.table(corpus, name).versions():
            record = promotions.get(int(entry["version"]))
            rows.append(
                {
                    "name": f"{corpus}.{name}",
                    "version": int(entry["version"]),
                    "created_at": entry["timestamp"].astimezone(UTC),
                    "tags": sorted(tags.get(int(entry["version"]), [])),
                    "stage": record.stage if record else None,
                    "partition": _partition(record),
                    "promotion_id": record.id if record else None,
                }
            )
    return pa.Table.from_pylist(rows, schema=VERSIONS)


def columns_view(ws: Workspace) -> pa.Table:
    """Every column of every table as a query reads it: its Arrow type and whether it may be null."""
    rows = [
        {"name": f"{corpus}.{name}", "column": field.name, "type": str(field.type), "nullable": field.nullable}
        for corpus, name in _names(ws)
        for field in sql_view(ws, corpus, name).schema
    ]
    return pa.Table.from_pylist(rows, schema=COLUMNS)


def ledger_view(ws: Workspace) -> pa.Table:
    """Records in, out and quarantined, one row per live promotion; ``partition`` is null for corpus-wide stages."""
    rows = []
    for corpus in ws.lake.corpora():
        live = set(ws.lake.live_promotions(corpus).values())
        for record in ws.lake.records(corpus).all():
            if record.id in live:
                rows.append(
                    {
                        "corpus": corpus,
                        "partition": _partition(record),
                        "stage": record.stage,
                        "rows_in": record.ledger.get("rows_in"),
                        "rows_out": record.ledger.get("rows_out"),
                        "rows_quarantined": record.ledger.get("rows_quarantined"),
                        "promotion_id": record.id,
                        "promoted_at": _time(record.promoted_at),
                    }
                )
    return pa.Table.from_pylist(rows, schema=LEDGER)


def gates_view(ws: Workspace) -> pa.Table:
    """Every gate result of every corpus, refused promotions included."""
    parts = [ALL_GATES.empty_table()]
    for corpus, name in _names(ws):
        if name == "gates":
            view = ws.lake.open(corpus, name)
            older = OLD_GATES_TIME in view.schema.names  # nothing was judged since the column got its present name
            names = [OLD_GATES_TIME if older and n == "judged_at" else n for n in GATES.names]
            rows = view.to_table(columns=names).rename_columns(GATES.names)
            column = pa.array([corpus] * rows.num_rows, pa.string())
            parts.append(rows.add_column(0, ALL_GATES.field("corpus"), column).cast(ALL_GATES))
    return pa.concat_tables(parts)


SYSTEM_VIEWS: Mapping[str, Callable[[Workspace], pa.Table]] = {
    "tables": tables_view,
    "versions": versions_view,
    "columns": columns_view,
    "ledger": ledger_view,
    "gates": gates_view,
}


def _names(ws: Workspace) -> list[tuple[str, str]]:
    return [(corpus, name) for corpus in ws.lake.corpora() for name in ws.lake.tables(corpus)]


def _partition(record: PromotionRecord | None) -> str | None:
    return None if record is None or record.partition == WHOLE_TABLE else record.partition


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _bytes(dataset: Any) -> int | None:
    sizes = [file.file_size_bytes for fragment in dataset.get_fragments() for file in fragment.data_files()]
    return None if any(size is None for size in sizes) else sum(sizes)
