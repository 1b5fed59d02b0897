"""The group of duplicates that a record belongs to, and its twin's text, for ``winnowry explain``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from winnowry.lakehouse.view import TableView

from winnowry.core.sql import in_list, literal

_SHOWN = 10  # members of a group
_LINKS_FOLLOWED = 20
_EXCERPT = 600  # characters of either text
_BEFORE = 120  # of them that are the same, before the first difference


@dataclass(frozen=True)
class Twin:
    """A duplicate beside the record that it was found to be like, as both are after cleaning.

    Attributes:
        record_id: the twin.
        keeper: whether the twin is the record that stays, rather than one on the way to it.
        method: how it was found.
        similarity: 0 to 1; of near-duplicates an estimate.
        same_text: whether the two texts are equal.
        start: characters before both excerpts, which are the same in both.
        excerpt: of the duplicate's text, at most 600 characters.
        characters: of the duplicate's whole text.
        twin_excerpt: of the twin's text.
        twin_characters: of the twin's whole text.
    """

    record_id: str
    keeper: bool
    method: str
    similarity: float
    same_text: bool
    start: int
    excerpt: str
    characters: int
    twin_excerpt: str
    twin_characters: int


def twin_of(cleaned: TableView, row: Mapping[str, Any]) -> Twin | None:
    """The twin of a row of ``duplicates``; None where a text of the two is no longer there.

    Args:
        cleaned: the cleaned records.
        row: the row; of older versions, which know only the keeper, that is the twin.
    """
    own, keeper_id = str(row["record_id"]), str(row["kept_record_id"])
    other = str(row.get("twin_record_id") or keeper_id)
    if "text" not in cleaned.schema.names:
        return None
    pair = cleaned.to_table(columns=["record_id", "text"], where=in_list("record_id", (own, other))).to_pylist()
    texts = {entry["record_id"]: entry["text"] for entry in pair}
    a, b = texts.get(own), texts.get(other)
    if a is None or b is None:
        return None
    alike = _alike(a, b)
    start = 0 if a == b else max(0, alike - _BEFORE)
    return Twin(
        record_id=other,
        keeper=other == keeper_id,
        method=str(row["method"]),
        similarity=float(row["similarity"]),
        same_text=a == b,
        start=start,
        excerpt=a[start : start + _EXCERPT],
        characters=len(a),
        twin_excerpt=b[start : start + _EXCERPT],
        twin_characters=len(b),
    )


def _alike(a: str, b: str) -> int:
    """Length of the common beginning of two texts, found by halving: slices compare at the speed of memory.

    >>> _alike("abcd", "abxd"), _alike("ab", "abc"), _alike("", "a"), _alike("x", "y")
    (2, 2, 0, 0)
    """
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def duplicate_outcome(row: Mapping[str, Any]) -> str:
    """Why a row of ``duplicates`` is there, as a sentence; rows of older versions know only their keeper."""
    by = f"by {row['method']}, similarity {row['similarity']:.3g}"
    steps = row.get("steps") or 1
    if steps == 1:
        sentence = f"duplicate of {row['kept_record_id']} {by}"
    else:
        sentence = (
            f"matches {row['twin_record_id']} {by}, and through {steps - 1} more "
            f"{'match' if steps == 2 else 'matches'} {row['kept_record_id']}, which stays"
        )
    size = row.get("group_size")
    return f"{sentence}; one of {size:,} in its group" if size else sentence


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
    where = f"kept_record_id = {literal(kept_record_id)}"
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
        matches = duplicates.to_table(where=f"record_id = {literal(twin)}", limit=1).to_pylist()
        if not matches:  # the keeper
            break
        row = matches[0]
    return chain
