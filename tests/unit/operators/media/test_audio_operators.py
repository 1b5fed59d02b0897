"""Operators on sound: what they write of good files, and under which rule the others go."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from tests.sound_files import RATE, flac_with_total, pcm, tone, wav, written
from winnowry.engine.chain import Outcome, run_chain
from winnowry.engine.tasks import _pieces
from winnowry.operators.base import Operator
from winnowry.operators.media import sounds
from winnowry.operators.media.audio_facts import AudioFacts
from winnowry.operators.media.audio_measure import AudioMeasure
from winnowry.operators.media.speech_rate import SpeechRate
from winnowry.operators.media.speech_segments import SpeechSegments
from winnowry.operators.media.views import SPAN_TYPE, View, Views, Wants

pytest.importorskip("soundfile")

FILES = {
    "good": wav(pcm()),
    "half": wav(pcm()[:3200], 6400, 6436),
    "no sound": b"<html>not found</html>",
    "empty": b"",
}


def batch_of(files: Mapping[str, bytes | None], spans: dict[str, Any] | None = None) -> pa.RecordBatch:
    spans = spans or {}
    made = {
        "record_id": pa.array(list(files)),
        "content_sha256": pa.array([str(hash(data)) for data in files.values()]),
        "payload": pa.array(list(files.values()), pa.large_binary()),
        "span": pa.array([spans.get(name) for name in files], SPAN_TYPE),
    }
    return pa.record_batch(made)


def part(start: float, end: float | None = None, unit: str = "s") -> dict[str, Any]:
    return {"start": start, "end": end, "unit": unit}


def reasons(outcome: Outcome) -> dict[str, list[tuple[str, str, str | None]]]:
    return {
        name: [(reason.operator, reason.rule, reason.value) for reason in of]
        for batch, several in outcome.rejected
        for name, of in zip(batch["record_id"].to_pylist(), several, strict=True)
    }


def kept(outcome: Outcome) -> dict[str, dict[str, Any]]:
    return {row["record_id"]: row for row in outcome.kept.to_pylist()}


@pytest.mark.parametrize("operator", [AudioFacts(), AudioMeasure(), SpeechSegments(min_s=0)])
def test_a_file_that_does_not_decode_is_refused_with_the_reason_and_ends_no_other(operator: Operator) -> None:
    outcome = run_chain([operator], batch_of({**FILES, "none": None}))
    assert outcome.errors == {}
    refused = reasons(outcome)
    assert {*refused} == {"half", "no sound", "empty", "none"}
    assert all(of[0][1] == "decodable" and of[0][2] for of in refused.values())
    assert refused["half"] == [(operator.op, "decodable", "truncated: declares 0.400 s, has 0.200 s")]
    assert refused["empty"][0][2] == "no bytes"
    assert outcome.kept.num_rows == 1


def test_facts_are_counted_and_headers_that_do_not_know_are_no_fault() -> None:
    flac = written(tone(1.0))
    files = {"wav": wav(pcm()), "piped": wav(pcm(), 0xFFFFFFFF, 0xFFFFFFFF), "flac": flac,
             "unknown": flac_with_total(flac, 0), "stereo": written(np.stack([tone(0.5), tone(0.5)], 1))}  # fmt: skip
    rows = kept(run_chain([AudioFacts()], batch_of(files)))
    names = ("audio_format", "file_duration_s", "declared_duration_s", "channels", "bits", "rate_hz", "duration_ms")
    facts = {name: tuple(row[column] for column in names) for name, row in rows.items()}
    assert facts == {
        "wav": ("WAV", 0.4, 0.4, 1, 16, RATE, 400),
        "piped": ("WAV", 0.4, None, 1, 16, RATE, 400),
        "flac": ("FLAC", 1.0, 1.0, 1, 16, RATE, 1000),
        "unknown": ("FLAC", 1.0, None, 1, 16, RATE, 1000),
        "stereo": ("FLAC", 0.5, 0.5, 2, 16, RATE, 500),
    }
    assert rows["wav"]["bit_rate"] == 16 * RATE


@pytest.mark.parametrize(
    ("span", "end", "refused"),
    [
        (part(0.0, 1.5), 1.5, None),
        (part(1.5, None), 2.0, None),
        (part(1.0, 2.04), 2.0, None),  # rounded up: it ends where the file ends
        (part(1.0, 2.06), None, "span 1 s to 2.06 s, the file ends at 2.000 s"),
        (part(500, 2000), None, "span 500 s to 2000 s, the file ends at 2.000 s"),
        (part(2.0, None), None, "span 2 s to 2 s, the file has 0 s to 2.000 s"),
        (part(1.0, 1.00001), None, "span 1 s to 1.00001 s, the file has 0 s to 2.000 s"),
        (part(-1.0, 1.0), None, "span -1 s to 1 s, the file has 0 s to 2.000 s"),
        (part(0, 10, "frame"), None, "a span in 'frame', expected seconds"),
    ],
)
def test_a_span_is_in_its_file_or_refused_in_words(span: Any, end: float | None, refused: str | None) -> None:
    outcome = run_chain([AudioFacts()], batch_of({"a": written(tone(2.0))}, {"a": span}))
    if refused is not None:
        assert reasons(outcome) == {"a": [("audio.facts", "decodable", refused)]}
        return
    row = kept(outcome)["a"]
    assert row["span"] == part(span["start"], end)
    assert (row["file_duration_s"], row["duration_ms"]) == (2.0, round(1000 * ((end or 0) - span["start"])))


def test_lengths_may_differ_by_codec_and_by_as_much_as_is_asked_for() -> None:
    mp3 = written(tone(2.0, rate=44_100), 44_100, "MP3", "MPEG_LAYER_III")
    cut = mp3[: len(mp3) * 9 // 10]  # its header still says 2 s
    assert reasons(run_chain([AudioFacts()], batch_of({"cut": cut})))["cut"][0][2].startswith("truncated: declares 2.0")
    assert kept(run_chain([AudioFacts(tolerance_s=0.5)], batch_of({"cut": cut})))


STEREO = np.stack([tone(1.0), -tone(1.0)], axis=1)


def test_opposite_channels_are_not_silent_and_silence_is_refused_where_that_is_asked_for() -> None:
    files = {
        "same": written(np.stack([tone(1.0)] * 2, axis=1)),
        "opposite": written(STEREO),
        "mono": written(tone(1.0)),
        "silent": written(np.zeros((RATE, 2))),
    }
    outcome = run_chain([AudioMeasure(max_silence_ratio=0.9)], batch_of(files))
    assert reasons(outcome) == {"silent": [("audio.measure", "max_silence_ratio", "1.0")]}
    rows = kept(outcome)
    assert {name: row["silence_ratio"] for name, row in rows.items()} == dict.fromkeys(rows, 0.0)
    assert rows["opposite"]["channel_correlation"] == pytest.approx(-1.0, abs=0.01)
    assert rows["opposite"]["lufs"] == pytest.approx(rows["same"]["lufs"], abs=1e-6)
    levels = [row["rms_dbfs"] for row in rows.values()]
    assert levels == pytest.approx([20 * np.log10(0.3 / np.sqrt(2))] * 3, abs=0.01)
    assert all(len(row["waveform"]) == 60 for row in rows.values())
    assert rows["mono"]["waveform"] == pytest.approx([0.3 / np.sqrt(2)] * 60, rel=0.05)
    assert reasons(run_chain([AudioMeasure(min_lufs=-40)], batch_of(files)))["silent"][0][1] == "min_lufs"


def test_measures_are_those_of_the_span_and_not_of_the_file() -> None:
    loud_then_quiet = np.concatenate([tone(1.0, level=0.5), tone(1.0, level=0.05)])
    file = written(loud_then_quiet)
    rows = kept(run_chain([AudioMeasure()], batch_of({"a": file, "b": file}, {"a": part(0, 1), "b": part(1, 2)})))
    assert rows["a"]["peak_dbfs"] - rows["b"]["peak_dbfs"] == pytest.approx(20.0, abs=0.1)


def spoken(*seconds: float, pause: float = 3.0, rate: int = 16_000) -> tuple[bytes, list[tuple[float, float]]]:
    """Stretches of a buzz with pauses, from one second on."""
    parts, spans, at = [np.zeros(rate)], [], 1.0
    for length in seconds:
        t = np.arange(round(length * rate)) / rate
        buzz = sum(np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 16))
        parts += [0.1 * buzz * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * t)), np.zeros(round(pause * rate))]
        spans.append((at, at + length))
        at += length + pause
    return written(np.concatenate(parts), rate), spans


def test_a_recording_becomes_its_stretches_of_speech_and_one_without_any_is_refused() -> None:
    file, spans = spoken(4.0, 5.0, 1.0)
    batch = batch_of({"talk": file, "silent": written(np.zeros(RATE)), "given": file}, {"given": part(0.5, 6.0)})
    outcome = run_chain([SpeechSegments()], batch)
    rows = outcome.kept.to_pylist()
    heard = [row for row in rows if row["segment_from"] == "vad"]
    assert [(row["span"]["start"], row["span"]["end"]) for row in heard] == [
        (pytest.approx(start, abs=0.06), pytest.approx(end, abs=0.06)) for start, end in spans[:2]
    ]
    assert [(row["segment_index"], row["n_segments"]) for row in heard] == [(0, 3), (1, 3)]
    assert all(row["speech_ratio"] > 0.95 for row in heard)
    (given,) = [row for row in rows if row["segment_from"] == "given"]
    assert (given["span"], given["duration_ms"], given["parent_ids"]) == (part(0.5, 6.0), 5500, ["given"])
    assert all("payload" not in row for row in rows)
    refused = reasons(outcome)
    assert refused["silent"] == [("speech.segments", "no_children", None)]
    assert [of[0][1] for name, of in refused.items() if name != "silent"] == ["min_s"]  # one second is too short


def test_neighbours_are_joined_and_long_stretches_cut_and_given_ones_that_are_too_long_are_refused() -> None:
    file, spans = spoken(4.0, 4.0, pause=1.0)
    (row,) = run_chain([SpeechSegments()], batch_of({"a": file})).kept.to_pylist()
    assert (row["span"]["start"], row["span"]["end"]) == (pytest.approx(1.0, abs=0.06), pytest.approx(10.0, abs=0.06))
    assert row["speech_ratio"] == pytest.approx(8 / 9, abs=0.02)
    parts = run_chain([SpeechSegments(max_s=5)], batch_of({"a": file})).kept.to_pylist()
    assert [row["span"]["start"] for row in parts] == [pytest.approx(start, abs=0.06) for start, _ in spans]
    outcome = run_chain([SpeechSegments(max_s=5)], batch_of({"a": file}, {"a": part(0, 9)}))
    assert [of[0][1] for of in reasons(outcome).values()] == ["max_s"]
    whole = run_chain([SpeechSegments(use=("given",))], batch_of({"a": file})).kept.to_pylist()
    assert [row["span"] for row in whole] == [part(0.0, 11.0)]


def test_a_model_of_the_user_finds_speech_where_there_is_some() -> None:
    pytest.importorskip("onnxruntime")
    from importlib.util import find_spec
    from pathlib import Path

    spec = find_spec("silero_vad")
    if spec is None or spec.origin is None:
        pytest.skip("the model of silero_vad is not there")
    model = Path(spec.origin).parent / "data/silero_vad.onnx"
    rng = np.random.default_rng(1)
    noise = written(0.01 * rng.standard_normal(16_000 * 4), 16_000)
    outcome = run_chain([SpeechSegments(vad_model=str(model), min_s=0)], batch_of({"noise": noise}))
    assert reasons(outcome) == {"noise": [("speech.segments", "no_children", None)]}


def test_segments_have_no_name_of_their_own_and_limits_must_agree() -> None:
    with pytest.raises(ValidationError, match="under another name"):
        SpeechSegments.model_validate({"as": "x"})
    with pytest.raises(ValidationError, match="above max_s"):
        SpeechSegments(min_s=10, max_s=5)


def test_the_rate_of_speech_is_characters_for_each_second_and_null_where_one_is_missing() -> None:
    batch = pa.record_batch(
        {
            "text": pa.array([" hello world ", "x" * 41, "", None, "a", "你好世界"], pa.large_string()),
            "duration_ms": pa.array([1100, 1000, 1000, 1000, 0, 1000], pa.int64()),
        }
    )
    operator = SpeechRate(min_chars_s=1)
    assert operator.apply(batch)["chars_s"].to_pylist() == [pytest.approx(10.0), 41.0, 0.0, None, None, 4.0]
    outcome = run_chain([operator], batch.append_column("record_id", pa.array(list("abcdef"))))
    assert outcome.kept["record_id"].to_pylist() == ["a", "f"]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each decoding had."""
    decoded: list[int] = []
    decode = sounds.decode_sound

    def counting(data: bytes) -> sounds.Sound:
        decoded.append(len(data))
        return decode(data)

    monkeypatch.setattr(sounds, "decode_sound", counting)
    return decoded


def test_a_file_is_decoded_once_for_all_operators_and_all_parts_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = counted(monkeypatch)
    file = written(tone(4.0))
    files: dict[str, bytes | None] = {f"row {number}": file if number == 0 else None for number in range(4)}
    batch = batch_of(files, {name: part(number, number + 1) for number, name in enumerate(files)})
    digest = batch.schema.get_field_index("content_sha256")
    batch = batch.set_column(digest, "content_sha256", pa.array(["same"] * 4))
    rows = run_chain([AudioFacts(), SpeechSegments(min_s=0), AudioMeasure()], batch).kept.to_pylist()
    assert [row["span"]["start"] for row in rows] == [0.0, 1.0, 2.0, 3.0]
    assert decoded == [len(file)]


def test_samples_are_held_up_to_a_bound_and_decoded_again_beyond_it(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = counted(monkeypatch)
    monkeypatch.setattr(sounds, "_HELD_BYTES", 3 * RATE * 4)  # three seconds
    buffers = [pa.py_buffer(written(tone(2.0, hz=200 + 10 * number))) for number in range(3)]
    views = Views(View(buffer, Wants()) for buffer in buffers)
    first = [view.sound().samples.copy() for view in views]
    assert len(decoded) == 3
    again = [view.sound().samples for view in views]
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    assert len(decoded) > 3
    assert all(view.sound().facts.duration_s == 2.0 for view in views)
    held = [view.sound()._samples is not None for view in views]
    assert sum(held) == 1
    del views
    gc.collect()


def test_contents_that_are_the_same_are_read_once_in_a_piece() -> None:
    assert list(_pieces([10, 10, 10, 10], ["a", "a", "b", "a"])) == [(0, 4, [0, 2])]
    assert list(_pieces([10, None, 10], [None, None, None])) == [(0, 3, [0, 1, 2])]
    large = 40 << 20
    assert list(_pieces([large, large, large, large], ["a", "a", "b", "a"])) == [(0, 2, [0]), (2, 3, [0]), (3, 4, [0])]
    assert list(_pieces([], [])) == [(0, 0, [])]
