"""What may run after the stages that a plan names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.small_corpus import write_recipe
from winnowry.recipe.load import load_recipe
from winnowry.stages.cascade import may_follow

ORDER = ("landing", "raw", "cleaned", "duplicates", "fit", "scored", "sampled", "published")
BY_PARTITION = ("raw", "cleaned", "scored")


def entries(*running: str, partitions: int = 3) -> list[tuple[str, bool]]:
    """A plan of the small corpus in which some stages run, in every partition."""
    return [
        (stage, stage in running) for stage in ORDER for _ in range(partitions if stage in BY_PARTITION else 1)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (entries(), {}),
        (
            entries("landing"),  # a changed object; statistics of `fit` are frozen and do not follow
            {"raw": 3, "cleaned": 3, "duplicates": 1, "scored": 3, "sampled": 1, "published": 1},
        ),
        (entries("landing", "raw"), {"cleaned": 3, "duplicates": 1, "scored": 3, "sampled": 1, "published": 1}),
        (entries("cleaned", "duplicates", "scored", "sampled", "published"), {}),
        (entries("published"), {}),
        (entries("fit"), {"scored": 3, "sampled": 1, "published": 1}),
        (
            [("landing", True), *((stage, True) for stage in ("duplicates", "fit", "sampled", "published"))],
            {"raw": None, "cleaned": None, "scored": None},  # a first run knows no partition
        ),
        ([("landing", True), ("raw", True), ("raw", False)], {
            "raw": 1, "cleaned": None, "duplicates": None, "scored": None, "sampled": None, "published": None,
        }),
    ],
)  # fmt: skip
def test_stages_downstream_of_what_runs_may_follow(
    tmp_path: Path, plan: list[tuple[str, bool]], expected: dict[str, int | None]
) -> None:
    recipe = load_recipe(write_recipe(tmp_path))
    assert {following.stage: following.runs for following in may_follow(recipe, plan)} == expected
