"""The page of a release of a planted corpus: its figures are those of independent queries, and it never flatters."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import duckdb
import lance
import numpy as np
import pytest

from tests.small_corpus import sentence
from tests.small_lake import CORPUS as LETTERS
from tests.small_lake import IDS, make_small_lake
from tests.walk import open_recipe, run_all
from winnowry.cli.main import main
from winnowry.lakehouse.workspace import Workspace
from winnowry.releases.as_of import tables_of
from winnowry.releases.facts.facts import release_facts
from winnowry.releases.releases import find_release, releases

RECIPE = """\
version: 1
corpus: planted
sources:
  - {name: news, uri: "landing/news/*.jsonl", license: CC-BY-4.0, fields: {id: id, event_time: date},
     partition: {by: event_time, every: year}}
  - {name: forum, uri: "landing/forum/*.jsonl", fields: {id: id, event_time: date},
     partition: {by: event_time, every: year}}
clean:
  - {op: text.length, min_words: 8}
  - {op: dedup.exact}
score:
  - {op: score.token_count}
  - {op: text.characters}
sample: {method: cdf, by: digit_ratio, token_fraction: 0.4, seed: 7}
publish: {tag: prod}
"""
SCRIPT = "<script>alert('planted')</script>"
BARE = """\
version: 1
corpus: bare
sources:
  - {name: only, uri: "landing/only/*.jsonl", fields: {id: id}, partition: {by: path, part: 0, missing: all}}
score:
  - {op: score.token_count}
sample: {method: uniform, token_fraction: 0.5, seed: 7}
publish: {tag: prod}
"""


def land(root: Path) -> None:
    rng = random.Random(3)
    for name in ("news", "forum"):
        folder = root / "landing" / name
        folder.mkdir(parents=True)
        lines = []
        for i in range(90):
            text = " ".join([sentence(rng), sentence(rng), str(rng.randrange(10 ** rng.randrange(1, 9)))])
            lines.append(json.dumps({"id": f"{name}-{i}", "text": text, "date": f"{2019 + i % 3}-05-01"}))
        lines += [json.dumps({"id": f"{name}-copy-{i}", "text": json.loads(lines[i])["text"], "date": "2021-06-01"})
                  for i in range(6)]  # fmt: skip
        short = [f"{SCRIPT} jane.doe@company.org", "call +1 415 555 2671 now", "too short"]
        lines += [
            json.dumps({"id": f"{name}-s{i}", "text": text, "date": "2020-01-01"}) for i, text in enumerate(short)
        ]
        lines.append('{"id": "broken" <script>')
        (folder / "part.jsonl").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("page")
    land(root)
    (root / "planted.yaml").write_text(RECIPE)
    run_all(*open_recipe(root, root / "planted.yaml"))
    return root


@pytest.fixture(scope="module")
def facts(lake: Path) -> dict[str, Any]:
    ws = Workspace.open(str(lake))
    return release_facts(ws, "planted", releases(ws, "planted")[0])


@pytest.fixture(scope="module")
def page(lake: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("out") / "page.html"
    assert main(["release", "show", "planted", "--root", str(lake), "--out", str(out)]) == 0
    return out.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def query(lake: Path) -> Any:
    """DuckDB over plain Arrow tables, past all of winnowry but where its tables lie."""
    connection = duckdb.connect()
    for name in ("raw", "cleaned", "duplicates", "scored", "sampled", "quarantine", "gates"):
        connection.register(name, lance.dataset(f"{lake}/planted/{name}.lance").to_table())
    connection.register("published", lance.dataset(f"{lake}/planted/published.lance", version="prod").to_table())
    return lambda sql: connection.sql(sql).fetchall()


def cell(page: str, label: str) -> list[str]:
    """Cells of the table row that begins with a label."""
    (row,) = re.findall(rf'<tr><td class="l">{re.escape(label)}</td>(.*?)</tr>', page)[:1]
    return [re.sub("<[^>]+>", "", found) for found in re.findall(r"<td[^>]*>(.*?)</td>", row)]


def test_sources_and_their_shares_are_those_of_a_query(page: str, facts: dict[str, Any], query: Any) -> None:
    wanted = query("select source, count(*), sum(n_tokens)::bigint, min(license) from published group by 1 order by 1")
    found = sorted((s["name"], s["rows"], s["tokens"], s["license"]) for s in facts["contents"]["sources"]["listed"])
    assert found == wanted
    rows = sum(entry[1] for entry in wanted)
    for name, n, tokens, license_name in wanted:
        cells = cell(page, name)
        assert cells[0] == (license_name or "none stated")
        assert cells[1:4] == [f"{n:,}", f"{100 * n / rows:.1f} %", f"{tokens:,}"]
    assert facts["contents"]["unlicensed"] == query("select count(*) from published where license is null")[0][0] > 0
    assert "state no licence" in page


def test_the_funnel_loses_no_record(page: str, facts: dict[str, Any], query: Any) -> None:
    steps = {step["stage"]: step for step in facts["funnel"]}
    assert [step["pending"] for step in facts["funnel"]] == [0] * len(facts["funnel"])
    assert steps["read"]["rows"] == 2 * (90 + 6 + 3 + 1)
    for table in ("raw", "cleaned", "scored", "published"):
        assert steps[table]["rows"] == query(f"select count(*) from {table}")[0][0]
    assert steps["duplicates"]["dropped"] == query("select count(*) from duplicates")[0][0] == 12
    assert steps["sampled"]["rows"] == query("select count(*) from sampled where selected")[0][0]
    told = sorted((r["operator"], r["reason"], r["rows"]) for r in steps["cleaned"]["reasons"])
    where = "from quarantine where stage = 'cleaned'"
    assert told == query(f"select operator, reason, count(*) {where} group by all order by all")
    assert "Every record that was read is published or counted below" in page
    assert f"{steps['published']['rows']:,} · " in page


def test_scores_of_kept_and_dropped_are_those_of_a_query(facts: dict[str, Any], query: Any) -> None:
    rows = query(
        "select digit_ratio, probability, record_id in (select record_id from published) from scored "
        "join sampled using (record_id)"
    )
    scores = facts["scores"]
    score, probability, kept = (np.array(column, np.float64) for column in zip(*rows, strict=True))
    assert sum(scores["kept"]) == kept.sum()
    assert sum(scores["dropped"]) == len(rows) - kept.sum()
    assert scores["mean_kept"] == pytest.approx(score[kept == 1].mean())
    assert scores["mean_dropped"] == pytest.approx(score[kept == 0].mean())
    edges = np.array(scores["edges"])
    inside = np.clip(score, edges[0], edges[-1])
    assert scores["kept"] == np.histogram(inside[kept == 1], edges)[0].tolist()
    best = scores["curve"][-1]
    top = np.sort(score)[-max(1, round(2 * (1 - best["rank"]) * len(score))):]  # fmt: skip
    assert best["probability"] == pytest.approx(probability[score >= top[0]].mean(), abs=0.05)


def test_shifts_are_those_of_a_query(facts: dict[str, Any], query: Any) -> None:
    shares = []
    for where in ("", " where record_id in (select record_id from published)"):
        tokens = f"select source, sum(n_tokens) t from (select * from scored{where}) join cleaned using (record_id)"
        shares.append(dict(query(f"select source, (t / sum(t) over ())::double from ({tokens} group by 1)")))
    distance = sum(abs(shares[0][name] - shares[1].get(name, 0)) for name in shares[0]) / 2
    assert facts["shifts"]["mixes"]["source"]["distance"] == pytest.approx(distance)
    pool, kept = (np.array([n for (n,) in query(f"select n_tokens from {t}")]) for t in ("scored", "published"))
    lengths = facts["shifts"]["lengths"]
    assert lengths["mean_kept"] == pytest.approx(kept.mean())
    assert sum(item["pool"] for item in lengths["bins"]) == len(pool)
    grid = np.unique(pool)
    apart = [abs((pool <= value).mean() - (kept <= value).mean()) for value in grid]
    assert lengths["distance"] == pytest.approx(max(apart))


def test_partitions_and_duplicates_are_those_of_a_query(facts: dict[str, Any], query: Any) -> None:
    for row in facts["partitions"]["listed"]:
        at = f"where partition = '{row['partition']}'"
        assert row["raw"] == query(f"select count(*) from raw {at}")[0][0]
        assert row["published"] == query(f"select count(*) from published {at}")[0][0]
        assert row["mean_tokens"] == pytest.approx(query(f"select avg(n_tokens) from scored {at}")[0][0])
    found = facts["duplicates"]
    assert (found["rows"], found["groups"]) == query("select count(*), count(distinct kept_record_id) from duplicates")[
        0
    ]
    assert found["share"] == pytest.approx(12 / query("select count(*) from cleaned")[0][0])


def test_gate_counts_are_those_of_a_query(facts: dict[str, Any], query: Any) -> None:
    told = sorted((suite["suite"], suite["passed"], suite["warned"]) for suite in facts["gates"]["suites"])
    verdicts = "count(*) filter (where verdict = 'pass'), count(*) filter (where verdict = 'warn')"
    assert told == query(f'select suite, {verdicts} from gates group by "table", suite order by all')
    assert facts["gates"]["own"]


def test_examples_say_which_value_did_it_and_mask_personal_data(page: str, facts: dict[str, Any]) -> None:
    rules = {(rule["operator"], rule["reason"]): rule for rule in facts["examples"]}
    short = rules["text.length", "min_words"]
    assert short["rows"] == 6
    assert len(short["records"]) == 6
    assert all(int(record["value"]) < 8 for record in short["records"])
    assert {record["threshold"] for record in short["records"]} == {"8"}
    assert "jane.doe" not in page
    assert "555 2671" not in page
    assert "&lt;EMAIL&gt;" in page
    assert rules["duplicate", "exact"]["rows"] == 12
    assert all(record["text"] for record in rules["duplicate", "exact"]["records"])


def test_planted_scripts_stay_text_and_nothing_comes_from_a_network(page: str) -> None:
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#39;planted&#39;)" in page
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:,)""", page)
    assert len(page) < 3_000_000


def test_the_json_document_keeps_its_shape(lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["release", "show", "planted", "--root", str(lake), "--json"]
    assert main(call) == 0
    without = json.loads(capsys.readouterr().out)
    assert main([*call, "--out", str(tmp_path / "p.html")]) == 0
    assert json.loads(capsys.readouterr().out) == without
    assert main([*call, "--out", str(tmp_path / "nowhere" / "p.html")]) == 2


def _page_of(root: Path, recipe: str, corpus: str) -> tuple[str, dict[str, Any]]:
    (root / "recipe.yaml").write_text(recipe)
    ws, loaded = open_recipe(root, root / "recipe.yaml")
    run_all(ws, loaded)
    out = root / "page.html"
    assert main(["release", "show", corpus, "prod", "--root", str(root), "--out", str(out)]) == 0
    return out.read_text(encoding="utf-8"), release_facts(ws, corpus, releases(ws, corpus)[0])


def test_a_corpus_without_dates_licences_or_scores_has_a_page_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "landing" / "only").mkdir(parents=True)
    lines = [json.dumps({"id": str(i), "text": f"{SCRIPT} record number {i}"}) for i in range(20)]
    (tmp_path / "landing" / "only" / "a.jsonl").write_text("\n".join(lines))
    page, facts = _page_of(tmp_path, BARE, "bare")
    assert facts["scores"] is None
    said = " ".join(limit["text"] for limit in facts["limits"])
    assert [
        letter["letter"] for letter in facts["valid2"]["letters"] if letter["passed"] is False
    ] == []  # none is asked
    for sentence_of_it in ("No record has a date", "No record states a licence", "one source", "not chosen by a score"):
        assert sentence_of_it in said
        assert sentence_of_it in page
    assert "<script" not in page


def test_a_release_without_records_has_a_page_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "landing" / "only").mkdir(parents=True)
    (tmp_path / "landing" / "only" / "a.jsonl").write_text('{"id": "1", "text": "one record without digits"}\n')
    recipe = BARE.replace("{method: uniform, ", "{method: threshold, by: digit_ratio, threshold: 0.9, ")
    recipe = recipe.replace("score:\n", "score:\n  - {op: text.characters}\n")
    recipe += "gates: {published: {min_rows: 0}}\n"
    page, facts = _page_of(tmp_path, recipe, "bare")
    assert facts["contents"]["rows"] == 0
    assert "The release is empty" in page


def test_every_release_knows_its_own_promotion(lake: Path) -> None:
    ws = Workspace.open(str(lake))
    tables = tables_of(ws, "planted", releases(ws, "planted")[0])
    record = tables.of_stage("published")
    assert record is not None
    assert record.id == tables.release.promotion_id
    assert not tables.older


def test_an_older_release_is_told_as_it_was(tmp_path: Path) -> None:
    ws = make_small_lake(tmp_path)
    old, new = (release_facts(ws, LETTERS, find_release(ws, LETTERS, name)) for name in ("v1", "v2"))
    assert [old["funnel"][i]["rows"] for i in (0, -2, -1)] == [6, 1, 1]
    assert [new["funnel"][i]["rows"] for i in (0, -2, -1)] == [6, 2, 2]
    assert [found["made"]["stages"]["sampled"]["sample"]["token_fraction"] for found in (old, new)] == [0.2, 0.4]
    assert "published" in old["made"]["stages"]
    assert old["tables_moved"] == new["tables_moved"] == []
    assert old["contents"]["tokens"] == 10
    assert new["contents"]["tokens"] == 30
    assert new["scores"]["missing"] == 1
    left_out = {r["reason"]: [x["record_id"] for x in r["records"]] for r in old["examples"]}
    assert left_out["min_words"] == [IDS["c"]]
    assert left_out["bad_json"] == [IDS["f"]]
