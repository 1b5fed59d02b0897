"""Documents of texts and pictures walk from shards to a release, lose their bad pictures, and come out in order."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.walk import open_recipe, run_all
from winnowry.cli.main import main
from winnowry.core.errors import DataError
from winnowry.lakehouse.workspace import Workspace
from winnowry.releases.interleaved_export import with_lists
from winnowry.sources.base import ReadLimits, Record
from winnowry.sources.interleaved import Interleaved

Image = pytest.importorskip("PIL.Image", reason="needs the extra winnowry[image]")
pytest.importorskip("simplejpeg", reason="needs the extra winnowry[image]")
pytest.importorskip("pi_heif", reason="needs the extra winnowry[image]")

MARK = "\ufffc"
RECIPE = """\
version: 1
corpus: woven
sources:
  - {name: shards, uri: "landing/*.tar", format: interleaved, partition: none, fields: {carry: [url]}}
clean:
  - {op: text.normalize_unicode}
  - {op: interleaved.images}
  - {op: text.length, min_words: 3}
sample: {method: uniform, budget: {images: 100}, seed: 1}
"""


def picture(seed: int, size: tuple[int, int] = (200, 160), form: str = "JPEG") -> bytes:
    cells = np.random.default_rng(seed).integers(0, 255, (8, 10, 3)).astype(np.uint8)
    written = io.BytesIO()
    Image.fromarray(cells).resize(size, Image.Resampling.BILINEAR).save(written, form)
    return written.getvalue()


FIRST, SECOND, SMALL, CAT = picture(1), picture(2, form="PNG"), picture(3, (60, 60)), picture(4)
FILES: dict[str, bytes | dict[str, Any]] = {
    "a.json": {
        "texts": ["Words before the first picture.", None, "Words between.", None, None, "Words at the end."],
        "images": [None, "0.jpg", None, "1.jpg", "2.png", None],
        "url": "https://example.org/a",
    },
    "a.0.jpg": FIRST,
    "a.1.jpg": SMALL,
    "a.2.png": SECOND,
    "b.json": {
        "text_list": ["A sentence without one.", "A sentence about a cat."],
        "image_info": [
            {"image_name": "cat.jpg", "matched_text_index": 1},
            {"image_name": "gone.jpg", "matched_text_index": 0},
        ],
    },
    "b.cat.jpg": CAT,
    "c.json": {"texts": ["Words and a picture that is cut off.", None], "images": [None, "0.jpg"]},
    "c.0.jpg": FIRST[: len(FIRST) // 2],
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("woven")
    (root / "landing").mkdir()
    with tarfile.open(root / "landing/0.tar", "w") as archive:
        for name, content in FILES.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    (root / "woven.yaml").write_text(RECIPE)
    ws, recipe = open_recipe(root, root / "woven.yaml")
    assert {result.status for result in run_all(ws, recipe)} == {"promoted"}
    return ws


def rows(ws: Workspace, table: str) -> list[dict[str, Any]]:
    return ws.lake.open("woven", table).to_table().to_pylist()


def test_bad_pictures_leave_a_document_with_their_marks_and_their_reasons(lake: Workspace) -> None:
    published = {row["url"]: row for row in rows(lake, "published")}
    first, second = published["https://example.org/a"], published[None]
    assert (
        first["text"] == f"Words before the first picture.\n\n{MARK}\n\nWords between.\n\n{MARK}\n\nWords at the end."
    )
    assert [image["name"] for image in first["images"]] == ["0.jpg", "2.png"]
    assert first["images_left_out"] == [{"name": "1.jpg", "reason": "min_side: 60 pixels, fewer than 150"}]
    assert second["text"] == f"A sentence without one.\n\n{MARK}\n\nA sentence about a cat."
    assert second["images_left_out"] == [{"name": "gone.jpg", "reason": "missing: there is no file of its name"}]
    assert (first["n_images"], second["n_images"]) == (2, 1)
    (cut,) = rows(lake, "quarantine")
    assert (cut["operator"], cut["reason"]) == ("interleaved.images", "min_images")
    assert "truncated" in json.loads(cut["columns"])["images_left_out"][0]["reason"]
    page = (Path(lake.root) / "woven/releases/v1/page.html").read_text()
    assert "2 pictures, 1 left out" in page


def test_documents_are_exported_in_order_and_read_again_as_they_were(lake: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "shards"
    assert main(["export", "woven", "--format", "webdataset", "--out", str(out), "--root", lake.root]) == 0
    (path,) = out.glob("*.tar")
    with path.open("rb") as stream:
        again = list(Interleaved().read(stream, "0.tar", ReadLimits()))
    texts = {row["text"]: row for row in rows(lake, "published")}
    assert {record.text for record in again if isinstance(record, Record)} == {*texts}
    with tarfile.open(path) as archive:
        names = archive.getnames()
        for text, row in texts.items():
            files = [name for name in names if name.startswith(row["record_id"]) and not name.endswith("json")]
            assert [name.partition(".")[2] for name in files] == [
                f"{n}.{'png' if n else 'jpg'}" for n in range(text.count(MARK))
            ]
            for name, image in zip(files, row["images"], strict=True):
                data = archive.extractfile(name)
                assert data is not None
                assert hashlib.sha256(data.read()).hexdigest() == image["sha256"]


def test_json_lines_have_both_lists_and_the_bytes_of_each_picture(lake: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "lines"
    assert main(["export", "woven", "--format", "jsonl", "--out", str(out), "--root", lake.root]) == 0
    (path,) = out.glob("*.jsonl")
    first = next(line for line in map(json.loads, path.read_text().splitlines()) if line["url"])
    assert first["texts"] == ["Words before the first picture.", None, "Words between.", None, "Words at the end."]
    assert [image and base64.b64decode(image["bytes"]) for image in first["images"]] == [
        None,
        FIRST,
        None,
        SECOND,
        None,
    ]
    assert not {"payload", "text"} & {*first}


def test_an_operator_that_takes_a_mark_out_is_noticed(lake: Workspace, tmp_path: Path) -> None:
    row = rows(lake, "published")[0]
    with pytest.raises(DataError, match=r"Put it before interleaved\.images"):
        with_lists({**row, "text": row["text"].replace(MARK, "", 1), "payload": b""})
