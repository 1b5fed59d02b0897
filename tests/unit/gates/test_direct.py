"""What is judged without Great Expectations' graph is judged as the graph judges it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lance
import pyarrow as pa
import pytest

from winnowry.gates import checkpoint, direct
from winnowry.gates.result import CheckpointResult
from winnowry.gates.suite import Suite
from winnowry.lakehouse.view import TableView

pytestmark = pytest.mark.filterwarnings("ignore")

FACTS = {"ledger": {"rows_in": 9, "rows_out": 7, "rows_quarantined": 1, "missing": ["x"], "unexpected": [],
                    "duplicated": []}, "column_types": {"n": "int64"}}  # fmt: skip


def table(n_rows: int) -> pa.Table:
    """A row in seven lacks its values, and texts grow."""
    rows = range(n_rows)
    return pa.table(
        {
            "record_id": pa.array([f"{i:032x}" for i in rows], pa.string()),
            "text": pa.array([None if i % 7 == 3 else "a" * i for i in rows], pa.string()),
            "kind": pa.array(["<b>" if i % 5 else "en" for i in rows], pa.string()),
            "n": pa.array([None if i % 7 == 3 else i for i in rows], pa.int64()),
            "score": pa.array([float("nan") if i % 11 == 5 else i / 7 for i in rows], pa.float64()),
        }
    )


def all_expectations() -> list[Any]:
    """Every sort that the lake's own suites use, met, failed, tolerated and warning."""
    from expectations.custom import ExpectColumnTypes, ExpectLedgerToBalance
    from winnowry.gates.native import FailureSeverity, gxe

    return [
        gxe.ExpectTableRowCountToBeBetween(min_value=1),
        gxe.ExpectColumnValuesToBeBetween(column="n", min_value=3, max_value=30),
        gxe.ExpectColumnValuesToNotBeNull(column="text"),
        gxe.ExpectColumnValuesToNotBeNull(column="text", mostly=0.5),
        gxe.ExpectColumnValuesToMatchRegex(column="record_id", regex="^[0-9a-f]{32}$"),
        gxe.ExpectColumnValuesToMatchRegex(column="kind", regex="^e", severity=FailureSeverity.WARNING),
        gxe.ExpectColumnValuesToBeInSet(column="kind", value_set=["en", "de"], mostly=0.9),
        gxe.ExpectColumnValuesToBeUnique(column="kind"),
        gxe.ExpectColumnValueLengthsToBeBetween(column="text", min_value=2, max_value=20),
        gxe.ExpectColumnUniqueValueCountToBeBetween(column="kind", max_value=1),
        gxe.ExpectColumnMeanToBeBetween(column="n", min_value=0, max_value=5),
        gxe.ExpectColumnMaxToBeBetween(column="n", max_value=38),
        gxe.ExpectColumnMinToBeBetween(column="score", min_value=0, strict_min=True),
        gxe.ExpectTableColumnsToMatchSet(column_set=["record_id", "text"], exact_match=False),
        gxe.ExpectTableColumnsToMatchSet(column_set=["record_id", "text"]),
        gxe.ExpectColumnValuesToBeBetween(column="score", min_value=0.5, strict_min=True),
        ExpectLedgerToBalance(),
        ExpectColumnTypes(types={"n": "int64", "text": "string"}),
    ]


@pytest.fixture(scope="module", params=[0, 1, 60])
def view(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TableView:
    uri = str(tmp_path_factory.mktemp("direct") / "t.lance")
    lance.write_dataset(table(request.param), uri)
    return TableView(uri, 1, {}, "cleaned", "2024")


def judged(view: TableView, expectations: list[Any]) -> CheckpointResult:
    half = len(expectations) // 2
    suites = [Suite("cleaned.quality", expectations[:half]), Suite("cleaned.contract", expectations[half:])]
    return checkpoint.run_checkpoint(view, suites, facts=FACTS, name="c.cleaned", docs=None)


@pytest.fixture
def by_graph(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Names of the checkpoints that were run, by the time it is called."""
    names: list[str] = []
    plain = checkpoint._by_checkpoint

    def counted(session: Any, suites: Any, result_format: Any, name: str) -> list[Any]:
        names.append(name)
        return plain(session, suites, result_format, name)

    monkeypatch.setattr(checkpoint, "_by_checkpoint", counted)
    return lambda: names


def test_every_result_is_the_one_of_the_graph(
    view: TableView, by_graph: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    directly = judged(view, all_expectations())
    assert by_graph() == []
    monkeypatch.setattr(direct, "judge_directly", lambda *_: None)
    through_graph = judged(view, all_expectations())
    assert by_graph() == ["c.cleaned"]
    # By text: NaN is no other value than NaN.
    assert list(map(str, directly.results)) == list(map(str, through_graph.results))


def test_what_the_graph_alone_can_judge_takes_the_whole_candidate_to_it(
    view: TableView, by_graph: Callable[[], list[str]]
) -> None:
    from winnowry.gates.native import gxe

    few = [gxe.ExpectTableRowCountToBeBetween(min_value=0)]
    for more in (
        gxe.ExpectColumnQuantileValuesToBeBetween(
            column="n", quantile_ranges={"quantiles": [0.5], "value_ranges": [[None, 100]]}
        ),
        gxe.ExpectColumnValuesToBeBetween(column="no_such", min_value=1),
        gxe.ExpectColumnPairValuesToBeEqual(column_A="n", column_B="n"),
    ):
        before = len(by_graph())
        assert len(judged(view, [*few, more]).results) == 2
        assert len(by_graph()) == before + 1


def test_what_cannot_be_judged_is_broken_and_no_other_expectation_with_it(view: TableView) -> None:
    from expectations.custom import ExpectNoCollidingIds
    from winnowry.gates.native import gxe

    outcome = judged(view, [gxe.ExpectTableRowCountToBeBetween(min_value=0), ExpectNoCollidingIds()])
    assert [result.verdict for result in outcome.results] == ["pass", "broken"]
    assert "measured no 'global'" in outcome.results[1].message
