"""Pictures with captions walk from shards to a release, both in one record, and out again."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import winnowry
from expectations.registry import suites_for
from tests.shards import shard
from tests.walk import open_recipe, run_all
from winnowry.cli.main import main
from winnowry.core.errors import ObjectChangedError, RecipeError
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.load import load_recipe
from winnowry.releases.export import export
from winnowry.stages.run import run_stage

Image = pytest.importorskip("PIL.Image")

EXAMPLE = Path(__file__).parents[2] / "examples/image-text"
RECIPE = """\
version: 1
corpus: web
sources:
  - {name: shards, uri: "landing/*", format: webdataset, license: CC0-1.0, partition: none,
     fields: {license: license, carry: [similarity]}}
clean:
  - {op: text.normalize_unicode}
  - {op: text.length, min_words: 2, min_chars: 6}
  - {op: text.language, keep: [en]}
  - {op: image.decode}
  - {op: dedup.content}
  - {op: dedup.exact, as: caption_key}
score:
  - {op: score.token_count, as: caption_tokens}
sample: {method: uniform, fraction: 0.8, seed: 3}
gates:
  landing: {max_quarantined_fraction: 0.5}
"""
ENGLISH = "a red house stands beside the river and people walk along the street, number"


def picture(seed: int, format: str = "JPEG") -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (24 + seed, 16), (seed * 9 % 256, 255 - seed, 80)).save(written, format)
    return written.getvalue()


def captioned(key: str, seed: int, caption: str, **fields: object) -> list[tuple[str, bytes]]:
    sidecar = [(f"{key}.json", json.dumps(fields).encode())] if fields else []
    return [(f"{key}.jpg", picture(seed)), (f"{key}.txt", caption.encode()), *sidecar]


def lay(root: Path, shards: dict[str, bytes], recipe: str = RECIPE) -> tuple[Workspace, Any]:
    (root / "landing").mkdir(exist_ok=True)
    for name, data in shards.items():
        (root / "landing" / name).write_bytes(data)
    (root / "web.yaml").write_text(recipe)
    return open_recipe(root, root / "web.yaml")


def rows(ws: Workspace, table: str) -> dict[str, dict[str, Any]]:
    held = ws.lake.open("web", table).to_table().to_pylist()
    return {row["record_id"]: row for row in held}


def walk() -> dict[str, bytes]:
    good = [pair for n in range(6) for pair in captioned(f"{n:04}", n, f"{ENGLISH} {n}", similarity=n / 10)]
    bad = [
        *captioned("none", 21, ""),
        *captioned("french", 22, "une maison rouge au bord de la rivière, et les gens marchent dans la rue"),
        ("broken.jpg", picture(23)[:200]), ("broken.txt", f"{ENGLISH} 23".encode()),
        ("page.jpg", b"<html>404 Not Found</html>"), ("page.txt", f"{ENGLISH} 24".encode()),
        *captioned("copy", 0, f"{ENGLISH} 25"),
        *captioned("quoted", 26, f"  {ENGLISH}  3 "),
    ]  # fmt: skip
    half = [("half.jpg", picture(30)), ("other.txt", b"a caption of nothing")]
    return {"00000.tar": shard(good), "00001.tar": shard([*bad, *half])}


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("lake")
    assert {result.status for result in run_all(*lay(root, walk()))} == {"promoted"}
    return root


def test_a_picture_and_its_caption_are_one_record_from_the_shard_to_the_release(
    walked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ws, recipe = open_recipe(walked, walked / "web.yaml")
    raw = rows(ws, "raw")
    assert (len(raw), {row["media_type"] for row in raw.values()}) == (12, {"image/jpeg", "text/html"})
    reasons = sorted((row["operator"], row["reason"], row["value"] or "") for row in rows(ws, "quarantine").values())
    assert [reason[:2] for reason in reasons] == [
        ("image.decode", "decodes"), ("image.decode", "decodes"), ("source.webdataset", "missing_part"),
        ("source.webdataset", "missing_part"), ("text.language", "keep"), ("text.length", "min_words"),
    ]  # fmt: skip
    assert reasons[5][2] == "0"
    assert {reason[2] for reason in reasons[2:4]} == {
        "half: no text; there is half.jpg", "other: no image; there is other.txt",
    }  # fmt: skip
    assert len(raw) + 2 == len(rows(ws, "cleaned")) + len(reasons)
    methods = sorted(row["method"] for row in rows(ws, "duplicates").values())
    assert methods == ["caption_key", "content"]

    published = rows(ws, "published")
    for row in published.values():
        assert ENGLISH in row["text"]
        assert (row["n_pixels"], row["height"]) == (row["width"] * 16, 16)
        assert row["caption_tokens"] > 0
    contents = dict(winnowry.open(str(walked)).table("web.published").contents())
    digests = {name: hashlib.sha256(data or b"").hexdigest() for name, data in contents.items()}
    assert digests == {name: row["content_sha256"] for name, row in published.items()}
    assert {result.status for result in run_all(ws, recipe)} == {"skipped"}

    name, row = next(iter(published.items()))
    assert main(["explain", name, "--root", str(walked)]) == 0
    printed = capsys.readouterr().out
    assert f"image/jpeg, {row['width']}×16, " in printed
    assert f"“{ENGLISH[:30]}" in " ".join(printed.split())


def test_a_changed_caption_of_the_same_picture_is_a_change(tmp_path: Path) -> None:
    ws, recipe = lay(tmp_path, {"0.tar": shard([*captioned("0", 0, ENGLISH), *captioned("1", 1, f"{ENGLISH} 1")])})
    run_all(ws, recipe)
    before = rows(ws, "published")
    ws, recipe = lay(tmp_path, {"0.tar": shard([*captioned("1", 1, f"{ENGLISH} one"), *captioned("0", 0, ENGLISH)])})
    run_all(ws, recipe)
    after = rows(ws, "cleaned")
    assert sorted(row["text"] for row in after.values()) == [ENGLISH, f"{ENGLISH} one"]
    assert before.keys() <= after.keys()  # the shard and the key identify a record, in whatever order they are packed


def test_pictures_without_captions_are_no_duplicates_of_each_other(tmp_path: Path) -> None:
    members = [(f"{n}.jpg", picture(n)) for n in range(3)] + captioned("3", 3, "  ") + captioned("4", 4, "")
    text = RECIPE.replace("partition: none,", "partition: none, text: optional,")
    lines = [
        line for line in text.splitlines() if "text.l" not in line and "score" not in line and "caption_t" not in line
    ]
    ws, recipe = lay(tmp_path, {"0.tar": shard(members)}, "\n".join(lines))
    run_all(ws, recipe)
    assert {row["text"] for row in rows(ws, "cleaned").values()} <= {None, "", "  "}
    assert (len(rows(ws, "cleaned")), rows(ws, "duplicates")) == (5, {})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("partition: none,", "partition: none, members: '*.jpg',"), "webdataset reads the files of its shards itself"),
        (("partition: none,", "partition: none, kind: text,"), "records have one of the kinds"),
        (("fraction: 0.8", "budget: {tokens: 5}"), "records of kind image are counted in pixels"),
        (("format: webdataset", "format: files, kind: image"), "text.normalize_unicode reads column 'text'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_a_byte_is_read(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    (tmp_path / "web.yaml").write_text(RECIPE.replace(*change))
    with pytest.raises(RecipeError) as refused:
        load_recipe(tmp_path / "web.yaml")
    assert message in str(refused.value)


def members_of(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {info.name: archive.extractfile(info).read() for info in archive}  # type: ignore[union-attr]


def test_a_release_is_exported_as_shards_with_the_bytes_that_arrived(walked: Path, tmp_path: Path) -> None:
    lake, published = winnowry.open(str(walked)), rows(Workspace.open(str(walked)), "published")
    for folder in ("one", "again"):
        done = lake.export("web", "webdataset", tmp_path / folder)
    names = [file.name for file in done.files]
    assert names == ["part-00000-of-00001.tar", "part-00000-of-00001.files.jsonl"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()

    members = members_of(tmp_path / "one" / names[0])
    listed = [json.loads(line) for line in (tmp_path / "one" / names[1]).read_text().splitlines()]
    assert {line["name"]: (line["bytes"], line["sha256"]) for line in listed} == {
        name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in members.items()
    }
    for key, row in published.items():
        assert hashlib.sha256(members[f"{key}.jpg"]).hexdigest() == row["content_sha256"]
        assert members[f"{key}.txt"].decode() == row["text"]
        fields = json.loads(members[f"{key}.json"])
        assert (fields["record_id"], fields["width"], fields["license"]) == (key, row["width"], "CC0-1.0")
        assert not {"payload", "text"} & fields.keys()
    assert len(members) == 3 * len(published)

    lake.export("web", "parquet", tmp_path / "parquet")
    (file,) = (tmp_path / "parquet").glob("*.parquet")
    held = {row["record_id"]: row for row in pq.read_table(file).to_pylist()}
    assert {key: (row["payload"], row["text"]) for key, row in held.items()} == {
        key: (members[f"{key}.jpg"], row["text"]) for key, row in published.items()
    }


def test_webdataset_itself_reads_the_export(walked: Path, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    winnowry.open(str(walked)).export("web", "webdataset", tmp_path / "out")
    published = rows(Workspace.open(str(walked)), "published")
    with (tmp_path / "out/part-00000-of-00001.tar").open("rb") as archive:
        files = webdataset.tariterators.tar_file_iterator(archive)
        samples = list(webdataset.tariterators.group_by_keys({**file, "__url__": ""} for file in files))
    held = {one["__key__"]: (hashlib.sha256(one["jpg"]).hexdigest(), one["txt"].decode()) for one in samples}
    assert held == {key: (row["content_sha256"], row["text"]) for key, row in published.items()}


def test_datasets_of_hugging_face_reads_the_exports(walked: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    lake, published = winnowry.open(str(walked)), rows(Workspace.open(str(walked)), "published")
    expected = {key: (row["content_sha256"], row["text"]) for key, row in published.items()}
    for form, suffix in (("parquet", "parquet"), ("webdataset", "tar")):
        lake.export("web", form, tmp_path / form)
        files = [str(path) for path in sorted((tmp_path / form).glob(f"*.{suffix}"))]
        loaded = datasets.load_dataset(form, data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
        if form == "parquet":
            held = {row["record_id"]: (row["payload"], row["text"]) for row in loaded}
        else:
            loaded = loaded.cast_column("jpg", datasets.Image(decode=False))
            held = {row["__key__"]: (row["jpg"]["bytes"], row["txt"]) for row in loaded}
        assert {key: (hashlib.sha256(data).hexdigest(), text) for key, (data, text) in held.items()} == expected


def test_a_loader_of_pytorch_reads_the_export(walked: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    lake, published = winnowry.open(str(walked)), rows(Workspace.open(str(walked)), "published")
    lake.export("web", "webdataset", tmp_path / "out")

    class Samples(torch.utils.data.IterableDataset):  # type: ignore[misc, name-defined]
        def __iter__(self) -> Any:
            for path in sorted((tmp_path / "out").glob("*.tar")):
                with tarfile.open(path) as archive:
                    for member in archive:
                        if member.name.endswith(".jpg"):
                            yield member.name.removesuffix(".jpg"), archive.extractfile(member).read()  # type: ignore[union-attr]

    batches = torch.utils.data.DataLoader(Samples(), batch_size=2, collate_fn=list)
    held = {key: hashlib.sha256(data).hexdigest() for batch in batches for key, data in batch}
    assert held == {key: row["content_sha256"] for key, row in published.items()}


REFERENCED = """\
version: 1
corpus: web
sources: [{name: shards, uri: "landing/*", format: webdataset, payload: referenced, partition: none}]
clean: [{op: image.decode}]
sample: {method: uniform, fraction: 1.0, seed: 3}
"""


def packed(order: list[int]) -> bytes:
    """Pictures of one size in bytes, in some order, with pax headers before each."""
    data = {n: picture(n, "PPM").replace(b"P6\n%d" % (24 + n), b"P6\n24", 1)[: 13 + 24 * 16 * 3] for n in order}
    pairs = [pair for n in order for pair in [(f"{n:03}.ppm", data[n]), (f"{n:03}.txt", b"picture %d" % n)]]
    return shard(pairs, tarfile.PAX_FORMAT, 1_700_000_000.25)


def test_a_shard_that_changes_under_references_is_noticed_and_never_gives_other_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = packed([0, 1, 2]), packed([2, 0, 1])
    assert (len(first), first == second) == (len(second), False)
    compressed = gzip.compress(shard(captioned("010", 10, "picture 10")), mtime=0)
    ws, recipe = lay(tmp_path, {"pax.tar": first, "packed.tar.gz": compressed}, REFERENCED)
    run_all(ws, recipe)

    with tarfile.open(fileobj=io.BytesIO(first)) as archive:
        expected = {info.name[:3]: (info.offset_data, info.size) for info in archive if info.name.endswith("ppm")}
    places = {row["text"][-1:]: row["payload"] for row in rows(ws, "published").values() if row["payload"]["blob_uri"]}
    assert {f"00{n}": (place["position"], place["size"]) for n, place in places.items()} == expected
    old = dict(winnowry.open(str(tmp_path)).table("web.published", "v1").contents())
    assert len(old) == 4
    assert main(["verify", "web", "--root", str(tmp_path)]) == 0

    (tmp_path / "landing/pax.tar").write_bytes(second)
    capsys.readouterr()
    with pytest.raises(ObjectChangedError, match=r"pax\.tar.*holds other bytes"):
        list(winnowry.open(str(tmp_path)).table("web.published", "v1").contents())
    assert main(["verify", "web", "--root", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "pax.tar: holds other bytes than were read, and 3 rows of published refer to it" in printed
    assert "releases touched: v1" in printed
    for format in ("webdataset", "parquet", "jsonl"):
        assert main(["export", "web", "--format", format, "--out", str(tmp_path / "out"), "--root", str(tmp_path)]) == 1
        assert "pax.tar" in "".join(capsys.readouterr())
        assert list((tmp_path / "out").glob("*")) == []

    for seed in range(4):  # whichever record comes first, of those that can be read and those that cannot
        with pytest.raises(ObjectChangedError, match=r"pax\.tar"):
            export(ws, "web", "jsonl", str(tmp_path / "out"), seed=seed, rows_per_file=1)
        assert list((tmp_path / "out").glob("*")) == []

    run_all(ws, recipe)
    now = dict(winnowry.open(str(tmp_path)).table("web.published", "v2").contents())
    assert now == old
    with pytest.raises(ObjectChangedError, match=r"pax\.tar"):
        list(winnowry.open(str(tmp_path)).table("web.published", "v1").contents())

    (tmp_path / "landing/pax.tar").unlink()
    with pytest.raises(ObjectChangedError, match=r"pax\.tar"):
        list(winnowry.open(str(tmp_path)).table("web.published", "v2").contents())
    capsys.readouterr()
    assert main(["verify", "web", "--fast", "--root", str(tmp_path)]) == 1
    assert "pax.tar: is gone" in capsys.readouterr().out


def test_a_shard_that_changes_between_two_stages_stops_the_run_by_its_name(tmp_path: Path) -> None:
    ws, recipe = lay(tmp_path, {"pax.tar": packed([0, 1, 2])}, REFERENCED)
    run_all(ws, recipe, to="raw")
    (tmp_path / "landing/pax.tar").write_bytes(packed([2, 0, 1]))
    with pytest.raises(ObjectChangedError, match=r"pax\.tar"):
        run_stage(ws, recipe, "cleaned", "all", suites=suites_for, run_id="test")
    assert ws.lake.live_record("web", "cleaned", "all") is None


def test_the_example_runs_and_drops_what_its_readme_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(EXAMPLE / "recipe.yaml", tmp_path)
    root = tmp_path / "lake"
    subprocess.run([sys.executable, EXAMPLE / "draw_shards.py", root], check=True)
    command = ["run", tmp_path / "recipe.yaml", "--root", root, "--without-dagster", "--json"]
    assert main([str(part) for part in command]) == 0, capsys.readouterr().out
    quarantine = winnowry.open(str(root)).table("drawings.quarantine").to_arrow(["operator", "reason"]).to_pylist()
    lines = (EXAMPLE / "README.md").read_text().splitlines()
    table = [line.split("|")[3].strip(" `") for line in lines if line.startswith("| 000")]
    assert sorted(f"{row['operator']}: {row['reason']}" for row in quarantine) == sorted(table)
    command = ["export", "drawings", "--format", "webdataset", "--out", tmp_path / "shards", "--root", root]
    assert main([str(part) for part in command]) == 0, capsys.readouterr().out
    members = members_of(next((tmp_path / "shards").glob("*.tar")))
    assert {name.rpartition(".")[2] for name in members} == {"jpg", "txt", "json"}
