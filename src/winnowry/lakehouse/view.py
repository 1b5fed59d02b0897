"""A read-only handle on one version of one table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from winnowry.lakehouse.connection import open_dataset
from winnowry.lakehouse.subset import FragmentSubset

_BATCH_ROWS = 1024
"""Rows of a scanned batch: with texts of tens of KiB a batch stays in the tens of MiB."""

_BATCH_BYTES = 64 << 20
"""Bytes of a scanned batch, as Lance estimates them: rows may be long, and what repeats itself is stored in little."""

_BATCHES_AHEAD = 2
"""Batches that Lance reads before they are asked for."""


@dataclass
class TableView:
    """One version of a table, as readers, gates and later stages see it.

    A view opens its dataset on first use, once per process; it can be pickled to workers, which open their own.

    Attributes:
        uri: where the table lies.
        version: version number; a detached version is the candidate of a promotion.
        storage_options: credentials and endpoint for Lance; never printed.
        name: table name.
        partition: key of the only partition that is seen, or None when it is the whole table.
        fragments: ids of the only fragments that are seen; None for all of the version.
    """

    uri: str
    version: int
    storage_options: Mapping[str, str] = field(repr=False, compare=False)
    name: str
    partition: str | None = None
    fragments: tuple[int, ...] | None = None
    _opened: Any = field(default=None, init=False, repr=False, compare=False)

    def dataset(self) -> Any:
        """The Lance dataset at this version, or what readers need of one where only some fragments are seen.

        Raises:
            ValueError, OSError: the table or the version is not there.
        """
        if self._opened is None:
            self.opened(open_dataset(self.uri, self.version, self.storage_options))
        return self._opened

    def opened(self, whole: Any) -> TableView:
        """This view, reading a dataset that is open already at its version."""
        self._opened = whole if self.fragments is None else FragmentSubset(whole, self.fragments)
        return self

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of the table."""
        return self.dataset().schema

    def layout(self) -> list[tuple[int, int, int]]:
        """Where the rows lie: id, rows as written and rows deleted of each fragment, in table order.

        Two views of one table with the same layout have the same rows in the same order: a fragment's id is used once,
        and its rows can only be deleted.
        """
        return [
            (part.fragment_id, part.metadata.physical_rows, part.num_deletions)
            for part in self.dataset().get_fragments()
        ]

    def count_rows(self, where: str | None = None) -> int:
        """Number of rows, or of rows for which a Lance filter holds."""
        return int(self.dataset().count_rows(filter=where))

    def sql(self, query: str) -> pa.Table:
        """Answer a DataFusion query; the table is called ``dataset``.

        The scan is streamed, the *answer* is held in memory: aggregate or ``LIMIT``.

        Args:
            query: one SELECT statement. Quote identifiers with ``"``: others are folded to lower case.

        Returns:
            The answer; without rows its columns are still there, but where DataFusion returns no batch at all the
            table has no columns.
        """
        batches = self.dataset().sql(query).build().to_batch_records()
        return pa.Table.from_batches(batches) if batches else pa.table({})

    def scan(
        self,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        limit: int | None = None,
        batch_rows: int = _BATCH_ROWS,
    ) -> Iterator[pa.RecordBatch]:
        """Stream batches in table order.

        Args:
            columns: names to read; None for all.
            where: Lance filter.
            limit: stop after this many rows.
            batch_rows: rows of a batch at most, fewer where they are long; more pay where only narrow columns are read.
        """
        scanner = self.dataset().scanner(
            columns=None if columns is None else list(columns),
            filter=where,
            limit=limit,
            batch_size=batch_rows,
            batch_size_bytes=_BATCH_BYTES,
            batch_readahead=_BATCHES_AHEAD,
        )
        yield from scanner.to_batches()

    def to_table(
        self, columns: Sequence[str] | None = None, where: str | None = None, limit: int | None = None
    ) -> pa.Table:
        """Read rows into memory, in table order."""
        return self.dataset().to_table(columns=None if columns is None else list(columns), filter=where, limit=limit)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None}
