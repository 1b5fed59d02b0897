"""``audio.measure``: how loud, how clipped, how silent and how wide a recording is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.operators.base import Rule
from winnowry.operators.media.channels import mono_of
from winnowry.operators.media.operator import MediaMeasure
from winnowry.operators.media.sound_operator import Part, need_audio, part_of
from winnowry.operators.media.views import View, Wants
from winnowry.operators.quality import Quality

_SILENT_DB = -60.0
_WAVEFORM = 60
_SMALLEST_STEP = 1e-3
_LEVELS_ABOVE = 4


class AudioMeasure(MediaMeasure):
    """Measure the sound of a record: what people hear of it, and what a machine gets out of it.

    None of these numbers is the quality of a recording. ``snr_db`` is the range between loud and quiet 20 ms: it falls
    with noise, and with a speaker who makes no pauses.

    Writes ``decode_error`` (string; null: it decodes), ``lufs`` (BS.1770-4, integrated; channels add up), ``rms_dbfs``
    (of the channel that is listened to), ``peak_dbfs`` (largest sample), ``clip_ratio`` (share of samples in runs that
    were cut off; a single sample at full scale is none), ``dc`` (largest mean of a channel, −1 to 1), ``silence_ratio``
    (share of 20 ms below −60 dBFS, counted over the energy of all channels), ``snr_db`` (95th less 10th percentile of
    the levels of 20 ms, digital silence left out), ``bandwidth_hz`` (highest frequency within 50 dB of the strongest),
    ``channel_correlation`` (of the first two, −1 to 1), ``empty_channels``, ``channel_used`` (``mono``, ``mean``, or
    which channel was listened to because the mean would cancel them out or the others are empty) and ``waveform`` (60
    RMS values over the length). All of them are null where the file does not decode, and each where it is not defined:
    loudness of less than 400 ms or of silence.

    Sources: ITU-R BS.1770-4; NVIDIA NeMo Curator (bandwidth).

    Needs the extra ``audio``.
    """

    QUALITIES: ClassVar[Mapping[str, Quality]] = {
        "decode_error": Quality("machine", "lower"),
        **{name: Quality("people") for name in ("lufs", "rms_dbfs", "peak_dbfs", "silence_ratio")},
        "clip_ratio": Quality("people", "lower"),
        "snr_db": Quality("people", "higher"),
        "bandwidth_hz": Quality("machine", "higher"),
        "empty_channels": Quality("machine", "lower"),
    }

    op: Literal["audio.measure"] = "audio.measure"
    decodable: bool = Field(default=True, description="whether only files that decode are kept")
    max_clip_ratio: float | None = Field(
        default=0.001, ge=0, le=1, description="largest share of samples that were cut off, 0 to 1"
    )
    max_silence_ratio: float | None = Field(default=None, ge=0, le=1, description="largest share of silence, 0 to 1")
    min_lufs: float | None = Field(default=None, description="lowest loudness, in LUFS")
    min_snr_db: float | None = Field(default=None, ge=0, description="smallest range of levels, in dB")
    min_bandwidth_hz: float | None = Field(
        default=None, ge=0, description="lowest upper frequency, in Hz; 7000 finds telephone speech at 16 kHz"
    )

    def wants(self) -> Wants:
        """The sound."""
        return Wants()

    def writes(self) -> pa.Schema:
        """The measures; after ``as``, if given."""
        numbers = ("lufs", "rms_dbfs", "peak_dbfs", "clip_ratio", "dc", "silence_ratio", "snr_db", "bandwidth_hz")
        return self.columns(
            [
                *((name, pa.float64()) for name in (*numbers, "channel_correlation")),
                ("empty_channels", pa.int64()),
                ("channel_used", pa.string()),
                ("waveform", pa.list_(pa.float32())),
            ]
        )

    def rules(self) -> tuple[Rule, ...]:
        """``decodable``, and one for each limit that is set; silence is not as loud as anything."""
        return self.limits(
            rejects_null=("min_lufs", "min_bandwidth_hz"),
            max_clip_ratio="clip_ratio",
            max_silence_ratio="silence_ratio",
            min_lufs="lufs",
            min_snr_db="snr_db",
            min_bandwidth_hz="bandwidth_hz",
        )

    @model_validator(mode="after")
    def _can_decode(self) -> Self:
        need_audio(self.op)
        return self

    def values_of(self, view: View) -> tuple[Any, ...]:
        """The measures of a record."""
        return measured(part_of(view))


def measured(part: Part) -> tuple[Any, ...]:
    """The measures of a part of a file, in the order of the columns behind the first."""
    from winnowry.operators.media.kernels.levels import bandwidth_hz, clipped_samples, frame_energies, in_db
    from winnowry.operators.media.kernels.loudness import integrated_loudness

    samples, facts = part.samples, part.sound.facts
    rate, peak = facts.rate_hz, float(np.abs(samples).max())
    mono = mono_of(samples)
    step = max(_LEVELS_ABOVE / (1 << ((facts.bits or 24) - 1)), _SMALLEST_STEP * peak)
    level = in_db(frame_energies(samples, rate))
    audible = level[level > in_db(0.0)]
    low, high = np.percentile(audible, [10, 95]) if len(audible) else (0.0, 0.0)
    return (
        integrated_loudness(samples, rate),
        float(in_db(float(np.square(mono.samples, dtype=np.float64).mean()))),
        float(in_db(peak * peak)),
        float(clipped_samples(samples, peak, step)) / samples.size,
        float(max(samples.mean(axis=0, dtype=np.float64), key=abs)),
        float((level < _SILENT_DB).mean()),
        float(high - low),
        bandwidth_hz(mono.samples, rate),
        mono.correlation,
        mono.empty_channels,
        mono.used,
        _waveform(samples),
    )


def _waveform(samples: Any) -> list[float]:
    """Root mean square of each of 60 equal parts, over all channels; fewer parts for fewer samples."""
    power = np.square(samples, dtype=np.float64).mean(axis=1)
    starts = np.unique(np.arange(_WAVEFORM) * len(power) // _WAVEFORM)
    sizes = np.diff([*starts, len(power)])
    return [float(value) for value in np.sqrt(np.add.reduceat(power, starts) / sizes)]
