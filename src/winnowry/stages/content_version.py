"""The data version of a partition of ``raw``: what its records are, wherever they lie and however they came."""

from __future__ import annotations

import hashlib
import json
import tempfile
import weakref
from array import array
from typing import Any

import numpy as np

from winnowry.promotion.ledger import Ids

_HELD_BYTES = 16 << 20


class ContentVersion:
    """Takes record after record; of each 40 bytes stay in memory, and what else it is in a temporary file.

    >>> row = {"content_sha256": "0" * 64, "event_time": None, "license": None, "meta": "{}"}
    >>> first, second = ContentVersion(), ContentVersion()
    >>> for name in ("a" * 32, "b" * 32):
    ...     first.add({**row, "record_id": name})
    >>> for name in ("b" * 32, "a" * 32):
    ...     second.add({**row, "record_id": name})
    >>> first.digest() == second.digest()
    True
    """

    def __init__(self) -> None:
        self._ids = bytearray()
        self._ends = array("q", [0])
        self._spooled = tempfile.SpooledTemporaryFile(_HELD_BYTES)  # noqa: SIM115 - it lives as long as this object
        weakref.finalize(self, self._spooled.close)

    def add(self, row: dict[str, Any]) -> None:
        """Add a record; no two have the same id."""
        text = (
            f"{row['record_id']}{row['content_sha256']}{row['event_time']}{row['license']}{row['meta']}"
            f"{row.get('text') or ''}{row.get('place') or ''}"
        )
        self._spooled.write(json.dumps(text).encode())
        self._ids += row["record_id"].encode()
        self._ends.append(self._spooled.tell())

    @property
    def ids(self) -> Ids:
        """Record ids, in the order they came."""
        return np.frombuffer(bytes(self._ids), dtype="S32")

    def digest(self) -> str:
        """The version: :func:`~winnowry.core.jsonable.digest` of all records in the order of their ids."""
        sha256 = hashlib.sha256(b"[")
        for number, row in enumerate(np.argsort(self.ids, kind="stable")):
            begin, end = self._ends[row], self._ends[row + 1]
            self._spooled.seek(begin)
            if number:
                sha256.update(b",")
            sha256.update(self._spooled.read(end - begin))
        sha256.update(b"]")
        return sha256.hexdigest()[:32]
