"""A backfill as a user launches it: the UI's GraphQL, the real daemon, a process a run."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.integration.dagster_project import BAD, land_short_year, write_project_recipe
from tests.small_corpus import land
from winnowry.cli.ui_server import UiServer, await_ready, claim_port, start, stop
from winnowry.lakehouse.workspace import Workspace
from winnowry.runs.home import prepare_home

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

_WORKSPACE = """\
load_from:
  - python_file: {{relative_path: code_location.py, working_directory: "{repository}", location_name: small}}
"""
_CODE_LOCATION = """\
from pathlib import Path

from assets.definitions import definitions_of

defs = definitions_of(Path(__file__).parent / "recipes")
"""
_LAUNCH_RUN = """
mutation($e: ExecutionParams!) {
  launchPipelineExecution(executionParams: $e) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}"""
_LAUNCH_BACKFILL = """
mutation($p: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $p) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  }
}"""
_RUN = "query($r: ID!) { runOrError(runId: $r) { ... on Run { status } } }"
_BACKFILL = "query($b: String!) { partitionBackfillOrError(backfillId: $b) { ... on PartitionBackfill { status } } }"
_STATUS = """
query($k: AssetKeyInput!) {
  assetNodeOrError(assetKey: $k) {
    ... on AssetNode {
      partitionStats { numMaterialized numFailed numPartitions }
      assetMaterializations(limit: 50) { partition }
    }
  }
}"""

Query = Callable[..., dict[str, Any]]


@pytest.fixture
def served(tmp_path: Path, repository: Path) -> Iterator[tuple[Path, Query]]:
    root = tmp_path / "lake"
    land(root, years=("2019", "2020"), per_year=20)
    land_short_year(root)
    write_project_recipe(tmp_path / "recipes")
    (tmp_path / "workspace.yaml").write_text(_WORKSPACE.format(repository=repository), encoding="utf-8")
    (tmp_path / "code_location.py").write_text(_CODE_LOCATION, encoding="utf-8")
    server = UiServer(tmp_path, str(root), tmp_path / "home", port=0)
    prepare_home(server.home, repository)
    port = claim_port(server.host, server.port)
    process = start(server, port)
    try:
        await_ready(process, f"http://{server.host}:{port}", within_s=240)
        yield root, lambda query, **variables: ask(f"http://{server.host}:{port}/graphql", query, variables)
    finally:
        stop(process)


def ask(address: str, query: str, variables: dict[str, Any]) -> dict[str, Any]:
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        document = json.load(answer)
    assert "errors" not in document, document["errors"]
    data: dict[str, Any] = document["data"]
    return data


def wait_for(read: Callable[[], str], final: set[str], within_s: float = 400) -> str:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if (seen := read()) in final:
            return seen
        time.sleep(1)
    raise AssertionError(f"still {seen} after {within_s} s")


def key(stage: str) -> dict[str, list[str]]:
    return {"path": ["small", stage]}


def check_statuses(instance: dg.DagsterInstance, check: str) -> dict[str | None, str]:
    """Latest status of a check of ``cleaned`` by partition."""
    spec = dg.AssetCheckKey(dg.AssetKey(["small", "cleaned"]), check)
    history = instance.event_log_storage.get_asset_check_execution_history(spec, limit=50)
    return {record.partition: record.status.value for record in reversed(history)}


def test_a_partition_refused_in_a_backfill_leaves_the_others_promoted(served: tuple[Path, Query]) -> None:
    root, query = served
    selector = {
        "repositoryName": "__repository__",
        "repositoryLocationName": "small",
        "pipelineName": "__ASSET_JOB",
        "assetSelection": [key("landing")],
    }
    params = {"mode": "default", "selector": selector, "runConfigData": {}, "executionMetadata": {"tags": []}}
    run = query(_LAUNCH_RUN, e=params)["launchPipelineExecution"]["run"]["runId"]
    ended = {"SUCCESS", "FAILURE", "CANCELED"}
    assert wait_for(lambda: query(_RUN, r=run)["runOrError"]["status"], ended) == "SUCCESS"

    params = {
        "assetSelection": [key(stage) for stage in ("raw", "cleaned", "duplicates")],
        "partitionNames": ["2019", "2020", BAD],
        "title": "first fill",
    }
    backfill = query(_LAUNCH_BACKFILL, p=params)["launchPartitionBackfill"]["backfillId"]
    final = {"COMPLETED_SUCCESS", "COMPLETED_FAILED", "COMPLETED", "FAILED", "CANCELED"}
    status = wait_for(lambda: query(_BACKFILL, b=backfill)["partitionBackfillOrError"]["status"], final)

    cleaned = query(_STATUS, k=key("cleaned"))["assetNodeOrError"]
    assert cleaned["partitionStats"] == {"numMaterialized": 2, "numFailed": 1, "numPartitions": 3}
    assert {made["partition"] for made in cleaned["assetMaterializations"]} == {"2019", "2020"}
    assert query(_STATUS, k=key("duplicates"))["assetNodeOrError"]["assetMaterializations"] == []
    assert status == "COMPLETED_FAILED"
    with dg.DagsterInstance.from_config(str(root.parent / "home")) as instance:
        assert check_statuses(instance, "quality") == {"2019": "SUCCEEDED", "2020": "SUCCEEDED", BAD: "FAILED"}
        assert check_statuses(instance, "contract") == {"2019": "SUCCEEDED", "2020": "SUCCEEDED", BAD: "SUCCEEDED"}
    lake = Workspace.open(str(root)).lake
    assert lake.partitions("small", "cleaned") == ["2019", "2020"]
    assert lake.partitions("small", "raw") == ["2019", "2020", BAD]
