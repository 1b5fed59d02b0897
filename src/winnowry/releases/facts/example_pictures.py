"""Pictures of records that rules left out, as they were made small when they were measured."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from winnowry.core.sql import in_list
from winnowry.reading.session import Session
from winnowry.releases.facts.box_frames import READ, box_frame, holds_boxes
from winnowry.releases.facts.pictures import THUMBNAIL, drawing
from winnowry.stages.graph import ARRIVED, KEPT

_SHOWN = 4  # of a rule


def add_pictures(session: Session, rules: Iterable[Mapping[str, Any]]) -> None:
    """Give the first records of each rule their picture as ``jpeg`` (Base64) or their boxes as ``frame``, if any.

    Records that a stage rejected have it in the quarantine, others in ``cleaned``.
    """
    records = [record for rule in rules for record in rule["records"][:_SHOWN]]
    ids = sorted({record["record_id"] for record in records})
    _add_frames(session, records, ids)
    if not ids or not session.tables.has(KEPT, THUMBNAIL):
        return
    where = in_list("record_id", ids)
    small: dict[str, str] = {}
    if session.tables.has("quarantine"):
        for row in session.tables.views["quarantine"].to_table(["record_id", "columns"], where).to_pylist():
            columns = orjson.loads(row["columns"] or "{}")
            if columns.get(THUMBNAIL):
                small[row["record_id"]] = columns[THUMBNAIL]
    for row in session.tables.views[KEPT].to_table(["record_id", THUMBNAIL], where).to_pylist():
        if row[THUMBNAIL]:
            small[row["record_id"]] = base64.b64encode(row[THUMBNAIL]).decode()
    for record in records:
        if record["record_id"] in small:
            record |= drawing(small[record["record_id"]])


def _add_frames(session: Session, records: Sequence[dict[str, Any]], ids: Sequence[str]) -> None:
    """Give records of annotations their boxes, with those marked that an operator on labels has found wrong."""
    view = session.tables.views.get(ARRIVED)
    if not ids or view is None or not holds_boxes(view.schema):
        return
    where = in_list("record_id", ids)
    faults: dict[str, list[Mapping[str, Any]]] = {}
    if session.tables.has("quarantine"):
        for row in session.tables.views["quarantine"].to_table(["record_id", "columns"], where).to_pylist():
            columns = orjson.loads(row["columns"] or "{}")
            of_row = faults.setdefault(row["record_id"], [])
            for name, value in columns.items():
                if name.endswith("_faults") and isinstance(value, list):
                    of_row += value
    rows = view.to_table(["record_id", *READ], where).to_pylist()
    frames = {row["record_id"]: box_frame(row, faults.get(row["record_id"], [])) for row in rows}
    for record in records:
        frame = frames.get(record["record_id"])
        if frame is not None:
            record["frame"] = frame
