"""Judge one candidate by its suites: a Great Expectations Checkpoint on the candidate's own columns."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from winnowry.gates.result import CheckpointResult
from winnowry.gates.suite import Suite

if TYPE_CHECKING:
    from winnowry.lakehouse.view import TableView

SAMPLES = 20
"""Failing rows shown of each expectation."""

_lock = threading.Lock()  # Great Expectations keeps its current context in the process


def run_checkpoint(
    view: TableView,
    suites: Sequence[Suite],
    *,
    facts: Mapping[str, Any],
    name: str,
    docs: Path | None,
) -> CheckpointResult:
    """Judge a candidate.

    Args:
        view: exactly the rows of the candidate's partition, at the version to be promoted.
        suites: what is expected; an empty suite is left out.
        facts: what custom expectations judge, such as the ledger.
        name: shown in Data Docs, such as ``corpus.stage.partition``.
        docs: local folder of its own for Data Docs, or None for none.

    Returns:
        One result an expectation, in order. An expectation that raised is ``broken``, which blocks.

    Raises:
        ValueError: two suites have one name.
    """
    names = [suite.name for suite in suites]
    if len(set(names)) < len(names):
        raise ValueError(f"suites need different names, got {', '.join(names)}")
    built = {suite.name: expectations for suite in suites if (expectations := suite.build())}
    if not built:
        return CheckpointResult(())
    with _lock:
        return _run(view, built, facts, name, docs)


def _run(
    view: TableView, suites: Mapping[str, list[Any]], facts: Mapping[str, Any], name: str, docs: Path | None
) -> CheckpointResult:
    import pandas as pd

    from winnowry.gates.context import OneUseCheckpoint, OneUseDefinition, OneUseSuite, new_batch
    from winnowry.gates.docs import PromotionDocsAction, write_index
    from winnowry.gates.engine import Session, audit
    from winnowry.gates.verdicts import gate_result

    batch = new_batch()
    definitions: list[Any] = [
        OneUseDefinition(
            name=suite, id=_id(), data=batch, suite=OneUseSuite(name=suite, id=_id(), expectations=expectations)
        )
        for suite, expectations in suites.items()
    ]
    columns = view.schema.names
    ids = {"unexpected_index_column_names": ["record_id"]} if "record_id" in columns else {}
    checkpoint = OneUseCheckpoint(
        name=name,
        id=_id(),
        validation_definitions=definitions,
        actions=[PromotionDocsAction(name="docs", folder=str(docs))] if docs is not None else [],
        result_format={"result_format": "SUMMARY", "partial_unexpected_count": SAMPLES, **ids},
    )
    with audit(Session(view, facts)):
        outcome = checkpoint.run(batch_parameters={"dataframe": pd.DataFrame(columns=columns)})
    results = tuple(
        gate_result(suite.suite_name, judged) for suite in outcome.run_results.values() for judged in suite.results
    )
    return CheckpointResult(results, write_index(docs, name, results) if docs is not None else None)


def _id() -> str:
    return str(uuid.uuid4())
