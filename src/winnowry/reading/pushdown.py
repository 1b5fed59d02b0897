"""A Lance dataset for DuckDB: every filter that DuckDB pushes down is applied, by Lance or after the scan.

DuckDB hands its filters to the scan and does not apply them again. Lance reads them as Substrait, which cannot say
large strings, large binaries or fields of structs (pylance 14.0.2); those are filtered batch by batch as they leave
the scan, in bounded memory.
"""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from winnowry.lakehouse.blobs import blob_columns


class PushdownDataset(ds.Dataset):  # type: ignore[misc]
    """Wraps a Lance dataset.

    Args:
        dataset: the Lance dataset, at the version to be read.
    """

    def __init__(self, dataset: Any) -> None:
        # Not super().__init__(): Arrow's own datasets are made in C++, and this one only forwards.
        self._dataset = dataset

    @property
    def schema(self) -> pa.Schema:
        """Schema of what a scan gives: of large objects where they lie and their size, not their bytes."""
        return self._dataset.scanner().projected_schema if blob_columns(self._dataset.schema) else self._dataset.schema

    def scanner(
        self, columns: list[str] | None = None, filter: pc.Expression | None = None, **options: Any
    ) -> ds.Scanner:
        """A scan of some columns and of the rows that pass the filter.

        Args:
            columns: what is read; all when None.
            filter: Arrow expression.
            options: passed on to Lance.
        """
        names = list(self.schema.names) if columns is None else list(columns)
        scanner = self._dataset.scanner(columns=names, filter=filter, **options)
        if filter is None or _understood(scanner):
            return scanner
        # A name that occurs in the expression's text but is not used by it costs a column, not correctness.
        text = str(filter)
        used = [n for n in self.schema.names if n in names or re.search(rf"(?<!\w){re.escape(n)}(?!\w)", text)]
        batches = self._dataset.scanner(columns=used, **options).to_reader()
        return ds.Scanner.from_batches(batches, columns=names, filter=filter)


def _understood(scanner: Any) -> bool:
    try:
        scanner.explain_plan()
    except ValueError:
        return False
    return True
