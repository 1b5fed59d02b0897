"""Every row of the table in ``docs/explanation/what-happens-to-data.md`` is what a run does."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from expectations.registry import suites_for
from tests.conftest import REPOSITORY
from winnowry.gates.suite import Suite
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.partitions import partitions_of
from winnowry.promotion.result import GateFailed, StageResult
from winnowry.recipe.model import Recipe
from winnowry.stages.graph import stage_of
from winnowry.stages.run import run_stage, stages_of

PAGE = REPOSITORY / "docs" / "explanation" / "what-happens-to-data.md"
OUTCOMES = {"refused": "fail", "warns": "warn", "goes on": "pass"}


def documented() -> dict[str, tuple[str | None, str, str]]:
    """Rows of the table: reason in quarantine, suite and outcome by what the data is."""
    table: dict[str, tuple[str | None, str, str]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and cells[4] in OUTCOMES:
            reason = re.fullmatch(r"`(.+)`", cells[2])
            table[cells[0]] = (reason[1] if reason else None, cells[3].strip("`"), cells[4])
    return table


def lines(*records: object) -> bytes:
    return b"".join(record if isinstance(record, bytes) else json.dumps(record).encode() + b"\n" for record in records)


def text_of(i: int) -> str:
    return f"Record {i} says {i * 2654435761 % 2**32:x} and a few words more, so that it is long enough."


def good(n: int, year: int = 2024, **fields: Any) -> list[dict[str, Any]]:
    return [{"id": f"{year}-{i}", "at": f"{year}-01-01", "text": text_of(i), **fields} for i in range(n)]


def without(name: str, n: int) -> list[dict[str, Any]]:
    return [{key: value for key, value in record.items() if key != name} for record in good(n, 2023)]


BAD = b'{"id": 1, "text": "no end\n'
HTML = f"<html><body><p>{text_of(1)}</p></body></html>"
NOTHING = "<html><head><title></title></head><body></body></html>"
EXACT = {"clean": [{"op": "dedup.exact"}]}


def alike(n: int) -> bytes:
    return lines(*good(100 - n), *({**record, "text": "the same"} for record in good(n + 1, 2023)))


# What lies in the landing, and what the recipe has beside its source.
CASES: Mapping[str, tuple[dict[str, bytes], dict[str, Any]]] = {
    "truncated: the object ends inside its gzip stream": (
        {"a": lines(*good(300)), "b.gz": gzip.compress(lines(*good(200, 2023)))[:2_000]}, {},
    ),
    "in a container or format that is not read": (
        {"a": lines(*good(300)), "b": b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(range(128, 256))}, {},
    ),
    "a whole object of records that lack a field": ({"a": lines(*good(300)), "b": lines(*without("at", 3))}, {}),
    "an object without a byte": ({"a": lines(*good(9)), "b": b""}, {}),
    "an object with bytes, and no record in it": ({"a": lines(*good(9)), "b": b"\n"}, {}),
    "unreadable: a few lines that are no JSON": ({"a": lines(*good(9), BAD)}, {}),
    "unreadable: more than a tenth of a source's records": ({"a": lines(*good(8), BAD)}, {}),
    "unreadable: half of a source's records": ({"a": lines(*good(1), BAD)}, {}),
    "too long for a record": (
        {"a": lines(*good(9), *good(1, 2023, more="x" * 1_000))}, {"limits": {"max_record_bytes": 1_000}},
    ),
    "without the field that the recipe names: every record of a source": ({"a": lines(*without("text", 4))}, {}),
    "of another type than text: every record of a source": ({"a": lines(*good(4, text=["a", "b"]))}, {}),
    "without a time, where the time decides the partition": ({"a": lines(*good(9), *without("at", 1))}, {}),
    "half refused in the objects of one partition": (
        {"a": lines(*good(90)), "b": lines(*good(3, 2023), *without("at", 3))}, {},
    ),
    "late: a record for a partition that is there already": (
        {"a": lines(*good(9)), "b": lines(*good(9, 2023)), "late": lines({**good(1)[0], "id": "late"})}, {},
    ),
    "empty, or white space, as it arrived": (
        {"a": lines(*good(9), {**good(1)[0], "id": "none", "text": " \n"})},
        {"clean": [{"op": "text.normalize_unicode"}]},
    ),
    "empty once it is cleaned": (
        {"a": lines(*good(9, text=HTML), {**good(1)[0], "id": "none", "text": NOTHING})},
        {"clean": [{"op": "text.extract_html"}]},
    ),
    "refused by a rule, and hardly anything is kept": (
        {"a": lines(*good(9))}, {"clean": [{"op": "text.length", "min_words": 100}]},
    ),
    "a duplicate": ({"a": alike(20)}, EXACT),
    "a duplicate, as more than half of the records are": ({"a": alike(60)}, EXACT),
    "a duplicate, as more than nine in ten records are": ({"a": alike(95)}, EXACT),
}  # fmt: skip


def quality(*asked_for: Any) -> list[Suite]:
    return [suite for suite in suites_for(*asked_for) if suite.name.endswith(".quality")]


def run_to(ws: Workspace, recipe: Recipe, last: str) -> list[StageResult]:
    """Every stage up to one, until a gate refuses; its result comes last."""
    results = []
    stages = stages_of(recipe)
    for stage in stages[: stages.index(last) + 1]:
        for key in partitions_of(ws, recipe) if stage_of(recipe, stage).partitioned else [None]:
            try:
                results.append(run_stage(ws, recipe, stage, key, suites=quality, run_id="test"))
            except GateFailed as refused:
                return [*results, refused.result]
    return results


def test_the_table_has_a_run_for_each_of_its_rows() -> None:
    assert list(documented()) == list(CASES)


@pytest.mark.parametrize("data", CASES)
def test_a_row_of_the_table_is_what_a_run_does(data: str, tmp_path: Path) -> None:
    files, more = CASES[data]
    reason, suite, outcome = documented()[data]
    fields = {"id": "id", "event_time": "at"}
    partition = {"by": "event_time", "every": "year"}
    source = {"name": "s", "uri": "landing/*", "fields": fields, "partition": partition}
    recipe = Recipe.model_validate({"version": 1, "corpus": "c", "sources": [source], **more})
    ws = Workspace.open(str(tmp_path))
    (tmp_path / "landing").mkdir()
    late = files.get("late")
    for name in files.keys() - {"late"}:
        (tmp_path / "landing" / name).write_bytes(files[name])
    stage = suite.partition(".")[0]
    results = run_to(ws, recipe, stage)
    if late is not None:
        assert {(result.partition, result.status) for result in results if result.partition} == {
            ("2023", "promoted"), ("2024", "promoted"),
        }  # fmt: skip
        (tmp_path / "landing" / "late").write_bytes(late)
        results = run_to(ws, recipe, stage)
        assert [(result.partition, result.status) for result in results if result.stage == stage] == [
            ("2023", "skipped"), ("2024", "promoted"),
        ]  # fmt: skip
    counted = [gate.verdict for result in results for gate in result.gates if gate.suite == suite]
    worst = next((verdict for verdict in ("broken", "fail", "warn") if verdict in counted), "pass")
    assert counted
    assert worst == OUTCOMES[outcome]
    assert results[-1].status == ("rejected" if outcome == "refused" else "promoted")
    if reason is not None:
        assert any(reason in result.quarantined_by_reason for result in results)
    if stage == "landing" and outcome == "refused":
        assert partitions_of(ws, recipe) == []
