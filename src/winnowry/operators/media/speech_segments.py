"""``speech.segments``: recordings cut into the stretches in which somebody speaks."""

from __future__ import annotations

import importlib.util
from typing import Any, Literal, NamedTuple, Self

import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.operators.base import Rule
from winnowry.operators.input_path import InputPath
from winnowry.operators.media.channels import mono_of
from winnowry.operators.media.operator import SPAN_FIELD, MediaDerivation
from winnowry.operators.media.sound_operator import need_audio, part_of
from winnowry.operators.media.views import View, Wants
from winnowry.operators.media.voice_activity import Segment, cut_to, merged, speech_by_energy, speech_by_model

Origin = Literal["given", "vad"]


class _Child(NamedTuple):
    span: dict[str, Any]
    duration_ms: int
    segment_index: int
    n_segments: int
    segment_s: float
    segment_from: str
    speech_ratio: float | None


class SpeechSegments(MediaDerivation):
    """Replace each recording by its segments; no bytes are copied, a segment is a span of its file.

    A span that the manifest gives wins: it is one segment. Otherwise voices are found by their energy, or by a model
    where `vad_model` names one; neighbours with a short gap are joined, and what is longer than `max_s` is cut where it
    is quietest. A recording in which nobody speaks is refused (`no_children`).

    Segments have the text of their record. A row of a manifest with a transcript is therefore one segment; a transcript
    of a whole recording does not belong to each of the pieces that are found in it.

    Writes ``span`` (seconds of the file, half open), ``duration_ms``, ``segment_index`` (from 0), ``n_segments`` of the
    record, ``segment_s``, ``segment_from`` (``given`` or ``vad``) and ``speech_ratio`` (share of it in which a voice
    was found; null for a given one).

    Source: Emilia (He et al., 2024), for the gap of 2 s and segments of 3 to 30 s; silero-vad 6, for the rest.

    Needs the extra ``audio``; a model needs ``onnxruntime`` too.
    """

    op: Literal["speech.segments"] = "speech.segments"
    use: tuple[Origin, ...] = Field(
        default=("given", "vad"), min_length=1, description="where segments come from; the first that there is wins"
    )
    vad_model: InputPath | None = Field(
        default=None, description="file of a Silero VAD model (ONNX); unset: voices are found by their energy"
    )
    threshold: float = Field(default=0.5, gt=0, lt=1, description="of the model: probability from which it is speech")
    merge_gap_s: float = Field(default=2.0, ge=0, description="gap that is shorter does not part two segments, in s")
    min_s: float = Field(default=3.0, ge=0, description="shortest segment to keep, in seconds")
    max_s: float = Field(default=30.0, gt=0, description="longest segment to keep, in seconds")

    def wants(self) -> Wants:
        """The sound."""
        return Wants()

    def writes(self) -> pa.Schema:
        """The span of the segment, how long it is, its number, and where it comes from."""
        return pa.schema(
            [
                SPAN_FIELD,
                pa.field("duration_ms", pa.int64()),
                pa.field("segment_index", pa.int64()),
                pa.field("n_segments", pa.int64()),
                pa.field("segment_s", pa.float64()),
                pa.field("segment_from", pa.string()),
                pa.field("speech_ratio", pa.float64()),
            ]
        )

    def rules(self) -> tuple[Rule, ...]:
        """``min_s`` and ``max_s``, on the segments."""
        return (
            Rule(name="min_s", column="segment_s", comparison=">=", threshold=self.min_s),
            Rule(name="max_s", column="segment_s", comparison="<=", threshold=self.max_s),
        )

    @model_validator(mode="after")
    def _can_run(self) -> Self:
        need_audio(self.op)
        if self.vad_model is not None and importlib.util.find_spec("onnxruntime") is None:
            raise ValueError(
                "speech.segments: vad_model needs onnxruntime; install it with: pip install 'winnowry[onnx]'"
            )
        if self.min_s > self.max_s:
            raise ValueError(f"min_s {self.min_s} is above max_s {self.max_s}")
        return self

    def parts_of(self, view: View) -> list[_Child]:
        """The segments of a recording."""
        part = part_of(view)
        rate = part.sound.facts.rate_hz
        if "given" in self.use and (view.span is not None or "vad" not in self.use):
            spans: list[Segment] = [(part.start, part.end)]
            return [_child(spans, 0, len(part.samples), rate, "given", None)]
        mono = mono_of(part.samples).samples
        model = self.vad_model
        speech = (
            speech_by_energy(mono, rate) if model is None else speech_by_model(mono, rate, str(model), self.threshold)
        )
        pieces = cut_to(merged(speech, gap_s=self.merge_gap_s, max_s=self.max_s), mono, rate, self.max_s)
        pieces = [(part.start + start, min(part.start + end, part.end)) for start, end in pieces]
        voiced = [(part.start + start, part.start + end) for start, end in speech]
        return [
            _child(pieces, index, _samples(piece, rate), rate, "vad", _share(piece, voiced))
            for index, piece in enumerate(pieces)
        ]


def _child(pieces: list[Segment], index: int, samples: int, rate: int, origin: Origin, share: float | None) -> _Child:
    start, end = pieces[index]
    seconds = samples / rate
    span = {"start": start, "end": end, "unit": "s"}
    return _Child(span, round(seconds * 1000), index, len(pieces), seconds, origin, share)


def _samples(piece: Segment, rate: int) -> int:
    return round(piece[1] * rate) - round(piece[0] * rate)


def _share(piece: Segment, speech: list[Segment]) -> float:
    start, end = piece
    voiced = sum(max(0.0, min(end, stop) - max(start, begin)) for begin, stop in speech)
    return min(1.0, voiced / (end - start)) if end > start else 0.0
