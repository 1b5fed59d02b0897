"""``winnowry erase`` from outside, and the same call in Python."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import winnowry as wn
from tests.small_lake import CORPUS, IDS, make_small_lake
from tests.unit.cli.test_commands import check
from winnowry.cli.main import main
from winnowry.core.errors import UsageError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lake")
    make_small_lake(folder)
    return folder


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "own"))


def say(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, " ".join(captured.err.split())


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "takedown.csv"
    path.write_text(f"id,reason\n{IDS['a']},x\nnobody,y\n{IDS['a']},z\n")
    return path


@pytest.mark.parametrize("option", ["--list", "--ids"])
def test_every_name_of_a_list_is_accounted_for(
    root: Path, listed: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = say(capsys, "erase", CORPUS, option, listed, "--root", root)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == f"1 record of {CORPUS} would be erased; nothing was changed. Add --yes to do it."
    assert "  2 names (1 given again): 1 of a record, 1 in no table" in out
    assert "  in no table, kept out when they land: nobody" in out
    assert "  columns that were not read: reason" in out


def test_python_and_the_command_line_give_the_same_answer(
    root: Path, listed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = wn.open(root)
    for options, arguments in (
        (("--list", listed), {"list": listed}),
        (("--where", "n_words > 1"), {"where": "n_words > 1"}),
        (("--uri", "landing/none.jsonl"), {"uri": "landing/none.jsonl"}),
    ):
        code, out, _ = say(capsys, "erase", CORPUS, *options, "--root", root, "--json")
        document = json.loads(out)
        check(document, "erase")
        assert (code, document) == (0, json.loads(json.dumps(lake.erase(CORPUS, **arguments).to_dict())))
    assert lake.erase(CORPUS, IDS["a"]) == lake.erase(CORPUS, [IDS["a"]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id\nx,y\n", "takedown.csv: 1 mistake; nothing was erased line 2: 2 cells, and the header has 1"),
        ("nothing\n", "line 1: no column of 'nothing' names what to erase"),
    ],
)
def test_wrong_lines_are_wrong_usage_on_both_ways(
    root: Path, listed: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    listed.write_text(text)
    code, out, err = say(capsys, "erase", CORPUS, "--list", listed, "--root", root, "--yes")
    assert (code, out) == (2, "")
    assert message in err
    with pytest.raises(UsageError) as error:
        wn.open(root).erase(CORPUS, list=listed, yes=True)
    assert message in " ".join(str(error.value).split())


def test_nothing_named_is_wrong_usage(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = say(capsys, "erase", CORPUS, "--root", root)
    assert code == 2
    assert "say what to erase: --list FILE, --where SQL or --uri URI" in err


def test_what_was_erased_is_said_and_never_which(root: Path, listed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = say(capsys, "erase", CORPUS, "--list", listed, "--root", root, "--yes")
    assert code == 0, out
    shown: dict[str, Any] = {}
    for name, arguments in {
        "release-list": ("release", "list", CORPUS),
        "release-show": ("release", "show", CORPUS, "v1"),
        "explain": ("explain", IDS["a"]),
    }.items():
        code, text, err = say(capsys, *arguments, "--root", root)
        assert (code, err) == (0, ""), name
        shown[name] = " ".join(text.split())
        code, out, _ = say(capsys, *arguments, "--root", root, "--json")
        check(json.loads(out), name)
        assert name == "explain" or IDS["a"] not in text + out
    assert "1 record on 20" in shown["release-list"]
    assert f"{CORPUS}/erasures/" in shown["release-show"]
    assert "erased on 20" in shown["explain"]
    code, _, err = say(capsys, "explain", IDS["a"][:12], "--root", root)
    assert code == 2
    assert "What was erased is known by its whole id only." in err
