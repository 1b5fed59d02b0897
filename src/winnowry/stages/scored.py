"""Stage ``scored``: the scores of one partition's keepers, without their text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from winnowry.core.errors import UsageError
from winnowry.engine.operator_files import publish_files
from winnowry.engine.tasks import ChainResult, ChainTask, columns_read, run_chain_task, tasks_over
from winnowry.operators.scoring.correlation import spearman
from winnowry.promotion.ledger import read_ids
from winnowry.promotion.limits import refuse_many_errors
from winnowry.promotion.lineage import data_version, live
from winnowry.promotion.production import (
    Candidate,
    Findings,
    Production,
    Rejected,
    Rows,
    Work,
    chain_rows,
    ledger_of,
    unit_name,
)
from winnowry.promotion.trailing import trailing_facts
from winnowry.recipe.model import Recipe
from winnowry.recipe.tables import scored_schema, size_is_taken_over, written_fields
from winnowry.stages.fit import load_fits

_CORRELATION = "length_correlation_"


class Scored(Production):
    """Scores one partition; rows already scored from the same text with the same operators are carried over.

    Raises:
        UsageError: no operator counts the size of a record.
    """

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        recipe = work.recipe
        kind = recipe.kind
        self.size_from_cleaned = size_is_taken_over(recipe)
        if not self.size_from_cleaned and kind.size_column not in {f.name for f in written_fields(recipe.score)}:
            add = f"; add {kind.counted_by}" if kind.counted_by is not None else ""
            place = "score" if kind.in_tokens else "clean"
            raise UsageError(f"{recipe.corpus}: `{place}` has no operator that writes {kind.size_column}{add}")
        self.schema = scored_schema(recipe)
        self.cleaned = work.part("cleaned")
        self.dropped = dropped_ids(work)
        self.keepers = np.setdiff1d(read_ids(self.cleaned), np.asarray(sorted(self.dropped), dtype="S32"))
        self.carried: frozenset[str] = frozenset()
        self.fits = load_fits(work.ws, recipe)
        self.files = publish_files(work.ws.store, recipe.score)
        self.calls: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()

    def rows(self) -> Iterator[Rows | Rejected]:
        """Scores of every keeper.

        Raises:
            TooManyErrorsError: more rows crashed an operator than ``limits.max_error_fraction`` allows.
        """
        request = self.work.request
        request.progress.start(request.stage.name, request.partition, len(self.keepers))
        yield from self._carry_over()
        request.progress.advance(len(self.carried))
        if len(self.carried) < len(self.keepers):
            yield from chain_rows(self._results(), request.progress.advance)
        refuse_many_errors(request, self.errors, len(self.keepers))

    def _results(self) -> Iterator[ChainResult]:
        names = f"-without-{len(self.carried)}" if self.carried else ""
        tasks = tasks_over(self.cleaned, self._unit(0, 0).columns, self._unit)
        for result in self.work.run(run_chain_task, tasks, lambda task: unit_name(task) + names, [self.cleaned]):
            self.calls.update(result.calls)
            self.errors.update(result.errors)
            yield result

    def _unit(self, offset: int, n_rows: int) -> ChainTask:
        operators = self.work.recipe.score
        always = (
            "record_id",
            "partition",
            "parent_ids",
            *((self.work.recipe.kind.size_column,) if self.size_from_cleaned else ()),
        )
        return ChainTask(
            view=self.cleaned,
            columns=columns_read(operators, self.cleaned.schema.names, always),
            renamed={},
            operators=operators,
            offset=offset,
            n_rows=n_rows,
            stage=self.work.request.stage.name,
            fits=self.fits,
            leave_out=self.dropped | self.carried,
            files=self.files,
        )

    def _carry_over(self) -> Iterator[Rows]:
        """Copy the rows of the live promotion that still hold: only which records are keepers has changed."""
        work = self.work
        record = live(work.ws, work.recipe, "scored", work.partition)
        stage = work.request.stage
        if work.request.force or record is None or record.lineage.get("stage_hash") != stage.hash(work.recipe):
            return
        before = record.lineage.get("inputs", {})
        if any(before.get(key) != value for key, value in work.inputs.items() if not key.startswith("duplicates/")):
            return
        keepers = pa.array([value.decode() for value in self.keepers], pa.string())
        carried: list[str] = []
        for batch in work.part("scored").scan(columns=self.schema.names):
            carried_rows = batch.filter(pa.compute.is_in(batch.column("record_id"), value_set=keepers))
            if carried_rows.num_rows:
                carried += carried_rows.column("record_id").to_pylist()
                yield Rows(carried_rows)
        self.carried = frozenset(carried)

    def findings(self, candidate: Candidate) -> Findings:
        """Every keeper has its scores or is in quarantine; size, quantiles, correlation with size."""
        work = self.work
        measures = _measures(work.recipe, candidate.rows.to_table(columns=_numeric(self.schema)))
        correlations = {
            name.removeprefix(_CORRELATION): value for name, value in measures.items() if name.startswith(_CORRELATION)
        }
        return Findings(
            ledger_of(self.keepers, candidate),
            outputs={work.partition: data_version(work.request.stage, work.recipe, work.inputs)},
            facts={"trailing": trailing_facts(work.request), "measures": measures, "correlation": correlations},
            measures=measures,
            metadata={
                "operator_calls": dict(self.calls),
                "rows_carried_over": len(self.carried),
                "units_reused": work.units.reused,
                **measures,
            },
            size=int(measures.get(work.recipe.kind.unit, 0)),
        )


def dropped_ids(work: Work) -> frozenset[str]:
    """Ids of the work's partition that are not the keepers of their groups."""
    if work.partition not in work.ws.lake.partitions(work.recipe.corpus, "duplicates"):
        return frozenset()
    return frozenset(work.part("duplicates").to_table(columns=["record_id"])["record_id"].to_pylist())


def _numeric(schema: pa.Schema) -> list[str]:
    return [f.name for f in schema if pa.types.is_integer(f.type) or pa.types.is_floating(f.type)]


def _measures(recipe: Recipe, table: pa.Table) -> dict[str, float]:
    """Size, score quantiles and the score's rank correlation with size, for gates and drift."""
    kind = recipe.kind
    sizes = table[kind.size_column].to_numpy().astype(np.float64) / kind.sizes_per_unit
    measures: dict[str, float] = {"n_rows": float(table.num_rows), kind.unit: float(sizes.sum())}
    if table.num_rows:
        measures[f"mean_{kind.unit}"] = float(sizes.mean())
    by = recipe.sample.by if recipe.sample is not None else None
    if by is not None and by in table.schema.names and by != kind.size_column:
        score = table[by].to_numpy(zero_copy_only=False).astype(np.float64)
        known = ~np.isnan(score)
        if known.sum() >= 2:
            rho = spearman(score[known], sizes[known])
            if rho is not None:
                measures[f"{_CORRELATION}{by}"] = rho
            for quantile in (0.1, 0.5, 0.9):
                measures[f"{by}_p{int(quantile * 100)}"] = float(np.quantile(score[known], quantile))
            measures[f"{by}_mean"] = float(score[known].mean())
    return measures
