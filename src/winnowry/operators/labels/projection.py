"""``labels.projection``: whether a box in space, as the camera sees it, is the box in the picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from winnowry.operators.labels.checks import BoxChecks, finite, frame_size
from winnowry.operators.labels.flat import FlatLists, FlatStructs, Floats, Mask, Whole, wrapped
from winnowry.operators.labels.geometry import EDGES

LOOKS_AT = ("image", "frame", "projection")
_MATRIX_NUMBERS = 12


class LabelProjection(BoxChecks):
    """Find boxes whose place, size and rotation in space do not fit the box and the angle in the picture.

    A box in the frame `camera` stands on its place, with y down and z forward, and turns about the vertical axis. Its
    eight corners are projected with the record's camera matrix and cut at the picture. It is *misprojected* where that
    overlaps its box by less than `min_overlap`; boxes that are truncated, or partly behind the camera, are not looked
    at. Its *alpha* is wrong where it is more than `max_alpha_error` from the rotation less the angle of sight.

    Large and far boxes hide much: one moved by 30 pixels, or by 30 % in depth, is seen in about six of ten.

    Writes ``projection_iou`` (median overlap of a record's boxes that are looked at), ``alpha_error`` (median,
    radians), counts of both faults and ``projection_faults``.

    Source of the threshold: on KITTI's released tracking labels the median overlap is .977; Geiger et al. 2012.
    """

    FAULT_NAMES: ClassVar[tuple[str, ...]] = ("misprojected", "wrong_alpha")
    MEASURES: ClassVar[tuple[tuple[str, pa.DataType], ...]] = (
        ("projection_iou", pa.float64()), ("alpha_error", pa.float64()),
    )  # fmt: skip
    LOOKS_AT: ClassVar[tuple[str, ...]] = LOOKS_AT

    op: Literal["labels.projection"] = "labels.projection"
    max_misprojected: int | None = Field(
        default=0, ge=0, description="most boxes that do not fit their picture; null: any"
    )
    max_wrong_alpha: int | None = Field(default=0, ge=0, description="most boxes with another angle; null: any")
    min_overlap: float = Field(default=0.5, gt=0, le=1, description="least intersection over union of both boxes")
    max_alpha_error: float = Field(default=0.1, gt=0, description="most difference of the angles, in radians")

    def look(self, batch: pa.RecordBatch, boxes: FlatStructs) -> tuple[Mapping[str, Mask], Mapping[str, pa.Array]]:
        """See :class:`BoxChecks`."""
        seen = Seen.of(batch, boxes)
        overlap, alpha_error = seen.overlap(), seen.alpha_error()
        overlap[~(boxes.numbers("trunc") == 0)] = np.nan
        marks = {"misprojected": overlap < self.min_overlap, "wrong_alpha": alpha_error > self.max_alpha_error}
        return marks, {
            "projection_iou": finite(boxes.median(overlap)), "alpha_error": finite(boxes.median(alpha_error)),
        }  # fmt: skip


class Seen(NamedTuple):
    """Boxes in the frame of their camera, and what the labels say of the picture."""

    size: Floats
    place: Floats
    turn: Floats
    alpha: Floats
    edges: Floats
    row: Whole
    matrix: Floats
    frame: Floats

    @classmethod
    def of(cls, batch: pa.RecordBatch, boxes: FlatStructs) -> Seen:
        """Boxes of records in the frame `camera`; the fields of others are NaN."""
        in_camera = pc.fill_null(pc.equal(batch.column("frame"), "camera"), False)
        other = ~np.asarray(in_camera.to_numpy(zero_copy_only=False), np.bool_)[boxes.row]
        place = boxes.stack("x", "y", "z")
        place[other] = np.nan
        width, height, _ = frame_size(batch.column("image"))
        return cls(
            boxes.stack("h", "w", "l"),
            place,
            2 * np.arctan2(boxes.numbers("qy"), boxes.numbers("qw")),
            boxes.numbers("alpha"),
            boxes.stack(*EDGES),
            boxes.row,
            _matrices(batch.column("projection")),
            np.stack([width, height], axis=1),
        )

    def overlap(self) -> Floats:
        """Intersection over union of each projected box and its box in the picture; NaN where there is none."""
        from winnowry.operators.labels.kernels.project import projected_overlap

        values: Floats = projected_overlap(
            self.size, self.place, self.turn, self.edges, self.row, self.matrix, self.frame
        )
        return values

    def alpha_error(self) -> Floats:
        """How far each stated angle is from the one that rotation and place say, in radians."""
        error: Floats = np.abs(wrapped(self.alpha - (self.turn - np.arctan2(self.place[:, 0], self.place[:, 2]))))
        return error


def _matrices(column: pa.Array) -> Floats:
    """N × 12; NaN where a record has none."""
    lists = FlatLists(column)
    values = np.asarray(pc.fill_null(lists.elements, np.nan).to_numpy(zero_copy_only=False), np.float64)
    out = np.full((lists.n_rows, _MATRIX_NUMBERS), np.nan)
    inside = lists.place < _MATRIX_NUMBERS
    out[lists.row[inside], lists.place[inside]] = values[inside]
    return out
