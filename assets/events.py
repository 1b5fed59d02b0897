"""What Dagster shows of a stage: its result as metadata, its gates as check results."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from winnowry.runs.lake_pages import page_address

if TYPE_CHECKING:
    from winnowry.gates.result import GateResult
    from winnowry.promotion.result import StageResult

RESULT_KEY = "winnowry/result"
"""Metadata key under which every materialization, and every failure by a gate, carries ``StageResult.to_dict()``."""

SHOWN_ROWS = 50
_LINKS = frozenset({"page", "card", "readme"})  # documents that a stage stored
_TABLES = {
    "sample": ("record_id", "partition", "text"),
    "columns": ("name", "type", "meaning", "nulls", "low", "mean", "high"),
}
"""Lists of a result that people look at as tables."""
_PICTURES = "pictures"
"""Markdown that holds some pictures of a release."""
_CELL_CHARACTERS = 300


def plain(value: object) -> Any:
    """JSON data without what JSON lacks: NaN and infinities become text, other objects their ``str``."""
    from winnowry.core.jsonable import jsonable

    return jsonable(value, not_finite="text")


def table(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> dg.TableMetadataValue:
    """A table that the UI shows in place; at most 50 rows, long cells cut."""
    records = [
        dg.TableRecord({column: _cell(row.get(column)) for column in columns})
        for _, row in zip(range(SHOWN_ROWS), rows, strict=False)
    ]
    schema = dg.TableSchema([dg.TableColumn(column) for column in columns])
    return dg.MetadataValue.table(records, schema)


def _cell(value: object) -> str | int | float | bool:
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    text = "" if value is None else value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False)
    return text if len(text) <= _CELL_CHARACTERS else text[: _CELL_CHARACTERS - 1] + "…"


def result_metadata(result: StageResult) -> dict[str, Any]:
    """The result for people (tables, plotted numbers, links) and for programs (``winnowry/result``)."""
    metadata: dict[str, Any] = {
        "status": result.status,
        "reason": result.reason,
        "seconds": round(result.seconds, 3),
        RESULT_KEY: dg.MetadataValue.json(plain(result.to_dict())),
    }
    if result.status != "skipped":
        metadata |= {
            "rows_in": result.rows_in,
            "rows_out": result.rows_out,
            "rows_quarantined": result.rows_quarantined,
            "ledger": table([_ledger(result)], ["rows in", "rows out", "quarantined", "unaccounted for"]),
        }
        if result.rows_in:
            metadata["kept_fraction"] = result.metadata.get("kept_fraction", result.rows_out / result.rows_in)
        if result.partition is not None:
            metadata["dagster/partition_row_count"] = result.rows_out
    if result.quarantined_by_reason:
        ordered = sorted(result.quarantined_by_reason.items(), key=lambda item: (-item[1], item[0]))
        metadata["quarantined"] = table(({"reason": r, "rows": n} for r, n in ordered), ["reason", "rows"])
    if result.tokens is not None:
        metadata["tokens"] = result.tokens
    if result.unit is not None and result.size is not None:
        metadata[result.unit] = result.size
    if result.table is not None:
        metadata["dagster/table_name"] = f"{result.corpus}.{result.table}"
    if result.uri is not None:
        metadata["dagster/uri"] = result.uri
    if result.version is not None:
        metadata["version"] = result.version
    if result.promotion_id is not None:
        metadata["promotion"] = result.promotion_id
    if result.docs_index is not None:
        metadata["data docs"] = link(result.docs_index, result.corpus)
    metadata |= {n: _own_value(n, value, result.corpus) for n, value in result.metadata.items() if n not in metadata}
    return metadata


def _own_value(name: str, value: object, corpus: str) -> Any:
    """What a stage says of its own, in the form that people look at it in."""
    if name in _LINKS and isinstance(value, str):
        return link(value, corpus)
    if name in _TABLES and isinstance(value, list):
        return table(value, _TABLES[name])
    if name == _PICTURES and isinstance(value, str):
        return dg.MetadataValue.md(value)
    return _metadata_value(value)


def _ledger(result: StageResult) -> dict[str, object]:
    made = int(result.metadata.get("rows_derived", 0)) - int(result.metadata.get("rows_consumed", 0))
    return {
        "rows in": result.rows_in,
        "rows out": result.rows_out,
        "quarantined": result.rows_quarantined,
        "unaccounted for": result.rows_in + made - result.rows_out - result.rows_quarantined,
    }


def _metadata_value(value: object) -> Any:
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return dg.MetadataValue.json(plain(value))


def link(uri: str, corpus: str) -> dg.MetadataValue[Any]:
    """A link to where the UI itself serves a page of the lake; else a path, or where a browser finds it."""
    address = page_address(uri, corpus)
    if address is not None:
        return dg.MetadataValue.url(address)
    return dg.MetadataValue.path(uri) if uri.startswith("/") else dg.MetadataValue.url(uri)


def check_results(
    key: dg.AssetKey, suites: Sequence[str], gates: Sequence[GateResult], unjudged: str
) -> list[dg.AssetCheckResult]:
    """One check result a suite, in the order of the specifications.

    Args:
        key: the asset.
        suites: names of the suites that the asset declares as checks.
        gates: the verdicts.
        unjudged: what to say of a suite without a verdict.
    """
    return [_check(key, name, [gate for gate in gates if gate.suite == name], unjudged) for name in suites]


def check_name(suite: str) -> str:
    """Name of the check of a suite: the concern, since the asset already names the stage.

    >>> check_name("cleaned.quality")
    'quality'
    """
    return suite.rsplit(".", 1)[-1]


def _check(key: dg.AssetKey, name: str, gates: list[GateResult], unjudged: str) -> dg.AssetCheckResult:
    failing = [gate for gate in gates if gate.verdict != "pass"]
    blocking = [gate for gate in failing if gate.blocks]
    metadata: dict[str, Any] = {
        "expectations": table(
            (
                {
                    "expectation": _titled(gate),
                    "verdict": gate.verdict,
                    "observed": gate.observed,
                    "threshold": ", ".join(f"{name} {_cell(value)}" for name, value in gate.parameters.items()),
                    "unexpected": gate.unexpected_count,
                    "severity": gate.severity,
                }
                for gate in sorted(gates, key=lambda gate: gate.verdict == "pass")
            ),
            ["expectation", "verdict", "observed", "threshold", "unexpected", "severity"],
        )
    }
    samples = [{"expectation": _titled(gate), **sample} for gate in failing for sample in gate.samples]
    if samples:
        columns = list(dict.fromkeys(column for sample in samples for column in sample))
        metadata["failing rows"] = table(samples, columns)
    for gate in gates:  # numbers alone, so that the UI plots them over time
        if gate.observed_number is not None and math.isfinite(gate.observed_number):
            metadata[_titled(gate)] = float(gate.observed_number)
    if failing:
        first = (blocking or failing)[0]
        more = f" (and {len(failing) - 1} more)" if len(failing) > 1 else ""
        description = f"{_titled(first)} {first.verdict}: {first.message}{more}"
    else:
        description = f"{len(gates)} expectations hold" if gates else unjudged
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=check_name(name),
        passed=not failing,
        severity=dg.AssetCheckSeverity.ERROR if blocking or not failing else dg.AssetCheckSeverity.WARN,
        description=description,
        metadata=metadata,
    )


def _titled(gate: GateResult) -> str:
    return f"{gate.expectation}({gate.column})" if gate.column else gate.expectation
