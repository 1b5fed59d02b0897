"""Asks a judge: paces calls, tries again, keeps to the budget. It alone tries again; the official client must not."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import orjson

from winnowry.core.retry import Retry
from winnowry.judging import answers, failures
from winnowry.judging.answers import Answer, Verdict, read_answer
from winnowry.judging.calls import Call
from winnowry.judging.failures import Failure, error_of, failure_of, without_keys, without_secrets
from winnowry.judging.money import NO_USAGE, Budget, Usage, cost, usage_of
from winnowry.judging.spec import Judge
from winnowry.judging.store import Failed, Outcome

logger = logging.getLogger(__name__)

_READINGS = 3
"""Answers to one request that cannot be read: asked more often, a judge costs more and says the same."""


class Reply(NamedTuple):
    """What came back over HTTP.

    Attributes:
        status: of HTTP.
        headers: with names in lower case.
        body: all of it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class NotReached(Exception):
    """The endpoint was not reached: nothing was asked."""


class ReplyLost(Exception):
    """It was asked, and no whole reply came: it may have answered, and may bill it.

    Args:
        message: for people.
        timed_out: nothing came in time.
    """

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


class Transport(Protocol):
    """What sends a request once, and never again by itself."""

    def send(self, body: Mapping[str, Any], timeout_s: float) -> Reply:
        """POST to ``/chat/completions``.

        Raises:
            NotReached: nothing was sent.
            ReplyLost: no whole reply came.
        """


class Pace:
    """When the next call may begin; all threads of a run share it.

    Args:
        per_s: calls a second, at most.
        stop: waiting ends when it is set.
    """

    def __init__(self, per_s: float, stop: threading.Event) -> None:
        self._gap_s, self._next, self._lock, self._stop = 1.0 / per_s, 0.0, threading.Lock(), stop

    def wait(self) -> bool:
        """Wait for one's turn; false where there is none any more."""
        with self._lock:
            turn = max(time.monotonic(), self._next)
            self._next = turn + self._gap_s
        return self.pause(turn - time.monotonic())

    def pause(self, seconds: float) -> bool:
        """Wait; false where the run stops meanwhile."""
        return not (self._stop.wait(seconds) if seconds > 0 else self._stop.is_set())

    def hold(self, seconds: float) -> None:
        """Let nobody begin for so long: the endpoint has asked for it."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


@dataclass
class _Attempts:
    """What the attempts of one call have brought so far."""

    usage: Usage = NO_USAGE
    n_calls: int = 0
    unsettled_usd: float = 0.0
    served: str | None = None
    raw: str = ""
    failure: Failure | None = None
    answer: Answer | None = None
    unread: int = 0
    wait_s: float | None = None


class Client:
    """Asks one judge, from any number of threads.

    Args:
        judge: who.
        transport: sends requests.
        budget: what it may cost.
        stop: set by whoever ends the run; no attempt begins after it.
    """

    def __init__(self, judge: Judge, transport: Transport, budget: Budget, stop: threading.Event | None = None) -> None:
        self.stop = stop if stop is not None else threading.Event()
        self._judge, self._transport, self._budget = judge, transport, budget
        self._pace = Pace(judge.requests_per_s, self.stop)
        self._waits = Retry(judge.attempts, judge.first_wait_s, judge.longest_wait_s)
        key = judge.key()
        self._secrets = (key,) if key is not None else ()
        self._complained: set[str] = set()

    def ask(self, call: Call) -> Outcome | None:
        """Ask until there is an answer, the attempts are used up, or asking again cannot help.

        Returns:
            What became of it; None where it was not asked: the budget does not hold it, or the run stops.
        """
        body = call.body(self._judge)
        asked = len(orjson.dumps(body["messages"]))
        so_far, started = _Attempts(), time.monotonic()
        for number in range(self._judge.attempts):
            if number and not self._pace.pause(self._wait_after(number - 1, so_far)):
                break
            if not self._pace.wait():
                break
            reserved = self._budget.reserve(asked)
            if reserved is None:
                break
            self._attempt(call, body, asked, reserved, so_far)
            if not _goes_on(so_far):
                break
        if so_far.failure is None and so_far.answer is None:
            return None
        verdicts = _verdicts(call, so_far)
        if so_far.failure is not None:
            self._complain(so_far.failure)
        return Outcome(
            verdicts,
            so_far.raw,
            so_far.usage,
            so_far.n_calls,
            so_far.served,
            so_far.unsettled_usd,
            time.monotonic() - started,
        )

    def _attempt(self, call: Call, body: Mapping[str, Any], asked: int, reserved: float, so_far: _Attempts) -> None:
        """Send once, and note what came of it."""
        so_far.failure, so_far.wait_s = None, None
        try:
            reply = self._transport.send(body, self._judge.timeout_s)
        except NotReached as error:
            self._budget.never_made(reserved)
            so_far.failure = Failure("connection", without_keys(str(error), self._secrets))
            return
        except ReplyLost as error:
            self._lost(reserved, so_far)
            kind: failures.Kind = "timeout" if error.timed_out else "connection"
            so_far.failure = Failure(kind, without_keys(str(error), self._secrets))
            return
        except BaseException:
            self._lost(reserved, so_far)
            raise
        so_far.n_calls += 1
        so_far.wait_s = failures.wait_asked_for(reply.headers, self._judge.longest_wait_s)
        try:
            document = orjson.loads(reply.body)
        except orjson.JSONDecodeError:
            document = None
        so_far.raw = without_secrets(reply.body.decode("utf-8", "replace"), self._secrets)
        wrong = error_of(document)
        if reply.status >= 400 or wrong:
            self._refused(reply.status, wrong or document or so_far.raw, so_far)
            billed = self._billed(document, asked, so_far) if isinstance(document, dict) else 0.0
            self._budget.settle(reserved, billed)
        elif not isinstance(document, dict):  # a page of a proxy, or a body that was cut
            so_far.failure = Failure("not_json", without_keys(f"{reply.status}: {so_far.raw}", self._secrets))
            so_far.unsettled_usd += reserved
            self._budget.settle(reserved, None)
        else:
            self._answered(call, document, asked, reserved, so_far)

    def _lost(self, reserved: float, so_far: _Attempts) -> None:
        so_far.n_calls += 1
        so_far.unsettled_usd += reserved
        self._budget.settle(reserved, None)

    def _refused(self, status: int, error: object, so_far: _Attempts) -> None:
        so_far.failure = failure_of(status, error, self._secrets)
        so_far.raw = so_far.failure.detail  # error bodies quote keys
        if so_far.failure.kind == "rate_limit" and so_far.wait_s:
            self._pace.hold(so_far.wait_s)

    def _billed(self, document: Mapping[str, Any], asked: int, so_far: _Attempts) -> float:
        """What a refusal costs: nothing, unless it says what it used."""
        if not isinstance(document.get("usage"), dict):
            return 0.0
        return self._add(usage_of(document, asked, 0), so_far)

    def _add(self, usage: Usage, so_far: _Attempts) -> float:
        so_far.usage = so_far.usage.plus(usage)
        return cost(usage, self._judge.usd_per_m)

    def _answered(
        self, call: Call, document: Mapping[str, Any], asked: int, reserved: float, so_far: _Attempts
    ) -> None:
        answer = read_answer(document, call.questions, self._judge)
        usage = usage_of(document, asked, len(answer.raw.encode()))
        self._budget.settle(reserved, self._add(usage, so_far))
        so_far.raw = without_secrets(answer.raw, self._secrets)
        served = document.get("model")
        so_far.served = served if isinstance(served, str) and served else so_far.served
        so_far.answer = answer if so_far.answer is None else _together(so_far.answer, answer)
        so_far.unread += bool(answer.errors)

    def _wait_after(self, number: int, so_far: _Attempts) -> float:
        """Seconds before the next attempt: what the endpoint asks for, else longer each time, by chance up to half."""
        if so_far.wait_s is not None:
            return so_far.wait_s
        return self._waits.longest_after(number) * (0.5 + random.random() / 2)

    def _complain(self, failure: Failure) -> None:
        """Say once what is wrong with the judge itself."""
        if failure.kind in failures.HOPELESS and failure.kind not in self._complained:
            self._complained.add(failure.kind)
            where = f" (key: environment variable {self._judge.key_env})" if failure.kind == "auth" else ""
            logger.error("judge %s: %s: %s%s", self._judge.model, failure.kind, failure.detail, where)


def _together(first: Answer, second: Answer) -> Answer:
    """Verdicts of two answers to one request; of a criterion that both judge the first one counts."""
    pairs = zip(first.verdicts, second.verdicts, strict=True)
    return Answer(tuple(one if one.error is None else other for one, other in pairs), second.raw)


def _verdicts(call: Call, so_far: _Attempts) -> tuple[Verdict | Failed, ...]:
    """What is known in the end; a failure stands for what no attempt has brought."""
    known = so_far.answer.verdicts if so_far.answer is not None else (None,) * len(call.questions)
    failure = so_far.failure
    if failure is None:
        return tuple(verdict for verdict in known if verdict is not None)
    failed = Failed(failure.kind, failure.detail)
    return tuple(verdict if verdict is not None and verdict.error is None else failed for verdict in known)


def _goes_on(so_far: _Attempts) -> bool:
    """Whether the same may be asked again."""
    if so_far.failure is not None:
        return so_far.failure.kind in failures.AGAIN
    errors = so_far.answer.errors if so_far.answer is not None else set()
    return bool(errors & answers.AGAIN) and errors <= answers.AGAIN and so_far.unread < _READINGS
