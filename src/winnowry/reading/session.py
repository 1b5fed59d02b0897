"""The tables as they were when a release was made, and bounded queries over them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from winnowry.reading.pushdown import PushdownDataset

if TYPE_CHECKING:
    import duckdb

    from winnowry.lakehouse.record import PromotionRecord
    from winnowry.lakehouse.view import TableView

_MEMORY = "768MB"  # of DuckDB; what does not fit goes to a temporary folder
_THREADS = 2
_BATCH_ROWS = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Tables:
    """Views of tables that belong together.

    Attributes:
        views: by table name; a table that does not exist is not in it.
        records: the newest promotion of every (stage, partition) at that time.
        older: they are not what is live now, so that side rows are picked by promotion.
    """

    views: dict[str, TableView]
    records: dict[tuple[str, str], PromotionRecord]
    older: bool = False

    def of_stage(self, stage: str) -> PromotionRecord | None:
        """The newest promotion of a stage at that time."""
        records = [record for (name, _), record in self.records.items() if name == stage]
        return max(records, key=lambda record: record.promoted_at or 0.0, default=None)

    def has(self, table: str, *columns: str) -> bool:
        """Whether a table is there, with these columns."""
        return table in self.views and set(columns) <= set(self.views[table].schema.names)


class Session:
    """A DuckDB session over the tables; only the columns that a query names are read.

    Args:
        connection: an open connection.
        tables: the tables; each is a view of its name, ``quarantine`` with the rows it had at that time.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, tables: Tables) -> None:
        self._connection = connection
        self.tables = tables
        for name, view in tables.views.items():
            connection.register(f"stored_{name}", PushdownDataset(view.dataset()))
            where = ""
            if name == "quarantine" and tables.older:
                ids = pa.table({"id": [str(record.id) for record in tables.records.values()]})
                connection.register("promotions_of_then", ids)
                where = " WHERE promotion_id IN (SELECT id FROM promotions_of_then)"
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM stored_{name}{where}")

    def add(self, name: str, view: TableView) -> None:
        """Let queries read one more table."""
        self._connection.register(f"stored_{name}", PushdownDataset(view.dataset()))
        self._connection.execute(f"CREATE VIEW {name} AS SELECT * FROM stored_{name}")

    def run(self, query: str) -> None:
        """Run a statement that gives no rows."""
        self._connection.execute(query)

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The rows of an aggregate."""
        rows: list[dict[str, Any]] = self._connection.sql(query, params=list(parameters)).to_arrow_table().to_pylist()
        return rows

    def one(self, query: str, parameters: Sequence[Any] = ()) -> dict[str, Any]:
        """The only row of an aggregate."""
        return self.rows(query, parameters)[0]

    def batches(self, query: str) -> Iterator[pa.RecordBatch]:
        """Stream the rows of a query."""
        yield from self._connection.sql(query).to_arrow_reader(_BATCH_ROWS)


@contextmanager
def session(tables: Tables) -> Iterator[Session]:
    """Open a session whose memory is bounded; what does not fit goes to a temporary folder."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="winnowry-release-") as scratch:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": _MEMORY,
            "temp_directory": scratch,
            "threads": _THREADS,
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        connection = duckdb.connect(":memory:", config=settings)
        try:
            connection.execute("SET python_enable_replacements = false")
            connection.execute("SET enable_progress_bar = false")
            connection.execute("SET TimeZone = 'UTC'")
            yield Session(connection, tables)
        finally:
            connection.close()
