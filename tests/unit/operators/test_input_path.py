"""Paths of files that operators read: a place where they are opened, data of the recipe everywhere else."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.operator_examples import TARGET_TEXTS, WORD_LIST, example_of, fasttext_model
from winnowry.operators.base import Operator
from winnowry.operators.input_path import InputPath, input_paths


def with_files(tmp_path: Path) -> dict[str, tuple[Operator, list[Path]]]:
    """Every operator that reads files, and the files."""
    (tmp_path / "adult").mkdir()
    files = {name: tmp_path / name for name in ("adult/domains", "adult/urls", "gambling.gz", "b.jsonl", "a.txt")}
    for name, path in files.items():
        path.write_bytes(b'{"text": "a b c"}\n' if name.endswith("jsonl") else b"example.org\n")
    return {
        "text.word_lists": (
            example_of("text.word_lists", lists={"crude": str(WORD_LIST), "other": str(files["a.txt"])}),
            [WORD_LIST, files["a.txt"]],
        ),
        "text.classifier": (example_of("text.classifier"), [Path(fasttext_model())]),
        "text.url_filter": (
            example_of("text.url_filter", lists=[{"category": "adult", "path": str(tmp_path / "adult")}]),
            [files["adult/domains"], files["adult/urls"]],
        ),
        "text.decontaminate": (
            example_of("text.decontaminate", sets=[{"name": "s", "path": str(files["b.jsonl"])}]),
            [files["b.jsonl"]],
        ),
        "score.dsir": (
            example_of("score.dsir", target={"path": f"{tmp_path}/*.[tj]*", "fields": ["text"]}),
            [files["a.txt"], files["b.jsonl"]],
        ),
        "score.bits_per_byte": (
            example_of("score.bits_per_byte", target={"path": str(TARGET_TEXTS)}),
            [TARGET_TEXTS],
        ),
    }


@pytest.mark.parametrize(
    "name",
    [
        "text.word_lists",
        "text.classifier",
        "text.url_filter",
        "text.decontaminate",
        "score.dsir",
        "score.bits_per_byte",
    ],
)
def test_every_operator_that_reads_files_declares_them(tmp_path: Path, name: str) -> None:
    operator, expected = with_files(tmp_path)[name]
    assert [file for path in operator.input_paths() for file in path.files()] == expected


def test_an_operator_without_files_has_no_paths_and_is_not_copied() -> None:
    operator = example_of("text.length")
    assert operator.input_paths() == ()
    assert operator.with_input_paths({"x": "y"}) is operator


def test_an_operator_that_reads_elsewhere_is_hashed_printed_and_pickled_as_declared(tmp_path: Path) -> None:
    for operator, _ in with_files(tmp_path).values():
        places = {path.declared: f"/elsewhere{path.absolute()}" for path in operator.input_paths()}
        elsewhere = operator.with_input_paths(places)
        assert [str(path) for path in elsewhere.input_paths()] == list(places.values())
        for same in (elsewhere, pickle.loads(pickle.dumps(elsewhere))):
            assert same.fingerprint() == operator.fingerprint()
            assert same.model_dump_json() == operator.model_dump_json()
            assert same.model_dump_json(exclude_unset=True) == operator.model_dump_json(exclude_unset=True)
            assert [str(path) for path in same.input_paths()] == list(places.values())
        assert [str(path) for path in operator.input_paths()] == list(places), "the first one is as it was"


def test_a_path_that_is_not_moved_stays(tmp_path: Path) -> None:
    operator, _ = with_files(tmp_path)["text.word_lists"]
    moved = operator.with_input_paths({str(WORD_LIST): "/elsewhere/list.txt"})
    assert [str(path) for path in moved.input_paths()] == ["/elsewhere/list.txt", str(tmp_path / "a.txt")]
    again = moved.with_input_paths({str(WORD_LIST): "/third/list.txt"})
    assert str(again.input_paths()[0]) == "/third/list.txt"


def test_a_relative_path_starts_at_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.txt").touch()
    monkeypatch.chdir(tmp_path)
    path = InputPath("./sub/../x.txt")
    assert path.absolute() == os.fspath(tmp_path / "x.txt")
    assert path.files() == [tmp_path / "x.txt"]


def test_an_empty_path_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least 1 character"):
        example_of("text.classifier", model="")


def test_a_path_that_leads_elsewhere_stays_what_was_declared_when_it_is_checked_again(
    tmp_path: Path,
) -> None:
    operator = type(example_of("text.word_lists"))
    copy = tmp_path / "1.txt"
    copy.write_text("word\n")
    path_of_copy = InputPath("lists/crude.txt", str(copy))
    again = operator.model_validate({"op": "text.word_lists", "lists": {"crude": path_of_copy}})
    (path,) = input_paths(again)
    assert (str(path), path.declared) == (str(copy), "lists/crude.txt")
    assert again.model_dump()["lists"]["crude"] == "lists/crude.txt"
