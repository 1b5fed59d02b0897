"""An erasure that is killed at any moment is finished by calling it again, whatever ran in between."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import winnowry as wn
from tests.integration.test_erase_crossings import GONE, WORDS, holders
from tests.tiny_project import make_tiny_project
from tests.walk import open_recipe, run_all

KILLS = 12


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_a_killed_erasure_is_finished_by_calling_it_again(tmp_path: Path) -> None:
    walked = make_tiny_project(tmp_path / "walked")
    ws, recipe = open_recipe(walked / "lake", walked / "tickets.yaml")
    run_all(ws, recipe)
    wn.open(walked / "lake").add_column("tickets", "loud", sql="upper(text)")
    seed = int(os.environ.get("WINNOWRY_KILL_SEED", "18"))
    rng, longest, killed = random.Random(seed), 0.0, 0
    for number in range(KILLS):
        own = Path(shutil.copytree(walked, tmp_path / str(number)))
        root = own / "lake"
        command = [sys.executable, "-m", "winnowry.cli.main", "erase", "tickets", "--list", str(own / "ids.txt")]
        (own / "ids.txt").write_text("T-1\nlater-1\n")
        process = subprocess.Popen(
            [*command, "--root", str(root), "--yes"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        while not (root / "tickets/at_work").exists() and process.poll() is None:
            time.sleep(0.01)
        started = time.monotonic()
        if number:  # the first says how long it takes
            time.sleep(rng.uniform(0, longest))
            process.send_signal(signal.SIGKILL)
        out = process.communicate(timeout=600)[0].decode()
        longest = max(longest, time.monotonic() - started)
        killed += process.returncode == -signal.SIGKILL
        label = f"seed {seed}, kill {number}: {out}"

        lake = wn.open(root)
        if rng.random() < 0.5:
            with (root / "landing/mail/2026.jsonl").open("a") as landed:
                landed.write('{"id": "T-5", "time": "2026-01-03T10:00:00Z", "text": "%s"}\n' % ("a b " * 9))
            run_all(*open_recipe(root, own / "tickets.yaml"))
        if rng.random() < 0.3:
            lake.maintain(keep_days=1)
        certificate = lake.erase("tickets", list=own / "ids.txt", yes=True)
        assert certificate.proven, label
        run_all(*open_recipe(root, own / "tickets.yaml"))
        assert holders(root, "tickets", (WORDS, WORDS.upper(), GONE, '"T-1"')) == [], label
        assert lake.verify().findings == (), label
        [*_, first] = lake.releases("tickets")
        assert first.rows == 2, label
        assert sum(erased["rows"] for erased in first.erased or ()) == 1, label
        assert lake.explain("T-1").status == lake.explain("later-1").status == "erased", label
        assert list((root / "tickets/at_work").iterdir()) == [], label
        shutil.rmtree(own)
    assert killed > KILLS // 2
