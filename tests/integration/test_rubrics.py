"""The example of rubrics, from rollouts to a release and into a reward function, and what a changed weight costs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.walk import open_recipe, run_all
from winnowry.core.errors import RecipeError
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.model import Recipe
from winnowry.rewards import RubricReward

EXAMPLE = Path(__file__).parents[2] / "examples/rubrics"
COLUMNS = ["record_id", "text", "criteria", "policy_step", "reward", "vetoed_by", "reward_components", "sycophancy"]


@pytest.fixture(scope="module")
def taste(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Workspace, Recipe]:
    """The lake of the example, and a rollout whose criteria name no program."""
    root = tmp_path_factory.mktemp("taste")
    subprocess.run([sys.executable, EXAMPLE / "make_rollouts.py", root], check=True)
    [path] = (root / "landing/rollouts").glob("*0100.jsonl")
    first = json.loads(path.read_text().splitlines()[0])
    wrong = {**first, "criteria": [{"criterion_id": "a", "program": "wordz"}]}
    path.write_text(path.read_text() + json.dumps(wrong) + "\n" + json.dumps({"completion": "x"}) + "\n")
    ws, recipe = open_recipe(root, EXAMPLE / "recipe.yaml")
    run_all(ws, recipe)
    return root, ws, recipe


def test_rewards_of_a_release_are_those_of_its_reward_function(taste: tuple[Path, Workspace, Recipe]) -> None:
    root, ws, _ = taste
    published = ws.lake.open("taste", "published").to_table(columns=COLUMNS)
    assert published.num_rows == 640
    reward = RubricReward.of_release(root, "taste")
    made = reward(completions=published["text"].to_pylist(), criteria=published["criteria"].to_pylist())
    assert made == published["reward"].to_pylist()
    # By hand: weights 3, 1 and 1; the topic is in every answer, so that a reward is (3·wish + 1 + brief) / 5.
    assert set(made) == {(3 * wish + 1 + brief) / 5 for wish in (0, 1) for brief in (0, 1)}
    reasons = ws.lake.open("taste", "quarantine").to_table(columns=["operator", "reason", "value"]).to_pylist()
    assert sorted((row["operator"], row["reason"]) for row in reasons) == [
        ("rubric.programs", "usable_criteria"),
        ("source.rollouts", "missing_field"),
    ]
    assert any("did you mean words" in str(row["value"]) for row in reasons)
    by_step = Counter(published["policy_step"].to_pylist())
    assert by_step == {0: 320, 100: 320}
    assert 0.2 < sum(published["sycophancy"].to_pylist()) / 640 < 0.5  # one opening of three


def test_a_changed_weight_asks_no_program_again(taste: tuple[Path, Workspace, Recipe], tmp_path: Path) -> None:
    root, ws, _ = taste
    before = ws.lake.open("taste", "cleaned").version
    (tmp_path / "recipe.yaml").write_text((EXAMPLE / "recipe.yaml").read_text().replace("saturate: 0", "saturate: 3"))
    ws, recipe = open_recipe(root, tmp_path / "recipe.yaml")
    results = run_all(ws, recipe)
    by_stage = {(result.stage, result.partition): result.status for result in results}
    assert {status for (stage, _), status in by_stage.items() if stage in ("raw", "cleaned")} == {"skipped"}
    assert {status for (stage, _), status in by_stage.items() if stage == "scored"} == {"promoted"}
    assert ws.lake.open("taste", "cleaned").version == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{op: rubric.programs}", "{op: rubric.programs, bank: none.yml}", "none.yml: cannot be read"),
        (
            "{op: rubric.programs}",
            "{op: rubric.programs, checks: [{criterion_id: a, program: wordz}]}",
            "did you mean words",
        ),
        ("saturate: 0", "saturate: 0, rubric: {rubric_id: r, criteria: []}", "at least 1 item"),
    ],
)
def test_a_recipe_with_a_wrong_rubric_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "recipe.yaml").write_text((EXAMPLE / "recipe.yaml").read_text().replace(old, new))
    with pytest.raises(RecipeError, match=message):
        open_recipe(tmp_path, tmp_path / "recipe.yaml")
