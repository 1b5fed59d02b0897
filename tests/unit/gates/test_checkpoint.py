"""One checkpoint on one small table: verdicts, samples, pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
import pytest

from winnowry.gates.checkpoint import run_checkpoint
from winnowry.gates.result import CheckpointResult, GateResult
from winnowry.gates.suite import Suite
from winnowry.lakehouse.view import TableView

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def view(tmp_path: Path) -> TableView:
    n = 100
    table = pa.table(
        {
            "record_id": [f"{i:032x}" for i in range(n)],
            "language": ["en"] * 97 + ["<b>xx</b>"] * 3,
            "n": pa.array(range(n), pa.int64()),
        }
    )
    uri = str(tmp_path / "t.lance")
    lance.write_dataset(table, uri)
    return TableView(uri, 1, {"secret_access_key": "hunter2"}, "cleaned", "2024")


def judged(view: TableView, *expectations: Any, docs: Path | None = None) -> CheckpointResult:
    return run_checkpoint(view, [Suite("cleaned.quality", list(expectations))], facts={}, name="c.cleaned", docs=docs)


def only(outcome: CheckpointResult) -> GateResult:
    assert len(outcome.results) == 1
    return outcome.results[0]


def test_failing_rows_are_counted_and_shown_with_their_ids(view: TableView) -> None:
    from winnowry.gates.native import gxe

    result = only(judged(view, gxe.ExpectColumnValuesToBeInSet(column="language", value_set=["en"], mostly=0.98)))
    assert (result.verdict, result.unexpected_count, result.observed_number) == ("fail", 3, pytest.approx(0.03))
    assert [row["record_id"] for row in result.samples] == [f"{i:032x}" for i in (97, 98, 99)]
    assert result.blocks
    assert result.parameters == {"mostly": 0.98, "value_set": ["en"]}


def test_a_warning_reports_and_does_not_block(view: TableView) -> None:
    from winnowry.gates.native import FailureSeverity, gxe

    result = only(
        judged(view, gxe.ExpectColumnMaxToBeBetween(column="n", max_value=1, severity=FailureSeverity.WARNING))
    )
    assert (result.verdict, result.observed, result.blocks) == ("warn", 99, False)


def test_an_expectation_that_raises_is_broken_and_blocks_and_takes_no_other_with_it(view: TableView) -> None:
    from winnowry.gates.native import FailureSeverity, gxe

    outcome = judged(
        view,
        gxe.ExpectColumnMeanToBeBetween(column="absent", min_value=0, severity=FailureSeverity.WARNING),
        gxe.ExpectColumnMeanToBeBetween(column="n", min_value=0),
    )
    by_column = {result.column: result for result in outcome.results}
    assert by_column["absent"].verdict == "broken"
    assert by_column["absent"].blocks
    assert "no column 'absent'" in by_column["absent"].message
    assert by_column["n"].verdict == "pass"


def test_what_sql_cannot_answer_is_refused_by_name_on_a_large_table(
    view: TableView, monkeypatch: pytest.MonkeyPatch
) -> None:
    from winnowry.gates import session
    from winnowry.gates.native import gxe

    monkeypatch.setattr(session, "PANDAS_ROWS", 99)
    result = only(judged(view, gxe.ExpectColumnValuesToBeIncreasing(column="n")))
    assert result.verdict == "broken"
    assert "column_values.increasing" in result.message


def test_pages_are_written_and_values_in_them_are_escaped(view: TableView, tmp_path: Path) -> None:
    from winnowry.gates.native import gxe

    docs = tmp_path / "docs"
    outcome = judged(view, gxe.ExpectColumnValuesToBeInSet(column="language", value_set=["en"]), docs=docs)
    assert outcome.docs_index == str(docs / "index.html")
    assert sorted(path.name for path in docs.iterdir()) == ["index.html", "suites.html"]
    index = (docs / "index.html").read_text()
    assert "&lt;b&gt;xx&lt;/b&gt;" in index
    assert "<b>xx</b>" not in index + (docs / "suites.html").read_text()


def test_suites_are_one_page_and_the_index_links_to_where_each_begins(view: TableView, tmp_path: Path) -> None:
    from winnowry.gates.native import gxe

    suites = [Suite(f"raw.{n}", [gxe.ExpectColumnValuesToNotBeNull(column="n")]) for n in ("contract", "ledger")]
    run_checkpoint(view, suites, facts={}, name="c", docs=tmp_path / "docs")
    index, page = ((tmp_path / "docs" / name).read_text() for name in ("index.html", "suites.html"))
    for suite, anchor in re.findall(r'href="suites.html#([^"]+)">([^<]+)', index):
        begins = page.index(f'id="{suite}"')
        assert anchor in page[begins : begins + 2000]
    assert len(set(re.findall(r'href="suites.html#([^"]+)"', index))) == 2
    assert re.findall(r">\s*(raw\.\w+)\s*</a>\s*</li>", page) == ["raw.contract", "raw.ledger"]  # table of contents


def test_data_docs_ask_nothing_of_the_network(view: TableView, tmp_path: Path) -> None:
    from winnowry.gates.native import gxe

    docs = tmp_path / "docs"
    judged(view, gxe.ExpectColumnValuesToBeInSet(column="language", value_set=["en"]), docs=docs)
    for page in docs.glob("*.html"):
        assert not re.findall(r"<(?:link|script|img|iframe)\b[^>]*(?:https?:)?//", page.read_text()), page.name


def test_credentials_are_not_printed(view: TableView) -> None:
    assert "hunter2" not in repr(view)
