"""Power is lost at every moment of every command that writes: the lake opens, and holds what it was said to hold.

``WINNOWRY_CUTS`` is the number of cuts of a scene and model after which the stages are run again, to the end (default
2); every cut is judged without that.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lance
import pytest

from tests.faults.power_cut import MODELS, Disk, Model, Operation, is_cut, record
from tests.faults.power_scenes import DROPPED, PREPARED, SCENES
from tests.faults.verify import problems
from tests.faults.worker import CORPUS, land_first, run_child, walk
from winnowry.core.errors import WinnowryError
from winnowry.lakehouse import table
from winnowry.lakehouse.workspace import Workspace

pytestmark = [
    pytest.mark.faults,
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace records what a command writes: install it"),
]

INDEXED = ("raw", "published")
CUTS = int(os.environ.get("WINNOWRY_CUTS", "2"))


def records(root: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_bytes()) for path in sorted(root.glob(f"{CORPUS}/promotions/*/*/*.json"))]


def promoted(root: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The newest promoted record of every stage and partition, by its own words."""
    there = sorted((r for r in records(root) if r["state"] == "promoted"), key=lambda r: r["promoted_at"])
    return {(record["stage"], record["partition"]): record for record in there}


def tables_of(operation: Operation, root: Path) -> set[str] | None:
    """Tables whose state an operation may change, or what is promised of them; None: any."""
    parts = Path(operation.path).relative_to(root).parts
    if len(parts) > 1 and parts[1].endswith(".lance"):
        return {parts[1].removesuffix(".lance")}
    if len(parts) > 2 and parts[1] == "promotions":
        return {parts[2], "quarantine"}
    return None if len(parts) < 2 or parts[1] == "columns" else set()


def faults(root: Path, about: set[str] | None = None) -> Iterator[str]:
    """What is wrong with a lake: winnowry opens its tables, which mends them; Lance alone says what is in them."""
    ws = Workspace.open(str(root))
    table._looked_at.clear()  # a process after the cut is a new one
    for path in root.glob(f"{CORPUS}/**/*.json"):
        if ".lance/" not in str(path) and not _is_json(path):
            yield f"not JSON: {path.relative_to(root)}"
    held: dict[str, Counter[str]] = {}
    for folder in root.glob(f"{CORPUS}/*.lance"):
        if about is None or folder.stem in about:
            held[folder.stem] = Counter()
            yield from _faults_of_table(ws, folder, held[folder.stem])
    landed = {r["replaces"] for r in records(root) if r["state"] == "committing" and _is_there(r["main"], r, held)}
    for (stage, partition), live in promoted(root).items():
        for part in [live["main"], *live["sides"]]:
            if part and part["scope"] != "delta" and live["id"] not in landed and not _is_there(part, live, held):
                yield f"promise: rows of {stage}[{partition}] are missing in {part['table']}"
    for path in root.glob(f"{CORPUS}/columns/*/*.json") if about is None or "published" in about else ():
        column = json.loads(path.read_bytes())
        names = lance.dataset(str(root / CORPUS / f"{column['spec']['table']}.lance")).schema.names
        # One that is dropped leaves the table first, and the command can be given again.
        if column["state"] == "live" and column["spec"]["name"] not in {*names, DROPPED}:
            yield f"promise: column {column['spec']['name']} is live and not there"


def _faults_of_table(ws: Workspace, folder: Path, held: Counter[str]) -> Iterator[str]:
    """What is wrong with a table; counts its rows by promotion."""
    try:
        if ws.lake.table(CORPUS, folder.stem).dataset_or_none() is None:
            return
        rows = lance.dataset(str(folder)).to_table()
        if "promotion_id" in rows.schema.names:
            held.update(rows["promotion_id"].to_pylist())
        for tag in ws.lake.tags(CORPUS, folder.stem):
            lance.dataset(str(folder), version=tag).to_table()
        if folder.stem in INDEXED and rows.num_rows:
            some = rows["record_id"][0].as_py()
            if lance.dataset(str(folder)).to_table(filter=f"record_id = '{some}'").num_rows != 1:
                yield f"index: {folder.name} does not lead to its first row"
    except (WinnowryError, OSError, ValueError, RuntimeError) as error:
        yield f"does not open: {folder.name}: {str(error)[:120]}"


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except ValueError:
        return False
    return True


def _is_there(part: dict[str, Any] | None, record: dict[str, Any], held: dict[str, Counter[str]]) -> bool:
    """Whether a table that was looked at holds the rows of a promotion."""
    return part is None or part["table"] not in held or held[part["table"]][record["id"]] >= part["rows"]


def acknowledged(root: Path) -> dict[str, object]:
    """What a finished command has promised: promotions, tags and columns."""
    published = lance.dataset(str(root / CORPUS / "published.lance"))
    return {
        "promotions": {key: live["id"] for key, live in promoted(root).items()},
        "tags": {tag: int(entry["version"]) for tag, entry in published.tags.list().items()},
        "columns": sorted(published.schema.names),
        "rows": published.count_rows(),
    }


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, list[Operation]]]:
    """Every scene: the lake before it, and what was done to its files; each begins where the one before it ended."""
    base = tmp_path_factory.mktemp("power")
    root = base / "lake"
    land_first(root)
    recorded = {}
    for name in SCENES:
        PREPARED.get(name, lambda _: None)(root)
        before = Path(shutil.copytree(root, base / f"before-{name}"))
        command = [sys.executable, "-m", "tests.faults.power_scenes", name, str(root)]
        done = record(command, base / f"{name}.trace", root, WINNOWRY_WORKERS="1")
        shutil.copytree(root, base / f"after-{name}")
        recorded[name] = (before, [moved(operation, root, before) for operation in done])
    return recorded


def moved(operation: Operation, root: Path, to: Path) -> Operation:
    """An operation in a copy of the folder."""
    path, other = (text.replace(str(root), str(to), 1) for text in (operation.path, operation.other))
    return operation._replace(path=path, other=other)


@pytest.mark.parametrize("scene", list(SCENES))
@pytest.mark.parametrize("model", MODELS)
def test_a_cut_at_any_moment_leaves_a_lake_that_opens_and_holds_what_it_promised(
    scene: str, model: Model, scenes: dict[str, tuple[Path, list[Operation]]], tmp_path: Path
) -> None:
    before, operations = scenes[scene]
    disk, target = Disk(before), tmp_path / "lake"
    wrong: dict[str, list[str]] = {}
    n_judged = 0
    points = [number for number, operation in enumerate(operations) if is_cut(operation)]
    again = set(random.Random(f"{scene}-{model}").sample(points, min(CUTS, len(points))))
    for number, operation in enumerate(operations):
        disk.apply(operation)
        if number not in points:
            continue
        if not disk.build(target, model) and number not in again:
            continue  # judged already
        n_judged += 1
        where = f"{operation.kind} {operation.path.removeprefix(str(before))}"
        if there := list(faults(target, tables_of(operation, before))):
            wrong[f"{number}: {where}"] = there
        if number in again:
            copied = Path(shutil.copytree(target, tmp_path / f"again-{number}"))
            for command in (walk,) if scene != "maintain" else (SCENES[scene], walk):
                assert run_child(command, copied) == 0, where
            # Rolled back, the tag that readers follow is held where it is.
            assert [it for it in problems(copied) if scene != "tag" or not it.startswith("tags: prod")] == [], where
            shutil.rmtree(copied)
    print(f"\n{scene} {model}: {len(points)} cuts, {n_judged} different, {len(wrong)} with a fault")
    print("".join(f"  {place}: {there}\n" for place, there in wrong.items()), end="")
    assert wrong == {}
    disk.build(target, model)
    assert list(faults(target)) == []
    assert acknowledged(target) == acknowledged(before.with_name(before.name.replace("before", "after")))
