"""What is judged without Great Expectations is judged, and shown, as Great Expectations does."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
import pytest

from expectations.custom import (
    ExpectColumnTypes,
    ExpectFractionQuarantinedToBeAtMost,
    ExpectLedgerToBalance,
    ExpectNoCollidingIds,
    ExpectNoDrift,
)
from tests.tiny_project import make_tiny_project
from winnowry.gates import checkpoint, direct
from winnowry.gates.docs import stored_results
from winnowry.gates.facts import ExpectFact
from winnowry.gates.result import CheckpointResult
from winnowry.gates.specification import KINDS, Specification, gxe, native
from winnowry.gates.suite import Suite
from winnowry.lakehouse.view import TableView

pytestmark = pytest.mark.filterwarnings("ignore")

FACTS = {
    "ledger": {"rows_in": 9, "rows_out": 7, "rows_quarantined": 1, "missing": ["<x>"], "unexpected": [],
               "duplicated": []},
    "column_types": {"n": "int64"},
    "trailing": {"n_rows": [4, 5, 6]},
}  # fmt: skip

ASKED: list[Any] = [
    gxe.ExpectTableRowCountToBeBetween(min_value=1),
    gxe.ExpectTableRowCountToBeBetween(min_value=0, max_value=60, strict_max=True, severity="warning"),
    gxe.ExpectColumnValuesToBeBetween(column="n", min_value=3, max_value=30),
    gxe.ExpectColumnValuesToBeBetween(column="n", min_value=3, strict_min=True, mostly=0.9, severity="info"),
    gxe.ExpectColumnValuesToBeBetween(column="score", min_value=0.5, max_value=7, strict_max=True),
    gxe.ExpectColumnValuesToNotBeNull(column="text"),
    gxe.ExpectColumnValuesToNotBeNull(column="score", mostly=0.5),
    gxe.ExpectColumnValuesToNotBeNull(column="nothing"),
    gxe.ExpectColumnValuesToBeBetween(column="nothing", min_value=1),
    gxe.ExpectColumnValuesToMatchRegex(column="record_id", regex="^[0-9a-f]{32}$"),
    gxe.ExpectColumnValuesToMatchRegex(column="kind", regex="^e", severity="warning"),
    gxe.ExpectColumnValuesToBeInSet(column="kind", value_set=["en", "de"], mostly=0.9),
    gxe.ExpectColumnValuesToBeUnique(column="kind"),
    gxe.ExpectColumnValuesToBeUnique(column="n", mostly=1.0),
    gxe.ExpectColumnValueLengthsToBeBetween(column="text", min_value=2, max_value=20),
    gxe.ExpectColumnUniqueValueCountToBeBetween(column="kind", max_value=1),
    gxe.ExpectColumnUniqueValueCountToBeBetween(column="kind", min_value=1, strict_min=True, max_value=None),
    gxe.ExpectTableColumnsToMatchSet(column_set=["text", "record_id"], exact_match=False),
    gxe.ExpectTableColumnsToMatchSet(column_set=["text", "no_such"], exact_match=False),
    gxe.ExpectTableColumnsToMatchSet(column_set=["record_id", "text"]),
    ExpectLedgerToBalance(),
    ExpectColumnTypes(types={"n": "int64", "text": "string"}),
    ExpectFractionQuarantinedToBeAtMost(max_fraction=0.1, severity="warning"),
    ExpectNoDrift(measure="n_rows", max_relative_change=0.5),
]  # fmt: skip


@pytest.fixture(scope="module", params=[0, 1, 60])
def view(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TableView:
    rows = range(request.param)
    table = pa.table(
        {
            "record_id": pa.array([f"{i:032x}" for i in rows], pa.string()),
            "text": pa.array([None if i % 7 == 3 else "a\n<b>" * i for i in rows], pa.string()),
            "kind": pa.array(["<b>" if i % 5 else "en" for i in rows], pa.string()),
            "n": pa.array([None if i % 7 == 3 else i for i in rows], pa.int64()),
            "score": pa.array([float("nan") if i % 11 == 5 else i / 7 for i in rows], pa.float64()),
            "nothing": pa.array([None for _ in rows], pa.int64()),
        }
    )
    uri = str(tmp_path_factory.mktemp("judge") / "t.lance")
    lance.write_dataset(table, uri)
    return TableView(uri, 1, {}, "cleaned", "2024")


def judged(view: TableView, expectations: list[Any], docs: Path | None = None) -> CheckpointResult:
    half = len(expectations) // 2
    suites = [Suite("cleaned.quality", expectations[:half]), Suite("cleaned.contract", expectations[half:])]
    return checkpoint.run_checkpoint(view, suites, facts=FACTS, name="c.cleaned", docs=docs)


def test_every_kind_is_asked_for_here() -> None:
    assert {one.class_name for one in ASKED if isinstance(one, Specification)} == set(KINDS)
    assert all(isinstance(one, Specification | ExpectFact) for one in ASKED)


def test_every_result_and_page_is_the_one_of_great_expectations(
    view: TableView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from winnowry.gates.native_docs import page_of_stored

    alone = judged(view, ASKED, tmp_path / "alone")
    monkeypatch.setattr(checkpoint, "judge", lambda *_: None)
    directly = judged(view, ASKED, tmp_path / "directly")
    monkeypatch.setattr(direct, "judge_directly", lambda *_: None)
    by_graph = judged(view, ASKED)

    # By text: NaN is no other value than NaN, and the order of parameters is part of what is stored.
    assert list(map(str, alone.results)) == list(map(str, directly.results)) == list(map(str, by_graph.results))
    stored = stored_results((tmp_path / "alone" / "suites.html").read_text(encoding="utf-8"))
    assert stored is not None
    shown, wanted = page_of_stored(stored), (tmp_path / "directly" / "suites.html").read_text(encoding="utf-8")
    assert stored_results(wanted) is None
    assert without_times(shown) == without_times(wanted)
    index = (tmp_path / "alone" / "index.html").read_text(encoding="utf-8")
    assert index == (tmp_path / "directly" / "index.html").read_text(encoding="utf-8")
    anchors = re.findall(r'href="suites.html#([^"]+)"', index)
    assert len(set(anchors)) == 2
    assert all(f'id="{anchor}"' in (tmp_path / "alone" / "suites.html").read_text() for anchor in anchors)


def without_times(page: str) -> str:
    """A page of Great Expectations without the time of the run and the random ids of its elements."""
    page = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?", "TIME", page)
    return re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID", page)


def test_a_page_that_is_opened_as_a_file_shows_what_was_asked_for_observed_and_failing(
    view: TableView, tmp_path: Path
) -> None:
    asked = [
        ExpectNoDrift(measure="n_rows", max_relative_change=0.5),
        gxe.ExpectColumnValuesToBeInSet(column="kind", value_set=["en", "de"], mostly=0.9),
    ]
    outcome = judged(view, asked, tmp_path / "docs")
    page = (tmp_path / "docs" / "suites.html").read_text(encoding="utf-8").partition("<script")[0]
    assert "n_rows must be within ± 0.5 (relative) of the median" in page
    assert "mostly: 0.9, value_set: [&#39;en&#39;, &#39;de&#39;]" in page
    samples = outcome.results[1].samples
    assert all(sample["record_id"] in page for sample in samples)
    assert page.count("kind &lt;b&gt;, ") + page.count(", record_id") >= len(samples)
    assert "<b>" not in page


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ExpectColumnValuesToBeBetween", {"column": "n", "min_value": 3, "max_value": 1}),
        ("ExpectColumnValuesToBeBetween", {"column": "n"}),
        ("ExpectColumnValuesToNotBeNull", {"column": ""}),
        ("ExpectColumnValuesToNotBeNull", {}),
        ("ExpectColumnValuesToNotBeNull", {"column": "n", "mostly": 1.5}),
        ("ExpectColumnValuesToNotBeNull", {"column": "n", "mostyl": 0.5}),
        ("ExpectColumnValuesToNotBeNull", {"column": "n", "severity": "grave"}),
        ("ExpectColumnValueLengthsToBeBetween", {"column": "n"}),
    ],
)
def test_wrong_arguments_are_refused_by_great_expectations_or_left_to_it(name: str, arguments: dict[str, Any]) -> None:
    from winnowry.gates.native import gxe as theirs

    assert made_or_refused(getattr(gxe, name), arguments) == made_or_refused(getattr(theirs, name), arguments)


def made_or_refused(make: Any, arguments: dict[str, Any]) -> tuple[type, str]:
    try:
        return type(make(**arguments)), ""
    except ValueError as error:
        return type(error), str(error)


@pytest.mark.parametrize(
    "asked",
    [
        gxe.ExpectColumnMeanToBeBetween,
        partial(gxe.ExpectColumnValuesToNotBeNull, row_condition="n > 3", condition_parser="pandas"),
        partial(gxe.ExpectColumnValuesToNotBeNull, meta={"notes": "x"}),
        partial(gxe.ExpectColumnValuesToBeBetween, min_value=2**60),
    ],
)
def test_what_is_not_plain_is_great_expectations_own(asked: Any) -> None:
    assert type(asked(column="n")).__module__.startswith("great_expectations.")


def test_a_specification_is_made_into_what_it_says() -> None:
    for one in ASKED:
        made = native(one).configuration
        assert (made.type, made.kwargs, made.severity.value) == (one.kind, dict(one.arguments), one.severity)


def test_what_cannot_be_judged_is_broken_and_no_other_expectation_with_it(view: TableView) -> None:
    outcome = judged(view, [gxe.ExpectTableRowCountToBeBetween(min_value=0), ExpectNoCollidingIds()])
    assert [result.verdict for result in outcome.results] == ["pass", "broken"]
    assert "measured no 'global'" in outcome.results[1].message


def test_an_expectation_of_a_user_takes_the_candidate_to_great_expectations(view: TableView) -> None:
    outcome = judged(
        view, [ExpectLedgerToBalance(), gxe.ExpectColumnMeanToBeBetween(column="n", min_value=-1, max_value=99)]
    )
    assert [result.expectation for result in outcome.results] == [
        "expect_ledger_to_balance",
        "expect_column_mean_to_be_between",
    ]
    assert outcome.results[0].verdict == "fail"


def test_a_run_of_the_lakes_own_suites_imports_no_great_expectations(tmp_path: Path, repository: Path) -> None:
    make_tiny_project(tmp_path)
    script = """
import sys
import winnowry as wn
assert wn.open("lake").run("tickets.yaml").succeeded
print(sorted({"great_expectations", "dagster"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=240
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr[-2000:]
