"""A comparison on pools where the right answer is known: a good selection wins, a bad one is refused."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from expectations.registry import suites_for
from tests.walk import open_recipe, run_all
from winnowry.core.errors import MissingPartitionsError, UsageError
from winnowry.evidence.comparison.pool import _Beside
from winnowry.promotion.result import GateFailed, StageResult
from winnowry.stages import comparison as comparison_run
from winnowry.stages.plan import plan
from winnowry.stages.run import run_stage

RECIPE = """\
version: 1
corpus: planted
sources:
  - {name: reports, uri: "landing/reports/*.jsonl", fields: {id: id, event_time: date},
     partition: {by: event_time, every: year}}
  - {name: noise, uri: "landing/noise/*.jsonl", fields: {id: id, event_time: date},
     partition: {by: event_time, every: year}}
score:
  - {op: score.token_count}
  - {op: text.characters}
sample: {method: top_k, by: digit_ratio, token_fraction: 0.3, seed: 7}
comparison:
  target: {name: target, uri: "landing/target.jsonl"}
  questions:
    - {name: money, uri: "landing/money.jsonl"}
    - {name: coins, uri: "landing/coins.jsonl", answer: right}
  seeds: 12
  arms: [random, length_matched, full, bits_per_byte, dsir, recipe]
  fractions: [0.3, 1.0]
gates:
  comparison: {better_than: length_matched, on: target}
"""
_SUBJECTS = ["Revenue", "Net income", "Operating profit", "Cash flow", "The dividend"]
_VERBS = ["rose", "fell", "amounted", "increased", "declined"]
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def report(rng: random.Random) -> str:
    """Sentences about money, full of numbers."""
    return " ".join(
        f"{rng.choice(_SUBJECTS)} {rng.choice(_VERBS)} to {rng.randrange(99)} million in {rng.randrange(2000, 2020)}."
        for _ in range(rng.randrange(6, 14))
    )


def noise(rng: random.Random) -> str:
    """Words that are none, and no number."""
    words = ["".join(rng.choices(_LETTERS, k=rng.randrange(3, 8))) for _ in range(rng.randrange(40, 90))]
    return " ".join(words) + "."


def land(root: Path, target: Any = report, n: int = 300) -> None:
    rng = random.Random(1)
    for name, make in (("reports", report), ("noise", noise)):
        folder = root / "landing" / name
        folder.mkdir(parents=True)
        rows = [{"id": f"{name}-{i}", "text": make(rng), "date": f"{2018 + i % 3}-0{1 + i % 9}-01"} for i in range(n)]
        (folder / "part.jsonl").write_text("\n".join(map(json.dumps, rows)))
    texts = [{"text": target(rng)} for _ in range(400)]
    texts += [{"text": f" {texts[place]['text'].upper()}"} for place in range(30)]  # the same words: nothing new
    (root / "landing" / "target.jsonl").write_text("\n".join(map(json.dumps, texts)))
    questions(root, rng)
    (root / "planted.yaml").write_text(RECIPE)


def questions(root: Path, rng: random.Random) -> None:
    """Some that a reader of reports can answer, and some that nobody can."""
    money, coins = [], []
    for number in range(60):
        right = f"{rng.choice(_VERBS)} to {rng.randrange(99)} million in {rng.randrange(2000, 2020)}."
        wrong = "".join(rng.choices(_LETTERS, k=len(right) - 1)) + "."
        choices = [right, wrong] if number % 3 else [wrong, right]
        money.append({"question": rng.choice(_SUBJECTS), "choices": choices, "answer": "A" if number % 3 else "B"})
        coins.append({"question": "Toss.", "choices": ["Heads it is.", "Tails it is."], "right": number % 2})
    for name, rows in (("money", money), ("coins", coins)):
        (root / "landing" / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))


def compared(results: list[StageResult]) -> dict[str, Any]:
    (found,) = [result for result in results if result.stage == "comparison"]
    summary: dict[str, Any] = found.metadata["comparison"]
    return summary


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[StageResult]]:
    root = tmp_path_factory.mktemp("proven")
    land(root)
    return root, run_all(*open_recipe(root, root / "planted.yaml"))


def test_a_good_selection_is_better_than_a_length_matched_one_and_is_published(
    proven: tuple[Path, list[StageResult]],
) -> None:
    _, results = proven
    assert results[-1].stage == "published"
    assert results[-1].status == "promoted"
    summary = compared(results)
    assert summary["controls"]["told_apart"], summary["controls"]["why"]
    assert summary["verdict"].startswith("conclusive")
    assert "better than length_matched on target" in summary["verdict"]
    arms = {arm["arm"]: arm for arm in summary["arms"]}
    on_target = {name: arm["evaluations"]["target"]["mean"] for name, arm in arms.items()}
    assert on_target["recipe"] < on_target["length_matched"] - arms["recipe"]["evaluations"]["target"]["detectable"]
    assert max(on_target, key=lambda name: on_target[name]) == "shuffled_words"
    against = arms["recipe"]["evaluations"]["target"]["against"]
    assert set(against) == {"length_matched", "random"}
    for name, pair in against.items():
        assert pair["difference"] == pytest.approx(on_target[name] - on_target["recipe"])
    assert against["length_matched"]["detectable"] == arms["recipe"]["evaluations"]["target"]["detectable"]
    assert against["random"]["detectable"] != against["length_matched"]["detectable"]
    assert on_target["dsir"] < on_target["random"]
    assert on_target["bits_per_byte"] < on_target["random"]
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    page = Path(next(r for r in results if r.stage == "comparison").metadata["page"])
    assert page.read_text().startswith("<!doctype html>")


def test_questions_tell_arms_apart_only_where_chance_is_beaten(proven: tuple[Path, list[StageResult]]) -> None:
    root, results = proven
    summary = compared(results)
    coins, money = summary["questions"]
    assert (coins["name"], coins["questions"], coins["chance"], coins["beats_chance"]) == ("coins", 60, 0.5, False)
    # The same two texts in every question, each right in half of them: no model is right more or less often.
    assert {arm["mean"] for arm in coins["arms"].values()} == {0.5}
    assert not any("difference" in arm for arm in coins["arms"].values())
    assert money["beats_chance"]
    assert money["arms"]["recipe"]["beats_chance"]
    assert money["arms"]["recipe"]["mean"] > 0.9
    ws, _ = open_recipe(root, root / "planted.yaml")
    rows = ws.lake.open("planted", "comparison").to_table().to_pylist()
    told = [r["accuracy"] for r in rows if (r["experiment"], r["arm"], r["evaluation"]) == ("arms", "recipe", "money")]
    assert money["arms"]["recipe"]["mean"] == pytest.approx(sum(told) / 12)
    page = Path(next(r for r in results if r.stage == "comparison").metadata["page"]).read_text()
    assert page.count("No arm is right more often than chance") == 1


def test_every_arm_has_the_same_budget_and_none_sees_the_hold_out(proven: tuple[Path, list[StageResult]]) -> None:
    root, results = proven
    summary = compared(results)
    for arm in summary["arms"]:
        if arm["arm"] != "full":
            assert abs(arm["tokens"] - summary["budget_tokens"]) < 0.02 * summary["budget_tokens"] + 100, arm["arm"]
    assert summary["pool"]["holdout"].startswith("newest")
    assert summary["pool"]["removed_from_sets"] == {"target": 30}
    assert next(item for item in summary["evaluations"] if item["name"] == "target")["documents"] < 400
    ws, recipe = open_recipe(root, root / "planted.yaml")
    rows = ws.lake.open("planted", "comparison").to_table().to_pylist()
    assert len(rows) == len({row["measurement_id"] for row in rows})
    settings = {(row["experiment"], row["arm"], row["seed"]) for row in rows}
    assert {seed for _, _, seed in settings} == set(range(12))
    assert {row["evaluation"] for row in rows} == {"holdout", "target", "money", "coins"}
    assert {row["evaluation"] for row in rows if row["accuracy"] is not None} == {"money", "coins"}
    assert {experiment for experiment, _, _ in settings} == {"arms", "dose", "attribution"}
    assert plan(ws, recipe).to_run == []


def test_measurements_are_kept_and_a_run_that_was_cut_off_goes_on_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(tmp_path, n=60)
    text = (tmp_path / "planted.yaml").read_text()
    (tmp_path / "planted.yaml").write_text(text.split("gates:")[0])  # what is found is not the question here
    ws, recipe = open_recipe(tmp_path, tmp_path / "planted.yaml")
    run_all(ws, recipe, to="sampled")
    trained: list[str] = []
    train = comparison_run.run_measure_task

    def counted(task: Any) -> Any:
        if len(trained) == 10:
            raise KeyboardInterrupt
        trained.append(task.setting.name)
        return train(task)

    monkeypatch.setattr(comparison_run, "run_measure_task", counted)
    monkeypatch.setattr(comparison_run, "_WORTH_PROCESSES", 1 << 40)
    with pytest.raises(KeyboardInterrupt):
        run_stage(ws, recipe, "comparison", suites=suites_for, run_id="cut")
    first = list(trained)
    trained.clear()
    trained.extend([""] * 11)  # past the cut
    result = run_stage(ws, recipe, "comparison", suites=suites_for, run_id="again")
    second = trained[11:]
    assert result.status == "promoted"
    assert len(first) == 10
    assert not set(first) & set(second)
    assert len(first) + len(second) == result.metadata["comparison"]["measurements"]


def test_a_selection_that_is_bad_for_the_target_is_refused_and_nothing_is_published(tmp_path: Path) -> None:
    land(tmp_path, target=noise)
    ws, recipe = open_recipe(tmp_path, tmp_path / "planted.yaml")
    run_all(ws, recipe, to="sampled")
    with pytest.raises(GateFailed, match=r"comparison\.proof") as refused:
        run_stage(ws, recipe, "comparison", suites=suites_for, run_id="bad")
    assert "worse than length_matched on target" in refused.value.result.metadata["verdict"]
    with pytest.raises(MissingPartitionsError, match="comparison"):
        run_stage(ws, recipe, "published", suites=suites_for, run_id="bad")


def test_a_text_set_without_its_field_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    land(tmp_path, n=20)
    (tmp_path / "landing" / "target.jsonl").write_text('{"body": "x"}\n')
    ws, recipe = open_recipe(tmp_path, tmp_path / "planted.yaml")
    run_all(ws, recipe, to="sampled")
    with pytest.raises(UsageError, match=r"target.jsonl, line 1: no text in field 'text' \(it has body\)"):
        run_stage(ws, recipe, "comparison", suites=suites_for, run_id="no-field")


@pytest.mark.parametrize("different", [1, 3])
def test_a_target_of_repeated_texts_is_told_before_anything_is_trained(tmp_path: Path, different: int) -> None:
    land(tmp_path, n=20)
    rows = [json.dumps({"text": f"text {place % different}"}) for place in range(8)]
    (tmp_path / "landing" / "target.jsonl").write_text("\n".join(rows))
    ws, recipe = open_recipe(tmp_path, tmp_path / "planted.yaml")
    assert recipe.comparison is not None
    with pytest.raises(UsageError, match=f"has 8 documents, {8 - different} of them repeated; expected 4 different"):
        _Beside.read(ws, recipe.comparison, tmp_path)


def test_records_that_the_recipe_repeats_are_trained_on_as_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(tmp_path, n=60)
    mixture = "method: uniform, strata: [source], weights: {reports: 0.9, noise: 0.1}, epochs: {reports: 4}"
    text = (tmp_path / "planted.yaml").read_text().split("gates:")[0]
    text = text.replace("method: top_k, by: digit_ratio, token_fraction: 0.3", f"{mixture}, token_fraction: 0.6")
    (tmp_path / "planted.yaml").write_text(text.replace("fractions: [0.3, 1.0]", "fractions: [0.6, 1.0]"))
    ws, recipe = open_recipe(tmp_path, tmp_path / "planted.yaml")
    run_all(ws, recipe, to="sampled")
    seen: dict[str, list[Counter[int]]] = {}
    train = comparison_run.run_measure_task

    def noted(task: Any) -> Any:
        if task.setting.experiment == "arms":
            seen.setdefault(task.setting.arm, []).append(Counter(task.documents[task.chosen.documents].tolist()))
        return train(task)

    monkeypatch.setattr(comparison_run, "run_measure_task", noted)
    monkeypatch.setattr(comparison_run, "_WORTH_PROCESSES", 1 << 40)
    result = run_stage(ws, recipe, "comparison", suites=suites_for, run_id="mixture")
    arms = {arm["arm"]: arm for arm in result.metadata["comparison"]["arms"]}
    assert all(1 < max(times.values()) <= 4 for times in seen["recipe"])
    assert all(max(times.values()) == 1 for times in seen["random"])
    budget = result.metadata["comparison"]["budget_tokens"]
    assert arms["recipe"]["tokens"] == pytest.approx(budget, abs=0.02 * budget + 100)
