"""Manifests of speech: which file a row names, which part of it, and what is refused before any file is opened."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from winnowry.sources.base import ReadLimits, Record, SourceFormat, Unreadable
from winnowry.sources.speech_manifest import SpeechManifest

MANIFEST = SpeechManifest().with_id_field("id")


def read(data: bytes, format: SourceFormat = MANIFEST) -> list[Record | Unreadable]:
    return list(format.read(io.BytesIO(data), "landing/train.jsonl", ReadLimits()))


def jsonl(*rows: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def one(row: dict[str, Any], **options: Any) -> Record | Unreadable:
    (item,) = read(jsonl(row), SpeechManifest(**options).with_id_field("id") if options else MANIFEST)
    return item


def reason(item: Record | Unreadable) -> str:
    assert isinstance(item, Unreadable), item
    return item.reason


@pytest.mark.parametrize(
    ("row", "span"),
    [
        ({"offset": 0.0, "duration": 1.5, "text": "a"}, (0.0, 1.5)),
        ({"offset": 1.5, "duration": 1.5}, (1.5, 3.0)),
        ({"duration": 2, "text": "a"}, (0.0, 2.0)),
        ({"offset": 3, "text": "a"}, (3.0, None)),
        ({"offset": "0.25", "duration": "0.5"}, (0.25, 0.75)),
        ({"offset": None, "duration": None, "text": "what is said"}, (0.0, None)),  # one transcript, one segment
        ({"text": "what is said"}, (0.0, None)),
        ({"offset": None, "duration": None, "text": " "}, None),  # nothing is said of its parts
        ({}, None),
    ],
)
def test_a_row_is_the_part_of_its_file_that_it_says(row: dict[str, Any], span: Any) -> None:
    item = one({"id": "a", "audio_filepath": "wavs/a.flac", **row})
    assert isinstance(item, Record)
    assert (item.content_at, item.span, item.text) == ("wavs/a.flac", span, row.get("text"))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"offset": -0.5, "duration": 1}, "bad_span"),
        ({"offset": 1, "duration": 0}, "bad_span"),
        ({"duration": -3}, "bad_span"),
        ({"offset": "soon"}, "bad_span"),
        ({"offset": True}, "bad_span"),
        ({"offset": [0, 1]}, "bad_span"),
        ({"offset": "nan"}, "bad_span"),
        ({"duration": "inf"}, "bad_span"),
        ({"duration": "1e400"}, "bad_span"),
        ({"audio_filepath": None}, "missing_audio"),
        ({"audio_filepath": ""}, "missing_audio"),
        ({"audio_filepath": ["a.wav", "b.wav"]}, "wrong_type"),
        ({"audio_filepath": "sph2pipe -f wav a.sph |"}, "command"),
        ({"audio_filepath": "| cat /etc/hostname"}, "command"),
        ({"text": ["a"]}, "wrong_type"),
    ],
)
def test_what_is_no_span_or_no_path_is_refused_in_words(row: dict[str, Any], expected: str) -> None:
    item = one({"audio_filepath": "a.wav", **row})
    assert reason(item) == expected
    assert isinstance(item, Unreadable)
    assert item.value


def test_byte_order_mark_carriage_returns_and_blank_lines_change_nothing_and_nan_is_not_json() -> None:
    rows = [json.dumps({"id": f"r{n}", "audio_filepath": f"{n}.wav", "text": "t"}) for n in range(3)]
    data = "\ufeff".encode() + "\r\n".join([rows[0], "", rows[1], rows[2].replace('"t"', "NaN")]).encode() + b"\r\n"
    items = read(data)
    assert [item.position for item in items] == [0, 2, 3]
    assert [item.data["id"] for item in items[:2] if isinstance(item, Record)] == ["r0", "r1"]
    assert reason(items[2]) == "bad_json"


def test_an_id_that_comes_twice_is_refused_the_second_time_and_rows_without_one_are_not_compared() -> None:
    rows = [{"id": "a", "audio_filepath": "1.wav"}, {"id": "a", "audio_filepath": "2.wav"}, {"audio_filepath": "3.wav"}]
    items = read(jsonl(*rows, {"audio_filepath": "4.wav"}))
    assert [type(item).__name__ for item in items] == ["Record", "Unreadable", "Record", "Record"]
    assert reason(items[1]) == "repeated_id"
    assert all(isinstance(item, Record) for item in read(jsonl(*rows), SpeechManifest()))  # the source maps no id


COMMON_VOICE = (
    b"client_id\tpath\tsentence\tage\n"
    b'ab\tclip_1.mp3\t"Quotes are left as they are, she said.\t\n'
    b"\n"
    b"cd\tclip_2.mp3\tOne cell too many\ttwenties\tmore\n"
    b"cd\tclip_3.mp3\tLast line, carriage return\tfifties\r\n"
)


def test_a_table_of_common_voice_is_read_without_quoting_and_cells_are_counted() -> None:
    format = SpeechManifest(audio_folder="clips").with_text_field("sentence").with_id_field("path")
    first, wide, last = read(COMMON_VOICE, format)
    assert isinstance(first, Record)
    text = '"Quotes are left as they are, she said.'
    assert first.data == {"client_id": "ab", "path": "clip_1.mp3", "sentence": text, "age": None}
    assert (first.position, first.content_at, first.span) == (1, "clips/clip_1.mp3", (0.0, None))
    assert reason(wide) == "bad_columns"
    assert isinstance(last, Record)
    assert (last.position, last.data["age"]) == (4, "fifties")


def test_a_cut_of_lhotse_is_the_row_that_says_the_same() -> None:
    cut = {
        "id": "cut-1", "start": 2.0, "duration": 1.5, "channel": 0, "type": "MonoCut",
        "supervisions": [{"id": "s", "start": 0.0, "duration": 1.5, "text": "hello", "speaker": "anna"}],
        "recording": {"id": "r", "sources": [{"type": "file", "channels": [0], "source": "wavs/r.flac"}]},
    }  # fmt: skip
    item = one(cut, offset="offset")
    assert isinstance(item, Record)
    assert (item.content_at, item.span, item.text) == ("wavs/r.flac", (2.0, 3.5), "hello")
    assert (item.data["speaker"], item.data["id"]) == ("anna", "cut-1")
    two = {**cut, "supervisions": cut["supervisions"] * 2}  # type: ignore[operator]
    assert reason(one(two)) == "several_texts"
    piped = {**cut, "recording": {"sources": [{"type": "command", "source": "sph2pipe a.sph"}]}}
    assert reason(one(piped)) == "command"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"fLaC\0\0\0\x22\0\0", "unknown_container"),
        (b"only one column\nwav\n", "no_manifest"),
        (b"path\tsentence\n\xff\xfe.wav\tx\n", "bad_utf8"),
        (b'{"audio_filepath": "a.wav"\n', "truncated_json"),
    ],
)
def test_what_is_no_manifest_is_refused(data: bytes, expected: str) -> None:
    assert reason(read(data)[0]) == expected


def test_a_path_keeps_its_blanks_and_an_absolute_one_has_no_folder_before_it() -> None:
    item = one({"audio_filepath": "b c.flac", "text": "x"}, audio_folder="wavs/")
    assert isinstance(item, Record)
    assert item.content_at == "wavs/b c.flac"
    item = one({"audio_filepath": "/data/a.flac", "text": "x"}, audio_folder="wavs")
    assert isinstance(item, Record)
    assert item.content_at == "/data/a.flac"


KALDI = {
    "wav.scp": b"rec1 wavs/one.wav\nrec2 sph2pipe -f wav two.sph |\nrec3 wavs/three.wav\nalone\n",
    "segments": b"utt1 rec1 0.0 1.5\nutt2 rec1 1.5 3.25\nutt3 rec2 0 1\nutt4 rec9 0 1\nutt5 rec1 2 two\nutt1 rec1 5 6\n"
    b"utt6 rec1\n",
    "text": b"utt1 first part\nutt2\nutt9 said by nobody\n",
    "utt2spk": b"utt1 anna\nutt2 anna\n",
}


def folder(files: dict[str, bytes]) -> list[Record | Unreadable]:
    format = SpeechManifest().with_neighbour(lambda name: io.BytesIO(files[name]) if name in files else None)
    return list(format.read(io.BytesIO(files["wav.scp"]), "landing/data/train/wav.scp", ReadLimits()))


def test_a_data_folder_of_kaldi_is_its_segments_and_every_line_of_it_is_accounted_for() -> None:
    items = folder(KALDI)
    assert [item.position for item in items] == list(range(len(items)))
    records = [item for item in items if isinstance(item, Record)]
    assert [(item.data["id"], item.content_at, item.span, item.text) for item in records] == [
        ("utt1", "wavs/one.wav", (0.0, 1.5), "first part"),
        ("utt2", "wavs/one.wav", (1.5, 3.25), ""),
    ]
    assert [item.data["speaker"] for item in records] == ["anna", "anna"]
    refused = [(item.reason, item.payload.split()[0]) for item in items if isinstance(item, Unreadable)]
    assert refused[:1] == [("bad_line", b"alone")]
    assert sorted(reason for reason, _ in refused) == sorted(
        ["bad_line", "command", "unknown_recording", "bad_span", "repeated_id", "bad_line", "no_segment",
         "unknown_utterance"]
    )  # fmt: skip


def test_recordings_of_kaldi_without_segments_are_whole_and_without_text_nothing_is_said_of_their_parts() -> None:
    items = folder({"wav.scp": b"a wavs/a b.wav\nb /data/b.wav\n", "text": b"a two words\n"})
    assert [(item.content_at, item.span, item.text) for item in items if isinstance(item, Record)] == [
        ("wavs/a b.wav", (0.0, None), "two words"),
        ("/data/b.wav", None, None),
    ]
