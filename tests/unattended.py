"""A corpus of days that nobody attends to: what lands, what the daemon does about it, and what should come of it.

Ticks of the sensor and runs are made in this process, as the daemon makes them; which of the runs that wait is taken
next, and how many between two ticks, is drawn. What ought to be published is worked out from the landing files alone.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import lance
import sqlalchemy
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.execution.api import execute_run
from sqlalchemy.engine import Engine

from assets.definitions import definitions_of
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.load import load_recipe

MIN_WORDS = 5
RECIPE = f"""version: 1
corpus: days
sources:
  - {{name: s, uri: "landing/s/*.jsonl", fields: {{id: id, text: text, event_time: t}}, partition: {{every: day}}}}
clean:
  - {{op: text.length, min_words: {MIN_WORDS}}}
  - {{op: dedup.exact}}
score:
  - {{op: score.token_count}}
sample: {{method: uniform, token_fraction: 1.0}}
publish: {{tag: prod}}
gates:
  cleaned: {{min_kept_fraction: 0.5}}
"""


def day_of(number: int) -> str:
    """Partition of a day."""
    return (date(2024, 1, 1) + timedelta(number)).isoformat()


class Landing:
    """The files of a landing, and what is right to be published of them.

    Args:
        root: the lake.
    """

    def __init__(self, root: Path) -> None:
        self.folder = root / "landing" / "s"
        self.folder.mkdir(parents=True)
        self.recipe = root / "recipes" / "days.yaml"
        self.recipe.parent.mkdir()
        self.signed: list[str] = []
        self.sign()

    def put(self, name: str, day: str, label: str, *, good: int = 3, bad: int = 0) -> None:
        """Write a file: texts that are long enough, one that every file has, and some that are too short."""
        texts = [f"The {label} printer number {n} does not answer since the update." for n in range(good)]
        texts += ["This very sentence stands in each and every file of all."] + [f"Short {label}."] * bad
        rows = [{"id": f"{name}-{n}", "text": text, "t": f"{day}T10:00:00Z"} for n, text in enumerate(texts)]
        (self.folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def remove(self, name: str) -> None:
        (self.folder / f"{name}.jsonl").unlink()

    def sign(self, *entries: str) -> None:
        """Write the recipe with what a person has signed for."""
        self.signed = list(entries)
        accept = f"  accept: [{', '.join(entries)}]\n" if entries else ""
        self.recipe.write_text(RECIPE + accept, encoding="utf-8")

    def right(self, without: set[str]) -> Counter[str]:
        """Texts that ought to be published: long enough, each once, but for days that are left out."""
        texts: set[str] = set()
        for file in self.folder.iterdir():
            for line in file.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                if len(row["text"].split()) >= MIN_WORDS and row["t"][:10] not in without:
                    texts.add(row["text"])
        return Counter(texts)


@contextmanager
def cheap_instance(home: Path) -> Iterator[Callable[[], dg.DagsterInstance]]:
    """A Dagster home that is opened anew with every call, without what a simulation has no use for.

    All runs share one event log (a file a run has its tables made first), and its files are not flushed to disk.
    """
    home.mkdir()
    storage = {"module": "dagster._core.storage.event_log", "class": "ConsolidatedSqliteEventLogStorage"}
    settings = {
        "telemetry": {"enabled": False},
        "event_log_storage": {**storage, "config": {"base_dir": str(home / "events")}},
    }
    (home / "dagster.yaml").write_text(json.dumps(settings), encoding="utf-8")
    opened: list[dg.DagsterInstance] = []

    def reopen() -> dg.DagsterInstance:
        close()
        opened.append(dg.DagsterInstance.from_config(str(home)))
        return opened[-1]

    def close() -> None:
        while opened:
            opened.pop().dispose()

    def unflushed(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    sqlalchemy.event.listen(Engine, "connect", unflushed)
    try:
        yield reopen
    finally:
        close()
        sqlalchemy.event.remove(Engine, "connect", unflushed)


def left_out(day: str) -> str:
    """A signature: releases do without a day."""
    return f"{{partition: {day}, leave_out: true, reason: too short, by: ada}}"


def accepted(day: str) -> str:
    """A signature: what is kept of a day is taken in spite of the gate."""
    return f"{{stage: cleaned, partition: {day}, expectation: cleaned.quality, reason: looked at it, by: ada}}"


class Daemon:
    """Ticks and runs of the days' corpus.

    Args:
        root: the lake.
        landing: its landing.
        open_instance: opens the Dagster instance, again after each restart.
    """

    def __init__(self, root: Path, landing: Landing, open_instance: Callable[[], dg.DagsterInstance]) -> None:
        self.root, self.landing = root, landing
        self._open_instance, self._draw = open_instance, random.Random(7)
        self.cursor: str | None = None
        self.queue: list[tuple[Any, str]] = []
        self.keys: set[str] = set()
        self.launched: Counter[str] = Counter()
        self.failures: list[str] = []
        self.skipped = ""
        self.n_restarts = -1
        self.restart()

    def restart(self) -> None:
        """Start anew: the instance and the code location are opened again; the cursor is kept as Dagster keeps it."""
        self.n_restarts += 1
        self.instance = self._open_instance()
        self.definitions = definitions_of(self.landing.recipe.parent)
        self.recipe = load_recipe(self.landing.recipe)

    @property
    def workspace(self) -> Workspace:
        return Workspace.open(str(self.root))

    def tick(self) -> int:
        """One tick of the sensor: keys are added and deleted, runs launched; returns their number."""
        sensor = self.definitions.resolve_sensor_def("days_follow")
        context = dg.build_sensor_context(
            instance=self.instance,
            instance_ref=self.instance.get_ref(),
            cursor=self.cursor,
            resources=dict(self.definitions.resources or {}),
            repository_def=self.definitions.get_repository_def(),
            sensor_name="days_follow",
        )
        with context, partition_loading_context(dynamic_partitions_store=self.instance):
            data = sensor.evaluate_tick(context)
        for request in data.dynamic_partitions_requests or ():
            if isinstance(request, dg.AddDynamicPartitionsRequest):
                self.instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
            else:
                for key in request.partition_keys:
                    self.instance.delete_dynamic_partition(request.partitions_def_name, key)
        self.cursor = data.cursor or self.cursor
        self.skipped = data.skip_message or ""
        return sum(self._launch(request) for request in data.run_requests or ())

    def _launch(self, request: dg.RunRequest) -> bool:
        assert request.run_key is not None
        if request.run_key in self.keys:
            return False
        self.keys.add(request.run_key)
        job = self.definitions.resolve_job_def(request.job_name or "days")
        selection = frozenset(request.asset_selection) if request.asset_selection else None
        if selection is not None:
            job = job.get_subset(asset_selection=set(selection))
        tags = dict(request.tags) | ({"dagster/partition": request.partition_key} if request.partition_key else {})
        run = self.instance.create_run_for_job(job, asset_selection=selection, tags=tags)
        self.queue.append((job, run.run_id))
        self.launched["+".join(key.path[-1] for key in request.asset_selection or ()) or "walk"] += 1
        return True

    def work(self, n_runs: int) -> None:
        """Execute so many of the runs that wait, in an order that is drawn."""
        for _ in range(min(n_runs, len(self.queue))):
            job, run_id = self.queue.pop(self._draw.randrange(len(self.queue)))
            run = self.instance.get_run_by_id(run_id)
            assert run is not None
            done = execute_run(InMemoryJob(job), run, self.instance)
            for event in done.all_events if not done.success else ():
                if event.event_type_value == "STEP_FAILURE":
                    failure = event.step_failure_data.user_failure_data
                    error = event.step_failure_data.error
                    kind = failure.metadata["error"].value if failure is not None else f"bug: {error}"
                    self.failures.append(str(kind))

    def settle(self, *, restart_every: int = 7) -> None:
        """Tick and work until nothing is asked for any more."""
        idle = 0
        for number in range(400):
            if number % restart_every == restart_every - 1:
                self.restart()
            asked = self.tick()
            self.work(self._draw.choice((0, 1, 2, 20)))
            idle = idle + 1 if not asked and not self.queue else 0
            if idle == 2:
                return
        raise AssertionError(f"never settled: {self.skipped}")

    def published(self) -> Counter[str]:
        """Texts of the release that the recipe's tag is on."""
        table = lance.dataset(str(self.root / "days" / "published.lance"), version="prod")
        return Counter(table.to_table(columns=["text"])["text"].to_pylist())

    def promotions(self) -> set[tuple[str, str, str]]:
        """Stage, partition and id of every promotion that is promoted."""
        records = (self.root / "days" / "promotions").glob("*/*/*.json")
        return {
            (path.parts[-3], path.parts[-2], path.stem)
            for path in records
            if json.loads(path.read_bytes())["state"] == "promoted"
        }

    def known_keys(self) -> set[str]:
        """Partition keys that Dagster knows."""
        return set(self.instance.get_dynamic_partitions("days_partitions"))
