"""Verdicts of gates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["critical", "warning"]
Verdict = Literal["pass", "fail", "warn", "broken", "accepted"]


@dataclass(frozen=True)
class GateResult:
    """The verdict on one expectation.

    Attributes:
        suite: name of the suite, ``<stage>.<concern>``.
        expectation: type of the expectation in snake case, as Great Expectations names it.
        column: the column judged; several are joined by ``, ``; None for the whole table.
        parameters: arguments of the expectation, without the column.
        observed: the observed value, JSON compatible; None where the expectation reports only counts.
        observed_number: the observed value, or else the fraction of unexpected rows, for plots over time.
        unexpected_count: rows that fail; None for expectations that are not about rows.
        samples: up to 20 failing rows: ``record_id`` where the table has one, and the values judged.
        severity: ``critical`` blocks, ``warning`` reports.
        verdict: ``pass``; ``fail`` (critical) or ``warn`` (warning) when not met; ``broken`` when it could not be
            judged; ``accepted``: not met, and a person has signed for it.
        message: one line for people.
    """

    suite: str
    expectation: str
    column: str | None
    parameters: dict[str, Any]
    observed: Any
    observed_number: float | None
    unexpected_count: int | None
    severity: Severity
    verdict: Verdict
    message: str
    samples: list[dict[str, Any]] = field(default_factory=list)

    @property
    def blocks(self) -> bool:
        """Whether the candidate must not be promoted; an expectation that could not be judged blocks."""
        return self.verdict in ("fail", "broken")


@dataclass(frozen=True)
class CheckpointResult:
    """All verdicts on one candidate.

    Attributes:
        results: one per expectation, in the order of the suites.
        docs_index: path of the page to open first, or None without docs.
    """

    results: tuple[GateResult, ...]
    docs_index: str | None = None

    @property
    def blocks(self) -> bool:
        """Whether any verdict blocks the candidate."""
        return any(result.blocks for result in self.results)
