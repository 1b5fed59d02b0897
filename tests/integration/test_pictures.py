"""Pictures walk from files to a release: measured as they are shown, those that look alike kept once, all explained."""

from __future__ import annotations

import base64
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("simplejpeg")
pytest.importorskip("pi_heif")

from PIL import Image

from tests.pictures import gif, quadrants, saved, scene, turned
from tests.walk import open_recipe, run_all
from winnowry.cli.main import main
from winnowry.lakehouse.blobs import read_blobs
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.result import StageResult
from winnowry.releases.facts.facts import release_facts
from winnowry.releases.releases import releases

RECIPE = """\
version: 1
corpus: shots
sources:
  - {name: shots, uri: "landing/shots/**/*.*", format: files, kind: image, partition: {by: path, part: -2}}
clean:
  - {op: image.measure, min_side: 100, min_entropy: null}
  - {op: image.piqe}
  - {op: image.resolution}
  - {op: image.stability}
  - {op: dedup.image, keep: best, by: n_pixels}
score:
  - {op: score.column, column: piqe}
sample: {method: top_k, by: piqe_score, prefer: lowest, fraction: 1.0, seed: 3}
"""

RESULTS: list[StageResult] = []
"""Of the run that made the lake."""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    large = Image.fromarray(scene(1, 600, 800))
    files = {
        **{f"phone/o{tag}.jpg": turned(quadrants(), tag, "JPEG", quality=95) for tag in (0, *range(1, 10))},
        "phone/o6.png": turned(quadrants(), 6, "PNG"),
        "phone/o6.webp": turned(quadrants(), 6, "WEBP", lossless=True),
        "web/large.png": saved(large, "PNG"),
        "web/thumb.jpg": saved(large.resize((400, 300)), "JPEG", quality=60),
        "web/other.jpg": saved(scene(2), "JPEG"),
        "web/red.png": saved(np.full((256, 256, 3), (200, 0, 0), np.uint8), "PNG"),
        "web/blue.png": saved(np.full((256, 256, 3), (0, 0, 254), np.uint8), "PNG"),
        "web/many.gif": gif(*((k % 230, k % 190, 2, 2, 1) for k in range(40))),
        "web/cut.jpg": saved(large, "JPEG")[:9000] + b"\xff\xd9",
        "web/page.jpg": b"<html>not found</html>",
        "web/icon.png": saved(scene(3, 32, 32), "PNG"),
    }
    for name, data in files.items():
        path = folder / "landing/shots" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / "shots.yaml").write_text(RECIPE)
    RESULTS[:] = run_all(*open_recipe(folder, folder / "shots.yaml"))
    return folder


def rows(lake: Path, table: str, *columns: str) -> dict[str, dict[str, Any]]:
    view = Workspace.open(str(lake)).lake.open("shots", table)
    held = view.to_table(columns=["record_id", "uri", *columns]).to_pylist()
    return {row["uri"].rpartition("shots/")[2]: row for row in held}


def test_pictures_that_look_alike_are_kept_once_and_the_others_are_all_told(lake: Path) -> None:
    cleaned = rows(lake, "cleaned", "width", "height", "phash", "n_frames")
    assert {(row["width"], row["height"]) for name, row in cleaned.items() if name.startswith("phone/")} == {(240, 160)}
    reasons = rows(lake, "quarantine", "reason", "value", "columns")
    assert {name: row["reason"] for name, row in reasons.items()} == {
        "web/cut.jpg": "decodable", "web/page.jpg": "decodable", "web/icon.png": "min_side",
    }  # fmt: skip
    assert "truncated" in reasons["web/cut.jpg"]["value"]
    names = {row["record_id"]: name for name, row in cleaned.items()}
    left_out = Workspace.open(str(lake)).lake.open("shots", "duplicates").to_table().to_pylist()
    assert len([row for row in left_out if names[row["record_id"]].startswith("phone/")]) == 11
    (thumb,) = [row for row in left_out if names[row["record_id"]].startswith("web/")]
    assert (names[thumb["record_id"]], names[thumb["kept_record_id"]]) == ("web/thumb.jpg", "web/large.png")
    published = rows(lake, "published", "piqe", "thumbnail", "phash", "n_pixels")
    assert {name for name in published if name.startswith("web/")} == {
        "web/large.png", "web/other.jpg", "web/red.png", "web/blue.png", "web/many.gif",
    }  # fmt: skip
    assert "image_key" not in Workspace.open(str(lake)).lake.open("shots", "published").schema.names
    assert all(0 < len(row["thumbnail"]) <= 8192 and 0 <= row["piqe"] <= 100 for row in published.values())


def test_a_release_has_the_bytes_of_the_files(lake: Path) -> None:
    dataset = Workspace.open(str(lake)).lake.open("shots", "published").dataset()
    table = dataset.to_table(columns=["uri"], with_row_address=True)
    contents = read_blobs(dataset, "payload", table["_rowaddr"].combine_chunks())
    assert all((lake / uri).read_bytes() == data for uri, data in zip(table["uri"].to_pylist(), contents, strict=True))


def test_explain_says_how_far_two_pictures_are_apart_and_where_both_lie(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = rows(lake, "cleaned")["web/thumb.jpg"]["record_id"]
    assert main(["explain", name, "--root", str(lake), "--json"]) == 0
    walk = json.loads(capsys.readouterr().out)
    step = next(step for step in walk["steps"] if step["table"] == "duplicates")
    differing = step["values"]["bits_apart"]
    assert step["outcome"].endswith(f"one of 2 in its group; {differing} of 64 bits differ")
    assert step["values"]["similarity"] == 1 - differing / 64
    assert (step["values"]["uri"], step["values"]["twin_uri"]) == (
        "landing/shots/web/thumb.jpg", "landing/shots/web/large.png",
    )  # fmt: skip
    cleaned = next(step for step in walk["steps"] if step["table"] == "cleaned")
    assert cleaned["values"]["thumbnail"].endswith(("B", "KB", "KiB"))


@pytest.mark.parametrize(
    ("name", "table", "decoded"),
    [
        ("web/large.png", "cleaned", "PNG, 800×600 pixels as shown, 8 bits a sample"),
        ("phone/o6.jpg", "cleaned", "JPEG, 240×160 pixels as shown, 8 bits a sample, stored with orientation 6"),
        ("web/many.gif", "cleaned", "GIF, 240×200 pixels as shown, 8 bits a sample, 40 frames"),
        ("web/icon.png", "quarantine", "PNG, 32×32 pixels as shown, 8 bits a sample"),
        ("web/page.jpg", "quarantine", "not: no picture of a known format"),
    ],
)
def test_explain_says_what_was_decoded_and_where_the_picture_lies(
    lake: Path, name: str, table: str, decoded: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", rows(lake, table)[name]["record_id"], "--root", str(lake), "--json"]) == 0
    step = next(step for step in json.loads(capsys.readouterr().out)["steps"] if step["table"] == table)
    assert step["values"]["decoded"] == decoded
    assert Path(step["values"]["file"]).samefile(lake / "landing/shots" / name)


def test_dagster_shows_pictures_of_a_release(lake: Path) -> None:
    import dagster as dg

    from assets.events import RESULT_KEY, result_metadata

    (result,) = [one for one in RESULTS if one.stage == "published"]
    shown = result_metadata(result)
    assert isinstance(shown["pictures"], dg.MarkdownMetadataValue)
    thumbnails = [row["thumbnail"] for row in rows(lake, "published", "thumbnail").values()]
    held = [one for one in thumbnails if base64.b64encode(one).decode() in str(shown["pictures"].value)]
    assert held
    assert len(str(shown["pictures"].value)) <= 12 << 10
    assert "pictures" not in shown[RESULT_KEY].value["metadata"]  # programs read it: no pictures there


def test_a_moved_distance_decides_anew_and_decodes_nothing(lake: Path, tmp_path: Path) -> None:
    copy = tmp_path / "lake"
    copy.mkdir()
    shutil.copytree(lake, copy, dirs_exist_ok=True)
    (copy / "shots.yaml").write_text(RECIPE.replace("by: n_pixels", "by: n_pixels, max_distance: 0"))
    results = run_all(*open_recipe(copy, copy / "shots.yaml"))
    statuses = {
        status: {r.stage for r in results if r.status == status} for status in Counter(r.status for r in results)
    }
    assert "cleaned" in statuses["skipped"]
    assert "duplicates" in statuses["promoted"]


def test_a_budget_may_be_a_number_of_pictures(lake: Path, tmp_path: Path) -> None:
    copy = tmp_path / "lake"
    shutil.copytree(lake, copy)
    (copy / "shots.yaml").write_text(RECIPE.replace("fraction: 1.0", "budget: {images: 3}"))
    results = {result.stage: result for result in run_all(*open_recipe(copy, copy / "shots.yaml"))}
    drawn, release = results["sampled"].metadata, results["published"]
    assert (drawn["budget_images"], drawn["selected_images"], drawn["selected_rows"]) == (3, 3, 3)
    best = sorted(row["piqe"] for row in rows(lake, "published", "piqe").values())[:3]
    chosen = rows(copy, "published", "piqe", "n_pixels").values()
    assert sorted(row["piqe"] for row in chosen) == best
    assert (release.unit, release.size) == ("pixels", sum(row["n_pixels"] for row in chosen))


def test_the_page_ranks_what_people_see_against_what_a_machine_gets(lake: Path) -> None:
    from scipy.stats import spearmanr

    held = list(rows(lake, "published", "piqe", "flipped_bits_jpeg").values())
    known = [(row["piqe"], row["flipped_bits_jpeg"]) for row in held if row["flipped_bits_jpeg"] is not None]
    expected = float(spearmanr(*zip(*known, strict=True)).statistic)
    ws = Workspace.open(str(lake))
    found = release_facts(ws, "shots", releases(ws, "shots")[0])
    pairs = {(pair["people"], pair["machine"]): pair for pair in found["families"]["pairs"]}
    pair = pairs["piqe", "flipped_bits_jpeg"]  # of both the lower is better: the sign stays
    assert (pair["agreement"], pair["records"]) == (pytest.approx(expected), len(known))
    items = {item["name"]: item["status"] for item in found["tc609"]["indicators"]}
    assert [items[f"image: {name}"] for name in ("resolution", "clarity", "duplication rate")] == ["measured"] * 3


def test_the_page_of_a_release_shows_pictures_and_those_that_rules_left_out_and_reads_no_file(
    lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("winnowry.report.thumbnails.thumbnail", None)
    monkeypatch.setattr("winnowry.releases.facts.pictures.read_contents", None)
    page = tmp_path / "page.html"
    assert main(["release", "show", "shots", "--root", str(lake), "--out", str(page)]) == 0
    capsys.readouterr()
    shown = page.read_text()
    published = rows(lake, "published", "thumbnail")
    pictures = [f"base64,{base64.b64encode(row['thumbnail']).decode()}" for row in published.values()]
    assert all(picture in shown for picture in pictures)
    icon = json.loads(rows(lake, "quarantine", "columns")["web/icon.png"]["columns"])["thumbnail"]
    assert f"base64,{icon}" in shown
    assert shown.count("data:image/jpeg") == len(published) + 1 + 4  # the icon, and four of the duplicates
    assert len(shown) < 3_000_000
