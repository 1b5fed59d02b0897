"""The pool: results in order, errors where they are asked for, garbage collected again once a worker is up."""

from __future__ import annotations

import gc
import os

import pytest

from winnowry.engine.local import LocalEngine


def collecting(number: int) -> tuple[int, int, bool, int]:
    return number, os.getpid(), gc.isenabled(), gc.get_freeze_count()


def refused_at_three(number: int) -> int:
    if number == 3:
        raise ValueError("three")
    return number


def test_results_come_in_order_and_workers_collect_garbage_after_their_first_task() -> None:
    seen: dict[int, list[tuple[bool, int]]] = {}
    answers = list(LocalEngine(2).map(collecting, range(40)))
    assert [number for number, *_ in answers] == list(range(40))
    for _, process, enabled, frozen in answers:
        seen.setdefault(process, []).append((enabled, frozen))
    assert os.getpid() not in seen
    for first, *others in seen.values():
        assert first[0] or not first[1]  # a worker of an earlier test is up already
        assert all(enabled and frozen for enabled, frozen in others)


def test_an_error_comes_in_its_turn() -> None:
    results = LocalEngine(2).map(refused_at_three, range(6))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)


def test_an_engine_made_before_its_process_was_given_its_share_keeps_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, fixed = LocalEngine(), LocalEngine(7)
    for share in (3, 1):
        monkeypatch.setenv("WINNOWRY_WORKERS", str(share))
        assert (engine.slots, fixed.slots) == (share, 7)
