"""Conservation of records: every input is in the output or in the quarantine, once (promise 1).

An input that a derivation replaced is *consumed*: rows in the output or in the quarantine name it as their parent. The
ids and parents are read back from the candidates, never taken from counters of the code that wrote them.
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
class Descent:
    """Ids of n rows and the parents that they name.

    Attributes:
        ids: n ids, sorted.
        parents: the parents of all rows, one row's behind the other's.
        counts: how many parents each row names; 0 for a row that was made of no other.
    """

    ids: Ids
    parents: Ids
    counts: npt.NDArray[np.int64]


def read_descent(view: TableView) -> Descent:
    """Ids and parents of a view, sorted by id; repeated ids stay repeated. The view has ``parent_ids``."""
    ids: list[str] = []
    parents: list[list[str]] = []
    for batch in view.scan(columns=["record_id", "parent_ids"]):
        ids += batch.column(0).to_pylist()
        parents += [named or [] for named in batch.column(1).to_pylist()]
    order = np.argsort(np.asarray(ids, dtype="S32"), kind="stable")
    ordered = [parents[row] for row in order]
    return Descent(
        np.asarray(ids, dtype="S32")[order],
        np.asarray([parent for named in ordered for parent in named], dtype="S32"),
        np.asarray([len(named) for named in ordered], dtype=np.int64),
    )


@dataclass(frozen=True)
class Ledger:
    """Counts and mistakes of one promotion.

    Attributes:
        rows_derived: rows of the output and of the quarantine that name parents.
        rows_consumed: inputs that such rows name.
        inputs_kept: inputs that are in the output or have a descendant there; None where no row was derived.
    """

    rows_in: int
    rows_out: int
    rows_quarantined: int
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    rows_derived: int = 0
    rows_consumed: int = 0
    inputs_kept: int | None = None

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

    @staticmethod
    def derived(inputs: Ids, kept: Descent, quarantined: Descent) -> Ledger:
        """Account for inputs that were kept, quarantined or consumed.

        Every input is one of the three. Every row is an input, or names parents all of which are inputs. No id stands
        twice, and no consumed input stands beside its children.

        Args:
            inputs: sorted ids.
            kept: rows of the output.
            quarantined: rows of the quarantine.
        """
        by_id = Ledger.of(inputs, kept.ids, quarantined.ids)
        counts = np.concatenate([kept.counts, quarantined.counts])
        ids = np.concatenate([kept.ids, quarantined.ids])
        parents = np.concatenate([kept.parents, quarantined.parents])
        consumed = np.intersect1d(parents, inputs)
        orphaned = np.zeros(len(ids), bool)
        orphaned[np.repeat(np.arange(len(ids)), counts)[~np.isin(parents, inputs)]] = True
        unexpected = np.unique(ids[np.where(counts > 0, orphaned, ~np.isin(ids, inputs))])
        beside_children = np.intersect1d(ids, consumed)
        lost = np.setdiff1d(np.setdiff1d(inputs, ids), consumed)
        survivors = np.intersect1d(np.concatenate([kept.ids, kept.parents]), inputs)
        n_derived = int((counts > 0).sum())
        return Ledger(
            rows_in=by_id.rows_in,
            rows_out=by_id.rows_out,
            rows_quarantined=by_id.rows_quarantined,
            missing=_listed(lost),
            unexpected=_listed(unexpected),
            duplicated=[*by_id.duplicated, *_listed(beside_children)][:_LISTED],
            rows_derived=n_derived,
            rows_consumed=len(consumed),
            inputs_kept=len(survivors) if n_derived else None,
        )

    @property
    def kept_fraction(self) -> float:
        """Share of the inputs of which something was kept; 0 without inputs."""
        kept = self.rows_out if self.inputs_kept is None else self.inputs_kept
        return kept / self.rows_in if self.rows_in else 0.0

    def counts(self) -> dict[str, int]:
        """Rows in, out and quarantined; rows derived and consumed where there are any."""
        counts = {"rows_in": self.rows_in, "rows_out": self.rows_out, "rows_quarantined": self.rows_quarantined}
        if self.inputs_kept is not None:
            counts |= {
                "rows_derived": self.rows_derived,
                "rows_consumed": self.rows_consumed,
                "inputs_kept": self.inputs_kept,
            }
        return counts

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
