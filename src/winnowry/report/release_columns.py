"""Sections of a release's page: some of its records, and what its columns hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from winnowry.core.numbers import NONE, number, significant
from winnowry.report.cells import Table
from winnowry.report.charts import CHOSEN, Chart, histogram

Facts = Mapping[str, Any]

_TRUNCATED_TYPE = 40


def rows_view(facts: Facts) -> dict[str, Any]:
    """Some published records with their text, or their turns, and their other values."""
    return {
        "rows": [
            {
                **{name: row[name] for name in ("record_id", "partition", "text", "cut")},
                "turns": row.get("turns", ()),
                "values": Table(
                    ["column", "value"],
                    [[name, "null" if value is None else value] for name, value in row["values"].items()],
                    left=(0, 1),
                ),
            }
            for row in facts["rows"]
        ]
    }


def columns_view(facts: Facts) -> dict[str, Any]:
    """Every column with its meaning and its spread, and a small histogram of each number that varies."""
    lined = [
        [
            column["name"],
            column["type"] if len(column["type"]) <= _TRUNCATED_TYPE else f"{column['type'][:_TRUNCATED_TYPE]}…",
            column["meaning"] or "",
            NONE if column["nulls"] is None else number(column["nulls"]),
            *(significant(column.get(key)) for key in ("low", "mean", "high")),
        ]
        for column in facts["columns"]
    ]
    head = ["column", "type", "meaning", "empty", "lowest", "mean", "highest"]
    charts = [chart for column in facts["columns"] if (chart := _chart(column)) is not None]
    return {"table": Table(head, lined, left=(0, 1, 2)), "charts": charts}


def _chart(column: Facts) -> Chart | None:
    counts = column.get("counts")
    if not counts or column["low"] == column["high"]:
        return None
    width = (column["high"] - column["low"]) / len(counts)
    edges = [column["low"] + place * width for place in range(len(counts) + 1)]
    name = column["name"]
    return histogram(name, edges, [("records", counts, CHOSEN)], x_label=name, y_label="records")
