"""Judging without a connection: files of the Batch API, requests written and results read.

The table says what is out: while a batch is, its questions are rows whose ``error`` is ``open``. Results are read in
any order and from any number of files; what is in none of them stays open until it is declared missing.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from winnowry.core.errors import UsageError
from winnowry.core.jsonable import digest
from winnowry.judging.answers import Verdict, read_answer
from winnowry.judging.calls import Call, Order
from winnowry.judging.failures import Failure, error_of, failure_of
from winnowry.judging.money import NO_USAGE, Budget, usage_of
from winnowry.judging.run import HasWorkspace, Plan, Summary, plan_of
from winnowry.judging.spec import Judge
from winnowry.judging.store import MISSING, OPEN, Failed, Known, Outcome, Store, rows_of
from winnowry.lakehouse.at_work import at_work
from winnowry.lakehouse.workspace import Workspace
from winnowry.records.rubrics import Rubric

_URL = "/v1/chat/completions"
_STORED_ROWS = 4096


@dataclass
class Results:
    """What files of results held.

    Attributes:
        judged: questions with a verdict.
        errors: questions without one, by why; they may be asked again.
        unchanged: questions of results that were read before.
        missing: questions that are out and in none of the files; still open, unless declared missing.
        unknown: lines of requests that nobody here has asked; they are stored nowhere.
        unreadable: lines that are no results, with file and number.
        cost_usd: of all lines that were billed, the repeated ones too.
    """

    judged: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    unchanged: int = 0
    missing: int = 0
    unknown: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    cost_usd: float = 0.0


def write_requests(
    lake: Workspace | HasWorkspace,
    corpus: str,
    judge: Judge,
    rubric: Rubric | None,
    path: str | os.PathLike[str],
    *,
    repeats: int = 1,
    orders: Sequence[Order] = ("ab",),
) -> Summary:
    """Write what the table does not answer yet as a file of requests; it is open from then on, and not asked twice.

    Args:
        lake: the lake.
        corpus: of rollouts.
        judge: who will be asked; its limits hold, each request counted at its most.
        rubric: see :func:`~winnowry.judging.run.judge`.
        path: the file, JSON Lines; it must not be there.
        repeats: as there.
        orders: as there.

    Returns:
        What was written: ``open`` counts its questions too.

    Raises:
        UsageError: the file is there or cannot be written, or what ``judge`` raises.
    """
    plan = plan_of(lake, corpus, judge, rubric, repeats, orders)
    with at_work(plan.ws, corpus, "winnowry judge"):
        return _write(plan, Path(path))


def _write(plan: Plan, place: Path) -> Summary:
    corpus, judge, store = plan.corpus, plan.judge, Store(plan.ws, plan.corpus)
    known = store.known()
    budget = Budget(judge, known.spent[judge.model])
    summary = Summary(corpus, judge.model)
    rows: list[dict[str, Any]] = []
    try:
        with place.open("xb") as file:
            for call in plan.calls(known, summary):
                body = call.body(judge)
                most = budget.reserve(len(orjson.dumps(body["messages"])))
                if most is None:
                    summary.stopped = summary.stopped or budget.exhausted
                    summary.not_asked += len(call.questions)
                    continue
                line = {"custom_id": call.call_id, "method": "POST", "url": _URL, "body": body}
                file.write(orjson.dumps(line) + b"\n")
                out = Failed(OPEN, f"in {place.name}")
                outcome = Outcome(tuple(out for _ in call.questions), n_calls=0, unsettled_usd=most)
                rows += rows_of(call, outcome, judge, plan.rubric_names)
                summary.open += len(call.questions)
                summary.unsettled_usd += most
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise UsageError(f"{place}: is there already; its requests may be out. Write to another file") from None
    except OSError as error:
        raise UsageError(f"{place}: cannot be written: {error.strerror or error}") from None
    store.append(rows)
    return summary


def read_results(
    lake: Workspace | HasWorkspace,
    corpus: str,
    judge: Judge,
    rubric: Rubric | None,
    paths: Sequence[str | os.PathLike[str]],
    *,
    repeats: int = 1,
    orders: Sequence[Order] = ("ab",),
    declare_missing: bool = True,
) -> Results:
    """Read files of results: what succeeded, what failed, in any order; reading them again changes nothing.

    Args:
        lake: the lake.
        corpus: of rollouts.
        judge: who was asked.
        rubric: that the requests were written with.
        paths: files of output and of errors; one that is not there is an error, for all may have failed.
        repeats: as the requests were written with.
        orders: as there.
        declare_missing: what is out and in none of the files is not open any more: the next run asks it again.

    Raises:
        UsageError: a file is not there, with what to look for; nothing was stored.
    """
    plan = plan_of(lake, corpus, judge, rubric, repeats, orders)
    with at_work(plan.ws, corpus, "winnowry judge"):
        return _read(plan, paths, declare_missing)


def _read(plan: Plan, paths: Sequence[str | os.PathLike[str]], declare_missing: bool) -> Results:
    judge, store, results = plan.judge, Store(plan.ws, plan.corpus), Results()
    known = store.known()
    lines = _lines(paths, results)
    out = {call.call_id: call for call in _calls_of(plan, known.open)}
    given_up = {call.call_id: call for call in _calls_of(plan, known.missing)}
    before = {row["call_id"] for row in _closed(store)}
    rows: list[dict[str, Any]] = []
    for name in sorted(lines):
        call = out.pop(name, None) or given_up.pop(name, None)
        if call is None:
            if name in before:
                results.unchanged += 1
            else:
                results.unknown.append(name)
            continue
        rows += rows_of(call, _outcome(call, lines[name], judge), judge, plan.rubric_names)
    for call in out.values():
        results.missing += len(call.questions)
        if declare_missing:
            none = Failed(MISSING, "in none of the files of results")
            outcome = Outcome(tuple(none for _ in call.questions), n_calls=0)
            rows += rows_of(call, outcome, judge, plan.rubric_names)
    for row in rows:
        results.cost_usd += row["cost_usd"]
        if row["error"] is None:
            results.judged += 1
        elif row["error"] != MISSING:
            results.errors[row["error"]] += 1
    for start in range(0, len(rows), _STORED_ROWS):
        store.append(rows[start : start + _STORED_ROWS])
    return results


def _closed(store: Store) -> Iterator[Mapping[str, Any]]:
    """Rows of calls that are not open."""
    for batch in store.scan(["call_id", "error"]):
        yield from (row for row in batch.to_pylist() if row["error"] != OPEN)


def _calls_of(plan: Plan, call_of: Mapping[bytes, str]) -> Iterator[Call]:
    """Calls of a batch, made again from what they are about: each as it was, by its id.

    Args:
        plan: what may be asked.
        call_of: the call of each key.
    """
    if not call_of:
        return
    nothing = Known()
    wanted: dict[str, list[Any]] = {}
    contexts: dict[str, Call] = {}
    for call in plan.calls(nothing, Summary(plan.corpus, plan.judge.model)):
        for question in call.questions:
            name = call_of.get(bytes.fromhex(question.key))
            if name is not None:
                wanted.setdefault(name, []).append(question)
                contexts[name] = call
    for name, questions in wanted.items():
        context = contexts[name]
        call = Call(context.rollout, tuple(questions), context.repeat, context.order)
        if call.call_id == name:
            yield call


def _lines(paths: Sequence[str | os.PathLike[str]], results: Results) -> dict[str, list[dict[str, Any]]]:
    """Lines of all files, by what they answer."""
    missing = [str(path) for path in paths if not Path(path).is_file()]
    if missing or not paths:
        raise UsageError(
            f"no file of results at {', '.join(missing) or 'any path'}: a batch of which every request failed has only "
            "a file of errors, and one that has expired may have none; give the files that are there"
        )
    lines: dict[str, list[dict[str, Any]]] = {}
    for path in paths:
        with Path(path).open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    item = orjson.loads(line)
                    lines.setdefault(str(item["custom_id"]), []).append(item)
                except (orjson.JSONDecodeError, KeyError, TypeError):
                    results.unreadable.append(f"{path}:{number}")
    return lines


def _outcome(call: Call, lines: Sequence[Mapping[str, Any]], judge: Judge) -> Outcome:
    """What became of a call, of all lines that answer it; where they differ none of them counts."""
    distinct: dict[str, tuple[tuple[Any, ...], str]] = {}
    usage, n_calls, served = NO_USAGE, 0, None
    for line in lines:
        response = line.get("response")
        response = response if isinstance(response, Mapping) else {}
        body = response.get("body")
        body = body if isinstance(body, Mapping) else {}
        status = response.get("status_code")
        status = status if isinstance(status, int) else 0
        error = line.get("error") or error_of(body)
        if error or status >= 400 or not body:
            failure: Failure = failure_of(status or 200, error or body or "no response")
            verdicts: tuple[Any, ...] = tuple(Failed(failure.kind, failure.detail) for _ in call.questions)
            raw = failure.detail
        else:
            answer = read_answer(body, call.questions, judge)
            verdicts, raw = answer.verdicts, answer.raw
            asked = len(orjson.dumps(call.body(judge)["messages"]))
            usage = usage.plus(usage_of(body, asked, len(raw.encode())))
            n_calls += 1
            served = body.get("model") if isinstance(body.get("model"), str) else served
        distinct[digest([[v.tier, v.error] for v in verdicts])] = verdicts, raw
    successes = [pair for pair in distinct.values() if any(v.tier is not None for v in pair[0])]
    chosen = successes or list(distinct.values())
    raw = "\n".join(raw for _, raw in chosen)
    verdicts = tuple(_one([pair[0][at] for pair in chosen]) for at in range(len(call.questions)))
    return Outcome(verdicts, raw, usage, n_calls, served)


def _one(verdicts: Sequence[Verdict | Failed]) -> Verdict | Failed:
    """The only verdict; where two lines say different things neither counts."""
    tiers = {verdict.tier for verdict in verdicts if verdict.tier is not None}
    if len(tiers) > 1:
        return Failed("conflicting", f"results that differ: {', '.join(sorted(map(str, tiers)))}")
    return next((verdict for verdict in verdicts if verdict.tier is not None), verdicts[0])
