"""Kill a walk after every durable effect, or at any moment; run it again; an independent judge finds nothing wrong.

``WINNOWRY_KILLS`` is the number of kills at random moments (default 40). With 200 or more the kills after an effect
take in every effect of every partition; otherwise each kind of effect once a stage.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.verify import problems, visible_problems
from tests.faults.worker import land_first, land_second, run_child, spawn, walk

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(3000)]

KILLS = int(os.environ.get("WINNOWRY_KILLS", "40"))
AT_ONCE = max(1, min(4, os.cpu_count() or 1))
KILLED = -9


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Lakes that nobody killed: after the first landing, and after the second."""
    roots = {}
    for second in (False, True):
        root = tmp_path_factory.mktemp("undisturbed") / "lake"
        land_first(root)
        assert run_child(walk, root, second=second) == 0
        assert problems(root) == []
        roots[second] = root
    return roots


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)


def effects(scratch: Path, *, second: bool) -> list[str]:
    """Names of all durable effects of a walk, in order."""
    root, log = scratch / "recorded", scratch / "effects.txt"
    land_first(root)
    assert run_child(walk, root, log=log, second=second) == 0
    return log.read_text().splitlines()


def chosen(names: list[str]) -> list[int]:
    """Every effect, or the first of each kind a stage."""
    if KILLS >= 200:
        return list(range(len(names)))
    seen, found = set(), []
    for index, name in enumerate(names):
        where, effect = name.split(" ", 1)
        kind = (where.split("[")[0], effect)
        if kind not in seen and not effect.startswith(("detach:", "append:gates")):
            seen.add(kind)
            found.append(index)
    return found


@pytest.mark.parametrize("second", [False, True], ids=["first landing", "second landing"])
def test_a_walk_killed_after_any_effect_ends_as_if_undisturbed(
    scratch: Path, undisturbed: dict[bool, Path], second: bool
) -> None:
    names = effects(scratch, second=second)
    kinds = {name.split(" ", 1)[1] for name in names}
    assert {"commit:raw:Update", "commit:raw:Merge"} & kinds, kinds
    assert {"write:promotions:staged", "write:promotions:committing", "write:promotions:promoted"} <= kinds

    def disturbed(index: int) -> list[str]:
        root = scratch / f"at-{index}"
        land_first(root)
        code = run_child(walk, root, kill_at=index, second=second)
        if code != KILLED:
            return [f"after {names[index]}: exit code {code} instead of a kill"]
        found = visible_problems(root)
        code = run_child(walk, root)
        found += [f"the run after it ended with exit code {code}"] if code else problems(root, undisturbed[second])
        shutil.rmtree(root)
        return [f"killed after effect {index}, {names[index]}: {problem}" for problem in found]

    points = chosen(names)
    assert len(points) >= 45
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(disturbed, points))
    assert [problem for outcome in outcomes for problem in outcome] == []


def test_the_real_gates_stand_between_a_kill_and_a_promotion(scratch: Path, undisturbed: dict[bool, Path]) -> None:
    root, log = scratch / "recorded", scratch / "effects.txt"
    land_first(root)
    assert run_child(walk, root, log=log, suites="real", timeout=300) == 0
    names = log.read_text().splitlines()
    assert problems(root, undisturbed[False]) == []
    wanted = [
        ("raw", "append:gates"),
        ("cleaned", "write:data_docs"),
        ("cleaned", "commit:quarantine:Merge"),
        ("sampled", "commit:sampled:Merge"),
        ("published", "commit:published:Merge"),
    ]
    for stage, effect in wanted:
        index = next(i for i, n in enumerate(names) if n.startswith(stage) and n.endswith(" " + effect))
        victim = scratch / f"at-{index}"
        land_first(victim)
        assert run_child(walk, victim, kill_at=index, suites="real", timeout=300) == KILLED
        assert visible_problems(victim) == []
        assert run_child(walk, victim, suites="real", timeout=300) == 0
        assert problems(victim, undisturbed[False]) == []


def test_walks_killed_at_random_moments_end_as_if_undisturbed(scratch: Path, undisturbed: dict[bool, Path]) -> None:
    rng = random.Random(20261123)
    kills = rounds = 0
    while kills < KILLS:
        root = scratch / f"round-{rounds}"
        rounds += 1
        land_first(root)
        for second in (False, True):
            if second:
                land_second(root)
            for attempt in range(30):
                # Later attempts live longer, so that a round ends.
                code = run_child(walk, root, kill_after=rng.uniform(0.02, 0.5 + 0.15 * attempt))
                assert visible_problems(root) == [], f"round {rounds}, attempt {attempt}"
                if code == 0:
                    break
                assert code == KILLED
                kills += 1
            else:
                assert run_child(walk, root) == 0
            assert problems(root, undisturbed[second]) == [], f"round {rounds}, second landing: {second}"
        shutil.rmtree(root)


def test_a_reader_never_sees_a_part_of_a_promotion(scratch: Path) -> None:
    """A reader loops while partitions are loaded, replaced by force and killed."""
    rng = random.Random(7)
    root = scratch / "lake"
    land_first(root)
    looks = 0
    for round_ in range(6):
        writer = spawn(walk, root, force=round_ > 1, kill_after=rng.uniform(0.5, 2.0) if round_ % 2 else None)
        end = time.monotonic() + 60
        while writer.exitcode is None and time.monotonic() < end:
            found = [problem for problem in visible_problems(root) if not problem.startswith("quarantine of")]
            assert found == [], f"round {round_}, look {looks}"
            looks += 1
        writer.join(10)
        assert writer.exitcode in (0, KILLED)
        assert visible_problems(root) == []
    assert run_child(walk, root) == 0
    assert problems(root) == []
    assert looks >= 20
