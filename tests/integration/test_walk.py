"""The whole walk on a small corpus: every record accounted for, nothing redone, order without effect."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.small_corpus import RECIPE, Planted, land, write_recipe
from tests.walk import open_recipe, run_all
from winnowry.core.errors import EmptySourceError, MissingPartitionsError, UsageError
from winnowry.inspect.what_if import what_if
from winnowry.promotion.result import GateFailed
from winnowry.recipe.load import apply_overrides
from winnowry.stages.plan import plan
from winnowry.stages.run import run_stage


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Planted, list[Any]]:
    root = tmp_path_factory.mktemp("walk")
    planted = land(root)
    ws, recipe = open_recipe(root, write_recipe(root))
    return root, planted, run_all(ws, recipe)


@pytest.fixture
def copy(walked: tuple[Path, Planted, list[Any]], tmp_path: Path) -> Path:
    """A copy of the finished lake that a test may change; landing times are kept, so nothing looks changed."""
    target = tmp_path / "lake"
    shutil.copytree(walked[0], target)
    return target


def _ids(ws: Any, table: str, where: str | None = None) -> set[str]:
    return set(ws.lake.open("small", table).to_table(columns=["record_id"], where=where)["record_id"].to_pylist())


def _lines(root: Path) -> list[bytes]:
    return [
        line
        for path in sorted((root / "landing/small").glob("*.gz"))
        for line in gzip.decompress(path.read_bytes()).splitlines()
    ]


def test_every_line_of_the_landing_is_in_raw_or_in_quarantine(walked: Any) -> None:
    root, planted, _ = walked
    ws, _ = open_recipe(root, root / "small.yaml")
    raw, unread = _ids(ws, "raw"), _ids(ws, "quarantine", "stage = 'raw'")
    assert len(raw) + len(unread) == planted.n_records == len(_lines(root))
    assert len(unread) == planted.n_unreadable
    assert not raw & unread


def test_unreadable_lines_keep_their_position_and_bytes(walked: Any) -> None:
    root, planted, _ = walked
    ws, _ = open_recipe(root, root / "small.yaml")
    rows = ws.lake.open("small", "quarantine").to_table(where="stage = 'raw'").to_pylist()
    assert {row["position"] for row in rows} == {7}  # where the small corpus plants them
    assert {row["payload"] for row in rows} == {b'{"id": "broken", "html": "no end'}
    assert {row["reason"] for row in rows} == {"bad_json"}
    assert len({row["uri"] for row in rows}) == planted.n_unreadable


def test_each_planted_record_meets_its_planted_fate(walked: Any) -> None:
    root, planted, _ = walked
    ws, _ = open_recipe(root, root / "small.yaml")
    reasons = ws.lake.open("small", "quarantine").to_table(where="stage = 'cleaned'")["reason"].to_pylist()
    assert reasons.count("min_words") == planted.n_short
    assert reasons.count("keep") == planted.n_foreign
    assert len(reasons) == planted.n_short + planted.n_foreign
    assert len(_ids(ws, "duplicates")) == planted.n_duplicates


def test_cleaned_and_quarantine_partition_raw(walked: Any) -> None:
    ws, _ = open_recipe(walked[0], walked[0] / "small.yaml")
    raw, cleaned, rejected = _ids(ws, "raw"), _ids(ws, "cleaned"), _ids(ws, "quarantine", "stage = 'cleaned'")
    assert cleaned | rejected == raw
    assert not cleaned & rejected


def test_published_is_the_selection_and_its_tokens_meet_the_budget(walked: Any) -> None:
    ws, _ = open_recipe(walked[0], walked[0] / "small.yaml")
    assert _ids(ws, "published") == _ids(ws, "sampled", "selected")
    sampled = ws.lake.open("small", "sampled").to_table().to_pylist()
    budget = int(0.3 * sum(row["n_tokens"] for row in sampled))
    selected = sum(row["n_tokens"] for row in sampled if row["selected"])
    assert budget - max(row["n_tokens"] for row in sampled) < selected <= budget


def test_the_release_is_tagged_and_readable_by_tag(walked: Any) -> None:
    ws, _ = open_recipe(walked[0], walked[0] / "small.yaml")
    tags = ws.lake.tags("small")
    assert tags["v1"] == tags["prod"]
    assert ws.lake.open("small", "published", "prod").count_rows() == len(_ids(ws, "published"))


def test_a_second_run_does_nothing(copy: Path) -> None:
    ws, recipe = open_recipe(copy, copy / "small.yaml")
    # The copy lies elsewhere, so its objects have other URIs; bring it up to date once, then ask again.
    run_all(ws, recipe)
    versions = {name: ws.lake.table("small", name).dataset().version for name in ws.lake.tables("small")}
    results = run_all(ws, recipe)
    assert {result.status for result in results} == {"skipped"}
    assert versions == {name: ws.lake.table("small", name).dataset().version for name in ws.lake.tables("small")}
    assert not plan(ws, recipe).to_run


def test_a_lake_that_was_copied_elsewhere_is_as_fresh_as_it_was(copy: Path) -> None:
    ws, recipe = open_recipe(copy, copy / "small.yaml")
    assert {result.status for result in run_all(ws, recipe)} == {"skipped"}


def test_objects_that_were_touched_land_nothing_again(copy: Path) -> None:
    ws, recipe = open_recipe(copy, copy / "small.yaml")
    for path in (copy / "landing").rglob("*.gz"):
        os.utime(path)  # all objects have new etags, and the bytes they had
    assert {result.status for result in run_all(ws, recipe)} == {"skipped"}


def test_a_reingest_of_the_same_content_leaves_everything_downstream_fresh(copy: Path) -> None:
    ws, recipe = open_recipe(copy, copy / "small.yaml")
    for path in (copy / "landing").rglob("*.gz"):
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1, mtime=1))  # other bytes, equal records
    results = run_all(ws, recipe)
    ran = {result.stage for result in results if result.status == "promoted"}
    assert ran == {"landing", "raw"}


def test_a_changed_rule_reruns_cleaning_and_what_follows_but_not_raw(copy: Path) -> None:
    ws, recipe = open_recipe(copy, copy / "small.yaml")
    run_all(ws, recipe)
    changed = apply_overrides(recipe, ["text.length.min_words=60"])
    entries = {(e.stage, e.partition): e for e in plan(ws, changed).entries}
    assert entries["raw", "2019"].action == "skip"
    assert "min_words 40 → 60" in " ".join(entries["cleaned", "2019"].reasons)
    ran = {result.stage for result in run_all(ws, changed) if result.status == "promoted"}
    assert "raw" not in ran
    assert "cleaned" in ran


def test_what_if_predicts_what_the_changed_rule_then_does(copy: Path) -> None:
    ws, recipe = open_recipe(copy, copy / "small.yaml")
    changed = apply_overrides(recipe, ["text.length.min_words=120"])
    answer = what_if(ws, recipe, changed)
    run_all(ws, changed, to="cleaned")
    assert answer.kept_then + answer.undecided == len(_ids(ws, "cleaned"))
    assert 0 < answer.kept_then < answer.kept_now


def test_editing_the_sample_leaves_cleaning_and_scores_alone_and_makes_a_second_release(copy: Path) -> None:
    ws, recipe = open_recipe(copy, copy / "small.yaml")
    run_all(ws, recipe)
    before = _ids(ws, "published")
    results = run_all(ws, apply_overrides(recipe, ["sample.token_fraction=0.5"]))
    assert {r.stage for r in results if r.status == "promoted"} == {"sampled", "published"}
    after = _ids(ws, "published")
    assert before < after  # permanent random numbers: a larger budget keeps what a smaller one chose
    tags = ws.lake.tags("small")
    assert tags["prod"] == tags["v2"] != tags["v1"]
    assert ws.lake.open("small", "published", "v1").count_rows() == len(before)


@pytest.mark.parametrize("order", [("2021", "2020", "2019"), ("2020", "2021", "2019")])
def test_the_order_of_partitions_changes_no_decision(walked: Any, tmp_path: Path, order: tuple[str, ...]) -> None:
    root = walked[0]
    shutil.copytree(root / "landing", tmp_path / "landing")
    ws, recipe = open_recipe(tmp_path, write_recipe(tmp_path))
    run_all(ws, recipe, order=order)
    first, _ = open_recipe(root, root / "small.yaml")
    for table in ("duplicates", "sampled", "published"):
        columns = [n for n in ws.lake.open("small", table).schema.names if n != "promotion_id"]
        one, two = (
            sorted(
                lake.lake.open("small", table).to_table(columns=columns).to_pylist(), key=lambda row: row["record_id"]
            )
            for lake in (first, ws)
        )
        assert one == two


def test_a_new_partition_reruns_no_other_partition_up_to_cleaned(copy: Path) -> None:
    ws, recipe = open_recipe(copy, copy / "small.yaml")
    run_all(ws, recipe)
    land(copy, years=("2022",), per_year=20, seed=9)
    results = run_all(ws, recipe)
    ran = {(r.stage, r.partition) for r in results if r.status == "promoted"}
    assert {key for key in ran if key[0] in ("raw", "cleaned", "scored")} == {
        ("raw", "2022"), ("cleaned", "2022"), ("scored", "2022")}  # fmt: skip


def test_a_later_duplicate_that_is_earlier_in_time_becomes_the_keeper(tmp_path: Path) -> None:
    land(tmp_path, years=("2020", "2021"))
    ws, recipe = open_recipe(tmp_path, write_recipe(tmp_path))
    run_all(ws, recipe)
    kept = ws.lake.open("small", "duplicates").to_table().to_pylist()[0]["kept_record_id"]
    raw = ws.lake.open("small", "raw").to_table(where=f"record_id = '{kept}'").to_pylist()[0]
    earlier = {"id": "earlier", "html": raw["payload"], "api_version": "2018-01-01"}
    (tmp_path / "landing/small/2018.jsonl").write_text(json.dumps(earlier) + "\n")
    text = RECIPE.replace("*.jsonl.gz", "*.jsonl*")
    ws, recipe = open_recipe(tmp_path, write_recipe(tmp_path, text))
    run_all(ws, recipe)
    dropped = {
        row["record_id"]: row["kept_record_id"] for row in ws.lake.open("small", "duplicates").to_table().to_pylist()
    }
    assert kept in dropped
    new_keeper = ws.lake.open("small", "raw").to_table(where="partition = '2018'").to_pylist()[0]["record_id"]
    assert dropped[kept] == new_keeper
    assert kept not in _ids(ws, "scored")
    assert new_keeper in _ids(ws, "scored")


def test_a_corpus_wide_stage_refuses_missing_partitions_unless_told(tmp_path: Path) -> None:
    land(tmp_path)
    ws, recipe = open_recipe(tmp_path, write_recipe(tmp_path))
    from expectations.registry import suites_for

    run_all(ws, recipe, to="cleaned", order=["2019", "2020"])
    with pytest.raises(MissingPartitionsError, match="2021"):
        run_stage(ws, recipe, "duplicates", suites=suites_for, run_id="t")
    result = run_stage(ws, recipe, "duplicates", suites=suites_for, run_id="t", allow_missing=True)
    assert result.status == "promoted"


def test_an_empty_source_is_an_error_and_promotes_nothing(tmp_path: Path) -> None:
    from expectations.registry import suites_for

    ws, recipe = open_recipe(tmp_path, write_recipe(tmp_path))
    with pytest.raises(EmptySourceError, match="no object matches"):
        run_stage(ws, recipe, "landing", suites=suites_for, run_id="t")
    assert ws.lake.tables("small") == []


def test_an_unknown_partition_names_near_ones(walked: Any) -> None:
    from expectations.registry import suites_for

    ws, recipe = open_recipe(walked[0], walked[0] / "small.yaml")
    with pytest.raises(UsageError, match="2019"):
        run_stage(ws, recipe, "raw", "2018", suites=suites_for, run_id="t")


def test_a_release_has_the_columns_that_its_recipe_names_and_older_ones_keep_theirs(copy: Path) -> None:
    def columns(version: int | str | None) -> set[str]:
        return set(ws.lake.open("small", "published", version).schema.names)

    without = write_recipe(copy, RECIPE.replace("  - {op: text.language, keep: [en], min_score: 0.5}\n", ""))
    ws, recipe = open_recipe(copy, without)
    made = run_all(ws, recipe)[-1]
    assert {"language", "language_score"} <= columns("v1")
    assert columns("v1") - columns("v2") == {"language", "language_score"} == columns("v1") - columns(None)
    card = json.loads((copy / "small/releases/v2/card.croissant.json").read_text())
    assert "language" not in {field["name"] for field in card["recordSet"][0]["field"]}
    assert made.version == ws.lake.tags("small")["v2"] == ws.lake.tags("small")["prod"]
    ws, recipe = open_recipe(copy, write_recipe(copy))
    run_all(ws, recipe)
    rows = ws.lake.open("small", "published", "prod").to_table(["language"]).to_pylist()
    assert {row["language"] for row in rows} == {"en"}


def test_readers_see_nothing_of_a_new_column_before_its_gates_pass(copy: Path) -> None:
    from expectations.registry import suites_for

    def seen() -> tuple[int, list[str]]:
        dataset = ws.lake.table("small", "cleaned").dataset()
        return int(dataset.version), dataset.schema.names

    more = RECIPE.replace("  - {op: dedup.exact}", "  - {op: text.lines}\n  - {op: dedup.exact}")
    ws, recipe = open_recipe(copy, write_recipe(copy, more + "gates: {cleaned: {min_kept_fraction: 0.999}}\n"))
    before = seen()
    with pytest.raises(GateFailed, match="refused the candidate; the table is unchanged"):
        run_stage(ws, recipe, "cleaned", "2019", suites=suites_for, run_id="t")
    assert seen() == before
    ws, recipe = open_recipe(copy, write_recipe(copy, more))
    run_stage(ws, recipe, "cleaned", "2019", suites=suites_for, run_id="t")
    cleaned = ws.lake.open("small", "cleaned")
    rows = cleaned.count_rows("partition = '2019'")
    assert cleaned.count_rows("n_lines IS NOT NULL") == rows > 0  # and none of the partitions made without it
    run_all(ws, recipe, to="cleaned")
    assert ws.lake.open("small", "cleaned").count_rows("n_lines IS NULL") == 0


@pytest.mark.parametrize("change", ["sample.token_fraction=0.5", "sample.seed=11", "sample.method=top_k"])
def test_a_changed_sample_is_foretold_as_a_run_then_draws_it(copy: Path, change: str) -> None:
    ws, recipe = open_recipe(copy, copy / "small.yaml")
    changed = apply_overrides(recipe, [change])
    before = _ids(ws, "sampled", "selected")
    later = what_if(ws, recipe, changed).later
    assert later is not None
    run_all(ws, changed, to="sampled")
    rows = ws.lake.open("small", "sampled").to_table(where="selected").to_pylist()
    after = {row["record_id"] for row in rows}
    assert after != before
    assert (later.selected_now, later.selected_then) == (len(before), len(after))
    assert later.selected_tokens_then == sum(row["n_tokens"] for row in rows)
    assert (later.enters, later.leaves) == (len(after - before), len(before - after))
    assert (later.duplicates_then, later.not_judged) == (later.duplicates_now, ())


@pytest.mark.parametrize(
    ("change", "not_judged"),
    [
        ("dedup.exact.keep=longest", ["duplicates: not judged: the groups", "selection: not judged: it is drawn from"]),
        ("text.length.min_words=200", ["duplicates: not judged: records enter", "selection: not judged: it is drawn"]),
        ("gc.tier=tagged", ["selection: not judged: scores would be computed anew (gc: "]),
        ("publish.tag=canary", []),
    ],
)
def test_what_is_not_judged_is_said_with_the_reason(walked: Any, change: str, not_judged: list[str]) -> None:
    ws, recipe = open_recipe(walked[0], walked[0] / "small.yaml")
    later = what_if(ws, recipe, apply_overrides(recipe, [change])).later
    assert later is not None
    assert [why[: len(start)] for why, start in zip(later.not_judged, not_judged, strict=True)] == not_judged
    assert (later.selected_then is None) == any(why.startswith("selection") for why in not_judged)
    assert later.selected_now == len(_ids(ws, "sampled", "selected"))


def test_statistics_are_fitted_anew_when_that_is_asked_for(copy: Path) -> None:
    from expectations.registry import suites_for

    ws, recipe = open_recipe(copy, copy / "small.yaml")
    (file,) = (copy / "small" / "fits" / "gc").glob("*.json")
    fitted = file.read_bytes()
    file.write_bytes(fitted.replace(b'"format": 1', b'"format": 1, "of_before": 1'))
    assert run_stage(ws, recipe, "fit", suites=suites_for, run_id="t").status == "skipped"
    assert file.read_bytes() != fitted
    assert run_stage(ws, recipe, "fit", suites=suites_for, run_id="t", force=True).status == "promoted"
    assert file.read_bytes() == fitted


def test_a_rollback_holds_through_newer_releases_and_the_run_says_so(copy: Path) -> None:
    from winnowry.releases.releases import rollback

    ws, recipe = open_recipe(copy, copy / "small.yaml")
    second = apply_overrides(recipe, ["sample.token_fraction=0.5"])
    run_all(ws, second)
    rollback(ws, "small", "v1")
    made = run_all(ws, apply_overrides(recipe, ["sample.token_fraction=0.4"]))[-1]
    tags = ws.lake.tags("small")
    assert tags["prod"] == tags["v1"]
    assert made.metadata["release"] == "v3"
    assert made.version == tags["v3"]
    assert made.metadata["held"].startswith("prod stays at v1 (rolled back ")
    rollback(ws, "small", "v3")
    made = run_all(ws, second)[-1]
    tags = ws.lake.tags("small")
    assert tags["prod"] == tags["v4"] == made.version
    assert "held" not in made.metadata


def test_a_tagged_release_has_its_index(walked: Any) -> None:
    ws, _ = open_recipe(walked[0], walked[0] / "small.yaml")
    dataset = ws.lake.table("small", "published").dataset("prod")
    assert [index.field_names for index in dataset.describe_indices()] == [["record_id"]]


def test_a_moved_threshold_rewrites_no_published_row_that_it_does_not_touch(copy: Path) -> None:
    ws, recipe = open_recipe(copy, copy / "small.yaml")
    run_all(ws, recipe)
    rows = {r["record_id"]: r["promotion_id"] for r in ws.lake.open("small", "published").to_table().to_pylist()}
    results = run_all(ws, apply_overrides(recipe, ["text.length.max_words=90000"]))  # drops nobody
    published = next(r for r in results if r.stage == "published")
    assert published.metadata["rows_added"] == 0
    after = {r["record_id"]: r["promotion_id"] for r in ws.lake.open("small", "published").to_table().to_pylist()}
    assert after == rows
