"""Judge a corpus: ask what no row answers yet, add what comes back, and say what it was."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from winnowry.core.errors import UsageError
from winnowry.judging.calls import Call, Order, Rollout, calls_of, questions_of, rollout_of
from winnowry.judging.client import Client, Transport
from winnowry.judging.failures import HOPELESS
from winnowry.judging.money import Budget
from winnowry.judging.spec import Judge
from winnowry.judging.store import Known, Outcome, Rubrics, Store, rows_of
from winnowry.judging.transport import OpenAITransport
from winnowry.lakehouse.at_work import at_work
from winnowry.lakehouse.workspace import Workspace
from winnowry.operators.rubric.selection import own_criteria
from winnowry.records.rubrics import Criterion, Rubric

logger = logging.getLogger(__name__)

_ROLLOUTS = "cleaned"
_COLUMNS = ("record_id", "prompt_id", "prompt", "text", "criteria", "reference")
_STORED_ROWS = 256
_STORED_S = 2.0
"""Answers are added at the latest when so many are there, or after so long: a killed run pays these again, no more."""

_HOPELESS = 10
"""Calls that fail for what is wrong with the judge before the run gives up; none has succeeded until then."""


class HasWorkspace(Protocol):
    """A lake of the Python API."""

    @property
    def workspace(self) -> Workspace:
        """What the rooms work on."""


@dataclass
class Summary:
    """What a run did.

    Attributes:
        corpus: of rollouts.
        judge: model that was asked.
        rollouts: answers that were looked at.
        questions: criteria of them that a judge decides, times repeats and orders.
        known: questions that earlier runs have answered.
        open: questions that a batch asks which is out.
        judged: questions that this run has answered.
        errors: questions without an answer, by why; they are in the table, and the next run asks them again.
        not_asked: questions that were not asked; ``stopped`` says why.
        stopped: why the run ended before all was asked; empty where it did not.
        skipped: answers that no judge can be asked about, by why.
        calls: that were made.
        cost_usd: of this run.
        estimated_usd: the part of it that the endpoint did not say.
        unsettled_usd: what may come on top of it, at most: calls whose reply was lost.
        spent_usd: of the judge in this corpus, over all runs.
        served: models that the endpoint says it has served, with their questions.
    """

    corpus: str
    judge: str
    rollouts: int = 0
    questions: int = 0
    known: int = 0
    open: int = 0
    judged: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    not_asked: int = 0
    stopped: str = ""
    skipped: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    cost_usd: float = 0.0
    estimated_usd: float = 0.0
    unsettled_usd: float = 0.0
    spent_usd: float = 0.0
    seconds: float = 0.0
    served: Counter[str] = field(default_factory=Counter)

    @property
    def complete(self) -> bool:
        """Whether every question has an answer."""
        return self.known + self.judged == self.questions

    def to_dict(self) -> dict[str, Any]:
        """The summary as JSON-serialisable data."""
        return {**asdict(self), "complete": self.complete}

    def count(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Count rows that were added."""
        for row in rows:
            if row["error"] is None:
                self.judged += 1
            else:
                self.errors[row["error"]] += 1
            self.calls += row["n_calls"]
            self.cost_usd += row["cost_usd"]
            self.estimated_usd += row["cost_usd"] if row["cost_estimated"] else 0.0
            self.unsettled_usd += row["unsettled_usd"]
            if row["served_model"] is not None:
                self.served[row["served_model"]] += 1


@dataclass(frozen=True)
class Plan:
    """What may be asked about a corpus.

    Attributes:
        ws: the lake.
        corpus: of rollouts.
        judge: who is asked.
        rubric: whose criteria every answer has; None: only those of its prompt.
        repeats: how often each question is asked.
        orders: in which orders labels are offered.
    """

    ws: Workspace
    corpus: str
    judge: Judge
    rubric: Rubric | None
    repeats: int
    orders: tuple[Order, ...]

    @property
    def rubric_names(self) -> Rubrics:
        """Which rubric rows name."""
        return Rubrics(self.rubric.rubric_id, self.rubric.hash) if self.rubric is not None else Rubrics()

    def calls(self, known: Known, summary: Summary) -> Iterator[Call]:
        """Requests for what no row answers; what there is to ask, and why not, is counted as it goes."""
        fixed = self.rubric.criteria if self.rubric is not None else ()
        for rollout, own in self._rollouts(summary):
            summary.rollouts += 1
            for repeat in range(self.repeats):
                for order in self.orders:
                    questions = list(questions_of(rollout, (*fixed, *own), self.judge, repeat, order))
                    summary.questions += len(questions)
                    missing = [question for question in questions if known.needs(question.key)]
                    n_open = sum(bytes.fromhex(question.key) in known.open for question in questions)
                    summary.open += n_open
                    summary.known += len(questions) - len(missing) - n_open
                    yield from calls_of(rollout, missing, self.judge, repeat, order)

    def _rollouts(self, summary: Summary) -> Iterator[tuple[Rollout, tuple[Criterion, ...]]]:
        view = self.ws.lake.open(self.corpus, _ROLLOUTS)
        names = [name for name in _COLUMNS if name in view.schema.names]
        if "text" not in names:
            raise UsageError(f"{self.corpus}.{_ROLLOUTS} has no column `text`: there is nothing to judge")
        fixed = {criterion.criterion_id for criterion in (self.rubric.criteria if self.rubric else ())}
        for batch in view.scan(columns=names):
            for row in batch.to_pylist():
                if row["text"] is None:
                    summary.skipped["no answer"] += 1
                    continue
                try:
                    own = own_criteria(row.get("criteria"))
                except UsageError:
                    summary.skipped["unusable criteria"] += 1
                    continue
                if fixed & {criterion.criterion_id for criterion in own}:
                    summary.skipped["a criterion of the prompt is called as one of the rubric"] += 1
                    continue
                yield rollout_of(row), own


def plan_of(
    lake: Workspace | HasWorkspace,
    corpus: str,
    judge: Judge,
    rubric: Rubric | None,
    repeats: int,
    orders: Sequence[Order],
) -> Plan:
    """What is asked, checked.

    Raises:
        NotFoundError: no such corpus or table.
        UsageError: wrong repeats or orders.
    """
    ws = lake if isinstance(lake, Workspace) else lake.workspace
    ws.lake.check_table(corpus, _ROLLOUTS)
    if repeats < 1:
        raise UsageError(f"repeats: {repeats}: expected 1 or more")
    if not orders or set(orders) - {"ab", "ba"} or len(set(orders)) < len(orders):
        raise UsageError(f"orders: {', '.join(map(str, orders)) or 'none'}: expected ab, ba or both")
    return Plan(ws, corpus, judge, rubric, repeats, tuple(orders))


def judge(
    lake: Workspace | HasWorkspace,
    corpus: str,
    judge: Judge,
    rubric: Rubric | None = None,
    *,
    repeats: int = 1,
    orders: Sequence[Order] = ("ab",),
    transport: Transport | None = None,
) -> Summary:
    """Ask a judge about every cleaned rollout of a corpus what the table ``judgements`` does not answer yet.

    What comes back is added as it comes, errors too: a run that was killed is called again, and asks what is missing.
    Weights, points, vetoes, interactions and scores of tiers may change without a question.

    Args:
        lake: the lake.
        corpus: of rollouts.
        judge: who is asked.
        rubric: whose criteria every answer is judged by, beside those of its prompt.
        repeats: how often each question is asked; more than once shows whether the judge agrees with itself.
        orders: in which orders labels are offered: ``ab`` worst first, ``ba`` best first.
        transport: sends requests; the official client when None.

    Returns:
        What was asked, answered and paid.

    Raises:
        NotFoundError: no such corpus or table.
        UsageError: endpoint, key, repeats or orders are wrong, or the extra is not installed; nothing was asked.
    """
    started = time.monotonic()
    plan = plan_of(lake, corpus, judge, rubric, repeats, orders)
    judge.key()
    store, summary = Store(plan.ws, corpus), Summary(corpus, judge.model)
    opened = nullcontext(transport) if transport is not None else closing(OpenAITransport(judge))
    with opened as sender, at_work(plan.ws, corpus, "winnowry judge"):
        known = store.known()
        budget = Budget(judge, known.spent[judge.model])
        run = _Run(plan, store, Client(judge, sender, budget), budget, summary)
        run.all(plan.calls(known, summary))
    summary.spent_usd = budget.spent.usd
    summary.seconds = time.monotonic() - started
    logger.info(
        "judged", extra={"corpus": corpus, "judge": judge.model, "rows": summary.judged, "usd": summary.cost_usd}
    )
    return summary


class _Run:
    """Calls on their way, and rows that wait to be added."""

    def __init__(self, plan: Plan, store: Store, client: Client, budget: Budget, summary: Summary) -> None:
        self._plan, self._store, self._client, self._budget = plan, store, client, budget
        self._summary = summary
        self._waiting: list[dict[str, Any]] = []
        self._added_at = time.monotonic()
        self._over = False
        self._hopeless: deque[str] = deque(maxlen=_HOPELESS)

    def all(self, calls: Iterator[Call]) -> None:
        """Ask until nothing is left or the run has to stop; what came back is added whatever happens."""
        judge = self._plan.judge
        on_their_way: dict[Future[Outcome | None], Call] = {}
        with ThreadPoolExecutor(judge.concurrency, thread_name_prefix="judge") as threads:
            try:
                for call in calls:
                    if self._summary.stopped:
                        self._summary.not_asked += len(call.questions)
                        continue
                    on_their_way[threads.submit(self._client.ask, call)] = call
                    while len(on_their_way) >= self._at_once():
                        self._collect(on_their_way)
                while on_their_way:
                    self._collect(on_their_way)
            except BaseException:
                self._client.stop.set()  # no attempt begins any more; those on their way are waited for
                while on_their_way:
                    self._collect(on_their_way)
                raise
            finally:
                self._add()
        if self._over:  # what was on its way then has cost something too
            self._summary.stopped = self._budget.exhausted

    def _at_once(self) -> int:
        """Calls on their way: one, until a reply has shown what a call costs; then as many as may be."""
        judge = self._plan.judge
        return 1 if judge.max_usd is not None and not self._budget.proven else 2 * judge.concurrency

    def _collect(self, on_their_way: dict[Future[Outcome | None], Call]) -> None:
        done, _ = wait(on_their_way, timeout=_STORED_S, return_when=FIRST_COMPLETED)
        for future in done:
            call = on_their_way.pop(future)
            outcome = future.result()
            if outcome is None:
                self._summary.not_asked += len(call.questions)
                self._over = not self._summary.stopped or self._over
                self._summary.stopped = self._summary.stopped or self._budget.exhausted
                continue
            rows = rows_of(call, outcome, self._plan.judge, self._plan.rubric_names)
            self._summary.count(rows)
            self._waiting += rows
            self._give_up_where_hopeless(rows)
        if len(self._waiting) >= _STORED_ROWS or time.monotonic() - self._added_at >= _STORED_S:
            self._add()

    def _give_up_where_hopeless(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """A wrong key or a wrong name of the model fails each call alike."""
        if self._summary.judged:
            return
        error = str(rows[0]["error"])
        self._hopeless.append(error)
        if len(self._hopeless) == _HOPELESS and set(self._hopeless) == {error} and error in HOPELESS:
            self._summary.stopped = f"{_HOPELESS} calls failed alike, and none succeeded: {error}: {rows[0]['detail']}"
            self._client.stop.set()

    def _add(self) -> None:
        self._store.append(self._waiting)
        self._waiting, self._added_at = [], time.monotonic()
