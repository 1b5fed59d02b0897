"""How often a call is tried again, and how long is waited between."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from winnowry.core.retry import Retry


def is_busy(error: Exception) -> bool:
    return isinstance(error, TimeoutError)


def fails(times: int, error: Exception | None = None) -> Callable[[], int]:
    """A call that fails so many times and then returns the number of the call."""
    calls = 0

    def call() -> int:
        nonlocal calls
        calls += 1
        if calls <= times:
            raise error or TimeoutError("busy")
        return calls

    return call


def tried(policy: Retry, call: Callable[[], int], *, raise_last: bool = False) -> int | None:
    for attempt in policy.attempts_on(is_busy, raise_last=raise_last):
        with attempt:
            return call()
    return None


def policy(waits: list[float], attempts: int = 4, jitter: bool = False) -> Retry:
    return Retry(attempts=attempts, first_wait_s=0.5, longest_wait_s=1.5, jitter=jitter, sleep=waits.append)


def test_a_call_that_succeeds_is_made_once_and_never_waits() -> None:
    waits: list[float] = []
    assert tried(policy(waits), fails(0)) == 1
    assert waits == []


def test_a_transient_error_is_tried_again_after_a_wait_that_doubles_up_to_the_longest() -> None:
    waits: list[float] = []
    assert tried(policy(waits), fails(3)) == 4
    assert waits == [0.5, 1.0, 1.5]


def test_after_the_last_attempt_the_loop_ends_without_another_wait() -> None:
    waits: list[float] = []
    assert tried(policy(waits, attempts=3), fails(9)) is None
    assert waits == [0.5, 1.0]


def test_the_last_error_is_raised_where_the_caller_wants_it() -> None:
    waits: list[float] = []
    with pytest.raises(TimeoutError, match="busy"):
        tried(policy(waits, attempts=3), fails(9), raise_last=True)
    assert waits == [0.5, 1.0]


@pytest.mark.parametrize("error", [ValueError("wrong"), KeyboardInterrupt()], ids=["lasting", "interrupt"])
def test_any_other_error_leaves_at_once(error: Exception) -> None:
    waits: list[float] = []
    with pytest.raises(type(error)):
        tried(policy(waits), fails(1, error))
    assert waits == []


def test_jitter_shortens_a_wait_and_never_lengthens_it() -> None:
    waits: list[float] = []
    tried(policy(waits, attempts=100, jitter=True), fails(99))
    assert all(0 <= wait < 1.5 for wait in waits)
    assert len(set(waits)) > 50


@pytest.mark.parametrize(
    ("growth", "expected"), [("doubled", [1, 2, 4, 5]), ("linear", [1, 2, 3, 4]), ("constant", [1, 1, 1, 1])]
)
def test_waits_grow_as_the_policy_says(growth: str, expected: list[float]) -> None:
    waits: list[float] = []
    growing = Retry(5, 1.0, 5.0, growth=growth, jitter=False, sleep=waits.append)  # type: ignore[arg-type]
    tried(growing, fails(9))
    assert waits == expected


def test_a_loop_that_sees_the_refusal_itself_goes_on_by_itself() -> None:
    waits: list[float] = []
    assert [attempt.number for attempt in policy(waits).attempts_on()] == [0, 1, 2, 3]
    assert waits == [0.5, 1.0, 1.5]
