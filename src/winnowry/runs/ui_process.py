"""One of the UI's processes: runs a module as its own program, and ends when who started it is gone.

``python -m winnowry.runs.ui_process PIPE SOCKETS MODULE ARGUMENT…``. PIPE is a descriptor whose other end the starter
holds. SOCKETS are the code servers' (with colons between them): the module begins once they answer; what it imports
comes before, so that the UI's processes start beside each other.
"""

from __future__ import annotations

import importlib
import os
import runpy
import signal
import socket
import sys
import threading
import time

_HEAVY = {"winnowry.runs.webserver": "dagster_webserver.cli", "dagster._daemon": "dagster._daemon.cli"}
"""What the modules that use code servers import, and take seconds for."""
_STOP_WITHIN_S = 20.0
_ASK_EVERY_S = 0.1


def main(pipe: int, sockets: list[str], module: str, arguments: list[str]) -> None:
    """Run a module."""
    # A shell has what it starts in the background ignore Ctrl-C, and Dagster passes that on to SIGTERM.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    threading.Thread(target=_end_with, args=(pipe,), daemon=True).start()
    if sockets:
        importlib.import_module(_HEAVY[module])
        while not all(map(_answers, sockets)):
            time.sleep(_ASK_EVERY_S)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def _end_with(pipe: int) -> None:
    os.read(pipe, 1)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(_STOP_WITHIN_S)
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), [path for path in sys.argv[2].split(":") if path], sys.argv[3], sys.argv[4:])
