"""Notes of who is at work: an erasure and what writes do not meet, and the dead count for nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from winnowry.core.errors import UsageError
from winnowry.core.life import HOST, PROCESS, process_tags
from winnowry.lakehouse import at_work
from winnowry.lakehouse.workspace import Workspace


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace.open(str(tmp_path))


def note(ws: Workspace, *, erases: bool, **process: str) -> Path:
    path = Path(ws.root) / "c/at_work/0.json"
    path.parent.mkdir(parents=True)
    document = {"work": "somebody's", "erases": erases, "process": {**process_tags(), **process}}
    path.write_text(json.dumps(document))
    return path


def ended_process() -> str:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return f"{done.pid}:1"


def test_those_who_write_do_not_hinder_each_other_and_leave_no_note(ws: Workspace) -> None:
    with at_work.at_work(ws, "c", "one"), at_work.at_work(ws, "c", "two"):
        assert sorted(other.work for other in at_work.others(ws, "c")) == ["one", "two"]
    assert at_work.others(ws, "c") == []
    with pytest.raises(ZeroDivisionError), at_work.at_work(ws, "c", "one"):
        raise ZeroDivisionError
    assert at_work.others(ws, "c") == []


def test_who_writes_goes_on_when_the_erasure_is_done(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(at_work, "_LOOK_AGAIN_S", 0.01)
    order: list[str] = []

    def write() -> None:
        with at_work.at_work(ws, "c", "cleaned[2024]"):
            order.append("written")

    with at_work.alone(ws, "c", "winnowry erase"):
        writer = threading.Thread(target=write)
        writer.start()
        while not caplog.records and writer.is_alive():
            writer.join(0.01)
        order.append("erased")
    writer.join(10)
    assert order == ["erased", "written"]
    assert len(caplog.records) == 1
    assert "c: cleaned[2024] waits for winnowry erase (process" in caplog.text


@pytest.mark.parametrize(
    ("process", "age", "counts"),
    [
        pytest.param({}, timedelta(0), True, id="this process"),
        pytest.param({PROCESS: "ended"}, timedelta(0), False, id="ended process"),
        pytest.param({PROCESS: f"{os.getpid()}:1"}, timedelta(0), False, id="a pid that was used again"),
        pytest.param({HOST: "elsewhere:1"}, timedelta(hours=23), True, id="another machine, today"),
        pytest.param({HOST: "elsewhere:1"}, timedelta(hours=25), False, id="another machine, long ago"),
    ],
)
def test_a_note_counts_while_its_process_may_be_there(
    ws: Workspace, process: dict[str, str], age: timedelta, counts: bool
) -> None:
    if process.get(PROCESS) == "ended":
        process = {PROCESS: ended_process()}
    path = note(ws, erases=False, **process)
    then = path.stat().st_mtime - age.total_seconds()
    os.utime(path, (then, then))
    if counts:
        sentence = r"^c: somebody's \(process \d+ on .*, since .* UTC\) is at work on it"
        with pytest.raises(UsageError, match=sentence), at_work.alone(ws, "c", "winnowry erase"):
            pytest.fail("it began")
    else:
        with at_work.alone(ws, "c", "winnowry erase"):
            pass
    assert path.exists() == counts
    assert len(list(path.parent.iterdir())) == int(counts)
