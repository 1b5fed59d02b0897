"""A corpus of films walks from files to a release of clips: spans, no bytes copied, duplicates, seconds, export."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("av", reason="needs the extra winnowry[video]")

from expectations.registry import suites_for
from tests.film_files import film, moving
from tests.walk import open_recipe, run_all
from winnowry.cli.main import main
from winnowry.lakehouse.workspace import Workspace
from winnowry.operators.media.films import decode_film
from winnowry.promotion.partitions import partitions_of
from winnowry.recipe.load import apply_overrides
from winnowry.stages.published import Published
from winnowry.stages.run import run_stage

RECIPE = """\
version: 1
corpus: clips
sources:
  - {name: films, uri: "landing/**/*.*", format: files, kind: video, partition: none}
clean:
  - {op: video.facts}
  - {op: video.shots, min_s: 1}
  - {op: video.measure, min_s: 1, min_motion: null}
  - {op: dedup.image, max_distance: 4}
sample: {method: uniform, budget: {seconds: 100}, seed: 1}
"""
LEFT = {
    "short": ("video.shots", "min_s"),
    "black": ("video.measure", "max_black"),
    "html": ("video.facts", "decodable"),
}


def scenes(*ends_ms: int) -> Any:
    """Scenes one after the other; each ends at a time."""
    return lambda at: moving(next((n for n, end in enumerate(ends_ms) if at < end), len(ends_ms)), at)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("clips")
    (root / "landing").mkdir()
    files = {
        "two.mp4": film(range(0, 4000, 100), scenes(2000)),
        "short.mp4": film(range(0, 3500, 100), lambda at: moving(2 if at < 3000 else 0, at)),
        "black.mp4": film(range(0, 2000, 100), lambda at: np.zeros((180, 240, 3), np.uint8)),
        "again.mkv": film(range(0, 2000, 100), scenes(2000), form="matroska"),
        "page.mp4": b"<html>404</html>",
    }
    for name, data in files.items():
        (root / "landing" / name).write_bytes(data)
    (root / "clips.yaml").write_text(RECIPE)
    ws, recipe = open_recipe(root, root / "clips.yaml")
    assert {result.status for result in run_all(ws, recipe)} == {"promoted"}
    return ws


def rows(ws: Workspace, table: str) -> list[dict[str, Any]]:
    return ws.lake.open("clips", table).to_table().to_pylist()


def test_shots_are_records_and_what_is_left_out_is_named(lake: Workspace) -> None:
    cleaned = rows(lake, "cleaned")
    spans = sorted((row["uri"], row["span"]["start"], row["span"]["end"]) for row in cleaned)
    assert spans == [
        ("landing/again.mkv", 0.0, 2.0),
        ("landing/short.mp4", 0.0, 3.0),
        ("landing/two.mp4", 0.0, 2.0),
        ("landing/two.mp4", 2.0, 4.0),
    ]
    reasons = {(row["operator"], row["reason"]) for row in rows(lake, "quarantine")}
    assert reasons == set(LEFT.values())
    (duplicate,) = rows(lake, "duplicates")
    by_id = {row["record_id"]: row["uri"] for row in cleaned}
    pair = {by_id[duplicate["record_id"]], by_id[duplicate["kept_record_id"]]}
    assert pair == {"landing/again.mkv", "landing/two.mp4"}
    assert duplicate["similarity"] >= 1 - 4 / 64


def test_a_release_of_clips_holds_spans_and_pictures_and_no_bytes_of_films(lake: Workspace) -> None:
    published = rows(lake, "published")
    assert len(published) == 3
    assert "payload" not in published[0]
    assert sum(row["duration_ms"] for row in published) == 7000
    page = (Path(lake.root) / "clips/releases/v1/page.html").read_text()
    assert page.count('<img alt="') >= 3
    assert "short.mp4 from 0.0 s, video/mp4, 3.0 s" in page
    assert all(row["thumbnail"][:2] == b"\xff\xd8" and len(row["thumbnail"]) <= 8 << 10 for row in published)


def test_clips_are_exported_as_films_of_their_own(lake: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["export", "clips", "--format", "webdataset", "--out", str(out), "--root", lake.root]) == 0
    lengths = []
    for archive in out.glob("*.tar"):
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.name.endswith(".mp4"):
                    data = tar.extractfile(member)
                    assert data is not None
                    facts = decode_film(data.read(), ()).facts
                    lengths.append((round(facts.duration_s, 2), facts.n_frames, facts.width, facts.height))
    assert sorted(lengths) == [(2.0, 20, 240, 180), (2.0, 20, 240, 180), (3.0, 30, 240, 180)]


def test_a_release_keeps_the_films_that_its_clips_were_made_from_though_others_arrive_meanwhile(
    lake: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(lake.root, tmp_path / "lake")
    ws, recipe = open_recipe(tmp_path / "lake", tmp_path / "lake" / "clips.yaml")
    before = ws.lake.open("clips", "raw").version
    made = {row["content_sha256"] for row in lake.lake.open("clips", "published").to_table().to_pylist()}
    begin = Published.__init__

    def while_another_run_takes_in(production: Published, work: Any) -> None:
        # Another run promotes `raw` anew, after this one looked at what it is made from.
        landing = tmp_path / "lake" / "landing"
        (landing / "two.mp4").write_bytes(film(range(0, 3000, 100), scenes(1500)))
        run_stage(ws, recipe, "landing", None, suites=suites_for, run_id="other")
        (key,) = partitions_of(ws, recipe)
        assert run_stage(ws, recipe, "raw", key, suites=suites_for, run_id="other").status == "promoted"
        begin(production, work)

    monkeypatch.setattr(Published, "__init__", while_another_run_takes_in)
    changed = apply_overrides(recipe, ["sample.seed=2", "sample.budget={seconds: 5}"])
    results = run_all(ws, changed)
    assert [result.status for result in results if result.stage == "published"] == ["promoted"]
    assert ws.lake.open("clips", "raw").version > before
    assert ws.lake.tags("clips", "raw")["v2"] == before
    held = {
        row["content_sha256"] for row in ws.lake.open("clips", "raw", "v2").to_table(["content_sha256"]).to_pylist()
    }
    assert made <= held
