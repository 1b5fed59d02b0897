"""A run of another recipe of the same corpus is refused before anything runs, and takes over when it is told to."""

from __future__ import annotations

from pathlib import Path

import pytest

import winnowry as wn
from tests.tiny_project import RECIPE, make_tiny_project
from winnowry.cli.main import main


def test_a_second_recipe_of_a_corpus_needs_take_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_tiny_project(tmp_path)
    root = str(tmp_path / "lake")
    other = tmp_path / "other.yaml"
    other.write_text(RECIPE.replace("landing/mail/", "landing/chat/"), encoding="utf-8")
    (tmp_path / "lake/landing/mail").rename(tmp_path / "lake/landing/chat")
    (tmp_path / "lake/landing/mail").mkdir()
    source = tmp_path / "lake/landing/chat/2026.jsonl"
    (tmp_path / "lake/landing/mail/2026.jsonl").write_bytes(source.read_bytes())
    run = ["--root", root, "--without-dagster", "--jobs", "1", "--to", "landing"]
    assert main(["run", str(tmp_path / "tickets.yaml"), *run]) == 0
    capsys.readouterr()

    assert main(["run", str(other), *run]) == 2
    refusal = capsys.readouterr().err
    assert "OtherRecipeError" in refusal
    assert "landing/mail/*.jsonl → landing/chat/*.jsonl" in refusal
    assert main(["plan", str(other), "--root", root]) == 0
    assert "is made by another recipe" in capsys.readouterr().out.replace("\n", " ")

    assert main(["run", str(other), *run, "--take-over"]) == 0
    assert main(["run", str(tmp_path / "tickets.yaml"), *run]) == 2
    assert wn.Lake(root).workspace.lake.corpora() == ["tickets"]
