"""The group of duplicates that a record belongs to, for ``winnowry explain``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from winnowry.lakehouse.view import TableView

_SHOWN = 10  # members of a group
_LINKS_FOLLOWED = 20


def duplicate_outcome(row: Mapping[str, Any]) -> str:
    """Why a row of ``duplicates`` is there, as a sentence; rows of older versions know only their keeper."""
    by = f"by {row['method']}, similarity {row['similarity']:.3g}"
    steps = row.get("steps") or 1
    if steps == 1:
        said = f"duplicate of {row['kept_record_id']} {by}"
    else:
        said = (
            f"matches {row['twin_record_id']} {by}, and through {steps - 1} more "
            f"{'match' if steps == 2 else 'matches'} {row['kept_record_id']}, which stays"
        )
    size = row.get("group_size")
    return f"{said}; one of {size:,} in its group" if size else said


def group_values(duplicates: TableView, row: Mapping[str, Any]) -> dict[str, Any]:
    """The chain of direct matches from a duplicate to its keeper, and others of its group."""
    values: dict[str, Any] = {}
    if (row.get("steps") or 1) > 1:
        values["chain"] = _chain(duplicates, row)
    others = [m for m in _members(duplicates, str(row["kept_record_id"])) if m["record_id"] != row["record_id"]]
    if others:
        values["others_of_group"] = [_shown(member) for member in others[:_SHOWN]]
    return values


def keeper_values(duplicates: TableView, record_id: str) -> dict[str, Any]:
    """What a record stands for: the size of its group and its duplicates; empty when it has none."""
    members = _members(duplicates, record_id)
    if not members:
        return {}
    known = {} if members[0]["group_size"] is None else {"group_size": members[0]["group_size"]}
    return {**known, "stands_for": [_shown(member) for member in members[:_SHOWN]]}


def _members(duplicates: TableView, kept_record_id: str) -> list[dict[str, Any]]:
    where = f"kept_record_id = '{kept_record_id}'"
    present = set(duplicates.schema.names)
    columns = [n for n in ("record_id", "method", "similarity", "steps", "group_size") if n in present]
    rows = duplicates.to_table(columns=columns, where=where, limit=_SHOWN + 1).to_pylist()
    return [{"steps": None, "group_size": None, **row} for row in rows]


def _shown(member: Mapping[str, Any]) -> str:
    far = "" if member["steps"] in (None, 1) else f", {member['steps']} matches away"
    return f"{member['record_id']} ({member['method']}, similarity {member['similarity']:.3g}{far})"


def _chain(duplicates: TableView, row: Mapping[str, Any]) -> list[str]:
    chain: list[str] = []
    while row.get("twin_record_id") and len(chain) < _LINKS_FOLLOWED:
        twin = str(row["twin_record_id"])
        chain.append(f"{twin} ({row['method']}, similarity {row['similarity']:.3g})")
        found = duplicates.to_table(where=f"record_id = '{twin}'", limit=1).to_pylist()
        if not found:  # the keeper
            break
        row = found[0]
    return chain
