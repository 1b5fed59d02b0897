"""The VALID² card of planted corpora: each fails its own letter and no other, and what is not measured says so."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import duckdb
import lance
import pytest

from expectations.registry import suites_for
from tests.small_corpus import sentence
from tests.walk import open_recipe, run_all
from winnowry.cli.main import main
from winnowry.gates.suite import Suite
from winnowry.promotion.result import GateFailed
from winnowry.recipe.valid2 import LETTERS
from winnowry.releases.facts.facts import release_facts
from winnowry.releases.releases import releases
from winnowry.stages.run import run_stage

RECIPE = """\
version: 1
corpus: planted
sources:
  - {name: news, uri: "landing/news/*.jsonl", license: CC0-1.0, fields: FIELDS, partition: PART}
  - {name: forum, uri: "landing/forum/*.jsonl", license: CC0-1.0, fields: FIELDS, partition: PART}
  - {name: books, uri: "landing/books/*.jsonl", license: CC0-1.0, fields: FIELDS, partition: PART}
score:
  - {op: score.token_count}
sample: {method: uniform, token_fraction: 1.0, seed: 7}
gates: {published: {valid2: {as_of: 2026-06-30}}}
""".replace("PART", "{by: path, part: 0, missing: all}").replace(
    "FIELDS", "{id: id, event_time: date, event_time_range: [1900, 2100]}"
)
UNGATED = RECIPE.replace("gates: {published: {valid2: {as_of: 2026-06-30}}}\n", "")
SOURCES = ("news", "forum", "books")
FOOTER = "Read our privacy policy before you use cookies on any of these pages, and the terms of use."


def records(n: int = 150) -> dict[str, list[dict[str, Any]]]:
    """450 records of three sources, each with a text of its own, dated within the year before the snapshot."""
    rng = random.Random(11)
    found = {}
    for source in SOURCES:
        found[source] = [
            {
                "id": f"{source}-{i}",
                "text": f"{sentence(rng)} It has the number {source} {i} of {rng.randrange(10**6)}.",
                "date": f"2026-0{1 + i % 6}-1{i % 10}T12:00:00Z",
            }
            for i in range(n)
        ]
    return found


def walk(root: Path, found: dict[str, list[dict[str, Any]]], recipe: str = RECIPE) -> tuple[dict[str, Any], set[str]]:
    """The card of what lands, and the letters whose gate refused it."""
    for source, rows in found.items():
        folder = root / "landing" / source
        folder.mkdir(parents=True)
        (folder / "part.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    (root / "planted.yaml").write_text(recipe)
    ws, loaded = open_recipe(root, root / "planted.yaml")
    refused: set[str] = set()
    run_all_but_last(ws, loaded)
    try:
        run_stage(ws, loaded, "published", None, suites=suites_for, run_id="test")
    except GateFailed as error:
        refused = {gate.suite.removeprefix("published.valid2.") for gate in error.result.gates if gate.blocks}
    (record,) = ws.lake.records("planted").of("published", "__all__")
    assert record.state == ("rejected" if refused else "promoted")
    return record.facts["valid2"], refused


def run_all_but_last(ws: Any, recipe: Any) -> None:
    """Every stage before ``published``, without gates, which take most of the time."""

    def none(stage: str, recipe: Any, schema: Any) -> list[Suite]:
        return []

    for stage in ("landing", "raw", "cleaned", "duplicates", "fit", "scored", "sampled"):
        keys: list[str | None] = [None]
        if stage in ("raw", "cleaned", "scored"):
            keys = list(ws.lake.partitions("planted", "raw")) if stage != "raw" else partitions(ws, recipe)
        for key in keys:
            run_stage(ws, recipe, stage, key, suites=none, run_id="test")


def partitions(ws: Any, recipe: Any) -> list[str | None]:
    from winnowry.promotion.partitions import partitions_of

    return list(partitions_of(ws, recipe))


def failed(card: dict[str, Any]) -> dict[str, set[str]]:
    """Failing indicators by letter."""
    return {
        letter["letter"]: {item["name"] for item in letter["indicators"] if item["passed"] is False}
        for letter in card["letters"]
        if letter["passed"] is False
    }


def indicator(card: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [item for letter in card["letters"] for item in letter["indicators"] if item["name"] == name]
    return dict(found)


def test_a_sound_corpus_holds_every_letter(tmp_path: Path) -> None:
    card, refused = walk(tmp_path, records())
    assert failed(card) == {}
    assert refused == set()
    assert [letter["score"] for letter in card["letters"]] == [1.0] * 6
    assert card["grade"] == {"worst": "vitality", "score": 1.0, "geometric_mean": 1.0, "unmeasured": []}
    table = duckdb.connect()
    table.register("p", lance.dataset(f"{tmp_path}/planted/published.lance").to_table())
    rows, tokens = table.sql("select count(*), sum(n_tokens)::bigint from p").fetchall()[0]
    assert (card["rows"], card["tokens"]) == (450, tokens)
    assert rows == 450
    shares = [w for (w,) in table.sql("select sum(n_tokens) / (select sum(n_tokens) from p) from p group by source")
              .fetchall()]  # fmt: skip
    assert indicator(card, "top_source_share")["value"] == pytest.approx(max(shares))
    ages = table.sql(
        "select quantile_disc(floor(date_diff('second', event_time, timestamptz '2026-07-01') / 86400), 0.5) from p"
    ).fetchall()
    assert indicator(card, "age_p50")["value"] == ages[0][0]
    half = "sum(n_tokens * power(2, -floor(date_diff('second', event_time, timestamptz '2026-07-01') / 86400) / 365))"
    wanted = table.sql(f"select ({half} / sum(n_tokens))::double from p").fetchall()[0][0]
    assert indicator(card, "half_life_score")["value"] == pytest.approx(wanted)


def stale(found: dict[str, list[dict[str, Any]]]) -> None:
    for rows in found.values():
        for row in rows:
            row["date"] = row["date"].replace("2026", "2021")


def undated(found: dict[str, list[dict[str, Any]]]) -> None:
    for rows in found.values():
        for row in rows:
            del row["date"]


def from_the_future(found: dict[str, list[dict[str, Any]]]) -> None:
    for row in found["news"][:5]:
        row["date"] = "2031-01-01"


def single_source(found: dict[str, list[dict[str, Any]]]) -> None:
    found["news"] += [{**row, "id": f"n{row['id']}"} for name in ("forum", "books") for row in found[name][2:]]
    found["forum"], found["books"] = found["forum"][:2], found["books"][:2]


def duplicated(found: dict[str, list[dict[str, Any]]]) -> None:
    for source in SOURCES:  # 14 of 164: 8.5 %
        found[source] += [{**row, "id": f"copy-{row['id']}"} for row in found[source][:14]]


def truncated(found: dict[str, list[dict[str, Any]]]) -> None:
    for source in SOURCES:
        for row in found[source][:15]:
            row["text"] = row["text"][:-9]


def boilerplate(found: dict[str, list[dict[str, Any]]]) -> None:
    for rows in found.values():
        for row in rows[:60]:
            row["text"] += f"\n{FOOTER}"


WHOLE = {"fresh_share", "source_entropy", "top_source_share"}


@pytest.mark.parametrize(
    ("plant", "letter", "indicators"),
    [
        (stale, "vitality", {"fresh_share"}),
        (undated, "vitality", {"time_known"}),
        (from_the_future, "vitality", {"future_share"}),
        (single_source, "diversity", {"source_entropy", "top_source_share"}),
        (duplicated, "diversity", {"duplicate_share"}),
        (truncated, "integrity", {"truncated_share"}),
        (boilerplate, "density", {"boilerplate_share"}),
    ],
)
def test_a_planted_fault_fails_its_own_letter_and_no_other(
    tmp_path: Path, plant: Any, letter: str, indicators: set[str]
) -> None:
    found = records()
    plant(found)
    card, refused = walk(tmp_path, found)
    assert failed(card) == {letter: indicators}
    assert refused == {letter}
    for name in indicators:
        item = indicator(card, name)
        assert 0 <= item["score"] < 1
        # A share of the whole release is no property of a record: it lists none.
        assert (len(item["examples"]) == 0) if name in WHOLE else (1 <= len(item["examples"]) <= 5)
        assert all(len(row["record_id"]) == 32 and row["value"] for row in item["examples"])
    assert card["grade"]["worst"] == letter
    assert card["grade"]["geometric_mean"] < 1


def test_a_missing_licence_fails_authenticity(tmp_path: Path) -> None:
    card, refused = walk(tmp_path, records(), RECIPE.replace("license: CC0-1.0, ", "", 1))
    assert failed(card) == {"authenticity": {"license_known"}}
    assert refused == {"authenticity"}
    assert indicator(card, "license_known")["value"] == pytest.approx(2 / 3)


def test_many_copies_leave_a_small_sample_too(tmp_path: Path) -> None:
    found = records()
    for source in SOURCES:
        found[source] += [{**row, "id": f"copy-{row['id']}"} for row in found[source][:100]]
    card, _ = walk(tmp_path, found)
    assert failed(card) == {"large_sample": {"effective_share"}, "diversity": {"duplicate_share"}}
    # 750 records of 450 texts: groups of 750 / 450 members.
    assert indicator(card, "effective_rows")["value"] == pytest.approx(450)
    assert indicator(card, "duplicate_share")["value"] == pytest.approx(300 / 750)


def test_a_letter_blocks_only_where_the_recipe_says_so(tmp_path: Path) -> None:
    found = records()
    stale(found)
    card, refused = walk(tmp_path / "a", found, RECIPE.replace("30}", "30, blocks: [integrity]}"))
    assert (set(failed(card)), refused) == ({"vitality"}, set())
    card, refused = walk(tmp_path / "b", found, UNGATED)
    assert refused == set()
    assert card["as_of_from"] == "release"
    assert card["gated"] is False
    card, refused = walk(tmp_path / "c", found, RECIPE.replace("30}", "30, thresholds: {fresh_share: null}}"))
    assert (failed(card), refused) == ({}, set())
    assert indicator(card, "fresh_share")["value"] == 0
    assert indicator(card, "fresh_share")["passed"] is None


def test_what_is_asked_for_and_not_measured_fails(tmp_path: Path) -> None:
    card, refused = walk(tmp_path, records(), RECIPE.replace("30}", "30, thresholds: {split_leak: 0}}"))
    assert failed(card) == {"integrity": {"split_leak"}}
    assert refused == {"integrity"}
    assert indicator(card, "split_leak")["value"] is None
    assert "no column `split`" in indicator(card, "split_leak")["why"]


def test_a_release_without_records_has_no_flattering_letter(tmp_path: Path) -> None:
    recipe = UNGATED.replace(
        "{method: uniform, token_fraction: 1.0",
        "{method: threshold, by: n_tokens, threshold: 1.0e+9, token_fraction: 1.0",
    )
    card, _ = walk(tmp_path, records(3), recipe + "gates: {published: {min_rows: 0}}\n")
    assert card["rows"] == 0
    scores = {letter["letter"]: letter["score"] for letter in card["letters"]}
    assert scores == {name: 0.0 if name == "large_sample" else None for name in LETTERS}
    assert card["grade"]["unmeasured"] == [name for name in LETTERS if name != "large_sample"]
    assert card["grade"]["geometric_mean"] == 0
    assert all(item["why"] for letter in card["letters"] for item in letter["indicators"] if item["value"] is None)


def test_a_moved_threshold_rewrites_no_row_and_the_page_shows_the_card(tmp_path: Path) -> None:
    walk(tmp_path, records())
    (tmp_path / "planted.yaml").write_text(RECIPE.replace("30}", "30, thresholds: {tokens: 99}}"))
    ws, recipe = open_recipe(tmp_path, tmp_path / "planted.yaml")
    result = run_all(ws, recipe)[-1]
    assert (result.metadata["rows_added"], result.metadata["rows_removed"]) == (0, 0)
    assert result.metadata["valid2_vitality"] == 1.0
    facts = release_facts(ws, "planted", releases(ws, "planted")[0])
    assert facts["valid2"]["grade"]["score"] == 1.0
    out = tmp_path / "page.html"
    assert main(["release", "show", "planted", "--root", str(tmp_path), "--out", str(out)]) == 0
    page = out.read_text(encoding="utf-8")
    assert "VALID²" in page
    assert "at least 99" in page


def test_each_letter_is_a_check_in_dagster_where_the_gate_is_set(tmp_path: Path) -> None:
    import dagster as dg

    from assets.definitions import definitions_of

    def checks(recipe: str) -> set[str]:
        (tmp_path / "recipes").mkdir(exist_ok=True)
        (tmp_path / "recipes" / "planted.yaml").write_text(recipe)
        graph = definitions_of(tmp_path / "recipes").resolve_asset_graph()
        return {check.name for check in graph.get_check_keys_for_assets({dg.AssetKey(["planted", "published"])})}

    assert checks(RECIPE) - checks(UNGATED) == set(LETTERS)
