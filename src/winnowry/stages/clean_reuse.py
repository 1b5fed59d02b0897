"""Re-run cleaning after only thresholds moved: decide anew from stored columns, compute what no row has yet.

A threshold is data about a column that is already there. So the rows that pass on both sides are carried over with
their columns, rows that now fail are set aside with theirs, and operators are called only for records that come back:
for their text, which a rejected row does not keep, and for columns that a costly operator never computed for them.
The result is the one that cleaning from scratch gives, row for row and reason for reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa

from winnowry.core.sql import in_list
from winnowry.engine.chain import STORED, Outcome, run_chain
from winnowry.engine.quarantine import quarantine_rows
from winnowry.engine.tasks import ChainResult, ChainTask, tasks_over
from winnowry.lakehouse.view import TableView
from winnowry.operators.base import Operator
from winnowry.promotion.lineage import live
from winnowry.promotion.production import Work

_KEPT_COLUMNS = ("record_id", "partition", "source", "event_time", "license")
_QUARANTINE_COLUMNS = ("record_id", "columns", "uri", "position")


@dataclass(frozen=True)
class Earlier:
    """What the live promotion of a partition left: the rows it kept, and those it set aside."""

    cleaned: TableView
    quarantine: TableView | None


def earlier_run(work: Work) -> Earlier | None:
    """The live promotion of this partition, where its columns are the ones this recipe would compute.

    None where nothing is promoted, the input is another, or more than thresholds changed.
    """
    recipe = work.recipe
    record = live(work.ws, recipe, "cleaned", work.partition)
    if record is None or record.lineage.get("inputs") != work.inputs:
        return None
    if not same_columns(record.lineage.get("spec", {}).get("clean", []), recipe.cleaning):
        return None
    has_rejects = record.ledger.get("rows_quarantined", 0) > 0
    return Earlier(work.part("cleaned"), work.part("quarantine", stage="cleaned") if has_rejects else None)


def same_columns(before: Sequence[Mapping[str, Any]], operators: Sequence[Operator]) -> bool:
    """Whether operators, as recorded, write the same columns: they differ in nothing but thresholds of rules.

    Args:
        before: fingerprints of the operators of the earlier run.
        operators: the operators now.
    """
    if [old.get("op") for old in before] != [operator.op for operator in operators]:
        return False
    for old, operator in zip(before, operators, strict=True):
        now = operator.fingerprint()
        differing = {key for key in old.keys() | now.keys() if old.get(key) != now.get(key)}
        if not differing:
            continue
        if "version" in differing:
            return False
        parameters = {key: value for key, value in old.items() if key != "version"}
        then = type(operator).model_validate(parameters)
        only_rules = {*operator.ONLY_RULES, *(rule.name for rule in (*then.rules(), *operator.rules()))}
        if differing - only_rules or then.writes() != operator.writes():
            return False
    return True


@dataclass(frozen=True)
class RejectedTask:
    """Decide anew about rows ``offset … offset + n_rows`` of a partition's quarantine."""

    quarantine: TableView
    whole: ChainTask
    offset: int
    n_rows: int


def carry_kept(task: ChainTask, cleaned: TableView) -> Iterator[ChainTask]:
    """Tasks that decide anew about the rows the earlier run kept.

    Args:
        task: the task over all of ``raw``.
        cleaned: rows of the earlier run.
    """
    written = [name for operator in task.operators for name in operator.writes().names]
    columns = tuple(dict.fromkeys((*_KEPT_COLUMNS, "text", *written)))

    def unit(offset: int, n_rows: int) -> ChainTask:
        return ChainTask(
            view=cleaned,
            columns=columns,
            renamed={name: STORED + name for name in written},
            operators=task.operators,
            offset=offset,
            n_rows=n_rows,
            stage=task.stage,
            places=task.view,
            files=task.files,
            refuse_empty=task.refuse_empty,
        )

    return tasks_over(cleaned, columns, unit)


def reconsider_rejected(task: ChainTask, quarantine: TableView) -> Iterator[RejectedTask]:
    """Tasks that decide anew about the rows the earlier run set aside."""
    return tasks_over(
        quarantine, _QUARANTINE_COLUMNS, lambda offset, n_rows: RejectedTask(quarantine, task, offset, n_rows)
    )


def run_rejected_task(task: RejectedTask) -> ChainResult:
    """Ask the rules again; called in a worker."""
    scanner = task.quarantine.dataset().scanner(
        columns=list(_QUARANTINE_COLUMNS), offset=task.offset, limit=task.n_rows
    )
    rows = scanner.to_table().to_pylist()
    for row in rows:
        row["columns"] = orjson.loads(row["columns"] or "{}")
    groups: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(_judgeable(task.whole.operators, row["columns"]), []).append(row)
    kept_batches: list[pa.RecordBatch] = []
    quarantined: list[pa.RecordBatch] = []
    calls: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for known, group in groups.items():
        back, still = _ask_again(task.whole, known, group)
        quarantined += still
        for outcome in _bring_back(task.whole, known, back):
            kept_batches.append(outcome.kept)
            quarantined += [quarantine_rows(batch, reasons, task.whole.stage) for batch, reasons in outcome.rejected]
            errors.update(outcome.errors)
            calls.update(outcome.calls)
    joined = pa.Table.from_batches(kept_batches).combine_chunks().to_batches() if kept_batches else []
    return ChainResult(joined[0] if joined else None, quarantined, dict(errors), len(rows), dict(calls))


def _judgeable(operators: Sequence[Operator], columns: Mapping[str, Any]) -> int:
    """How many operators of the chain can be judged from stored columns; 0 where the row must be computed anew.

    Rows leave the chain only before a costly operator or at its end. Where the stored columns stop elsewhere (the row
    crashed an operator, or JSON could not hold a NaN that a rule asks for), the row's own columns do not tell enough.
    """
    known = 0
    for operator in operators:
        rule_columns = {rule.column for rule in operator.rules()}
        for field in operator.writes():
            if field.name == "text":
                continue
            if field.name not in columns:
                return known if operator.COST == "costly" else 0
            lost_nan = pa.types.is_floating(field.type) and columns[field.name] is None
            if field.name in rule_columns and (lost_nan or not _survives_json(field.type)):
                return 0
        known += 1
    return known


def _survives_json(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
    )


def _ask_again(
    whole: ChainTask, known: int, group: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[pa.RecordBatch]]:
    """Rows that pass all rules over stored columns, and quarantine rows of the others."""
    if known == 0:
        return group, []
    operators = whole.operators[:known]
    arrays: dict[str, pa.Array] = {
        "record_id": pa.array([row["record_id"] for row in group], pa.string()),
        "partition": pa.array([whole.view.partition] * len(group), pa.string()),
        "uri": pa.array([row["uri"] for row in group], pa.string()),
        "position": pa.array([row["position"] for row in group], pa.int64()),
    }
    for operator in operators:
        for field in operator.writes():
            # No rule asks for text or for what JSON cannot hold; such columns only need to be there.
            stored = field.name != "text" and _survives_json(field.type)
            values = [row["columns"][field.name] if stored else None for row in group]
            arrays[STORED + field.name] = pa.array(values, field.type)
    outcome = run_chain(operators, pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays)))
    passing = set(outcome.kept.column("record_id").to_pylist())
    by_id = {row["record_id"]: row["columns"] for row in group}
    still = []
    for batch, reasons in outcome.rejected:
        rejected = quarantine_rows(batch, reasons, whole.stage)
        names = set(batch.schema.names)
        measured = [
            orjson.dumps({name: value for name, value in by_id[record_id].items() if name in names}).decode()
            for record_id in rejected.column("record_id").to_pylist()
        ]
        at = rejected.schema.get_field_index("columns")
        still.append(
            rejected.set_column(at, rejected.schema.field(at), pa.array(measured, rejected.schema.field(at).type))
        )
    return [row for row in group if row["record_id"] in passing], still


def _bring_back(whole: ChainTask, known: int, back: list[dict[str, Any]]) -> Iterator[Outcome]:
    """Run the chain over records that come back, with the columns they already have."""
    if not back:
        return
    operators = whole.operators_here()
    by_id = {row["record_id"]: row["columns"] for row in back}
    for batch in whole.view.scan(columns=list(whole.columns), where=in_list("record_id", by_id)):
        named = batch.rename_columns([whole.renamed.get(name, name) for name in batch.schema.names])
        ids = named.column("record_id").to_pylist()
        for operator in whole.operators[:known]:
            for field in operator.writes():
                values = [by_id[record_id].get(field.name) for record_id in ids]
                lost_nan = pa.types.is_floating(field.type) and None in values
                if field.name != "text" and _survives_json(field.type) and not lost_nan:
                    named = named.append_column(STORED + field.name, pa.array(values, field.type))
        yield run_chain(operators, named, refuse_empty=whole.refuse_empty)
