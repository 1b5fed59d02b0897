"""docs/how-to/operate.md, played: each section's fault, the commands that it types, and the sentences that it shows."""

from __future__ import annotations

import contextlib
import http.server
import io
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lance.fragment
import pytest

from tests.unattended import day_of
from winnowry.cli.main import main

pytestmark = [
    pytest.mark.faults,
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.filterwarnings("default"),  # the commands run in this process
]

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/operate.md"
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE))
RECIPE = """version: 1
corpus: support
sources:
  - {name: s, uri: "landing/s/*.jsonl", fields: {id: id, text: text, event_time: t}, partition: {every: day}}
clean:
  - {op: text.length, min_words: 5}
  - {op: dedup.exact}
score:
  - {op: score.token_count}
sample: {method: uniform, token_fraction: 1.0}
publish: {tag: prod}
gates:
  cleaned: {min_kept_fraction: 0.5}
"""
LANCE_WRITES = "lance.fragment.write_fragments"
LEFT_OUT = '  accept: [{partition: 2024-01-03, leave_out: true, reason: "a test of the help desk", by: ada}]\n'


class Scene:
    """A project with a lake of two days and two releases, and what befalls it.

    Args:
        folder: of the project, which is the working directory.
        monkeypatch: of the test.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        self.write_fragments = lance.fragment.write_fragments

    def write_recipe(self, more: str = "") -> None:
        (self.folder / "recipes/support.yaml").write_text(RECIPE + more, encoding="utf-8")

    def land(self, day: int, *, good: int = 4, short: int = 0) -> None:
        texts = [f"The printer number {n} of house {day} does not answer since the update." for n in range(good)]
        rows = [
            {"id": f"{day}-{n}", "text": text, "t": f"{day_of(day)}T10:00:00Z"}
            for n, text in enumerate([*texts, *["too short"] * short])
        ]
        path = self.folder / f"lake/landing/s/{day_of(day)}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def befall(self, what: str) -> None:
        """Bring about what a comment of the page says."""
        befalls: dict[str, Callable[[], object]] = {
            "most texts of 2024-01-03 are too short": lambda: self.land(2, good=2, short=8),
            "the recipe says:": lambda: self.write_recipe(LEFT_OUT),
            "nothing listens where the store was": lambda: self.store_at(a_free_port()),
            "no space is left": self.fill_the_disk,
            "there is space again": lambda: self.monkeypatch.setattr(LANCE_WRITES, self.write_fragments),
            "a run is killed": self.kill_a_run,
            "the store answers ExpiredToken": lambda: self.store_at(an_expired_store()),
            "v2 should not have been published": lambda: None,
            "ids.txt holds the line 0-1": lambda: (self.folder / "ids.txt").write_text("0-1\n"),
            "one bit of a data file of cleaned": self.flip_a_bit,
        }
        (happens,) = [happens for beginning, happens in befalls.items() if what.startswith(beginning)]
        happens()

    def store_at(self, port: int) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
            self.monkeypatch.setenv(name, "us-east-1")
        self.monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")

    def fill_the_disk(self) -> None:
        """As Lance says it; tests/faults/test_storage.py fills real ones."""

        def no_space(*_: Any, **__: Any) -> Any:
            raise OSError("LanceError(IO): No space left on device (os error 28)")

        self.land(2)
        self.monkeypatch.setattr(LANCE_WRITES, no_space)

    def kill_a_run(self) -> None:
        """From outside, once it has begun with the new day."""
        self.land(2)
        command = [sys.executable, "-m", "winnowry.cli.main", "run", "support"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, start_new_session=True, **quiet) as run:
            end = time.monotonic() + 300
            while not list((self.folder / "lake/support/promotions/raw").glob("2024-01-03/*")):
                assert run.poll() is None
                assert time.monotonic() < end
                time.sleep(0.02)
            os.killpg(run.pid, signal.SIGKILL)

    def flip_a_bit(self) -> None:
        from winnowry.lakehouse.workspace import Workspace

        table = Workspace.open("lake").lake.table("support", "cleaned")
        owners = table.owners(table.dataset())
        (file,) = [
            part.data_files()[0].path
            for part in table.dataset().get_fragments()
            if owners[part.fragment_id].partition == "2024-01-02"
        ]
        path = self.folder / "lake/support/cleaned.lance/data" / file
        body = bytearray(path.read_bytes())
        body[len(body) // 3] ^= 1
        path.write_bytes(body)


def a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def an_expired_store() -> int:
    """Port of a server that refuses everything as AWS refuses a temporary key after its time."""
    body = b"<?xml version='1.0'?><Error><Code>ExpiredToken</Code><Message>The token has expired.</Message></Error>"

    class Expired(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.send_response(403)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Expired)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_port)


def type_in(line: str) -> str:
    """What a command prints, its white space made one blank each."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        main(shlex.split(line)[1:])
    return " ".join(printed.getvalue().split())


def shown(sentence: str) -> str:
    """The pattern of a line of the page."""
    return ".*?".join(re.escape(" ".join(part.split())) for part in sentence.split("…"))


def steps(section: str) -> Iterator[tuple[str, list[str]]]:
    """Comments and commands of a section in their order, each with the lines that follow it."""
    step: tuple[str, list[str]] | None = None
    for line in "\n".join(re.findall(r"```console\n(.*?)```", section, re.DOTALL)).splitlines():
        if line.startswith(("$ ", "# ")):
            if step is not None:
                yield step
            step = (line, [])
        elif step is not None:
            step[1].append(line)
    if step is not None:
        yield step


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose lake has two days and two releases."""
    folder = tmp_path_factory.mktemp("healthy") / "project"
    for name in ("recipes", "lake/landing/s"):
        (folder / name).mkdir(parents=True)
    (folder / "workspace.yaml").write_text("load_from:\n  - python_file: {relative_path: definitions.py}\n")
    location = "from winnowry.runs.location import code_location\n\ndefs = code_location(__file__).defs\n"
    (folder / "definitions.py").write_text(location)
    with pytest.MonkeyPatch.context() as monkeypatch:
        scene = enter(folder, monkeypatch)
        scene.write_recipe()
        for day in range(2):
            scene.land(day)
            printed = type_in("winnowry run support")
            assert "✓ support succeeded" in printed, printed
    shutil.copytree(folder / "lake", folder / "as it was")
    return folder


def enter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Stand in a project, with a Dagster home of its own."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("WINNOWRY_HOME", str(folder / "home"))
    monkeypatch.setenv("WINNOWRY_ROOT", str(folder / "lake"))
    monkeypatch.setenv("WINNOWRY_WORKERS", "1")
    monkeypatch.setenv("COLUMNS", "200")
    return Scene(folder, monkeypatch)


def test_the_eight_bad_days_are_there() -> None:
    assert len(SECTIONS) == 8
    assert all(sentences for text in SECTIONS.values() for line, sentences in steps(text) if line[0] == "$")


@pytest.mark.parametrize("section", SECTIONS)
def test_what_one_sees_and_what_one_types_is_what_the_page_says(
    section: str, healthy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = enter(healthy, monkeypatch)
    scene.write_recipe()
    shutil.rmtree(healthy / "lake")
    shutil.copytree(healthy / "as it was", healthy / "lake")  # one project, since a process can load but one
    for line, sentences in steps(SECTIONS[section]):
        if line.startswith("# "):
            scene.befall(line.removeprefix("# "))
            continue
        printed = type_in(line.removeprefix("$ "))
        missing = [sentence for sentence in sentences if not re.search(shown(sentence), printed)]
        assert missing == [], f"{line}: {printed}"
