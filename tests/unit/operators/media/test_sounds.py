"""Sound files are decoded to their end and held against their headers."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from tests.sound_files import DATA_IN_A_LIST, LIST, RATE, flac_with_total, id3, pcm, tone, wav, written
from winnowry.operators.media.flac_frames import count_samples
from winnowry.operators.media.sound_files import behind_id3, flac_header, media_type_of_sound
from winnowry.operators.media.sounds import decode_sound
from winnowry.operators.media.views import DecodeError

pytest.importorskip("soundfile")

PCM = pcm()  # 3,200 samples, 6,400 bytes
ODD = (np.frombuffer(pcm(0.41), "<i2")[:3199].astype(np.int64) // 256 + 128).astype(np.uint8).tobytes()
ODD_PADDED = (
    b"WAVEfmt "
    + struct.pack("<IHHIIHH", 16, 1, 1, RATE, RATE, 1, 8)
    + b"data"
    + struct.pack("<I", 3199)
    + ODD
    + b"\0"
    + LIST
)
WAVS = {
    "good": (wav(PCM), 0.4),
    "ffmpeg to a pipe": (wav(PCM, 0xFFFFFFFF, 0xFFFFFFFF, before=LIST), None),
    "sox to a pipe": (wav(PCM, 0, 0), None),
    "sph2pipe": (wav(PCM, 0x7FFFFFFF - 36, 0x7FFFFFFF), None),
    "stale size of the whole": (wav(PCM, riff=36), 0.4),
    "a chunk behind the samples": (wav(PCM, after=LIST), 0.4),
    "the word data inside a LIST": (wav(PCM, before=DATA_IN_A_LIST), 0.4),
    "zeros behind the samples": (wav(PCM, after=bytes(512)), 0.4),
}


@pytest.mark.parametrize("name", WAVS)
def test_a_wav_whose_sizes_are_wrong_in_a_harmless_way_has_all_its_samples(name: str) -> None:
    data, declared = WAVS[name]
    sound = decode_sound(data)
    assert (len(sound.samples), sound.facts.duration_s, sound.facts.declared_s) == (3200, 0.4, declared)
    assert np.abs(sound.samples[:, 0] * 32768 - np.frombuffer(PCM, "<i2")).max() < 1


def test_the_byte_that_pads_an_odd_chunk_is_no_sample() -> None:
    sound = decode_sound(b"RIFF" + struct.pack("<I", len(ODD_PADDED)) + ODD_PADDED)
    assert (len(sound.samples), sound.facts.bits) == (3199, 8)
    assert abs(float(sound.samples.mean())) < 0.01


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (wav(PCM[:3200], 6400, 6436), r"truncated: declares 0\.400 s, has 0\.200 s"),
        (wav(b"", 6400, 6436), r"truncated: declares 0\.400 s, has 0\.000 s"),
        (wav(b""), "^no samples$"),
        (wav(b"", 0, after=LIST), "^no samples$"),
        (wav(PCM, 3200), "header says less: 3200 bytes behind"),
        (b"RIFF" + struct.pack("<I", 4) + b"WAVE", "no WAV"),
        (wav(PCM)[:30], "no WAV"),
        (b"<html>not found</html>", "no sound of a known format"),
        (b"", "no sound of a known format"),
    ],
)
def test_a_wav_that_is_cut_empty_or_more_than_it_says_is_refused_with_its_own_reason(data: bytes, reason: str) -> None:
    if not data.startswith(b"RIFF"):
        pytest.importorskip("av")
    with pytest.raises(DecodeError, match=reason):
        decode_sound(data)


FADE = np.round(np.sin(2 * np.pi * 220 * np.arange(8000) / RATE) * np.linspace(1, 0, 8000) * 60).astype(np.int16) * 256
FLAC: bytes = written(FADE) if pytest.importorskip("soundfile") else b""


@pytest.mark.parametrize(
    ("data", "declared"),
    [
        (FLAC, 1.0),
        (flac_with_total(FLAC, 0, bytes(16)), None),
        (flac_with_total(FLAC, 0), None),
        (id3() + FLAC, 1.0),
        (flac_with_total(FLAC, 0) + b"TAG" + bytes(125), None),
    ],
)
def test_a_flac_of_unknown_length_is_counted(data: bytes, declared: float | None) -> None:
    sound = decode_sound(data)
    assert (sound.facts.duration_s, sound.facts.declared_s, sound.facts.bits) == (1.0, declared, 16)
    assert np.array_equal(np.round(sound.samples[:, 0] * 32768), FADE)


def flipped(data: bytes, at: int) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 0x10
    return bytes(changed)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (flac_with_total(FLAC, 16_000), r"truncated: declares 2\.000 s, has 1\.000 s"),
        (flac_with_total(FLAC, 4_000), r"header says less: declares 0\.500 s, has 1\.000 s"),
        (FLAC[: len(FLAC) * 6 // 10], "damaged"),
        (flipped(FLAC, -600), "damaged"),
        (flipped(flac_with_total(FLAC, 0, bytes(16)), -600), "damaged"),
        (flipped(FLAC, 30), "damaged"),  # the checksum of the samples itself
    ],
)
def test_a_flac_that_is_cut_damaged_or_longer_than_it_says_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        decode_sound(data)


@pytest.mark.parametrize("n", [1, 4095, 4096, 4097, 70_000])
@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
def test_the_last_frame_says_how_many_samples_a_flac_has(n: int, subtype: str) -> None:
    noise = np.random.default_rng(n).uniform(-0.5, 0.5, (n, 2))
    data = written(noise, 44_100, subtype=subtype)
    header = flac_header(data)
    assert header is not None
    assert (count_samples(data, header.block), header.declared_samples) == (n, n)
    assert len(decode_sound(flac_with_total(data, 0)).samples) == n


@pytest.mark.parametrize("share", [0.1, 0.35, 0.6, 0.95])
@pytest.mark.parametrize(
    ("format", "subtype"),
    [("WAV", "PCM_24"), ("WAV", "ULAW"), ("WAV", "MS_ADPCM"), ("RF64", "FLOAT"), ("AIFF", "PCM_16"), ("FLAC", "PCM_24"),
     ("OGG", "VORBIS"), ("OGG", "OPUS")],
)  # fmt: skip
def test_a_file_that_was_cut_anywhere_does_not_decode_as_a_whole(format: str, subtype: str, share: float) -> None:
    data = written(tone(2, rate=16_000), 16_000, format, subtype)
    assert decode_sound(data).facts.duration_s == pytest.approx(2.0, abs=0.05)
    with pytest.raises(DecodeError):
        decode_sound(data[: round(len(data) * share)])


def test_a_chained_stream_has_the_sound_of_all_its_links_and_one_of_another_rate_is_refused() -> None:
    link = written(tone(1, rate=22_050), 22_050, "OGG", "VORBIS")
    assert decode_sound(link + link).facts.duration_s == pytest.approx(2.0, abs=0.01)
    other = written(tone(1, rate=16_000), 16_000, "OGG", "VORBIS")
    with pytest.raises(DecodeError, match="different rates"):
        decode_sound(link + other)


def test_a_song_with_a_cover_is_a_song_whatever_stands_before_it() -> None:
    mp3 = written(tone(2, rate=16_000), 16_000, "MP3", "MPEG_LAYER_III")
    song = decode_sound(id3(70_000) + mp3)
    assert (song.facts.audio_format, song.facts.rate_hz, song.facts.channels) == ("MP3", 16_000, 1)
    assert song.facts.duration_s == pytest.approx(2.0, abs=0.1)
    assert media_type_of_sound(id3() + FLAC) == "audio/flac"
    assert media_type_of_sound(id3() + mp3) == "audio/mpeg"
    assert behind_id3(id3() + id3() + b"x") == 2 * len(id3())


def film(with_sound: bool) -> bytes:
    """Half a second of film, in a file that says how long its sound is."""
    import io
    from fractions import Fraction

    av = pytest.importorskip("av")
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=10)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        audio = container.add_stream("aac", rate=16_000, layout="mono") if with_sound else None
        for number in range(5):
            picture = np.full((64, 64, 3), 40 * number, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(video.encode())
        if audio is not None:
            for start in range(0, 8_000, 1000):
                frame = av.AudioFrame.from_ndarray(tone(0.5, rate=16_000)[None, start : start + 1000], "fltp", "mono")
                frame.sample_rate, frame.pts, frame.time_base = 16_000, start, Fraction(1, 16_000)
                container.mux(audio.encode(frame))
            container.mux(audio.encode())
    return file.getvalue()


def test_a_film_is_sound_where_it_has_a_stream_of_it() -> None:
    sound = decode_sound(film(with_sound=True))
    assert (sound.facts.audio_format, sound.facts.codec, sound.facts.rate_hz) == ("MP4", "aac", 16_000)
    assert sound.facts.duration_s == pytest.approx(0.5, abs=0.1)
    with pytest.raises(DecodeError, match=r"^no audio stream$"):
        decode_sound(film(with_sound=False))


def test_a_file_that_stands_for_more_samples_than_can_be_held_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(DecodeError, match="more than"):
        decode_sound(flac_with_total(FLAC, (1 << 36) - 1))


def test_spans_are_cut_in_the_rate_of_the_file_and_neighbours_share_no_sample() -> None:
    sound = decode_sound(written(np.arange(32_000) / 32_000, RATE))
    parts = [sound.between(*span) for span in ((0.0, 1.5), (1.5, 3.0), (3.0, None))]
    assert [len(part) for part in parts] == [12_000, 12_000, 8_000]
    assert np.array_equal(np.concatenate(parts), sound.samples)
    third = [sound.between(k / 3, (k + 1) / 3) for k in range(12)]
    assert sum(map(len, third)) == 32_000
    assert len(sound.between(9.0, 10.0)) == 0


def test_samples_that_are_no_numbers_are_refused(tmp_path: Any) -> None:
    with pytest.raises(DecodeError, match="no numbers"):
        decode_sound(written(np.array([0.0, np.nan, 0.5], np.float32), RATE, "WAV", "FLOAT"))
