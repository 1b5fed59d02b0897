"""Starts Dagster's web server, behind the guard, with daemon and code server for a project, and stops them again."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from winnowry.core.errors import UsageError, WinnowryError
from winnowry.runs.home import prepare_home
from winnowry.runs.webserver import HOSTS, TOKEN

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
PORT = 3000
_READY_WITHIN_S = 180.0
_STOP_WITHIN_S = 20.0
_ASK_EVERY_S = 0.2
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class UiServer:
    """What to serve.

    Attributes:
        project: folder of ``workspace.yaml``.
        root: the lake, absolute or ``s3://``.
        home: folder of the Dagster instance, kept between calls; local also when the root is on S3.
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        also: further names that the server is known by: those of a proxy in front of it.
        token: asked for by the server; None: it listens on the loopback interface, and asks for none.
    """

    project: Path
    root: str
    home: Path
    host: str = HOST
    port: int = PORT
    also: tuple[str, ...] = ()
    token: str | None = None

    def commands(self, port: int, scratch: Path) -> list[list[str]]:
        """What the processes run: a module and its arguments each, the code servers first, then web server and daemon.

        One code server a file of the workspace, which both use: the project is loaded once.

        Args:
            port: port of the web server.
            scratch: empty folder for sockets and the workspace that names them.
        """
        from ruamel.yaml import YAML

        yaml = YAML(typ="safe", pure=True)
        content = yaml.load((self.project / "workspace.yaml").read_text(encoding="utf-8")) or {}
        servers, entries = [], []
        for number, entry in enumerate(content.get("load_from", [])):
            file = entry.get("python_file") if isinstance(entry, dict) else None
            if file is None:
                entries.append(entry)
                continue
            file = {"relative_path": file} if isinstance(file, str) else dict(file)
            path = scratch / f"code{number}.sock"
            servers.append(_code_server(self.project, file, path))
            name = file.get("location_name", Path(file["relative_path"]).name)
            entries.append({"grpc_server": {"socket": str(path), "location_name": name}})
        workspace = scratch / "workspace.yaml"
        with workspace.open("w", encoding="utf-8") as stream:
            YAML(pure=True).dump({"load_from": entries}, stream)
        common = ["--workspace", str(workspace)]
        return [
            *servers,
            [
                "winnowry.runs.webserver", "--host", self.host, "--port", str(port), "--dagster-log-level", "warning",
                "--code-server-log-level", "warning", *common,
            ],
            ["dagster._daemon", "run", "--log-level", "warning", "--code-server-log-level", "warning", *common],
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
            "DAGSTER_IS_DEV_CLI": "1",
            HOSTS: ",".join(self.also),
            TOKEN: self.token or "",
        }


def _code_server(project: Path, file: Mapping[str, str], path: Path) -> list[str]:
    """The code server of a ``python_file`` entry of a workspace, listening on a socket."""
    command = [
        "dagster", "code-server", "start", "--socket", str(path), "--log-level", "warning",
        "--python-file", str((project / file["relative_path"]).resolve()),
        "--working-directory", str((project / file.get("working_directory", ".")).resolve()),
    ]  # fmt: skip
    if "attribute" in file:
        command += ["--attribute", file["attribute"]]
    if "location_name" in file:
        command += ["--location-name", file["location_name"]]
    return command


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
    # In the machine's own folder for such: the path of a socket has 107 characters at most.
    with tempfile.TemporaryDirectory(prefix="winnowry-ui-") as scratch:
        started = start(server, port, Path(scratch))
        previous = {signum: signal.signal(signum, _interrupt) for signum in _ENDING}
        try:
            address = f"http://{connectable(server.host)}:{port}"
            await_ready(started, address)
            ready(address)
            while started.ended() is None:
                time.sleep(_ASK_EVERY_S)
            return started.ended() or 0
        except KeyboardInterrupt:
            return 0
        finally:
            stop(started)
            for signum, handler in previous.items():
                signal.signal(signum, handler)


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


def connectable(host: str) -> str:
    """An address that a browser on this machine reaches a listening one by.

    >>> connectable("0.0.0.0"), connectable("::1")
    ('127.0.0.1', '[::1]')
    """
    named = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{named}]" if ":" in named else named


@dataclass
class Processes:
    """The UI's processes, and the pipe by whose end they learn that they are to end.

    Attributes:
        code_servers: those in which the runs are that the UI started.
        others: web server and daemon, which leave nothing half done behind when they are killed.
        pipe: the end that this process holds; closed when they are to end, by the machine if this process is killed.
    """

    code_servers: list[subprocess.Popen[bytes]]
    others: list[subprocess.Popen[bytes]]
    pipe: int

    @property
    def running(self) -> list[subprocess.Popen[bytes]]:
        """All of them."""
        return [*self.code_servers, *self.others]

    def ended(self) -> int | None:
        """Exit code of the first one that has ended; None while all go on."""
        return next((process.returncode for process in self.running if process.poll() is not None), None)


def start(server: UiServer, port: int, scratch: Path) -> Processes:
    """Start the processes beside each other, each in a group of its own.

    Args:
        server: what to serve.
        port: port of the web server.
        scratch: empty folder for what they share.
    """
    commands = server.commands(port, scratch)
    sockets = ":".join(command[command.index("--socket") + 1] for command in commands if "--socket" in command)
    environment = server.environment(os.environ)
    theirs, ours = os.pipe()
    started = Processes([], [], ours)
    for command in commands:
        serves_code = "--socket" in command
        waits_for = "" if serves_code else sockets
        process = subprocess.Popen(
            [sys.executable, "-m", "winnowry.runs.ui_process", str(theirs), waits_for, *command],
            cwd=server.home,
            env=environment,
            start_new_session=True,
            pass_fds=[theirs],
        )
        (started.code_servers if serves_code else started.others).append(process)
    os.close(theirs)
    return started


def await_ready(started: Processes, address: str, within_s: float = _READY_WITHIN_S) -> None:
    """Wait until the UI answers.

    Raises:
        WinnowryError: a process ended, or the UI did not answer in time.
    """
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        code = started.ended()
        if code is not None:
            raise WinnowryError(f"Dagster ended with exit code {code} before the UI answered; see above")
        try:
            with urllib.request.urlopen(f"{address}/server_info", timeout=5):
                return
        except urllib.error.HTTPError:
            return  # it asks for the token
        except (urllib.error.URLError, OSError):
            time.sleep(_ASK_EVERY_S)
    raise WinnowryError(f"the UI at {address} did not answer within {within_s:.0f} s")


def stop(started: Processes, within_s: float = _STOP_WITHIN_S) -> None:
    """End the processes: code servers politely, so that runs are marked as canceled, the others at once."""
    _kill(started.others)
    os.close(started.pipe)
    deadline = time.monotonic() + within_s
    for process in started.code_servers:
        try:
            process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            logger.warning("a process of the UI did not stop within %.0f s and is killed", within_s)
    _kill(started.code_servers)


def _kill(processes: list[subprocess.Popen[bytes]]) -> None:
    """Kill processes, and whatever in their groups outlived them."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
