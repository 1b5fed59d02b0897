"""A corpus that runs by itself: nothing fails but what a gate refuses, and each day's release is the right one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unattended import Daemon, Landing, accepted, cheap_instance, day_of, left_out
from winnowry.stages.plan import plan

pytestmark = pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning")


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.setenv("WINNOWRY_ROOT", str(tmp_path))
    with cheap_instance(tmp_path / "home") as reopen:
        yield Daemon(tmp_path, Landing(tmp_path), reopen)


def is_right(daemon: Daemon, without: set[str]) -> bool:
    return daemon.published() == daemon.landing.right(without)


def test_a_few_days_with_new_late_refused_accepted_and_removed_data(daemon: Daemon) -> None:
    landing = daemon.landing
    for number in range(2):
        landing.put(f"d{number}", day_of(number), f"d{number}")
    daemon.settle()
    assert is_right(daemon, set())
    assert daemon.launched == {
        "landing": 1, "raw+cleaned": 2, "duplicates+fit": 1, "scored": 2, "sampled+published": 1, "valid2": 1
    }  # fmt: skip

    bad = day_of(2)
    landing.put("late", day_of(0), "late")
    landing.put("d2", bad, "d2", bad=20)
    daemon.settle()
    assert daemon.failures == ["GateFailed"]
    waiting = {(entry.stage, entry.partition) for entry in plan(daemon.workspace, daemon.recipe).waiting}
    assert ("cleaned", bad) in waiting  # it is named, and what needs every day waits for somebody's word

    landing.sign(left_out(bad))
    daemon.restart()
    daemon.settle()
    assert is_right(daemon, {bad})

    landing.sign(accepted(bad))
    landing.remove("d1")
    daemon.restart()
    daemon.settle()
    assert is_right(daemon, set())
    assert daemon.known_keys() == {day_of(0), bad}
    assert daemon.failures == ["GateFailed"]
    assert daemon.tick() == 0
    assert "nothing has changed" in daemon.skipped


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_thirty_days(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    """Every day a new file; late, corrected, removed, refused and accepted data in turn; the daemon starts anew.

    Each day's release is what the landing files say, minus the day that a gate refused and a person left out; no run
    fails but for a gate; and a day costs what it changed, however many days there are. The table is printed as it
    grows.
    """
    landing, without, refusals = daemon.landing, set[str](), 0
    seen = daemon.promotions()

    def line(day: object, what: object, runs: object, promotions: object, rows: object) -> None:
        with capsys.disabled():
            print(f"{day!s:>4}  {what!s:<18} {runs!s:>4} {rows!s:>5}  {promotions}", flush=True)

    line("", "", "", "", "")
    line("day", "what happened", "runs", "promotions", "rows")
    for number in range(5):
        landing.put(f"d{number}", day_of(number), f"d{number}")
    daemon.settle()
    assert is_right(daemon, set())
    for number in range(5, 35):
        runs_before, what, changed = sum(daemon.launched.values()), "new", {day_of(number)}
        seen |= daemon.promotions()
        turn = number % 10
        if turn not in (5, 7):
            landing.put(f"d{number}", day_of(number), f"d{number}")
        if turn == 2:
            landing.put(f"late{number}", day_of(number - 3), f"late{number}")
            what, changed = "new, late", changed | {day_of(number - 3)}
        elif turn == 3:
            landing.put(f"d{number - 2}", day_of(number - 2), f"corrected {number}", good=5)
            what, changed = "new, corrected", changed | {day_of(number - 2)}
        elif turn == 4:
            landing.remove(f"d{number - 4}")
            what, changed = "new, removed", changed | {day_of(number - 4)}
        elif turn in (5, 7):  # refused; while it stands it is named, and a person leaves it out
            landing.put(f"d{number}", day_of(number), f"d{number}", bad=20)
            daemon.settle()
            refusals += 1
            waits = {(e.stage, e.partition) for e in plan(daemon.workspace, daemon.recipe).waiting}
            assert ("cleaned", day_of(number)) in waits
            without.add(day_of(number))
            landing.sign(*landing.signed, left_out(day_of(number)))
            what = "refused, left out"
        elif turn == 6:
            without.remove(day_of(number - 1))
            landing.sign(*[s for s in landing.signed if day_of(number - 1) not in s], accepted(day_of(number - 1)))
            what, changed = "new, accepted", changed | {day_of(number - 1)}
        elif turn == 8:
            without.remove(day_of(number - 1))
            landing.put(f"d{number - 1}", day_of(number - 1), f"mended {number}", good=4)
            landing.sign(*[s for s in landing.signed if day_of(number - 1) not in s])
            what, changed = "new, mended", changed | {day_of(number - 1)}
        daemon.restart()  # what was signed for is in the recipe
        daemon.settle()
        made = daemon.promotions() - seen
        stages = Counter(stage for stage, _, _ in made)
        n_runs, rows = sum(daemon.launched.values()) - runs_before, daemon.published()
        line(number, what, n_runs, ", ".join(f"{stage} {n}" for stage, n in sorted(stages.items())), rows.total())
        assert rows == landing.right(without), what
        assert daemon.failures == ["GateFailed"] * refusals, what
        early = {(stage, partition) for stage, partition, _ in made if stage in ("raw", "cleaned")}
        assert {partition for _, partition in early} <= changed, what  # what changed, and nothing else
        assert all(stages[stage] <= len(changed) + 2 for stage in ("raw", "cleaned", "scored")), what
        assert all(stages[stage] <= 2 for stage in ("duplicates", "fit", "sampled", "published")), what
    line("", f"{daemon.n_restarts} restarts", sum(daemon.launched.values()), dict(daemon.launched), "")


@pytest.mark.slow
def test_data_that_come_faster_than_a_pass_do_not_keep_releases_waiting(daemon: Daemon) -> None:
    landing = daemon.landing
    for number in range(3):
        landing.put(f"d{number}", day_of(number), f"d{number}")
    daemon.settle()
    releases = 0
    for number in range(3, 15):
        landing.put(f"d{number}", day_of(number), f"d{number}")
        if number % 4 == 0:
            landing.remove(f"d{number - 3}")
        before = daemon.published()
        for _ in range(4):
            daemon.tick()
            daemon.work(2)
        releases += daemon.published() != before
    assert releases >= 3
    daemon.settle()
    assert is_right(daemon, set())
    assert daemon.failures == []
