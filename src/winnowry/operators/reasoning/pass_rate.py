"""``rl.pass_rate``: how often policies solved a prompt, and how sure that is."""

from __future__ import annotations

import math
import re
from typing import Any, ClassVar, Literal, NamedTuple

import pyarrow as pa
from pydantic import Field, field_validator

from winnowry.operators.base import Operator, Rule
from winnowry.records.conversations import ROLLOUTS

_SUCCESS = re.compile(r"\s*reward\s*(>=|>|<=|<|==)\s*(-?\d+(?:\.\d+)?)\s*")
_STEP = pa.struct(
    [
        ("step", pa.int64()),
        ("k", pa.int64()),
        ("n", pa.int64()),
        ("p", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
    ]
)


class Passed(NamedTuple):
    """How often a prompt was solved: k of n, and the 95 % interval of Jeffreys."""

    k: int
    n: int
    p: float
    low: float
    high: float


class PassRate(Operator):
    """Measure the pass rate of a prompt from its rollouts, with its interval.

    A rollout passes where its reward meets `success`; nothing is read into rewards, whose scale only their maker knows.
    A rollout that was cut (its finish is `length`) and one without a reward are no evidence and not in n. Rollouts of
    several steps of a policy are counted by step, and the last step is the prompt's: pooled, one that no early policy
    and every late one solves would look as if it were half learnt.

    Writes ``rl_k``, ``rl_n``, ``rl_pass_rate``, ``rl_pass_low``, ``rl_pass_high`` (Jeffreys' 95 % interval),
    ``rl_learnability`` (p (1 - p)), ``rl_truncated_ratio`` (of the rollouts with a reward, or cut), ``rl_distinct``
    (different texts among n; copies are one observation), ``rl_reward_spread`` (standard deviation of the rewards of n)
    and ``rl_by_step``.

    Source: Brown, Cai, DasGupta 2001, "Interval Estimation for a Binomial Proportion", section 4.3. Limits .2 to .8 and
    n of 8 or more are usual for learnable prompts (DAPO keeps 0 < p < 1).
    """

    op: Literal["rl.pass_rate"] = "rl.pass_rate"
    success: str = Field(
        default="reward >= 1", description="which reward is a success: `reward` compared with a number, `reward >= 1`"
    )
    truncated: Literal["leave_out", "fail"] = Field(
        default="leave_out", description="what a rollout that was cut says: nothing, or that it failed"
    )
    min_pass_rate: float | None = Field(default=None, ge=0, le=1, description="smallest pass rate; off unless set")
    max_pass_rate: float | None = Field(default=None, ge=0, le=1, description="greatest pass rate; off unless set")
    min_n: int | None = Field(default=None, ge=1, description="fewest rollouts that say something; off unless set")
    min_distinct: int | None = Field(default=None, ge=1, description="fewest different rollouts; off unless set")

    PREFIX: ClassVar[str] = "rl"

    @field_validator("success")
    @classmethod
    def _readable(cls, success: str) -> str:
        if _SUCCESS.fullmatch(success) is None:
            raise ValueError(f"{success!r} is no comparison of `reward` with a number; expected e.g. `reward >= 1`")
        return success

    def _name(self, column: str) -> str:
        return f"{self.as_ or self.PREFIX}_{column}"

    def reads(self) -> pa.Schema:
        """``rollouts``."""
        return pa.schema([pa.field("rollouts", ROLLOUTS)])

    def writes(self) -> pa.Schema:
        """Counts, the rate and its interval; null without a rollout that says something."""
        whole, real = pa.int64(), pa.float64()
        kinds = {
            "k": whole,
            "n": whole,
            "pass_rate": real,
            "pass_low": real,
            "pass_high": real,
            "learnability": real,
            "truncated_ratio": real,
            "distinct": whole,
            "reward_spread": real,
            "by_step": pa.list_(_STEP),
        }
        return pa.schema([pa.field(self._name(name), kind) for name, kind in kinds.items()])

    def rules(self) -> tuple[Rule, ...]:
        """The limits that are set; a prompt without rollouts meets none of them."""
        limits = (
            ("min_n", "n", ">="),
            ("min_distinct", "distinct", ">="),
            ("min_pass_rate", "pass_rate", ">="),
            ("max_pass_rate", "pass_rate", "<="),
        )
        return tuple(
            Rule(name=name, column=self._name(column), comparison=comparison, threshold=threshold)  # type: ignore[arg-type]
            for name, column, comparison in limits
            if (threshold := getattr(self, name)) is not None
        )

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Measure n prompts."""
        rows = [self._row(rollouts) for rollouts in batch.column("rollouts").to_pylist()]
        return pa.RecordBatch.from_pylist(rows, schema=self.writes())

    def _row(self, rollouts: list[dict[str, Any]] | None) -> dict[str, Any]:
        if rollouts is None:
            return {}
        steps: dict[int | None, list[dict[str, Any]]] = {}
        for one in rollouts:
            steps.setdefault(one["step"], []).append(one)
        if len(steps) > 1:
            steps.pop(None, None)
        counted = {step: self._counted(steps[step]) for step in sorted(steps, key=lambda step: step or 0)}
        by_step = [{"step": step, **self._passed(known)._asdict()} for step, (known, _) in counted.items() if known]
        if not counted:
            return {self._name("n"): 0, self._name("k"): 0, self._name("distinct"): 0, self._name("by_step"): []}
        known, n_cut = counted[next(reversed(counted))]
        values: dict[str, Any] = {
            "n": len(known),
            "k": 0,
            "distinct": len({one["text"] for one in known if one["text"] is not None}) or None,
            "truncated_ratio": n_cut / whole if (whole := len(known) + (n_cut if self._leaves_out else 0)) else None,
            "by_step": by_step,
        }
        if known:
            passed = self._passed(known)
            rewards = [one["reward"] for one in known if one["reward"] is not None]
            values |= {
                "k": passed.k,
                "pass_rate": passed.p,
                "pass_low": passed.low,
                "pass_high": passed.high,
                "learnability": passed.p * (1 - passed.p),
                "reward_spread": _spread(rewards),
            }
        return {self._name(name): value for name, value in values.items()}

    @property
    def _leaves_out(self) -> bool:
        return self.truncated == "leave_out"

    def _counted(self, rollouts: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
        """Rollouts that say something, and how many were cut."""
        cut = [one for one in rollouts if one["finish"] == "length"]
        whole = [one for one in rollouts if one["finish"] != "length" and one["reward"] is not None]
        return (whole if self._leaves_out else [*whole, *cut]), len(cut)

    def _passed(self, known: list[dict[str, Any]]) -> Passed:
        match = _SUCCESS.fullmatch(self.success)
        assert match is not None
        comparison, threshold = match[1], float(match[2])
        k = sum(one["finish"] != "length" and _meets(one["reward"], comparison, threshold) for one in known)
        return Passed(k, len(known), k / len(known), *jeffreys(k, len(known)))


def _meets(reward: float, comparison: str, threshold: float) -> bool:
    if math.isnan(reward):
        return False
    return {
        ">=": reward >= threshold,
        ">": reward > threshold,
        "<=": reward <= threshold,
        "<": reward < threshold,
        "==": reward == threshold,
    }[comparison]


def jeffreys(k: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share from k of n: quantiles of Beta(k + 1/2, n - k + 1/2).

    >>> [round(end, 3) for end in jeffreys(4, 8)]
    [0.199, 0.801]
    """
    from scipy.special import betaincinv

    low = 0.0 if k == 0 else float(betaincinv(k + 0.5, n - k + 0.5, 0.025))
    high = 1.0 if k == n else float(betaincinv(k + 0.5, n - k + 0.5, 0.975))
    return low, high


def _spread(rewards: list[float]) -> float | None:
    if not rewards:
        return None
    mean = math.fsum(rewards) / len(rewards)
    return math.sqrt(math.fsum((reward - mean) ** 2 for reward in rewards) / len(rewards))
