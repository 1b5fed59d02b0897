"""A recipe keeps its hashes: goldens of 0.1.0, which ``source_specs.py`` made before a source format was a class."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.recipe.source_specs import GOLDEN, SOURCES, recipe_spec, source_spec

golden: dict[str, dict[str, Any]] = json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_is_specified_byte_by_byte_as_before(name: str) -> None:
    assert source_spec(SOURCES[name]) == golden["sources"][name]


@pytest.mark.parametrize("name", golden["recipes"])
def test_a_recipe_keeps_its_sources_its_hash_and_those_of_its_stages(name: str) -> None:
    text, expected = golden["recipes"][name]["text"], dict(golden["recipes"][name])
    del expected["text"]
    assert recipe_spec(text) == expected
