"""A release as plain files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import small_lake
from tests.small_lake import CORPUS, IDS, TEXT, make_small_lake
from winnowry.core.errors import NotFoundError, UsageError
from winnowry.lakehouse.workspace import Workspace
from winnowry.releases.export import export


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_small_lake(tmp_path_factory.mktemp("lake"))


def test_jsonl_holds_the_rows_of_the_tag_and_not_how_they_were_promoted(ws: Workspace, tmp_path: Path) -> None:
    done = export(ws, CORPUS, "jsonl", str(tmp_path))
    assert (done.release, done.rows, len(done.files)) == ("v2", 2, 1)
    lines = [json.loads(line) for line in (tmp_path / "part-00000-of-00001.jsonl").read_text().splitlines()]
    assert {line["record_id"]: line["text"] for line in lines} == {IDS[n]: TEXT[n] for n in "ab"}
    assert all("promotion_id" not in line for line in lines)
    assert lines[0]["event_time"] == "2020-01-02T12:00:00Z"


def test_parquet_keeps_types_and_an_older_release_can_be_asked_for(ws: Workspace, tmp_path: Path) -> None:
    export(ws, CORPUS, "parquet", str(tmp_path), "v1")
    table = pq.read_table(tmp_path / "part-00000-of-00001.parquet")
    assert table["record_id"].to_pylist() == [IDS["a"]]
    published = ws.lake.open(CORPUS, "published").schema
    assert table.schema.types == [published.field(name).type for name in table.schema.names]


def test_the_manifest_describes_every_file(ws: Workspace, tmp_path: Path) -> None:
    done = export(ws, CORPUS, "jsonl", str(tmp_path), rows_per_file=1)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["release"] == "v2"
    assert [file["name"] for file in manifest["files"]] == [file.name for file in done.files]
    for file in manifest["files"]:
        body = (tmp_path / file["name"]).read_bytes()
        assert (len(body), hashlib.sha256(body).hexdigest(), body.count(b"\n")) == (
            file["bytes"],
            file["sha256"],
            file["rows"],
        )


def test_the_same_release_and_seed_give_the_same_bytes(ws: Workspace, tmp_path: Path) -> None:
    for folder in ("first", "second"):
        export(ws, CORPUS, "jsonl", str(tmp_path / folder), rows_per_file=1)
    for path in sorted((tmp_path / "first").iterdir()):
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_a_folder_that_holds_an_export_is_left_alone(ws: Workspace, tmp_path: Path) -> None:
    export(ws, CORPUS, "jsonl", str(tmp_path), "v1")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(UsageError, match="already holds an export"):
        export(ws, CORPUS, "jsonl", str(tmp_path), "v2")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_unknown_tag_writes_nothing(ws: Workspace, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        export(ws, CORPUS, "jsonl", str(tmp_path / "out"), "v7")
    assert not (tmp_path / "out").exists()


def test_rows_are_shuffled_over_the_whole_corpus_and_a_deleted_one_stays_out(tmp_path: Path) -> None:
    import lance

    ws = make_small_lake(tmp_path / "lake")
    table = ws.lake.table(CORPUS, "published")
    template = ws.lake.open(CORPUS, "published").to_table().slice(0, 1)
    n = 3_000
    ids = [hashlib.sha256(b"%d" % i).hexdigest()[:32] for i in range(n)]
    rows = pa.concat_tables([template] * n).set_column(
        template.schema.get_field_index("record_id"), template.schema.field("record_id"), pa.array(ids)
    )
    lance.write_dataset(rows.cast(template.schema), table.uri, mode="append", max_rows_per_file=1_000)
    table.dataset().delete(f"record_id IN ('{ids[0]}', '{ids[1500]}', '{IDS['a']}', '{IDS['b']}')")
    ws.lake.tag(CORPUS, "published", "v3", int(table.dataset().version))

    export(ws, CORPUS, "jsonl", str(tmp_path / "out"), "v3", rows_per_file=1_300)
    files = sorted((tmp_path / "out").glob("*.jsonl"))
    assert [len(path.read_text().splitlines()) for path in files] == [1_300, 1_300, n - 2 - 2_600]
    order = [json.loads(line)["record_id"] for path in files for line in path.read_text().splitlines()]
    assert sorted(order) == sorted(set(ids) - {ids[0], ids[1500]})
    # Rows that lay together are spread: the mean place of the first thousand is that of all, within 6 sigma.
    place = {record: index for index, record in enumerate(order)}
    first = np.mean([place[record] for record in ids[1:1_000]])
    assert abs(first - n / 2) < 6 * n / np.sqrt(12 * 999)


def test_the_lake_of_these_tests_has_two_releases(ws: Workspace) -> None:
    assert set(ws.lake.tags(small_lake.CORPUS)) == {"v1", "v2", "prod"}
