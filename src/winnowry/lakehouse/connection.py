"""Openings of tables that share one connection where each of its own would have to ask for keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from winnowry.lakehouse.lance_uri import lance_uri

_sessions: dict[str, Any] = {}  # by bucket
_held: dict[str, Any] = {}  # the last table of a bucket: with the last one Lance closes the connection, keys and all


def open_dataset(uri: str, version: int | str | None, storage_options: Mapping[str, str]) -> Any:
    """Open a Lance dataset.

    Where Lance finds keys by itself, each connection finds its own, which starts a program or asks a service: measured,
    627 times in a walk of two partitions. So tables of a bucket share one then; it refreshes its keys when they expire.

    Args:
        uri: of the table.
        version: a version, a tag, or the latest.
        storage_options: what Lance needs to reach it.
    """
    import lance

    options = dict(storage_options) or None
    if options is None or "access_key_id" in options:
        return lance.dataset(lance_uri(uri), version=version, storage_options=options)
    bucket = urlsplit(uri).netloc
    session = _sessions.setdefault(bucket, lance.Session())
    dataset = lance.dataset(lance_uri(uri), version=version, storage_options=options, session=session)
    _held[bucket] = dataset
    return dataset
