"""Conservation of records: every input is in the output or in the quarantine, once (promise 1).

The ids are read back from the candidates, never taken from counters of the code that wrote them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from winnowry.lakehouse.view import TableView

_LISTED = 20  # ids shown of each kind of mistake

Ids = npt.NDArray[np.bytes_]


def read_ids(view: TableView, where: str | None = None) -> Ids:
    """Record ids of a view, sorted, 32 bytes each; repeated ids stay repeated."""
    parts = [
        np.asarray(batch.column(0).to_pylist(), dtype="S32")
        for batch in view.scan(columns=["record_id"], where=where)
        if batch.num_rows
    ]
    return np.sort(np.concatenate(parts)) if parts else np.empty(0, dtype="S32")


@dataclass(frozen=True)
class Ledger:
    """Counts and mistakes of one promotion."""

    rows_in: int
    rows_out: int
    rows_quarantined: int
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)

    @staticmethod
    def of(inputs: Ids, outputs: Ids, quarantined: Ids) -> Ledger:
        """Anti-join sorted ids of the input against output ∪ quarantine."""
        accounted = np.sort(np.concatenate([outputs, quarantined]))
        repeated = accounted[:-1][accounted[1:] == accounted[:-1]] if len(accounted) > 1 else accounted[:0]
        return Ledger(
            rows_in=len(inputs),
            rows_out=len(outputs),
            rows_quarantined=len(quarantined),
            missing=_listed(np.setdiff1d(inputs, accounted)),
            unexpected=_listed(np.setdiff1d(accounted, inputs)),
            duplicated=_listed(np.unique(repeated)),
        )

    def counts(self) -> dict[str, int]:
        """Rows in, out and quarantined."""
        return {"rows_in": self.rows_in, "rows_out": self.rows_out, "rows_quarantined": self.rows_quarantined}

    def facts(self) -> dict[str, Any]:
        """What the ledger expectation judges."""
        return {
            **self.counts(),
            "missing": self.missing,
            "unexpected": self.unexpected,
            "duplicated": self.duplicated,
        }


def _listed(ids: Ids) -> list[str]:
    return [value.decode() for value in ids[:_LISTED]]
