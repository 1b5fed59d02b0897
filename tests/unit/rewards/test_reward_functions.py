"""Reward functions as trainers call them: the same numbers as the operators, and an answer to every wrong call."""

from __future__ import annotations

import json
import pickle
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from winnowry.core.errors import UsageError
from winnowry.rewards import RubricReward, compute_score, serve
from winnowry.rewards.verl import RUBRIC

RUBRIC_FILE = """\
rubric_id: manners
criteria:
  - {criterion_id: terse, program: words, params: {most: 3}, weight: 3}
  - {criterion_id: plain, program: "punctuation:no_comma", veto: true}
"""
OWN = [{"criterion_id": "ends", "program": "startend:end_checker", "params": {"end_phrase": "please"}, "weight": 4}]
ANSWERS = ["Come in please", "Come in", "Come right in now please", "Come, please"]
REWARDS = [1.0, 0.5, 0.625, 0.0]  # of 8: 3 + 1 + 4, 3 + 1, 1 + 4, vetoed


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    (tmp_path / "bank.yaml").write_text(RUBRIC_FILE)
    return tmp_path / "bank.yaml"


@pytest.mark.parametrize("form", [list, json.dumps])
def test_trl_gets_a_reward_for_each_answer_and_what_vetoed(bank: Path, form: Any) -> None:
    reward = pickle.loads(pickle.dumps(RubricReward(bank)))
    extra: dict[str, list[Any]] = {}
    metric: dict[str, float] = {}
    turns = [[{"role": "assistant", "content": answer}] for answer in ANSWERS]
    for completions in (ANSWERS, turns):
        made = reward(
            ["Hi"] * 4, completions, [[1]] * 4, criteria=[form(OWN)] * 4, trainer_state=None,
            log_extra=extra.__setitem__, log_metric=metric.__setitem__,
        )  # fmt: skip
        assert made == REWARDS
    assert extra == {"rubric_reward/vetoed_by": ["", "", "", "plain"]}
    assert metric == {"rubric_reward/veto_rate": 0.25}
    assert reward.__name__ == "rubric_reward"


def test_what_was_not_judged_has_no_reward() -> None:
    assert RubricReward()(completions=["a", "b"], criteria=[None, OWN]) == [None, 0.0]
    assert RubricReward()(completions=[]) == []


def test_its_hash_is_of_what_decides_rewards(bank: Path) -> None:
    first = RubricReward(bank)
    copied = bank.with_name("copy.yaml")
    copied.write_text(bank.read_text())
    assert RubricReward(copied, name="other").hash == first.hash
    assert RubricReward(bank, saturate=1).hash != first.hash
    bank.write_text(bank.read_text().replace("weight: 3", "weight: 2"))
    assert RubricReward(bank).hash != first.hash
    assert first(completions=["Come in"]) == [1.0]


def test_verl_gets_a_score_and_an_error_where_there_is_none(bank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RUBRIC, str(bank))
    made = [compute_score("d", answer, None, {"criteria": OWN})["score"] for answer in ANSWERS]
    assert made == REWARDS
    assert compute_score("d", "Come, please", "x")["vetoed_by"] == "plain"
    monkeypatch.delenv(RUBRIC)
    with pytest.raises(UsageError, match="no reward: no criterion"):
        compute_score("d", "Come in", None)
    with pytest.raises(UsageError, match="did you mean words"):
        compute_score("d", "Come in", None, {"criteria": [{"criterion_id": "a", "program": "wordz"}]})


@pytest.fixture
def server(bank: Path) -> Iterator[str]:
    server = serve(RubricReward(bank))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    host, port = server.server_address[:2]
    assert host == "127.0.0.1"
    yield f"http://127.0.0.1:{port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def post(url: str, body: bytes) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, method="POST"), timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_openrlhf_is_answered_about_what_follows_the_prompt(server: str) -> None:
    asked = {
        "query": ["Ask: " + answer for answer in ANSWERS],
        "prompts": ["Ask: "] * 4,
        "labels": [json.dumps(OWN)] * 4,
    }
    status, answer = post(server, json.dumps(asked).encode())
    assert (status, answer["rewards"], answer["scores"]) == (200, REWARDS, REWARDS)
    assert answer["extra_logs"] == {"vetoed": [0.0, 0.0, 0.0, 1.0]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[1", "Expecting"),
        (b"[]", "expected an object with `query`"),
        (b'{"query": ["a"], "labels": []}', "`labels`: expected a list of 1"),
        (b'{"query": ["a"], "labels": ["{"]}', "1 of 1 answers have no reward, the first is 0: criteria are no JSON"),
    ],
)
def test_a_request_that_cannot_be_answered_is_told_why(server: str, body: bytes, message: str) -> None:
    status, answer = post(server, body)
    assert status == 400
    assert message in answer["error"]


@pytest.mark.parametrize(
    ("old", "new", "options", "message"),
    [
        ("program: words, params: {most: 3}", "text: Is it a kind answer?", {}, "criteria that a judge decides: terse"),
        ("program: words", "program: wordz", {}, "did you mean words"),
        ("weight: 3", "weight: -3", {}, "weight"),
        ("", "", {"saturate": -1}, "greater than or equal to 0"),
        ("", "", {"saturation": 1}, "Extra inputs"),
    ],
)
def test_a_rubric_that_no_program_can_answer_is_refused(
    bank: Path, old: str, new: str, options: dict[str, Any], message: str
) -> None:
    bank.write_text(bank.read_text().replace(old, new, 1))
    with pytest.raises(UsageError, match=message):
        RubricReward(bank, **options)
