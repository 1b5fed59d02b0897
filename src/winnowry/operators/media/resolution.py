"""``image.resolution``: how many pixels of a picture carry detail, whatever it was enlarged to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.operators.base import Rule
from winnowry.operators.media.measure import native_middle, require_image_extra
from winnowry.operators.media.operator import MediaOperator, as_batch
from winnowry.operators.media.pictures import Pixels, Plane
from winnowry.operators.media.views import DecodeError, View, Views, Wants
from winnowry.operators.quality import Quality

_RINGS = 64
_LEAST_SIDE_PX = 32
_LOST = 255**2 / 10**4
"""Mean squared error that nobody sees: 40 dB below white."""
_COLUMNS = ("detail_share", "effective_min_side")
_Resolution = tuple[float | None, int | None]


@dataclass(frozen=True)
class _Detail:
    """The reduction of a picture to the share of its size that it needs."""

    def __call__(self, pixels: Pixels) -> _Resolution:
        share = detail_share(native_middle(pixels))
        return share, None if share is None else round(share * min(pixels.stored.shape[:2]))


class ImageResolution(MediaOperator):
    """Find the smallest size that a picture can be restored from: one that was enlarged, or is out of focus, is small.

    A measure of what a machine gets out of a picture: pixels that interpolation made say nothing new. It is to a
    picture what the bandwidth is to a sound. A picture that was enlarged twofold has a share of about a half, also
    after it was compressed. Noise counts as detail, as it does for every measure that is shown no original, and a
    picture of little detail is small in truth.

    Looks at the middle 512 × 512 pixels as stored: the share is that of the highest frequencies that must stay for an
    error of 40 dB below white.

    Writes ``detail_share`` (float64; the highest of them over the highest that the pixels can hold, 0 to 1) and
    ``effective_min_side`` (int64; that share of the shorter side, in pixels); null where the picture cannot be decoded
    or has a side below 32 pixels.

    Needs the extra ``image``.
    """

    QUALITIES: ClassVar[Mapping[str, Quality]] = {name: Quality("machine", "higher") for name in _COLUMNS}

    op: Literal["image.resolution"] = "image.resolution"
    min_effective_side: int | None = Field(
        default=None, ge=1, description="least shorter side in pixels that carry detail; null: any"
    )

    def wants(self) -> Wants:
        """The detail."""
        return Wants(picture=frozenset({_Detail()}))

    def writes(self) -> pa.Schema:
        """``detail_share`` and ``effective_min_side``; after ``as``, if given."""
        prefix = f"{self.as_}_" if self.as_ is not None else ""
        return pa.schema([(prefix + _COLUMNS[0], pa.float64()), (prefix + _COLUMNS[1], pa.int64())])

    def rules(self) -> tuple[Rule, ...]:
        """``min_effective_side``, if given; a picture of which nothing is known passes."""
        if self.min_effective_side is None:
            return ()
        column, limit = self.writes().names[1], self.min_effective_side
        return (Rule(name="min_effective_side", column=column, comparison=">=", threshold=limit, null="keep"),)

    @model_validator(mode="after")
    def _can_decode(self) -> Self:
        require_image_extra(self.op)
        return self

    def apply_media(self, batch: pa.RecordBatch, views: Views) -> pa.RecordBatch:
        """Look at n pictures."""
        return as_batch(self.writes(), (_of_view(view) for view in views))


def _of_view(view: View) -> _Resolution:
    try:
        return view.picture().value(_Detail())
    except DecodeError:
        return None, None


def detail_share(luma: Plane) -> float | None:
    """The highest frequency that must stay, over the highest that pixels can hold.

    Args:
        luma: rows × columns.

    Returns:
        0 (flat) to 1; None for a side below 32 pixels.
    """
    height, width = luma.shape
    if min(height, width) < _LEAST_SIDE_PX:
        return None
    window = np.hanning(height)[:, None] * np.hanning(width)[None, :]
    plane = luma.astype(np.float64)
    plane -= (plane * window).sum() / window.sum()
    power = np.abs(np.fft.rfft2(plane * window)) ** 2 / (np.square(window).sum() * plane.size)
    power[:, 1 : (width + 1) // 2] *= 2  # half of the frequencies are left out: a picture has each twice
    frequency = 2 * np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    ring = np.minimum((frequency * _RINGS).astype(np.int64), _RINGS)
    in_ring = np.bincount(ring.ravel(), power.ravel(), _RINGS + 1)
    from_ring = np.cumsum(in_ring[::-1])[::-1]
    return min(_RINGS, int((from_ring > _LOST).sum())) / _RINGS
