"""Records made of records, for ``explain``: the record that one was made of, and the records that one became."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from winnowry.core.numbers import counted
from winnowry.core.sql import in_list, literal
from winnowry.stages.graph import record_tables

if TYPE_CHECKING:
    from winnowry.lakehouse.view import TableView
    from winnowry.lakehouse.workspace import Workspace

PARENTS = "parent_ids"
QUARANTINE = "quarantine"
_LONG = frozenset({"text", "payload"})
_LISTED = 100  # children of a record that are shown

Rows = Mapping[str, tuple[int, list[dict[str, Any]]]]


@dataclass(frozen=True)
class Origin:
    """Where a derived record comes from.

    Attributes:
        parents: ids of the ingested records that it was made of.
        place: in words: which part of them it is.
        table: the first table that says so.
    """

    parents: tuple[str, ...]
    place: str
    table: str


def origin_of(rows: Rows) -> Origin | None:
    """The origin of a record; None where it was made of no other: it names no parents, or itself.

    Args:
        rows: version and rows of every table that knows the record, upstream ones first.
    """
    for table, (_, held) in rows.items():
        for row in held:
            parents = tuple(row.get(PARENTS) or ())
            if parents and parents != (row["record_id"],):
                return Origin(parents, f"{_part(row)} {', '.join(parents)}", table)
    return None


def _part(row: Mapping[str, Any]) -> str:
    stored = row.get("columns")
    columns = {**row, **(json.loads(stored) if isinstance(stored, str) else {})}
    index, total = (_number(columns, name) for name in ("chunk_index", "n_chunks"))
    return "made from" if index is None or total is None else f"chunk {index + 1:,} of {total:,} of"


def _number(columns: Mapping[str, Any], name: str) -> int | None:
    """A number of ``text.chunks``, with or without a prefix."""
    matches = [key for key in columns if key == name or key.endswith(f"_{name}")]
    value = columns[matches[0]] if matches else None
    return value if isinstance(value, int) else None


def with_family(ws: Workspace, corpus: str) -> list[tuple[str, TableView]]:
    """Tables whose rows may name parents, upstream ones first."""
    present = ws.lake.tables(corpus)
    views = [(name, ws.lake.open(corpus, name)) for name in (*record_tables(), QUARANTINE) if name in present]
    return [(name, view) for name, view in views if PARENTS in view.schema.names]


def children_of(ws: Workspace, corpus: str, record_id: str) -> dict[str, Rows]:
    """The records made of one, in the order of their numbers: what every table knows of each, without its text."""
    order: dict[str, tuple[int, str]] = {}
    for name, view in with_family(ws, corpus):
        columns = [column for column in view.schema.names if _says_number(column, name)]
        for row in view.to_table(columns=columns, where=f"array_has({PARENTS}, {literal(record_id)})").to_pylist():
            stored = json.loads(row.get("columns") or "{}")
            child = str(row["record_id"])
            if child == record_id:
                continue
            order.setdefault(child, (_number({**stored, **row}, "chunk_index") or 0, child))
    if not order:
        return {}
    present = ws.lake.tables(corpus)
    family: dict[str, dict[str, tuple[int, list[dict[str, Any]]]]] = {
        child: {} for child in sorted(order, key=order.__getitem__)
    }
    for name in (*record_tables(), QUARANTINE):
        if name not in present:
            continue
        view = ws.lake.open(corpus, name)
        columns = [column for column in view.schema.names if column not in _LONG]
        for row in view.to_table(columns=columns, where=in_list("record_id", order)).to_pylist():
            family[str(row["record_id"])].setdefault(name, (view.version, []))[1].append(row)
    return dict(family)


def _says_number(column: str, table: str) -> bool:
    return column == "record_id" or column.endswith("chunk_index") or (table == QUARANTINE and column == "columns")


def became(statuses: Sequence[str]) -> str:
    """What records one became, in words.

    >>> became(["published", "quarantined", "published"])
    'became 3 records: 2 published, 1 quarantined'
    """
    counts = ", ".join(f"{n:,} {status.replace('_', ' ')}" for status, n in Counter(statuses).most_common())
    return f"became {counted(len(statuses), 'record')}: {counts}"


def listed(children: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Children with their fates, as values of a step; long lists are cut."""
    fates = dict(children)
    shown = dict(list(fates.items())[:_LISTED])
    return shown | ({"records_not_shown": len(fates) - _LISTED} if len(fates) > _LISTED else {})
