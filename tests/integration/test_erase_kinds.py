"""What is erased with a record: the parts that it was cut into, and the bytes of a file."""

from __future__ import annotations

import hashlib
import io
import json
import random
import shutil
from pathlib import Path

import pytest

from tests.integration.test_erase_crossings import holders
from tests.walk import open_recipe, run_all
from winnowry.core.ids import record_id
from winnowry.erasure.erase import erase
from winnowry.inspect.verify import verify
from winnowry.lakehouse.blobs import read_blobs

CHUNKS = """\
version: 1
corpus: letters
sources:
  - {name: s, uri: "landing/*.jsonl", fields: {id: id, text: text}, partition: {by: path, part: -1}}
clean:
  - {op: text.chunks, max_chars: 60}
  - {op: text.chunks, max_chars: 30, as: piece}
score:
  - {op: score.token_count}
sample: {method: uniform, token_fraction: 1.0}
"""
IMAGES = """\
version: 1
corpus: shots
sources:
  - {name: shots, uri: "landing/shots/**/*.*", format: files, kind: image, payload: PAYLOAD,
     partition: {by: path, part: -2}}
clean:
  - {op: image.decode, max_pixels: 100000}
sample: {method: uniform, fraction: 1.0, seed: 3}
"""
LETTERS = {
    f"letter-{n}": f"This is letter {n}. " + f"It tells of matter {n}{n}{n} and of nothing else. " * 3 for n in "123"
}


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("letters")
    (root / "landing").mkdir()
    lines = [json.dumps({"id": name, "text": text}) + "\n" for name, text in LETTERS.items()]
    (root / "landing/day.jsonl").write_text("".join(lines))
    (root / "recipe.yaml").write_text(CHUNKS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WINNOWRY_WORKERS", "1")
        run_all(*open_recipe(root, root / "recipe.yaml"))
    return root


@pytest.mark.parametrize("part", ["document", "piece of a chunk"])
def test_a_document_and_its_parts_leave_together_whichever_is_named(letters: Path, tmp_path: Path, part: str) -> None:
    root = Path(shutil.copytree(letters, tmp_path / "own"))
    ws, recipe = open_recipe(root, root / "recipe.yaml")
    document = record_id("s", mapped_id="letter-2")
    before = ws.lake.open("letters", "published", "v1").to_table().to_pylist()
    pieces = [row["record_id"] for row in before if row["parent_ids"] == [document]]
    assert len(pieces) > 3

    certificate = erase(ws, "letters", names=[document if part == "document" else pieces[1]], dry_run=False)

    assert certificate.proven
    assert (certificate.records, certificate.releases["v1"]) == (1 + len(pieces), len(pieces))
    after = ws.lake.open("letters", "published", "v1").to_table().to_pylist()
    assert after == [row for row in before if row["parent_ids"] != [document]]
    run_all(ws, recipe)
    assert holders(root, "letters", ("matter 222", document, *pieces)) == []
    assert verify(ws).findings == ()


def noise(seed: int, side: int) -> bytes:
    """A picture that does not compress: in files of its own beside the table from some size on."""
    image = pytest.importorskip("PIL.Image")
    pixels = random.Random(seed).randbytes(3 * side * side)
    written = io.BytesIO()
    image.frombytes("RGB", (side, side), pixels).save(written, "PNG")
    return written.getvalue()


@pytest.mark.parametrize(("payload", "side"), [("copied", 20), ("copied", 300), ("referenced", 20)])
def test_the_bytes_of_a_picture_leave_and_those_of_the_others_are_read_as_before(
    tmp_path: Path, payload: str, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINNOWRY_WORKERS", "1")
    pictures = {f"mon/{n}.png": noise(n, side) for n in range(5)}
    for name, body in pictures.items():
        path = tmp_path / "landing/shots" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    (tmp_path / "shots.yaml").write_text(IMAGES.replace("PAYLOAD", payload))
    ws, recipe = open_recipe(tmp_path, tmp_path / "shots.yaml")
    run_all(ws, recipe)
    gone = pictures.pop("mon/1.png")
    middle = gone[len(gone) // 2 :][:64]
    corpus = [path for path in (tmp_path / "shots").rglob("*") if path.is_file()]
    assert any(middle in path.read_bytes() for path in corpus) == (payload == "copied")

    certificate = erase(ws, "shots", names=[hashlib.sha256(gone).hexdigest()], dry_run=False)

    assert certificate.proven, certificate
    assert certificate.landing == ({"uri": "landing/shots/mon/1.png", "position": 0},)
    assert (tmp_path / "landing/shots/mon/1.png").read_bytes() == gone  # it is the user's
    for path in (tmp_path / "shots").rglob("*"):
        assert not path.is_file() or middle not in path.read_bytes(), path
    (tmp_path / "landing/shots/mon/again.png").write_bytes(gone)
    run_all(ws, recipe)
    for table in ("raw", "published"):
        dataset = ws.lake.open("shots", table).dataset()
        rows = dataset.to_table(columns=["uri"], with_row_address=True)
        contents = read_blobs(dataset, "payload", rows["_rowaddr"].combine_chunks())
        held = {
            uri.removeprefix("landing/shots/"): body
            for uri, body in zip(rows["uri"].to_pylist(), contents, strict=True)
        }
        assert held == pictures
    assert verify(ws).findings == ()
