"""``video.shots``: films cut into their shots."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.operators.base import Rule
from winnowry.operators.media.film_operator import need_video, part_of
from winnowry.operators.media.operator import SPAN_FIELD, MediaDerivation
from winnowry.operators.media.shots import cuts, dissolves
from winnowry.operators.media.views import View, Wants

Begin = Literal["start", "cut", "dissolve", "length"]


class _Clip(NamedTuple):
    span: dict[str, Any]
    duration_ms: int
    clip_index: int
    n_clips: int
    clip_s: float
    begins_with: Begin


class VideoShots(MediaDerivation):
    """Replace each film by its shots; no bytes are copied, a clip is a span of its film.

    A shot ends at a cut, or in the middle of a dissolve or a fade; one that is longer than `max_s` is cut after every
    `max_s` seconds, and what is left of it is a clip too. Spans are half open, in presentation time from the first
    picture, so that each frame is in one clip.

    Writes ``span``, ``duration_ms``, ``clip_index`` (from 0), ``n_clips`` of the film, ``clip_s`` and ``begins_with``
    (``start``, ``cut``, ``dissolve`` or ``length``).

    Source: PySceneDetect, adaptive detector with the best values of its own sweep (3.5, 3, 0.6 s); NeMo Curator, for
    clips of 2 to 10 s.

    Needs the extra ``video``.
    """

    op: Literal["video.shots"] = "video.shots"
    adaptive: float = Field(default=3.5, gt=1, description="change of a frame over that around it, from which it cuts")
    window: int = Field(default=3, ge=1, description="frames around, on each side")
    min_scene_s: float = Field(default=0.6, ge=0, description="least seconds between two cuts")
    min_content: float = Field(default=8.0, ge=0, description="least change of a cut, in grey levels")
    straight: float = Field(
        default=0.9, gt=0, le=1, description="least distance over path of a dissolve or fade; motion takes a longer way"
    )
    min_change: float = Field(default=18.0, gt=0, description="least distance of a dissolve or fade, in grey levels")
    min_s: float = Field(default=2.0, ge=0, description="shortest clip to keep, in seconds")
    max_s: float = Field(default=10.0, gt=0, description="longest clip, in seconds")

    def wants(self) -> Wants:
        """The film."""
        return Wants()

    def writes(self) -> pa.Schema:
        """The span of the clip, how long it is, its number, and what it begins with."""
        return pa.schema(
            [
                SPAN_FIELD,
                pa.field("duration_ms", pa.int64()),
                pa.field("clip_index", pa.int64()),
                pa.field("n_clips", pa.int64()),
                pa.field("clip_s", pa.float64()),
                pa.field("begins_with", pa.string()),
            ]
        )

    def rules(self) -> tuple[Rule, ...]:
        """``min_s``, on the clips."""
        return (Rule(name="min_s", column="clip_s", comparison=">=", threshold=self.min_s),)

    @model_validator(mode="after")
    def _can_run(self) -> Self:
        need_video(self.op)
        if self.min_s > self.max_s:
            raise ValueError(f"min_s {self.min_s} is above max_s {self.max_s}")
        return self

    def parts_of(self, view: View) -> list[_Clip]:
        """The clips of a film."""
        film, start, end, inside = part_of(view)
        hard = cuts(
            film,
            adaptive=self.adaptive,
            window=self.window,
            min_scene_s=self.min_scene_s,
            min_change=self.min_content,
        )
        soft = dissolves(film, hard, straight=self.straight, min_change=self.min_change)
        begins: list[tuple[float, Begin]] = [(start, "start")]
        for frame in sorted({*hard, *soft}):
            if inside[frame] and film.times[frame] > start:
                begins.append((float(film.times[frame]), "cut" if frame in hard else "dissolve"))
        pieces: list[tuple[float, float, Begin]] = []
        ends = [at for at, _ in begins[1:]] + [end]
        for (first, why), last in zip(begins, ends, strict=True):
            for number, at in enumerate(np.arange(first, last, self.max_s).tolist()):
                pieces.append((at, min(at + self.max_s, last), "length" if number else why))
        return [
            _Clip(
                {"start": first, "end": last, "unit": "s"},
                round((last - first) * 1000),
                index,
                len(pieces),
                last - first,
                why,
            )
            for index, (first, last, why) in enumerate(pieces)
        ]
