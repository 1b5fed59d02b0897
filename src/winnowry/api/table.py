"""One table of a lake, at one version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from winnowry.core.arguments import names_of
from winnowry.core.errors import NotFoundError, UsageError
from winnowry.lakehouse.lance_uri import lance_uri
from winnowry.recipe.messages import did_you_mean
from winnowry.storage.named import storage_named

if TYPE_CHECKING:
    import pyarrow as pa

    from winnowry.lakehouse.view import TableView
    from winnowry.lakehouse.workspace import Workspace


@dataclass(frozen=True)
class Table:
    """A table as readers may see it: rows that passed their gates, at one version that does not change.

    Attributes:
        name: ``CORPUS.TABLE``.
        uri: where the Lance table lies, for ``lance.dataset(uri, version=version)``.
        version: number of the version.

    >>> table = lake.table("tickets.published")
    >>> table.name, table.count()
    ('tickets.published', 3)
    """

    name: str
    uri: str
    version: int
    _view: TableView

    @property
    def schema(self) -> pa.Schema:
        """Names and Arrow types of the columns.

        >>> lake.table("tickets.cleaned").schema.field("n_words").type
        DataType(int64)
        """
        return self._view.schema

    def count(self, where: str | None = None) -> int:
        """Number of rows.

        Args:
            where: SQL predicate over the columns; all rows when None.

        Raises:
            UsageError: the predicate does not fit the table.
            StorageError: the table cannot be read.

        >>> lake.table("tickets.published").count("n_tokens > 1000")
        0
        """
        self._checked(None, where)
        with self._reading():
            return self._view.count_rows(where)

    def to_arrow(
        self, columns: str | Sequence[str] | None = None, where: str | None = None, limit: int | None = None
    ) -> pa.Table:
        """Read rows into memory, in the order of the table.

        Args:
            columns: names of the columns, in this order, or one name; all of them when None.
            where: SQL predicate over the columns; all rows when None.
            limit: stop after this many rows.

        Raises:
            UsageError: there is no such column, or the predicate does not fit the table.
            StorageError: the table cannot be read.

        >>> lake.table("tickets.published").to_arrow(["source"], limit=1).to_pylist()
        [{'source': 'mail'}]
        """
        listed = self._checked(columns, where)
        with self._reading():
            return self._view.to_table(listed, where, limit)

    def scan(
        self, columns: str | Sequence[str] | None = None, where: str | None = None, batch_rows: int = 1024
    ) -> Iterator[pa.RecordBatch]:
        """Stream rows in batches, in the order of the table; memory holds a few batches at a time.

        Args:
            columns: names of the columns, or one name; all of them when None.
            where: SQL predicate over the columns; all rows when None.
            batch_rows: rows of a batch at most.

        Raises:
            UsageError: there is no such column, or the predicate does not fit the table; with the first batch.
            StorageError: the table cannot be read.

        >>> [batch.num_rows for batch in lake.table("tickets.raw").scan(["record_id"], batch_rows=3)]
        [3, 1]
        """
        listed = self._checked(columns, where)
        with self._reading():
            yield from self._view.scan(listed, where, batch_rows=batch_rows)

    def contents(self, column: str = "payload", where: str | None = None) -> Iterator[tuple[str, bytes | None]]:
        """Ids and bytes of records, such as pictures, in the order of the table; about 64 MiB are held at a time.

        What the table only refers to is compared with its hash: bytes that are not those that were taken in are never
        returned. Lance itself reads whatever lies there.

        Args:
            column: a column of large objects.
            where: SQL predicate over the columns; all rows when None.

        Raises:
            UsageError: there is no such column, it holds no large objects, or the predicate does not fit the table.
            ObjectChangedError: an object that a row refers to is gone or holds other bytes; names it.
            StorageError: the table cannot be read.
        """
        from winnowry.lakehouse.blobs import blob_columns
        from winnowry.lakehouse.references import contents_of

        self._checked(column, where)
        if column not in blob_columns(self.schema):
            there = ", ".join(blob_columns(self.schema)) or "none"
            raise UsageError(f"{self.name}: {column!r} holds no large objects; columns that do: {there}")
        with self._reading():
            yield from contents_of(self._view.dataset(), column, where)

    def _checked(self, columns: str | Sequence[str] | None, where: str | None) -> Sequence[str] | None:
        """The columns by name; refuse those that are not there, and a predicate that does not fit."""
        from winnowry.columns.spec import check_where

        names = self.schema.names
        chosen = None if columns is None else names_of(columns)
        unknown = [column for column in chosen or () if column not in names]
        if unknown:
            listed = ", ".join(names)
            raise UsageError(
                f"{self.name} has no column {', '.join(map(repr, unknown))}{did_you_mean(unknown[0], names)}\n"
                f"There are: {listed}"
            )
        check_where(self._view.dataset(), where)
        return chosen

    def _reading(self) -> AbstractContextManager[None]:
        return storage_named(f"{self.name}@{self.version}", self.uri)


def open_table(ws: Workspace, corpus: str, table: str, version: int | str | None = None) -> Table:
    """A table at a version, a tag, or the latest audited version.

    Raises:
        NotFoundError: no such corpus, table or version.
    """
    ws.lake.check_table(corpus, table)
    try:
        view = ws.lake.open(corpus, table, version)
    except NotFoundError:
        tags = ws.lake.tags(corpus, table)
        near = did_you_mean(str(version), tags)
        listed = f"; tags are {', '.join(sorted(tags))}" if tags else ""
        raise NotFoundError(f"{corpus}.{table} has no version {version!r}{near or listed}") from None
    return Table(f"{corpus}.{table}", lance_uri(view.uri), int(view.version), view)
