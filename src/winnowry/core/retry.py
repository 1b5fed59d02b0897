"""Trying again: how often, and how long to wait between two attempts."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal

logger = logging.getLogger(__name__)


def _never(error: Exception) -> bool:
    return False


@dataclass(frozen=True)
class Retry:
    """A policy of attempts and waits.

    ``for attempt in policy.attempts_on(is_transient): with attempt: return call()`` leaves at the first call that
    succeeds. A transient error inside the ``with`` is passed over and the next attempt begins after a wait; any other
    error leaves the loop. After the last attempt the loop ends, so that what follows it says what was given up.

    Attributes:
        attempts: calls at most.
        first_wait_s: seconds before the second attempt.
        longest_wait_s: seconds that no wait exceeds.
        growth: how waits grow: ``doubled`` each time, by the first wait each time (``linear``), or ``constant``.
        jitter: multiply each wait with a random number in [0, 1), so that rivals do not meet again.
        sleep: what waits; given by tests.

    >>> policy = Retry(attempts=4, first_wait_s=0.5, longest_wait_s=1.5, jitter=False)
    >>> [policy.longest_after(n) for n in range(3)]
    [0.5, 1.0, 1.5]
    """

    attempts: int
    first_wait_s: float
    longest_wait_s: float
    growth: Literal["doubled", "linear", "constant"] = "doubled"
    jitter: bool = True
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False, compare=False)

    def attempts_on(
        self, is_transient: Callable[[Exception], bool] = _never, *, raise_last: bool = False
    ) -> Iterator[Attempt]:
        """The attempts of one call, each with its wait before it.

        Args:
            is_transient: whether an error may be gone at the next attempt; by default no error is, and a loop that
                learns of a refusal in another way goes on to the next attempt by itself.
            raise_last: let the error of the last attempt through instead of ending the loop.
        """
        for number in range(self.attempts):
            if number:
                self.sleep(self.longest_after(number - 1) * (random.random() if self.jitter else 1.0))
            yield Attempt(number, is_transient, passes_on=raise_last and number == self.attempts - 1)

    def longest_after(self, number: int) -> float:
        """Seconds to wait at most after an attempt, counted from 0."""
        if self.growth == "doubled":
            wait = self.first_wait_s * 2.0 ** min(number, 60)
        elif self.growth == "linear":
            wait = self.first_wait_s * (number + 1)
        else:
            wait = self.first_wait_s
        return min(wait, self.longest_wait_s)


@dataclass(frozen=True)
class Attempt:
    """One attempt; what fails inside its ``with`` block and is transient ends the block, not the loop.

    Attributes:
        number: 0 for the first.
        is_transient: see :meth:`Retry.attempts_on`.
        passes_on: nothing is passed over: no attempt follows.
    """

    number: int
    is_transient: Callable[[Exception], bool]
    passes_on: bool = False

    def __enter__(self) -> Attempt:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception) or self.passes_on or not self.is_transient(error):
            return False
        logger.debug("attempt %d failed: %s", self.number + 1, error)
        return True
