"""A corpus of images walks from files to a release: decoded, without copies, drawn by pixels, explained."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.walk import open_recipe, run_all
from winnowry.cli.main import main
from winnowry.core.errors import RecipeError
from winnowry.engine import tasks
from winnowry.lakehouse.blobs import read_blobs
from winnowry.lakehouse.references import read_contents
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.load import load_recipe
from winnowry.stages.run import stages_of

Image = pytest.importorskip("PIL.Image")

EXAMPLE = Path(__file__).parents[2] / "examples/images"
RECIPE = """\
version: 1
corpus: shots
sources:
  - {name: shots, uri: "landing/shots/**/*.*", format: files, kind: image, partition: {by: path, part: -2}}
clean:
  - {op: image.decode, max_pixels: 100000}
  - {op: dedup.content}
sample: {method: uniform, fraction: 0.5, seed: 3}
"""


def picture(shade: int, size: tuple[int, int], format: str = "PNG", **options: Any) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", size, (shade, 255 - shade, shade // 2)).save(written, format, **options)
    return written.getvalue()


def turned(size: tuple[int, int]) -> bytes:
    orientation = Image.Exif()
    orientation[0x0112] = 6
    return picture(200, size, "JPEG", exif=orientation)


GOOD = {f"{day}/{n}.png": (20 + n, 10) for day in ("mon", "tue") for n in range(4)}


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    files = {name: picture(n * 20, size) for n, (name, size) in enumerate(GOOD.items())}
    files |= {
        "mon/corrupt.png": b"\x89PNG\r\n\x1a\n" + bytes(200),
        "mon/truncated.jpg": picture(90, (64, 64), "JPEG")[:400],
        "mon/notes.png": b"no picture at all",
        "tue/bomb.png": picture(0, (400, 300)),
        "tue/copy.png": files["mon/0.png"],
        "tue/named.jpg": picture(123, (31, 7)),
        "tue/turned.jpg": turned((40, 24)),
    }
    for name, data in files.items():
        path = tmp_path / "landing/shots" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (tmp_path / "shots.yaml").write_text(RECIPE)
    return tmp_path


def rows(ws: Workspace, table: str, *columns: str) -> dict[str, dict[str, Any]]:
    held = (
        ws.lake.open("shots", table).to_table(columns=list(dict.fromkeys(["record_id", "uri", *columns]))).to_pylist()
    )
    return {row["uri"].rpartition("shots/")[2]: row for row in held}


def test_a_corpus_of_images_is_decoded_deduplicated_drawn_and_released_with_its_bytes(lake: Path) -> None:
    ws, recipe = open_recipe(lake, lake / "shots.yaml")
    assert stages_of(recipe)[-2:] == ("sampled", "published")
    results = run_all(ws, recipe)
    assert {result.status for result in results} == {"promoted"}

    cleaned = rows(ws, "cleaned", "width", "height", "n_pixels", "image_format", "n_frames", "size")
    assert {name: (cleaned[name]["width"], cleaned[name]["height"]) for name in GOOD} == GOOD
    assert (cleaned["tue/named.jpg"]["image_format"], cleaned["tue/named.jpg"]["n_pixels"]) == ("PNG", 31 * 7)
    assert (cleaned["tue/turned.jpg"]["width"], cleaned["tue/turned.jpg"]["height"]) == (24, 40)
    sizes = {name: (lake / "landing/shots" / name).stat().st_size for name in cleaned}
    assert {name: row["size"] for name, row in cleaned.items()} == sizes

    reasons = rows(ws, "quarantine", "operator", "reason", "value")
    assert set(reasons) == {"mon/corrupt.png", "mon/truncated.jpg", "mon/notes.png", "tue/bomb.png"}
    assert {(row["operator"], row["reason"]) for row in reasons.values()} == {("image.decode", "decodes")}
    assert reasons["tue/bomb.png"]["value"] == "400×300 is 120000 pixels, more than 100000"
    assert reasons["mon/notes.png"]["value"] == "no image of a known format"
    assert "truncated" in reasons["mon/truncated.jpg"]["value"].lower()

    (left_out,) = ws.lake.open("shots", "duplicates").to_table().to_pylist()
    pair = {cleaned["mon/0.png"]["record_id"], cleaned["tue/copy.png"]["record_id"]}
    assert {left_out["record_id"], left_out["kept_record_id"]} == pair

    scored = ws.lake.open("shots", "scored").to_table()
    total = sum(scored["n_pixels"].to_pylist())
    dataset = ws.lake.open("shots", "published").dataset()
    table = dataset.to_table(with_row_address=True)
    drawn, largest = sum(table["n_pixels"].to_pylist()), max(scored["n_pixels"].to_pylist())
    assert int(total * 0.5) - largest < drawn <= int(total * 0.5)
    assert "n_tokens" not in table.schema.names
    for uri, data in zip(
        table["uri"].to_pylist(),
        read_blobs(dataset, "payload", table["_rowaddr"].combine_chunks()),
        strict=True,
    ):
        assert data == (lake / uri).read_bytes()

    assert {result.status for result in run_all(ws, recipe)} == {"skipped"}


def test_a_moved_limit_decodes_again_and_a_release_changes_by_what_came(lake: Path) -> None:
    ws, recipe = open_recipe(lake, lake / "shots.yaml")
    run_all(ws, recipe)
    (lake / "shots.yaml").write_text(RECIPE.replace("max_pixels: 100000", "max_pixels: 200000"))
    ws, recipe = open_recipe(lake, lake / "shots.yaml")
    before = rows(ws, "published")
    run_all(ws, recipe)
    assert "tue/bomb.png" in rows(ws, "cleaned")
    assert "tue/bomb.png" not in rows(ws, "quarantine")
    assert set(rows(ws, "published")) != set(before)


def test_references_stay_references_in_a_release(lake: Path) -> None:
    (lake / "shots.yaml").write_text(RECIPE.replace("kind: image,", "kind: image, payload: referenced,"))
    ws, recipe = open_recipe(lake, lake / "shots.yaml")
    run_all(ws, recipe)
    dataset = ws.lake.open("shots", "published").dataset()
    table = dataset.to_table(columns=["uri", "payload", "size"], with_row_address=True)
    assert all(row["payload"]["blob_uri"].startswith("file:") for row in table.to_pylist())
    contents = read_blobs(dataset, "payload", table["_rowaddr"].combine_chunks())
    assert [len(data or b"") for data in contents] == table["size"].to_pylist()


def test_people_are_told_of_pixels_and_pictures_and_never_of_tokens_or_texts(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def say(*arguments: object) -> tuple[int, str]:
        code = main([str(argument) for argument in (*arguments, "--root", lake)])
        return code, capsys.readouterr().out

    code, ran = say("run", lake / "shots.yaml", "--without-dagster")
    assert code == 0, ran
    assert "Pixels" in ran
    ws = Workspace.open(str(lake))
    published = rows(ws, "published", "width", "height")
    name, row = next(iter(published.items()))
    code, walk = say("explain", row["record_id"])
    assert f"image/{'jpeg' if name.endswith('jpg') else 'png'}, {row['width']}×{row['height']}, " in walk
    assert f"scored, {row['width'] * row['height']:,} pixels" in walk
    assert "payload_characters" not in walk
    code, listed = say("release", "list", "shots")
    assert "Pixels" in listed
    code, shown = say("release", "show", "shots", "--out", lake / "page.html")
    for text in (ran, walk, listed, shown.partition("VALID²")[0]):
        assert "token" not in text.lower()
    page = (lake / "page.html").read_text()
    assert page.count("data:image/jpeg;base64,") == len(published)
    assert len(page) < 3_000_000
    code, document = say("release", "show", "shots", "--json")
    release = json.loads(document)
    assert (release["unit"], release["tokens"]) == ("pixels", None)
    assert release["size"] == sum(row["width"] * row["height"] for row in published.values())


def test_an_export_holds_the_bytes_of_the_files(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ws, recipe = open_recipe(lake, lake / "shots.yaml")
    run_all(ws, recipe)
    for format in ("parquet", "jsonl"):
        out = lake / f"out-{format}"
        assert main(["export", "shots", "--format", format, "--out", str(out), "--root", str(lake)]) == 0
        capsys.readouterr()
        if format == "parquet":
            held = pq.read_table(next(out.glob("part-*"))).to_pylist()
            contents = {row["uri"]: row["payload"] for row in held}
        else:
            held = [json.loads(line) for line in next(out.glob("part-*")).read_text().splitlines()]
            contents = {row["uri"]: base64.b64decode(row["payload"]) for row in held}
        assert contents
        assert all(data == (lake / uri).read_bytes() for uri, data in contents.items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("fraction: 0.5", "token_fraction: 0.5"), "counted in pixels: say `fraction` or `budget: {pixels: …}`"),
        (
            ("fraction: 0.5", "budget: {tokens: 5}"),
            "is a budget in tokens; records of kind image are counted in pixels",
        ),
        (("fraction: 0.5", "budget: {pixels: 5}, fraction: 0.5"), "exactly one of fraction, budget"),
        (("{op: image.decode, max_pixels: 100000}", "{op: text.length}"), "reads column 'text'"),
        (("  - {op: image.decode, max_pixels: 100000}\n", ""), "clean: nothing writes n_pixels"),
        (("max_pixels: 100000", "decodes: false"), "clean.0: keeps records without n_pixels, which no budget can hold"),
        (("clean:", "comparison: {}\nclean:"), "a comparison trains models of text; the records are of kind image"),
        (("kind: image", "kind: picture"), "files have one of the kinds file, image"),
    ],
)
def test_what_images_have_not_is_refused_before_a_byte_is_read(
    lake: Path, change: tuple[str, str], message: str
) -> None:
    (lake / "shots.yaml").write_text(RECIPE.replace(*change))
    with pytest.raises(RecipeError) as refused:
        load_recipe(lake / "shots.yaml")
    assert message in str(refused.value)


def test_an_operator_over_bytes_is_a_column_of_raw_too(lake: Path) -> None:
    column = "columns: [{name: width, table: raw, operator: {op: image.decode}, max_null_fraction: 1}]\n"
    (lake / "shots.yaml").write_text(RECIPE.partition("clean:")[0] + column)
    ws, recipe = open_recipe(lake, lake / "shots.yaml")
    assert stages_of(recipe) == ("landing", "raw", "raw.width")
    run_all(ws, recipe, to="raw.width")
    raw = rows(ws, "raw", "width")
    assert {name: raw[name]["width"] for name in GOOD} == {name: size[0] for name, size in GOOD.items()}
    assert raw["mon/corrupt.png"]["width"] is None


def test_without_pillow_the_recipe_is_refused_with_what_to_install(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    with pytest.raises(
        RecipeError, match=r"image\.decode needs Pillow; install it with: pip install 'winnowry\[image\]'"
    ):
        load_recipe(lake / "shots.yaml")


def test_a_budget_of_pixels_is_met_to_within_a_picture(lake: Path) -> None:
    (lake / "shots.yaml").write_text(RECIPE.replace("fraction: 0.5", "budget: {pixels: 700}"))
    ws, recipe = open_recipe(lake, lake / "shots.yaml")
    drawn = next(result for result in run_all(ws, recipe, to="sampled") if result.stage == "sampled")
    assert (drawn.metadata["budget_pixels"], drawn.unit, drawn.tokens) == (700, "pixels", None)
    assert 0 < drawn.metadata["selected_pixels"] <= 700


def test_the_example_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(EXAMPLE / "recipe.yaml", tmp_path)
    subprocess.run([sys.executable, EXAMPLE / "make_pictures.py", tmp_path / "lake"], check=True)
    command = ["run", tmp_path / "recipe.yaml", "--root", tmp_path / "lake", "--without-dagster", "--json"]
    assert main([str(part) for part in command]) == 0, capsys.readouterr().out


def test_a_unit_holds_few_bytes_at_once_however_many_rows_it_has(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ws, recipe = open_recipe(lake, lake / "shots.yaml")
    run_all(ws, recipe, to="raw")
    raw = ws.lake.partition_view("shots", "raw", "tue")
    held: list[int] = []

    def watched(dataset: Any, column: str, rows: Any, addresses: Any) -> list[bytes | None]:
        contents = read_contents(dataset, column, rows, addresses)
        held.append(sum(len(data or b"") for data in contents))
        return contents

    monkeypatch.setattr(tasks, "read_contents", watched)
    monkeypatch.setattr(tasks, "_UNIT_BYTES", 1500)
    names = ("record_id", "partition", "uri", "position", "payload")
    whole = tasks.ChainTask(raw, names, {}, recipe.clean[:1], 0, raw.count_rows(), "cleaned")
    outcome = tasks.run_chain_task(whole)
    sizes = [path.stat().st_size for path in (lake / "landing/shots/tue").iterdir()]
    assert (sum(held), len(held) > 1, max(held) <= max(1500, *sizes)) == (sum(sizes), True, True)
    assert outcome.rows == len(sizes)
    assert outcome.kept is not None
    assert "payload" not in outcome.kept.schema.names
