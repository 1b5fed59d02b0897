"""Images, audio and video as a corpus: taken in as blobs, gated, given columns, read at random."""

from __future__ import annotations

import hashlib
import json
import random
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from expectations.registry import suites_for
from tests.walk import open_recipe, run_all
from winnowry.cli.main import main
from winnowry.columns.fill import add_column
from winnowry.columns.spec import python_column
from winnowry.core.errors import RecipeError
from winnowry.inspect.maintain import maintain
from winnowry.lakehouse.blobs import open_blobs
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.load import load_recipe
from winnowry.stages.run import stages_of

RECIPE = """\
version: 1
corpus: photos
sources:
  - {name: shots, uri: "landing/photos/**/*.*", format: files, license: CC0-1.0, partition: {by: path, part: -2}}
limits: {max_record_bytes: 200000}
columns:
  - {name: width, table: raw, python: "features.py:width", type: int64, max_null_fraction: 1}
"""
TEXTS = "{name: texts, uri: x, partition: {by: path, part: -2}}"
FUNCTIONS = """
import struct

def width(payload):
    found = []
    for file in payload:
        head = file.read(24) if file is not None else b""
        found.append(struct.unpack(">I", head[16:20])[0] if head[:4] == b"\\x89PNG" else None)
    return found

def last_byte(payload, position):
    values = []
    for file, _ in zip(payload, position):
        file.seek(-1, 2)
        values.append(file.read(1)[0])
    return values

def fails(payload):
    for file in payload:
        if file.read(4) == b"text":
            raise ValueError("no picture")
    return [1] * len(payload)
"""


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + random.Random(width).randbytes(width) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


PICTURES = {f"{day}/{index}.png": (10 + 7 * index, 9) for day in ("mon", "tue") for index in range(5)}


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    for name, (width, height) in PICTURES.items():
        path = tmp_path / "landing/photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(width, height))
    (tmp_path / "landing/photos/tue/notes.txt").write_text("text beside the pictures")
    (tmp_path / "photos.yaml").write_text(RECIPE)
    (tmp_path / "features.py").write_text(FUNCTIONS)
    return tmp_path


def payloads(ws: Workspace, corpus: str = "photos") -> dict[str, bytes]:
    dataset = ws.lake.table(corpus, "raw").dataset()
    rows = dataset.to_table(columns=["uri"], with_row_address=True)
    files = open_blobs(dataset, "payload", rows["_rowaddr"].combine_chunks())
    return {uri.rpartition("photos/")[2]: file.read() for uri, file in zip(rows["uri"].to_pylist(), files, strict=True)}


def test_files_become_blobs_and_columns_are_computed_from_them(lake: Path) -> None:
    ws, recipe = open_recipe(lake, lake / "photos.yaml")
    assert stages_of(recipe) == ("landing", "raw", "raw.width")
    results = run_all(ws, recipe, to="raw.width")
    assert {result.status for result in results} == {"promoted"}
    landed = {
        path.relative_to(lake / "landing/photos").as_posix(): path.read_bytes()
        for path in lake.rglob("photos/*/*.*")
        if "landing" in path.parts
    }
    assert payloads(ws) == landed
    rows = {
        row["uri"].rpartition("photos/")[2]: row
        for row in ws.lake.open("photos", "raw")
        .to_table(columns=["uri", "media_type", "width", "content_sha256", "partition"])
        .to_pylist()
    }
    assert {name: rows[name]["width"] for name in PICTURES} == {name: size[0] for name, size in PICTURES.items()}
    assert (rows["tue/notes.txt"]["width"], rows["tue/notes.txt"]["media_type"]) == (None, "text/plain")
    assert rows["mon/0.png"]["media_type"] == "image/png"
    assert {name: row["content_sha256"] for name, row in rows.items()} == {
        name: hashlib.sha256(data).hexdigest() for name, data in landed.items()
    }
    again = run_all(ws, recipe, to="raw.width")
    assert {result.status for result in again} == {"skipped"}


def test_later_files_get_the_column_and_nothing_is_rewritten(lake: Path) -> None:
    ws, recipe = open_recipe(lake, lake / "photos.yaml")
    run_all(ws, recipe, to="raw.width")
    data = lake / "photos/raw.lance/data"
    before = {path.relative_to(data): path.stat().st_mtime_ns for path in data.rglob("*") if path.is_file()}
    (lake / "landing/photos/wed").mkdir()
    (lake / "landing/photos/wed/0.png").write_bytes(png(99, 3))
    run_all(ws, recipe, to="raw")
    rows = ws.lake.open("photos", "raw").to_table(columns=["partition", "width"]).to_pylist()
    assert [row["width"] for row in rows if row["partition"] == "wed"] == [99]
    after = {path.relative_to(data): path.stat().st_mtime_ns for path in data.rglob("*") if path.is_file()}
    assert {name: after[name] for name in before} == before


def test_adding_a_column_writes_only_the_column(lake: Path) -> None:
    (lake / "landing/photos/mon/big.png").write_bytes(random.Random(1).randbytes(150_000))
    ws, recipe = open_recipe(lake, lake / "photos.yaml")
    run_all(ws, recipe, to="raw")
    data = lake / "photos/raw.lance/data"
    size = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
    assert size > 150_000
    dataset = ws.lake.table("photos", "raw").dataset()
    spec = python_column(dataset, "raw", "last", f"{lake}/features.py:last_byte", type_=None)
    assert add_column(ws, "photos", spec, suites=suites_for).status == "added"
    grown = sum(path.stat().st_size for path in data.rglob("*") if path.is_file()) - size
    assert grown < 5_000
    found = ws.lake.open("photos", "raw").to_table(columns=["uri", "last"]).to_pylist()
    assert all(row["last"] == (lake / row["uri"]).read_bytes()[-1] for row in found)


def test_a_failing_function_names_the_file(lake: Path) -> None:
    ws, recipe = open_recipe(lake, lake / "photos.yaml")
    run_all(ws, recipe, to="raw")
    dataset = ws.lake.table("photos", "raw").dataset()
    spec = python_column(dataset, "raw", "x", f"{lake}/features.py:fails", type_="int64")
    wrong = next(
        row["record_id"]
        for row in ws.lake.open("photos", "raw").to_table(columns=["uri", "record_id"]).to_pylist()
        if row["uri"].endswith("notes.txt")
    )
    with pytest.raises(Exception, match=f"record {wrong}: ValueError: no picture"):
        add_column(ws, "photos", spec, suites=suites_for)


def test_too_large_a_file_is_quarantined_and_the_others_go_on(lake: Path) -> None:
    (lake / "landing/photos/mon/huge.bin").write_bytes(bytes(200_001))
    ws, recipe = open_recipe(lake, lake / "photos.yaml")
    results = {(result.stage, result.partition): result for result in run_all(ws, recipe, to="raw")}
    raw = results["raw", "mon"]
    assert (raw.rows_in, raw.rows_out, raw.rows_quarantined) == (6, 5, 1)
    (rejected,) = ws.lake.open("photos", "quarantine").to_table().to_pylist()
    assert (rejected["operator"], rejected["reason"], rejected["threshold"]) == (
        "source.files",
        "over_long_record",
        "200000",
    )
    assert rejected["uri"].endswith("huge.bin")


def test_references_hold_no_bytes_and_are_read_where_they_lie(lake: Path) -> None:
    (lake / "landing/photos/mon/huge.bin").write_bytes(random.Random(2).randbytes(300_000))
    (lake / "landing/photos/mon/empty.bin").write_bytes(b"")
    (lake / "photos.yaml").write_text(RECIPE.replace("format: files,", "format: files, payload: referenced,"))
    ws, recipe = open_recipe(lake, lake / "photos.yaml")
    run_all(ws, recipe, to="raw.width")
    found = payloads(ws)
    assert found["mon/huge.bin"] == (lake / "landing/photos/mon/huge.bin").read_bytes()
    assert found["mon/empty.bin"] == b""
    assert sum(path.stat().st_size for path in (lake / "photos/raw.lance").rglob("*") if path.is_file()) < 200_000


def test_maintenance_leaves_large_objects_where_they_are(lake: Path) -> None:
    ws, recipe = open_recipe(lake, lake / "photos.yaml")
    run_all(ws, recipe, to="raw.width")
    before = payloads(ws)
    (upkeep,) = maintain(ws, keep_days=1)
    (raw,) = [done for done in upkeep.tables if done.table == "raw"]
    assert any("large objects" in reason for reason in raw.postponed)
    assert payloads(ws) == before


def test_sql_explain_and_export_of_a_media_corpus_say_what_there_is(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def say(*arguments: object) -> tuple[int, Any]:
        code = main([str(argument) for argument in (*arguments, "--root", lake, "--json")])
        return code, json.loads(capsys.readouterr().out)

    code, ran = say("run", lake / "photos.yaml", "--without-dagster")
    assert code == 0, ran["error"]
    code, rows = say("sql", "select record_id, uri, width from photos.raw where width > 30 order by width")
    assert (code, [row["width"] for row in rows]) == (0, [31, 31, 38, 38])
    code, everything = say("sql", "select * from photos.raw limit 1")
    assert code == 0, everything
    code, walk = say("explain", rows[0]["record_id"])
    assert code == 0, walk
    code, planned = say("plan", lake / "photos.yaml")
    assert (code, planned["n_run"]) == (0, 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("limits:", "clean: [{op: text.lines}]\nlimits:"), "reads column 'text', which nothing before it writes"),
        (("table: raw, ", ""), "columns.0.table: the recipe has no table published; it has raw"),
        (("format: files", "format: jsonl, payload: copied"), "`payload` is for files"),
        (
            ("partition: {by: path, part: -2}}", "members: '*', payload: referenced, partition: {by: path, part: -2}}"),
            "files inside archives are copied",
        ),
        (
            ("sources:", "sources:\n  - {name: texts, uri: x, partition: {by: path, part: -2}}"),
            "give each kind a corpus of its own",
        ),
    ],
)
def test_mistakes_are_told(lake: Path, change: tuple[str, str], said: str) -> None:
    (lake / "photos.yaml").write_text(RECIPE.replace(*change))
    with pytest.raises(RecipeError) as refused:
        load_recipe(lake / "photos.yaml")
    assert said in str(refused.value)
