"""The table ``judgements`` of a corpus: rows are added, and what is known is never asked again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pyarrow as pa

from winnowry.core.tables import JUDGEMENTS
from winnowry.judging.answers import Verdict
from winnowry.judging.calls import Call, asks
from winnowry.judging.money import NO_USAGE, Spent, Usage, cost
from winnowry.judging.spec import Judge
from winnowry.lakehouse.workspace import Workspace

TABLE = "judgements"
OPEN = "open"
"""The ``error`` of what a batch asks while it is out."""

MISSING = "missing_result"
"""The ``error`` of what a batch asked, and no file brought back."""

_LONGEST_RAW = 1 << 16
_BATCH_ROWS = 1 << 14


class Rubrics(NamedTuple):
    """Which rubric a question is of."""

    rubric_id: str | None = None
    rubric_hash: str | None = None


NO_RUBRIC = Rubrics()
"""Of criteria that only the prompt has."""


class Failed(NamedTuple):
    """No answer came: the kind of failure, and what is known of it."""

    error: str
    detail: str
    tier: None = None
    rationale: None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a call, all its attempts together.

    Attributes:
        verdicts: one for each question, in its order.
        raw: what came back last.
        usage: tokens of all replies.
        n_calls: attempts.
        served: the model that the endpoint says it has served.
        unsettled_usd: what attempts may have cost whose reply was lost, at most.
        seconds: from the first attempt to the last reply.
    """

    verdicts: tuple[Verdict | Failed, ...]
    raw: str = ""
    usage: Usage = NO_USAGE
    n_calls: int = 1
    served: str | None = None
    unsettled_usd: float = 0.0
    seconds: float = 0.0


def rows_of(call: Call, outcome: Outcome, judge: Judge, rubric: Rubrics = NO_RUBRIC) -> list[dict[str, Any]]:
    """Rows of the table: one a question. Tokens, attempts and costs are shared, so that they can be summed."""
    n = len(call.questions)
    attempts = [outcome.n_calls] + [0] * (n - 1)
    judged_at = datetime.now(UTC)
    rows = []
    for question, verdict, usage, n_calls in zip(
        call.questions, outcome.verdicts, outcome.usage.shares(n), attempts, strict=True
    ):
        score = question.criterion.score_of[verdict.tier] if verdict.tier is not None else None
        rows.append(
            {
                "request_key": question.key,
                "call_id": call.call_id,
                "record_id": call.rollout.record_id,
                "prompt_id": call.rollout.prompt_id,
                "rubric_id": rubric.rubric_id,
                "rubric_hash": rubric.rubric_hash,
                "criterion_id": question.criterion_id,
                "criterion_hash": asks(question.criterion),
                "judge": judge.model,
                "judge_hash": judge.hash_of(outcome.served),
                "served_model": outcome.served,
                "repeat": call.repeat,
                "order": call.order,
                "tier": verdict.tier,
                "score": score,
                "rationale": verdict.rationale,
                "error": verdict.error,
                "detail": verdict.detail,
                "raw": outcome.raw[:_LONGEST_RAW],
                "n_calls": n_calls,
                "prompt_tokens": usage.prompt,
                "cached_tokens": usage.cached,
                "completion_tokens": usage.completion,
                "cost_usd": cost(usage, judge.usd_per_m),
                "cost_estimated": usage.estimated,
                "unsettled_usd": outcome.unsettled_usd / n,
                "seconds": outcome.seconds,
                "judged_at": judged_at,
            }
        )
    return rows


@dataclass
class Known:
    """What the table says.

    Attributes:
        judged: keys with a verdict.
        open: keys that a batch asks which is out, with their call.
        missing: keys that a batch asked and did not bring back, with their call.
        spent: by each judge, by the name of its model.
    """

    judged: set[bytes] = field(default_factory=set)
    open: dict[bytes, str] = field(default_factory=dict)
    missing: dict[bytes, str] = field(default_factory=dict)
    spent: dict[str, Spent] = field(default_factory=lambda: defaultdict(Spent))

    def needs(self, key: str) -> bool:
        """Whether a question has to be asked: nobody has answered it, and no batch is out with it."""
        packed = bytes.fromhex(key)
        return packed not in self.judged and packed not in self.open


class Store:
    """Judgements of a corpus.

    Args:
        ws: the lake.
        corpus: of rollouts.
    """

    def __init__(self, ws: Workspace, corpus: str) -> None:
        self._ws, self._corpus = ws, corpus

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows; when this returns they are stored."""
        if rows:
            self._ws.lake.append_judgements(self._corpus, pa.Table.from_pylist(list(rows), JUDGEMENTS))

    def known(self) -> Known:
        """What is judged, open and spent."""
        known = Known()
        unsettled: dict[bytes, tuple[str, float]] = {}
        columns = ["request_key", "call_id", "judge", "error", "n_calls", "cost_usd", "unsettled_usd"]
        for batch in self.scan(columns):
            for row in batch.to_pylist():
                key = bytes.fromhex(row["request_key"])
                spent = known.spent[row["judge"]]
                spent.usd += row["cost_usd"]
                spent.calls += row["n_calls"]
                for earlier in (known.open, known.missing, unsettled):
                    earlier.pop(key, None)
                if row["error"] == OPEN:
                    known.open[key] = row["call_id"]
                    unsettled[key] = row["judge"], row["unsettled_usd"]
                    continue
                spent.unsettled_usd += row["unsettled_usd"]
                if row["error"] == MISSING:
                    known.missing[key] = row["call_id"]
                if row["error"] is None:
                    known.judged.add(key)
        for judge, usd in unsettled.values():
            known.spent[judge].unsettled_usd += usd
        return known

    def rows(self, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """The row that counts of each key: the first one with a verdict; the last one where there is none.

        Args:
            columns: to be read, beside ``request_key`` and ``error``.
        """
        wanted = None if columns is None else [*dict.fromkeys(["request_key", "error", *columns])]
        counts: dict[str, dict[str, Any]] = {}
        for batch in self.scan(wanted):
            for row in batch.to_pylist():
                before = counts.get(row["request_key"])
                if before is None or before["error"] is not None:
                    counts[row["request_key"]] = row
        yield from counts.values()

    def labels(self) -> dict[bytes, tuple[str | None, str | None]]:
        """Tier and error of the row that counts, by key; lean, for a table of millions."""
        labels: dict[bytes, tuple[str | None, str | None]] = {}
        same: dict[tuple[str | None, str | None], tuple[str | None, str | None]] = {}
        for batch in self.scan(["request_key", "tier", "error"]):
            for key, *values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                packed, label = bytes.fromhex(key), (values[0], values[1])
                before = labels.get(packed)
                if before is None or before[1] is not None:
                    labels[packed] = same.setdefault(label, label)
        return labels

    def scan(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """All rows, in the order in which they came; none where nothing was judged yet."""
        if self._ws.lake.table(self._corpus, TABLE).dataset_or_none() is not None:
            yield from self._ws.lake.open(self._corpus, TABLE).scan(columns=columns, batch_rows=_BATCH_ROWS)
