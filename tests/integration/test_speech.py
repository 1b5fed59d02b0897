"""A corpus of speech walks from a manifest to a release of segments: spans, no bytes copied, transcripts, seconds."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.sound_files import RATE, written
from tests.walk import open_recipe, run_all
from winnowry.cli.main import main
from winnowry.core.errors import GateFailedError
from winnowry.inspect.maintain import maintain
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.load import load_recipe

soundfile = pytest.importorskip("soundfile")

RECIPE = """\
version: 1
corpus: speech
sources:
  - name: read
    uri: "landing/*.jsonl"
    format: speech_manifest
    audio: audio_filepath
    fields: {text: text, id: id, carry: [id, speaker]}
    partition: none
clean:
  - {op: audio.facts, tolerance_s: 0.05}
  - {op: speech.segments, min_s: 0}
  - {op: audio.measure}
  - {op: text.length, min_words: 1}
  - {op: dedup.content}
sample: {method: uniform, budget: {seconds: 5}, seed: 1, strata: [speaker]}
"""
TAGGED = "well [noise] <unk> I (uh) think {laugh} so"
A, B = "wavs/a.flac", "wavs/b c.flac"
ROWS: list[dict[str, Any]] = [
    {"id": "ok1", "audio_filepath": A, "offset": 0.0, "duration": 1.5, "text": "first part of a", "speaker": "anna"},
    {"id": "ok2", "audio_filepath": A, "offset": 1.5, "duration": 1.5, "text": "second part of a", "speaker": "anna"},
    {"id": "whole", "audio_filepath": B, "offset": None, "duration": None, "text": "whole file", "speaker": "bert"},
    {"id": "jitter", "audio_filepath": A, "offset": 3.0, "duration": 1.02, "text": "20 ms beyond the end"},
    {"id": "beyond", "audio_filepath": A, "offset": 3.5, "duration": 2.0, "text": "1.5 s beyond the end"},
    {"id": "outside", "audio_filepath": A, "offset": 9.0, "duration": 1.0, "text": "starts after the end"},
    {"id": "millis", "audio_filepath": A, "offset": 500, "duration": 1500, "text": "milliseconds"},
    {"id": "negative", "audio_filepath": A, "offset": -0.5, "duration": 1.0, "text": "negative offset"},
    {"id": "zero", "audio_filepath": A, "offset": 1.0, "duration": 0, "text": "no length"},
    {"id": "gone", "audio_filepath": "wavs/missing.flac", "duration": 1.0, "text": "file is not there"},
    {"id": "abs", "audio_filepath": "/data/corpus/wavs/a.flac", "duration": 1.0, "text": "path of another machine"},
    {"id": "climb", "audio_filepath": "../../../../etc/hostname", "duration": 1.0, "text": "path climbs out"},
    {"id": "linked", "audio_filepath": "wavs/linked.flac", "duration": 1.0, "text": "link leads out"},
    {"id": "ok1", "audio_filepath": B, "offset": 0.0, "duration": 1.0, "text": "id used twice"},
    {"id": "tags", "audio_filepath": B, "offset": 1.0, "duration": 1.0, "text": TAGGED},
    {"id": "empty", "audio_filepath": B, "offset": 0.5, "duration": 0.5, "text": ""},
]  # fmt: skip
KEPT = {"ok1": (0.0, 1.5), "ok2": (1.5, 3.0), "whole": (0.0, 2.0), "jitter": (3.0, 4.0), "tags": (1.0, 2.0)}
REFUSED = {
    "beyond": ("audio.facts", "decodable"), "outside": ("audio.facts", "decodable"),
    "millis": ("audio.facts", "decodable"), "negative": ("source.speech_manifest", "bad_span"),
    "zero": ("source.speech_manifest", "bad_span"), "gone": ("source.speech_manifest", "missing_file"),
    "abs": ("source.speech_manifest", "outside_landing"), "climb": ("source.speech_manifest", "outside_landing"),
    "linked": ("source.speech_manifest", "outside_landing"), "ok1": ("source.speech_manifest", "repeated_id"),
    "empty": ("text.length", "min_words"), "nan": ("source.speech_manifest", "bad_json"),
}  # fmt: skip


def voice(seconds: float, hz: float) -> Any:
    t = np.arange(round(seconds * RATE)) / RATE
    return (np.sin(2 * np.pi * hz * t) * (1 + 0.5 * np.sin(7 * t)) * 40).astype(np.int16) * 256


def manifest(rows: list[dict[str, Any]]) -> bytes:
    """With a byte-order mark, carriage returns, a blank line and a value that is not JSON."""
    lines = [json.dumps(row) for row in rows]
    lines.insert(5, "")
    lines.append('{"id": "nan", "audio_filepath": "wavs/a.flac", "offset": 0, "duration": NaN, "text": "not a number"}')
    return "\ufeff".encode() + "\r\n".join(lines).encode() + b"\r\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("speech")
    (root / "landing/wavs").mkdir(parents=True)
    (root / "landing" / A).write_bytes(written(voice(4, 300)))
    (root / "landing" / B).write_bytes(written(voice(2, 500)))
    (root / "elsewhere.flac").write_bytes(written(voice(1, 400)))
    (root / "landing/wavs/linked.flac").symlink_to(root / "elsewhere.flac")
    (root / "landing/train.jsonl").write_bytes(manifest(ROWS))
    (root / "speech.yaml").write_text(RECIPE)
    ws, recipe = open_recipe(root, root / "speech.yaml")
    assert {result.status for result in run_all(ws, recipe)} == {"promoted"}
    return root


@pytest.fixture
def lake(made: Path) -> Workspace:
    return open_recipe(made, made / "speech.yaml")[0]


def names_of(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in rows}


def test_rows_that_are_right_are_kept_with_their_spans_and_each_other_one_is_quarantined_with_its_reason(
    lake: Workspace,
) -> None:
    rows = names_of(lake.lake.open("speech", "cleaned").to_table().to_pylist())
    assert {name: (row["span"]["start"], row["span"]["end"]) for name, row in rows.items()} == KEPT
    texts = {row["id"]: row["text"] for row in ROWS if row["id"] in KEPT and row["text"] != "id used twice"}
    assert {name: row["text"] for name, row in rows.items()} == texts
    assert {name: row["duration_ms"] for name, row in rows.items()} == {
        name: round(1000 * (end - start)) for name, (start, end) in KEPT.items()
    }
    assert {name: row["file_duration_s"] for name, row in rows.items()} == dict.fromkeys(KEPT, 4.0) | {
        "whole": 2.0,
        "tags": 2.0,
    }
    positions = [*range(5), *range(6, len(ROWS) + 2)]  # line 6 is blank
    names = dict(zip(positions, [*(row["id"] for row in ROWS), "nan"], strict=True))
    quarantine = lake.lake.open("speech", "quarantine").to_table().to_pylist()
    assert {names[row["position"]]: (row["operator"], row["reason"]) for row in quarantine} == REFUSED
    assert len(quarantine) + len(rows) == len(ROWS) + 1
    assert "hostname" not in json.dumps([row["columns"] for row in quarantine])
    assert lake.lake.open("speech", "duplicates").count_rows() == 0  # parts of one file are no duplicates


def test_neighbours_share_no_sample_and_segments_have_no_bytes_of_their_own(lake: Workspace) -> None:
    for table in ("cleaned", "published"):
        assert "payload" not in lake.lake.open("speech", table).schema.names
    published = lake.lake.open("speech", "published").to_table().to_pylist()
    total = sum(row["duration_ms"] for row in lake.lake.open("speech", "scored").to_table().to_pylist())
    assert total == 7000
    assert 5000 - 2000 < sum(row["duration_ms"] for row in published) <= 5000
    raw = {row["record_id"] for row in lake.lake.open("speech", "raw").to_table(columns=["record_id"]).to_pylist()}
    assert all(row["parent_ids"][0] in raw and row["record_id"] not in raw for row in published)
    assert {row["stratum"] for row in published} <= {"anna", "bert", "null", "None", ""}


def test_a_release_keeps_the_files_that_its_segments_are_cut_out_of(made: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(made, root, symlinks=True)
    ws, recipe = open_recipe(root, root / "speech.yaml")
    pinned = ws.lake.tags("speech", "raw")["v1"]
    (root / "landing/train.jsonl").write_bytes(manifest([row for row in ROWS if row["id"] != "ok1"]))
    assert "promoted" in {result.status for result in run_all(ws, recipe)}
    assert ws.lake.open("speech", "raw").version > pinned
    maintain(ws, ["speech"], keep_days=1)
    assert ws.lake.open("speech", "raw", "v1").version == pinned
    assert main(["export", "speech", "--tag", "v1", "--format", "webdataset", "--out", str(tmp_path / "out"),
                 "--root", str(root)]) == 0  # fmt: skip


def test_an_export_cuts_segments_out_sample_by_sample(made: Path, lake: Workspace, tmp_path: Path) -> None:
    assert (
        main(["export", "speech", "--format", "webdataset", "--out", str(tmp_path / "out"), "--root", str(made)]) == 0
    )
    published = {row["record_id"]: row for row in lake.lake.open("speech", "published").to_table().to_pylist()}
    files: dict[str, bytes] = {}
    for shard in (tmp_path / "out").glob("*.tar"):
        with tarfile.open(shard) as archive:
            for member in archive.getmembers():
                file = archive.extractfile(member)
                assert file is not None
                files[member.name] = file.read()
    assert {Path(name).stem for name in files} == {*published}
    for record_id, row in published.items():
        source = A if row["file_duration_s"] == 4.0 else B
        samples, rate = soundfile.read(made / "landing" / source, dtype="int16")
        start, end = (round(row["span"][side] * rate) for side in ("start", "end"))
        cut, rate_of_cut = soundfile.read(io.BytesIO(files[f"{record_id}.flac"]), dtype="int16")
        assert rate_of_cut == rate
        assert np.array_equal(cut, samples[start:end])
        assert files[f"{record_id}.txt"].decode() == row["text"]


def test_explain_leads_from_a_segment_to_its_row_of_the_manifest(
    made: Path, lake: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    row = lake.lake.open("speech", "published").to_table().to_pylist()[0]
    assert main(["explain", row["record_id"], "--root", str(made)]) == 0
    printed = capsys.readouterr().out
    assert "landing/train.jsonl" in printed
    assert row["parent_ids"][0] in printed
    assert "span" in printed


def test_a_file_that_has_changed_under_the_lake_is_no_part_of_an_export(made: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(made, root, symlinks=True)
    (root / "speech.yaml").write_text(RECIPE.replace("speech_manifest\n", "speech_manifest\n    payload: copied\n"))
    ws, recipe = open_recipe(root, root / "speech.yaml")
    assert "promoted" in {result.status for result in run_all(ws, recipe)}
    for name in (A, B):
        (root / "landing" / name).write_bytes(written(voice(4, 700)))
    arguments = ["export", "speech", "--format", "webdataset", "--root"]
    assert main([*arguments, str(root), "--out", str(tmp_path / "copied")]) == 0  # the lake has the bytes
    (root / "speech.yaml").write_text(RECIPE)
    ws, recipe = open_recipe(root, root / "speech.yaml")
    run_all(ws, recipe)
    for name in (A, B):
        (root / "landing" / name).write_bytes(written(voice(4, 300)))
    assert main([*arguments, str(root), "--out", str(tmp_path / "referenced")]) != 0
    assert not list((tmp_path / "referenced").glob("*.tar"))


def test_a_speaker_in_two_splits_keeps_the_selection_from_being_promoted(made: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(made, root, symlinks=True)
    apart = RECIPE.replace("budget: {seconds: 5}", "fraction: 1.0").replace(
        "speaker]}\n    p", "speaker, split]}\n    p"
    )
    (root / "speech.yaml").write_text(apart + "gates: {sampled: {disjoint: [speaker, split]}}\n")
    splits = {"ok1": "train", "ok2": "dev", "whole": "dev"}
    (root / "landing/train.jsonl").write_bytes(manifest([{**row, "split": splits.get(row["id"])} for row in ROWS]))
    ws, recipe = open_recipe(root, root / "speech.yaml")
    with pytest.raises(GateFailedError, match="speaker in several of split: anna in dev, train"):
        run_all(ws, recipe)
    rows = [{**row, "split": "dev" if row["id"] in splits else None} for row in ROWS]
    (root / "landing/train.jsonl").write_bytes(manifest(rows))
    assert {"promoted"} <= {result.status for result in run_all(*open_recipe(root, root / "speech.yaml"))}


def test_a_budget_of_speech_is_in_seconds(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(RECIPE.replace("seconds: 5", "tokens: 5"))
    with pytest.raises(Exception, match="seconds"):
        load_recipe(tmp_path / "r.yaml")
