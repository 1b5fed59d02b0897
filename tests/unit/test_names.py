"""Names say what a thing is, not where it stands in a sentence."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REFUSED = frozenset({"found", "said", "told", "taken", "given", "kept_ones", "heard"})
"""Participles that name nothing: what was found is matches, rows, a record, a path."""

FILES = sorted(path for top in ("src", "assets", "resources", "expectations") for path in (ROOT / top).rglob("*.py"))


def names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every name that a module gives: variables, parameters, attributes, functions, classes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id if isinstance(node, ast.Name) else node.attr
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_names_are_nouns_of_the_field(path: Path) -> None:
    refused = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for line, name in names(ast.parse(path.read_text(encoding="utf-8")))
        if name.strip("_").lower() in REFUSED
    ]

    assert refused == []


def test_a_refused_name_is_seen_wherever_it_is_given() -> None:
    code = "found = 1\ndef f(told): self._said = 2\nclass Taken: pass\nfor given in []: pass\n"
    given = sorted(name.strip("_").lower() for _, name in names(ast.parse(code)))
    assert [name for name in given if name in REFUSED] == ["found", "given", "said", "taken", "told"]
