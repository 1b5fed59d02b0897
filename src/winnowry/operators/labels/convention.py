"""``labels.convention``: one verdict on how a file writes its boxes in space."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from winnowry.operators.base import Operator, Rule
from winnowry.operators.labels.checks import finite
from winnowry.operators.labels.flat import FlatStructs, Floats, Mask
from winnowry.operators.labels.projection import LOOKS_AT, Seen
from winnowry.records.annotations import BOXES, COLUMNS

_FIELDS = {field.name: field for field in COLUMNS}
_OK = "ok"
_MM = 1000.0


class LabelConvention(Operator):
    """Say whether a record writes its boxes in space as KITTI does; if not, how.

    A wrong convention makes every box of a file wrong: it is one verdict on the file, with the record a whole log, not
    a rejected box each. The boxes are projected as they are, and as other known conventions would mean them; the one
    that fits the picture is the verdict: ``ok``, ``y_is_centre`` (the place is the middle of the box, not of its bottom
    face), ``rotation_negated``, ``millimetres`` (sizes), ``corner_and_size`` (the box of the picture is left, top,
    width, height) or ``unknown``. Null where fewer than `min_boxes` boxes can be projected.

    Writes ``convention``, ``convention_iou`` and ``convention_alpha_error``, the medians of boxes as they are.

    Source: KITTI's released labels have a median overlap of .977 and a median error of .002 radians; with the place as
    the centre .346, with the rotation negated 3.01 radians, in millimetres 0. The limits lie between.
    """

    VERDICTS: ClassVar[tuple[str, ...]] = ("y_is_centre", "rotation_negated", "millimetres", "corner_and_size")

    op: Literal["labels.convention"] = "labels.convention"
    known: bool = Field(default=True, description="whether only records of the right convention are kept")
    min_overlap: float = Field(default=0.8, gt=0, le=1, description="least median intersection over union")
    max_alpha_error: float = Field(default=0.1, gt=0, description="most median difference of the angles, in radians")
    min_boxes: int = Field(default=20, ge=1, description="fewest boxes that allow a verdict")

    def reads(self) -> pa.Schema:
        """The boxes, the picture and the camera."""
        return pa.schema([*(_FIELDS[name] for name in LOOKS_AT), BOXES])

    def writes(self) -> pa.Schema:
        """The verdict and the two medians, after ``as``, if given."""
        prefix = self.as_ or "convention"
        return pa.schema(
            [(prefix, pa.string()), (f"{prefix}_iou", pa.float64()), (f"{prefix}_alpha_error", pa.float64())]
        )

    def rules(self) -> tuple[Rule, ...]:
        """The right convention, where it is asked for."""
        if not self.known:
            return ()
        return (Rule(name="known", column=self.as_ or "convention", comparison="==", threshold=_OK, null="keep"),)

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Give a verdict on each of n records."""
        boxes = FlatStructs(batch.column("boxes"))
        seen = Seen.of(batch, boxes)
        whole = ~(boxes.numbers("trunc") != 0)  # those of which it is not known are looked at too
        overlap = _where(whole, seen.overlap())
        iou, alpha_error = boxes.median(overlap), boxes.median(_where(whole, seen.alpha_error()))
        enough = boxes.count(np.isfinite(overlap)) >= self.min_boxes
        half_height, level = seen.size[:, 0] / 2, np.zeros(len(boxes))
        corner, extent = seen.edges[:, :2], seen.edges[:, 2:]
        others = {
            "y_is_centre": seen._replace(place=seen.place + np.stack([level, half_height, level], 1)),
            "rotation_negated": seen._replace(turn=-seen.turn),
            "millimetres": seen._replace(size=seen.size / _MM),
            "corner_and_size": seen._replace(edges=np.concatenate([corner, corner + extent], 1)),
        }  # fmt: skip
        fits = {
            name: (boxes.median(_where(whole, other.overlap())), boxes.median(_where(whole, other.alpha_error())))
            for name, other in others.items()
        }
        # A file in millimetres may have no box in front of the camera: as it is, none can be projected.
        in_space = np.isfinite(np.concatenate([seen.size, seen.place], axis=1)).all(axis=1)
        has_camera = np.asarray(np.isfinite(seen.matrix).all(axis=1), np.bool_)
        enough |= boxes.count(in_space & has_camera[boxes.row]) >= self.min_boxes
        verdicts = [
            self._verdict(iou[row], alpha_error[row], {name: (fit[0][row], fit[1][row]) for name, fit in fits.items()})
            if enough[row]
            else None
            for row in range(batch.num_rows)
        ]
        arrays = [pa.array(verdicts, pa.string()), finite(iou), finite(alpha_error)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.writes())

    def _verdict(self, iou: float, alpha_error: float, others: dict[str, tuple[float, float]]) -> str:
        if self._fits(iou, alpha_error):
            return _OK
        fitting = {name: fit[0] for name, fit in others.items() if self._fits(*fit)}
        return max(fitting, key=lambda name: fitting[name]) if fitting else "unknown"

    def _fits(self, iou: float, alpha_error: float) -> bool:
        return bool(iou >= self.min_overlap and not alpha_error > self.max_alpha_error)


def _where(mask: Mask, values: Floats) -> Floats:
    return np.where(mask, values, np.nan)
