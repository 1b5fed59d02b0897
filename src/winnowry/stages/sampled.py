"""Stage ``sampled``: which keepers are selected, decided from narrow columns of the whole corpus; reads no text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from winnowry.core.errors import UsageError
from winnowry.core.jsonable import digest
from winnowry.lakehouse.view import TableView
from winnowry.promotion.ledger import Ledger, read_ids
from winnowry.promotion.lineage import data_version
from winnowry.promotion.production import Candidate, Findings, Production, Rows, Work
from winnowry.reading.sample_columns import sample_columns
from winnowry.recipe.model import Recipe
from winnowry.records.kinds import TEXT, Kind
from winnowry.sampling.select import Selection, select
from winnowry.sampling.spec import SampleSpec
from winnowry.sampling.strata import range_labels

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
        self.kind = work.recipe.kind
        self.unit, self.per_unit = work.recipe.sample.drawn_unit(self.kind)
        self.spec: SampleSpec = work.recipe.sample.in_stored_sizes(self.per_unit)
        self.scored = work.table("scored")

    def rows(self) -> Iterator[Rows]:
        """Every scored record with its probability, its random number and whether it is selected."""
        spec, request = self.spec, self.work.request
        table = sample_columns(self.work.ws, self.work.recipe, self.work.gaps.unread)
        request.progress.start(request.stage.name, None, table.num_rows)
        strata = _strata(table, spec)
        self.selection = draw(self.work.recipe, table)
        self.shared = _shared(table, self.selection, self.work.recipe.gates.sampled.disjoint)
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
                self.kind.size_column: table[self.kind.size_column].cast(pa.int64()),
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
        budget = _budget(candidate.rows, selection, self.spec, self.kind)
        unit, per_unit = self.unit, self.per_unit
        return Findings(
            Ledger.of(ids, read_ids(candidate.rows), ids[:0]),
            outputs={work.partition: data_version(work.request.stage, work.recipe, work.inputs)},
            facts={"budget": budget, **({} if self.shared is None else {"shared": self.shared})},
            measures={f"selected_{unit}": selection.selected_tokens // per_unit, "selection": digest(budget)},
            metadata={
                f"budget_{unit}": selection.budget_tokens // per_unit,
                f"selected_{unit}": selection.selected_tokens // per_unit,
                f"unfilled_{unit}": selection.unfilled_tokens // per_unit,
                "selected_rows": int(selection.selected.sum()),
                "strata": [_in_unit(asdict(stratum), unit, per_unit) for stratum in selection.strata],
            },
            size=_drawn_size(candidate.rows, self.spec, self.kind),
        )


def _shared(table: pa.Table, selection: Selection, columns: tuple[str, str] | None) -> list[str] | None:
    """Values of the first column that lie in several of the second, among what is drawn; None where nobody asks."""
    if columns is None:
        return None
    drawn = table.filter(pa.array(selection.selected, pa.bool_())).select(list(dict.fromkeys(columns)))
    places: dict[str, set[str]] = {}
    for row in drawn.to_pylist():
        value, place = (row[name] for name in columns)
        if value is not None and place is not None:
            places.setdefault(str(value), set()).add(str(place))
    return [f"{value} in {', '.join(sorted(of))}" for value, of in sorted(places.items()) if len(of) > 1]


def draw(recipe: Recipe, table: pa.Table) -> Selection:
    """The sample of a recipe, from the columns of :func:`~winnowry.reading.sample_columns.sample_columns`."""
    assert recipe.sample is not None
    kind = recipe.kind
    spec = recipe.sample.in_stored_sizes(recipe.sample.drawn_unit(kind)[1])
    sizes = table[kind.size_column].to_numpy().astype(np.int64)
    if spec.counts_records(kind):
        sizes = np.ones_like(sizes)
    scores = table[spec.by].to_numpy(zero_copy_only=False).astype(np.float64) if spec.by else None
    strata = _strata(table, spec)
    return select(table["record_id"], scores, sizes, spec, strata, may_be_empty=kind.may_be_empty)


def _strata(table: pa.Table, spec: SampleSpec) -> pa.Array | None:
    """One label a row: the values of the strata columns, or the ranges that they are in, joined by ``|``."""
    parts = []
    for name in spec.strata:
        values = table[name].combine_chunks()
        labels = range_labels(values, spec.bins[name]) if name in spec.bins else values.cast(pa.string())
        parts.append(pa.compute.fill_null(labels, "null"))
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else pa.compute.binary_join_element_wise(*parts, "|")


def _in_unit(stratum: dict[str, Any], unit: str, per_unit: int) -> dict[str, Any]:
    """What was drawn from a stratum, its sizes named by the unit that was drawn in."""
    if unit == TEXT.unit:
        return stratum
    return {
        name.replace("tokens", unit): value / per_unit if "tokens" in name else value for name, value in stratum.items()
    }


def _drawn(size: str, spec: SampleSpec) -> str:
    return f"{size} * repeats" if spec.epochs else size


def _drawn_size(view: TableView, spec: SampleSpec, kind: Kind) -> int:
    """Size of what was selected in the unit of the kind, with repetitions."""
    drawn = _drawn(kind.size_column, spec)
    row = view.sql(f"SELECT COALESCE(SUM({drawn}), 0) AS drawn FROM dataset WHERE selected").to_pylist()[0]
    return int(row["drawn"]) // kind.sizes_per_unit


def _budget(view: TableView, selection: Selection, spec: SampleSpec, kind: Kind) -> dict[str, Any]:
    """What was selected, as read back from the candidate; sizes are named by the unit that was drawn in."""
    unit, per_unit = spec.drawn_unit(kind)
    size = "1" if spec.counts_records(kind) else kind.size_column
    row = view.sql(
        f"SELECT COALESCE(SUM({_drawn(size, spec)}), 0) AS drawn, COUNT(*) AS n, COALESCE(MAX({size}), 0) AS largest "
        "FROM dataset WHERE selected"
    ).to_pylist()[0]
    budget = {
        unit: int(selection.budget_tokens) // per_unit,
        "selected": int(row["n"]),
        f"selected_{unit}": int(row["drawn"]) // per_unit,
        "largest_record": -(-int(selection.largest_record) // per_unit),
        "mode": spec.mode,
    }
    return budget if unit == TEXT.unit else {**budget, "unit": unit}
