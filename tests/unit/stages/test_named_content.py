"""A manifest may name files below the landing folder of its source, and no other file of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sound_files import pcm, wav
from winnowry.engine.chain import Reason
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.model import Source
from winnowry.stages.large_objects import Content
from winnowry.stages.named_content import NamedContents

SOUND = wav(pcm())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("landing/wavs/a.wav", "landing/wavs/b c.wav", "landing/lists/x.wav", "secret.wav", "landing2/a.wav"):
        path = tmp_path / "lake" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(SOUND)
    (tmp_path / "lake/landing/wavs/out.wav").symlink_to(tmp_path / "lake/secret.wav")
    (tmp_path / "lake/landing/wavs/in.wav").symlink_to(tmp_path / "lake/landing/wavs/a.wav")
    (tmp_path / "lake/landing/folder").symlink_to(tmp_path / "lake/landing2")
    return tmp_path / "lake"


def source_of(**options: object) -> Source:
    fields = {"name": "s", "uri": "landing/**/*.jsonl", "format": "speech_manifest", "partition": {"by": "none"}}
    return Source.model_validate({**fields, **options})


def take(root: Path, path: str, **options: object) -> Content | Reason:
    contents = NamedContents(Workspace.open(str(root)), 1 << 20)
    return contents.take(source_of(**options), "landing/lists/train.jsonl", path)


@pytest.mark.parametrize(
    "path", ["../wavs/a.wav", "x.wav", "./x.wav", "../wavs/b c.wav", "../lists/../wavs/a.wav", "../wavs/in.wav"]
)
def test_a_file_below_the_landing_folder_is_taken(root: Path, path: str) -> None:
    content = take(root, path)
    assert isinstance(content, Content)
    assert content.media_type == "audio/wav"


def test_an_absolute_path_below_it_is_taken_too(root: Path) -> None:
    assert isinstance(take(root, str(root / "landing/wavs/a.wav")), Content)
    copied = take(root, str(root / "landing/wavs/a.wav"), payload="copied")
    assert isinstance(copied, Content)
    assert copied.held_bytes == len(SOUND)


@pytest.mark.parametrize(
    "path",
    [
        "../../secret.wav", "../../landing2/a.wav", "../wavs/out.wav", "../folder/a.wav", "/etc/hostname",
        "../../../etc/hostname", "file:///etc/hostname", "https://example.org/a.wav", "s3://bucket/a.wav", "a\0.wav",
        "..", "/",
    ],
)  # fmt: skip
def test_a_path_that_leads_out_is_refused_before_anything_is_opened(
    root: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("winnowry.storage.local.LocalStore.open", lambda *of, **more: pytest.fail("opened"))
    refused = take(root, path)
    assert isinstance(refused, Reason)
    assert (refused.operator, refused.rule) == ("source.speech_manifest", "outside_landing")


@pytest.mark.parametrize("path", ["../wavs/none.wav", "../wavs", "x.wav/y.wav"])
def test_a_file_that_is_not_there_is_a_reason_and_no_error(root: Path, path: str) -> None:
    refused = take(root, path)
    assert isinstance(refused, Reason)
    assert refused.rule == "missing_file"


def test_a_file_that_several_rows_name_is_read_once_where_it_is_referred_to(root: Path) -> None:
    contents = NamedContents(Workspace.open(str(root)), 1 << 20)
    first = contents.take(source_of(), "landing/lists/train.jsonl", "../wavs/a.wav")
    (root / "landing/wavs/a.wav").unlink()
    assert contents.take(source_of(), "landing/lists/train.jsonl", "../wavs/a.wav") is first


def test_a_copied_file_above_the_limit_is_refused(root: Path) -> None:
    contents = NamedContents(Workspace.open(str(root)), 100)
    refused = contents.take(source_of(payload="copied"), "landing/lists/train.jsonl", "../wavs/a.wav")
    assert isinstance(refused, Reason)
    assert refused.rule == "over_long_record"
