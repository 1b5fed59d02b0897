"""One suite for every engine: whatever runs the tasks, a stage sees the same results, errors and memory."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import lance
import pyarrow as pa
import pytest

from tests.threads_engine import install
from winnowry.core.errors import UsageError, WorkerLostError
from winnowry.engine.base import IN_FLIGHT_PER_SLOT, Engine, Resources
from winnowry.engine.local import close_pools
from winnowry.engine.registry import VARIABLE, engine_named, engine_names
from winnowry.engine.tasks import ChainTask, run_chain_task, tasks_over
from winnowry.lakehouse.view import TableView
from winnowry.operators.base import Operator
from winnowry.operators.registry import operators

ENGINES = ("local[1]", "local[2]", "threads[2]")


@pytest.fixture(autouse=True)
def _installed(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path_factory.mktemp("engines"), monkeypatch)
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, _installed: None) -> Engine:
    return engine_named(request.param)


class Numbers:
    """Tasks that count how many of them were taken."""

    def __init__(self, n: int) -> None:
        self.left, self.n_taken = iter(range(n)), 0

    def __iter__(self) -> Iterator[int]:
        for number in self.left:
            self.n_taken += 1
            yield number


class TwoArgumentsError(Exception):
    """Cannot be unpickled: the message is not what the constructor takes."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


class CustomError(Exception):
    """An error of a user's package, with a value of its own."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def squared(number: int) -> int:
    return number * number


def slower_when_smaller(number: int) -> int:
    time.sleep(0.2 if number == 0 else 0.0)
    return number


def failing_at_three(number: int) -> int:
    if number == 3:
        raise CustomError(number)
    return number


def failing_with_two_arguments(number: int) -> int:
    raise TwoArgumentsError("one", str(number))


def ending_at_three(number: int) -> int:
    if number == 3:
        os._exit(9)
    return number


def running_at_once(folder: str) -> int:
    """How many tasks that share a folder run at this moment."""
    mine = Path(folder) / f"{os.getpid()}-{threading.get_ident()}"
    mine.touch()
    time.sleep(0.05)
    n_running = len(list(Path(folder).iterdir()))
    mine.unlink()
    return n_running


def test_every_registered_engine_is_in_this_suite() -> None:
    assert engine_names() == sorted({name.partition("[")[0] for name in ENGINES})


def test_results_come_in_the_order_of_the_tasks(engine: Engine) -> None:
    assert list(engine.map(slower_when_smaller, range(9))) == list(range(9))


def test_unordered_results_are_all_there_once(engine: Engine) -> None:
    assert sorted(engine.map(squared, range(50), ordered=False)) == [n * n for n in range(50)]


def test_unordered_results_do_not_wait_for_a_slow_task(engine: Engine) -> None:
    results = list(engine.map(slower_when_smaller, range(4), ordered=False))
    assert results[0] != 0 or engine.slots == 1


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("n", [0, 1])
def test_no_task_and_one_task_are_answered(engine: Engine, n: int, ordered: bool) -> None:
    assert list(engine.map(squared, range(n), ordered=ordered)) == list(range(n))


def test_nothing_is_taken_before_a_result_is_asked_for(engine: Engine) -> None:
    tasks = Numbers(100)
    results = engine.map(squared, tasks)
    assert tasks.n_taken == 0
    assert next(results) == 0


@pytest.mark.parametrize("ordered", [True, False])
def test_tasks_are_taken_no_further_ahead_than_twice_the_slots(engine: Engine, ordered: bool) -> None:
    tasks = Numbers(100)
    ahead = [tasks.n_taken - n_done for n_done, _ in enumerate(engine.map(squared, tasks, ordered=ordered))]
    assert len(ahead) == 100
    assert max(ahead) <= engine.slots * IN_FLIGHT_PER_SLOT


def test_endless_tasks_can_be_left(engine: Engine) -> None:
    results = engine.map(squared, itertools.count())
    assert [next(results) for _ in range(5)] == [0, 1, 4, 9, 16]
    results.close()  # type: ignore[attr-defined]
    assert list(engine.map(squared, range(3))) == [0, 1, 4]


def test_an_error_is_raised_as_it_is_and_in_its_turn(engine: Engine) -> None:
    results = engine.map(failing_at_three, range(8))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(CustomError) as raised:
        next(results)
    assert raised.value.number == 3
    assert list(engine.map(squared, range(3))) == [0, 1, 4], "the engine is as good as before"


def test_an_error_that_cannot_be_sent_is_no_lost_worker(engine: Engine) -> None:
    with pytest.raises((TwoArgumentsError, RuntimeError), match="one and 0"):
        list(engine.map(failing_with_two_arguments, range(4)))


def test_a_worker_that_dies_is_named_and_the_next_tasks_get_new_ones() -> None:
    engine = engine_named("local[2]")
    with pytest.raises(WorkerLostError, match=r"2 processes were at work.*Nothing became visible$"):
        list(engine.map(ending_at_three, range(8)))
    assert list(engine.map(squared, range(3))) == [0, 1, 4]
    close_pools()


@pytest.mark.parametrize(
    "resources", [Resources(cpu=2), Resources(gpu=1.0), Resources(memory_bytes=1 << 62)], ids=["cpu", "gpu", "memory"]
)
def test_tasks_that_do_not_fit_beside_each_other_run_one_at_a_time(tmp_path: Path, resources: Resources) -> None:
    alone = list(engine_named("local[2]").map(running_at_once, [str(tmp_path)] * 6, resources=resources))
    assert alone == [1] * 6


def test_a_half_gpu_lets_two_tasks_run(tmp_path: Path) -> None:
    pids = set(engine_named("local[2]").map(process_of, range(40), resources=Resources(gpu=0.5)))
    assert len(pids) == 2
    assert os.getpid() not in pids


def process_of(number: int) -> int:
    time.sleep(0.02)
    return os.getpid()


class Rows(NamedTuple):
    """What a chain made of a view."""

    kept: list[dict[str, object]]
    rejected: list[tuple[str, str, str]]
    errors: dict[str, int]


def chain() -> tuple[Operator, ...]:
    known = operators()
    specifications = [
        {"op": "text.normalize_unicode"},
        {"op": "text.length", "min_words": 5},
        {"op": "text.language", "keep": ["en"]},
    ]
    return tuple(known[str(given["op"])].model_validate(given) for given in specifications)


def rows_of(engine: Engine, view: TableView) -> Rows:
    def unit(offset: int, n_rows: int) -> ChainTask:
        return ChainTask(view, ("record_id", "text"), {}, chain(), offset, n_rows, "cleaned")

    kept, rejected, errors = [], [], Counter[str]()
    for result in engine.map(run_chain_task, tasks_over(view, unit(0, 0).columns, unit)):
        kept += result.kept.to_pylist() if result.kept is not None else []
        for batch in result.quarantined:
            rejected += [(row["record_id"], row["operator"], row["reason"]) for row in batch.to_pylist()]
        errors.update(result.errors)
    return Rows(kept, rejected, dict(errors))


def test_a_chain_over_a_lance_view_gives_the_same_rows_on_every_engine(tmp_path: Path) -> None:
    texts = [
        "The service returns a resource when it is called with its name.",
        "Der Dienst gibt eine Ressource zurück, wenn er mit ihrem Namen aufgerufen wird.",
        "Too short.",
        None,
    ]
    table = pa.table(
        {"record_id": [f"{row:05d}" for row in range(1200)], "text": pa.array(texts * 300, pa.large_string())}
    )
    uri = str(tmp_path / "rows.lance")
    lance.write_dataset(table, uri, max_rows_per_file=500)
    view = TableView(uri, lance.dataset(uri).version, {}, "rows")
    first, *others = [rows_of(engine_named(name), view) for name in ENGINES]
    assert [row["record_id"] for row in first.kept] == [f"{row:05d}" for row in range(0, 1200, 4)]
    assert len(first.kept) + len(first.rejected) == 1200
    assert all(rows == first for rows in others)


def test_an_unknown_engine_is_refused_with_near_ones_and_the_list() -> None:
    with pytest.raises(UsageError, match=r"unknown engine 'lokal'; did you mean 'local'\?; engines are local, threads"):
        engine_named("lokal[2]")


@pytest.mark.parametrize("text", ["local[", "local[2", "Local", "local 2", "", "local:2"])
def test_an_engine_that_cannot_be_read_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected NAME, NAME\[ARGUMENT\] or NAME://ADDRESS"):
        engine_named(text)


@pytest.mark.parametrize("text", ["local[0]", "local[-1]", "local[two]", "local[²]", "local://head"])
def test_a_number_of_processes_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected a number of processes, at least 1"):
        engine_named(text)


def test_the_environment_names_the_engine_of_who_names_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "local[7]")
    assert engine_named().slots == 7
    assert engine_named("local[3]").slots == 3
    monkeypatch.setenv(VARIABLE, "lokal")
    with pytest.raises(UsageError, match="WINNOWRY_ENGINE: unknown engine 'lokal'"):
        engine_named()
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setenv("WINNOWRY_WORKERS", "5")
    assert engine_named().slots == 5


def test_an_address_reaches_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.threads_engine.threads_engine", lambda argument: argument)
    assert engine_named("threads://head:10001") == "//head:10001"
