"""``rubric.programs``: how far the criteria are met that programs judge."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar, Literal, Self

import numpy as np
import orjson
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from winnowry.core.errors import UsageError
from winnowry.core.jsonable import canonical_json
from winnowry.operators.base import Operator, Rule
from winnowry.operators.buffers import TEXT
from winnowry.operators.rubric.program import Program, program
from winnowry.operators.rubric.selection import CRITERIA, JUDGED, asked_of
from winnowry.records.rubrics import Criterion, read_rubric

_CHARACTERS = 300


class Check(BaseModel):
    """A criterion that a program judges."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    criterion_id: str
    program: str
    params: dict[str, Any] = Field(default_factory=dict)


class Programs(Operator):
    """Judge answers by programs: instructions of IFEval, patterns, JSON Schema, lengths, terms, languages.

    Criteria come from a rubric file (``bank``) and from the record's own column ``criteria``; those that a judge has to
    decide are passed over. An empty answer meets none; a null one is not judged.

    Writes ``programs`` (list of ``criterion_id``, ``score`` 0 or 1, ``error``), or what ``as`` says, and
    ``criteria_error`` (string: why the criteria of the record cannot be used; null where they can).

    Raises:
        UsageError: the file is no rubric, or names a program that is not there or has other parameters.

    Source: IFEval (Zhou et al. 2023, arXiv 2311.07911) for the 25 kinds that it names; the others are ours. Of 9,174
    recorded verdicts of IFEval's own code 99.3 % come out alike.
    """

    VERSION: ClassVar[int] = 1
    COST: ClassVar[Literal["cheap", "costly"]] = "costly"

    op: Literal["rubric.programs"] = "rubric.programs"
    bank: str | None = Field(
        default=None, description="YAML or JSON file of a rubric whose programs judge every answer."
    )
    checks: tuple[Check, ...] | None = Field(
        default=None,
        description="Its programs; read from `bank` when the recipe is loaded. Weights and texts of criteria may "
        "change without new verdicts.",
    )

    usable_criteria: bool = Field(
        default=True, description="Whether records are refused whose own criteria cannot be used."
    )

    @model_validator(mode="after")
    def _read_bank(self) -> Self:
        try:
            if self.checks is None and self.bank is not None:
                checks = tuple(
                    Check(criterion_id=criterion.criterion_id, program=criterion.program, params=criterion.params)
                    for criterion in read_rubric(self.bank).criteria
                    if criterion.program is not None
                )
                self.__dict__["checks"] = checks  # the model is frozen from here on
            _compiled(self.checks or ())
        except UsageError as error:
            raise ValueError(str(error)) from None
        return self

    @property
    def _error(self) -> str:
        return f"{self.as_}_criteria_error" if self.as_ else "criteria_error"

    def reads(self) -> pa.Schema:
        """``text`` and ``criteria``."""
        return pa.schema([pa.field("text", TEXT), CRITERIA])

    def writes(self) -> pa.Schema:
        """The scores, and why criteria cannot be used."""
        return pa.schema([pa.field(self.as_ or "programs", JUDGED), pa.field(self._error, pa.string())])

    def rules(self) -> tuple[Rule, ...]:
        """Records whose own criteria cannot be used are refused."""
        if not self.usable_criteria:
            return ()
        return (Rule(name="usable_criteria", column=self._error, comparison="==", threshold="", null="keep"),)

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Judge n answers."""
        texts = np.array(batch.column("text").to_pylist(), dtype=object)
        judged: list[list[dict[str, Any]]] = [[] for _ in range(batch.num_rows)]
        errors: list[str | None] = [None] * batch.num_rows
        fixed = _compiled(self.checks or ())
        for asked in asked_of(batch, None):
            wrong = asked.wrong
            own: tuple[tuple[str, Program], ...] = ()
            try:
                own = _compiled(asked.criteria)
                if {name for name, _ in own} & {name for name, _ in fixed}:
                    wrong = "a criterion of the record is called as one of the bank"
            except UsageError as error:
                wrong = str(error)
            compiled = (*fixed, *own)
            for row in asked.rows.tolist():
                errors[row] = wrong[:_CHARACTERS] if wrong is not None else None
                judged[row] = [{"criterion_id": name, "score": check.score(texts[row])} for name, check in compiled]
        return pa.record_batch([pa.array(judged, JUDGED), pa.array(errors, pa.string())], schema=self.writes())


def _compiled(criteria: Sequence[Criterion | Check]) -> tuple[tuple[str, Program], ...]:
    """Programs by criterion; those of judges are left out.

    Raises:
        UsageError: a program is not there, or has other parameters.
    """
    return tuple(
        (criterion.criterion_id, _made(criterion.program, canonical_json(criterion.params)))
        for criterion in criteria
        if criterion.program is not None
    )


@lru_cache(maxsize=4096)
def _made(name: str, params: str) -> Program:
    return program(name, orjson.loads(params))
