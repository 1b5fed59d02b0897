"""The only driver of stage, audit and promote: a production yields rows, everything else happens here."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from winnowry.columns.later_rows import complete_fragments, judge_columns, refuse_if_columns_landed
from winnowry.core.tables import QUARANTINE
from winnowry.engine.quarantine import count_reasons
from winnowry.gates.checkpoint import run_checkpoint
from winnowry.gates.history import gate_rows
from winnowry.gates.result import GateResult
from winnowry.lakehouse.promotion import stage as stage_table
from winnowry.lakehouse.record import CandidateTable, PromotionRecord, new_promotion_id
from winnowry.lakehouse.seal import RowDigest, files_of_candidates, seal_files
from winnowry.lakehouse.table import FragmentWriter, Table
from winnowry.lakehouse.view import TableView
from winnowry.lakehouse.wider import widened
from winnowry.promotion.gaps import Gaps
from winnowry.promotion.lineage import lineage_of
from winnowry.promotion.production import Candidate, Delta, Findings, Production, Rejected, Rows, StartOver, Work
from winnowry.promotion.refusal import refusal_of
from winnowry.promotion.request import Request
from winnowry.promotion.result import GateFailed, StageResult
from winnowry.promotion.settled import Settled
from winnowry.records.kinds import Kind
from winnowry.storage.probe import require_conditional_writes


def drive(
    request: Request, production: Callable[[Work], Production], inputs: dict[str, str], gaps: Gaps
) -> StageResult:
    """Make the rows of a stage, stage them, balance the ledger, let the gates judge, promote.

    Args:
        request: what was asked for.
        production: makes the rows.
        inputs: data version of each input.
        gaps: what a corpus-wide stage goes on without, and what it takes as it was.

    Raises:
        GateFailed: a critical expectation failed or was broken; nothing became visible.
        PromotionConflictError: a rival promoted the same partition meanwhile.
        StorageError: the store has no conditional writes, or failed.
    """
    require_conditional_writes(request.ws.store)
    attempt = _Attempt(request, inputs, gaps)
    if attempt.schema is None:
        result = attempt.record_only(production(attempt.work))
    else:
        staging = _Staging(attempt, attempt.schema)
        result = staging.promote(production(attempt.work))
    attempt.work.finished()
    return result


class _Attempt:
    """One promotion under way: its identity, its work and its record."""

    def __init__(self, request: Request, inputs: dict[str, str], gaps: Gaps) -> None:
        self.request = request
        self.started = time.perf_counter()
        stage = request.stage
        self.schema: pa.Schema | None = stage.schema(request.recipe) if stage.schema is not None else None
        lake = request.ws.lake
        live = lake.promoter(request.corpus).live(stage.name, stage.name, request.key)
        self.work = Work(request, inputs, gaps, new_promotion_id(), live)

    def record(
        self,
        findings: Findings,
        main: CandidateTable | None,
        sides: list[CandidateTable],
        digests: Mapping[str, str] | None = None,
    ) -> PromotionRecord:
        """The record of the staged promotion, saved; its files are sealed."""
        request, work = self.request, self.work
        store, corpus_uri = request.ws.store, request.ws.lake.corpus_uri(request.corpus)
        staged = files_of_candidates(store, corpus_uri, [*sides, *([main] if main is not None else [])])
        lineage = lineage_of(request, work.inputs, work.read) | findings.lineage | work.gaps.lineage()
        return request.ws.lake.records(request.corpus).save(
            PromotionRecord(
                id=work.promotion_id,
                corpus=request.corpus,
                stage=request.stage.name,
                partition=request.key,
                main=main,
                sides=sides,
                replaces=work.replaces,
                state="staged",
                created_at=time.time(),
                lineage=lineage,
                outputs=findings.outputs,
                ledger=findings.ledger.counts(),
                facts=findings.measures,
                files=seal_files(store, corpus_uri, staged),
                digests=digests or {},
            )
        )

    def result(self, findings: Findings, **more: Any) -> StageResult:
        """What people and programs are told."""
        request, ledger = self.request, findings.ledger
        fields: dict[str, Any] = {
            "corpus": request.corpus,
            "stage": request.stage.name,
            "partition": request.partition,
            "reason": request.reason,
            "promotion_id": self.work.promotion_id,
            "rows_in": ledger.rows_in,
            "rows_out": ledger.rows_out,
            "rows_quarantined": ledger.rows_quarantined,
            **_sizes(request.recipe.kind, findings.size),
            "metadata": findings.metadata,
            "seconds": time.perf_counter() - self.started,
        }
        return StageResult(**(fields | more | findings.shown))

    def record_only(self, production: Production) -> StageResult:
        """Promote a stage that writes no table: its record says what it made."""
        findings = production.outcome()
        record = self.record(findings, None, [])
        self.request.ws.lake.records(self.request.corpus).advance(record, "promoted", promoted_at=time.time())
        return self.result(findings, status="promoted")


class _Staging:
    """Writers, candidate and verdict of a promotion of a table."""

    def __init__(self, attempt: _Attempt, schema: pa.Schema) -> None:
        self.attempt, self.schema = attempt, schema
        self.request, self.work = attempt.request, attempt.work
        lake, corpus = self.request.ws.lake, self.request.corpus
        self.table: Table = lake.table(corpus, self.request.stage.name)
        if self.table.dataset_or_none() is None:
            self.table.create(schema)
        # Readers see no new column before it is promoted: the candidate is built on a detached version that has it.
        self.written_for = widened(self.table, self.table.dataset(), schema)
        self.quarantine_table = lake.quarantine(corpus)
        self._start()

    def _start(self) -> None:
        self.main = FragmentWriter(self.table, self.schema, dataset=self.written_for)
        self.quarantine = FragmentWriter(self.quarantine_table, QUARANTINE)
        self.main_rows, self.side_rows = RowDigest(), RowDigest()
        self.reasons: Counter[str] = Counter()

    def promote(self, production: Production) -> StageResult:
        """Write the rows, then judge and promote them."""
        self._write(production.rows())
        main, side = self._stage_candidates(production)
        candidate = Candidate(self._view(main, whole=main.scope == "delta"), self._view(side))
        findings = production.findings(candidate)
        records = self.request.ws.lake.records(self.request.corpus)
        digests = {main.table: self.main_rows.hexdigest(), side.table: self.side_rows.hexdigest()}
        record = self.attempt.record(findings, main, [side], digests)
        facts = {"ledger": findings.ledger.facts(), **findings.facts}
        gates, docs_index, accepted = self._audit(main, side, facts, findings.verdicts, by_suites=production.by_suites)
        result = self.attempt.result(
            findings,
            status="rejected",
            table=main.table,
            uri=self.table.uri,
            version=None,
            quarantined_by_reason=dict(self.reasons) | findings.reasons,
            gates=gates,
            docs_index=docs_index,
        )
        if any(gate.blocks for gate in gates):
            records.advance(record, "rejected", refusal=refusal_of(self.request, result))
            raise GateFailed(result)
        if accepted:
            record = records.advance(record, "staged", lineage={**record.lineage, "accepted": accepted})
        record = self.request.ws.lake.promoter(self.request.corpus).promote(
            record, reaudit=reaudit_of(type(production), self.request)
        )
        return replace(
            result,
            status="promoted",
            version=record.promoted_version,
            seconds=time.perf_counter() - self.attempt.started,
        )

    def _write(self, pieces: Iterator[Rows | Rejected | StartOver]) -> None:
        """Write rows as fragments, none of which spans two partitions."""
        partition = None
        for piece in pieces:
            if isinstance(piece, StartOver):
                self._start()
                partition = None
                continue
            if piece.batch.num_rows == 0:
                continue
            if isinstance(piece, Rejected):
                count_reasons(piece.batch, self.reasons)
                rejected = self._stamped(piece.batch, QUARANTINE)
                self.side_rows.add(rejected)
                self.quarantine.write(rejected)
                continue
            if "partition" in piece.batch.schema.names:
                of_batch = piece.batch.column("partition")[0].as_py()
                if partition is not None and of_batch != partition:
                    self.main.flush()
                partition = of_batch
            rows = self._stamped(piece.batch, self.schema)
            self.main_rows.add(rows)
            self.main.write(rows)

    def _stamped(self, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        """The batch with this promotion's id, columns in the table's order."""
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        columns["promotion_id"] = pa.array([self.work.promotion_id] * batch.num_rows, pa.string())
        arrays = [columns[f.name] if columns[f.name].type == f.type else columns[f.name].cast(f.type) for f in schema]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _stage_candidates(self, production: Production) -> tuple[CandidateTable, CandidateTable]:
        """Flush the writers and commit both tables detached: (main, quarantine)."""
        self.main.flush()
        self.quarantine.flush()
        request = self.request
        delta = production.delta()
        own, fragments = {*self.schema.names}, self.main.fragments
        completed = complete_fragments(
            request.ws, request.corpus, self.table, self.written_for, own, fragments, request.engine
        )
        self.columns = completed.columns
        main = stage_table(
            self.table,
            self.main.fragments,
            self.main.rows,
            scope="delta" if delta is not None else "partition" if request.stage.partitioned else "table",
            partition=request.key,
            stage_name=request.stage.name,
            written_for=self.written_for,
            **_changes(delta),
        )
        refuse_if_columns_landed(self.table, completed.version, main.base_version)
        side_stage, side_partition = production.side_key or (request.stage.name, request.key)
        side = stage_table(
            self.quarantine_table,
            self.quarantine.fragments,
            self.quarantine.rows,
            scope="partition",
            partition=side_partition,
            stage_name=side_stage,
        )
        return main, side

    def _view(self, candidate: CandidateTable, *, whole: bool = False) -> TableView:
        """The candidate's rows and no others; the whole table as it will be on request."""
        version = candidate.detached_version if whole else candidate.audit_version
        return self.request.ws.lake.candidate_view(self.request.corpus, candidate.table, version, self.request.key)

    def _audit(
        self,
        main: CandidateTable,
        side: CandidateTable,
        facts: Mapping[str, Any],
        own: tuple[GateResult, ...],
        *,
        by_suites: bool,
    ) -> tuple[tuple[GateResult, ...], str | None, list[dict[str, Any]]]:
        """The verdicts of the stage's suites and those that the production brings."""
        request = self.request
        stage = request.stage.name
        suites = request.suites(stage, request.recipe, self.schema) if by_suites else []
        name = f"{request.corpus}.{stage}.{request.key}"
        store = request.ws.store
        folder = f"{request.ws.lake.corpus_uri(request.corpus)}/data_docs/{stage}/{self.work.promotion_id}"
        with tempfile.TemporaryDirectory(prefix="winnowry-docs-") as scratch:
            view = self._view(main)
            facts = {**facts, "column_types": {column.name: str(column.type) for column in view.schema}}
            settled = Settled(request, self._view(side))
            outcome = run_checkpoint(
                view,
                suites,
                facts=facts,
                name=name,
                docs=Path(scratch),
                settle=settled,
            )
            docs_index = None
            if outcome.docs_index is not None:
                for path in sorted(Path(scratch).rglob("*")):
                    if path.is_file():
                        store.write(f"{folder}/{path.relative_to(scratch).as_posix()}", path.read_bytes())
                relative = Path(outcome.docs_index.removeprefix("file://")).resolve()
                docs_index = f"{folder}/{relative.relative_to(Path(scratch).resolve()).as_posix()}"
        verdicts = (*outcome.results, *judge_columns(view, self.columns, request.suites, name), *own)
        request.ws.lake.append_gates(
            request.corpus,
            gate_rows(verdicts, self.work.promotion_id, main.table, main.detached_version, request.key),
        )
        return verdicts, docs_index, settled.accepted


def reaudit_of(production: type[Production], request: Request) -> Callable[[PromotionRecord], None] | None:
    """The rule over the whole table that a production has, bound to the lake."""
    return partial(production.reaudit, request) if production.watches_table else None


def _changes(delta: Delta | None) -> dict[str, Any]:
    if delta is None:
        return {}
    return {"base_version": delta.base_version, "updated": delta.updated, "removed": delta.removed}


def _sizes(kind: Kind, size: int | None) -> dict[str, Any]:
    """How the result says how much was written."""
    if kind.in_tokens or size is None:
        return {"tokens": size}
    return {"size": size, "unit": kind.unit}
