"""A named list of expectations: one suite per concern (contract, ledger, quality, drift)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Suite:
    """Expectations that are judged and shown together.

    Attributes:
        name: ``<stage>.<concern>``, unique in a checkpoint.
        expectations: Great Expectations' expectations, or a function that makes them (so that a suite can be named
            before Great Expectations, which takes seconds, is imported).
    """

    name: str
    expectations: Sequence[Any] | Callable[[], Sequence[Any]]

    def build(self) -> list[Any]:
        """The expectations; a function that makes them is called now."""
        expectations = self.expectations() if callable(self.expectations) else self.expectations
        return list(expectations)
