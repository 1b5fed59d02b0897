"""``text.repair_encoding``: undo wrong decoding, and measure what cannot be undone."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from winnowry.operators.buffers import TEXT, as_text, column, ratio, utf8_buffers
from winnowry.operators.text.heuristic import Heuristic, Limits
from winnowry.operators.text.normalize_unicode import repair_encoding

_REPLACEMENT = "\ufffd"


class RepairEncoding(Heuristic):
    """Repair characters that were decoded wrongly, with ftfy, and measure how much was and stays damaged.

    Does what ``fix_encoding`` of text.normalize_unicode does, and nothing else, for recipes that want the damage as
    columns: UTF-8 read as a one-byte encoding becomes the characters it was (``cafÃ©``: ``café``), line by line; a
    character that a decoder has replaced (U+FFFD) is lost.

    Writes ``text`` (or the column named by ``as``; null stays null), ``n_repaired_lines`` (int64: lines that changed)
    and ``replacement_ratio`` (float64, 0 to 1: share of the characters that are U+FFFD; 0.0 for an empty text), both
    null for a null text, prefixed by ``as`` and ``_`` where that is set.

    Source: Speer 2019, ftfy, doi:10.5281/zenodo.2591652.
    """

    LIMITS: ClassVar[Limits] = (("max_replacement_ratio", "replacement_ratio", "<="),)

    op: Literal["text.repair_encoding"] = "text.repair_encoding"
    max_replacement_ratio: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Largest share of lost characters (U+FFFD) to keep, 0 to 1; off unless set. "
        "Source: choice of this project; the sources refuse more than 0.1.",
    )

    def writes(self) -> pa.Schema:
        """``text``, replaced; ``n_repaired_lines``; ``replacement_ratio``."""
        return pa.schema(
            [
                pa.field(self.as_ or "text", TEXT),
                pa.field(self._name("n_repaired_lines"), pa.int64()),
                pa.field(self._name("replacement_ratio"), pa.float64()),
            ]
        )

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Repair n texts."""
        text = as_text(batch.column("text"))
        valid = utf8_buffers(text).valid
        n_repaired = np.zeros(len(text), dtype=np.int64)
        suspects = pc.fill_null(pc.invert(pc.string_is_ascii(text)), False)
        rows = np.flatnonzero(suspects.to_numpy(zero_copy_only=False))
        if len(rows):
            values = text.to_pylist()
            for row in rows.tolist():
                repaired = repair_encoding(values[row])
                if repaired != values[row]:
                    n_repaired[row] = _changed_lines(values[row], repaired)
                    values[row] = repaired
            text = pa.array(values, TEXT)
        lost = pc.fill_null(pc.count_substring(text, _REPLACEMENT), 0).to_numpy().astype(np.int64)
        length = pc.fill_null(pc.utf8_length(text), 0).to_numpy().astype(np.int64)
        return pa.record_batch([text, column(n_repaired, valid), column(ratio(lost, length), valid)], self.writes())


def _changed_lines(before: str, after: str) -> int:
    old, new = before.split("\n"), after.split("\n")
    return sum(one != other for one, other in zip(old, new, strict=False)) + abs(len(old) - len(new))
