"""A limit to how long a function may take."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from winnowry.core.errors import DataError

_AGAIN_S = 5.0


@contextmanager
def time_limit(seconds: float, what: str) -> Iterator[None]:
    """Interrupt what runs inside when it takes longer.

    By a signal, which reaches Python code, ``re``, sleep and waiting for a network, but only in the main thread, where
    workers and commands run; elsewhere, and inside compiled code that never returns, there is no limit. A function that
    swallows the interruption is interrupted again every five seconds.

    Args:
        seconds: wall-clock time; 0: no limit.
        what: for the message.

    Raises:
        DataError: it took longer.
    """
    if seconds <= 0 or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise DataError(
            f"{what}: no answer within {seconds:g} s. Give fewer rows at once (`batch_rows`, --batch-rows) or more "
            "time (`timeout_s`, --timeout). Nothing became visible; files of finished fragments wait for the next try"
        )

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
