"""Releases over random histories of runs, kills, upkeep, rollbacks and renamed tags: a number stands for its rows."""

from __future__ import annotations

import hashlib
import os
import random
import re
import time
from pathlib import Path

import lance
import pytest

from tests.days import CORPUS, RECIPE, land, recipe_at, run, texts
from tests.faults.worker import Taps, run_child
from winnowry.inspect.maintain import maintain
from winnowry.lakehouse.workspace import Workspace
from winnowry.releases.releases import releases, rollback

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(1200)]

STEPS = 10
KILLED = -9


def run_or_die(root: Path, tag: str, kill_at: int | None, log: Path | None = None) -> None:
    """Every stage in this process; dies after an effect."""
    os.environ["WINNOWRY_WORKERS"] = "1"
    taps = Taps(log, kill_at)
    taps.install()
    recipe = recipe_at(root, RECIPE, [f"publish.tag={tag}"])
    assert run(Workspace.open(str(root)), recipe, suites=lambda *_: []).succeeded


def maintain_and_die(root: Path, kill_at: int | None) -> None:
    """Upkeep of everything, with the least retention."""
    taps = Taps(None, kill_at)
    taps.install()
    maintain(Workspace.open(str(root)), keep_days=1)


def age(root: Path) -> None:
    """Ten days pass: every object of the lake is older."""
    old = time.time() - 10 * 86400
    for path in (root / CORPUS).rglob("*"):
        if path.is_file():
            os.utime(path, (old, old))


def digest(root: Path, name: str) -> str:
    """What a reader of a release or a tag gets, read with Lance alone."""
    table = lance.dataset(str(root / CORPUS / "published.lance"), version=name)
    rows = sorted(zip(*table.to_table(columns=["record_id", "text"]).to_pydict().values(), strict=True))
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def numbered(root: Path) -> dict[str, str]:
    """Digest of every release that has a number."""
    path = root / CORPUS / "published.lance"
    tags = lance.dataset(str(path)).tags.list() if path.exists() else {}
    return {name: digest(root, name) for name in tags if re.fullmatch(r"v\d+", name)}


@pytest.mark.parametrize("seed", range(3))
def test_a_number_stands_for_its_rows_whatever_happens(tmp_path: Path, seed: int) -> None:
    chance, root = random.Random(seed), tmp_path
    for day in ("2026-01-01", "2026-01-02"):
        land(root, day, texts(day, 6))
    log = tmp_path / "effects.txt"
    assert run_child(run_or_die, root, "prod", None, log) == 0
    n_effects = len(log.read_text().splitlines())
    seen, tag, held, history = numbered(root), "prod", dict[str, str](), ["run"]
    assert list(seen) == ["v1"]
    for step in range(STEPS):
        action = chance.choice(["run", "run", "kill", "kill", "upkeep", "upkeep killed", "rollback", "rename", "age"])
        if action in ("run", "kill"):
            day = f"2026-01-{chance.randrange(1, 6):02}"
            land(root, day, texts(f"{day} {chance.choice('abc')}", chance.randrange(4, 8)))
            # The release is the last part of a run: most deaths are there.
            kill_at = chance.randrange(n_effects // 2, n_effects * 2) if action == "kill" else None
            code = run_child(run_or_die, root, tag, kill_at)
            assert code in ((0,) if kill_at is None else (0, KILLED)), history
            if code == 0:
                newest = max(numbered(root), key=lambda name: int(name[1:]))
                assert digest(root, tag) == digest(root, held.get(tag, newest)), (history, action, tag)
        elif action.startswith("upkeep"):
            assert run_child(maintain_and_die, root, chance.randrange(6) if "killed" in action else None) in (0, KILLED)
        elif action == "age":
            age(root)
        elif action == "rename":
            tag = chance.choice(["prod", "live", "eu"])
        else:
            ws = Workspace.open(str(root))
            names = [release.name for release in releases(ws, CORPUS)]
            movable = [name for name in ws.lake.tags(CORPUS) if not re.fullmatch(r"v\d+", name)]
            done = rollback(ws, CORPUS, chance.choice(names), chance.choice(movable))
            held.pop(done.tag, None)
            if done.held:
                held[done.tag] = done.after
        history.append(f"{step}: {action}")
        now = numbered(root)
        assert {name: now.get(name) for name in seen} == seen, history
        assert sorted(int(name[1:]) for name in now) == list(range(1, len(now) + 1)), history
        seen = now
    assert run_child(run_or_die, root, tag, None) == 0
    assert {name: numbered(root).get(name) for name in seen} == seen, history
    assert len(seen) > 1, history
