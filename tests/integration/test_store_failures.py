"""A store that fails for a while is sat through by both clients; what it must be able to do is tried out first."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import lance
import pyarrow as pa
import pytest

from tests.s3_lake import copy_landing
from tests.s3_proxy import Asked, S3Proxy
from tests.s3_server import S3Server
from tests.small_corpus import land, write_recipe
from tests.walk import run_all
from winnowry.core.errors import AccessDeniedError, StorageError, StoreUnreachableError
from winnowry.inspect.doctor import doctor
from winnowry.lakehouse.lance_uri import lance_uri, reading_lines
from winnowry.lakehouse.table import FragmentWriter, Table
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.load import load_recipe
from winnowry.storage import s3
from winnowry.storage.named import storage_named
from winnowry.storage.open import open_store
from winnowry.storage.probe import require_conditional_writes
from winnowry.storage.s3 import S3Store
from winnowry.storage.settings import StorageSettings, reading_options
from winnowry.storage.transient import Patience

pytestmark = [pytest.mark.s3, pytest.mark.faults]

SCHEMA = pa.schema([("record_id", pa.string())])


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[S3Proxy]:
    with S3Proxy(s3_server) as proxy:
        yield proxy


def by(client: str) -> Callable[[Asked], bool]:
    return lambda asked: asked.client == client


def append(table: Table, ids: list[str]) -> None:
    rows = pa.table({"record_id": ids}, SCHEMA)
    lance.write_dataset(rows, lance_uri(table.uri), mode="append", storage_options=dict(table.storage_options))


def use_boto3(root: str, proxy: S3Proxy, name: str) -> None:
    """Everything that the object store does, on objects of a name."""
    store = open_store(f"{root}", proxy.settings)
    content = os.urandom(300_000)
    assert store.write(f"{name}/once", content, if_absent=True)
    assert not store.write(f"{name}/once", b"2", if_absent=True)
    assert store.read(f"{name}/once") == content
    [info] = store.list(f"{name}/*")
    with store.open(info.uri, etag=info.etag) as stream:
        assert stream.read() == content
    store.delete(info.uri)
    assert not store.exists(info.uri)


def use_lance(root: str, proxy: S3Proxy, name: str) -> None:
    """Create, append, open and read."""
    table = Table(f"{root}/{name}.lance", name, proxy.settings.lance_options(root))
    table.create(SCHEMA)
    for number in range(3):
        append(table, [f"{number}-{'x' * 1000}"])
    assert [one[:2] for one in table.dataset().to_table()["record_id"].to_pylist()] == ["0-", "1-", "2-"]


BURSTS = ["503", "500", "reset", "slow", "cut", "short"]


@pytest.mark.parametrize("use", [use_boto3, use_lance], ids=["boto3", "lance"])
@pytest.mark.parametrize("kind", BURSTS)
def test_a_burst_of_failures_is_sat_through_and_nothing_is_written_twice(
    kind: str, use: Callable[[str, S3Proxy, str], None], proxy: S3Proxy, s3_root: str
) -> None:
    proxy.burst(kind, 0.7)
    use(s3_root, proxy, "t")


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("use", [use_boto3, use_lance], ids=["boto3", "lance"])
@pytest.mark.parametrize("kind", ["503", "500", "reset"])
def test_a_minute_of_failures_is_sat_through(
    kind: str, use: Callable[[str, S3Proxy, str], None], proxy: S3Proxy, s3_root: str
) -> None:
    proxy.burst(kind, 60)
    started = time.monotonic()
    use(s3_root, proxy, "t")
    assert time.monotonic() - started > 60


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_walk_goes_through_a_busy_store_and_a_second_one_finds_everything_fresh(
    tmp_path: Path, proxy: S3Proxy, s3_server: S3Server, s3_root: str
) -> None:
    land(tmp_path, years=("2019", "2020"), per_year=20)
    copy_landing(tmp_path, s3_server, s3_root)
    recipe = load_recipe(write_recipe(tmp_path))
    ws = Workspace.open(s3_root, proxy.settings)
    asked = 0

    def one_in_nine(_: Asked) -> str | None:
        nonlocal asked
        asked += 1
        return BURSTS[asked // 9 % len(BURSTS)] if asked % 9 == 0 else None

    proxy.fate = one_in_nine
    assert {result.status for result in run_all(ws, recipe)} == {"promoted"}
    proxy.fate = lambda _: None
    assert {result.status for result in run_all(ws, recipe)} == {"skipped"}


def test_a_store_that_stays_busy_is_named_as_one_that_may_answer_later(
    proxy: S3Proxy, s3_root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_PATIENCE", Patience(busy_s=0.5, absent_s=0.5))
    store = S3Store(s3_root, proxy.settings)
    for kind, named in (("503", "SlowDown"), ("500", "InternalError"), ("reset", "wait")):
        proxy.fate = lambda _, kind=kind: kind  # type: ignore[misc]
        with pytest.raises(StoreUnreachableError, match=named) as caught:
            store.read("x")
        assert "give the same command again" in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


def test_an_address_where_nobody_answers_is_told_sooner_than_a_store_that_is_busy(proxy: S3Proxy, s3_root: str) -> None:
    proxy.burst("503", 2.0)
    open_store(s3_root, proxy.settings)  # it answers: it is there
    wrong = proxy.settings.model_copy(update={"endpoint": "http://127.0.0.1:9"})
    started = time.monotonic()
    with pytest.raises(StoreUnreachableError, match=r"127\.0\.0\.1:9"):
        open_store(s3_root, wrong)
    assert time.monotonic() - started < 20


# ------------------------------------------------------------------------------------------- credentials that expire

LIFE_S = 3


@pytest.fixture
def short_lived(s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Proxy]:
    """Keys that a program gives and that live for three seconds; refused afterwards, as AWS does."""
    program = tmp_path / "keys"
    keys = (
        f'{{"Version":1,"AccessKeyId":"{s3_server.access_key}","SecretAccessKey":"{s3_server.secret}",'
        '"SessionToken":"%s","Expiration":"%s"}'
    )
    expires = f"$(date -u -d '+{LIFE_S} seconds' +%Y-%m-%dT%H:%M:%SZ)"
    program.write_text(f"#!/bin/sh\necho >> {tmp_path}/calls\nprintf '{keys}' $(date +%s.%N) {expires}\n")
    program.chmod(0o755)
    config = tmp_path / "config"
    config.write_text(f"[profile lab]\nregion = us-east-1\ncredential_process = {program}\n")

    def fate(asked: Asked) -> str | None:
        return "ExpiredToken" if time.time() - float(asked.token or 0) > LIFE_S + 1 else None

    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    # The server knows no temporary keys: the proxy looks at the token, and takes it out.
    with S3Proxy(s3_server, without={"x-amz-security-token"}) as proxy:
        proxy.fate = fate
        yield proxy


@pytest.mark.parametrize("way", ["environment", "argument"])
def test_keys_that_expire_are_refreshed_for_both_clients(
    way: str, short_lived: S3Proxy, s3_root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "environment":
        monkeypatch.setenv("AWS_PROFILE", "lab")
    given = StorageSettings(profile="lab", endpoint=short_lived.url)
    ws = Workspace.open(s3_root, given)
    table = ws.lake.table("c", "t")
    table.create(SCHEMA)
    dataset = table.dataset()
    writer = FragmentWriter(table, SCHEMA)
    for number in range(3):
        ws.store.write(f"n-{number}", b"1")
        append(table, [str(number)])
        assert table.dataset().count_rows() == number + 1
        if way == "environment":  # what is open goes on: keys of an argument are looked up at each opening
            assert dataset.checkout_version(number + 1).to_table().num_rows == number
            writer.write(pa.record_batch([[str(number)]], schema=SCHEMA))
            writer.flush()
        time.sleep(LIFE_S / 1.5)
    assert len(writer.fragments) == (3 if way == "environment" else 0)
    for client in ("boto3", "lance"):
        assert len({asked.token for asked in short_lived.asked if asked.client == client}) > 1, client


def test_tables_share_the_keys_that_lance_finds(
    short_lived: S3Proxy, s3_root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "lab")
    program = tmp_path / "keys"
    program.write_text(program.read_text().replace(f"+{LIFE_S} seconds", "+1 hour"))
    ws = Workspace.open(s3_root, StorageSettings.from_env({"AWS_PROFILE": "lab", "AWS_ENDPOINT_URL": short_lived.url}))
    table = ws.lake.table("c", "t")
    table.create(SCHEMA)
    table.dataset()
    short_lived.fate = lambda _: None
    before = (tmp_path / "calls").read_text().count("\n")
    for _ in range(5):
        assert table.dataset().count_rows() == 0
        assert ws.lake.open("c", "t").schema == SCHEMA
    assert (tmp_path / "calls").read_text().count("\n") == before


def test_keys_that_have_run_out_are_named_with_what_to_do(proxy: S3Proxy, s3_root: str) -> None:
    proxy.fate = lambda _: "ExpiredToken"
    with pytest.raises(AccessDeniedError, match=r"ExpiredToken.*have expired: sign in again"):
        open_store(s3_root, proxy.settings)
    table = Table(f"{s3_root}/t.lance", "t", proxy.settings.lance_options(s3_root))
    with (
        pytest.raises(AccessDeniedError, match=r"ExpiredToken.*have expired: sign in again"),
        storage_named("c/t", s3_root),
    ):
        table.dataset_or_none()


# ------------------------------------------------------------------------------------- what a store must be able to do


def test_a_store_that_ignores_conditions_is_refused_before_the_first_promotion(
    tmp_path: Path, s3_server: S3Server, s3_root: str
) -> None:
    land(tmp_path, years=("2019",), per_year=20)
    copy_landing(tmp_path, s3_server, s3_root)
    recipe = load_recipe(write_recipe(tmp_path))
    with S3Proxy(s3_server, without={"if-none-match"}) as proxy:
        ws = Workspace.open(s3_root, proxy.settings)
        with pytest.raises(StorageError, match=r"If-None-Match.*use a store with conditional PUT") as caught:
            run_all(ws, recipe)
        assert len(str(caught.value).splitlines()) == 1
        diagnosis = doctor(s3_root, proxy.settings)
    [check] = [check for check in diagnosis.checks if check.name == "conditional writes"]
    assert check.status == "fail"
    there = open_store(s3_root, s3_server.settings)
    names = [info.uri.removeprefix(f"{s3_root}/") for info in there.list("**")]
    assert [name for name in names if not name.startswith("landing/")] == ["small/recipe.json"]  # whose corpus it is


def test_a_store_is_tried_out_once(proxy: S3Proxy, s3_root: str, tmp_path: Path) -> None:
    store = open_store(s3_root, proxy.settings)
    with proxy.recording() as first:
        require_conditional_writes(store)
    with proxy.recording() as again:
        require_conditional_writes(store)
    assert [asked.method for asked in first] == ["PUT", "PUT", "HEAD", "GET", "DELETE"]
    assert again == []
    require_conditional_writes(open_store(str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_the_lines_that_are_printed_read_a_table_on_a_store_without_tls(s3_server: S3Server, s3_root: str) -> None:
    root = f"{s3_root}/lab #1"
    ws = Workspace.open(root, s3_server.settings)
    table = ws.lake.table("c", "t")
    table.create(SCHEMA)
    append(table, ["a", "b"])
    options = reading_options(ws.lake.storage_options)
    assert not {"access_key_id", "secret_access_key", "session_token"} & options.keys()
    lines = reading_lines(lance_uri(table.uri), "2", options)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    keys = {"AWS_ACCESS_KEY_ID": s3_server.access_key, "AWS_SECRET_ACCESS_KEY": s3_server.secret}
    done = subprocess.run(
        [sys.executable, "-c", lines], env={**clean, **keys}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["record_id", "0", "a", "1", "b"]
