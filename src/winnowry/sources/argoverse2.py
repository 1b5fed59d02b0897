"""Argoverse 2 sensor logs: boxes of all sweeps in `annotations.feather`, poses in `city_SE3_egovehicle.feather`."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
from pydantic import Field

from winnowry.records.annotations import Unit
from winnowry.sources.annotated import AnnotationFormat, Box, RefusedLabels
from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.compression import decompressed
from winnowry.sources.mapping import serialized

_POSES = "city_SE3_egovehicle.feather"
_TURN = ("qw", "qx", "qy", "qz")
_PLACE = ("tx_m", "ty_m", "tz_m")
_POSE_COLUMNS = ("timestamp_ns", *_TURN, *_PLACE)
_SIZES = ("length_m", "width_m", "height_m")
_COLUMNS = ("timestamp_ns", "track_uuid", "category", *_SIZES, *_TURN, *_PLACE, "num_interior_pts")


class Argoverse2(AnnotationFormat):
    """Reads the annotations of an Argoverse 2 log: a record is a sweep, a track or the whole log.

    Boxes are in the frame of the vehicle (`ego`) at their time, with the poses of the vehicle at those times beside
    them. Times are whole nanoseconds. A box without points of the lidar is a box: its `points` say so.
    """

    name: ClassVar[str] = "argoverse2"

    record: Unit = Field(
        default="track", description="what a record is: a sweep (image), an object through time, or the log"
    )

    def items(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`AnnotationFormat.items`.

        Reasons: ``feather_invalid``, ``columns_missing``, ``wrong_type``, ``no_pose`` (the log has none at all), and
        those of :class:`~winnowry.sources.streams.BrokenStreamError`. A box at a time without a pose is none of them:
        it is measured.
        """
        data = b"".join(decompressed(stream, limits))
        log = uri.split("/")[-2] if "/" in uri else uri
        try:
            boxes = _table("annotations", data, _COLUMNS)
            poses = self._poses()
        except RefusedLabels as error:
            yield self.refused(0, error, data, ends_object=True)
            return
        keys = {"image": boxes["timestamp_ns"], "track": boxes["track_uuid"], "log": [log] * boxes.num_rows}[
            self.record
        ]
        names = keys.to_pylist() if isinstance(keys, pa.ChunkedArray) else keys
        rows: dict[object, list[int]] = {}
        for row, name in enumerate(names):
            rows.setdefault(name, []).append(row)
        values = _boxes(boxes)
        for position, (name, places) in enumerate(rows.items()):
            yield self._record(position, log, name, [values[place] for place in places], poses)

    def _poses(self) -> dict[int, Box]:
        file = self.neighbour(_POSES)
        if file is None:
            raise RefusedLabels("no_pose", _POSES, "beside the annotations")
        with file:
            table = _table(_POSES, file.read(), _POSE_COLUMNS)
        times = table["timestamp_ns"].to_pylist()
        columns = {name: table[name].to_pylist() for name in (*_TURN, *_PLACE)}
        return {
            time: {
                "time_ns": time,
                **{name.removeprefix("t").removesuffix("_m"): of[row] for name, of in columns.items()},
            }
            for row, time in enumerate(times)
        }

    def _record(self, position: int, log: str, name: object, boxes: list[Box], poses: dict[int, Box]) -> Record:
        times = sorted({box["time_ns"] for box in boxes})
        own = None if self.record == "log" else str(name)
        return self.labels(
            position,
            {"id": log if own is None else f"{log}/{own}", "log": log},
            boxes,
            key=own,
            frame="ego",
            time_ns=times[0] if times else None,
            poses=[poses[time] for time in times if time in poses],
            group=log,
            layout=serialized({"format": "argoverse2"}).decode(),
        )


def _table(name: str, data: bytes, columns: Sequence[str]) -> pa.Table:
    """The columns of a file, whole numbers of times and points as such.

    Raises:
        RefusedLabels: it is no such file.
    """
    try:
        table = feather.read_table(io.BytesIO(data))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, ValueError) as error:
        raise RefusedLabels("feather_invalid", f"{name}: {str(error)[:120]}", "Arrow IPC (feather)") from None
    missing = [column for column in columns if column not in table.column_names]
    if missing:
        raise RefusedLabels("columns_missing", f"{name}: {', '.join(missing)}", ", ".join(columns))
    try:
        return pa.table(
            {
                column: table[column].cast(
                    pa.int64() if column in ("timestamp_ns", "num_interior_pts")
                    else pa.string() if column in ("track_uuid", "category") else pa.float64()
                )
                for column in columns
            }
        )  # fmt: skip
    except pa.ArrowInvalid as error:
        raise RefusedLabels("wrong_type", f"{name}: {str(error)[:120]}", "times and counts as whole numbers") from None


def _boxes(table: pa.Table) -> list[Box]:
    names: dict[str, Any] = {
        "time_ns": "timestamp_ns", "track": "track_uuid", "class": "category", "l": "length_m", "w": "width_m",
        "h": "height_m", "x": "tx_m", "y": "ty_m", "z": "tz_m", "points": "num_interior_pts", **{q: q for q in _TURN},
    }  # fmt: skip
    sweep = np.unique(table["timestamp_ns"].to_numpy(), return_inverse=True)[1].tolist()
    columns = {name: table[column].to_pylist() for name, column in names.items()}
    return [
        {"number": sweep[row], **{name: values[row] for name, values in columns.items()}}
        for row in range(table.num_rows)
    ]
