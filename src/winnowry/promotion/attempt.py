"""One attempt at a stage: stage the candidate, check the ledger, let the gates judge, promote."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from winnowry.columns.later_rows import complete_fragments, refuse_if_columns_landed
from winnowry.core.ids import PromotionId
from winnowry.core.tables import QUARANTINE
from winnowry.gates.checkpoint import run_checkpoint
from winnowry.gates.history import gate_rows
from winnowry.gates.result import GateResult
from winnowry.lakehouse.lake import MAIN_TABLE
from winnowry.lakehouse.promotion import stage as stage_table
from winnowry.lakehouse.record import CandidateTable, PromotionRecord, Scope, new_promotion_id
from winnowry.lakehouse.table import FragmentWriter, Table
from winnowry.lakehouse.view import TableView
from winnowry.promotion.ledger import Ledger
from winnowry.promotion.request import Request
from winnowry.promotion.result import GateFailed, StageResult

logger = logging.getLogger(__name__)


class Attempt:
    """Writers, candidate and verdict of one promotion.

    Args:
        request: what was asked for.
        schema: schema of the main table.
        lineage: what the rows are made from (see ``pipeline.lineage``).
    """

    def __init__(self, request: Request, schema: pa.Schema, lineage: dict[str, Any]) -> None:
        self.request = request
        self.id: PromotionId = new_promotion_id()
        self.schema = schema
        self.lineage = lineage
        self.started = time.perf_counter()
        lake, corpus = request.ws.lake, request.corpus
        self.table: Table = lake.table(corpus, MAIN_TABLE[request.stage])
        self.table.create(schema)
        self.main = FragmentWriter(self.table, schema)
        self.quarantine_table = lake.quarantine(corpus)
        self.quarantine = FragmentWriter(self.quarantine_table, QUARANTINE)
        promoter = lake.promoter(corpus)
        self.replaces = promoter.live(request.stage, self.table.name, request.key)

    def stamped(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with this promotion's id, columns in the main table's order."""
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        columns["promotion_id"] = pa.array([self.id] * batch.num_rows, pa.string())
        arrays = [
            columns[f.name] if columns[f.name].type == f.type else columns[f.name].cast(f.type) for f in self.schema
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def stage_candidates(
        self, *, scope: Scope, side_key: tuple[str, str] | None = None, **delta: Any
    ) -> tuple[CandidateTable, CandidateTable]:
        """Flush the writers and commit both tables detached: (main, quarantine)."""
        self.main.flush()
        self.quarantine.flush()
        request = self.request
        looked_at = complete_fragments(request.ws, request.corpus, self.table, self.main.fragments)
        main = stage_table(
            self.table,
            self.main.fragments,
            self.main.rows,
            scope=scope,
            partition=request.key,
            stage_name=request.stage,
            **delta,
        )
        refuse_if_columns_landed(self.table, looked_at, main.base_version)
        side_stage, side_partition = side_key or (request.stage, request.key)
        side = stage_table(
            self.quarantine_table,
            self.quarantine.fragments,
            self.quarantine.rows,
            scope="partition",
            partition=side_partition,
            stage_name=side_stage,
        )
        return main, side

    def view(self, candidate: CandidateTable) -> TableView:
        """The candidate's rows and no others."""
        return self.request.ws.lake.candidate_view(
            self.request.corpus, candidate.table, candidate.audit_version, self.request.key
        )

    def conclude(
        self,
        main: CandidateTable,
        side: CandidateTable,
        *,
        ledger: Ledger,
        facts: Mapping[str, Any],
        outputs: dict[str, str],
        quarantined_by_reason: dict[str, int] | None = None,
        tokens: int | None = None,
        metadata: dict[str, Any] | None = None,
        measures: dict[str, Any] | None = None,
        reaudit: Callable[[PromotionRecord], None] | None = None,
    ) -> StageResult:
        """Audit the staged candidate and promote it.

        Args:
            main: candidate of the main table.
            side: candidate of the quarantine.
            ledger: the conservation check, made from ids read back from the candidates.
            facts: measurements that custom expectations judge.
            outputs: data versions of what was written.
            quarantined_by_reason: rows by ``operator: rule``.
            tokens: tokens written.
            metadata: more for the result.
            measures: stored with the record for later drift checks.
            reaudit: whole-table rules to ask again when the table moved meanwhile.

        Raises:
            GateFailed: a critical expectation failed or was broken; nothing became visible.
        """
        request = self.request
        lake, corpus = request.ws.lake, request.corpus
        records = lake.records(corpus)
        record = records.save(
            PromotionRecord(
                id=self.id,
                corpus=corpus,
                stage=request.stage,
                partition=request.key,
                main=main,
                sides=[side],
                replaces=self.replaces,
                state="staged",
                created_at=time.time(),
                lineage=self.lineage,
                outputs=outputs,
                ledger=ledger.counts(),
                facts=measures or {},
            )
        )
        gates, docs_index = self._audit(main, facts)
        result = StageResult(
            corpus=corpus,
            stage=request.stage,
            partition=request.partition,
            status="rejected",
            reason=request.reason,
            table=main.table,
            uri=self.table.uri,
            version=None,
            promotion_id=self.id,
            rows_in=ledger.rows_in,
            rows_out=ledger.rows_out,
            rows_quarantined=ledger.rows_quarantined,
            quarantined_by_reason=quarantined_by_reason or {},
            seconds=time.perf_counter() - self.started,
            gates=gates,
            docs_index=docs_index,
            tokens=tokens,
            metadata=metadata or {},
        )
        if any(gate.blocks for gate in gates):
            records.advance(record, "rejected")
            raise GateFailed(result)
        record = lake.promoter(corpus).promote(record, reaudit=reaudit)
        return StageResult(
            **{
                **{name: getattr(result, name) for name in result.__dataclass_fields__},
                "status": "promoted",
                "version": record.promoted_version,
                "seconds": time.perf_counter() - self.started,
            }
        )

    def _audit(self, main: CandidateTable, facts: Mapping[str, Any]) -> tuple[tuple[GateResult, ...], str | None]:
        request = self.request
        suites = request.suites(request.stage, request.recipe, self.schema)
        name = f"{request.corpus}.{request.stage}.{request.key}"
        store = request.ws.store
        folder = f"{request.ws.lake.corpus_uri(request.corpus)}/data_docs/{request.stage}/{self.id}"
        with tempfile.TemporaryDirectory(prefix="winnowry-docs-") as scratch:
            view = self.view(main)
            facts = {**facts, "column_types": {column.name: str(column.type) for column in view.schema}}
            outcome = run_checkpoint(view, suites, facts=facts, name=name, docs=Path(scratch))
            docs_index = None
            if outcome.docs_index is not None:
                for path in sorted(Path(scratch).rglob("*")):
                    if path.is_file():
                        store.write(f"{folder}/{path.relative_to(scratch).as_posix()}", path.read_bytes())
                relative = Path(outcome.docs_index.removeprefix("file://")).resolve()
                docs_index = f"{folder}/{relative.relative_to(Path(scratch).resolve()).as_posix()}"
        request.ws.lake.append_gates(
            request.corpus,
            gate_rows(outcome.results, self.id, main.table, main.detached_version, request.key),
        )
        return outcome.results, docs_index
