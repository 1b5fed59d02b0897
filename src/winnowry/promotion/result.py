"""What a stage reports."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from winnowry.core.errors import GateFailedError
from winnowry.core.progress import Status
from winnowry.gates.result import GateResult

WAITS = "it waits for a change of inputs or rule"
"""What becomes of a candidate that a gate has refused."""

LOOKED_AT = frozenset({"pictures"})
"""What of the metadata is there to be looked at, and is large."""
_SIZED = frozenset({"size", "unit"})


@dataclass(frozen=True)
class StageResult:
    """What one stage did for one partition (or, for corpus-wide stages, for the corpus).

    Attributes:
        status: ``promoted``; ``skipped`` because it was fresh; ``rejected`` by a gate, the table unchanged.
        reason: why it ran or was skipped.
        rows_in: records it had to account for: ``rows_out + rows_quarantined``, but where records were made of records
            (``metadata`` then counts ``rows_derived`` and ``rows_consumed``).
        quarantined_by_reason: rows by ``operator: rule``.
        tokens: tokens written, where the stage knows them.
        seconds: wall-clock seconds.
        size: size written, where records are no texts and the stage knows it.
        unit: what the size is counted in, e.g. ``pixels``.
    """

    corpus: str
    stage: str
    partition: str | None
    status: Status
    reason: str
    table: str | None = None
    uri: str | None = None
    version: int | None = None
    promotion_id: str | None = None
    rows_in: int = 0
    rows_out: int = 0
    rows_quarantined: int = 0
    quarantined_by_reason: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    gates: tuple[GateResult, ...] = ()
    docs_index: str | None = None
    tokens: int | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    size: int | None = None
    unit: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON data, without pictures; ``size`` and ``unit`` only where records are no texts."""
        data = {name: value for name, value in asdict(self).items() if self.unit is not None or name not in _SIZED}
        data["metadata"] = {name: value for name, value in self.metadata.items() if name not in LOOKED_AT}
        return data

    @staticmethod
    def from_dict(data: dict[str, Any]) -> StageResult:
        """Read what :meth:`to_dict` wrote."""
        gates = tuple(GateResult(**gate) for gate in data.pop("gates", ()))
        return StageResult(gates=gates, **data)


class GateFailed(GateFailedError):
    """A gate refused the candidate.

    Args:
        result: the rejected result, with every gate's verdict.
    """

    def __init__(self, result: StageResult) -> None:
        self.result = result
        where = f"{result.corpus}/{result.stage}" + (f"[{result.partition}]" if result.partition else "")
        blocking = [f"  {g.suite}: {g.expectation} {g.verdict}: {g.message}" for g in result.gates if g.blocks]
        before = result.metadata.get("refused_at")
        waits = f"refused at {before}; {WAITS}. `winnowry run --retry-refused` tries again.\n" if before else ""
        super().__init__(
            f"gate of {where} refused the candidate; the table is unchanged.\n{waits}" + "\n".join(blocking),
            stage=result.stage,
            table=result.table,
            partition=result.partition,
        )
