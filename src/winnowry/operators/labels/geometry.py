"""``labels.geometry``: whether boxes are boxes, and lie in their picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from winnowry.operators.base import Rule
from winnowry.operators.labels.checks import BoxChecks, frame_size
from winnowry.operators.labels.flat import FlatStructs, Mask, Whole

EDGES = ("x1", "y1", "x2", "y2")
_SLACK_PX = 1.0  # both ends of an edge may count, and rounding
_SAME_PLACE_M = 0.5
_MOST_APART = 1 << 20  # numbers whose products of three fit 64 bits


class LabelGeometry(BoxChecks):
    """Find boxes that are incomplete, empty, outside their picture, or there twice, and pictures of another size.

    The picture is the one that a viewer shows, turned as its EXIF orientation says, where its file is at hand; else it
    is of the stated size; where neither is known only edges left of and above it can be outside. One pixel is allowed.
    A stated size that is the stored one of a turned picture is one verdict on the picture, and its boxes are looked at
    in the picture as shown.

    A box is *incomplete* with some of its four edges only, or with neither edges, polygon, run lengths, keypoints nor
    a place in space; *degenerate* with a width or height of 0 or less; a *duplicate* where an earlier box of its frame
    and class overlaps it by `min_overlap` and lies within 0.5 m, if both have a place. Regions to ignore (crowd) are no
    duplicates.

    Writes ``size_verdict`` (``ok``, ``exif_size_swapped``, ``size_mismatch``; null: not known), counts of each fault
    and ``geometry_faults``.
    """

    FAULT_NAMES: ClassVar[tuple[str, ...]] = ("incomplete", "degenerate", "outside", "duplicate")
    MEASURES: ClassVar[tuple[tuple[str, pa.DataType], ...]] = (("size_verdict", pa.string()),)
    LOOKS_AT: ClassVar[tuple[str, ...]] = ("image",)

    op: Literal["labels.geometry"] = "labels.geometry"
    stated_size: bool = Field(default=True, description="whether only pictures of the stated size are kept")
    max_incomplete: int | None = Field(default=0, ge=0, description="most incomplete boxes; null: any")
    max_degenerate: int | None = Field(default=0, ge=0, description="most boxes without an area; null: any")
    max_outside: int | None = Field(default=0, ge=0, description="most boxes outside the picture; null: any")
    max_duplicate: int | None = Field(default=0, ge=0, description="most boxes that are there twice; null: any")
    min_overlap: float = Field(
        default=0.9, gt=0, le=1, description="intersection over union from which a box is a duplicate"
    )

    def rules(self) -> tuple[Rule, ...]:
        """The size of the picture, and one for each limit that is set."""
        column = f"{self._prefix}size_verdict"
        size = Rule(name="stated_size", column=column, comparison="in", threshold=("ok",), null="keep")
        return (*((size,) if self.stated_size else ()), *super().rules())

    def look(self, batch: pa.RecordBatch, boxes: FlatStructs) -> tuple[Mapping[str, Mask], Mapping[str, pa.Array]]:
        """See :class:`BoxChecks`."""
        width, height, verdict = frame_size(batch.column("image"))
        edges = boxes.stack(*EDGES)
        known = np.isfinite(edges)
        whole = known.all(axis=1)
        wide, high = width[boxes.row] + _SLACK_PX, height[boxes.row] + _SLACK_PX
        left, top, right, bottom = edges.T
        # A comparison with NaN is false: without a size only the near edges can be outside.
        outside = (left < -_SLACK_PX) | (top < -_SLACK_PX) | (right > wide) | (bottom > high)
        degenerate = whole & ((right <= left) | (bottom <= top))
        marks = {
            "incomplete": ~whole & (known.any(axis=1) | ~_elsewhere(boxes)),
            "degenerate": degenerate,
            "outside": outside,
            "duplicate": self._duplicates(boxes, whole & ~degenerate),
        }
        return marks, {"size_verdict": verdict}

    def _duplicates(self, boxes: FlatStructs, comparable: Mask) -> Mask:
        from winnowry.operators.labels.kernels.overlap import repeated

        edges, places = boxes.stack(*EDGES), boxes.stack("x", "y", "z")
        group = np.where(comparable & (boxes.numbers("crowd") != 1), frame_group(boxes, by_class=True), -1)
        order = np.lexsort((np.nan_to_num(edges[:, 0]), group))  # stable: ties by their place
        return repeated(edges, places, group, order, self.min_overlap, _SAME_PLACE_M)


def frame_group(boxes: FlatStructs, *, by_class: bool = False) -> Whole:
    """A number for each frame of each record, and of each class of it."""
    number, has_number = boxes.whole("number")
    group = paired(boxes.row, np.where(has_number, number, -1))
    return paired(group, boxes.codes("class")[0]) if by_class else group


def paired(first: Whole, second: Whole) -> Whole:
    """A number, 0 or more, for each pair of values."""
    ranges = [_from_zero(values) for values in (first, second)]
    pairs: Whole = ranges[0][0] * ranges[1][1] + ranges[1][0]
    return pairs


def _from_zero(values: Whole) -> tuple[Whole, int]:
    """Whole numbers moved to begin at 0, and how many there may be; those that lie far apart by their rank."""
    if not len(values):
        return values, 1
    least, most = int(values.min()), int(values.max())
    if most - least < _MOST_APART:
        return values - least, most - least + 1
    ranks = np.unique(values, return_inverse=True)[1].astype(np.int64)
    return ranks, int(ranks.max()) + 1


def combined(first: Whole, second: Whole) -> Whole:
    """A number for each pair of values, without gaps from 0 on."""
    ranks: Whole = np.unique(paired(first, second), return_inverse=True)[1].astype(np.int64)
    return ranks


def _elsewhere(boxes: FlatStructs) -> Mask:
    """Boxes that are said by something else than edges."""
    is_there = boxes.field("x").is_valid()
    for name in ("polygon", "rle", "keypoints"):
        is_there = pa.compute.or_(is_there, boxes.field(name).is_valid())
    return np.asarray(is_there.to_numpy(zero_copy_only=False), np.bool_)
