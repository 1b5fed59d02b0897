"""Conversations, pairs, RL prompts and chains of thought: from files to releases and exports, by the example."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.walk import open_recipe, run_all
from winnowry.cli.main import main
from winnowry.core.errors import UsageError
from winnowry.lakehouse.workspace import Workspace
from winnowry.releases.export import export

EXAMPLE = Path(__file__).parents[2] / "examples/conversations"

REFUSED = {
    "sft": {
        "unanswered": "chat.structure: last_not_assistant",
        "twice": "chat.structure: same_role_twice",
        "lost-call": "chat.structure: tool_call_unanswered",
    },
    "preference": {
        "p3": "pairs.check: margin_contradicts",
        "p4": "pairs.check: identical",
        "p6": "source.preferences: no_prompt",
    },
    "rl": {
        "sum": "rl.pass_rate: max_pass_rate",
        "never": "rl.pass_rate: min_pass_rate",
        "few": "rl.pass_rate: min_n",
        "open": "rl.verifiable: verifiable",
    },
    "reasoning": {"slip": "cot.steps: correct", "wrong": "cot.final: correct"},
}
RELEASED = {
    "sft": {"tea", "oslo", "bread", "lock", "residue"},
    "preference": {"p1", "p2", "p5"},
    "rl": {"half", "hard"},
    "reasoning": {"clips", "half"},
}


def lake(root: Path, name: str) -> Workspace:
    """A lake in which the recipe of that name has run."""
    shutil.copytree(EXAMPLE / "landing", root / "landing/conversations")
    ws, recipe = open_recipe(root, EXAMPLE / f"{name}.yaml")
    run_all(ws, recipe)
    return ws


def rows(ws: Workspace, corpus: str, table: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = ws.lake.open(corpus, table).to_table().to_pylist()
    return listed


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("name", RELEASED)
def test_each_kind_walks_from_its_file_to_a_release(name: str, tmp_path: Path) -> None:
    ws = lake(tmp_path, name)
    refused = {
        json.loads(row["payload"] or b"{}").get("id") or row["record_id"]: f"{row['operator']}: {row['reason']}"
        for row in rows(ws, name, "quarantine")
        if row["stage"] == "raw"
    }
    ids = {row["record_id"]: json.loads(row["meta"])["id"] for row in rows(ws, name, "raw")}
    refused |= {
        ids[row["record_id"]]: f"{row['operator']}: {row['reason']}"
        for row in rows(ws, name, "quarantine")
        if row["stage"] == "cleaned"
    }
    assert refused == REFUSED[name]
    assert {ids[row["record_id"]] for row in rows(ws, name, "published")} == RELEASED[name]


def test_a_release_is_exported_as_it_came_and_says_what_a_form_loses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ws = lake(tmp_path, "sft")
    arrived = {row["id"]: row for row in map(json.loads, (EXAMPLE / "landing/chats.jsonl").read_text().splitlines())}
    done = export(ws, "sft", "jsonl", str(tmp_path / "messages"), profile="messages")
    assert done.losses == {}
    assert sorted(lines(tmp_path / "messages"), key=str) == sorted((arrived[i] for i in RELEASED["sft"]), key=str)

    root = ["--root", str(tmp_path)]
    out = tmp_path / "sharegpt"
    assert main(["export", "sft", "--format", "jsonl", "--profile", "sharegpt", "--out", str(out), *root]) == 0
    assert "2 ids of calls" in capsys.readouterr().out
    assert json.loads((out / "manifest.json").read_text())["losses"] == {"ids of calls": 2}
    [oslo] = [row for row in lines(out) if row["id"] == "oslo"]
    assert [turn["from"] for turn in oslo["conversations"]] == ["human", "function_call", "observation", "gpt"]
    with pytest.raises(UsageError, match="holds no pairs"):
        export(ws, "sft", "jsonl", str(tmp_path / "pairs"), profile="preference")

    shown = next(row["record_id"] for row in rows(ws, "sft", "published") if row["chat_n_turns"] == 4)
    assert main(["explain", shown, *root]) == 0


def test_pairs_are_exported_for_trainers(tmp_path: Path) -> None:
    ws = lake(tmp_path, "preference")
    arrived = {row["id"]: row for row in map(json.loads, (EXAMPLE / "landing/pairs.jsonl").read_text().splitlines())}
    export(ws, "preference", "jsonl", str(tmp_path / "pairs"), profile="preference")
    assert sorted(lines(tmp_path / "pairs"), key=str) == sorted((arrived[i] for i in RELEASED["preference"]), key=str)


def test_pictures_of_a_conversation_are_looked_for_beside_its_file(tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    (landing / "img").mkdir(parents=True)
    (landing / "img/a.png").write_bytes(b"there")

    def row(name: str, images: Any) -> dict[str, Any]:
        turns = [{"from": "human", "value": "<image>What?"}, {"from": "gpt", "value": "Red."}]
        return {"id": name, "conversations": turns, "images": images}

    listed = [
        row("there", ["img/a.png"]),
        row("text", "img/a.png"),
        row("gone", ["img/b.png"]),
        row("outside", ["../secret"]),
    ]
    (landing / "mm.jsonl").write_text("".join(json.dumps(one) + "\n" for one in listed))
    (tmp_path / "mm.yaml").write_text(
        'version: 1\ncorpus: mm\nsources: [{name: mm, uri: "landing/*.jsonl", format: conversations, '
        "profile: sharegpt, fields: {id: id}, partition: none}]\nclean: [{op: chat.structure}]\n"
        "gates: {cleaned: {min_kept_fraction: 0.3}}\n"
    )
    ws, recipe = open_recipe(tmp_path, tmp_path / "mm.yaml")
    run_all(ws, recipe, to="cleaned")
    assert [(row["reason"], row["value"]) for row in rows(ws, "mm", "quarantine")] == [
        ("media_missing", "image 0: img/b.png"),
        ("media_missing", "image 0: ../secret"),
    ]
