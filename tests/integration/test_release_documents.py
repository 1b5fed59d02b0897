"""Page and cards made at every publish: where they lie, what they say, and that a release never fails for them."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import lance
import pytest

from tests.integration.test_release_page import BARE, RECIPE, SCRIPT, land
from tests.s3_server import S3Server
from tests.walk import open_recipe, run_all
from winnowry.cli.main import main
from winnowry.core.errors import StorageError
from winnowry.inspect.explain import explain
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.result import StageResult
from winnowry.releases import documents as release_documents
from winnowry.releases.documents import stored_facts
from winnowry.releases.facts.facts import release_facts
from winnowry.releases.releases import find_release, release_before, release_diff

SECOND = RECIPE.replace("token_fraction: 0.4", "token_fraction: 0.3").replace("min_words: 8", "min_words: 14")


def publish(root: Path, recipe: str) -> StageResult:
    (root / "recipe.yaml").write_text(recipe)
    return run_all(*open_recipe(root, root / "recipe.yaml"))[-1]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[StageResult]]:
    """Two releases of the planted corpus: the second draws less and asks for more words."""
    root = tmp_path_factory.mktemp("documents")
    land(root)
    with (root / "landing" / "news" / "more.jsonl").open("w") as more:
        more.write(json.dumps({"id": "undated", "text": "nobody knows when this was written, but it is long enough"}))
    return root, [publish(root, RECIPE), publish(root, SECOND)]


@pytest.fixture(scope="module")
def facts(lake: tuple[Path, list[StageResult]]) -> dict[str, Any]:
    ws = Workspace.open(str(lake[0]))
    return release_facts(ws, "planted", find_release(ws, "planted", "v2"))


@pytest.fixture(scope="module")
def query(lake: tuple[Path, list[StageResult]]) -> Any:
    """DuckDB over plain Arrow tables, past all of winnowry but where its tables lie."""
    connection = duckdb.connect()
    for name in ("sampled", "quarantine", "duplicates"):
        connection.register(name, lance.dataset(f"{lake[0]}/planted/{name}.lance").to_table())
    for name in ("v1", "v2"):
        connection.register(name, lance.dataset(f"{lake[0]}/planted/published.lance", version=name).to_table())
    return lambda sql: connection.sql(sql).fetchall()


def documents(lake: Path, name: str) -> dict[str, str]:
    folder = lake / "planted" / "releases" / name
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_every_release_has_its_page_and_cards_beside_it(lake: tuple[Path, list[StageResult]]) -> None:
    root, results = lake
    for name, result in zip(("v1", "v2"), results, strict=True):
        stored = documents(root, name)
        assert set(stored) == {"page.html", "card.croissant.json", "README.md", "facts.json", "recipe.json"}
        assert result.metadata["page"] == f"{root}/planted/releases/{name}/page.html"
        assert result.metadata["card"].endswith("/card.croissant.json")
        assert result.metadata["readme"].endswith("/README.md")
        assert "page_problem" not in result.metadata
        assert f"<title>planted {name}</title>" in stored["page.html"]
        assert "<script" not in "".join(body for file, body in stored.items() if file != "facts.json")
        assert not re.findall(r"""(?:src|href)=["'](?!#|data:,)""", stored["page.html"])
        assert len(stored["page.html"]) < 3_000_000
        assert "jane.doe" not in "".join(stored.values())


def test_the_page_can_be_made_again_and_is_the_same(lake: tuple[Path, list[StageResult]], tmp_path: Path) -> None:
    root, _ = lake
    out = tmp_path / "page.html"
    assert main(["release", "show", "planted", "v2", "--root", str(root), "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8") == documents(root, "v2")["page.html"]


def test_the_terminal_and_json_say_what_the_page_says(
    lake: tuple[Path, list[StageResult]], capsys: pytest.CaptureFixture[str]
) -> None:
    root, _ = lake
    stored = json.loads(documents(root, "v2")["facts.json"])
    assert main(["release", "show", "planted", "v2", "--root", str(root), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["facts"]["release"].pop("tags") == ["prod"]  # as they are now: the stored facts name none
    # What is stored names places from the root, so that the lake can move; people are told where they are.
    assert (
        said["facts"]["table"].pop("uri") == f"{root}/{stored['table'].pop('uri')}" == f"{root}/planted/published.lance"
    )
    assert f"lance.dataset('{root}/planted/published.lance', version='v2')\n" in said["facts"].pop("use")["read"]
    assert "lance.dataset('planted/published.lance', version='v2')  # from the" in stored.pop("use")["read"]
    assert said["facts"] == stored
    assert said["facts"]["release"]["rows"] == said["rows"]
    assert main(["release", "show", "planted", "v2", "--root", str(root)]) == 0
    shown = capsys.readouterr().out
    for heading in ("Known limits", "What the data is", "From raw to published", "VALID²", "Gates"):
        assert heading in shown
    assert f"{stored['contents']['rows']:,} records" in shown
    for step in stored["funnel"]:
        assert f"{step['rows']:,}" in shown
    for letter in stored["valid2"]["letters"]:
        assert letter["letter"].replace("_", " ") in shown.lower()


def test_facts_that_are_gone_or_of_another_format_are_gathered_anew_and_tags_are_those_of_now(
    lake: tuple[Path, list[StageResult]], tmp_path: Path
) -> None:
    root = Path(shutil.copytree(lake[0], tmp_path / "lake"))
    ws = Workspace.open(str(root))
    path = root / "planted/releases/v2/facts.json"
    stored = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({"format": 0}), encoding="utf-8")
    gathered = stored_facts(ws, find_release(ws, "planted", "v2"))
    assert gathered["funnel"] == stored["funnel"]
    assert gathered["valid2"] == stored["valid2"]
    path.write_text(json.dumps(stored), encoding="utf-8")
    assert main(["release", "rollback", "planted", "v1", "--root", str(root)]) == 0
    assert "tags" not in stored["release"], "a tag moves, and the file stays"
    assert stored_facts(ws, find_release(ws, "planted", "v2"))["release"]["tags"] == []


def test_a_page_that_is_gone_comes_back_with_the_next_run(tmp_path: Path) -> None:
    land(tmp_path)
    first = publish(tmp_path, RECIPE)
    page = Path(first.metadata["page"])
    before = page.read_text(encoding="utf-8")
    stamp = page.stat().st_mtime_ns
    again = publish(tmp_path, RECIPE)
    assert again.status == "skipped"
    assert again.metadata["page"] == str(page)
    assert page.stat().st_mtime_ns == stamp
    page.unlink()
    assert publish(tmp_path, RECIPE).status == "skipped"
    assert page.read_text(encoding="utf-8") == before


def test_a_page_that_cannot_be_made_fails_no_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    land(tmp_path)

    def refuse(*_: object, **__: object) -> dict[str, Any]:
        raise StorageError("the disk is full")

    monkeypatch.setattr(release_documents, "release_facts", refuse)
    result = publish(tmp_path, RECIPE)
    assert result.status == "promoted"
    assert result.metadata["page_problem"] == "StorageError: the disk is full"
    assert "page" not in result.metadata
    ws = Workspace.open(str(tmp_path))
    assert find_release(ws, "planted", "prod").name == "v1"
    assert [path.name for path in (tmp_path / "planted" / "releases").rglob("*.*")] == ["recipe.json"]


def test_what_changed_is_what_release_diff_finds(lake: tuple[Path, list[StageResult]], facts: dict[str, Any]) -> None:
    found = facts["changes"]
    other = release_diff(Workspace.open(str(lake[0])), "planted", "v1", "v2")
    assert found["before"] == "v1"
    assert (found["rows_before"], found["added"], found["removed"], found["kept"]) == (
        other.rows_old, other.added, other.removed, other.kept,
    )  # fmt: skip
    assert {r["reason"]: r["rows"] for r in found["removed_reasons"]} == other.removed_reasons
    assert [(p["partition"], p["added"], p["removed"]) for p in found["partitions"]] == [
        (p.partition, p.added, p.removed) for p in other.partitions
    ]
    assert found["recipe"] == list(other.recipe_changes)
    assert any("token_fraction" in line for line in found["recipe"])


def test_what_changed_is_what_queries_find(facts: dict[str, Any], query: Any) -> None:
    found = facts["changes"]
    gone = "(select record_id from v1 where record_id not in (select record_id from v2))"
    assert found["added"] == query("select count(*) from v2 where record_id not in (select record_id from v1)")[0][0]
    assert found["removed"] == query(f"select count(*) from {gone}")[0][0] > 0
    reasons = {reason["reason"]: reason["rows"] for reason in found["removed_reasons"]}
    drawn = f"select count(*) from sampled where not selected and record_id in {gone}"
    short = f"select count(distinct record_id) from quarantine where reason = 'min_words' and record_id in {gone}"
    assert reasons["not sampled"] == query(drawn)[0][0] > 0
    assert reasons.get("rejected: min_words", 0) == query(short)[0][0]
    assert sum(reasons.values()) == found["removed"]
    (score,) = [entry for entry in found["scores"] if entry["column"] == "digit_ratio"]
    means = [query(f"select avg(digit_ratio) from {name}")[0][0] for name in ("v1", "v2")]
    assert [score["mean_old"], score["mean_new"]] == pytest.approx(means)
    for source in found["sources"]:
        for name in ("old", "new"):
            at = f"{'v1' if name == 'old' else 'v2'} where source = '{source['source']}'"
            wanted = query(f"select count(*), coalesce(sum(n_tokens), 0)::bigint from {at}")[0]
            assert (source[f"rows_{name}"], source[f"tokens_{name}"]) == wanted


def test_the_first_release_has_nothing_before_it(lake: tuple[Path, list[StageResult]]) -> None:
    ws = Workspace.open(str(lake[0]))
    first = find_release(ws, "planted", "v1")
    assert release_before(ws, first) is None
    assert release_facts(ws, "planted", first)["changes"] is None
    assert "This is the first release" in documents(lake[0], "v1")["page.html"]
    assert "Against v1" in documents(lake[0], "v2")["page.html"]


def test_the_croissant_card_says_what_is_true_and_points_at_what_is_there(
    lake: tuple[Path, list[StageResult]], query: Any
) -> None:
    root, _ = lake
    card = json.loads(documents(root, "v2")["card.croissant.json"])
    assert card["@type"] == "sc:Dataset"
    assert card["conformsTo"][0] == "http://mlcommons.org/croissant/1.0"
    rows, tokens = query("select count(*), sum(n_tokens)::bigint from v2")[0]
    assert f"{rows:,} records with {tokens:,} tokens" in card["description"]
    assert card["version"] == "2.0.0"
    first, last = query("select min(event_time)::date::text, max(event_time)::date::text from v2")[0]
    assert card["temporalCoverage"] == f"{first}/{last}"
    # Half of the records state this licence; that the others state none is said, and nothing is made up for them.
    assert card["license"] == "CC-BY-4.0"
    unlicensed = query("select count(*) from v2 where license is null")[0][0]
    assert f"{unlicensed:,} of {rows:,} records state none" in card["description"]
    assert "creator" not in card
    assert "url" not in card
    manifest, files = card["distribution"]
    folder = root / "planted" / "releases" / "v2"
    held = (folder / manifest["contentUrl"]).read_bytes()
    assert hashlib.sha256(held).hexdigest() == manifest["sha256"]
    dataset = lance.dataset(f"{root}/planted/published.lance", version="v2")
    for fragment in dataset.get_fragments():
        for file in fragment.data_files():
            assert Path(file.path).name.encode() in held
    assert list(folder.glob(files["includes"]))
    fields = {field["name"]: field for field in card["recordSet"][0]["field"]}
    assert set(fields) == set(dataset.schema.names)
    assert fields["digit_ratio"]["dataType"] == "cr:Float64"
    assert fields["event_time"]["dataType"] == "sc:DateTime"
    assert fields["parent_ids"]["repeated"] is True
    ids = {node["@id"] for node in (manifest, files, card["recordSet"][0], *fields.values())}
    referred = re.findall(r'\{"@id": "([^"]+)"\}', json.dumps(card))
    assert set(referred) <= ids | {"cr:data"}
    assert {field["source"]["fileSet"]["@id"] for field in fields.values()} == {files["@id"]}


def test_the_card_for_the_hub_has_true_front_matter(lake: tuple[Path, list[StageResult]], query: Any) -> None:
    from ruamel.yaml import YAML

    text = documents(lake[0], "v2")["README.md"]
    _, front, body = text.split("---\n", 2)
    said = YAML(typ="safe").load(front)
    assert said["license"] == ["cc-by-4.0", "unknown"]
    assert said["size_categories"] == ["n<1K"]
    assert "language" not in said
    rows = query("select count(*) from v2")[0][0]
    assert f"{rows:,} records" in body
    for source, n in query("select source, count(*) from v2 group by 1"):
        assert f"| {source} | {n:,} |" in body
    assert "script" not in body


def test_a_card_without_licence_or_date_says_so(tmp_path: Path) -> None:
    (tmp_path / "landing" / "only").mkdir(parents=True)
    lines = [json.dumps({"id": str(i), "text": f"{SCRIPT} record number {i}"}) for i in range(20)]
    (tmp_path / "landing" / "only" / "a.jsonl").write_text("\n".join(lines))
    publish(tmp_path, BARE.replace("version: 1", "version: 1\nowner: team-x\ndescription: Bare <b>records</b>."))
    folder = tmp_path / "bare" / "releases" / "v1"
    card = json.loads((folder / "card.croissant.json").read_text())
    assert "license" not in card
    assert "temporalCoverage" not in card
    assert "inLanguage" not in card
    assert card["description"].startswith("Bare <b>records</b>. Release v1 of the corpus bare: ")
    assert "No record states a licence" in card["description"]
    readme = (folder / "README.md").read_text()
    assert "\nlicense: unknown\n" in readme
    assert "Bare &lt;b&gt;records&lt;/b&gt;." in readme
    assert "Who to ask: team-x." in readme
    assert "No record has a date" in readme


def test_an_empty_release_has_all_three_documents(tmp_path: Path) -> None:
    (tmp_path / "landing" / "only").mkdir(parents=True)
    (tmp_path / "landing" / "only" / "a.jsonl").write_text('{"id": "1", "text": "one record without digits"}\n')
    recipe = BARE.replace("{method: uniform, ", "{method: threshold, by: digit_ratio, threshold: 0.9, ")
    recipe = recipe.replace("score:\n", "score:\n  - {op: text.characters}\n")
    result = publish(tmp_path, recipe + "gates: {published: {min_rows: 0}}\n")
    assert "page_problem" not in result.metadata
    folder = tmp_path / "bare" / "releases" / "v1"
    assert "size_categories" not in (folder / "README.md").read_text()
    assert "The release holds no record" in json.loads((folder / "card.croissant.json").read_text())["description"]


def test_examples_are_thirty_a_rule_and_can_be_shown_unmasked(tmp_path: Path) -> None:
    (tmp_path / "landing" / "only").mkdir(parents=True)
    lines = [json.dumps({"id": str(i), "text": f"write to jane.doe{i}@company.org"}) for i in range(40)]
    lines += [json.dumps({"id": f"k{i}", "text": "a record that is long enough to be kept by the rule"}) for i in "ab"]
    (tmp_path / "landing" / "only" / "a.jsonl").write_text("\n".join(lines))
    publish(
        tmp_path,
        BARE.replace("score:", "clean:\n  - {op: text.length, min_words: 5}\nscore:")
        + "gates: {cleaned: {min_kept_fraction: 0}}\n",
    )
    pages = {}
    for name, more in (("masked", []), ("unmasked", ["--unmasked"])):
        out = tmp_path / f"{name}.html"
        call = ["release", "show", "bare", "--root", str(tmp_path), "--out", str(out), *more]
        assert main(call) == 0
        pages[name] = out.read_text()
    assert "jane.doe" not in pages["masked"]
    assert pages["masked"].count("&lt;EMAIL&gt;") == 30
    assert len(re.findall(r"jane\.doe\d+@company\.org", pages["unmasked"])) == 30
    assert "personal data is NOT masked" in pages["unmasked"]
    assert '<details class="more"><summary>25 more</summary>' in pages["masked"]
    stored = (tmp_path / "bare" / "releases" / "v1" / "page.html").read_text()
    assert "jane.doe" not in stored
    ws = Workspace.open(str(tmp_path))
    release = find_release(ws, "bare", "v1")
    (rule,) = [r for r in release_facts(ws, "bare", release)["examples"] if r["reason"] == "min_words"]
    ids = sorted(lance.dataset(f"{tmp_path}/bare/quarantine.lance").to_table()["record_id"].to_pylist())
    assert [record["record_id"] for record in rule["records"]] == ids[:30]
    assert rule["rows"] == 40


@pytest.mark.parametrize(
    "arguments", [["--out", "page.pdf"], ["--unmasked"], ["--out", "card.md", "--unmasked"], ["--out", "no/p.html"]]
)
def test_a_document_nobody_can_make_is_a_wrong_call(
    lake: tuple[Path, list[StageResult]], arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["release", "show", "planted", "--root", str(lake[0]), *arguments]) == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("suffix", "begins"), [("html", "<!doctype html>"), ("md", "---\n"), ("json", "{\n")])
def test_the_suffix_chooses_the_document(
    lake: tuple[Path, list[StageResult]], tmp_path: Path, suffix: str, begins: str
) -> None:
    out = tmp_path / f"release.{suffix}"
    assert main(["release", "show", "planted", "--root", str(lake[0]), "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8").startswith(begins)


def test_a_record_refused_on_the_way_in_is_explained_by_its_place(lake: tuple[Path, list[StageResult]]) -> None:
    walk = explain(Workspace.open(str(lake[0])), "landing/news/more.jsonl:0")
    assert walk.verdict.startswith("quarantined at raw, rejected: source.map missing_event_time")
    assert explain(Workspace.open(str(lake[0])), f"{lake[0]}/landing/news/more.jsonl:0") == walk
    assert walk.status == "quarantined"
    assert walk.releases == ()
    (step,) = [step for step in walk.steps if step.table == "quarantine"]
    assert step.stage == "raw"
    assert "nobody knows when" in step.values["payload_excerpt"]
    assert [s.stage for s in walk.steps] == ["landing", "raw"]


def test_a_copy_is_explained_beside_its_twin(lake: tuple[Path, list[StageResult]], query: Any) -> None:
    record_id, kept = query("select record_id, kept_record_id from duplicates order by 1 limit 1")[0]
    walk = explain(Workspace.open(str(lake[0])), record_id)
    assert walk.twin is not None
    assert (walk.twin.record_id, walk.twin.keeper, walk.twin.same_text) == (kept, True, True)
    assert walk.twin.excerpt == walk.twin.twin_excerpt
    cleaned = lance.dataset(f"{lake[0]}/planted/cleaned.lance").to_table(filter=f"record_id = '{kept}'")
    assert walk.twin.twin_excerpt == cleaned["text"][0].as_py()[:600]


def test_a_record_that_left_is_explained_with_the_releases_that_hold_it(
    lake: tuple[Path, list[StageResult]], query: Any
) -> None:
    gone = query(
        "select record_id from v1 where record_id not in (select record_id from v2) and record_id in "
        "(select record_id from sampled where not selected) order by 1 limit 1"
    )[0][0]
    walk = explain(Workspace.open(str(lake[0])), gone)
    assert walk.status == "not_selected"
    assert walk.releases == ("v1",)
    assert "an earlier release holds it: v1" in walk.verdict
    draw, probability = query(f"select draw, probability from sampled where record_id = '{gone}'")[0]
    assert f"draw {draw:.4g} at probability {probability:.4g}" in walk.verdict
    values = next(step.values for step in walk.steps if step.table == "sampled")
    scores = lance.dataset(f"{lake[0]}/planted/scored.lance").to_table(columns=["record_id", "digit_ratio"])
    own = dict(zip(scores["record_id"].to_pylist(), scores["digit_ratio"].to_pylist(), strict=True))
    assert values["score"] == own[gone]
    assert values["scored_below"] == sum(value < own[gone] for value in own.values())
    assert values["scored_records"] == len(own)


def test_dagster_links_the_documents(lake: tuple[Path, list[StageResult]]) -> None:
    import dagster as dg

    from assets.events import result_metadata

    result = lake[1][1]
    shown = result_metadata(result)
    for name in ("page", "card", "readme"):
        file = str(result.metadata[name]).rpartition("/")[2]
        assert shown[name] == dg.MetadataValue.url(f"/lake/planted/releases/v2/{file}")
    on_s3 = replace(result, metadata={**result.metadata, "page": "s3://bucket/lake/planted/releases/v2/page.html"})
    assert result_metadata(on_s3)["page"] == shown["page"]
    without = replace(result, metadata={"release": "v2", "page_problem": "OSError: disk full"})
    assert result_metadata(without)["page_problem"] == "OSError: disk full"


@pytest.mark.slow
@pytest.mark.s3
def test_documents_are_stored_on_s3_too(s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    bucket = s3_server.make_bucket()
    land(tmp_path)
    for path in (tmp_path / "landing").rglob("*.jsonl"):
        key = f"lake/{path.relative_to(tmp_path).as_posix()}"
        s3_server.client().put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    _, recipe = open_recipe(tmp_path, tmp_path / "recipe.yaml")
    result = run_all(Workspace.open(f"s3://{bucket}/lake"), recipe)[-1]
    assert result.metadata["page"] == f"s3://{bucket}/lake/planted/releases/v1/page.html"
    for name in ("page.html", "card.croissant.json", "README.md"):
        stored = s3_server.client().get_object(Bucket=bucket, Key=f"lake/planted/releases/v1/{name}")
        assert b"planted" in stored["Body"].read()


def test_values_in_messages_of_gates_are_masked() -> None:
    from winnowry.releases.facts.facts import _without_personal_data

    verdicts = {
        "notable": [{"message": "author: match regex: 1 of 9 rows do not meet it, such as 'jane.doe@company.org'"}],
        "own": [{"message": None, "observed": "jane.doe@company.org"}, {"message": "n_rows is 5", "observed": "5"}],
    }
    assert _without_personal_data(verdicts) == {
        "notable": [{"message": "author: match regex: 1 of 9 rows do not meet it, such as '<EMAIL>'"}],
        "own": [{"message": None, "observed": "<EMAIL>"}, {"message": "n_rows is 5", "observed": "5"}],
    }
