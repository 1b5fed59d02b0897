"""Judge one candidate by its suites of Great Expectations' expectations, on the candidate's own columns."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from winnowry.gates.docs import stored_page, write_docs
from winnowry.gates.judge import judge
from winnowry.gates.result import CheckpointResult, GateResult
from winnowry.gates.session import Session
from winnowry.gates.specification import native
from winnowry.gates.suite import Suite
from winnowry.gates.verdicts import gate_result

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
    settle: Callable[[GateResult], GateResult] | None = None,
) -> CheckpointResult:
    """Judge a candidate.

    Args:
        view: exactly the rows of the candidate's partition, at the version to be promoted.
        suites: what is expected; an empty suite is left out.
        facts: what custom expectations judge, such as the ledger.
        name: shown in Data Docs, such as ``corpus.stage.partition``.
        docs: local folder of its own for Data Docs, or None for none.
        settle: what becomes of each verdict before it is written into Data Docs.

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
        return _run(view, built, facts, name, docs, settle)


def _run(
    view: TableView,
    suites: Mapping[str, list[Any]],
    facts: Mapping[str, Any],
    name: str,
    docs: Path | None,
    settle: Callable[[GateResult], GateResult] | None,
) -> CheckpointResult:
    session = Session(view, facts)
    judged: Sequence[Any] | None = judge(session, suites, SAMPLES)
    page = stored_page(name, judged) if docs is not None and judged is not None else None
    if judged is None or (docs is not None and page is None):
        judged, page = _by_great_expectations(session, suites, name, with_page=docs is not None)
    results = tuple(gate_result(suite.suite_name, one) for suite in judged for one in suite.results)
    if settle is not None:
        results = tuple(map(settle, results))
    if docs is None or page is None:
        return CheckpointResult(results)
    return CheckpointResult(results, write_docs(docs, name, results, judged, page))


def _by_great_expectations(
    session: Session, suites: Mapping[str, list[Any]], name: str, *, with_page: bool
) -> tuple[Sequence[Any], str | None]:
    """A result a suite, and the page of them."""
    from winnowry.gates.direct import judge_directly
    from winnowry.gates.engine import audit

    made = {suite: [native(expectation) for expectation in expectations] for suite, expectations in suites.items()}
    ids = {"unexpected_index_column_names": ["record_id"]} if "record_id" in session.schema.names else {}
    result_format = {"result_format": "SUMMARY", "partial_unexpected_count": SAMPLES, **ids}
    with audit(session):
        judged = judge_directly(session, made, result_format) or _by_checkpoint(session, made, result_format, name)
    if not with_page:
        return judged, None
    from winnowry.gates.native_docs import native_page

    return judged, native_page(judged)


def _by_checkpoint(
    session: Session, suites: Mapping[str, list[Any]], result_format: Mapping[str, Any], name: str
) -> list[Any]:
    """A result a suite, by a Great Expectations Checkpoint."""
    import pandas as pd

    from winnowry.gates.context import OneUseCheckpoint, OneUseDefinition, OneUseSuite, new_batch

    batch = new_batch()
    definitions: list[Any] = [
        OneUseDefinition(
            name=suite, id=_id(), data=batch, suite=OneUseSuite(name=suite, id=_id(), expectations=expectations)
        )
        for suite, expectations in suites.items()
    ]
    checkpoint = OneUseCheckpoint(
        name=name, id=_id(), validation_definitions=definitions, actions=[], result_format=dict(result_format)
    )
    outcome = checkpoint.run(batch_parameters={"dataframe": pd.DataFrame(columns=session.schema.names)})
    return list(outcome.run_results.values())


def _id() -> str:
    return str(uuid.uuid4())
