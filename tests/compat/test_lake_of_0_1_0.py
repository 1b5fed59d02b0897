"""What version 0.1.0 wrote is read as it was: a lake on disk outlives the code that wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compat import lake as kept


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake; tests that share it only read."""
    return kept.unpack(tmp_path_factory.mktemp("lake_of_0_1_0"))


@pytest.mark.parametrize("name", kept.QUESTIONS)
def test_a_command_answers_as_0_1_0_did(lake: Path, name: str) -> None:
    assert kept.stored(kept.ask(lake, *kept.QUESTIONS[name]), lake) == kept.golden(name)


@pytest.mark.parametrize("name", kept.INPUTS)
def test_stages_read_the_inputs_that_they_read_in_0_1_0(lake: Path, name: str) -> None:
    assert kept.inputs(lake, kept.INPUTS[name]) == kept.golden(name)


@pytest.mark.parametrize("recipe", kept.recipe_files(), ids=kept.recipe_name)
def test_a_recipe_has_the_hashes_and_inputs_it_had_in_0_1_0(recipe: Path, tmp_path: Path) -> None:
    assert kept.hashes(recipe, tmp_path) == kept.golden(kept.recipe_name(recipe))


def test_every_golden_is_asked_for() -> None:
    names = {*kept.QUESTIONS, *kept.INPUTS, *map(kept.recipe_name, kept.recipe_files())}
    assert {path.stem for path in kept.GOLDENS.glob("*.json")} == names


def test_records_of_every_fate_are_among_the_goldens() -> None:
    fates = {fate: kept.golden(f"explain_{fate}")["status"] for fate in kept.FATES}
    assert fates == {
        "published": "published",
        "not_selected": "not_selected",
        "quarantined": "quarantined",
        "left_with_v2": "quarantined",
        "exact_duplicate": "duplicate",
        "near_duplicate": "duplicate",
        "unreadable": "quarantined",
        "undated": "quarantined",
    }


def test_a_run_makes_nothing_past_raw_again(tmp_path: Path) -> None:
    """Landing objects are known by their address, which is another one here; what they hold is not."""
    root = kept.unpack(tmp_path)
    before = _versions(root)
    outcome = kept.ask(root, "run", "compat.yaml", "--without-dagster", "--jobs", "1")
    again = {result["stage"] for result in outcome["results"] if result["status"] != "skipped"}
    assert again <= {"landing", "raw"}
    assert _versions(root) == before
    for name in ("table_compat_published", "release_list", "release_show_v1", "release_diff", "column_list"):
        assert kept.stored(kept.ask(root, *kept.QUESTIONS[name]), root) == kept.golden(name)
    assert kept.ask(root, "plan", "compat.yaml")["n_run"] == 0


def _versions(root: Path) -> dict[str, int]:
    """Versions of the tables that a run of raw leaves alone: it writes what it rejects and how it was judged."""
    written = [f"compat.{name}" for name in ("landing", "raw", "quarantine", "gates")]
    rows = kept.ask(root, *kept.QUESTIONS["view_tables"])
    return {row["name"]: row["version"] for row in rows if row["name"] not in written}


def test_old_releases_are_read_by_their_tags_without_winnowry(lake: Path) -> None:
    import lance

    rows = {
        tag: lance.dataset(str(lake / "compat" / "published.lance"), version=tag).count_rows()
        for tag in ("v1", "v2", "prod")
    }
    listed = {release["name"]: release["rows"] for release in kept.golden("release_list")["releases"]}
    assert rows == {**listed, "prod": listed["v1"]}
