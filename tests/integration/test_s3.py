"""The whole walk on a real S3 server, and what a wrong or absent store looks like to the caller."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.s3_lake import copy_landing, ids
from tests.s3_server import S3Server
from tests.small_corpus import land, write_recipe
from tests.walk import open_recipe, run_all
from winnowry.core.errors import AccessDeniedError, BucketNotFoundError, StorageError, StoreUnreachableError
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.load import load_recipe
from winnowry.storage.settings import StorageSettings

pytestmark = pytest.mark.s3

_SECONDS = 30.0  # a refusal may take a few retries, and no more


@pytest.mark.slow
def test_a_walk_on_s3_publishes_the_records_that_the_walk_in_a_folder_publishes(
    tmp_path: Path, s3_server: S3Server, s3_root: str
) -> None:
    land(tmp_path, years=("2019", "2020"), per_year=30)
    recipe_path = write_recipe(tmp_path)
    copy_landing(tmp_path, s3_server, s3_root)
    here, recipe = open_recipe(tmp_path, recipe_path)
    run_all(here, recipe)
    there = Workspace.open(s3_root, s3_server.settings)
    assert {result.status for result in run_all(there, recipe)} == {"promoted"}
    # Record ids do not name the root, so the two lakes must agree table by table.
    for table in ("raw", "cleaned", "sampled", "published", "quarantine"):
        assert ids(there, table) == ids(here, table), table
    assert ids(there, "published")
    assert {result.status for result in run_all(there, recipe)} == {"skipped"}


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("case", "expected"),
    [("secret", AccessDeniedError), ("bucket", BucketNotFoundError), ("endpoint", StoreUnreachableError)],
)
def test_a_store_that_cannot_be_used_is_named_within_seconds_and_without_the_secret(
    case: str, expected: type[StorageError], tmp_path: Path, s3_server: S3Server, s3_root: str
) -> None:
    secret = "a-secret-nobody-may-see"
    settings: StorageSettings = s3_server.settings
    root = s3_root
    if case == "secret":
        settings = settings.model_copy(update={"secret_access_key": SecretStr(secret)})
    elif case == "bucket":
        root, secret = "s3://nobody-made-this-bucket/lake", s3_server.secret
    else:
        endpoint = f"http://127.0.0.1:{_closed_port()}"
        settings, secret = settings.model_copy(update={"endpoint": endpoint}), s3_server.secret
    started = time.monotonic()
    with pytest.raises(StorageError) as caught:
        run_all(Workspace.open(root, settings), load_recipe(write_recipe(tmp_path)))
    assert time.monotonic() - started < _SECONDS
    assert type(caught.value) is expected
    assert secret not in str(caught.value)
