"""Starts Dagster's web server and daemon for a project, and stops them again."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from winnowry.core.errors import UsageError, WinnowryError
from winnowry.runs.home import prepare_home

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
PORT = 3000
_READY_WITHIN_S = 180.0
_STOP_WITHIN_S = 20.0


@dataclass(frozen=True)
class UiServer:
    """What to serve.

    Attributes:
        project: folder of ``workspace.yaml``.
        root: the lake, absolute or ``s3://``.
        home: folder of the Dagster instance, kept between calls; local also when the root is on S3.
        host: address to listen on; the UI has no login, so leave it on the loopback interface.
        port: port to listen on; 0 takes a free one.
    """

    project: Path
    root: str
    home: Path
    host: str = HOST
    port: int = PORT

    def command(self, port: int) -> list[str]:
        """The command line of the supervisor of web server, daemon and code server."""
        return [
            sys.executable, "-m", "dagster", "dev", "--workspace", str(self.project / "workspace.yaml"),
            "--host", self.host, "--port", str(port), "--log-level", "warning", "--code-server-log-level", "warning",
        ]  # fmt: skip

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """The environment of the processes: where the lake and the instance lie."""
        return {
            **inherited,
            "DAGSTER_HOME": str(self.home),
            "WINNOWRY_HOME": str(self.home),
            "WINNOWRY_ROOT": self.root,
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "PYTHONUNBUFFERED": "1",
        }


def serve(server: UiServer, ready: Callable[[str], None] = print) -> int:
    """Start the web server and the daemon, wait until they answer, and stay until they end or Ctrl-C.

    Args:
        server: what to serve.
        ready: told the address once the UI answers.

    Returns:
        0 after Ctrl-C or SIGTERM; else the exit code of the processes.

    Raises:
        UsageError: the port is taken.
        WinnowryError: the UI did not come up.
    """
    prepare_home(server.home, server.project)
    port = claim_port(server.host, server.port)
    process = start(server, port)
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        address = f"http://{server.host}:{port}"
        await_ready(process, address)
        ready(address)
        return process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        stop(process)
        signal.signal(signal.SIGTERM, previous)


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def claim_port(host: str, port: int) -> int:
    """The port if it is free, or any free one for 0.

    Raises:
        UsageError: another process listens there.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port") from error
        return int(probe.getsockname()[1])


def start(server: UiServer, port: int) -> subprocess.Popen[bytes]:
    """Start the processes in a group of their own, with Ctrl-C as they know it.

    A shell that starts a job in the background makes it ignore SIGINT, its children inherit that, and Dagster's
    supervisor, which passes SIGTERM on as SIGINT, then cannot stop them.
    """
    ignored = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            server.command(port), cwd=server.home, env=server.environment(os.environ), start_new_session=True
        )
    finally:
        if ignored is not None:
            signal.signal(signal.SIGINT, ignored if ignored is not signal.SIG_IGN else signal.default_int_handler)


def await_ready(process: subprocess.Popen[bytes], address: str, within_s: float = _READY_WITHIN_S) -> None:
    """Wait until the UI answers.

    Raises:
        WinnowryError: the processes ended, or did not answer in time.
    """
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise WinnowryError(f"Dagster ended with exit code {process.returncode} before the UI answered; see above")
        try:
            with urllib.request.urlopen(f"{address}/server_info", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise WinnowryError(f"the UI at {address} did not answer within {within_s:.0f} s")


def stop(process: subprocess.Popen[bytes], within_s: float = _STOP_WITHIN_S) -> None:
    """End the processes: politely, so that runs are marked as canceled, then for good."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=within_s)
        except subprocess.TimeoutExpired:
            logger.warning("Dagster did not stop within %.0f s and is killed", within_s)
    try:
        os.killpg(process.pid, signal.SIGKILL)  # whatever outlived the supervisor
    except ProcessLookupError:
        return
    process.wait()
