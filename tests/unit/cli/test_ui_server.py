"""Starting and stopping the UI's processes; a web server is stood in for by a few lines of Python."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from winnowry.cli.ui_server import UiServer, await_ready, claim_port, serve, start, stop
from winnowry.core.errors import UsageError, WinnowryError

_ANSWERS = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"{}")
    def log_message(self, *args): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class Fake(UiServer):
    """Serves with a process that answers, instead of Dagster's."""

    def command(self, port: int) -> list[str]:
        return [sys.executable, "-c", _ANSWERS, str(port)]


def made(tmp_path: Path, cls: type[UiServer] = Fake, port: int = 0) -> UiServer:
    (tmp_path / "project").mkdir(exist_ok=True)
    (tmp_path / "project" / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    return cls(tmp_path / "project", "s3://bucket/lake", tmp_path / "home", port=port)


def test_the_processes_know_the_lake_and_the_home_and_send_no_telemetry(tmp_path: Path) -> None:
    environment = made(tmp_path).environment({"PATH": "/bin", "WINNOWRY_ROOT": "elsewhere"})
    assert environment["PATH"] == "/bin"
    assert environment["WINNOWRY_ROOT"] == "s3://bucket/lake"
    assert environment["DAGSTER_HOME"] == environment["WINNOWRY_HOME"] == str(tmp_path / "home")
    assert environment["DAGSTER_DISABLE_TELEMETRY"] == "1"


def test_dagster_is_given_the_workspace_and_the_loopback_interface(tmp_path: Path) -> None:
    command = made(tmp_path, UiServer).command(3999)
    assert command[1:4] == ["-m", "dagster", "dev"]
    assert command[command.index("--workspace") + 1] == str(tmp_path / "project" / "workspace.yaml")
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--port") + 1] == "3999"


def test_a_taken_port_is_refused_with_the_option_that_helps() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"127.0.0.1:{port}.*--port"):
            claim_port("127.0.0.1", port)


def test_serving_announces_the_address_once_it_answers_and_ends_on_interrupt(tmp_path: Path) -> None:
    announced: list[str] = []

    def ready(address: str) -> None:
        announced.append(address)
        raise KeyboardInterrupt

    assert serve(made(tmp_path), ready) == 0
    assert announced[0].startswith("http://127.0.0.1:")
    assert (tmp_path / "home" / "dagster.yaml").is_file()
    with pytest.raises(ConnectionRefusedError):  # nothing was left behind
        socket.create_connection(("127.0.0.1", int(announced[0].rsplit(":", 1)[1])), timeout=2).close()


def test_processes_that_end_early_are_an_error_and_not_a_wait(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(WinnowryError, match="exit code 3"):
        await_ready(process, "http://127.0.0.1:1", within_s=30)


def test_a_server_started_where_interrupts_are_ignored_can_still_be_interrupted(tmp_path: Path) -> None:
    server = made(tmp_path)
    server.home.mkdir()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        port = claim_port(server.host, 0)
        process = start(server, port)
        await_ready(process, f"http://127.0.0.1:{port}", within_s=30)
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(timeout=20) != 0
    finally:
        signal.signal(signal.SIGINT, before)
        stop(process)


def test_a_server_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", deaf], start_new_session=True, stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
        started = time.monotonic()
        stop(process, within_s=0.5)
    assert process.returncode == -signal.SIGKILL
    assert time.monotonic() - started < 20
