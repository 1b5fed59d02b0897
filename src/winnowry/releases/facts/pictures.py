"""Some of a release's pictures, small, for its page."""

from __future__ import annotations

import base64
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from winnowry.core.errors import ObjectChangedError
from winnowry.core.sql import in_list
from winnowry.lakehouse.blobs import blob_columns
from winnowry.lakehouse.references import DIGEST, read_contents
from winnowry.lakehouse.view import TableView
from winnowry.operators.media.views import SPAN
from winnowry.records.kinds import Kind, sized_by
from winnowry.releases.facts.box_frames import READ, box_frame, holds_boxes
from winnowry.report.thumbnails import thumbnail, why_no_thumbnails

THUMBNAIL = "thumbnail"
"""The column of small pictures, JPEG or SVG, that operators on pictures, films, documents and motion write."""
WAVEFORM = "waveform"
"""The column of levels that ``audio.measure`` writes."""
_READ = (
    "record_id", "uri", "media_type", "width", "height", "size", "text", "title", "n_pages", "page_number",
    "n_document_pages", "n_images", "n_images_left_out",
)  # fmt: skip
_SHOWN = 12
_CAPTION_CHARACTERS = 120
_TRIED = 24  # files: some may be no pictures
_READ_BYTES = 16 << 20  # of a file


def pictures(published: TableView) -> dict[str, Any] | None:
    """The pictures with the lowest record ids, which are random.

    Args:
        published: the release.

    Returns:
        None where there is nothing to look at: records that are no pictures and have neither thumbnail nor waveform.
        ``why_none``: a sentence, or None; ``shown``: at most 12 with ``record_id``, ``caption`` and one of ``jpeg``,
        ``svg`` (Base64), ``waveform`` (numbers from 0 to 1) and ``frame`` (see :func:`box_frame`).
    """
    if holds_boxes(published.schema):
        return _frames(published)
    kind = sized_by(published.schema.names)
    measured = _measured(published, kind) if kind is not None else None
    if measured is not None:
        return measured
    columns = [name for name in blob_columns(published.schema) if kind is not None and name == kind.payload_column]
    if kind is None or kind.name != "image" or not columns:
        return None
    why = why_no_thumbnails()
    if why is not None:
        return {"why_none": why, "shown": []}
    identities = published.to_table(columns=["record_id"])["record_id"]
    lowest = identities.take(pc.sort_indices(identities)[:_TRIED]).to_pylist()
    there = [name for name in (*_READ, DIGEST, *columns) if name in published.schema.names]
    dataset = published.dataset()
    rows = dataset.to_table(columns=there, filter=in_list("record_id", lowest), with_row_address=True)
    rows = rows.sort_by("record_id")
    shown: list[dict[str, Any]] = []
    for at, row in enumerate(rows.to_pylist()):
        if len(shown) == _SHOWN:
            break
        if (row.get("size") or 0) > _READ_BYTES:
            continue
        one = rows.slice(at, 1).combine_chunks()
        try:
            (data,) = read_contents(dataset, columns[0], one, one["_rowaddr"].combine_chunks())
        except ObjectChangedError:
            continue  # another picture lies there now; `winnowry verify` says so
        small = thumbnail(data) if data else None
        if small is not None:
            caption = _short(f"{row['uri'].rpartition('/')[2]}, {kind.shows(row)}")
            shown.append({"record_id": row["record_id"], "caption": caption, "jpeg": base64.b64encode(small).decode()})
    return {"why_none": None if shown else "None of the files that were tried is a picture.", "shown": shown}


def _frames(published: TableView) -> dict[str, Any]:
    """The boxes of the records with the lowest ids, as they lie in their frames."""
    lowest = published.to_table(columns=["record_id"])["record_id"]
    chosen = lowest.take(pc.sort_indices(lowest)[:_TRIED]).to_pylist()
    columns = [name for name in ("record_id", "text", *READ) if name in published.schema.names]
    rows = published.to_table(columns=columns, where=in_list("record_id", chosen)).sort_by("record_id").to_pylist()
    drawn = [(row, frame) for row in rows if (frame := box_frame(row)) is not None][:_SHOWN]
    shown = [
        {"record_id": row["record_id"], "caption": row["text"][:_CAPTION_CHARACTERS], "frame": frame}
        for row, frame in drawn
    ]
    return {"why_none": None if shown else "None of the records that were picked has a box.", "shown": shown}


def _measured(published: TableView, kind: Kind) -> dict[str, Any] | None:
    """What was drawn of the records when they were measured; no file is read. None where nothing was."""
    schema = published.schema
    column = next((name for name, is_one in _DRAWN if name in schema.names and is_one(schema.field(name).type)), None)
    if column is None:
        return None
    identities = published.to_table(columns=["record_id"])["record_id"]
    lowest = identities.take(pc.sort_indices(identities)[:_SHOWN]).to_pylist()
    there = [name for name in (*_READ, "duration_ms", SPAN, column) if name in schema.names]
    rows = published.to_table(columns=there, where=in_list("record_id", lowest)).sort_by("record_id").to_pylist()
    shown = [
        {"record_id": row["record_id"], "caption": _caption(row, kind), **_drawing(column, row[column])}
        for row in rows
        if row[column]
    ]
    return {"why_none": None if shown else "Nothing was drawn of the records that were picked.", "shown": shown}


_DRAWN = ((THUMBNAIL, pa.types.is_binary), (WAVEFORM, pa.types.is_list))


def _drawing(column: str, value: Any) -> dict[str, Any]:
    if column == THUMBNAIL:
        return drawing(base64.b64encode(value).decode())
    return {"waveform": [round(min(1.0, level), 3) for level in value]}


def drawing(encoded: str) -> dict[str, str]:
    """A thumbnail in Base64, by what it is: ``jpeg`` or ``svg``.

    >>> drawing("PHN2ZyAvPg==")
    {'svg': 'PHN2ZyAvPg=='}
    """
    return {"svg" if base64.b64decode(encoded[:8]).startswith(b"<svg") else "jpeg": encoded}


def _caption(row: dict[str, Any], kind: Kind) -> str:
    """The file, its part, and what its kind shows of it; the text of structured records says all of that."""
    if kind.carries == "structured":
        return kind.shows(row)
    span = row.get(SPAN)
    part = f" from {span['start']:.1f} s" if span is not None and span["unit"] == "s" else ""
    return _short(f"{row['uri'].rpartition('/')[2]}{part}, {kind.shows(row)}")


def _short(caption: str) -> str:
    return caption if len(caption) <= _CAPTION_CHARACTERS else caption[:_CAPTION_CHARACTERS] + "…"
