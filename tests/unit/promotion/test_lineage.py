"""Freshness: why a promotion no longer stands for its recipe and inputs."""

from __future__ import annotations

from typing import Any

import pytest

from winnowry.lakehouse.record import PromotionRecord, new_promotion_id
from winnowry.promotion.lineage import data_version, output_version, stale_reasons
from winnowry.recipe.model import Recipe
from winnowry.stages.graph import stage_named

CLEANED = stage_named("cleaned")


def recipe(min_words: int = 5, **gates: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "version": 1,
            "corpus": "c",
            "sources": [{"name": "s", "uri": "x", "partition": {"by": "path", "part": 0}}],
            "clean": [{"op": "text.length", "min_words": min_words}],
            "gates": gates,
        }
    )


def record(inputs: dict[str, str], of: Recipe, **outputs: str) -> PromotionRecord:
    return PromotionRecord(
        id=new_promotion_id(), corpus="c", stage="cleaned", partition="p", main=None, sides=[], replaces=None,
        state="promoted", created_at=0.0, ledger={}, outputs=outputs,
        lineage={"stage_hash": CLEANED.hash(of), "spec": CLEANED.specification(of), "inputs": inputs},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("before", "now", "reasons"),
    [
        ({"raw/p": "1"}, {"raw/p": "1"}, []),
        ({"raw/p": "1"}, {"raw/p": "2"}, ["input changed: raw/p"]),
        ({}, {"raw/p": "1"}, ["new input: raw/p"]),
        ({"raw/p": "1"}, {}, ["input gone: raw/p"]),
        ({"raw/p": "1"}, {"raw/p": None}, ["input changed: raw/p"]),
        ({"a": "1", "b": "1"}, {"b": "2", "c": "1"}, ["new input: c", "input changed: b", "input gone: a"]),
        ({}, {str(n): "1" for n in range(7)}, ["new input: 0, 1, 2, 3, 4 and 2 more"]),
    ],
)
def test_each_difference_of_the_inputs_is_a_reason(
    before: dict[str, str], now: dict[str, str | None], reasons: list[str]
) -> None:
    assert stale_reasons(CLEANED, recipe(), record(before, recipe()), now) == reasons


def test_what_was_never_promoted_says_so_and_nothing_else() -> None:
    assert stale_reasons(CLEANED, recipe(), None, {"raw/p": "1"}) == ["not promoted yet"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (recipe(min_words=6), "recipe changed: text.length: min_words 5 → 6"),
        (recipe(cleaned={"min_kept_fraction": 0.5}), "recipe changed: gate.min_kept_fraction: 0.05 → 0.5"),
    ],
)
def test_a_changed_recipe_is_named_by_what_changed(changed: Recipe, reason: str) -> None:
    assert stale_reasons(CLEANED, changed, record({}, recipe()), {}) == [reason]


def test_a_gate_decides_whether_rows_are_seen_and_not_which_rows_there_are() -> None:
    other = recipe(cleaned={"min_kept_fraction": 0.5})
    assert CLEANED.hash(recipe()) != CLEANED.hash(other)
    assert CLEANED.rows_hash(recipe()) == CLEANED.rows_hash(other)
    assert CLEANED.rows_hash(recipe()) != CLEANED.rows_hash(recipe(min_words=6))


def test_the_data_version_depends_on_specification_and_inputs_in_any_order() -> None:
    version = data_version(CLEANED, recipe(), {"a": "1", "b": "2"})
    assert version == data_version(CLEANED, recipe(), {"b": "2", "a": "1"})
    assert (
        len({version, data_version(CLEANED, recipe(6), {"a": "1", "b": "2"}), data_version(CLEANED, recipe(), {})}) == 3
    )


@pytest.mark.parametrize(("partition", "version"), [("p", "x"), ("q", None), (None, "y")])
def test_an_output_is_versioned_by_partition_or_whole(partition: str | None, version: str | None) -> None:
    assert output_version(record({}, recipe(), p="x", __all__="y"), partition) == version
    assert output_version(None, partition) is None
