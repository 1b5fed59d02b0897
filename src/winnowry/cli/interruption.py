"""What Ctrl-C, ``kill`` and a closed terminal do to a command: it ends with all it started, within two seconds.

Whatever is staged by then is neither visible nor lost: the next run goes on from the last promotion.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GRACE_S = 0.8
"""How long the command may take to unwind: native code, for one, hears of nothing while it runs."""
_LAST_S = 0.8
"""How long it may then take to say so in the Dagster instance; the next run says it where this one does not."""


class Interruption:
    """The signal that a command was ended by, if any.

    Attributes:
        signum: the first signal that came; None before.
    """

    def __init__(self) -> None:
        self.signum: int | None = None
        self._unwound = threading.Event()

    @property
    def exit_code(self) -> int:
        """128 and the signal, as a shell says it: 130 after Ctrl-C."""
        return 128 + (self.signum if self.signum is not None else signal.SIGINT)

    @contextmanager
    def listening(self, last_words: Callable[[], object]) -> Iterator[None]:
        """Signals that come while the body runs raise ``KeyboardInterrupt`` in it, and end it if it does not.

        A signal that the caller has this process ignore (``nohup``) stays ignored, but for Ctrl-C: a shell has every
        command in the background ignore it, and Dagster then passes that on to SIGTERM. Does nothing in a thread.

        Args:
            last_words: called before a process that does not unwind is ended.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {signum: signal.getsignal(signum) for signum in SIGNALS}
        for signum, handler in before.items():
            if signum == signal.SIGINT or handler not in (signal.SIG_IGN, None):
                signal.signal(signum, signal.default_int_handler if signum == signal.SIGINT else _as_ctrl_c)
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=(reading, last_words), daemon=True).start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            os.close(writing)
            for signum, handler in before.items():
                if handler is not None:
                    signal.signal(signum, handler)

    def end(self) -> None:
        """End this process, if a signal came: without waiting for anything that it has started."""
        if self.signum is not None:
            self._unwound.set()
            _tidy()
            _leave(self.exit_code)

    def _watch(self, reading: int, last_words: Callable[[], object]) -> None:
        with os.fdopen(reading, "rb", buffering=0) as signals:
            while byte := signals.read(1):
                if byte[0] in SIGNALS and self.signum is None:
                    from winnowry.engine.local import kill_workers

                    self.signum = byte[0]
                    kill_workers()
                    threading.Thread(target=self._end_late, daemon=True).start()
                    if not self._unwound.wait(_GRACE_S):
                        last_words()
                        _tidy()
                        _leave(self.exit_code)

    def _end_late(self) -> None:
        time.sleep(_GRACE_S + _LAST_S)
        _leave(self.exit_code)


def _as_ctrl_c(signum: int, frame: FrameType | None) -> None:
    """Whatever Ctrl-C does just now: Dagster, for one, notes it while it writes to its databases."""
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):
        raise KeyboardInterrupt
    handler(signum, frame)


def _tidy() -> None:
    """Say in the Dagster instance that the runs of this process, and of those that it has started, are over."""
    from winnowry.runs.home import dagster_home, is_made, open_instance

    if "dagster" in sys.modules and is_made(dagster_home()):
        from winnowry.runs.reap import cancel_own_runs, reap

        with contextlib.suppress(Exception), open_instance(dagster_home()) as instance:  # the next run does it too
            cancel_own_runs(instance)
            reap(instance)


def _leave(code: int) -> None:
    for pid in _children():
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _children() -> list[int]:
    """Processes that this one has started, those included that a library did, such as what copies a step's output."""
    listed = [path.read_text(encoding="ascii").split() for path in Path("/proc/self/task").glob("*/children")]
    return [int(pid) for pids in listed for pid in pids]
