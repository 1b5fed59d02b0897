"""What a run of four records does, counted: a guard against cost that does not depend on how busy the machine is.

A number may fall by itself. One that has to rise is raised in ``run_counts.json``, in the commit that needs it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lance
import pytest

import winnowry as wn
from tests.tiny_project import make_tiny_project
from winnowry.lakehouse.view import TableView
from winnowry.reading.session import Session
from winnowry.storage.local import LocalStore

HEAVY = ("great_expectations", "dagster", "scipy.stats", "altair", "boto3")


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    counted: Counter[str] = Counter()

    def count(owner: type, name: str, what: str) -> None:
        plain: Callable[..., Any] = getattr(owner, name)

        def counting(*arguments: Any, **options: Any) -> Any:
            counted[what] += 1
            return plain(*arguments, **options)

        monkeypatch.setattr(owner, name, counting)

    count(lance.LanceDataset, "__init__", "tables opened")
    count(TableView, "sql", "queries on candidates")
    count(Session, "rows", "queries for documents")
    count(LocalStore, "write", "objects written")
    return counted


def test_a_first_run_does_no_more_than_is_written_down(tmp_path: Path, counts: Counter[str]) -> None:
    limits = json.loads(Path(__file__).with_name("run_counts.json").read_text(encoding="utf-8"))
    folder = make_tiny_project(tmp_path)
    outcome = wn.open(folder / "lake").run(folder / "tickets.yaml")
    assert outcome.succeeded
    objects = [path for path in (folder / "lake" / "tickets").rglob("*") if path.is_file()]
    docs = Counter(path.parent for path in objects if "data_docs" in path.parts)
    done = dict(counts) | {
        "objects in the lake": len(objects),
        "objects of Data Docs a promotion": max(docs.values()),
    }
    assert done.keys() == limits.keys()
    more = {name: (n, limits[name]) for name, n in done.items() if n > limits[name]}
    assert not more, f"more than tests/integration/run_counts.json says (now, before): {more}"


def test_run_plan_and_sql_import_none_of_what_they_do_not_need(tmp_path: Path) -> None:
    folder = make_tiny_project(tmp_path)
    script = f"""
import sys
from winnowry.cli.main import main
for command in (["run", "tickets.yaml", "--without-dagster"], ["plan", "tickets.yaml"],
                ["sql", "select count(*) from tickets.raw"]):
    assert main([*command, "--root", "lake"]) == 0, command
    print("imported", sorted(set({HEAVY!r}) & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], cwd=folder, capture_output=True, text=True, timeout=240
    )
    imported = [line for line in done.stdout.splitlines() if line.startswith("imported")]
    assert (done.returncode, imported) == (0, ["imported []"] * 3), done.stdout[-500:] + done.stderr[-2000:]
