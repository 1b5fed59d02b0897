"""``video.measure``: how a film or a clip looks, in plain numbers, and a picture of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.operators.base import Rule
from winnowry.operators.media.film_operator import need_video, part_of
from winnowry.operators.media.measure import MEASURES
from winnowry.operators.media.operator import MediaMeasure
from winnowry.operators.media.views import View, Wants
from winnowry.operators.quality import Quality

_BLACK, _STILL = 10.0, 0.05
"""Grey levels: mean luma of a black frame, difference to the frame before of one that stands still."""


class VideoMeasure(MediaMeasure):
    """Measure a film, or the part of it that a record is, and write a picture of its middle.

    The film is decoded once for all operators of a chain and all of its parts. No number here is quality.

    Writes ``decode_error`` (string; null: it decodes), ``seconds``, ``motion`` (mean length of the codec's motion
    vectors over the diagonal; null for codecs without them), ``luma_mean`` (0 to 255), ``dynamic_range`` (95th less
    5th percentile of luma, 0 to 255), ``black`` (share of frames whose mean is below 10), ``still`` (share of frames
    like the one before), ``phash`` and ``thumbnail`` (of the frame shown in the middle, as ``image.measure`` writes
    them, so that ``dedup.image`` finds clips that look alike). The others are null where the film does not decode.

    Source of the thresholds: NeMo Curator, motion filter (0.00098) and clips of at least 2 s.

    Needs the extra ``video``.
    """

    QUALITIES: ClassVar[Mapping[str, Quality]] = {
        "decode_error": Quality("machine", "lower"),
        "motion": Quality("people"),
        "luma_mean": Quality("people"),
        "dynamic_range": Quality("people"),
        "black": Quality("people", "lower"),
        "still": Quality("people", "lower"),
    }

    op: Literal["video.measure"] = "video.measure"
    min_s: float | None = Field(default=2.0, ge=0, description="least seconds; null: any")
    min_motion: float | None = Field(default=0.00098, ge=0, description="least motion; null: any")
    max_black: float | None = Field(default=0.1, ge=0, le=1, description="most of the frames that are black; null: any")
    max_still: float | None = Field(default=0.5, ge=0, le=1, description="most that stand still; null: any")

    def wants(self) -> Wants:
        """The film, with the measures of a frame a second."""
        return Wants(film=frozenset({MEASURES}))

    def writes(self) -> pa.Schema:
        """The columns of the class's description; after ``as``, if given."""
        numbers = ("seconds", "motion", "luma_mean", "dynamic_range", "black", "still")
        columns = [
            *((name, pa.float64()) for name in numbers),
            ("phash", pa.string()),
            ("thumbnail", pa.binary()),
        ]
        return self.columns(columns)

    def rules(self) -> tuple[Rule, ...]:
        """One for each threshold; a film that cannot be decoded fails ``decodable`` and nothing else."""
        return self.limits(min_s="seconds", min_motion="motion", max_black="black", max_still="still")

    @model_validator(mode="after")
    def _can_decode(self) -> Self:
        need_video(self.op)
        return self

    def values_of(self, view: View) -> tuple[Any, ...]:
        """The measures of a film or a part of one."""
        film, start, end, inside = part_of(view)
        if not inside.any():  # a part between two frames shows the one before
            inside[np.searchsorted(film.times, start, side="right") - 1] = True
        motion = film.motion[inside]
        known = motion[~np.isnan(motion)]
        low, high = np.percentile(film.small[inside], [5, 95])
        # The first frame of a part has no frame before it in the part.
        later = inside & (film.times > start)
        shown = [picture for at, picture in film.samples if start <= at < end]
        middle = shown[len(shown) // 2].value(MEASURES) if shown else {}
        return (
            end - start,
            float(known.mean()) if len(known) else None,
            float(film.luma[inside].mean()),
            float(high - low),
            float((film.luma[inside] < _BLACK).mean()),
            float((film.steps[later] < _STILL).mean()) if later.any() else 1.0,
            middle.get("phash"),
            middle.get("thumbnail"),
        )
