"""The Lance engine says what Great Expectations' own pandas engine says, on the same data."""

from __future__ import annotations

import datetime as dt
import math
from types import SimpleNamespace
from typing import Any

import lance
import pyarrow as pa
import pytest

from winnowry.lakehouse.view import TableView

# A sweep: what the lake's own suites use is compared in every run by tests/unit/gates/test_direct.py.
pytestmark = pytest.mark.slow

UTC = dt.UTC
N = 60


def _table() -> pa.Table:
    """Numbers with nulls and NaN, dates, times, strings of several scripts, duplicates."""
    nan, inf = math.nan, math.inf
    words = [
        "en",
        "zh",
        "it's",
        "Zürich",
        "数据",
        "a\nb",
        "end\n",
        "",
        "👩‍🚀",
        "x" * 40,
        None,
        "EN",
        'quo"te',
        "12",
        "a b",
    ]
    floats = [0.0, -0.0, 1.5, nan, None, -3.25, inf, 1.5, 1e-12, 7.0, nan, 2.5]
    start = dt.datetime(2024, 1, 1, tzinfo=UTC)
    return pa.table(
        {
            "record_id": pa.array([f"{i:032x}" for i in range(N)]),
            "n": pa.array([(i * 7) % 23 for i in range(N)], pa.int64()),
            "m": pa.array([None if i % 11 == 3 else (i * 5) % 19 for i in range(N)], pa.int32()),
            "f": pa.array([floats[i % len(floats)] for i in range(N)], pa.float64()),
            "finite": pa.array([None if i % 13 == 5 else math.sin(i) * 10 for i in range(N)], pa.float64()),
            "f32": pa.array([(i % 10) / 10 for i in range(N)], pa.float32()),
            "s": pa.array([words[i % len(words)] for i in range(N)], pa.string()),
            "text": pa.array([(words[i % len(words)] or "") * (i % 4) for i in range(N)], pa.large_string()),
            "t": pa.array([None if i % 17 == 4 else start + dt.timedelta(hours=9 * i) for i in range(N)],
                          pa.timestamp("us", tz="UTC")),
            "day": pa.array([None if i % 19 == 7 else dt.date(2024, 1, 1 + i % 28) for i in range(N)], pa.date32()),
            "flag": pa.array([i % 3 == 0 for i in range(N)]),
            "same": pa.array(["2024"] * N),
            'odd "name"; --': pa.array([i % 5 for i in range(N)], pa.int64()),
        }
    )  # fmt: skip


def _all_null(table: pa.Table) -> pa.Table:
    return pa.table({f.name: pa.nulls(3, f.type) for f in table.schema})


DATASETS = {
    "mixed": lambda: _table(),
    "one row": lambda: _table().slice(2, 1),
    "empty": lambda: _table().slice(0, 0),
    "all null": lambda: _all_null(_table()),
}

CASES: dict[str, dict[str, Any]] = {}


def case(kind: str, **arguments: Any) -> None:
    label = kind + "(" + ", ".join(f"{k}={v!r}" for k, v in arguments.items()) + ")"
    CASES[label[:150]] = {"kind": kind, "arguments": arguments}


for column in ("record_id", "n", "m", "f", "s", "t", "day", "flag"):
    case("ExpectColumnValuesToNotBeNull", column=column)
    case("ExpectColumnValuesToBeNull", column=column, mostly=0.5)
    case("ExpectColumnValuesToBeUnique", column=column)
    case("ExpectColumnUniqueValueCountToBeBetween", column=column, min_value=1, max_value=12)
    case("ExpectColumnProportionOfUniqueValuesToBeBetween", column=column, min_value=0.1, max_value=0.9)
case("ExpectColumnValuesToNotBeNull", column="m", mostly=0.9)
case("ExpectColumnValuesToNotBeNull", column="f", mostly=0.75)
for column in ("n", "m", "f", "finite", "f32", 'odd "name"; --'):
    case("ExpectColumnValuesToBeBetween", column=column, min_value=0.5, max_value=15)
    case("ExpectColumnValuesToBeBetween", column=column, min_value=2, max_value=7, strict_min=True, strict_max=True)
    case("ExpectColumnValuesToBeBetween", column=column, min_value=0, strict_min=True, mostly=0.6)
    case("ExpectColumnValuesToBeBetween", column=column, max_value=0.3, mostly=0.01)
    case("ExpectColumnMinToBeBetween", column=column, min_value=-5, max_value=5)
    case("ExpectColumnMaxToBeBetween", column=column, min_value=-5, max_value=5)
    case("ExpectColumnSumToBeBetween", column=column, min_value=-5, max_value=50000)
    case("ExpectColumnMedianToBeBetween", column=column, min_value=0, max_value=8)
    case("ExpectColumnQuantileValuesToBeBetween", column=column,
         quantile_ranges={"quantiles": [0.1, 0.5, 0.9], "value_ranges": [[None, 5], [0, 9], [1, None]]})  # fmt: skip
for column in ("n", "m", "finite", "f32"):
    case("ExpectColumnMeanToBeBetween", column=column, min_value=0, max_value=9)
    case("ExpectColumnStdevToBeBetween", column=column, min_value=0, max_value=8)
case("ExpectColumnQuantileValuesToBeBetween", column="finite", allow_relative_error="linear",
     quantile_ranges={"quantiles": [0.33, 0.66], "value_ranges": [[-5, 5], [0, 9]]})  # fmt: skip
case("ExpectColumnValuesToBeBetween", column="t", min_value=dt.datetime(2024, 1, 5, tzinfo=UTC))
case("ExpectColumnValuesToBeBetween", column="t", max_value=dt.datetime(2024, 1, 9, 3, tzinfo=UTC), strict_max=True)
case("ExpectColumnValuesToBeBetween", column="day", min_value=dt.date(2024, 1, 5), max_value=dt.date(2024, 1, 20))
case("ExpectColumnMaxToBeBetween", column="t", max_value=dt.datetime(2025, 1, 1, tzinfo=UTC))
for column, values in (("n", [1, 2, 3, 7.0]), ("m", [0, 5]), ("f", [0, 1.5]), ("s", ["en", "it's", "数据", ""]),
                       ("s", [1, 2]), ("n", []), ("s", ["'; DROP TABLE dataset; --"]), ("n", ["1"])):  # fmt: skip
    case("ExpectColumnValuesToBeInSet", column=column, value_set=values)
    case("ExpectColumnValuesToNotBeInSet", column=column, value_set=values, mostly=0.8)
case("ExpectColumnDistinctValuesToBeInSet", column="s", value_set=["en", "zh"])
case("ExpectColumnDistinctValuesToBeInSet", column="same", value_set=["2024"])
case("ExpectColumnDistinctValuesToContainSet", column="n", value_set=[1, 2, 99])
case("ExpectColumnDistinctValuesToEqualSet", column="flag", value_set=[True, False])
case("ExpectColumnDistinctValuesToEqualSet", column="m", value_set=[0, 5])
for regex in ("^[0-9a-f]{32}$", "en", "^..$", r"\d", r"^\w+$", r"\s", "d\n?$", "end$", "^$", "[üÜ]", "数+", r"it's|\"",
              r"(?i)en", "a.b", "^(en|zh)$", r"[^a-z]", r"\bquo"):  # fmt: skip
    case("ExpectColumnValuesToMatchRegex", column="s", regex=regex)
    case("ExpectColumnValuesToNotMatchRegex", column="s", regex=regex, mostly=0.5)
case("ExpectColumnValuesToMatchRegex", column="record_id", regex="^[0-9a-f]{32}$")
case("ExpectColumnValuesToMatchRegex", column="n", regex="^1")
case("ExpectColumnValueLengthsToBeBetween", column="s", min_value=1, max_value=5)
case("ExpectColumnValueLengthsToBeBetween", column="text", min_value=1)
case("ExpectColumnValueLengthsToBeBetween", column="s", min_value=2, max_value=40, strict_max=True)
case("ExpectColumnValueLengthsToEqual", column="record_id", value=32)
case("ExpectColumnValueLengthsToEqual", column="s", value=2, mostly=0.3)
case("ExpectColumnPairValuesAToBeGreaterThanB", column_A="n", column_B="m")
case("ExpectColumnPairValuesAToBeGreaterThanB", column_A="n", column_B="f", or_equal=True)
case("ExpectColumnPairValuesAToBeGreaterThanB", column_A="f", column_B="m", ignore_row_if="either_value_is_missing")
case("ExpectColumnPairValuesAToBeGreaterThanB", column_A="f", column_B="m", ignore_row_if="neither")
case("ExpectColumnPairValuesToBeEqual", column_A="n", column_B="m", mostly=0.05)
case("ExpectCompoundColumnsToBeUnique", column_list=["n", "flag"])
case("ExpectCompoundColumnsToBeUnique", column_list=["f", "s"])
case("ExpectCompoundColumnsToBeUnique", column_list=["record_id", "n"])
case("ExpectCompoundColumnsToBeUnique", column_list=["m", "f"], ignore_row_if="any_value_is_missing")
case("ExpectTableRowCountToBeBetween", min_value=1, max_value=100)
case("ExpectTableRowCountToEqual", value=60)
case("ExpectTableColumnCountToEqual", value=13)
case("ExpectTableColumnsToMatchSet", column_set=["record_id", "n"], exact_match=False)
case("ExpectTableColumnsToMatchSet", column_set=["record_id", "zzz"])
case("ExpectTableColumnsToMatchOrderedList", column_list=["record_id", "n", "m"])
case("ExpectColumnToExist", column="n")
case("ExpectColumnToExist", column="zzz")
for column, type_ in (("n", "int64"), ("n", "float64"), ("f", "float64"), ("s", "str"), ("t", "Timestamp"),
                      ("f32", "float32"), ("flag", "bool"), ("text", "str")):  # fmt: skip
    case("ExpectColumnValuesToBeOfType", column=column, type_=type_)
# Answered by pandas on the projected columns.
case("ExpectColumnValuesToBeIncreasing", column="n")
case("ExpectColumnMostCommonValueToBeInSet", column="same", value_set=["2024"])
case("ExpectMulticolumnSumToEqual", column_list=["n", "n"], sum_total=14)
# Conditions on rows.
for condition in ("n > 5", "s == 'en'", "s != 'en'", "f > 0 and n <= 20", "not (n == 3)", "m.isnull()",
                  "s in ['en', 'zh']", "n + 1 > 5", "s not in ['en']", "2 < n"):  # fmt: skip
    where = {"row_condition": condition, "condition_parser": "pandas"}
    case("ExpectColumnValuesToNotBeNull", column="m", **where)
    case("ExpectColumnValuesToBeBetween", column="n", min_value=4, max_value=18, **where)
    case("ExpectColumnValuesToBeUnique", column="n", **where)
    case("ExpectColumnMeanToBeBetween", column="finite", min_value=-2, max_value=2, **where)
    case("ExpectColumnMedianToBeBetween", column="n", min_value=-2, max_value=9, **where)
    case("ExpectTableRowCountToBeBetween", min_value=2, max_value=30, **where)
    case("ExpectCompoundColumnsToBeUnique", column_list=["n", "flag"], **where)

COMPARED = (
    "element_count",
    "unexpected_count",
    "unexpected_percent",
    "unexpected_percent_total",
    "missing_count",
    "missing_percent",
    "observed_value",
)


@pytest.fixture(scope="module")
def gx_and_views(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Per dataset: the Lance view, and a batch of Great Expectations' pandas engine."""
    from winnowry.gates.context import new_batch
    from winnowry.gates.native import gx

    candidate = new_batch()
    found = {}
    for name, make in DATASETS.items():
        table = make()
        uri = str(tmp_path_factory.mktemp("lance") / "t.lance")
        lance.write_dataset(table, uri)
        pandas = gx.get_context(mode="ephemeral")
        pandas.variables.progress_bars = {"globally": False}
        asset = pandas.data_sources.add_pandas("reference").add_dataframe_asset("table")
        batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": table.to_pandas()})
        found[name] = SimpleNamespace(view=TableView(uri, 1, {}, name), reference=batch, table=table)
    return SimpleNamespace(candidate=candidate, datasets=found)


def judge(gx: Any, dataset: str, kind: str, arguments: dict[str, Any]) -> tuple[Any, Any, Any]:
    import pandas as pd

    from winnowry.gates.engine import audit
    from winnowry.gates.native import gxe
    from winnowry.gates.session import Session

    data = gx.datasets[dataset]
    ours_batch = gx.candidate.get_batch({"dataframe": pd.DataFrame(columns=data.view.schema.names)})
    session = Session(data.view, {})
    with audit(session):
        ours = ours_batch.validate(getattr(gxe, kind)(**arguments), result_format="SUMMARY")
    theirs = data.reference.validate(getattr(gxe, kind)(**arguments), result_format="SUMMARY")
    return ours, theirs, session


def raised(result: Any) -> bool:
    info = result.exception_info or {}
    records = [info] if "raised_exception" in info else list(info.values())
    return any(record.get("raised_exception") for record in records)


def same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, list | tuple) and isinstance(theirs, list | tuple):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, float) and isinstance(theirs, float | int):
        return (math.isnan(ours) and math.isnan(theirs)) or ours == theirs or math.isclose(ours, theirs, rel_tol=1e-9)
    if isinstance(ours, int) and isinstance(theirs, float):
        return float(ours) == theirs
    return bool(ours == theirs) or str(ours) == str(theirs)


# A column of integers or booleans without any value has a dtype of its own in pandas; Lance still knows its type.
TYPES_OF_NOTHING = {
    ("all null", label) for label in CASES if "ToBeOfType(column='n'" in label or "column='flag', type_" in label
}


@pytest.mark.parametrize(
    ("dataset", "label"), [(d, c) for d in DATASETS for c in CASES if (d, c) not in TYPES_OF_NOTHING]
)
@pytest.mark.filterwarnings("ignore")
def test_the_lance_engine_agrees_with_pandas(gx_and_views: Any, dataset: str, label: str) -> None:
    ours, theirs, _ = judge(gx_and_views, dataset, CASES[label]["kind"], CASES[label]["arguments"])
    if raised(theirs):
        assert raised(ours) or dataset in ("all null", "empty"), f"pandas raised: {theirs.exception_info}"
        return
    assert not raised(ours), ours.exception_info
    assert bool(ours.success) == bool(theirs.success), (ours.result, theirs.result)
    for key in COMPARED:
        assert (key in ours.result) == (key in theirs.result), (key, ours.result, theirs.result)
        assert same(ours.result.get(key), theirs.result.get(key)), (key, ours.result, theirs.result)


def test_a_column_without_values_keeps_its_type(gx_and_views: Any) -> None:
    ours, _, _ = judge(gx_and_views, "all null", "ExpectColumnValuesToBeOfType", {"column": "n", "type_": "int64"})
    assert ours.success
    assert ours.result["observed_value"] == "int64"


def test_most_expectations_need_no_pandas(gx_and_views: Any) -> None:
    _, _, session = judge(
        gx_and_views, "mixed", "ExpectColumnValuesToBeInSet", {"column": "s", "value_set": ["en", "zh"]}
    )
    assert session.by_pandas == []
    assert session.scans == 1  # nulls and unexpected values in one query
    assert session.lookups == 1
