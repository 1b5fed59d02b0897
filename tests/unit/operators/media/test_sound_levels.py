"""Loudness, levels and channels, against the standards and by hand."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from tests.sound_files import tone
from winnowry.operators.media.channels import mono_of
from winnowry.operators.media.kernels.levels import bandwidth_hz, clipped_samples, frame_energies, in_db
from winnowry.operators.media.kernels.loudness import integrated_loudness, k_weighting
from winnowry.operators.media.voice_activity import cut_to, merged, speech_by_energy

Samples = npt.NDArray[np.float32]


def stereo(left: Samples, right: Samples | None = None) -> Samples:
    return np.stack([left, left if right is None else right], axis=1)


def decibels(level: float) -> float:
    return float(10 ** (level / 20))


def sines(*parts: tuple[float, float], rate: int = 48_000) -> Samples:
    return stereo(np.concatenate([tone(seconds, 1000, rate, decibels(level)) for seconds, level in parts]))


def test_the_filter_at_48_khz_is_that_of_the_recommendation() -> None:
    shelf, high_pass = k_weighting(48_000)
    # BS.1770-4, tables 1 and 2.
    assert shelf == pytest.approx(
        (1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585), abs=1e-6
    )
    assert high_pass == pytest.approx((1.0, -2.0, 1.0, -1.99004745483398, 0.99007225036621), abs=1e-6)


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
@pytest.mark.parametrize(
    ("parts", "loudness"),
    [  # EBU Tech 3341 (2016), minimum requirements, cases 1 to 5: -23.0 and -33.0, each within 0.1 LU
        ([(20, -23)], -23.0),
        ([(20, -33)], -33.0),
        ([(10, -36), (60, -23), (10, -36)], -23.0),
        ([(10, -72), (10, -36), (60, -23), (10, -36), (10, -72)], -23.0),
        ([(20, -26), (20.1, -20), (20, -26)], -23.0),
    ],
)
def test_the_tones_of_ebu_tech_3341_are_as_loud_as_it_says(
    parts: list[tuple[float, float]], loudness: float, rate: int
) -> None:
    assert integrated_loudness(sines(*parts, rate=rate), rate) == pytest.approx(loudness, abs=0.1)


def test_channels_add_up_in_energy_and_less_than_a_block_has_no_loudness() -> None:
    one = tone(2, 1000, 48_000, 0.1)
    alone, both = integrated_loudness(one[:, None], 48_000), integrated_loudness(stereo(one), 48_000)
    assert alone is not None
    assert both is not None
    assert both - alone == pytest.approx(10 * math.log10(2), abs=0.01)
    assert integrated_loudness(stereo(one, -one), 48_000) == pytest.approx(both, abs=1e-6)
    assert integrated_loudness(one[: 48_000 * 4 // 10 - 1, None], 48_000) is None
    assert integrated_loudness(np.zeros((48_000, 2), np.float32), 48_000) is None


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 48_000])
def test_loudness_is_that_of_another_implementation(rate: int) -> None:
    pyebur128 = pytest.importorskip("pyebur128")
    rng = np.random.default_rng(rate)
    noise = (rng.standard_normal((rate * 5, 2)) * [[0.05, 0.2]]).astype(np.float32)
    state = pyebur128.R128State(2, rate, pyebur128.MeasurementMode.MODE_I)
    state.add_frames(np.ascontiguousarray(noise).ravel(), len(noise))
    assert integrated_loudness(noise, rate) == pytest.approx(pyebur128.get_loudness_global(state), abs=0.05)


RATE = 8_000
T = np.arange(RATE) / RATE
VOICE = (
    (0.25 * np.sin(2 * np.pi * 150 * T) + 0.15 * np.sin(2 * np.pi * 450 * T) + 0.1 * np.sin(2 * np.pi * 1500 * T))
    * (np.sin(2 * np.pi * 3 * T) > -0.3)
).astype(np.float32)
CHANNELS = {
    "same": (stereo(VOICE), "mean", 1.0, 0, -13.1),
    "opposite": (stereo(VOICE, -VOICE), "channel 1", -1.0, 0, -13.1),
    "nearly": (stereo(VOICE, -VOICE * np.float32(0.9)), "channel 1", -1.0, 0, -13.5),
    "the louder of two opposite ones": (stereo(-VOICE * np.float32(0.9), VOICE), "channel 2", -1.0, 0, -13.5),
    "left only": (stereo(VOICE, 0 * VOICE), "channel 1", None, 1, -16.1),
    "right only": (stereo(0 * VOICE, VOICE), "channel 2", None, 1, -16.1),
    "mono": (VOICE[:, None], "mono", None, 0, -16.1),
}


@pytest.mark.parametrize("name", CHANNELS)
def test_what_is_listened_to_is_never_silent_because_of_a_wire(name: str) -> None:
    samples, used, correlation, empty, lufs = CHANNELS[name]
    mono = mono_of(samples)
    assert (mono.used, mono.empty_channels) == (used, empty)
    assert mono.correlation == (None if correlation is None else pytest.approx(correlation, abs=0.01))
    assert float(in_db(float(np.square(mono.samples).mean()))) == pytest.approx(-15.5, abs=0.1)
    assert integrated_loudness(samples, RATE) == pytest.approx(lufs, abs=0.2)  # `ffmpeg -af ebur128` of such files
    silent = float((in_db(frame_energies(samples, RATE)) < -60).mean())
    assert silent == pytest.approx(float((in_db(frame_energies(stereo(VOICE), RATE)) < -60).mean()), abs=0.02)
    assert speech_by_energy(mono.samples, RATE) == speech_by_energy(VOICE, RATE)


def test_unrelated_channels_are_averaged_and_silence_stays_silence() -> None:
    rng = np.random.default_rng(1)
    mono = mono_of((0.1 * rng.standard_normal((RATE, 2))).astype(np.float32))
    assert mono.used == "mean"
    silent = mono_of(np.zeros((RATE, 2), np.float32))
    assert (silent.used, silent.empty_channels, silent.correlation) == ("mean", 0, None)
    assert speech_by_energy(silent.samples, RATE) == []


def share_clipped(samples: Samples, bits: int = 16) -> float:
    peak = float(np.abs(samples).max())
    step = max(4 / (1 << (bits - 1)), 1e-3 * peak)
    return float(clipped_samples(samples, peak, step)) / samples.size


@pytest.mark.parametrize("level", [1.0, 0.5])
def test_clipping_is_runs_at_the_largest_value_also_of_a_file_that_was_made_quieter(level: float) -> None:
    cut = np.clip(tone(1, 200, RATE, 1.6), -1, 1).astype(np.float32)[:, None] * np.float32(level)
    # A sine of 1.6 is above 1 for 2·acos(1 / 1.6) of each half turn: 57 % of the time.
    assert share_clipped(cut) == pytest.approx(1 - 2 * math.asin(1 / 1.6) / math.pi, abs=0.06)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("hz", [30.0, 200.0, 1000.0])
def test_a_peak_at_full_scale_is_no_clipping(hz: float, bits: int) -> None:
    scale = (1 << (bits - 1)) - 1
    rounded = (np.round(tone(1, hz, 48_000, 1.0) * scale) / (scale + 1)).astype(np.float32)[:, None]
    assert share_clipped(rounded, bits) == 0.0
    spike = np.zeros((RATE, 1), np.float32)
    spike[100] = 1.4  # beyond full scale, as floating-point files may be
    assert share_clipped(spike) == 0.0


@pytest.mark.parametrize("top", [1_000.0, 2_500.0, 3_400.0])
def test_bandwidth_is_how_far_up_a_sound_reaches(top: float) -> None:
    rate = 16_000
    rng = np.random.default_rng(3)
    spectrum = np.fft.rfft(rng.standard_normal(4 * rate))
    spectrum[np.fft.rfftfreq(4 * rate, 1 / rate) > top] = 0
    limited = (0.1 * np.fft.irfft(spectrum)).astype(np.float32)
    assert bandwidth_hz(limited, rate) == pytest.approx(
        top, abs=4.5 * rate / 512
    )  # to the third side lobe of the window
    assert bandwidth_hz(limited[:511], rate) is None
    assert bandwidth_hz(np.zeros(rate, np.float32), rate) is None


def utterances(noise: float, rate: int = 16_000) -> tuple[Samples, list[tuple[float, float]]]:
    """Eight stretches of a voice-like buzz, each 0.8 to 2.2 s, with pauses of 1.2 s, in white noise."""
    rng = np.random.default_rng(7)
    parts, spans, at = [np.zeros(rate, np.float32)], [], 1.0
    for number in range(8):
        seconds = 0.8 + 0.2 * number
        t = np.arange(round(seconds * rate)) / rate
        buzz = sum(np.sin(2 * np.pi * k * (110 + 10 * number) * t) / k for k in range(1, 20))
        loud = 0.1 * buzz * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * t))
        parts += [loud.astype(np.float32), np.zeros(round(1.2 * rate), np.float32)]
        spans.append((at, at + seconds))
        at += seconds + 1.2
    whole = np.concatenate(parts)
    return (whole + noise * rng.standard_normal(len(whole))).astype(np.float32), spans


def frames_of(spans: list[tuple[float, float]], n: int) -> npt.NDArray[np.bool_]:
    on = np.zeros(n, bool)
    for start, end in spans:
        on[round(start * 100) : round(end * 100)] = True
    return on


@pytest.mark.parametrize("noise", [0.0, 1e-4, 1e-3, 5e-3])
def test_planted_utterances_are_found_in_noise(noise: float) -> None:
    samples, planted = utterances(noise)
    speech = speech_by_energy(samples, 16_000)
    assert len(speech) == len(planted)
    truth, heard = (frames_of(spans, len(samples) // 160) for spans in (planted, speech))
    assert (truth & heard).sum() / heard.sum() >= 0.95
    assert (truth & heard).sum() / truth.sum() >= 0.95


def test_neighbours_are_joined_up_to_the_longest_segment_and_longer_ones_are_cut_where_it_is_quietest() -> None:
    speech = [(0.0, 1.0), (2.5, 4.0), (6.5, 8.0), (8.5, 12.0)]
    assert merged(speech, gap_s=2.0, max_s=30.0) == [(0.0, 4.0), (6.5, 12.0)]
    assert merged(speech, gap_s=2.0, max_s=5.0) == [(0.0, 4.0), (6.5, 8.0), (8.5, 12.0)]
    rate = 16_000
    level = np.ones(25 * rate, np.float32) * 0.2
    level[round(8.0 * rate) : round(8.1 * rate)] = 0.0
    buzz = level * np.sin(2 * np.pi * 300 * np.arange(len(level)) / rate).astype(np.float32)
    pieces = cut_to([(0.0, 25.0)], buzz, rate, 10.0)
    assert pieces[0][1] == pytest.approx(8.05, abs=0.06)
    assert all(end - start <= 10.0 for start, end in pieces)
    assert [start for start, _ in pieces[1:]] == [end for _, end in pieces[:-1]]
    assert (pieces[0][0], pieces[-1][1]) == (0.0, 25.0)
