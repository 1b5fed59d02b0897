"""A project to start from, and the recipe that is guessed from what lies in the landing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from winnowry.cli.init import write_project
from winnowry.cli.main import main
from winnowry.cli.starter import guess_from, recipe_of
from winnowry.recipe.load import load_recipe
from winnowry.runs.template import template_root

ROWS: list[dict[str, Any]] = [
    {"ticket_id": n, "topic": "disk", "body": f"Disk {n} is full.", "opened_date": f"2026-0{n}-11"} for n in range(1, 4)
]


def lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return bytes(sink.getvalue())


CASES: dict[str, tuple[str, bytes, tuple[str, str, str, str | None, str | None, bool]]] = {
    "usual names": (
        "tickets/a.jsonl", lines(ROWS),
        ("landing/tickets/**/*.jsonl", "jsonl", "body", "ticket_id", "opened_date", False),
    ),
    "compressed, no folder": (
        "a.jsonl.gz", gzip.compress(lines(ROWS)),
        ("landing/*.jsonl.gz", "jsonl", "body", "ticket_id", "opened_date", False),
    ),
    "parquet, deep": (
        "t/2026/01/a.parquet", parquet(ROWS),
        ("landing/t/**/*.parquet", "parquet", "body", "ticket_id", "opened_date", False),
    ),
    "csv": (
        "t/a.CSV", b"id,text,year\n1,one,2026\n2,two,2026\n", ("landing/t/**/*.CSV", "csv", "text", "id", None, False),
    ),
    "ids that repeat, times that are none": (
        "t/a.jsonl", lines([{"id": 1, "text": "a", "date": "soon"}, {"id": 1, "text": "b", "date": "2026-01-01"}]),
        ("landing/t/**/*.jsonl", "jsonl", "text", None, None, False),
    ),
    "ids and times that are missing in a record": (
        "t/a.jsonl", lines([{"id": 1, "text": "a", "date": "2026-01-01"}, {"text": "b"}]),
        ("landing/t/**/*.jsonl", "jsonl", "text", None, None, False),
    ),
    "a name that says nothing: the longest text": (
        "t/a.jsonl", lines([{"a": "short", "b": "much longer than the other"}]),
        ("landing/t/**/*.jsonl", "jsonl", "b", None, None, False),
    ),
    "HTML": (
        "t/a.jsonl", lines([{"url": "u1", "content": "<p>one</p>"}, {"url": "u2", "content": "<div>two</div>"}]),
        ("landing/t/**/*.jsonl", "jsonl", "content", "url", None, True),
    ),
    "an odd field name": (
        "my t/a.jsonl", lines([{"the text": "one"}]),
        ("landing/my t/**/*.jsonl", "jsonl", "the text", None, None, False),
    ),
    "a file of text": ("t/a.txt", b"one\n", ("landing/t/**/*.txt", "text", "text", None, None, False)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_source_is_guessed_from_the_first_file_of_the_landing(tmp_path: Path, case: str) -> None:
    name, content, expected = CASES[case]
    file = tmp_path / "landing" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(content)

    guess = guess_from(tmp_path)

    assert guess is not None
    assert (guess.uri, guess.format, guess.text, guess.id, guess.event_time, guess.html) == expected
    assert (guess.file, guess.n_files) == (f"landing/{name}", 1)
    (tmp_path / "guessed.yaml").write_text(recipe_of("guessed", guess), encoding="utf-8")
    recipe = load_recipe(tmp_path / "guessed.yaml")
    assert (recipe.sources[0].uri, recipe.sources[0].fields.text) == (guess.uri, guess.text)
    assert (recipe.clean[0].op == "text.extract_html") == guess.html


@pytest.mark.parametrize(
    "landing", [{}, {"a.png": b"\x89PNG"}, {"a.jsonl": b""}, {"a.jsonl": b'{"n": 1}\n'}, {".a.txt": b"x"}]
)
def test_nothing_is_guessed_where_no_file_has_records_with_text(tmp_path: Path, landing: dict[str, bytes]) -> None:
    for name, content in landing.items():
        (tmp_path / "landing").mkdir(exist_ok=True)
        (tmp_path / "landing" / name).write_bytes(content)

    assert guess_from(tmp_path) is None
    (tmp_path / "starter.yaml").write_text(recipe_of("starter", None), encoding="utf-8")
    assert load_recipe(tmp_path / "starter.yaml").corpus == "starter"


def test_init_here_says_what_it_guessed_and_its_recipe_can_be_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WINNOWRY_ROOT", raising=False)
    project = tmp_path / "Support"
    (project / "lake" / "landing" / "tickets").mkdir(parents=True)
    for name in ("a", "b"):
        (project / "lake" / "landing" / "tickets" / f"{name}.jsonl").write_bytes(lines(ROWS))
    monkeypatch.chdir(project)

    assert main(["init", "."]) == 0

    printed = capsys.readouterr().out
    assert "text body, id ticket_id, event_time opened_date" in printed
    assert "takes 2 files" in printed
    assert "winnowry plan recipes/support.yaml" in printed
    assert main(["plan", "support"]) == 0


def test_a_full_project_has_copies_of_the_code_location_and_no_file_that_loads_the_packaged_one(tmp_path: Path) -> None:
    written = {path.as_posix() for path in write_project(template_root(), tmp_path / "full", full=True)}

    assert {"assets/definitions.py", "expectations/registry.py", "resources/settings.py", "dagster.yaml"} <= written
    assert "definitions.py" not in written
    assert "assets/definitions.py" in (tmp_path / "full" / "workspace.yaml").read_text()


TURNS = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]
STRUCTURED: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "messages": ({"messages": TURNS}, "conversations", "messages"),
    "sharegpt": ({"conversations": [{"from": "human", "value": "Hi"}]}, "conversations", "sharegpt"),
    "alpaca": ({"instruction": "i", "input": "", "output": "o"}, "conversations", "alpaca"),
    "pairs": ({"prompt": "p", "chosen": "c", "rejected": "r"}, "preferences", None),
    "pairs of turns": ({"chosen": TURNS, "rejected": TURNS}, "preferences", None),
    "rollouts": ({"prompt": "p", "answer": "1", "rollouts": [{"text": "1", "reward": 1}]}, "rl_prompts", None),
    "steps": ({"prompt": "p", "steps": ["1 + 1 = 2"]}, "reasoning", None),
}


@pytest.mark.parametrize("write", [lines, parquet])
@pytest.mark.parametrize("case", STRUCTURED)
def test_records_with_structure_are_told_by_their_fields(
    tmp_path: Path, case: str, write: Callable[[list[dict[str, Any]]], bytes]
) -> None:
    row, format_, profile = STRUCTURED[case]
    (tmp_path / "landing").mkdir()
    name = f"a.{'jsonl' if write is lines else 'parquet'}"
    (tmp_path / "landing" / name).write_bytes(write([{"id": str(number), **row} for number in range(2)]))

    guess = guess_from(tmp_path)

    assert guess is not None
    assert (guess.format, guess.id) == (format_, "id")
    (tmp_path / "guessed.yaml").write_text(recipe_of("guessed", guess), encoding="utf-8")
    recipe = load_recipe(tmp_path / "guessed.yaml")
    assert recipe.sources[0].fields.id == "id"
    assert getattr(recipe.sources[0].options, "profile", None) == profile
