"""The table of judgements beside the others: rewards are made of it; it is kept, merged, verified and erased."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.rollout_lake import CORPUS, lake_of, promote_rollouts
from tests.stand_in_judge import PlainTransport, Request, completion, stand_in
from winnowry.core.tables import JUDGEMENTS
from winnowry.erasure.erase import erase
from winnowry.inspect.maintain import maintain
from winnowry.inspect.verify import verify
from winnowry.judging import Scores, Store, judge_of
from winnowry.judging import judge as ask
from winnowry.lakehouse.workspace import Workspace
from winnowry.operators.rubric.programs import Programs
from winnowry.operators.rubric.reward import Reward
from winnowry.records.rubrics import Rubric, rubric_of

PROMPT = [{"role": "user", "text": "Say hello."}]
OWN = json.dumps([{"criterion_id": "warm", "text": "Is the answer warm?", "weight": 2}])
TEXTS = {"A": "ROLLOUT-01 hello", "B": "ROLLOUT-02 hello there", "C": "ROLLOUT-03 hello"}


def rubric(weight: float = 1, **options: Any) -> Rubric:
    criteria = [
        {"criterion_id": "terse", "program": "words", "params": {"most": 3}},
        {"criterion_id": "kind", "text": "Is the answer kind?", "weight": weight, **options},
    ]
    return rubric_of({"rubric_id": "r", "criteria": criteria}, "here")


def says(request: Request) -> Any:
    labels = {"kind": "yes" if request.rollout != "ROLLOUT-02" else "no", "warm": "yes"}
    if request.rollout == "ROLLOUT-03":
        labels["kind"] = "perhaps"
    return completion(json.dumps({name: labels[name] for name in request.criteria}))


def rewards(ws: Workspace, store: Store, judge: Any, by: Rubric) -> list[float | None]:
    batch = next(iter(ws.lake.open(CORPUS, "cleaned").scan(["record_id", "text", "prompt", "criteria"])))
    programs = Programs(checks=[{"criterion_id": "terse", "program": "words", "params": {"most": 3}}]).apply(batch)
    columns = {
        "programs": programs.column("programs"),
        "judged": Scores(store, judge, by).column(batch),
        "criteria": batch.column("criteria"),
    }
    reward = Reward(rubric=by, judged=("programs", "judged"))
    values: list[float | None] = reward.apply(pa.record_batch(columns)).column("reward").to_pylist()
    return values


def test_rewards_are_made_of_what_is_stored_and_change_without_a_question(tmp_path: Path) -> None:
    ws = Workspace.open(str(tmp_path))
    rows = {name: {"text": text, "prompt": PROMPT, "criteria": None} for name, text in TEXTS.items()}
    rows["B"]["criteria"] = OWN
    promote_rollouts(ws, rows)
    with stand_in(says) as up:
        judge = judge_of({"model": "m", "endpoint": up.url, "first_wait_s": 0})
        ask(ws, CORPUS, judge, rubric(), transport=PlainTransport(up.url))
        asked = up.calls.total()
        store = Store(ws, CORPUS)
        # A: both met. B: four words, unkind, warm: 2 of 4. C: no verdict about kindness, so no reward.
        assert rewards(ws, store, judge, rubric()) == [1.0, 0.5, None]
        assert rewards(ws, store, judge, rubric(weight=5)) == [1.0, 0.25, None]
        assert rewards(ws, store, judge, rubric(veto=True)) == [1.0, 0.0, None]
        again = ask(ws, CORPUS, judge, rubric(weight=5, veto=True), transport=PlainTransport(up.url))
        assert (again.known, up.calls["ROLLOUT-01"] + up.calls["ROLLOUT-02"]) == (3, asked - 3)


def row(key: int, error: str | None, tier: str | None, order: int) -> dict[str, Any]:
    filled = {field.name: 0 for field in JUDGEMENTS if not field.nullable and field.type != pa.string()}
    names = {field.name: "x" for field in JUDGEMENTS if not field.nullable and field.type == pa.string()}
    return {**filled, **names, "cost_estimated": False, "request_key": f"{key:032x}", "error": error, "tier": tier,
            "repeat": order}  # fmt: skip


def test_the_first_verdict_of_a_key_counts_and_else_the_last_error(tmp_path: Path) -> None:
    store = Store(lake_of(tmp_path, 1), CORPUS)
    assert list(store.rows()) == []
    store.append([row(1, "server", None, 0), row(2, "open", None, 0), row(3, None, "a", 0)])
    store.append([row(1, "length", None, 1), row(2, None, "b", 1), row(3, None, "c", 1), row(1, "auth", None, 2)])
    store.append([])
    counting = {int(r["request_key"], 16): (r["tier"], r["error"]) for r in store.rows()}
    assert counting == {1: (None, "auth"), 2: ("b", None), 3: ("a", None)}
    labels = {int.from_bytes(key): label for key, label in store.labels().items()}
    assert labels == counting
    known = store.known()
    assert [known.needs(f"{key:032x}") for key in (1, 2, 3, 4)] == [True, False, False, True]
    assert not known.open


def test_the_table_is_verified_merged_and_erased_as_others_are(tmp_path: Path) -> None:
    ws = lake_of(tmp_path, 3)
    with stand_in(lambda request: completion(request.answer("yes"))) as up:
        judge = judge_of({"model": "m", "endpoint": up.url})
        for weight, name in ((1, "a"), (2, "b")):
            by = rubric_of({"rubric_id": "r", "criteria": [{"criterion_id": name, "text": f"Is it {name} or so?",
                                                           "weight": weight}]}, "here")  # fmt: skip
            ask(ws, CORPUS, judge, by, transport=PlainTransport(up.url))
    store = Store(ws, CORPUS)
    assert verify(ws, [CORPUS]).findings == ()
    maintain(ws, [CORPUS])
    assert len(ws.lake.open(CORPUS, "judgements").layout()) == 1
    assert verify(ws, [CORPUS]).findings == ()
    assert len(list(store.rows())) == 6
    certificate = erase(ws, CORPUS, where="record_id = 'ROLLOUT-02'", dry_run=False)
    assert certificate.proven, certificate
    assert certificate.tables["judgements"] == 2
    assert {r["record_id"] for r in store.rows()} == {"ROLLOUT-01", "ROLLOUT-03"}
    assert verify(ws, [CORPUS]).findings == ()


@pytest.mark.slow
def test_a_killed_run_pays_no_answer_twice_that_it_has_stored(tmp_path: Path) -> None:
    import os
    import signal
    import subprocess
    import sys
    import time

    n = 60
    ws = lake_of(tmp_path, n)
    script = "import sys; from tests.unit.judging.test_store import run_until_killed; run_until_killed(*sys.argv[1:])"

    def slowly(request: Request) -> Any:
        time.sleep(0.2)
        return completion(request.answer("yes"))

    with stand_in(slowly) as up:
        root = Path(__file__).resolve().parents[3]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
        child = subprocess.Popen([sys.executable, "-c", script, str(tmp_path), up.url], cwd=root, env=environment)
        store = Store(ws, CORPUS)
        deadline = time.monotonic() + 120
        while not any(batch.num_rows for batch in store.scan(["request_key"])) and time.monotonic() < deadline:
            time.sleep(0.05)
        child.send_signal(signal.SIGKILL)
        child.wait()
        time.sleep(1)  # what is on its way comes to its end
        stored = len(list(store.rows()))
        paid = up.calls.total()
        assert 0 < stored <= paid < n
        summary = ask(ws, CORPUS, judge_of({"model": "m", "endpoint": up.url}), rubric(),
                      transport=PlainTransport(up.url))  # fmt: skip
        assert (summary.known, summary.calls) == (stored, n - stored)
        assert up.calls.total() == paid + n - stored
        assert ask(ws, CORPUS, judge_of({"model": "m", "endpoint": up.url}), rubric(),
                   transport=PlainTransport(up.url)).calls == 0  # fmt: skip
    assert len(list(store.rows())) == n


def run_until_killed(root: str, url: str) -> None:
    """What the killed process does."""
    judge = judge_of({"model": "m", "endpoint": url, "concurrency": 2})
    ask(Workspace.open(root), CORPUS, judge, rubric(), transport=PlainTransport(url))
