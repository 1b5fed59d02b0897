"""What ``import winnowry`` gives, and what it costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import winnowry as wn


def test_there_are_at_most_twenty_names_and_each_is_there() -> None:
    assert len(wn.__all__) <= 20
    assert sorted(wn.__all__, key=str.lower) == sorted(wn._HOMES, key=str.lower)
    assert [name for name in wn.__all__ if getattr(wn, name, None) is None] == []
    assert set(wn.__all__) <= set(dir(wn))


def test_editors_know_the_names_that_python_knows() -> None:
    body = ast.parse(Path(wn.__file__).read_text(encoding="utf-8")).body
    block = next(node for node in body if isinstance(node, ast.If))
    known = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            module = f"{node.module}.{alias.name}" if alias.asname == "ops" else node.module
            known[alias.asname] = f"{module}:" + ("" if alias.asname == "ops" else alias.name)

    assert known == {name: f"winnowry.{home}" for name, home in wn._HOMES.items()}


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        wn.nothing  # noqa: B018


def test_the_import_loads_no_other_module_of_winnowry_and_opening_a_lake_nothing_heavy() -> None:
    code = (
        "import sys; import winnowry as wn; print([name for name in sys.modules if name.startswith('winnowry.')]); "
        "wn.open('s3://bucket/lake'); "
        "print([name for name in ('pydantic', 'pyarrow', 'lance', 'boto3', 'dagster') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.split("\n")[:2] == ["[]", "[]"]
