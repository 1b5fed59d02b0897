"""The commands as people call them, on a lake on S3: the demo at reduced size, and what a wrong setting looks like."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.s3_server import S3Server

pytestmark = pytest.mark.s3

_SECONDS = 30.0
_VERSIONS = 6  # of the AWS API reference: 128 pages of two years, 23 of them no duplicates


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str
    seconds: float

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Shell:
    """Calls ``winnowry`` as a process of its own, in an empty folder."""

    folder: Path
    root: str
    server: S3Server

    def __call__(self, *arguments: str, root: str | None = None, **env: str) -> Said:
        environment = {**os.environ, **self.server.environment, "WINNOWRY_HOME": str(self.folder / "home"), **env}
        command = [sys.executable, "-m", "winnowry.cli.main", *arguments, "--root", root or self.root]
        started = time.monotonic()
        done = subprocess.run(
            command, env=environment, cwd=self.folder, capture_output=True, text=True, timeout=300, check=False
        )
        return Said(done.returncode, done.stdout, done.stderr, time.monotonic() - started)


@pytest.fixture(scope="module")
def shell(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("shell"), f"s3://{s3_server.make_bucket()}/lake", s3_server)


@pytest.fixture(scope="module")
def demo(shell: Shell) -> Shell:
    """The demo has run, through Dagster."""
    said = shell("demo", "--versions", str(_VERSIONS), "--json")
    assert said.code == 0, said.err
    promoted = [result["stage"] for result in said.document["results"] if result["status"] == "promoted"]
    assert promoted[0] == "landing"
    assert promoted[-1] == "published"
    return shell


def rows(shell: Shell, query: str) -> Any:
    said = shell("sql", query, "--json")
    assert said.code == 0, said.err
    return said.document


@pytest.mark.slow
def test_the_demo_lands_in_the_bucket_and_only_dagsters_home_is_local(demo: Shell) -> None:
    bucket = demo.root.removeprefix("s3://").partition("/")[0]
    keys = [
        entry["Key"]
        for page in demo.server.client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for entry in page["Contents"]
    ]
    for part in ("landing/", "aws_docs/raw.lance/", "aws_docs/published.lance/", "aws_docs/promotions/"):
        assert any(key.startswith(f"lake/{part}") for key in keys), part
    assert {path.name for path in demo.folder.iterdir()} == {"home"}
    recorded = [path for path in (demo.folder / "home").rglob("*") if path.is_file()]
    assert recorded
    for path in recorded:
        assert demo.server.secret.encode() not in path.read_bytes(), path


@pytest.mark.slow
def test_every_record_is_accounted_for(demo: Shell) -> None:
    [counts] = rows(
        demo,
        "select (select count(*) from aws_docs.raw) as raw, (select count(*) from aws_docs.cleaned) as cleaned, "
        "(select count(*) from aws_docs.quarantine where stage = 'cleaned') as rejected, "
        "(select count(distinct record_id) from aws_docs.raw) as ids, "
        "(select count(*) from aws_docs.duplicates) as duplicates, (select count(*) from aws_docs.scored) as scored",
    )
    assert counts["raw"] == counts["ids"] == counts["cleaned"] + counts["rejected"] > 100
    assert counts["scored"] == counts["cleaned"] - counts["duplicates"] > 0


@pytest.mark.slow
def test_a_plan_finds_everything_fresh(demo: Shell) -> None:
    said = demo("plan", "aws_docs", "--json")
    assert (said.code, said.document["n_run"]) == (0, 0)


@pytest.mark.slow
def test_a_second_demo_skips_everything(demo: Shell) -> None:
    said = demo("demo", "--versions", str(_VERSIONS), "--json")
    assert said.code == 0, said.err
    assert {result["status"] for result in said.document["results"]} == {"skipped"}


@pytest.mark.slow
def test_a_record_is_explained(demo: Shell) -> None:
    [chosen] = rows(demo, "select record_id from aws_docs.published order by record_id limit 1")
    said = demo("explain", chosen["record_id"], "--json")
    assert (said.code, said.document["status"]) == (0, "published")
    assert [step["stage"] for step in said.document["steps"]][:3] == ["landing", "raw", "cleaned"]


@pytest.mark.slow
def test_a_release_is_listed_and_exported_alike_to_a_folder_and_to_the_bucket(demo: Shell, tmp_path: Path) -> None:
    listed = demo("release", "list", "aws_docs", "--json")
    [release] = listed.document["releases"]
    assert (release["name"], release["tags"]) == ("v1", ["prod"])
    there = f"{demo.root}/exported"
    exports = [
        demo("export", "aws_docs", "--format", "jsonl", "--out", out, "--json") for out in (str(tmp_path), there)
    ]
    assert [said.code for said in exports] == [0, 0], exports
    assert exports[0].document["files"] == exports[1].document["files"]
    assert exports[0].document["rows"] == release["rows"]
    [file] = exports[0].document["files"]
    bucket, _, prefix = there.removeprefix("s3://").partition("/")
    stored = demo.server.client().get_object(Bucket=bucket, Key=f"{prefix}/{file['name']}")["Body"].read()
    assert hashlib.sha256(stored).hexdigest() == file["sha256"]
    assert stored == (tmp_path / file["name"]).read_bytes()
    again = demo("export", "aws_docs", "--format", "jsonl", "--out", there, "--json")
    assert (again.code, again.document["error"]["type"]) == (2, "UsageError")


@pytest.mark.slow
def test_the_doctor_finds_the_lake_healthy(demo: Shell) -> None:
    said = demo("doctor", "--json")
    assert said.code == 0, said.out
    assert {check["name"]: check["status"] for check in said.document["checks"]} == dict.fromkeys(
        ("packages", "store", "clock", "conditional writes", "tables", "unfinished promotions", "automation"), "ok"
    )
    assert "9 opened" in {check["name"]: check["message"] for check in said.document["checks"]}["tables"]


WRONG = {
    "secret": ("AccessDeniedError", {"AWS_SECRET_ACCESS_KEY": "a-secret-nobody-may-see"}, "AWS_SECRET_ACCESS_KEY"),
    "bucket": ("BucketNotFoundError", {}, "--root"),
    "endpoint": ("StoreUnreachableError", {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}, "AWS_ENDPOINT_URL"),
    "silence": ("StoreUnreachableError", {}, "AWS_ENDPOINT_URL"),  # takes connections and never says a word
    "no keys": (
        "AccessDeniedError",
        {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
        "AWS_ACCESS_KEY_ID",
    ),
}


@pytest.fixture
def silence() -> Iterator[str]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


_slow = pytest.mark.slow


@pytest.mark.parametrize("wrong", ["secret", "bucket", "endpoint", "no keys", pytest.param("silence", marks=_slow)])
def test_the_doctor_says_what_is_wrong_with_the_settings_and_what_to_do(shell: Shell, wrong: str, silence: str) -> None:
    _, env, remedy = WRONG[wrong]
    if wrong == "silence":
        env = {"AWS_ENDPOINT_URL_S3": silence}
    root = "s3://nobody-made-this-bucket/lake" if wrong == "bucket" else shell.root
    said = shell("doctor", "--json", root=root, **env)
    assert said.code == 1
    assert said.seconds < _SECONDS
    checks = {check["name"]: check for check in said.document["checks"]}
    assert [check["status"] for check in checks.values()] == ["ok", "fail", *["skip"] * 7]
    assert root in checks["store"]["message"]
    assert remedy in checks["store"]["hint"]
    assert "a-secret-nobody-may-see" not in said.out + said.err
    assert shell.server.secret not in said.out + said.err


def test_the_doctor_names_the_setting_that_makes_no_sense(shell: Shell) -> None:
    said = shell("doctor", "--json", AWS_SECRET_ACCESS_KEY="")
    checks = {check["name"]: check for check in said.document["checks"]}
    assert (said.code, checks["store"]["status"]) == (1, "fail")
    assert "AWS_SECRET_ACCESS_KEY is not" in checks["store"]["message"]


COMMANDS = (
    ("plan", "aws_docs"),
    ("sql", "select * from tables"),
    ("explain", "0123456789abcdef"),
    ("release", "list", "aws_docs"),
    ("export", "aws_docs", "--format", "jsonl", "--out", "out"),
    ("run", "aws_docs"),
    ("run", "aws_docs", "--without-dagster"),
    ("demo", "--versions", "1"),
)


@pytest.mark.parametrize(
    ("wrong", "arguments"),
    [
        pytest.param(wrong, arguments, marks=() if (wrong, arguments) == ("endpoint", COMMANDS[0]) else _slow)
        for wrong in ("secret", "bucket", "endpoint", "silence")
        for arguments in COMMANDS
    ],
)
def test_every_command_names_a_store_that_cannot_be_used(
    shell: Shell, wrong: str, arguments: tuple[str, ...], silence: str
) -> None:
    kind, env, _ = WRONG[wrong]
    if wrong == "silence":
        env = {"AWS_ENDPOINT_URL_S3": silence}
    root = "s3://nobody-made-this-bucket/lake" if wrong == "bucket" else shell.root
    said = shell(*arguments, "--json", root=root, **env)
    assert said.code == 1
    assert said.seconds < _SECONDS
    assert said.document["error"]["type"] == kind
    assert root in said.document["error"]["message"]
    assert "bug" not in said.err
    assert "a-secret-nobody-may-see" not in said.out + said.err
