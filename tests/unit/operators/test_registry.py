from __future__ import annotations

import sys
from pathlib import Path

import pytest

import winnowry.operators
from winnowry.operators.registry import modules_below, operators


def test_a_package_of_operators_is_read_without_being_listed_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("toys", "toys/wooden", "toys/kernels", "toys/parsers"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
        (tmp_path / package / "train.py").touch()
    monkeypatch.setattr(winnowry.operators, "__path__", [*winnowry.operators.__path__, str(tmp_path)])
    before = set(sys.modules)
    names = set(modules_below("winnowry.operators"))
    for name in set(sys.modules) - before:
        monkeypatch.delitem(sys.modules, name)
    toys = {name.removeprefix("winnowry.operators.") for name in names if ".toys" in name}
    assert toys == {"toys.train", "toys.wooden.train"}


def test_kernels_and_parsers_are_not_read_at_start() -> None:
    names = set(modules_below("winnowry.operators"))
    assert {"winnowry.operators.text.length", "winnowry.operators.scoring.dsir"} <= names
    assert not [name for name in names if ".kernels" in name or ".parsers" in name]


def test_operators_are_sorted_by_name_and_hold_their_own_name() -> None:
    assert list(operators()) == sorted(operators())
    assert all(cls.model_fields["op"].default == name for name, cls in operators().items())
