"""What becomes of the rows of each kind of table."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from winnowry.lakehouse.erasing import Change

_NAMES_RECORDS = ("record_id", "kept_record_id", "twin_record_id", "value")
_QUOTED = ("samples", "observed", "message")


def without(ids: Collection[str]) -> Change:
    """Rows go that are, were made of, or are said to equal, one of the records."""
    wanted = pa.array(sorted(ids), pa.string())
    members = frozenset(ids)

    def change(rows: pa.Table) -> pa.Table | None:
        gone = pa.array([False] * rows.num_rows)
        for name in _NAMES_RECORDS:
            if name in rows.schema.names and pa.types.is_string(rows.schema.field(name).type):
                gone = pc.or_(gone, pc.is_in(rows.column(name).combine_chunks(), value_set=wanted))
        if "parent_ids" in rows.schema.names:
            named = [bool(members & set(parents or ())) for parents in rows.column("parent_ids").to_pylist()]
            gone = pc.or_(gone, pa.array(named, pa.bool_()))
        return rows.filter(pc.invert(gone)) if pc.any(gone).as_py() else None

    return change


def unquoted(words: Collection[str], partitions: Collection[str]) -> Change:
    """Verdicts stay; what they quote of rows of the partitions goes, and every message that holds one of the words."""

    def change(rows: pa.Table) -> pa.Table | None:
        if "message" not in rows.schema.names or "partition" not in rows.schema.names:
            return None
        columns = {name: rows.column(name).to_pylist() for name in _QUOTED if name in rows.schema.names}
        changed = False
        for at, partition in enumerate(rows.column("partition").to_pylist()):
            for name, values in columns.items():
                value = values[at]
                quotes = name == "samples" and partition in partitions
                if value and (quotes or any(word in value for word in words)):
                    values[at] = None
                    changed = True
        if not changed:
            return None
        for name, values in columns.items():
            at = rows.schema.get_field_index(name)
            rows = rows.set_column(at, rows.schema.field(at), pa.array(values, rows.schema.field(at).type))
        return rows

    return change
