"""Whether the process that executes something is still there, on this machine or on one that cannot be asked.

A process is named by its machine (host and boot), its pid and the time it started: a pid that is used again, or a
machine that was started again, is not taken for it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

HOST, PROCESS, PIDS = "winnowry/host", "winnowry/process", "winnowry/pids"
"""Tags: ``host:boot``, ``pid:start``, and the space that the pid belongs to (a container has one of its own)."""

_PROC = Path("/proc")
_GONE = ("Z", "X")  # a zombie waits to be collected; it does nothing any more
_START = 19  # field 22 of /proc/PID/stat, counted from the third one: everything after the name in brackets


def process_tags(pid: int | None = None) -> dict[str, str]:
    """Tags that say which process executes a run.

    Args:
        pid: the process; this one when None.
    """
    process = os.getpid() if pid is None else pid
    return {HOST: this_host(), PROCESS: f"{process}:{started(process)}", PIDS: _pid_space()}


def alive(tags: Mapping[str, str]) -> bool | None:
    """Whether the process that tags name is still there; None where this machine cannot tell.

    >>> alive(process_tags()), alive({}), alive({**process_tags(), HOST: "elsewhere:1"})
    (True, None, None)
    """
    host, process = tags.get(HOST), tags.get(PROCESS, "")
    pid, _, start = process.partition(":")
    if host is None or not pid.isdecimal() or host.rpartition(":")[0] != this_host().rpartition(":")[0]:
        return None
    if host != this_host():
        return False  # this machine was started again since
    if tags.get(PIDS, _pid_space()) != _pid_space():
        return None  # another container of this name
    return started(int(pid)) == start


def started(pid: int) -> str | None:
    """When a process started, in a unit of the machine's own; None if it is gone."""
    if not _PROC.joinpath("self", "stat").exists():
        return _started_by_ps(pid)
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] in _GONE else fields[_START]


def started_at(pid: int) -> float | None:
    """When a process started, in seconds since the epoch, to a second; None if it is gone, 0 where nobody says."""
    start = started(pid)
    if start is None or not start.isdecimal():
        return None if start is None else 0.0
    boot = next(line for line in (_PROC / "stat").read_text(encoding="ascii").splitlines() if line.startswith("btime "))
    return float(boot.split()[1]) + int(start) / os.sysconf("SC_CLK_TCK")


def _started_by_ps(pid: int) -> str | None:
    """The same where there is no ``/proc`` (macOS)."""
    command = ["ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)]
    shown = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    state, _, start = shown.stdout.strip().partition(" ")
    return None if not start or state.startswith(_GONE) else "".join(start.split())


@cache
def this_host() -> str:
    """Name of this machine and of its boot."""
    return f"{socket.gethostname()}:{_boot()}"


def _boot() -> str:
    with contextlib.suppress(OSError):
        return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    with contextlib.suppress(OSError):
        command = ["sysctl", "-n", "kern.bootsessionuuid"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return ""


@cache
def _pid_space() -> str:
    with contextlib.suppress(OSError):
        return str((_PROC / "self/ns/pid").readlink())
    return ""
