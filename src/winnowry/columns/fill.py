"""Add a column to a living table: compute each fragment once, let the gate judge, commit, and look again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pyarrow as pa

from winnowry.columns.definitions import Definition, Definitions
from winnowry.columns.live_spec import spec_in
from winnowry.columns.spec import ColumnSpec
from winnowry.columns.values import ColumnTask, engine_for, publish_code, run_column_task
from winnowry.core.errors import ContractError, DataError, GateFailedError, LakehouseError, UsageError, WorkerLostError
from winnowry.core.progress import NoProgress, Progress
from winnowry.core.retry import Retry
from winnowry.core.sql import lance_identifier
from winnowry.engine.base import Engine
from winnowry.gates.checkpoint import run_checkpoint
from winnowry.gates.history import gate_rows
from winnowry.gates.result import GateResult
from winnowry.gates.suite import Suite
from winnowry.lakehouse.at_work import at_work
from winnowry.lakehouse.barrier import barrier
from winnowry.lakehouse.columns import (
    ColumnFile,
    column_versions,
    commit_column,
    fragment_key,
    plan_column,
    plan_replacement,
    stage_column,
)
from winnowry.lakehouse.record import WHOLE_TABLE
from winnowry.lakehouse.table import Table, is_conflict
from winnowry.lakehouse.view import TableView
from winnowry.lakehouse.workspace import Workspace
from winnowry.storage.named import storage_named

ColumnSuites = Callable[[str, Any, pa.Schema], list[Suite]]
"""Gives the suites of stage ``column``, for the specification and the table's schema with the column."""

_COMMITS = Retry(attempts=500, first_wait_s=0.01, longest_wait_s=0.64)
_APPENDS = Retry(attempts=20, first_wait_s=1.0, longest_wait_s=1.0, growth="constant")
_FAILED_SHOWN = 20
STAGE = "column"


@dataclass(frozen=True)
class ColumnResult:
    """What adding a column did.

    Attributes:
        status: ``added``; ``present`` where it was there already; ``trial`` where only some fragments were computed.
        column_version: hash of everything its values depend on.
        rows: live rows of the table.
        null_rows: of them, rows that should have a value and have none.
        fragments_computed: by this run.
        fragments_reused: files that an earlier, killed or refused run had written.
        commits_refused: times that another writer was first.
        rows_failed: rows without a value because the function failed on them (``on_error: null``).
        failed: the first of them: record id and error.
    """

    corpus: str
    table: str
    column: str
    type: str
    status: Literal["added", "present", "trial"]
    column_version: str
    table_version: int | None
    rows: int
    null_rows: int
    fragments: int
    fragments_computed: int
    fragments_reused: int
    commits_refused: int
    seconds: float
    gates: tuple[GateResult, ...] = ()
    rows_failed: int = 0
    failed: tuple[tuple[str, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON-serialisable data."""
        return asdict(self)


class ColumnGateFailed(GateFailedError):
    """The gate of a column refused it; the table is as it was, and the computed files are kept.

    Args:
        spec: the column.
        gates: what was judged.
    """

    def __init__(self, spec: ColumnSpec, gates: tuple[GateResult, ...]) -> None:
        self.gates = gates
        blocking = "\n".join(f"  {gate.suite}: {gate.message}" for gate in gates if gate.blocks)
        super().__init__(
            f"gate of column {spec.name} of {spec.table} refused it; the table is unchanged and the computed files are "
            f"kept.\n{blocking}",
            table=spec.table,
        )


def add_column(
    ws: Workspace,
    corpus: str,
    spec: ColumnSpec,
    *,
    suites: ColumnSuites,
    progress: Progress | None = None,
    fragments: int | None = None,
    take_place: bool = False,
    engine: Engine | None = None,
) -> ColumnResult:
    """Add a column, safely beside any number of other writers.

    Args:
        ws: the lake.
        corpus: the corpus.
        spec: the column.
        suites: gives the suites that judge it (stage ``column``).
        progress: receives the rows computed.
        fragments: a trial: compute so many fragments, report, and change nothing; their files are used later.
        take_place: where a column of this name was added with another specification, compute the new values beside
            the old ones and put them in their place in one commit.
        engine: what computes it where there are rows enough; None: the one that the environment names.

    Raises:
        UsageError: the table has another column of this name, or no rows.
        ColumnGateFailed: the gate refused it.
        DataError: computing it failed.
        LakehouseError: other writers won every commit.
        WorkerLostError: a process that computed it died.
        StorageError: the store or the disk failed.
    """
    fill = _Fill(ws, corpus, spec, suites, progress if progress is not None else NoProgress(), take_place, engine)
    again = "run the same again: what was computed is kept"
    work = f"column {spec.table}.{spec.name}"
    with (
        storage_named(f"column {corpus}/{spec.table}.{spec.name}", ws.root, then=again),
        at_work(ws, corpus, work),
    ):
        return fill.trial(fragments) if fragments is not None else fill.run()


class _Fill:
    def __init__(
        self,
        ws: Workspace,
        corpus: str,
        spec: ColumnSpec,
        suites: ColumnSuites,
        progress: Progress,
        take_place: bool,
        engine: Engine | None,
    ) -> None:
        self.take_place, self.engine = take_place, engine
        self.ws, self.corpus, self.spec, self.suites, self.progress = ws, corpus, spec, suites, progress
        self.table: Table = ws.lake.table(corpus, spec.table)
        self.definitions = Definitions(ws, corpus)
        self.started = time.perf_counter()
        # A file that waited longer than unreferenced files are kept is gone; its values are computed again.
        files = self.definitions.files(spec)
        self.files = {key: file for key, file in files.items() if ws.store.exists(f"{self.table.uri}/data/{file.path}")}
        self.files_before = set(self.files)
        self.computed: set[str] = set()
        self.used: set[str] = set()
        self.refused = 0
        self.gates: tuple[GateResult, ...] = ()

    def trial(self, n_fragments: int) -> ColumnResult:
        dataset = self.table.dataset()
        self._refuse_foreign(dataset, self.definitions.get(self.spec.table, self.spec.name))
        some = list(dataset.get_fragments())[:n_fragments]
        self._compute(dataset, some)
        keys = [fragment_key(dataset, fragment, self.spec.inputs) for fragment in some]
        rows = sum(fragment.count_rows() for fragment in some)
        nulls = sum(self.files[key].nulls for key in keys)
        return self._result("trial", None, rows, nulls, len(some))

    def run(self) -> ColumnResult:
        dataset = self.table.dataset()
        self._refuse_foreign(dataset, self.definitions.get(self.spec.table, self.spec.name))
        if not dataset.get_fragments():
            raise UsageError(f"{dataset.uri} has no rows: add the column when there are some")
        definition = self.definitions.claim(self.spec, take_place=self.take_place)
        try:
            return self._fill(definition)
        except (DataError, ContractError, UsageError, WorkerLostError) as error:
            self.definitions.fail(self.spec, error)
            raise

    def _fill(self, definition: Definition) -> ColumnResult:
        audited: frozenset[str] = frozenset()
        for attempt in _COMMITS.attempts_on():
            dataset = self.table.dataset()
            there = self.spec.name in dataset.schema.names
            if there and spec_in(self.table, dataset, definition).version == self.spec.version:
                return self._landed(dataset, definition)
            if attempt.number and self.definitions.get(self.spec.table, self.spec.name) is None:
                raise DataError(
                    f"column {self.spec.name} of {self.spec.table} was dropped while it was being computed",
                    table=self.spec.table,
                )
            present = list(dataset.get_fragments())
            self._compute(dataset, present)
            keys = {fragment.fragment_id: fragment_key(dataset, fragment, self.spec.inputs) for fragment in present}
            files = {number: self.files[key] for number, key in keys.items()}
            if there:
                assert definition.template is not None, f"{self.spec.name} is in the table, so its commit was planned"
                plan = plan_replacement(dataset, self.spec.field, files, definition.template)
            else:
                plan = plan_column(dataset, self.spec.field, files)
            if not frozenset(keys.values()) <= audited:
                self._audit(dataset, stage_column(dataset, plan))
                audited = frozenset(keys.values())
            # Known before the commit: a process that dies right after it leaves no column that later rows cannot get.
            if not there:
                self.definitions.note_template(definition, plan.template)
            names = [f"{self.spec.table}.lance/data/{file.path}" for file in files.values()]
            self.ws.lake.seals(self.corpus).seal(self.spec.table, f"column {self.spec.name}", names)
            version = commit_column(dataset, plan, self.spec.version)
            if version is not None:
                barrier.reach("column:committed")
                self.definitions.land(definition, self.spec, plan.template, version)
                return self._added(version)
            self.refused += 1
        raise LakehouseError(
            f"{self.table.uri}: column {self.spec.name} was refused {_COMMITS.attempts} times because other writers "
            "kept winning; its files are kept: run the command again",
            table=self.spec.table,
        )

    def _refuse_foreign(self, dataset: Any, definition: Definition | None) -> None:
        """Refuse a name that the table's own columns have, or an input it lacks."""
        spec = self.spec
        if spec.name in dataset.schema.names and definition is None:
            raise UsageError(f"{spec.table} has a column {spec.name} of its own; choose another name")
        twin = next((name for name in dataset.schema.names if name.lower() == spec.name.lower()), spec.name)
        if twin != spec.name:
            raise UsageError(f"{spec.table} has a column {twin}, which SQL does not tell apart from {spec.name}")
        missing = [name for name in spec.inputs if name not in dataset.schema.names]
        if missing:
            raise UsageError(f"{spec.table} has no column {', '.join(missing)}, which {spec.name} reads")

    def _compute(self, dataset: Any, fragments: Iterable[Any]) -> None:
        """Write the files that are not there yet."""
        missing = []
        for fragment in fragments:
            key = fragment_key(dataset, fragment, self.spec.inputs)
            if key in self.files:
                if key in self.files_before and key not in self.computed:
                    self.used.add(key)
            else:
                missing.append(fragment)
        if not missing:
            return
        self.progress.start(self.spec.name, None, sum(fragment.physical_rows for fragment in missing))
        code = publish_code(self.ws.store, self.spec)
        tasks = (ColumnTask(self.table, int(dataset.version), f.fragment_id, self.spec, code) for f in missing)
        for file in engine_for(self.spec, missing, self.engine).map(run_column_task, tasks):
            self.definitions.keep(self.spec, file)
            self.files[file.key] = file
            self.computed.add(file.key)
            self.progress.advance(file.rows)
            barrier.reach("column:computed")

    def _audit(self, dataset: Any, detached: int) -> None:
        """Let the suites judge the candidate, read back from the detached version."""
        spec = self.spec
        view = self.ws.lake.candidate_view(self.corpus, spec.table, detached, WHOLE_TABLE)
        facts = candidate_facts(dataset, view, spec)
        suites = self.suites(STAGE, spec, view.schema)
        outcome = run_checkpoint(view, suites, facts=facts, name=f"{self.corpus}.{spec.table}.{spec.name}", docs=None)
        self._remember(gate_rows(outcome.results, spec.version, spec.table, detached, WHOLE_TABLE))
        self.gates = tuple(outcome.results)
        if any(gate.blocks for gate in self.gates):
            raise ColumnGateFailed(spec, self.gates)

    def _remember(self, rows: pa.Table) -> None:
        """Add to the history of gates; when many people judge at once, Lance gives up an append after half a minute."""
        for attempt in _APPENDS.attempts_on(is_conflict, raise_last=True):
            with attempt:
                self.ws.lake.append_gates(self.corpus, rows)
                return

    def _landed(self, dataset: Any, definition: Definition) -> ColumnResult:
        """The column is in the table: a rival with the same specification, or this one before it was killed."""
        if definition.state != "live" or definition.next is not None:
            there = self.definitions.get(self.spec.table, self.spec.name)
            if there is not None and (there.state != "live" or there.next is not None):
                made = dict(reversed(list(column_versions(self.table, dataset, 0))))
                version = next((at for at, by in made.items() if by == self.spec.version), int(dataset.version))
                self.definitions.land(there, self.spec, there.template, version)
        return self._added(int(dataset.version), "present")

    def _added(self, version: int, status: Literal["added", "present"] = "added") -> ColumnResult:
        dataset = self.table.dataset(version)
        nulls = rows_without_value(
            TableView(self.table.uri, version, self.table.storage_options, self.table.name), self.spec
        )
        return self._result(status, version, dataset.count_rows(), nulls, len(dataset.get_fragments()))

    def _result(
        self, status: Literal["added", "present", "trial"], version: int | None, rows: int, nulls: int, fragments: int
    ) -> ColumnResult:
        return ColumnResult(
            corpus=self.corpus,
            table=self.spec.table,
            column=self.spec.name,
            type=str(self.spec.field.type),
            status=status,
            column_version=self.spec.version,
            table_version=version,
            rows=rows,
            null_rows=nulls,
            fragments=fragments,
            fragments_computed=len(self.computed),
            fragments_reused=len(self.used),
            commits_refused=self.refused,
            seconds=time.perf_counter() - self.started,
            gates=self.gates,
            rows_failed=sum(file.n_failed for file in self._needed()),
            failed=tuple((name, error) for file in self._needed() for name, error in file.failed)[:_FAILED_SHOWN],
        )

    def _needed(self) -> list[ColumnFile]:
        """Files that this run computed, or used from an earlier one."""
        return [self.files[key] for key in sorted(self.computed | self.used)]


def rows_without_value(view: TableView, spec: ColumnSpec) -> int:
    """Rows that should have a value and have null or NaN."""
    return view.count_rows(without_value(spec))


def without_value(spec: ColumnSpec) -> str:
    """The predicate of rows that should have a value and have null or NaN."""
    name = lance_identifier(spec.name)  # the name may be a word of SQL
    missing = f"{name} IS NULL"
    if pa.types.is_floating(spec.field.type):
        missing = f"({missing} OR isnan({name}))"
    return missing if spec.where is None else f"({spec.where}) AND {missing}"


def candidate_facts(before: Any, view: TableView, spec: ColumnSpec) -> Mapping[str, Any]:
    """What the gate judges: measured on the candidate, not reported by the code that computed it."""
    rows_expected = view.count_rows(spec.where)
    columns = {field.name: str(field.type) for field in view.schema}
    return {
        "column": {
            "name": spec.name,
            "rows_before": before.count_rows(),
            "rows_after": view.count_rows(),
            "wanted": rows_expected,
            "without_value": rows_without_value(view, spec),
            "others_before": {field.name: str(field.type) for field in before.schema if field.name != spec.name},
            "others_after": {name: kind for name, kind in columns.items() if name != spec.name},
            "type": columns.get(spec.name),
        },
        "column_types": columns,
    }
