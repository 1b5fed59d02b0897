"""Some fragments of one version of a Lance dataset, read as if there were no others; nothing is written for it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from winnowry.core.sql import identifier, in_list

_STORED = "stored"  # the whole table's name in SQL, where `dataset` means the fragments


class FragmentSubset:
    """What readers use of a ``lance.LanceDataset``, restricted to some of its fragments.

    A detached version without the other fragments would do the same for one commit a look, and a reader must not
    write: it may not be allowed to, and nothing collects the manifests.

    Args:
        dataset: the dataset, at the version to be read.
        fragments: ids of the fragments that are there; in the dataset's order, whatever the order given.
    """

    def __init__(self, dataset: Any, fragments: Sequence[int]) -> None:
        self._dataset = dataset
        self._ids = frozenset(fragments)

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of the table."""
        return self._dataset.schema

    @property
    def version(self) -> int:
        """Version that is read."""
        return int(self._dataset.version)

    @cached_property
    def _fragments(self) -> list[Any]:
        return [f for f in self._dataset.get_fragments() if f.fragment_id in self._ids]

    @cached_property
    def _starts(self) -> tuple[Any, Any]:
        """Where each fragment that is there begins: among these fragments, and in the whole dataset."""
        rows = [(f.fragment_id in self._ids, f.count_rows()) for f in self._dataset.get_fragments()]
        there = np.asarray([here for here, _ in rows], bool)
        counts = np.asarray([n for _, n in rows], np.int64)
        among = np.concatenate([[0], np.cumsum(counts[there])])
        return among, (np.cumsum(counts) - counts)[there]

    def get_fragments(self) -> list[Any]:
        """The Lance fragments that are there."""
        return list(self._fragments)

    def scanner(self, **options: Any) -> Any:
        """A Lance scanner over these fragments; it uses the table's scalar indexes.

        Args:
            options: those of ``LanceDataset.scanner`` but ``fragments``.
        """
        return self._dataset.scanner(fragments=self._fragments, **options)

    def count_rows(self, filter: str | None = None) -> int:
        """Number of rows, or of rows for which a Lance filter holds."""
        if filter is None:
            return int(self._starts[0][-1])
        return int(self.scanner(filter=filter).count_rows())

    def to_table(self, **options: Any) -> pa.Table:
        """Read rows into memory, in table order; options as for :meth:`scanner`."""
        return self.scanner(**options).to_table()

    def take(self, indices: Sequence[int], columns: Sequence[str] | None = None) -> pa.Table:
        """Rows by their number, in the order given.

        Args:
            indices: row numbers among these fragments, from 0.
            columns: names to read; None for all.

        Raises:
            IndexError: there is no such row.
        """
        wanted = np.asarray(indices, np.int64)
        among, whole = self._starts
        if len(wanted) and (wanted.min() < 0 or wanted.max() >= among[-1]):
            raise IndexError(f"row {int(wanted.max())} of {int(among[-1])}")
        held_by = np.searchsorted(among, wanted, side="right") - 1
        rows = (wanted - among[held_by] + whole[held_by]).tolist() if len(wanted) else []
        return self._dataset.take(rows, columns=None if columns is None else list(columns))

    def take_blobs(self, column: str, addresses: pa.Array) -> list[Any]:
        """Large objects by row address, which is the whole dataset's, as seekable files."""
        blobs: list[Any] = self._dataset.take_blobs(column, addresses=addresses)
        return blobs

    def read_blobs(self, column: str, **options: Any) -> list[Any]:
        """Bytes of large objects by row address; options as of ``LanceDataset.read_blobs``."""
        blobs: list[Any] = self._dataset.read_blobs(column, **options)
        return blobs

    def sql(self, query: str) -> Any:
        """A DataFusion query builder for one SELECT; ``dataset`` means these fragments. The scan is streamed."""
        names = ", ".join(map(identifier, self.schema.names))
        # The upper half of a row address is its fragment's id, with stable row ids too.
        there = in_list("(_rowaddr >> 32)", sorted(self._ids))
        restricted = f"WITH dataset AS (SELECT {names} FROM {_STORED} WHERE {there}) {query}"
        return self._dataset.sql(restricted).table_name(_STORED).with_row_addr(True)
