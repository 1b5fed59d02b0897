"""``labels.masks``: whether polygons, run lengths, keypoints, areas and boxes of an image agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from winnowry.operators.buffers import utf8_buffers
from winnowry.operators.labels.checks import BoxChecks, frame_size
from winnowry.operators.labels.flat import FlatStructs, Floats, Mask, Whole, numbers_of
from winnowry.operators.labels.geometry import EDGES

_SLACK_PX = 1.0
_BOX_PX = 2.0
_RING_NUMBERS = 6
_MASK_AREA = (2.0, 0.02)  # pixels, share: run lengths count pixels
_POLYGON_AREA = (4.0, 0.1)  # an area is that of drawn pixels, the polygon's own is another one
_KEYPOINT_NUMBERS = 3


class _Measured(NamedTuple):
    """What is measured of each box that has a shape; NaN for the others."""

    area: Floats
    extent: Floats
    has: Mask


class LabelMasks(BoxChecks):
    """Find shapes that are broken or say another thing than the box and the area beside them.

    Run lengths are in column-major order. Faults: ``short_ring`` (fewer than three points, or an odd number of
    numbers), ``mask_outside`` (a point more than a pixel outside the picture), ``broken_runs`` (text that cannot be
    read, or negative lengths), ``runs_size`` (lengths that do not add up to the picture, or a mask of another size than
    it), ``area_differs`` (from the stated one by more than 2 % of a mask or 10 % of a polygon of one ring),
    ``box_differs`` (an edge of the box more than 2 pixels from that of the shape), ``keypoints`` (no triples, or a
    visibility that is not 0, 1 or 2) and ``crowd`` (neither 0 nor 1).

    Writes a count of each, and ``masks_faults``.

    Source: the COCO data format; the limits are those of its released files, none of which is beyond them.
    """

    FAULT_NAMES: ClassVar[tuple[str, ...]] = (
        "short_ring", "mask_outside", "broken_runs", "runs_size", "area_differs", "box_differs", "keypoints", "crowd",
    )  # fmt: skip
    LOOKS_AT: ClassVar[tuple[str, ...]] = ("image",)

    op: Literal["labels.masks"] = "labels.masks"
    max_short_ring: int | None = Field(default=0, ge=0, description="most polygons that are none; null: any")
    max_mask_outside: int | None = Field(default=0, ge=0, description="most polygons outside the picture; null: any")
    max_broken_runs: int | None = Field(default=0, ge=0, description="most broken run lengths; null: any")
    max_runs_size: int | None = Field(default=0, ge=0, description="most masks of another size; null: any")
    max_area_differs: int | None = Field(default=0, ge=0, description="most shapes of another area; null: any")
    max_box_differs: int | None = Field(default=0, ge=0, description="most shapes outside their box; null: any")
    max_keypoints: int | None = Field(default=0, ge=0, description="most boxes with wrong keypoints; null: any")
    max_crowd: int | None = Field(default=0, ge=0, description="most boxes with another crowd than 0 and 1; null: any")

    def look(self, batch: pa.RecordBatch, boxes: FlatStructs) -> tuple[Mapping[str, Mask], Mapping[str, pa.Array]]:
        """See :class:`BoxChecks`."""
        width, height, _ = frame_size(batch.column("image"))
        wide, high = width[boxes.row], height[boxes.row]
        edges, stated = boxes.stack(*EDGES), boxes.numbers("area")
        rings, short = _polygons(boxes)
        runs, total = _runs(boxes)
        crowd, has_crowd = boxes.whole("crowd")
        limit = np.array([-_SLACK_PX, -_SLACK_PX, np.inf, np.inf])
        beyond = rings.has & (
            (rings.extent[:, :2] < limit[:2]).any(axis=1)
            | (rings.extent[:, 2] > wide + _SLACK_PX)
            | (rings.extent[:, 3] > high + _SLACK_PX)
        )
        one_ring = rings.has & (_list_lengths(boxes.field("polygon")) == 1)
        rle = boxes.field("rle")
        stated_size = numbers_of(rle, "height"), numbers_of(rle, "width")
        other_size = (stated_size[0] != high) & np.isfinite(high) | (stated_size[1] != wide) & np.isfinite(wide)
        whole = runs.has & (total >= 0)
        marks = {
            "short_ring": short,
            "mask_outside": beyond,
            "broken_runs": runs.has & (total < 0),
            "runs_size": whole & ((total != stated_size[0] * stated_size[1]) | other_size),
            "area_differs": _differs(rings.area, stated, _POLYGON_AREA) & one_ring & ~short
            | _differs(runs.area, stated, _MASK_AREA) & whole,
            "box_differs": (_apart(rings.extent, edges) & rings.has & ~short)
            | (_apart(runs.extent, edges) & whole & (runs.area > 0)),
            "keypoints": _wrong_keypoints(boxes),
            "crowd": has_crowd & (crowd != 0) & (crowd != 1),
        }
        return marks, {}


def _differs(measured: Floats, stated: Floats, limits: tuple[float, float]) -> Mask:
    mask: Mask = np.abs(measured - stated) > np.maximum(limits[0], limits[1] * measured)
    return mask


def _apart(extent: Floats, edges: Floats) -> Mask:
    return np.asarray((np.abs(extent - edges) > _BOX_PX).any(axis=1), np.bool_)


def _list_lengths(lists: pa.Array) -> Whole:
    return np.asarray(pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False), np.int64)


def _starts(lists: pa.Array) -> Whole:
    starts: Whole = np.concatenate([[0], np.cumsum(_list_lengths(lists))]).astype(np.int64)
    return starts


def _floats(values: pa.Array) -> Floats:
    return np.asarray(pc.fill_null(values, np.nan).to_numpy(zero_copy_only=False), np.float64)


def _polygons(boxes: FlatStructs) -> tuple[_Measured, Mask]:
    """Area and extent of the polygons, and which have a ring that is none."""
    from winnowry.operators.labels.kernels.rle import measure_rings

    polygons = boxes.field("polygon")
    rings = polygons.flatten()
    n = len(boxes)
    out, shortest, odd = np.empty((n, 5)), np.empty(n, np.int64), np.zeros(n, np.bool_)
    measure_rings(_floats(rings.flatten()), _starts(rings), _starts(polygons), out, shortest, odd)
    has = _list_lengths(polygons) > 0
    out[~has] = np.nan
    return _Measured(out[:, 0], out[:, 1:], has), has & ((shortest < _RING_NUMBERS) | odd)


def _runs(boxes: FlatStructs) -> tuple[_Measured, Whole]:
    """Area and extent of the run lengths, and what they add up to; -1 where they are broken."""
    from winnowry.operators.labels.kernels.rle import measure_runs, measure_texts

    rle = boxes.field("rle")
    n = len(boxes)
    out, total = np.full((n, 5), np.nan), np.full(n, -1, np.int64)
    height = np.nan_to_num(numbers_of(rle, "height")).astype(np.int64)
    texts, lists = pc.struct_field(rle, "counts"), pc.struct_field(rle, "runs")
    for values, is_text in ((texts, True), (lists, False)):
        some = np.flatnonzero(values.is_valid().to_numpy(zero_copy_only=False))
        if not len(some):
            continue
        own = values.take(pa.array(some))
        measured, sums = np.full((len(some), 5), np.nan), np.empty(len(some), np.int64)
        if is_text:
            octets = utf8_buffers(own)
            measure_texts(octets.data, octets.offsets, height[some], measured, sums)
        else:
            numbers = np.asarray(pc.fill_null(own.flatten(), -1).to_numpy(zero_copy_only=False), np.int64)
            measure_runs(numbers, _starts(own), height[some], measured, sums)
        out[some], total[some] = measured, sums
    has = np.asarray(rle.is_valid().to_numpy(zero_copy_only=False), np.bool_)
    return _Measured(out[:, 0], out[:, 1:], has), total


def _wrong_keypoints(boxes: FlatStructs) -> Mask:
    points = boxes.field("keypoints")
    lengths, starts = _list_lengths(points), _starts(points)
    values = _floats(points.flatten())
    place = np.arange(len(values)) - np.repeat(starts[:-1], lengths)
    unseen = (place % _KEYPOINT_NUMBERS == _KEYPOINT_NUMBERS - 1) & ~np.isin(values, (0, 1, 2))
    wrong = np.bincount(np.repeat(np.arange(len(lengths)), lengths)[unseen], minlength=len(lengths)) > 0
    mask: Mask = (lengths % _KEYPOINT_NUMBERS != 0) | wrong
    return mask
