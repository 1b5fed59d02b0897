"""``cot.final`` and ``rl.verifiable``: final answers, extracted and compared."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from winnowry.operators.base import Operator, Rule

_LONG = pa.large_string()


class CotFinal(Operator):
    r"""Take the final answer out of a solution and compare it with the reference.

    The answer is the field `answer` where the record has one; else the solution's last ``\boxed``, what follows its
    last marker (``####``, ``A:``, "the answer is", 答案), or its last number. A reference may be a solution itself,
    with a marker. How answers are compared: :func:`winnowry.operators.reasoning.kernels.answers.equal`.

    Writes ``cot_final``, ``cot_reference``, ``cot_correct`` (null without a reference), ``cot_compared_by`` and
    ``cot_verdict_differs`` (against the source's own `verified`; null where one of the two says nothing).
    """

    op: Literal["cot.final"] = "cot.final"
    correct: bool = Field(default=True, description="whether a record whose answer is not the reference is refused")

    PREFIX: ClassVar[str] = "cot"

    def _name(self, column: str) -> str:
        return f"{self.as_ or self.PREFIX}_{column}"

    def reads(self) -> pa.Schema:
        """``solution``, ``answer``, ``reference`` and ``verified``."""
        texts = [pa.field(name, _LONG) for name in ("solution", "answer", "reference")]
        return pa.schema([*texts, pa.field("verified", pa.bool_())])

    def writes(self) -> pa.Schema:
        """The answer, the reference and the verdict."""
        kinds = {
            "final": _LONG,
            "reference": _LONG,
            "correct": pa.bool_(),
            "compared_by": pa.string(),
            "verdict_differs": pa.bool_(),
        }
        return pa.schema([pa.field(self._name(name), kind) for name, kind in kinds.items()])

    def rules(self) -> tuple[Rule, ...]:
        """The answer is the reference; a record without one is kept."""
        if not self.correct:
            return ()
        return (Rule(name="correct", column=self._name("correct"), comparison="==", threshold=True, null="keep"),)

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Compare the answers of n solutions."""
        columns = [batch.column(name).to_pylist() for name in self.reads().names]
        rows = [self._row(*values) for values in zip(*columns, strict=True)]
        return pa.RecordBatch.from_pylist(rows, schema=self.writes())

    def _row(
        self, solution: str | None, answer: str | None, reference: str | None, verified: bool | None
    ) -> dict[str, Any]:
        from winnowry.operators.reasoning.kernels.answers import equal, extract, has_mark, kind_of

        right = extract(reference, "number") if reference is not None and has_mark(reference) else reference
        kind = kind_of(right) if right is not None else "number"
        final = answer if answer is not None else extract(solution, kind) if solution is not None else None
        correct, how = equal(right, final) if right is not None else (None, None)
        differs = None if correct is None or verified is None else correct != verified
        return dict(zip(self.writes().names, (final, right, correct, how, differs), strict=True))


class Verifiable(Operator):
    """Tell whether the answer of a prompt can be compared by a program: it is something, and equals itself.

    Writes ``rl_answer_kind`` (``choice``, ``number`` or ``expression``; null without an answer) and ``rl_verifiable``.
    A record whose `verifier` is ``code``, ``rubric`` or ``none`` is not compared and keeps a null.
    """

    op: Literal["rl.verifiable"] = "rl.verifiable"
    verifiable: bool = Field(default=True, description="whether a prompt whose answer cannot be compared is refused")

    PREFIX: ClassVar[str] = "rl"

    def _name(self, column: str) -> str:
        return f"{self.as_ or self.PREFIX}_{column}"

    def reads(self) -> pa.Schema:
        """``answer`` and ``verifier``."""
        return pa.schema([pa.field("answer", _LONG), pa.field("verifier", pa.string())])

    def writes(self) -> pa.Schema:
        """The kind of answer, and the verdict."""
        return pa.schema(
            [pa.field(self._name("answer_kind"), pa.string()), pa.field(self._name("verifiable"), pa.bool_())]
        )

    def rules(self) -> tuple[Rule, ...]:
        """The answer can be compared, where a program is to compare it."""
        if not self.verifiable:
            return ()
        return (Rule(name="verifiable", column=self._name("verifiable"), comparison="==", threshold=True, null="keep"),)

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Look at the answers of n prompts."""
        from winnowry.operators.reasoning.kernels.answers import is_verifiable, kind_of

        rows: list[tuple[str | None, bool | None]] = []
        for answer, verifier in zip(
            batch.column("answer").to_pylist(), batch.column("verifier").to_pylist(), strict=True
        ):
            if verifier in ("code", "rubric", "none"):
                rows.append((None, None))
            elif answer is None or not answer.strip():
                rows.append((None, False))
            else:
                rows.append((kind_of(answer), is_verifiable(answer)))
        columns = list(zip(*rows, strict=True)) or [(), ()]
        arrays = [pa.array(values, field.type) for values, field in zip(columns, self.writes(), strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.writes())
