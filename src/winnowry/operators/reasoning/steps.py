"""``cot.steps``: every arithmetic step of a solution, computed again."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from winnowry.operators.base import Operator, Rule
from winnowry.records.conversations import STEPS


class CotSteps(Operator):
    """Recompute the equations between numbers in the steps of a solution, by a calculator of its own.

    Equations are those in calculator marks (``<<48/2=24>>``) where a step has any, else those in its text. A result
    holds where it is the value, rounded to the decimals that it has; what cannot be read is no equation.

    Writes ``cot_n_steps``, ``cot_n_equations``, ``cot_n_wrong``, ``cot_wrong_step`` (the first wrong one, as
    ``step 3: written 24, computed 25``, counted from 1; null where there is none), ``cot_wrong_steps`` (numbers of all
    wrong steps) and ``cot_repeated_ratio`` (share of steps that an earlier one equals).

    Source: Cobbe et al. 2021, "Training Verifiers to Solve Math Word Problems", section 2, for the marks.
    """

    op: Literal["cot.steps"] = "cot.steps"
    correct: bool = Field(default=True, description="whether a record with a wrong step is refused")
    min_steps: int | None = Field(default=None, ge=1, description="fewest steps; off unless set")
    max_steps: int | None = Field(default=None, ge=1, description="most steps; off unless set")
    max_repeated_ratio: float | None = Field(
        default=None, ge=0, le=1, description="greatest share of steps that repeat an earlier one; off unless set"
    )

    PREFIX: ClassVar[str] = "cot"

    def _name(self, column: str) -> str:
        return f"{self.as_ or self.PREFIX}_{column}"

    def reads(self) -> pa.Schema:
        """``steps``."""
        return pa.schema([pa.field("steps", STEPS)])

    def writes(self) -> pa.Schema:
        """Counts, the first wrong step, and how many repeat; null without steps."""
        whole = pa.int64()
        kinds = {
            "n_steps": whole,
            "n_equations": whole,
            "n_wrong": whole,
            "wrong_step": pa.string(),
            "wrong_steps": pa.list_(whole),
            "repeated_ratio": pa.float64(),
        }
        return pa.schema([pa.field(self._name(name), kind) for name, kind in kinds.items()])

    def rules(self) -> tuple[Rule, ...]:
        """No wrong step, and the limits that are set."""
        rules = []
        if self.correct:
            column = self._name("wrong_step")
            rules.append(Rule(name="correct", column=column, comparison="==", threshold="", null="keep"))
        for name, column, comparison in (
            ("min_steps", "n_steps", ">="),
            ("max_steps", "n_steps", "<="),
            ("max_repeated_ratio", "repeated_ratio", "<="),
        ):
            threshold = getattr(self, name)
            if threshold is not None:
                rules.append(
                    Rule(name=name, column=self._name(column), comparison=comparison, threshold=threshold)  # type: ignore[arg-type]
                )
        return tuple(rules)

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Recompute the steps of n solutions."""
        rows = [self._row(steps) for steps in batch.column("steps").to_pylist()]
        return pa.RecordBatch.from_pylist(rows, schema=self.writes())

    def _row(self, steps: list[dict[str, Any]] | None) -> dict[str, Any]:
        from winnowry.operators.reasoning.kernels.steps import equations_of

        if steps is None:
            return {}
        n_equations = 0
        wrong: dict[int, str] = {}
        for number, step in enumerate(steps, 1):
            for equation in equations_of(step["text"] or ""):
                n_equations += 1
                if equation.computed is not None:
                    wrong.setdefault(number, f"step {number}: written {equation.result}, computed {equation.computed}")
        texts = Counter(" ".join((step["text"] or "").lower().split()) for step in steps)
        values = {
            "n_steps": len(steps),
            "n_equations": n_equations,
            "n_wrong": len(wrong),
            "wrong_step": next(iter(wrong.values()), None),
            "wrong_steps": list(wrong),
            "repeated_ratio": (len(steps) - len(texts)) / len(steps) if steps else 0.0,
        }
        return {self._name(name): value for name, value in values.items()}
