"""Whether a gate's refusal still stands: the same inputs, judged by the same rules, are refused again.

Only a verdict is remembered. A store that did not answer, a worker that died or an expectation that raised says nothing
of the data: what they ended is tried again.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from winnowry.core.errors import NotFoundError
from winnowry.core.jsonable import digest
from winnowry.core.sql import literal
from winnowry.gates.history import gate_results
from winnowry.gates.result import GateResult
from winnowry.lakehouse.record import WHOLE_TABLE, PromotionRecord
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.gaps import Gaps
from winnowry.promotion.lineage import package_versions, stale_reasons
from winnowry.promotion.request import Request, SuiteProvider
from winnowry.promotion.result import WAITS, StageResult
from winnowry.recipe.model import Recipe
from winnowry.stages.graph import Stage, all_gates

_BESIDE = frozenset({"drift"})
"""Concerns that compare a partition with others."""

_WITH_OTHERS = frozenset({"expect_no_colliding_ids"})
"""Expectations that do so in other concerns."""


@dataclass(frozen=True)
class Judged:
    """What a candidate is a candidate of.

    Attributes:
        partition: partition key; None for a stage over the whole corpus.
    """

    ws: Workspace
    recipe: Recipe
    stage: Stage
    partition: str | None

    @property
    def key(self) -> str:
        """Partition key of the promotion record."""
        return self.partition if self.partition is not None else WHOLE_TABLE


def refusal_of(request: Request, result: StageResult) -> dict[str, Any]:
    """What the record of a refused candidate says beside its lineage."""
    return {
        "reasons": result.quarantined_by_reason,
        "docs_index": None if result.docs_index is None else request.ws.relative(result.docs_index),
        "rules": rules_digest(request.suites),
        "accept": _signatures(request.recipe, request.stage, request.partition),
        "beside": _others(request.ws, request.recipe, request.stage, request.key),
    }


def standing_refusal(
    of: Request | Judged,
    suites: SuiteProvider | None,
    inputs: Mapping[str, str | None],
    gaps: Gaps | None = None,
) -> StageResult | None:
    """The verdict on the newest candidate, where it was refused and would be again; None where it is to be tried.

    Args:
        of: the stage, for a partition.
        suites: gives the suites that would judge it; None: as those that did.
        inputs: present data version of each input.
        gaps: what a corpus-wide stage goes on without; None: as that candidate did.
    """
    ws, recipe, stage = of.ws, of.recipe, of.stage
    record = _newest(ws, recipe, stage, of.key)
    if record is None or record.state != "rejected" or not record.refusal:
        return None
    refusal, lineage = record.refusal, record.lineage
    changed = (
        stale_reasons(stage, recipe, record, inputs)
        or lineage.get("packages") != package_versions()
        or (gaps is not None and list(lineage.get("missing_partitions", ())) != gaps.missing)
        or refusal["accept"] != _signatures(recipe, stage, of.partition)
        or (suites is not None and refusal["rules"] != rules_digest(suites))
    )
    if changed:
        return None
    gates = gates_of(ws, recipe.corpus, record)
    blocking = [gate for gate in gates if gate.blocks]
    if not blocking or any(gate.verdict == "broken" for gate in blocking):
        return None
    if any(map(_about_others, blocking)) and refusal["beside"] != _others(ws, recipe, stage, of.key):
        return None
    return _result(of, record, gates)


def gates_of(ws: Workspace, corpus: str, record: PromotionRecord) -> tuple[GateResult, ...]:
    """The verdicts on a candidate, as they were stored."""
    try:
        view = ws.lake.open(corpus, "gates")
    except NotFoundError:
        return ()
    return tuple(gate_results(view.to_table(where=f"promotion_id = {literal(record.id)}")))


def rules_digest(suites: SuiteProvider) -> str:
    """Digest of the code that judges: the files beside the provider of the suites, and those of installed gates."""
    try:
        source = inspect.getsourcefile(suites)
    except TypeError:  # an object that is called
        source = inspect.getsourcefile(type(suites))
    files = sorted(Path(source).parent.glob("*.py")) if source is not None else []
    for gate in all_gates():
        module = importlib.util.find_spec(gate.suites.partition(":")[0])
        if module is not None and module.origin is not None:
            files.append(Path(module.origin))
    content = [(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files if file.is_file()]
    return digest([content, [gate.suites for gate in all_gates()], getattr(suites, "__qualname__", "")])


def _signatures(recipe: Recipe, stage: Stage, partition: str | None) -> list[dict[str, Any]]:
    """What a person has signed for a stage's partition, as far as it counts today."""
    return [
        accepted.document()
        for accepted in recipe.gates.accept or ()
        if (accepted.stage, accepted.partition) == (stage.name, partition) and accepted.counts()
    ]


def _newest(ws: Workspace, recipe: Recipe, stage: Stage, key: str) -> PromotionRecord | None:
    """The newest candidate of a partition that a gate has judged."""
    judged = [r for r in ws.lake.records(recipe.corpus).of(stage.name, key) if r.state in ("promoted", "rejected")]
    return max(judged, key=lambda record: (record.created_at, record.id), default=None)


def _about_others(gate: GateResult) -> bool:
    return gate.suite.rsplit(".", 1)[-1] in _BESIDE or gate.expectation in _WITH_OTHERS


def _others(ws: Workspace, recipe: Recipe, stage: Stage, key: str) -> str:
    """Digest of what is live in the other partitions of a stage."""
    table = ws.lake.table(recipe.corpus, stage.name)
    dataset = table.dataset_or_none()
    owners = table.owners(dataset).values() if dataset is not None else ()
    return digest(sorted({(o.partition, o.promotion_id) for o in owners if o.partition != key}))


def _result(of: Request | Judged, record: PromotionRecord, gates: tuple[GateResult, ...]) -> StageResult:
    corpus, table = of.recipe.corpus, of.stage.table
    at = datetime.fromtimestamp(record.created_at, UTC).isoformat(timespec="seconds")
    return StageResult(
        corpus=corpus,
        stage=of.stage.name,
        partition=of.partition,
        status="rejected",
        reason=f"refused at {at}; {WAITS}",
        table=table,
        uri=of.ws.lake.table(corpus, table).uri if table else None,
        promotion_id=record.id,
        rows_in=record.ledger.get("rows_in", 0),
        rows_out=record.ledger.get("rows_out", 0),
        rows_quarantined=record.ledger.get("rows_quarantined", 0),
        quarantined_by_reason=dict(record.refusal["reasons"]),
        gates=gates,
        docs_index=None if (docs := record.refusal["docs_index"]) is None else of.ws.store.resolve(docs),
        metadata={"refused_at": at},
    )
