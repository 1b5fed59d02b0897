"""``video.facts``: what a film is, counted against what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.operators.base import Rule
from winnowry.operators.media.film_operator import need_video, part_of
from winnowry.operators.media.films import FilmFacts
from winnowry.operators.media.operator import MediaMeasure
from winnowry.operators.media.views import DecodeError, View, Wants
from winnowry.operators.quality import Quality


class VideoFacts(MediaMeasure):
    """Decode a film to its end, and write what it is, how long, and how its sound lies to its pictures.

    Times are presentation times, from the first picture: uneven frames, a late start and a clock that begins anywhere
    are facts and no faults. Width and height are those that are shown: turned by the display matrix, with square
    pixels. A film is refused as not decodable where less was decoded than its container declares, by more than
    ``max_missing`` of its frames, and where packets are damaged.

    Writes ``decode_error`` (string; null: it decodes), ``video_format`` (of the container), ``codec``, ``width``,
    ``height``, ``aspect`` (width over height), ``rotation`` (degrees clockwise), ``n_frames``, ``n_frames_declared``
    (null where it is not declared), ``fps`` (frames over duration), ``duration_ms`` (of the record: its span, or the
    film), ``starts_s`` (of the first picture on the container's clock), ``longest_step_s`` (between two frames),
    ``uneven``, ``n_backward`` (frames out of order, left out), ``bit_rate`` (of the file), ``sound_starts_s`` and
    ``sound_ends_s`` (from the first picture; null without sound), ``sound_offset_s`` (how far apart picture and sound
    begin) and ``sound_beyond_s`` (how far sound goes on after the last picture). The others are null where the film
    does not decode.

    Needs the extra ``video``.
    """

    QUALITIES: ClassVar[Mapping[str, Quality]] = {
        "decode_error": Quality("machine", "lower"),
        "uneven": Quality("machine", "lower"),
        "n_backward": Quality("machine", "lower"),
        "longest_step_s": Quality("people", "lower"),
    }

    op: Literal["video.facts"] = "video.facts"
    decodable: bool = Field(default=True, description="whether only films that decode, and are as they say, are kept")
    max_missing: float = Field(
        default=0.01, ge=0, le=1, description="share of the declared frames that may be missing or damaged"
    )
    max_sound_offset_s: float | None = Field(
        default=None, ge=0, description="most seconds between the first picture and the first sound; null: any"
    )
    max_sound_beyond_s: float | None = Field(
        default=None, ge=0, description="most seconds of sound after the last picture; null: any"
    )

    def wants(self) -> Wants:
        """The film."""
        return Wants()

    def writes(self) -> pa.Schema:
        """The facts; after ``as``, if given."""
        columns = [
            ("video_format", pa.string()),
            ("codec", pa.string()),
            ("width", pa.int64()),
            ("height", pa.int64()),
            ("aspect", pa.float64()),
            ("rotation", pa.int64()),
            ("n_frames", pa.int64()),
            ("n_frames_declared", pa.int64()),
            ("fps", pa.float64()),
            ("duration_ms", pa.int64()),
            ("starts_s", pa.float64()),
            ("longest_step_s", pa.float64()),
            ("uneven", pa.bool_()),
            ("n_backward", pa.int64()),
            ("bit_rate", pa.int64()),
            ("sound_starts_s", pa.float64()),
            ("sound_ends_s", pa.float64()),
            ("sound_offset_s", pa.float64()),
            ("sound_beyond_s", pa.float64()),
        ]
        return self.columns(columns)

    def rules(self) -> tuple[Rule, ...]:
        """``decodable``, and the two about sound where they are asked for; a film without sound has no fault in it."""
        return self.limits(max_sound_offset_s="sound_offset_s", max_sound_beyond_s="sound_beyond_s")

    @model_validator(mode="after")
    def _can_decode(self) -> Self:
        need_video(self.op)
        return self

    def values_of(self, view: View) -> tuple[Any, ...]:
        """The facts of a film."""
        film, start, end, _ = part_of(view)
        facts = film.facts
        self._refuse_missing(facts)
        starts, ends = facts.sound_starts_s, facts.sound_ends_s
        return (
            facts.video_format,
            facts.codec,
            facts.width,
            facts.height,
            facts.width / facts.height,
            facts.rotation,
            facts.n_frames,
            facts.n_frames_declared,
            facts.fps,
            round((end - start) * 1000),
            facts.starts_s,
            facts.longest_step_s,
            facts.uneven,
            facts.n_backward,
            facts.bit_rate,
            starts,
            ends,
            None if starts is None else abs(starts),
            None if ends is None else max(0.0, ends - facts.duration_s),
        )

    def _refuse_missing(self, facts: FilmFacts) -> None:
        there = facts.n_frames + facts.n_backward
        declared = facts.n_frames_declared
        if declared is not None and there < declared * (1 - self.max_missing):
            raise DecodeError(f"truncated: declares {declared} frames, has {there}")
        if facts.n_damaged > (there + facts.n_damaged) * self.max_missing:
            raise DecodeError(f"{facts.n_damaged} of {there + facts.n_damaged} frames are damaged")
