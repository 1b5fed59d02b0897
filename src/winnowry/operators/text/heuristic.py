"""What measurements of a text have in common: columns with a prefix, and limits that can each be switched off."""

from __future__ import annotations

from typing import ClassVar, Literal

import pyarrow as pa

from winnowry.operators.base import Comparison, Operator, Rule
from winnowry.operators.buffers import TEXT

Limits = tuple[tuple[str, str, Comparison], ...]
"""Parameter, measure, comparison that keeps; in the order in which reasons are given."""


class Heuristic(Operator):
    """A measurement of ``text`` with limits; a limit that is null is no rule.

    Columns are named ``<prefix>_<measure>``, the prefix being ``as`` or else the operator's own; without either they
    are named ``<measure>``.
    """

    PREFIX: ClassVar[str] = ""
    LIMITS: ClassVar[Limits] = ()
    NULL: ClassVar[Literal["reject", "keep"]] = "reject"
    """What the limits make of a null measure."""

    def _name(self, measure: str) -> str:
        prefix = self.as_ or self.PREFIX
        return f"{prefix}_{measure}" if prefix else measure

    def reads(self) -> pa.Schema:
        """``text``."""
        return pa.schema([pa.field("text", TEXT)])

    def rules(self) -> tuple[Rule, ...]:
        """The limits that are set, in the order of their source."""
        return tuple(
            Rule(name=parameter, column=self._name(measure), comparison=comparison, threshold=threshold, null=self.NULL)
            for parameter, measure, comparison in self.LIMITS
            if (threshold := getattr(self, parameter)) is not None
        )
