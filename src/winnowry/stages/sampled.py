"""Stage ``sampled``: which keepers are selected, decided from narrow columns of the whole corpus; reads no text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from winnowry.core.errors import UsageError
from winnowry.core.jsonable import digest
from winnowry.promotion.ledger import Ledger, read_ids
from winnowry.promotion.lineage import data_version
from winnowry.promotion.production import Candidate, Findings, Production, Rows, Work
from winnowry.reading.sample_columns import sample_columns
from winnowry.sampling.select import select
from winnowry.sampling.spec import SampleSpec

_ONE_STRATUM = "all"


class Sampled(Production):
    """Draws the sample that meets the recipe's budget.

    Raises:
        UsageError: the recipe has no ``sample``.
    """

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        if work.recipe.sample is None:
            raise UsageError(f"{work.recipe.corpus}: the recipe has no `sample`")
        self.spec: SampleSpec = work.recipe.sample
        self.scored = work.table("scored")

    def rows(self) -> Iterator[Rows]:
        """Every scored record with its probability, its random number and whether it is selected."""
        spec, request = self.spec, self.work.request
        table = sample_columns(self.work.ws, self.work.recipe)
        request.progress.start(request.stage.name, None, table.num_rows)
        tokens = table["n_tokens"].to_numpy().astype(np.int64)
        scores = table[spec.by].to_numpy(zero_copy_only=False).astype(np.float64) if spec.by else None
        strata = _strata(table, spec.strata)
        self.selection = select(table["record_id"], scores, tokens, spec, strata)
        request.progress.advance(table.num_rows)
        repeats = {"repeats": pa.array(self.selection.repeats, pa.int64())} if spec.epochs else {}
        drawn = pa.table(
            {
                "record_id": table["record_id"],
                "partition": table["partition"],
                "stratum": strata if strata is not None else pa.array([_ONE_STRATUM] * table.num_rows),
                "probability": pa.array(self.selection.probability, pa.float64()),
                "draw": pa.array(self.selection.draw, pa.float64()),
                "selected": pa.array(self.selection.selected, pa.bool_()),
                **repeats,
                "n_tokens": pa.array(tokens, pa.int64()),
            }
        ).sort_by([("partition", "ascending"), ("record_id", "ascending")])
        for partition in sorted(set(drawn["partition"].to_pylist())):
            rows = drawn.filter(pa.compute.equal(drawn["partition"], partition)).combine_chunks()
            for batch in rows.to_batches():
                yield Rows(batch)

    def findings(self, candidate: Candidate) -> Findings:
        """Every scored record is decided once, and the budget is met."""
        work, selection = self.work, self.selection
        ids = read_ids(self.scored)
        budget = _budget(candidate.rows, selection.budget_tokens, selection.largest_record, self.spec)
        return Findings(
            Ledger.of(ids, read_ids(candidate.rows), ids[:0]),
            outputs={work.partition: data_version(work.request.stage, work.recipe, work.inputs)},
            facts={"budget": budget},
            measures={"selected_tokens": selection.selected_tokens, "selection": digest(budget)},
            metadata={
                "budget_tokens": selection.budget_tokens,
                "selected_tokens": selection.selected_tokens,
                "unfilled_tokens": selection.unfilled_tokens,
                "selected_rows": int(selection.selected.sum()),
                "strata": [asdict(stratum) for stratum in selection.strata],
            },
            tokens=int(budget["selected_tokens"]),
        )


def _strata(table: pa.Table, names: tuple[str, ...]) -> pa.Array | None:
    """One label a row: the values of the strata columns joined by ``|``."""
    if not names:
        return None
    parts = [pa.compute.fill_null(table[name].cast(pa.string()), "null").combine_chunks() for name in names]
    return parts[0] if len(parts) == 1 else pa.compute.binary_join_element_wise(*parts, "|")


def _budget(view: Any, budget_tokens: int, largest_record: int, spec: SampleSpec) -> dict[str, Any]:
    """What was selected, as read back from the candidate."""
    tokens = "n_tokens * repeats" if spec.epochs else "n_tokens"
    row = view.sql(
        f"SELECT COALESCE(SUM({tokens}), 0) AS tokens, COUNT(*) AS n, COALESCE(MAX(n_tokens), 0) AS largest "
        "FROM dataset WHERE selected"
    ).to_pylist()[0]
    return {
        "tokens": int(budget_tokens),
        "selected": int(row["n"]),
        "selected_tokens": int(row["tokens"]),
        "largest_record": int(largest_record),
        "mode": spec.mode,
    }
