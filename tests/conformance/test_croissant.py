"""The Croissant card of a release, read by mlcroissant, the reference implementation.

It lives in the environment of `make peers`; without it these tests skip.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_release_page import BARE, RECIPE, SCRIPT, land
from tests.walk import open_recipe, run_all

REPOSITORY = Path(__file__).resolve().parents[2]
PEER = REPOSITORY / ".venv-peers" / "bin" / "python"
READ = """
import json, sys
import mlcroissant
try:
    data = mlcroissant.Dataset(jsonld=sys.argv[1])
except mlcroissant.ValidationError as error:
    print(json.dumps({"errors": [str(error)], "warnings": []}))
else:
    issues = data.metadata.ctx.issues
    said = {"errors": sorted(issues.errors), "warnings": sorted(issues.warnings), "name": data.metadata.name}
    said["fields"] = [field.name for records in data.metadata.record_sets for field in records.fields]
    print(json.dumps(said, default=str))
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (PEER.exists() and list(PEER.parents[1].glob("lib/*/site-packages/mlcroissant"))),
        reason="no .venv-peers with mlcroissant: run `make peers`",
    ),
]


def read(card: Path) -> dict[str, Any]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run([str(PEER), "-c", READ, str(card)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("rich")
    land(root)
    (root / "planted.yaml").write_text(RECIPE)
    run_all(*open_recipe(root, root / "planted.yaml"))
    return root / "planted/releases/v1/card.croissant.json"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without dates, licences and scores."""
    root = tmp_path_factory.mktemp("bare")
    (root / "landing" / "only").mkdir(parents=True)
    lines = [json.dumps({"id": str(i), "text": f"{SCRIPT} record number {i}"}) for i in range(20)]
    (root / "landing" / "only" / "a.jsonl").write_text("\n".join(lines))
    (root / "bare.yaml").write_text(BARE)
    run_all(*open_recipe(root, root / "bare.yaml"))
    return root / "bare/releases/v1/card.croissant.json"


@pytest.mark.parametrize("name", ["rich", "bare"])
def test_a_card_is_valid(name: str, request: pytest.FixtureRequest) -> None:
    said = read(request.getfixturevalue(name))
    assert said["errors"] == []
    assert {"record_id", "text", "n_tokens"} <= set(said["fields"])


def test_the_card_of_a_rich_release_has_nothing_to_warn_of(rich: Path) -> None:
    assert read(rich)["warnings"] == []


def test_a_broken_card_is_seen(rich: Path, tmp_path: Path) -> None:
    card = json.loads(rich.read_text(encoding="utf-8"))
    del card["recordSet"][0]["field"][0]["dataType"]
    (tmp_path / "card.json").write_text(json.dumps(card))
    assert read(tmp_path / "card.json")["errors"]
