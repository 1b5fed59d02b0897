"""How a stage makes its rows: what it is handed, what it yields, what it says of them afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import pyarrow as pa

from winnowry.core.ids import PromotionId
from winnowry.core.jsonable import digest
from winnowry.engine.tasks import ChainResult, ChainTask
from winnowry.gates.result import GateResult
from winnowry.lakehouse.record import PromotionRecord
from winnowry.lakehouse.view import TableView
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.gaps import Gaps
from winnowry.promotion.ledger import Ids, Ledger, read_descent, read_ids
from winnowry.promotion.request import Request
from winnowry.promotion.result import StageResult
from winnowry.promotion.units import KeptUnits
from winnowry.recipe.model import Recipe

Task = TypeVar("Task")


@dataclass(frozen=True)
class Rows:
    """Rows for the stage's table; those of one batch belong to one partition. ``promotion_id`` is added."""

    batch: pa.RecordBatch


@dataclass(frozen=True)
class Rejected:
    """Rows for the quarantine, with the columns of ``core.tables.QUARANTINE``; ``promotion_id`` is added."""

    batch: pa.RecordBatch


@dataclass(frozen=True)
class StartOver:
    """Nothing that was yielded so far is written: what came later has shown that some of it is wrong."""


@dataclass(frozen=True)
class Delta:
    """A stage that changes rows of its table instead of replacing a partition.

    Attributes:
        base_version: version that is changed.
        updated: fragments with rows deleted, as JSON.
        removed: ids of fragments that lose every row.
    """

    base_version: int
    updated: Sequence[Mapping[str, Any]]
    removed: Sequence[int]


@dataclass(frozen=True)
class Candidate:
    """What was staged and is seen by nobody yet.

    Attributes:
        rows: the new rows of the stage's table; of a :class:`Delta`, the whole table as it will be.
        rejected: the new rows of the quarantine.
    """

    rows: TableView
    rejected: TableView


@dataclass
class Findings:
    """What a stage says of its candidate.

    Attributes:
        ledger: the conservation check, from ids read back from the candidate.
        outputs: data versions of what was written, by partition or ``__all__``.
        facts: measurements that expectations judge, beside the ledger.
        measures: stored with the promotion, for later drift checks.
        metadata: more for the result.
        size: size written, in the unit of the kind of records, where the stage knows it.
        reasons: rows left out, by ``operator: rule``, where they do not lie in the quarantine.
        lineage: more for the lineage.
        shown: fields of the result that are not told from the above.
        verdicts: what the library itself judges, beside the suites of the stage.
    """

    ledger: Ledger
    outputs: dict[str, str]
    facts: dict[str, Any] = field(default_factory=dict)
    measures: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    size: int | None = None
    reasons: dict[str, int] = field(default_factory=dict)
    lineage: dict[str, Any] = field(default_factory=dict)
    shown: dict[str, Any] = field(default_factory=dict)
    verdicts: tuple[GateResult, ...] = ()


@dataclass
class Work:
    """What a production is handed.

    Attributes:
        request: what was asked for.
        inputs: data version of each input, keyed ``stage/partition`` or ``stage``.
        gaps: what a corpus-wide stage goes on without, and what it takes as it was.
        promotion_id: of this attempt.
        replaces: the live promotion of the same partition.
        read: version of every table that was opened, by name; recorded in the lineage.
    """

    request: Request
    inputs: dict[str, str]
    gaps: Gaps
    promotion_id: PromotionId
    replaces: PromotionId | None
    read: dict[str, int] = field(default_factory=dict)
    _units: KeptUnits | None = None

    @property
    def ws(self) -> Workspace:
        """The lake."""
        return self.request.ws

    @property
    def recipe(self) -> Recipe:
        """The recipe."""
        return self.request.recipe

    @property
    def partition(self) -> str:
        """Partition key, or ``__all__``."""
        return self.request.key

    def table(self, name: str) -> TableView:
        """A table as readers see it now; without the partitions that a corpus-wide stage leaves out."""
        return self._note(self.ws.lake.open_without(self.recipe.corpus, name, self.gaps.unread))

    def part(self, name: str, partition: str | None = None, stage: str = "") -> TableView:
        """The rows of one partition of a table: of this one when None."""
        key = partition if partition is not None else self.partition
        return self._note(self.ws.lake.partition_view(self.recipe.corpus, name, key, stage))

    def _note(self, view: TableView) -> TableView:
        self.read[view.name] = view.version
        return view

    @property
    def units(self) -> KeptUnits:
        """Units of work that earlier attempts finished, and this one finishes."""
        if self._units is None:
            request = self.request
            key = digest([request.stage.rows_hash(request.recipe), sorted(self.inputs.items()), self.replaces])
            self._units = KeptUnits(
                request.ws.store,
                request.ws.lake.corpus_uri(request.corpus),
                request.stage.name,
                request.key,
                key,
                fresh=request.force,
            )
        return self._units

    def run(
        self,
        function: Callable[[Task], ChainResult],
        tasks: Iterator[Task],
        name_of: Callable[[Task], str],
        views: Sequence[TableView],
    ) -> Iterator[ChainResult]:
        """Results of tasks in order, on the request's engine; what an earlier attempt finished is not run again.

        Args:
            function: called in a worker.
            tasks: units of work.
            name_of: says which rows a task is about, as places in ``views``.
            views: what the rows are read from. Upkeep, or landing files under other names, can put the same data in
                another order: units are of the rows as they lie.
        """
        layout = digest([view.layout() for view in views])[:16]
        named = [(f"{name_of(task)}-{layout}", task) for task in tasks]
        yield from self.units.results(named, lambda rest: self.request.engine.map(function, rest))

    def finished(self) -> None:
        """The rows are promoted: no unit is needed any more."""
        if self._units is not None:
            self._units.clear()


class Production:
    """Makes the rows of one stage for one partition. A stage's file has a subclass, which the graph names.

    Args:
        work: what it is made from.
    """

    side_key: ClassVar[tuple[str, str] | None] = None
    """Stage and partition of its rows in the quarantine, where they are not its own."""

    watches_table: ClassVar[bool] = False
    """Whether :meth:`reaudit` is asked when the table moved between audit and promotion."""

    by_suites: ClassVar[bool] = True
    """Whether the suites of the stage judge its rows."""

    def __init__(self, work: Work) -> None:
        self.work = work

    def rows(self) -> Iterator[Rows | Rejected | StartOver]:
        """Yield every row once: kept, or rejected."""
        raise NotImplementedError

    def delta(self) -> Delta | None:
        """What of the table's own rows goes, asked once all rows were yielded; None where rows are replaced whole."""
        return None

    def findings(self, candidate: Candidate) -> Findings:
        """Balance the ledger and measure, from what was staged."""
        raise NotImplementedError

    def outcome(self) -> Findings:
        """Do the work of a stage that writes no table; it has neither rows nor a candidate."""
        raise NotImplementedError

    @classmethod
    def reaudit(cls, request: Request, record: PromotionRecord) -> None:
        """Ask the rules over the whole table again; raises to refuse the candidate."""

    @classmethod
    def settle(cls, ws: Workspace, recipe: Recipe, *, promoted: bool) -> None:
        """Do what follows a promotion, as often as asked: indexes, tags.

        Args:
            ws: the lake.
            recipe: the recipe.
            promoted: whether a promotion has just landed; False before one is made, and where nothing is to be done.
        """

    @classmethod
    def present(cls, ws: Workspace, result: StageResult) -> StageResult:
        """The result as people get it, with documents beside the table."""
        return result


def ledger_of(inputs: Ids, candidate: Candidate) -> Ledger:
    """The ledger of a stage whose inputs are kept or rejected one by one."""
    return Ledger.of(inputs, read_ids(candidate.rows), read_ids(candidate.rejected))


def derived_ledger_of(inputs: Ids, candidate: Candidate) -> Ledger:
    """The ledger of a stage that may replace an input by records made of it."""
    return Ledger.derived(inputs, read_descent(candidate.rows), read_descent(candidate.rejected))


def chain_rows(results: Iterator[ChainResult], advance: Callable[[int], None]) -> Iterator[Rows | Rejected]:
    """Rows of a chain of operators, result by result."""
    for result in results:
        if result.kept is not None:
            yield Rows(result.kept)
        for batch in result.quarantined:
            yield Rejected(batch)
        advance(result.rows)


def unit_name(task: ChainTask) -> str:
    """Names the rows of a task."""
    return f"{task.offset:012d}-{task.n_rows:06d}"
