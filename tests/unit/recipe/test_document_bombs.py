"""A small file of YAML that stands for a huge one is refused at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from winnowry.core.errors import RecipeError
from winnowry.recipe.document import Document, parse_value

BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, r"written out it has [\d,]+ values; at most 100,000"),
        ("x: &x [*x]\n", "stands for a value that it is a part of"),
        ("corpus: &c {a: *c}\n", "stands for a value that it is a part of"),
        ("owner: " + "[" * 5000 + "]" * 5000 + "\n", "nested too deep"),
        ("x: " + "{a: " * 3000 + "1" + "}" * 3000 + "\n", "nested too deep"),
    ],
    ids=["aliases of aliases", "a list in itself", "a mapping in itself", "deep lists", "deep mappings"],
)
def test_it_is_refused_before_it_is_written_out(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Document(Path("r.yaml"), text)


def test_aliases_that_save_a_few_lines_are_read() -> None:
    data = Document(Path("r.yaml"), "a: &a [1, 2]\nb: *a\nc: {d: *a}\n").data
    assert data == {"a": [1, 2], "b": [1, 2], "c": {"d": [1, 2]}}


def test_a_value_of_the_command_line_is_no_bomb_either() -> None:
    assert parse_value("[en, no]") == ["en", "no"]
    with pytest.raises(ValueError, match="part of"):
        parse_value("&a [*a]")
