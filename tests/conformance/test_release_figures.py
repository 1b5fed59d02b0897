"""Every figure on the page of two real releases, the demo's and that of Reuters-21578, against independent queries.

The queries read the tables by Lance and DuckDB alone. What is a sample on the page (texts) is measured here on all
records, and must lie within the interval that the page gives.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import lance
import numpy as np
import pytest

from tests.walk import open_recipe, run_all

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

REPOSITORY = Path(__file__).resolve().parents[2]
TABLES = ("raw", "cleaned", "duplicates", "scored", "sampled", "quarantine", "gates")
_ENDED = re.compile(r"""[.!?。！？…)\]}"'”’»」』]$""")
Query = Callable[[str], list[Any]]


@pytest.fixture(scope="module")
def reuters(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    root = tmp_path_factory.mktemp("reuters")
    landing = root / "landing" / "reuters"
    landing.mkdir(parents=True)
    shutil.copy(real_data / "finance_en" / "reuters21578.sgml.tar.zst", landing)
    run_all(*open_recipe(root, REPOSITORY / "examples" / "reuters" / "recipe.yaml"))
    return root, "reuters"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    root = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "winnowry.cli.main", "demo", "--root", str(root), "--json"]
    subprocess.run(command, check=True, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    return root, "aws_docs"


@pytest.fixture(scope="module", params=["reuters", "demo"])
def release(request: pytest.FixtureRequest) -> Iterator[tuple[dict[str, Any], Query, str]]:
    """The facts of the page, a query over the tables, and the page."""
    root, corpus = request.getfixturevalue(request.param)
    folder = root / corpus / "releases" / "v1"
    connection = duckdb.connect()
    for name in TABLES:
        connection.register(name, lance.dataset(f"{root}/{corpus}/{name}.lance").to_table())
    connection.register("published", lance.dataset(f"{root}/{corpus}/published.lance", version="v1").to_table())
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    yield facts, lambda sql: connection.sql(sql).fetchall(), (folder / "page.html").read_text(encoding="utf-8")
    connection.close()


Release = tuple[dict[str, Any], Query, str]


def test_contents(release: Release) -> None:
    facts, query, _ = release
    found = facts["contents"]
    texts = "sum(length(text))::bigint, count(*) filter (where license is null)"
    wanted = query(f"select count(*), sum(n_tokens)::bigint, {texts} from published")[0]
    assert (found["rows"], found["tokens"], found["characters"], found["unlicensed"]) == wanted
    for name, column in (("sources", "source"), ("licenses", "license"), ("languages", "language")):
        rows = query(f"select {column}, count(*), sum(n_tokens)::bigint from published group by 1 order by 3 desc, 1")
        listed = [(entry["name"], entry["rows"], entry["tokens"]) for entry in found[name]["listed"]]
        assert listed == rows[: len(listed)]
        assert (found[name]["total"], found[name]["rest_rows"]) == (len(rows), sum(r[1] for r in rows[len(listed) :]))
    times = query("select min(event_time), max(event_time), count(*) - count(event_time) from published")[0]
    told = found["time"]
    assert [datetime.fromisoformat(told[key]) for key in ("first", "last")] == [t.astimezone(UTC) for t in times[:2]]
    assert told["undated"] == times[2]


def test_funnel(release: Release) -> None:
    facts, query, _ = release
    steps = {step["stage"]: step for step in facts["funnel"]}
    lost = dict(query("select stage, count(*) from quarantine group by 1"))
    raw = query("select count(*) from raw")[0][0]
    assert steps["read"]["rows"] == raw + lost.get("raw", 0)
    assert steps["raw"]["rows"] == raw
    assert steps["cleaned"]["rows"] == query("select count(*) from cleaned")[0][0] == raw - lost.get("cleaned", 0)
    assert steps["duplicates"]["dropped"] == query("select count(*) from duplicates")[0][0]
    assert steps["scored"]["rows"] == query("select count(*) from scored")[0][0]
    assert steps["sampled"]["rows"] == query("select count(*) from sampled where selected")[0][0]
    assert steps["published"]["rows"] == query("select count(*) from published")[0][0]
    for stage in ("raw", "cleaned"):
        where = f"from quarantine where stage = '{stage}'"
        reasons = query(f"select operator, reason, count(*) {where} group by all order by 3 desc, 1, 2")
        told = [(r["operator"], r["reason"], r["rows"]) for r in steps[stage]["reasons"]]
        assert sorted(told) == sorted(reasons[: len(told)])
        assert (steps[stage]["other_reasons"], steps[stage]["other_rows"]) == (
            len(reasons) - len(told),
            sum(reason[2] for reason in reasons[len(told) :]),
        )
    assert all(step["pending"] == 0 for step in facts["funnel"])


def test_scores(release: Release) -> None:
    facts, query, _ = release
    told = facts["scores"]
    kept_ids = "record_id in (select record_id from published)"
    rows = query(f"select {told['by']}, probability, {kept_ids} from scored join sampled using (record_id)")
    score, _, kept = (np.array(column, np.float64) for column in zip(*rows, strict=True))
    assert told["rows"] + told["missing"] == len(rows)
    assert told["missing"] == np.isnan(score).sum()
    assert (told["low"], told["high"]) == (pytest.approx(np.nanmin(score)), pytest.approx(np.nanmax(score)))
    assert told["mean_kept"] == pytest.approx(np.nanmean(score[kept == 1]))
    assert told["mean_dropped"] == pytest.approx(np.nanmean(score[kept == 0]))
    edges = np.array(told["edges"])
    inside = np.clip(score[~np.isnan(score)], edges[0], edges[-1])
    taken = kept[~np.isnan(score)] == 1
    assert told["kept"] == np.histogram(inside[taken], edges)[0].tolist()
    assert told["dropped"] == np.histogram(inside[~taken], edges)[0].tolist()
    assert sum(point["kept"] for point in told["curve"]) / len(told["curve"]) == pytest.approx(kept.mean(), abs=0.02)


def test_shifts(release: Release) -> None:
    facts, query, _ = release
    for name, told in facts["shifts"]["mixes"].items():
        column = f"cleaned.{name}"
        tokens = f"select {column} k, n_tokens n, scored.record_id in (select record_id from published) kept"
        joined = f"({tokens} from scored join cleaned using (record_id))"
        rows = query(f"select k, sum(n), coalesce(sum(n) filter (where kept), 0) from {joined} group by 1")
        pool, kept = sum(row[1] for row in rows), sum(row[2] for row in rows)
        assert (told["total"], told["tokens"], told["kept_tokens"]) == (len(rows), pool, kept)
        assert told["distance"] == pytest.approx(float(sum(abs(p / pool - k / kept) for _, p, k in rows) / 2))
    lengths = facts["shifts"]["lengths"]
    pool, kept = (np.array([n for (n,) in query(f"select n_tokens from {t}")]) for t in ("scored", "published"))
    assert lengths["mean_pool"] == pytest.approx(pool.mean())
    assert lengths["mean_kept"] == pytest.approx(kept.mean())
    assert lengths["median_pool"] == pytest.approx(np.median(pool), rel=0.02)
    assert lengths["median_kept"] == pytest.approx(np.median(kept), rel=0.02)
    for item in lengths["bins"]:
        assert item["pool"] == ((pool >= item["from"]) & (pool < item["below"])).sum()
        assert item["kept"] == ((kept >= item["from"]) & (kept < item["below"])).sum()
    apart = [abs((pool <= value).mean() - (kept <= value).mean()) for value in np.unique(pool)]
    assert lengths["distance"] == pytest.approx(max(apart))


def test_partitions(release: Release) -> None:
    facts, query, _ = release
    told = facts["partitions"]
    names = [name for (name,) in query("select distinct partition from raw")]
    assert told["total"] == len(names)
    published = {name for (name,) in query("select distinct partition from published")}
    assert told["n_unpublished"] == len(set(names) - published)
    assert set(told["unpublished"]) <= set(names) - published
    for row in told["listed"]:
        at = f"where partition = '{row['partition']}'"
        for table in ("raw", "cleaned", "scored", "published"):
            assert row[table] == query(f"select count(*) from {table} {at}")[0][0]
        if row["scored"]:
            means = query(f"select avg({facts['scores']['by']}), avg(n_tokens) from scored {at}")[0]
            assert (row["mean_score"], row["mean_tokens"]) == (pytest.approx(means[0]), pytest.approx(means[1]))


def test_duplicates(release: Release) -> None:
    facts, query, _ = release
    told = facts["duplicates"]
    rows = query("select count(*), count(distinct kept_record_id) from duplicates")[0]
    assert (told["rows"], told["groups"]) == rows
    sizes = [n + 1 for (n,) in query("select count(*) from duplicates group by kept_record_id")]
    assert told["largest"] == max(sizes, default=0)
    assert told["share"] == pytest.approx(rows[0] / query("select count(*) from cleaned")[0][0])
    assert sum(size["groups"] for size in told["sizes"]) == len(sizes)
    assert told["sizes"][0] == {"members": "2", "groups": sizes.count(2)}
    methods = query("select method, count(*), avg(similarity) from duplicates group by 1 order by 2 desc")
    assert [(m["method"], m["rows"]) for m in told["methods"]] == [row[:2] for row in methods]


def test_examples(release: Release) -> None:
    facts, query, _ = release
    assert facts["examples"]
    for rule in facts["examples"]:
        if rule["stage"] == "sampled":
            rows = query("select record_id from sampled where not selected order by 1")
        elif rule["stage"] == "duplicates":
            rows = query(f"select record_id from duplicates where method = '{rule['reason']}' order by 1")
        else:
            where = f"stage = '{rule['stage']}' and operator = '{rule['operator']}' and reason = '{rule['reason']}'"
            rows = query(f"select record_id from quarantine where {where} order by 1")
        assert rule["rows"] == len(rows), rule["reason"]
        shown = [record["record_id"] for record in rule["records"]]
        assert shown == [name for (name,) in rows[: len(shown)]]
        assert len(shown) == min(30, len(rows))
        if (rule["operator"], rule["reason"]) == ("text.length", "min_words"):
            assert all(int(record["value"]) < int(record["threshold"]) for record in rule["records"])
        if rule["stage"] == "sampled":
            drawn = [(r["value"].split()[1], r["threshold"].split()[1]) for r in rule["records"]]
            assert all(float(draw) >= float(probability) for draw, probability in drawn)


def test_gates(release: Release) -> None:
    facts, query, _ = release
    told = sorted((s["table"], s["suite"], s["passed"], s["warned"], s["failed"]) for s in facts["gates"]["suites"])
    verdicts = ", ".join(f"count(*) filter (where verdict = '{verdict}')" for verdict in ("pass", "warn", "fail"))
    live = query(f'select "table", suite, {verdicts} from gates group by all order by all')
    assert told == live
    assert facts["gates"]["n_notable"] == query("select count(*) from gates where verdict <> 'pass'")[0][0]


def test_valid2(release: Release) -> None:
    facts, query, _ = release
    card = facts["valid2"]
    told = {item["name"]: item for letter in card["letters"] for item in letter["indicators"]}
    value = {name: item["value"] for name, item in told.items()}
    n, tokens = query("select count(*), sum(n_tokens)::bigint from published")[0]
    assert (value["rows"], value["tokens"]) == (n, tokens)
    for name, column in (("time_known", "event_time"), ("source_known", "source"), ("license_known", "license")):
        assert value[name] == pytest.approx(query(f"select count({column}) / count(*) from published")[0][0])
    as_of = datetime.fromisoformat(card["as_of"])
    dated = query("select event_time, n_tokens from published where event_time is not null")
    fresh = sum(n for at, n in dated if as_of - timedelta(days=card["fresh_days"]) <= at.astimezone(UTC) <= as_of)
    assert value["fresh_share"] == pytest.approx(fresh / tokens)
    assert value["future_share"] == pytest.approx(sum(at.astimezone(UTC) > as_of for at, _ in dated) / len(dated))
    ages = [((as_of - at.astimezone(UTC)) // timedelta(days=1), n) for at, n in dated]
    decayed = sum(2 ** (-age / card["half_life_days"]) * n for age, n in ages) / sum(n for _, n in ages)
    assert value["half_life_score"] == pytest.approx(decayed, rel=0.01)
    assert value["age_p50"] == pytest.approx(np.median([age for age, _ in ages]), abs=1.5)
    shares = [s for (s,) in query(f"select sum(n_tokens) / {tokens} from published group by source")]
    assert value["top_source_share"] == pytest.approx(max(shares))
    entropy = -sum(s * np.log(s) for s in shares) / np.log(len(shares)) if len(shares) > 1 else 0.0
    assert value["source_entropy"] == pytest.approx(entropy)
    lost = dict(query("select stage, count(*) from quarantine group by 1"))
    read = query("select count(*) from raw")[0][0] + lost.get("raw", 0)
    assert value["decoded_share"] == pytest.approx(1 - lost.get("raw", 0) / read)
    assert value["quarantined_share"] == pytest.approx(sum(lost.values()) / read)
    texts = [text for (text,) in query("select text from published")]
    truncated = np.mean([not _ENDED.search(text.rstrip()) for text in texts])
    low, high = told["truncated_share"]["interval"]
    assert low - 0.01 <= truncated <= high + 0.01
    assert value["bytes_per_token"] == pytest.approx(sum(len(t.encode()) for t in texts) / tokens, rel=0.03)


def test_the_page_shows_these_figures(release: Release) -> None:
    facts, _, page = release
    assert f"{facts['contents']['rows']:,}" in page
    for step in facts["funnel"]:
        assert f"{step['rows']:,}" in page
        for reason in step["reasons"]:
            assert f"{reason['rows']:,}" in page
    for row in facts["partitions"]["listed"]:
        rows = re.findall(rf"<tr><td[^>]*>{re.escape(row['partition'])}</td>(.*?)</tr>", page)
        wanted = {f"{row[name]:,}" for name in ("raw", "cleaned", "scored", "published")}
        assert any(wanted <= set(re.findall(r"<td[^>]*>([^<]*)", cells)) for cells in rows), row["partition"]
    for suite in facts["gates"]["suites"]:
        assert suite["suite"] in page
