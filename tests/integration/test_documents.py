"""A corpus of PDF files walks from raw to a release of pages: their text, spans without bytes, pictures, pages."""

from __future__ import annotations

import runpy
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pypdfium2", reason="needs the extra winnowry[document]")

from tests.pdf_files import encrypted, pdf, scan, words
from tests.walk import open_recipe, run_all
from winnowry.cli.main import main
from winnowry.lakehouse.workspace import Workspace

EXAMPLE = Path(__file__).parents[2] / "examples/papers"
RECIPE = """\
version: 1
corpus: papers
sources:
  - {name: files, uri: "landing/**/*.*", format: files, kind: document, partition: none}
clean:
  - {op: document.facts, copyable: false}
  - {op: document.pages}
  - {op: text.normalize_unicode}
  - {op: text.length, min_words: 3}
  - {op: dedup.exact}
sample: {method: uniform, budget: {pages: 100}, seed: 1}
"""
PLAIN = pdf(words("Plain page with seven words of text."))
FILES = {
    "plain.pdf": PLAIN,
    "junk_before.pdf": b"\r\nHTTP/1.1 200 OK\r\n\r\n" + PLAIN,
    "bad_startxref.pdf": PLAIN[: PLAIN.rindex(b"startxref")] + b"startxref\n1\n%%EOF\n",
    "permissions.pdf": encrypted("Opened by everybody, copying not permitted."),
    "locked.pdf": encrypted("Nobody reads this without the password.", user=b"secret"),
    "cut.pdf": PLAIN[: len(PLAIN) // 3],
    "error.pdf": b"<!DOCTYPE html><title>404</title><p>The document was not found",
    "page.pdf.html": b"<!DOCTYPE html><title>404</title><p>The document %PDF-1.4 was not found",
    "three.pdf": pdf(words("The first page of three"), scan(), words("The third page of three")),
}
REFUSED = {
    ("locked.pdf", "document.facts", "decodable", "encrypted: a password is needed"),
    ("cut.pdf", "document.facts", "decodable", "truncated: it has no end"),
    ("error.pdf", "document.facts", "decodable", "no PDF: text/html"),
    ("page.pdf.html", "document.facts", "decodable", "no PDF: text/html"),
    ("three.pdf", "document.pages", "readable", "no text layer (scan)"),
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("papers")
    (root / "landing").mkdir()
    for name, data in FILES.items():
        (root / "landing" / name).write_bytes(data)
    (root / "papers.yaml").write_text(RECIPE)
    ws, recipe = open_recipe(root, root / "papers.yaml")
    assert {result.status for result in run_all(ws, recipe)} == {"promoted"}
    return ws


def rows(ws: Workspace, table: str) -> list[dict[str, Any]]:
    return ws.lake.open("papers", table).to_table().to_pylist()


def file_of(row: dict[str, Any]) -> str:
    return row["uri"].removeprefix("landing/")


def test_every_file_is_accounted_for_as_its_pages_or_with_its_reason(lake: Workspace) -> None:
    media_types = {file_of(row): row["media_type"] for row in rows(lake, "raw")}
    assert {name for name, media_type in media_types.items() if media_type != "application/pdf"} == {
        "error.pdf", "page.pdf.html",
    }  # fmt: skip
    left_out = rows(lake, "quarantine")
    assert {(file_of(row), row["operator"], row["reason"], row["value"]) for row in left_out} == REFUSED
    cleaned = rows(lake, "cleaned")
    assert sorted((file_of(row), row["page_number"], row["text"]) for row in cleaned) == [
        ("bad_startxref.pdf", 1, "Plain page with seven words of text."),
        ("junk_before.pdf", 1, "Plain page with seven words of text."),
        ("permissions.pdf", 1, "Opened by everybody, copying not permitted."),
        ("plain.pdf", 1, "Plain page with seven words of text."),
        ("three.pdf", 1, "The first page of three"),
        ("three.pdf", 3, "The third page of three"),
    ]
    assert len(rows(lake, "duplicates")) == 2  # of three pages of one text


def test_a_release_has_pages_with_their_text_and_picture_and_no_bytes(lake: Workspace) -> None:
    published = {(file_of(row), row["page_number"]): row for row in rows(lake, "published")}
    assert len(published) == 4
    third = published["three.pdf", 3]
    assert "payload" not in third
    assert (third["span"], third["n_pages"], third["n_document_pages"]) == (
        {"start": 2.0, "end": 3.0, "unit": "page"}, 1, 3,
    )  # fmt: skip
    assert third["thumbnail"][:2] == b"\xff\xd8"
    assert len(third["thumbnail"]) <= 8 << 10
    locked = published["permissions.pdf", 1]
    assert (locked["encrypted"], locked["copy_allowed"]) == (True, False)
    page = (Path(lake.root) / "papers/releases/v1/page.html").read_text()
    assert "three.pdf, page 3 of 3: “The third page of three”" in page
    assert page.count('<img alt="') >= 5  # the scan that was left out has one too


def test_explain_leads_from_a_page_to_its_file(lake: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    third = next(row for row in rows(lake, "published") if row["page_number"] == 3)
    assert main(["explain", third["record_id"], "--root", lake.root]) == 0
    printed = capsys.readouterr().out
    assert "three.pdf" in printed
    assert third["parent_ids"][0] in printed
    scanned = next(row for row in rows(lake, "quarantine") if row["reason"] == "readable")
    assert main(["explain", scanned["record_id"], "--root", lake.root]) == 0
    assert "no text layer (scan)" in capsys.readouterr().out


def test_pages_are_exported_as_pictures_with_their_text(lake: Workspace, tmp_path: Path) -> None:
    simplejpeg = pytest.importorskip("simplejpeg")
    out = tmp_path / "out"
    assert main(["export", "papers", "--format", "webdataset", "--out", str(out), "--root", lake.root]) == 0
    files: dict[str, bytes] = {}
    for archive in out.glob("*.tar"):
        with tarfile.open(archive) as tar:
            for member in tar:
                data = tar.extractfile(member)
                assert data is not None
                files[member.name] = data.read()
    for row in rows(lake, "published"):
        assert files[f"{row['record_id']}.txt"].decode() == row["text"]
        picture = simplejpeg.decode_jpeg(files[f"{row['record_id']}.jpg"])
        assert picture.shape == (1600, 1236, 3)
        assert picture.min() < 100  # there is something on it


def test_documents_may_not_be_copied_where_the_recipe_asks_for_the_flag(lake: Workspace, tmp_path: Path) -> None:
    root = tmp_path
    (root / "landing").mkdir()
    for name in ("plain.pdf", "permissions.pdf"):
        (root / "landing" / name).write_bytes(FILES[name])
    (root / "papers.yaml").write_text(RECIPE.replace("copyable: false", "copyable: true"))
    ws, recipe = open_recipe(root, root / "papers.yaml")
    run_all(ws, recipe)
    (row,) = rows(ws, "quarantine")
    assert (file_of(row), row["operator"], row["reason"]) == ("permissions.pdf", "document.facts", "copyable")


def test_the_example_says_what_becomes_of_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["make_papers.py", str(tmp_path)])
    runpy.run_path(str(EXAMPLE / "make_papers.py"))
    ws, recipe = open_recipe(tmp_path, EXAMPLE / "recipe.yaml")
    run_all(ws, recipe)
    text = next(row["text"] for row in rows(ws, "published") if row["n_hidden_chars"] == 29)
    assert text.startswith("On the winnowing of grain\n\nGrain that was threshed")
    assert text.index("when it is enough.") < text.index("A fan does the same")
    assert "accept" not in text
    reasons = {(row["uri"].rpartition("/")[2], row["reason"], row["value"]) for row in rows(ws, "quarantine")}
    assert reasons == {
        ("article.pdf", "readable", "blank page"),
        ("scan.pdf", "readable", "no text layer (scan)"),
        ("glyphs.pdf", "readable", "text layer unusable: 93 of 113 glyphs without Unicode"),
        ("half.pdf", "decodable", "truncated: it has no end"),
        ("error.pdf", "decodable", "no PDF: text/html"),
        ("menu.pdf", "min_words", "1"),
    }
    assert len(rows(ws, "duplicates")) == 1
