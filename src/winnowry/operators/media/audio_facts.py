"""``audio.facts``: what a sound file is, counted against what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.operators.base import Rule
from winnowry.operators.media.operator import MediaMeasure
from winnowry.operators.media.sound_operator import TOLERANCE_S, need_audio, part_of
from winnowry.operators.media.sounds import SoundFacts
from winnowry.operators.media.views import SPAN, SPAN_TYPE, DecodeError, View, Wants
from winnowry.operators.quality import Quality

_LOSSY_TOLERANCE_S = 0.1


class AudioFacts(MediaMeasure):
    """Decode a sound file to its end, and write what it is and how long.

    Seconds are counted, never taken from the header: many headers do not know (WAV and FLAC that went through a pipe),
    and that is no fault. A header that *says* another length is one: the file was cut, or holds what nobody declared.
    So is damage anywhere in it, and a record whose span is not in its file. A cover picture is no film: what counts is
    whether there is a stream of sound.

    Writes ``decode_error`` (string; null: it decodes), ``audio_format`` (e.g. ``FLAC``), ``codec``, ``rate_hz``,
    ``channels``, ``bits`` (of a sample; null for codecs that keep none), ``bit_rate`` (bits a second, tags left out),
    ``file_duration_s`` and ``declared_duration_s`` (of the file; the latter null where its header does not say it),
    ``duration_ms`` (of the record: its span, or the file) and ``span`` (as it was, ending where the file ends). The
    others are null where the file does not decode.

    Needs the extra ``audio``; sound in MP4 and the like needs ``video``.
    """

    QUALITIES: ClassVar[Mapping[str, Quality]] = {"decode_error": Quality("machine", "lower")}

    op: Literal["audio.facts"] = "audio.facts"
    decodable: bool = Field(default=True, description="whether only files that decode, and are as they say, are kept")
    tolerance_s: float | None = Field(
        default=None,
        ge=0,
        description="seconds by which declared and counted length may differ, and by which a span may go beyond its "
        f"file; unset: {TOLERANCE_S} where samples are kept as they are, {_LOSSY_TOLERANCE_S} for other codecs, whose "
        "encoders pad the ends",
    )

    def wants(self) -> Wants:
        """The sound."""
        return Wants()

    def writes(self) -> pa.Schema:
        """The facts; after ``as``, if given."""
        columns = [
            ("audio_format", pa.string()),
            ("codec", pa.string()),
            ("rate_hz", pa.int64()),
            ("channels", pa.int64()),
            ("bits", pa.int64()),
            ("bit_rate", pa.int64()),
            ("file_duration_s", pa.float64()),
            ("declared_duration_s", pa.float64()),
            ("duration_ms", pa.int64()),
            (SPAN, SPAN_TYPE),
        ]
        return self.columns(columns)

    def rules(self) -> tuple[Rule, ...]:
        """``decodable``: the file decodes to its end, and is as long as it says."""
        return self.limits()

    @model_validator(mode="after")
    def _can_decode(self) -> Self:
        need_audio(self.op)
        return self

    def values_of(self, view: View) -> tuple[Any, ...]:
        """The facts of a file."""
        facts = view.sound().facts
        tolerance = self._tolerance(facts)
        _refuse_other_length(facts, tolerance)
        part = part_of(view, tolerance)
        span = None if view.span is None else {"start": part.start, "end": part.end, "unit": "s"}
        return (
            facts.audio_format,
            facts.codec,
            facts.rate_hz,
            facts.channels,
            facts.bits,
            facts.bit_rate,
            facts.duration_s,
            facts.declared_s,
            part.duration_ms,
            span,
        )

    def _tolerance(self, facts: SoundFacts) -> float:
        if self.tolerance_s is not None:
            return self.tolerance_s
        return TOLERANCE_S if facts.lossless else _LOSSY_TOLERANCE_S


def _refuse_other_length(facts: SoundFacts, tolerance_s: float) -> None:
    declared, counted = facts.declared_s, facts.duration_s
    if declared is not None and abs(declared - counted) > tolerance_s:
        what = "truncated: declares" if counted < declared else "header says less: declares"
        raise DecodeError(f"{what} {declared:.3f} s, has {counted:.3f} s")
