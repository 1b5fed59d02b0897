"""Files of the Batch API: results come in any order, in two files, with holes, twice, and of somebody else."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.rollout_lake import CORPUS, lake_of
from tests.stand_in_judge import PlainTransport, Request, completion, stand_in
from winnowry.core.errors import UsageError
from winnowry.judging import judge as ask
from winnowry.judging import judge_of, read_results, write_requests
from winnowry.judging.store import Store
from winnowry.lakehouse.workspace import Workspace
from winnowry.records.rubrics import rubric_of

TIERS = [{"label": "bad", "score": 0}, {"label": "fair", "score": 0.5}, {"label": "good", "score": 1}]
QUALITY = rubric_of(
    {"rubric_id": "r", "criteria": [{"criterion_id": "quality", "text": "How good is the answer?", "tiers": TIERS}]},
    "here",
)
PRICES = {"in": 10, "out": 30}
JUDGE = judge_of({"model": "m", "endpoint": "http://localhost/v1", "usd_per_m": PRICES})
COST = (100 * 10 + 10 * 30) / 1e6


def line(request: dict[str, Any], label: str, finish: str = "stop", status: int = 200) -> dict[str, Any]:
    text = json.dumps({"quality": label})
    body = completion(text[:-3] if finish == "length" else text, finish, (100, 10))[2]
    if status != 200:
        body = {"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}}
    response = {"status_code": status, "request_id": "q", "body": body}
    return {"id": "b", "custom_id": request["custom_id"], "response": response, "error": None}


def write_lines(path: Path, lines: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in lines))
    return path


def played(requests: list[dict[str, Any]], folder: Path) -> list[Path]:
    """By rank of ``custom_id``: absent, expired, 429 in the output, cut, twice alike, twice different, then whole."""
    expired = {"code": "batch_expired", "message": "This request could not be executed before the window expired."}
    errors = [{"id": "e", "custom_id": requests[1]["custom_id"], "response": None, "error": expired}]
    output = [
        line(requests[2], "good", status=429),
        line(requests[3], "good", "length"),
        *[line(requests[4], "good")] * 2,
        line(requests[5], "good"),
        line(requests[5], "bad"),
        *[line(request, "good" if at % 2 else "bad") for at, request in enumerate(requests[6:], start=7)],
        {**line(requests[6], "good"), "custom_id": "somebody-elses-request"},
    ]
    return [write_lines(folder / "error.jsonl", errors), write_lines(folder / "output.jsonl", output[::-1])]


def requests_of(path: Path) -> list[dict[str, Any]]:
    return sorted((json.loads(text) for text in path.read_text().splitlines()), key=lambda item: item["custom_id"])


def by_call(ws: Workspace) -> dict[str, dict[str, Any]]:
    return {row["call_id"]: row for row in Store(ws, CORPUS).rows()}


def test_results_are_told_apart_by_their_id_and_read_once(tmp_path: Path) -> None:
    ws = lake_of(tmp_path / "lake", 12)
    written = write_requests(ws, CORPUS, JUDGE, QUALITY, tmp_path / "requests.jsonl")
    assert (written.open, written.questions) == (12, 12)
    requests = requests_of(tmp_path / "requests.jsonl")
    assert {(r["method"], r["url"]) for r in requests} == {("POST", "/v1/chat/completions")}
    assert len({r["custom_id"] for r in requests}) == 12
    files = played(requests, tmp_path)
    random.Random(3).shuffle(files)

    results = read_results(ws, CORPUS, JUDGE, QUALITY, files)

    rows = [by_call(ws)[request["custom_id"]] for request in requests]
    assert [row["tier"] or f"[{row['error']}]" for row in rows] == [
        "[missing_result]", "[expired]", "[rate_limit]", "[length]", "good", "[conflicting]",
        "good", "bad", "good", "bad", "good", "bad",
    ]  # fmt: skip
    assert [round(row["cost_usd"] / COST) for row in rows] == [0, 0, 0, 1, 2, 2, 1, 1, 1, 1, 1, 1]
    assert rows[3]["raw"] == '{"quality": "goo'
    assert {row["score"] for row in rows} == {None, 0.0, 1.0}
    assert (results.judged, results.missing, results.unknown) == (7, 1, ["somebody-elses-request"])
    assert results.errors == {"expired": 1, "rate_limit": 1, "length": 1, "conflicting": 1}
    n_rows = sum(batch.num_rows for batch in Store(ws, CORPUS).scan())
    again = read_results(ws, CORPUS, JUDGE, QUALITY, files)
    assert (again.judged, again.missing, again.errors.total(), again.unchanged) == (0, 0, 0, 11)
    assert sum(batch.num_rows for batch in Store(ws, CORPUS).scan()) == n_rows
    rest = write_requests(ws, CORPUS, JUDGE, QUALITY, tmp_path / "rest.jsonl")
    assert (rest.known, rest.open) == (7, 5)


def test_what_is_out_is_not_asked_a_second_time(tmp_path: Path) -> None:
    ws = lake_of(tmp_path / "lake", 3)
    write_requests(ws, CORPUS, JUDGE, QUALITY, tmp_path / "a.jsonl")
    assert write_requests(ws, CORPUS, JUDGE, QUALITY, tmp_path / "b.jsonl").open == 3
    assert (tmp_path / "b.jsonl").read_text() == ""
    requests = requests_of(tmp_path / "a.jsonl")
    with stand_in(lambda request: completion(request.answer("bad"))) as up:
        online = JUDGE.model_copy(update={"endpoint": up.url})
        waiting = ask(ws, CORPUS, online, QUALITY, transport=PlainTransport(up.url))
        assert (waiting.open, waiting.calls) == (3, 0)
        part = write_lines(tmp_path / "part.jsonl", [line(requests[0], "good")])
        early = read_results(ws, CORPUS, JUDGE, QUALITY, [part], declare_missing=False)
        assert (early.judged, early.missing) == (1, 2)
        assert ask(ws, CORPUS, online, QUALITY, transport=PlainTransport(up.url)).open == 2
        read_results(ws, CORPUS, JUDGE, QUALITY, [part])
        assert ask(ws, CORPUS, online, QUALITY, transport=PlainTransport(up.url)).calls == 2
    late = write_lines(tmp_path / "late.jsonl", [line(request, "good") for request in requests])
    assert read_results(ws, CORPUS, JUDGE, QUALITY, [late]).judged == 0
    tiers = {row["call_id"]: row["tier"] for row in by_call(ws).values()}
    assert [tiers[request["custom_id"]] for request in requests] == ["good", "bad", "bad"]


def test_results_that_come_late_are_taken_where_nobody_has_asked_again(tmp_path: Path) -> None:
    ws = lake_of(tmp_path / "lake", 2)
    write_requests(ws, CORPUS, JUDGE, QUALITY, tmp_path / "a.jsonl")
    lines = [line(request, "good") for request in requests_of(tmp_path / "a.jsonl")]
    files = [write_lines(tmp_path / "o.jsonl", lines[:1]), write_lines(tmp_path / "late.jsonl", lines[1:])]
    assert read_results(ws, CORPUS, JUDGE, QUALITY, files[:1]).missing == 1
    assert read_results(ws, CORPUS, JUDGE, QUALITY, files[:1]).missing == 0
    late = read_results(ws, CORPUS, JUDGE, QUALITY, files)
    assert (late.judged, late.missing, late.unchanged) == (1, 0, 1)


def test_the_cap_counts_what_is_out_at_its_most(tmp_path: Path) -> None:
    ws = lake_of(tmp_path / "lake", 10)
    capped = judge_of({**JUDGE.model_dump(by_alias=True), "max_usd": 0.1})
    written = write_requests(ws, CORPUS, capped, QUALITY, tmp_path / "a.jsonl")
    assert 0 < written.open < 10
    assert written.open + written.not_asked == 10
    assert written.unsettled_usd <= 0.1
    assert "max_usd 0.1" in written.stopped
    assert write_requests(ws, CORPUS, capped, QUALITY, tmp_path / "b.jsonl").open == written.open
    replies = [line(request, "good") for request in requests_of(tmp_path / "a.jsonl")]
    read_results(ws, CORPUS, capped, QUALITY, [write_lines(tmp_path / "o.jsonl", replies)])
    assert write_requests(ws, CORPUS, capped, QUALITY, tmp_path / "c.jsonl").open > 0


def test_several_criteria_and_orders_find_their_way_back(tmp_path: Path) -> None:
    ws = lake_of(tmp_path / "lake", 2)
    criteria = [{"criterion_id": f"c{n}", "text": f"Is point {n} met?"} for n in range(3)]
    rubric = rubric_of({"rubric_id": "r", "criteria": criteria}, "here")
    judge = judge_of({**JUDGE.model_dump(by_alias=True), "criteria_per_call": 2})
    asked: dict[str, Any] = {"repeats": 2, "orders": ("ba", "ab")}
    write_requests(ws, CORPUS, judge, rubric, tmp_path / "a.jsonl", **asked)
    requests = requests_of(tmp_path / "a.jsonl")
    assert len(requests) == 16
    lines = []
    for request in requests:
        made = Request(request["body"], "", 1, None)
        reply = completion(json.dumps(dict.fromkeys(made.criteria, "yes")))[2]
        lines.append({"custom_id": request["custom_id"], "response": {"status_code": 200, "body": reply}})
    results = read_results(ws, CORPUS, judge, rubric, [write_lines(tmp_path / "o.jsonl", lines)], **asked)
    assert (results.judged, results.missing) == (24, 0)


def test_files_that_are_not_there_or_hold_something_else_are_named(tmp_path: Path) -> None:
    ws = lake_of(tmp_path / "lake", 1)
    write_requests(ws, CORPUS, JUDGE, QUALITY, tmp_path / "a.jsonl")
    with pytest.raises(UsageError, match=r"output\.jsonl: a batch of which every request failed"):
        read_results(ws, CORPUS, JUDGE, QUALITY, [tmp_path / "output.jsonl"])
    with pytest.raises(UsageError, match="any path"):
        read_results(ws, CORPUS, JUDGE, QUALITY, [])
    with pytest.raises(UsageError, match="is there already"):
        write_requests(ws, CORPUS, JUDGE, QUALITY, tmp_path / "a.jsonl")
    with pytest.raises(UsageError, match="cannot be written"):
        write_requests(ws, CORPUS, JUDGE, QUALITY, tmp_path / "no" / "a.jsonl")
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"custom_id": "x"\n\n[]\n{"id": 1}\n"text"\n')
    results = read_results(ws, CORPUS, JUDGE, QUALITY, [broken], declare_missing=False)
    assert [name.rpartition(":")[2] for name in results.unreadable] == ["1", "3", "4", "5"]
    assert results.missing == 1
    odd = [{"custom_id": by_id} for by_id in by_call(ws)]
    odd = [{**odd[0], "response": response} for response in ({"status_code": "x", "body": 7}, "no", None)]
    assert read_results(ws, CORPUS, JUDGE, QUALITY, [write_lines(tmp_path / "odd.jsonl", odd)]).errors == {"server": 1}
