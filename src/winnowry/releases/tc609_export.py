"""Rows of a release as records of SAC/TC609; what the format demands and the release does not hold is never made up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from winnowry.core.errors import UsageError
from winnowry.evidence.valid2.whole import MARKS
from winnowry.sources.tc609 import FIELDS, INTERNET, is_url

if TYPE_CHECKING:
    from winnowry.lakehouse.record import PromotionRecord
    from winnowry.lakehouse.view import TableView
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.releases.model import Release

COLUMNS = ("record_id", "parent_ids", "text", "event_time", "license", "source", "url", *MARKS)
"""Columns of a release that a record is made from, where they are."""

Shape = Callable[[Mapping[str, Any]], dict[str, Any]]


def record_shape(ws: Workspace, corpus: str, release: Release, view: TableView) -> Shape:
    """Gives the record of a row of the release.

    ========================  =======================================================================================
    ``id``, ``rid``           ``record_id``; ``parent_ids``, else null
    ``data_content``          one item, ``{"media_type": "text", "content": text}``
    ``annotation``            null
    ``original_time``         ``event_time``, ISO 8601 in UTC
    ``last_modified_time``    when the release was made
    ``version``               the release's number as ``N.0.0``
    ``license``               ``license``
    ``source``                ``互联网`` where the column ``url`` holds an HTTP(S) URL, else ``source``
    ``source_details``        ``url``, else where the recipe reads the source
    ``generated_data_...``    column ``is_synthetic`` or ``generated_data_indicator``, else what the gate declares
    ========================  =======================================================================================

    Raises:
        UsageError: the release lacks what the format demands of every record.
    """
    names = set(view.schema.names)
    lacking = [
        f"{count:,} records without {what}"
        for what, where in (
            ("text", "text IS NULL OR text = ''"),
            ("a date", "event_time IS NULL"),
            ("a licence", "license IS NULL OR license = ''"),
        )
        if (count := view.count_rows(where))
    ]
    if release.created_at is None:
        lacking.append("no time at which it was made")
    record = _published(ws, corpus, release)
    mark = next((name for name in MARKS if name in names and _says(view.schema.field(name).type)), None)
    declared = _declared(record)
    if mark is not None and view.count_rows(f"{mark} IS NULL"):
        lacking.append(f"records whose {mark} is null")
    elif mark is None and declared is None:
        lacking.append(
            "no word on whether its records are synthetic: add a column is_synthetic, or declare "
            "gates.published.valid2.synthetic_share as 0 or 1"
        )
    places = _places(ws, corpus, release)
    if lacking:
        raise UsageError(f"{corpus} {release.name} cannot be written as TC609 records; it has {'; '.join(lacking)}")
    assert release.created_at is not None
    modified = _moment(release.created_at)
    version = f"{release.name.removeprefix('v')}.0.0"

    def shaped(row: Mapping[str, Any]) -> dict[str, Any]:
        url = row.get("url")
        source, details = (INTERNET, url) if is_url(url) else (row["source"], places.get(row["source"], row["source"]))
        values = {
            "id": row["record_id"],
            "rid": list(row["parent_ids"]) if row.get("parent_ids") else None,
            "data_content": [{"media_type": "text", "content": row["text"]}],
            "annotation": None,
            "original_time": _moment(row["event_time"]),
            "last_modified_time": modified,
            "version": version,
            "license": row["license"],
            "source": source,
            "source_details": details,
            "generated_data_indicator": declared if mark is None else int(bool(row[mark])),
        }
        return {name: values[name] for name in FIELDS}

    return shaped


def _says(kind: pa.DataType) -> bool:
    return bool(pa.types.is_boolean(kind) or pa.types.is_integer(kind))


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _published(ws: Workspace, corpus: str, release: Release) -> PromotionRecord | None:
    if release.promotion_id is None:
        return None
    return ws.lake.records(corpus).load("published", "__all__", release.promotion_id)


def _declared(record: PromotionRecord | None) -> int | None:
    """0 or 1 where the recipe declared that none or all of the release is synthetic."""
    gate = record.lineage.get("spec", {}).get("gate", {}) if record is not None else {}
    share = (gate.get("valid2") or {}).get("synthetic_share")
    return int(share) if share in (0, 1) else None


def _places(ws: Workspace, corpus: str, release: Release) -> dict[str, str]:
    """Where each source was read from, by the newest promotion of ``raw`` up to the release."""
    places: dict[str, str] = {}
    until = release.created_at.timestamp() if release.created_at is not None else 0.0
    promotions = [r for r in ws.lake.records(corpus).all() if r.stage == "raw" and r.state == "promoted"]
    for record in sorted(promotions, key=lambda record: record.promoted_at or 0.0):
        if (record.promoted_at or 0.0) <= until + 1:
            places |= {str(s["name"]): str(s["uri"]) for s in record.lineage.get("spec", {}).get("sources", [])}
    return places
