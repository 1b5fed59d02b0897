"""Starting and stopping the UI's processes; a web server is stood in for by a few lines of Python."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from winnowry.cli.ui_server import Processes, UiServer, await_ready, claim_port, serve, start, stop
from winnowry.core.errors import UsageError, WinnowryError

_ANSWERS = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"{}")
    def log_message(self, *args): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
_DEAF = """
import signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""


class Fake(UiServer):
    """Serves with a process that answers, instead of Dagster's."""

    def commands(self, port: int, scratch: Path) -> list[list[str]]:
        (scratch / "a_server_of_a_test.py").write_text(_ANSWERS, encoding="utf-8")
        return [["a_server_of_a_test", str(port)]]

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        folders = [str(self.home.parent / "scratch"), *sys.path]
        return {**super().environment(inherited), "PYTHONPATH": os.pathsep.join(folders)}


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that processes share, at a place that is known."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("winnowry.cli.ui_server.tempfile.TemporaryDirectory", lambda prefix: nullcontext(str(folder)))
    return folder


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


WORKSPACE = """\
load_from:
  - python_file: {relative_path: code/definitions.py, working_directory: ., attribute: defs, location_name: winnowry}
  - python_module: of_another_team
"""


def test_web_server_and_daemon_share_one_code_server_and_the_first_is_the_guarded_one(
    tmp_path: Path, scratch: Path
) -> None:
    server = made(tmp_path, UiServer)
    (server.project / "workspace.yaml").write_text(WORKSPACE, encoding="utf-8")
    code, web, daemon = server.commands(3999, scratch)
    assert code[:3] == ["dagster", "code-server", "start"]
    assert code[code.index("--python-file") + 1] == str(server.project / "code" / "definitions.py")
    assert code[code.index("--attribute") + 1] == "defs"
    assert web[0] == "winnowry.runs.webserver"
    assert web[web.index("--host") + 1] == "127.0.0.1"
    assert web[web.index("--port") + 1] == "3999"
    assert daemon[0] == "dagster._daemon"
    for command in (web, daemon):
        workspace = Path(command[command.index("--workspace") + 1]).read_text(encoding="utf-8")
        assert YAML(typ="safe").load(workspace)["load_from"] == [
            {"grpc_server": {"socket": code[code.index("--socket") + 1], "location_name": "winnowry"}},
            {"python_module": "of_another_team"},
        ]


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
        await_ready(Processes([process], [], -1), "http://127.0.0.1:1", within_s=30)


def test_a_server_started_where_interrupts_are_ignored_can_still_be_interrupted(tmp_path: Path, scratch: Path) -> None:
    server = made(tmp_path)
    server.home.mkdir()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        port = claim_port(server.host, 0)
        started = start(server, port, scratch)
        await_ready(started, f"http://127.0.0.1:{port}", within_s=60)
        (process,) = started.running
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(timeout=20) != 0
    finally:
        signal.signal(signal.SIGINT, before)
        stop(started)


def test_the_processes_end_with_the_one_that_started_them_however_it_ends(tmp_path: Path, scratch: Path) -> None:
    server = made(tmp_path)
    server.home.mkdir()
    port = claim_port(server.host, 0)
    started = start(server, port, scratch)
    try:
        await_ready(started, f"http://127.0.0.1:{port}", within_s=60)
        os.dup2(os.open(os.devnull, os.O_RDONLY), started.pipe)  # what the machine does to a killed process's end
        assert started.running[0].wait(timeout=20) != 0
    finally:
        stop(started)


def test_a_server_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", _DEAF], start_new_session=True, stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
        started = time.monotonic()
        stop(Processes([process], [], os.open(os.devnull, os.O_RDONLY)), within_s=0.5)
    assert process.returncode == -signal.SIGKILL
    assert time.monotonic() - started < 20
