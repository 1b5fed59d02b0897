"""What a partition keeps of objects that the landing no longer lists, where the recipe keeps what is gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from winnowry.core.tables import QUARANTINE
from winnowry.engine.tasks import CONTENT
from winnowry.lakehouse.blobs import blob_columns, copied_blobs
from winnowry.promotion.production import Work
from winnowry.stages.retraction import landed_uris

_ROWS_AT_ONCE, _BYTES_AT_ONCE = 256, 64 << 20


class GoneObjects:
    """Rows of the live promotion of ``raw`` whose objects are gone, and what it rejected of them.

    Args:
        work: of a partition of ``raw``.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._present = landed_uris(work.ws, work.recipe)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Rows as they were written, texts and bytes included."""
        view = self._work.part("raw")
        names = [name for name in view.schema.names if name != "promotion_id"]
        blobs = blob_columns(view.schema)
        dataset = view.dataset()
        scanner = dataset.scanner(
            columns=names, batch_size=_ROWS_AT_ONCE, batch_size_bytes=_BYTES_AT_ONCE, with_row_address=bool(blobs)
        )
        for batch in scanner.to_batches():
            gone = self._of_gone(batch)
            contents = copied_blobs(dataset, CONTENT, gone.column(CONTENT), gone.column("_rowaddr")) if blobs else None
            plain = gone.select([name for name in names if name not in blobs])
            for at, row in enumerate(plain.to_pylist()):
                yield {**row, "promotion_id": ""} | ({} if contents is None else {CONTENT: contents[at]})

    def rejected(self) -> Iterator[pa.RecordBatch]:
        """Rows of the quarantine."""
        for batch in self._work.part("quarantine", stage="raw").scan(columns=QUARANTINE.names):
            gone = self._of_gone(batch)
            if gone.num_rows:
                yield gone

    def _of_gone(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return batch.filter(pc.invert(pc.is_in(batch.column("uri"), value_set=self._present)))
