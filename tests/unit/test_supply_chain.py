"""What the core is made of is listed, under licences that ask nothing of the user's own code, and pinned."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "requirements" / "supply_chain.py"
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
LOCK = (ROOT / "requirements" / "core.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def chain() -> ModuleType:
    spec = importlib.util.spec_from_file_location("supply_chain", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["supply_chain"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "licence",
    [
        "GPL-3.0-only",
        "GNU General Public License v2 (GPLv2)",
        "LGPL-2.1-or-later",
        "AGPL-3.0",
        "EUPL-1.2",
        "SSPL-1.0",
        "CC-BY-SA-4.0",
        "CC-BY-NC-4.0",
        "MPL-2.0",
        "Mozilla Public License 2.0 (MPL 2.0)",
        "MIT AND GPL-2.0-or-later",
    ],
)
def test_copyleft_is_told_by_any_of_its_names(chain: ModuleType, licence: str) -> None:
    assert chain.COPYLEFT.search(licence)


def test_no_package_of_the_core_is_copyleft_and_each_names_its_licence(chain: ModuleType) -> None:
    licences = {package.name: chain.licence_of(package.name) for package in chain.locked(LOCK)}
    assert {name for name, licence in licences.items() if not licence} == set()
    asking = {name for name, licence in licences.items() if chain.COPYLEFT.search(licence)}
    assert asking == chain.FILE_BY_FILE


def test_the_list_of_licences_is_that_of_the_lock(chain: ModuleType) -> None:
    page = (ROOT / "docs" / "reference" / "licences.md").read_text(encoding="utf-8")
    assert page == chain.licence_page(LOCK)


def test_the_bill_of_materials_has_every_locked_package_with_its_hashes(chain: ModuleType) -> None:
    command = [sys.executable, str(SCRIPT), "sbom"]
    made = [subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2)]
    assert made[0] == made[1]
    document = json.loads(made[0])
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", document["serialNumber"])
    pins = re.findall(r"(?m)^([A-Za-z0-9._-]+)(?:\[.*\])?==(\S+)", LOCK)
    assert [(part["name"], part["version"]) for part in document["components"]] == pins
    assert sum(len(part["hashes"]) for part in document["components"]) == LOCK.count("--hash=sha256:")
    assert len({part["bom-ref"] for part in document["components"]}) == len(pins)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_of_others_are_pinned_by_commit_with_their_version_beside(workflow: Path) -> None:
    used = re.findall(r"uses: (.*)", workflow.read_text(encoding="utf-8"))
    assert used
    loose = [action for action in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", action)]
    assert loose == []
