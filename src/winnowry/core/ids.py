"""Identifiers: stable across re-ingest, roots and machines."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NewType

RecordId = NewType("RecordId", str)
PromotionId = NewType("PromotionId", str)

_SEPARATOR = b"\x1f"  # ASCII unit separator: cannot make ("a", "bc") and ("ab", "c") collide


def record_id(source: str, *, mapped_id: str | None = None, path: str = "", index: int = 0) -> RecordId:
    """Identify a record by its source and its own id, or by where it lies.

    Args:
        source: name of the source in the recipe.
        mapped_id: the record's own id, when the recipe maps one.
        path: path of the object below the literal prefix of the source's glob.
        index: 0-based line or row index in that object.

    Returns:
        32 lowercase hexadecimal characters (128 bits of SHA-256).

    >>> record_id("pages", mapped_id="s3/PutObject") == record_id("pages", mapped_id="s3/PutObject")
    True
    >>> record_id("pages", path="a.jsonl", index=1) == record_id("pages", path="a.jsonl", index=2)
    False
    """
    parts = ("id", source, mapped_id) if mapped_id is not None else ("at", source, path, str(index))
    return _digest(parts)


def derived_id(parent_ids: Sequence[str], index: int | str, operator: str) -> RecordId:
    """Identify a record that an operator made from others.

    It depends on nothing else: neither on the text, nor on the other records of a batch.

    Args:
        parent_ids: ids of the records that it was made from, in the operator's order.
        index: its 0-based number among the records made from them; behind a path where derivations follow each other.
        operator: registered name of the operator.

    Returns:
        32 lowercase hexadecimal characters (128 bits of SHA-256); never what :func:`record_id` gives.

    >>> parent = record_id("pages", mapped_id="s3/PutObject")
    >>> derived_id([parent], 0, "text.chunks") == derived_id([parent], "0", "text.chunks")
    True
    >>> derived_id([parent], 0, "text.chunks") == derived_id([parent], 1, "text.chunks")
    False
    >>> len(derived_id([parent], 0, "text.chunks"))
    32
    """
    return _digest(("derived", operator, str(index), *parent_ids))


def _digest(parts: Sequence[str]) -> RecordId:
    digest = hashlib.sha256(_SEPARATOR.join(part.encode("utf-8", "surrogatepass") for part in parts))
    return RecordId(digest.hexdigest()[:32])
