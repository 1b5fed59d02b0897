"""The presets that come with the package: they load, and they say what their sources say."""

from __future__ import annotations

from pathlib import Path

import pytest

from winnowry.recipe.load import load_recipe

PRESETS = Path(__file__).resolve().parents[3] / "recipes" / "presets"
NAMES = ("c4", "cci-zh", "cdfgc-zh-finance", "fineweb", "gopher", "massivetext")


def operators(name: str) -> list[str]:
    return [operator.op for operator in load_recipe(PRESETS / f"{name}.yaml").clean]


def limits(name: str, op: str) -> dict[str, object]:
    (operator,) = (operator for operator in load_recipe(PRESETS / f"{name}.yaml").clean if operator.op == op)
    return {rule.name: rule.threshold for rule in operator.rules()}


def test_these_are_the_presets() -> None:
    assert sorted(path.stem for path in PRESETS.glob("*.yaml")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_is_a_valid_recipe(name: str) -> None:
    assert operators(name)


def test_fineweb_filters_in_its_published_order() -> None:
    assert operators("fineweb")[2:7] == [
        "text.language", "text.gopher_repetition", "text.gopher_quality", "text.c4", "text.fineweb",
    ]  # fmt: skip
    assert limits("fineweb", "text.fineweb") == {
        "min_lines": 1, "min_terminal_line_ratio": 0.12, "max_short_line_ratio": 0.67,
        "max_duplicate_line_char_ratio": 0.01, "max_newline_word_ratio": 0.3,
    }  # fmt: skip
    (c4,) = (op for op in load_recipe(PRESETS / "fineweb.yaml").clean if op.op == "text.c4")
    assert c4.model_dump()["drop_unterminated_lines"] is False


def test_the_finance_preset_has_the_relaxed_limits_of_its_release() -> None:
    found = limits("cdfgc-zh-finance", "text.gopher_repetition")
    assert [found[f"max_duplicate_{n}_gram_char_ratio"] for n in range(5, 11)] == [0.25, 0.23, 0.20, 0.19, 0.18, 0.17]
    assert [found[f"max_top_{n}_gram_char_ratio"] for n in (2, 3, 4)] == [0.20, 0.18, 0.16]
    assert {"min_stop_words", "min_alpha_word_ratio", "min_mean_word_chars", "max_mean_word_chars"}.isdisjoint(
        limits("cdfgc-zh-finance", "text.gopher_quality")
    )


def test_the_chinese_preset_keeps_simplified_chinese() -> None:
    assert limits("cci-zh", "text.chinese") == {
        "min_chars": 201, "min_mean_line_chars": 10, "min_han_ratio": 0.3, "max_traditional_ratio": 0.1,
        "min_terminal_line_ratio": 0.12, "max_repeated_gram_ratio": 0.5,
    }  # fmt: skip
