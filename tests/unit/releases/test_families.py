"""What a release says of the two families of quality: spreads and rank correlations counted by hand on five rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lance
import numpy as np
import pyarrow as pa
import pytest

from winnowry.lakehouse.view import TableView
from winnowry.reading.session import Tables, session
from winnowry.releases.facts.families import families

STAGES = {
    "cleaned": {"clean": [{"op": "text.gopher_repetition", "version": 1}, {"op": "of.a.package"}]},
    "scored": {
        "score": [
            {"op": "score.readability", "version": 1, "as": "ease"},
            {"op": "score.token_fertility", "version": 1},
            {"op": "score.compression", "version": 1},
        ]
    },
}


def of_rows(folder: Path, columns: dict[str, Any], stages: Any = STAGES) -> dict[str, Any] | None:
    n = len(next(iter(columns.values())))
    table = pa.table({"record_id": [f"{i:032x}" for i in range(n)], **columns})
    lance.write_dataset(table, str(folder / "published.lance"))
    view = TableView(str(folder / "published.lance"), 1, {}, "published")
    with session(Tables(views={"published": view}, records={})) as opened:
        return families(opened, stages)


def test_ranks_are_correlated_with_more_as_better_on_both_sides(tmp_path: Path) -> None:
    found = of_rows(
        tmp_path,
        {
            "ease_flesch": [10.0, 20.0, 30.0, 40.0, None],  # higher is easier
            "ease_fog": [4.0, 3.0, 2.0, 1.0, float("nan")],  # lower is easier: the same order
            "chars_per_token": [1.0, 2.0, 4.0, 3.0, 9.0],  # higher is better
            "repetition_duplicate_line_ratio": [0.0, 0.0, 0.0, 0.0, 0.5],  # one value where the others have one
            "zstd_ratio": [2.0, 3.0, 4.0, 5.0, 6.0],  # neither end is better
        },
    )
    assert found is not None
    assert found["records"] == 5
    by_column = {column["column"]: column for column in found["columns"]}
    assert {name: column["family"] for name, column in by_column.items()} == {
        "ease_flesch": "people", "ease_fog": "people", "chars_per_token": "machine",
        "repetition_duplicate_line_ratio": "machine", "zstd_ratio": "machine",
    }  # fmt: skip
    # Of 10, 20, 30, 40: the median lies between the middle ones, the 5th percentile at 0.05 of three steps.
    flesch = by_column["ease_flesch"]
    assert (flesch["operator"], flesch["better"], flesch["records"]) == ("score.readability", "higher", 4)
    assert [flesch[end] for end in ("low", "median", "high")] == pytest.approx([11.5, 25.0, 38.5])
    # Ranks 1 2 3 4 and 1 2 4 3: 1 - 6 * (0 + 0 + 1 + 1) / (4 * 15) = 0.8.
    assert {(pair["people"], pair["machine"]): (pair["records"], pair["agreement"]) for pair in found["pairs"]} == {
        ("ease_flesch", "chars_per_token"): (4, pytest.approx(0.8)),
        ("ease_flesch", "repetition_duplicate_line_ratio"): (4, None),
        ("ease_fog", "chars_per_token"): (4, pytest.approx(0.8)),
        ("ease_fog", "repetition_duplicate_line_ratio"): (4, None),
    }


@pytest.mark.parametrize("columns", [{"n_words": [1, 2]}, {"ease_kincaid": [1.0, 2.0]}])
def test_without_a_column_of_either_there_is_nothing_to_say(tmp_path: Path, columns: dict[str, Any]) -> None:
    assert of_rows(tmp_path, columns) is None


def test_a_reason_why_something_failed_counts_as_a_failure_and_an_empty_release_has_no_spread(tmp_path: Path) -> None:
    pytest.importorskip("av")
    pytest.importorskip("soundfile")
    stages = {"cleaned": {"clean": [{"op": "audio.measure", "version": 1}]}}
    found = of_rows(
        tmp_path,
        {
            "decode_error": pa.array([None, "truncated", None], pa.string()),
            "snr_db": [30.0, 10.0, 20.0],
            "empty_channels": pa.array([0, 1, 0], pa.int64()),
        },
        stages,
    )
    assert found is not None
    # Records that decode are the two with more range: ranks 2.5 1 2.5 and 3 1 2, a correlation of sqrt(3) / 2.
    agreement = {pair["machine"]: pair["agreement"] for pair in found["pairs"]}
    assert agreement == {"decode_error": pytest.approx(np.sqrt(3) / 2), "empty_channels": pytest.approx(np.sqrt(3) / 2)}
    empty = of_rows(tmp_path / "none", {"snr_db": pa.array([], pa.float64())}, stages)
    assert empty is not None
    assert [(c["records"], c["median"]) for c in empty["columns"]] == [(0, None)]
