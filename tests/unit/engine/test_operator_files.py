"""Operators that read files give the same rows on a machine that has none of them."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
import pytest

from tests.operator_examples import example_of, fasttext_model
from winnowry.core.errors import ContractError, StorageError
from winnowry.engine.local import LocalEngine, close_pools
from winnowry.engine.operator_files import publish_files
from winnowry.engine.tasks import ChainResult, ChainTask, run_chain_task
from winnowry.lakehouse.view import TableView
from winnowry.operators.base import Operator
from winnowry.storage.objects import ObjectStore
from winnowry.storage.open import open_store

TEXTS = [
    "The weather was fine, and they walked to the old harbour to look at the ships.",
    "This is a damned nuisance, said the captain, and went below to look for his charts.",
    "Solve for x: the sum of the first eleven odd numbers is the square of eleven, prove it now.",
    "Der Dienst gibt eine Ressource zurück, wenn er mit ihrem Namen aufgerufen wird.",
]
URLS = ["https://fine.example/a", "https://bad.example/b", "https://fine.example/c", "https://fine.example/d"]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a word list, a model, URL lists and an evaluation set; the working directory is beside it."""
    folder = tmp_path / "machine" / "files"
    (folder / "adult").mkdir(parents=True)
    (folder / "words.txt").write_text("damned\n")
    (folder / "adult" / "domains").write_text("bad.example\n")
    (folder / "questions.txt").write_text(TEXTS[2] + "\n")
    shutil.copy(fasttext_model(), folder / "model.ftz")
    monkeypatch.chdir(folder.parent)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path / "lake"))


@pytest.fixture
def view(tmp_path: Path) -> TableView:
    table = pa.table({
        "record_id": [str(row) for row in range(len(TEXTS))],
        "text": pa.array(TEXTS, pa.large_string()),
        "meta": pa.array([f'{{"url": "{url}"}}' for url in URLS], pa.large_string()),
    })  # fmt: skip
    uri = str(tmp_path / "rows.lance")
    lance.write_dataset(table, uri)
    return TableView(uri, 1, {}, "rows")


def chain_over(files: Path) -> tuple[Operator, ...]:
    """Operators whose paths are relative, absolute, a folder and a file of a list."""
    return (
        example_of("text.word_lists", lists={"crude": "files/words.txt"}),
        example_of("text.classifier", model=str(files / "model.ftz"), label="en", min_score=0.5),
        example_of("text.url_filter", lists=[{"category": "adult", "path": "./files/adult"}]),
        example_of("text.decontaminate", sets=[{"name": "exam", "path": "files/../files/questions.txt"}]),
    )


def run_elsewhere(task: ChainTask) -> tuple[str, ChainResult]:
    """Run a task with another working directory, as a worker on another machine has."""
    os.chdir("/")
    return str(os.getpid()), run_chain_task(task)


def rows(results: list[ChainResult]) -> tuple[list[Any], list[Any]]:
    kept = [row for result in results if result.kept is not None for row in result.kept.to_pylist()]
    rejected = [row for result in results for batch in result.quarantined for row in batch.to_pylist()]
    return kept, rejected


def test_a_worker_without_the_files_gives_the_same_rows(files: Path, store: ObjectStore, view: TableView) -> None:
    operators = chain_over(files)
    here = rows([run_chain_task(ChainTask(view, ("record_id", "text", "meta"), {}, operators, 0, 4, "cleaned"))])
    assert [row["record_id"] for row in here[0]] == ["0"]
    assert {(row["record_id"], row["operator"]) for row in here[1]} == {
        ("1", "text.url_filter"), ("2", "text.decontaminate"), ("3", "text.classifier"),
    }  # fmt: skip

    published = publish_files(store, operators)
    files.rename(files.with_name("moved away"))
    tasks = [
        ChainTask(view, ("record_id", "text", "meta"), {}, operators, offset, 2, "cleaned", files=published)
        for offset in (0, 2)
    ]
    answers = list(LocalEngine(2).map(run_elsewhere, tasks))
    close_pools()
    assert str(os.getpid()) not in {process for process, _ in answers}
    assert rows([result for _, result in answers]) == here


def test_without_published_files_the_worker_lacks_them(files: Path, view: TableView) -> None:
    operator = example_of("text.decontaminate", sets=[{"name": "exam", "path": str(files / "questions.txt")}])
    task = ChainTask(view, ("record_id", "text"), {}, (operator,), 0, 4, "cleaned")
    files.rename(files.with_name("moved away"))
    with pytest.raises(ContractError, match="no file"):
        run_chain_task(task)


def test_the_operators_are_hashed_as_before(files: Path, store: ObjectStore) -> None:
    operators = chain_over(files)
    before = [operator.fingerprint() for operator in operators]
    published = publish_files(store, operators)
    assert [operator.fingerprint() for operator in published.localised(operators)] == before
    assert [operator.fingerprint() for operator in operators] == before


def test_each_content_is_copied_once(files: Path, store: ObjectStore) -> None:
    published = publish_files(store, chain_over(files))
    assert len(list(store.list("artefacts/*"))) == len(published.contents) == 4
    before = list(store.list("artefacts/*"))
    publish_files(store, (*chain_over(files), *chain_over(files)))
    assert list(store.list("artefacts/*")) == before


def test_operators_without_files_copy_nothing(store: ObjectStore) -> None:
    operators = (example_of("text.length"),)
    published = publish_files(store, operators)
    assert published.localised(operators) == operators
    assert list(store.list("**")) == []


def test_a_changed_file_is_another_artefact_and_older_tasks_read_the_older_one(
    files: Path, store: ObjectStore, view: TableView
) -> None:
    def counts(published: Any, operators: tuple[Operator, ...]) -> list[int]:
        task = ChainTask(view, ("record_id", "text"), {}, operators, 0, 4, "cleaned", files=published)
        kept = run_chain_task(pickle.loads(pickle.dumps(task))).kept
        assert kept is not None
        counted: list[int] = kept.column("listed_n").to_pylist()
        return counted

    before = chain_over(files)[:1]
    old = publish_files(store, before)
    (files / "words.txt").write_text("damned\ncaptain\nships\n")
    after = chain_over(files)[:1]
    new = publish_files(store, after)
    assert counts(old, before) == [0, 1, 0, 0]
    assert counts(new, after) == [1, 2, 0, 0]


def test_an_artefact_that_was_tampered_with_is_refused(files: Path, store: ObjectStore) -> None:
    operators = chain_over(files)[:1]
    published = publish_files(store, operators)
    (sha256,) = published.contents.values()
    store.write(f"artefacts/{sha256}", b"ships\n")
    with pytest.raises(StorageError, match="holds other bytes"):
        published.localised(operators)


def test_a_target_set_that_is_gone_is_left_to_the_operator(files: Path, store: ObjectStore) -> None:
    operator = example_of("score.dsir", target={"path": "files/questions.txt"})
    (files / "questions.txt").unlink()
    published = publish_files(store, [operator])
    assert published.localised([operator]) == (operator,)
