"""Stage ``cleaned``: run the recipe's cleaning operators over one partition of ``raw``.

Where the recipe has a derivation, a record may be replaced by several. Columns of an earlier run are then not used
again: what a moved threshold changes about a parent is not told by the rows of its children.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from winnowry.core.jsonable import digest
from winnowry.core.tables import TEXT
from winnowry.engine.operator_files import publish_files
from winnowry.engine.tasks import ChainResult, ChainTask, columns_read, run_chain_task, tasks_over
from winnowry.operators.base import has_derivation
from winnowry.operators.dedup.content import ContentDuplicates
from winnowry.operators.dedup.keys import DuplicateKeys
from winnowry.operators.dedup.repeats import RepeatedLines, RepeatedParagraphs
from winnowry.operators.media.views import SPAN
from winnowry.promotion.ledger import Ledger, read_ids
from winnowry.promotion.limits import refuse_many_errors
from winnowry.promotion.lineage import data_version
from winnowry.promotion.production import (
    Candidate,
    Findings,
    Production,
    Rejected,
    Rows,
    Work,
    chain_rows,
    derived_ledger_of,
    ledger_of,
    unit_name,
)
from winnowry.promotion.trailing import trailing_facts
from winnowry.recipe.tables import beside_content
from winnowry.stages.clean_reuse import carry_kept, earlier_run, reconsider_rejected, run_rejected_task

_CARRIED = ("record_id", "partition", "source", "event_time", "license", "payload", "uri", "position")
_CARRIED_OF_FILES = (*_CARRIED, "content_sha256", "media_type")


class Cleaned(Production):
    """Cleans one partition."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.raw = work.part("raw")
        self.files = publish_files(work.ws.store, work.recipe.cleaning)
        self.calls: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.of_text = work.recipe.kind.has_text
        beside = (field.name for field in beside_content(work.recipe))
        self.carried = (*(_CARRIED if self.of_text else _CARRIED_OF_FILES), *beside)
        self.derives = has_derivation(work.recipe.clean)
        # Rows that come back are computed from their text: files, records with columns of their own, and records made
        # of records, are computed again.
        again = work.recipe.kind.carries == "text" and not self.derives and not work.request.force
        self.earlier = earlier_run(work) if again else None
        self.judged = 0

    def rows(self) -> Iterator[Rows | Rejected]:
        """Every record of the partition: with the columns of its operators, or with its reasons.

        Raises:
            TooManyErrorsError: more rows crashed an operator than ``limits.max_error_fraction`` allows.
        """
        request = self.work.request
        total = self.raw.count_rows()
        request.progress.start(request.stage.name, request.partition, total)
        for piece in chain_rows(self._counted(), request.progress.advance):
            yield Rows(self._as_cleaned(piece.batch)) if isinstance(piece, Rows) else piece
        # Each error is about a row of its own, and there may be more children than records.
        refuse_many_errors(request, self.errors, max(total, self.judged))

    def _counted(self) -> Iterator[ChainResult]:
        for result in self._results():
            self.calls.update(result.calls)
            self.errors.update(result.errors)
            self.judged += result.kept.num_rows if result.kept is not None else 0
            self.judged += sum(batch.num_rows for batch in result.quarantined)
            yield result

    def _results(self) -> Iterator[ChainResult]:
        """Every row of the partition once: from ``raw``, or from what an earlier promotion left of it."""
        work = self.work
        whole = self._unit(0, self.raw.count_rows())
        if self.earlier is None:
            tasks = tasks_over(self.raw, whole.columns, self._unit)
            yield from work.run(run_chain_task, tasks, unit_name, [self.raw])
            return
        cleaned, quarantine = self.earlier.cleaned, self.earlier.quarantine
        yield from work.run(
            run_chain_task, carry_kept(whole, cleaned), lambda task: f"kept-{unit_name(task)}", [cleaned, self.raw]
        )
        if quarantine is not None:
            yield from work.run(
                run_rejected_task,
                reconsider_rejected(whole, quarantine),
                lambda task: f"rejected-{task.offset:012d}-{task.n_rows}",
                [quarantine, self.raw],
            )

    def _unit(self, offset: int, n_rows: int) -> ChainTask:
        work, operators = self.work, self.work.recipe.cleaning
        return ChainTask(
            view=self.raw,
            columns=columns_read(operators, self.raw.schema.names, self.carried),
            renamed={"payload": "text"} if self.of_text else {},
            operators=operators,
            offset=offset,
            n_rows=n_rows,
            stage=work.request.stage.name,
            files=self.files,
            refuse_empty=True,
            not_measured=frozenset(field.name for field in work.recipe.kind.columns),
        )

    def findings(self, candidate: Candidate) -> Findings:
        """Every record of ``raw`` is kept, in quarantine or replaced by others; of how many something was kept."""
        work = self.work
        balance = derived_ledger_of if self.derives else ledger_of
        ledger = balance(read_ids(self.raw), candidate)
        kept_fraction = ledger.kept_fraction
        measures = {"kept_fraction": kept_fraction, "n_rows": ledger.rows_out}
        return Findings(
            ledger,
            outputs={work.partition: data_version(work.request.stage, work.recipe, work.inputs)},
            facts={
                "kept_fraction": kept_fraction,
                "trailing": trailing_facts(work.request),
                "measures": measures,
                "repeats": _repeats(work, candidate),
            },
            measures=measures,
            metadata={
                "operator_calls": dict(self.calls),
                "errors": self.errors.total(),
                "columns_reused": self.earlier is not None,
                "units_reused": work.units.reused,
                **_derived(ledger),
            },
        )

    def _as_cleaned(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Add the fixed columns: parents (null but of derived records), size in bytes, of a text as UTF-8."""
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        columns.setdefault("parent_ids", pa.nulls(batch.num_rows, pa.list_(pa.string())))
        if "text" in columns:
            text = columns["text"]
            if not pa.types.is_large_string(text.type):
                text = text.cast(TEXT)
            columns["text"] = text
            if self.of_text:
                columns["size"] = pa.compute.binary_length(text.cast(pa.large_binary())).cast(pa.int64())
            else:
                columns |= self._without_keys_of_nothing(columns)
        if SPAN in columns:
            columns |= self._keys_of_parts(columns)
        return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))

    def _without_keys_of_nothing(self, columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
        """Keys of texts, null where bytes have none beside them or an empty one: those are no duplicates by it."""
        compute = pa.compute
        n_chars = compute.utf8_length(compute.utf8_trim_whitespace(columns["text"]))
        empty = compute.equal(compute.fill_null(n_chars, 0), 0)
        keys = [op for op in self.work.recipe.clean if isinstance(op, DuplicateKeys) and "text" in op.reads().names]
        names = [name for operator in keys for name in operator.writes().names]
        return {name: compute.if_else(empty, pa.scalar(None, columns[name].type), columns[name]) for name in names}

    def _keys_of_parts(self, columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
        """Keys of contents that also tell the parts of one content apart."""
        spans = columns[SPAN].to_pylist()
        made = {}
        for operator in self.work.recipe.clean:
            if isinstance(operator, ContentDuplicates):
                (name,) = operator.writes().names
                keys = [
                    key if span is None or key is None else digest([key, span])
                    for key, span in zip(columns[name].to_pylist(), spans, strict=True)
                ]
                made[name] = pa.array(keys, pa.string())
        return made


def _repeats(work: Work, candidate: Candidate) -> dict[str, float | None]:
    """Mean share of a text's characters that each operator removed as repeats; null without rows."""
    shares: dict[str, float | None] = {}
    for operator in work.recipe.clean:
        if isinstance(operator, RepeatedLines | RepeatedParagraphs):
            share = operator.writes().names[-1]
            shares[operator.op] = candidate.rows.sql(f'SELECT AVG("{share}") AS n FROM dataset').to_pylist()[0]["n"]
    return shares


def _derived(ledger: Ledger) -> dict[str, Any]:
    """What the result says of records made of records; nothing where there are none."""
    if ledger.inputs_kept is None:
        return {}
    return {
        "rows_derived": ledger.rows_derived,
        "rows_consumed": ledger.rows_consumed,
        "kept_fraction": ledger.kept_fraction,
    }
