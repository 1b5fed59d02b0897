"""Expectations about a candidate as a whole, on what the pipeline measured: the ledger, the token budget, drift."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from winnowry.gates.names import type_of

METRIC = "table.winnowry_facts"
"""The metric through which Great Expectations reads the facts."""

Importance = Annotated[
    Literal["critical", "warning", "info"], BeforeValidator(lambda value: getattr(value, "value", value))
]
"""A severity by Great Expectations' names, or its member of ``FailureSeverity``."""


class ExpectFact(BaseModel):
    """Base of expectations on the pipeline's facts; not used by itself.

    A subclass has its arguments as fields and a :meth:`judge`. Great Expectations, which takes seconds to import, sees
    it as an expectation of its own (:mod:`winnowry.gates.native_facts`) when a page is opened, or when a suite also
    holds an expectation that only Great Expectations can judge.

    Attributes:
        severity: ``critical`` blocks, the others report.
        success_keys: arguments that decide, and that ``sentence`` names with a ``$``.
        args_keys: arguments by position, for Great Expectations.
        sentence: what is expected, for people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    severity: Importance = "critical"
    success_keys: ClassVar[tuple[str, ...]] = ()
    args_keys: ClassVar[tuple[str, ...]] = ()
    sentence: ClassVar[str] = ""

    def judge(self, facts: Mapping[str, Any]) -> tuple[bool, Any, str]:
        """Decide.

        Args:
            facts: what the pipeline measured.

        Returns:
            Whether the expectation is met, the observed value, and one line for people.

        Raises:
            LookupError: the pipeline did not measure what is judged; the verdict is then ``broken``.
        """
        raise LookupError(f"{type(self).__name__} judges nothing by itself")

    @property
    def kind(self) -> str:
        """Type as Great Expectations names it, such as ``expect_ledger_to_balance``."""
        return type_of(type(self).__name__)

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments that are not the default, without the severity."""
        return self.model_dump(exclude={"severity"}, exclude_defaults=True)

    @property
    def shown(self) -> dict[str, Any]:
        """What the sentence may name."""
        return {key: getattr(self, key) for key in self.success_keys}
