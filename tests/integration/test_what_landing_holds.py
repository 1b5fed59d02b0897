"""The landing is the truth: what it no longer holds goes, what moved is once where it is now, an id is one record."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from winnowry.core.errors import MissingPartitionsError, UsageError
from winnowry.core.ids import record_id
from winnowry.core.progress import NoProgress
from winnowry.gates.suite import Suite
from winnowry.inspect.explain import explain
from winnowry.lakehouse.barrier import barrier
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.partitions import gone_partitions, partitions_of
from winnowry.promotion.result import GateFailed
from winnowry.recipe.model import Recipe
from winnowry.runs.order import Failure, RunOutcome, StageFailed, run_in_order
from winnowry.runs.project import Project
from winnowry.runs.request import RunRequest
from winnowry.stages.plan import plan
from winnowry.stages.run import run_stage

Objects = Mapping[str, Sequence[Mapping[str, Any]]]
MONTH = {"by": "event_time", "every": "month"}


def doc(name: str, time: str | None, text: str | None = None) -> dict[str, Any]:
    """A line of a landing object."""
    return {"id": name, "text": text or f"the text of {name}", **({"t": time} if time is not None else {})}


def suites(stage: str, recipe: Recipe, schema: Any) -> list[Suite]:
    """The gate of ids alone: these tests are about which rows there are."""
    from expectations.custom import ExpectNoCollidingIds

    return [Suite("raw.contract", [ExpectNoCollidingIds()])] if stage == "raw" else []


class Lake:
    """A corpus whose landing is a few JSON Lines files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ws = Workspace.open(str(root))

    def land(self, objects: Objects) -> None:
        """Make the landing hold these objects and no others."""
        folder = self.root / "landing"
        folder.mkdir(exist_ok=True)
        for path in folder.iterdir():
            if path.name not in objects:
                path.unlink()
        for name, rows in objects.items():
            data = "".join(json.dumps(row) + "\n" for row in rows)
            path = folder / name
            if not path.exists() or path.read_text() != data:
                path.write_text(data)

    def recipe(
        self, partition: Mapping[str, Any] = MONTH, source: Mapping[str, Any] | None = None, **more: Any
    ) -> Recipe:
        """The recipe; ``source`` and ``more`` add to it."""
        declared = {
            "name": "s",
            "uri": "landing/*.jsonl",
            "fields": {"id": "id", "event_time": "t"},
            "partition": dict(partition),
            **(source or {}),
        }
        return Recipe.model_validate(
            {
                "version": 1,
                "corpus": "c",
                "sources": [declared],
                "score": [{"op": "score.token_count"}],
                "sample": {"method": "uniform", "token_fraction": 1.0},
                **more,
            }
        )

    def run(self, recipe: Recipe | None = None, *, to: str = "published", partitions: Sequence[str] = ()) -> RunOutcome:
        """What ``winnowry run`` does."""
        recipe = recipe if recipe is not None else self.recipe()

        def execute(stages: Sequence[str], partition: str | None) -> Any:
            for stage in stages:
                try:
                    yield run_stage(self.ws, recipe, stage, partition, suites=suites, run_id="r")
                except (GateFailed, MissingPartitionsError) as error:
                    failure = Failure(stage, partition, type(error).__name__, str(error))
                    raise StageFailed(failure, error.result if isinstance(error, GateFailed) else None) from error

        request = RunRequest(self.ws, recipe, Project(Path()), tuple(partitions), to)
        return run_in_order(request, NoProgress(), "r", execute)

    def rows(self, table: str = "raw", version: str | None = None) -> dict[str, str]:
        """Partition of every record of a table, by the id of its source."""
        view = self.ws.lake.open("c", table, version)
        names = {str(record_id("s", mapped_id=name)): name for name in "abcdefghijklmnopqrstuvwxyz"}
        rows = view.to_table(columns=["record_id", "partition"]).to_pylist()
        assert len({row["record_id"] for row in rows}) == len(rows), "an id is there twice"
        return {names.get(row["record_id"], row["record_id"]): row["partition"] for row in rows}

    def rejected(self) -> list[tuple[str, str]]:
        """Reason and partition of every row of the quarantine."""
        rows = self.ws.lake.open("c", "quarantine").to_table(columns=["reason", "partition"]).to_pylist()
        return sorted((row["reason"], row["partition"]) for row in rows)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


THREE: Objects = {
    "1.jsonl": [doc("a", "2024-01-05"), doc("b", "2024-01-06")],
    "2.jsonl": [doc("c", "2024-02-05"), doc("d", "2024-02-06")],
    "3.jsonl": [doc("e", "2024-03-05")],
}

MOVES: dict[str, tuple[Objects, Objects, dict[str, str]]] = {
    "to an earlier partition, of which another keeps a record": (
        THREE,
        {**THREE, "2.jsonl": [doc("c", "2024-01-09"), doc("d", "2024-02-06")]},
        {"a": "2024-01", "b": "2024-01", "c": "2024-01", "d": "2024-02", "e": "2024-03"},
    ),
    "to a later partition": (
        THREE,
        {**THREE, "1.jsonl": [doc("a", "2024-02-09"), doc("b", "2024-01-06")]},
        {"a": "2024-02", "b": "2024-01", "c": "2024-02", "d": "2024-02", "e": "2024-03"},
    ),
    "two that change places": (
        THREE,
        {"1.jsonl": [doc("c", "2024-01-05"), doc("b", "2024-01-06")],
         "2.jsonl": [doc("a", "2024-02-05"), doc("d", "2024-02-06")], "3.jsonl": THREE["3.jsonl"]},
        {"a": "2024-02", "b": "2024-01", "c": "2024-01", "d": "2024-02", "e": "2024-03"},
    ),
    "the last of a partition, to an earlier one": (
        THREE,
        {**THREE, "3.jsonl": [doc("e", "2024-01-31")]},
        {"a": "2024-01", "b": "2024-01", "c": "2024-02", "d": "2024-02", "e": "2024-01"},
    ),
    "all of the first partition, to the last one": (
        THREE,
        {**THREE, "1.jsonl": [doc("a", "2024-03-05"), doc("b", "2024-03-06")]},
        {"a": "2024-03", "b": "2024-03", "c": "2024-02", "d": "2024-02", "e": "2024-03"},
    ),
    "the whole corpus, to partitions that are new": (
        THREE,
        {name: [{**row, "t": row["t"].replace("2024", "2023")} for row in rows] for name, rows in THREE.items()},
        {"a": "2023-01", "b": "2023-01", "c": "2023-02", "d": "2023-02", "e": "2023-03"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MOVES)
def test_a_record_that_changes_its_partition_is_once_where_it_is_now(lake: Lake, name: str) -> None:
    before, after, expected = MOVES[name]
    lake.land(before)
    assert lake.run(to="cleaned").succeeded
    lake.land(after)
    outcome = lake.run(to="duplicates")
    assert outcome.succeeded, outcome.failures
    for table in ("raw", "cleaned"):
        assert lake.rows(table) == expected
    assert lake.rejected() == []
    assert plan(lake.ws, lake.recipe()).to_run[0].stage == "fit"


KEYS = {
    "month to day": (MONTH, {"by": "event_time", "every": "day"}, "2024-01-05"),
    "day to month": ({"by": "event_time", "every": "day"}, MONTH, "2024-01"),
    "month to year": (MONTH, {"by": "event_time", "every": "year"}, "2024"),
    "event time to field": (MONTH, {"by": "field", "field": "id"}, "a"),
}


@pytest.mark.parametrize("keep_gone", [None, True])
@pytest.mark.parametrize("name", KEYS)
def test_a_changed_partition_rule_moves_every_record_and_retracts_none(
    lake: Lake, name: str, keep_gone: bool | None
) -> None:
    before, after, of_a = KEYS[name]
    lake.land(THREE)
    assert lake.run(lake.recipe(before, keep_gone=keep_gone), to="cleaned").succeeded
    changed = lake.recipe(after, keep_gone=keep_gone)
    outcome = lake.run(changed, to="duplicates")
    assert outcome.succeeded, outcome.failures
    for table in ("raw", "cleaned"):
        rows = lake.rows(table)
        assert sorted(rows) == ["a", "b", "c", "d", "e"]
        assert rows["a"] == of_a
    assert gone_partitions(lake.ws, changed) == []


def test_a_partition_that_the_landing_no_longer_holds_leaves_every_table_and_stays_in_its_release(lake: Lake) -> None:
    lake.land(THREE)
    assert lake.run().succeeded
    lake.land({name: rows for name, rows in THREE.items() if name != "2.jsonl"})
    planned = plan(lake.ws, lake.recipe())
    assert [(entry.stage, entry.partition) for entry in planned.entries[:3]] == [
        ("raw", "2024-02"), ("cleaned", "2024-02"), ("scored", "2024-02")
    ]  # fmt: skip
    assert "gone" in planned.entries[0].reasons[0]
    outcome = lake.run()
    assert outcome.succeeded, outcome.failures
    for table in ("raw", "cleaned", "scored", "sampled", "published"):
        assert lake.rows(table) == {"a": "2024-01", "b": "2024-01", "e": "2024-03"}
    assert sorted(lake.rows("published", "v1")) == ["a", "b", "c", "d", "e"]
    retracted = [r for r in outcome.results if r.partition == "2024-02"]
    assert [(r.stage, r.status, r.reason.partition(":")[0]) for r in retracted] == [
        ("raw", "promoted", "gone"), ("cleaned", "promoted", "gone"), ("scored", "promoted", "gone")
    ]  # fmt: skip
    assert retracted[0].metadata == {"rows_retracted": 2, "rows_moved": 0}
    assert plan(lake.ws, lake.recipe()).to_run == []
    again = lake.run()
    assert {r.status for r in again.results} == {"skipped"}
    lake.land(THREE)  # and comes back
    assert lake.run().succeeded
    assert sorted(lake.rows("published")) == ["a", "b", "c", "d", "e"]


def test_what_the_quarantine_holds_of_a_gone_partition_goes_too(lake: Lake) -> None:
    short = {"clean": [{"op": "text.length", "min_words": 4}]}
    lake.land({**THREE, "2.jsonl": [doc("c", "2024-02-05", "short")]})
    assert lake.run(lake.recipe(**short), to="cleaned").succeeded
    assert lake.rejected() == [("min_words", "2024-02")]
    lake.land({name: rows for name, rows in THREE.items() if name != "2.jsonl"})
    assert lake.run(lake.recipe(**short), to="duplicates").succeeded
    assert lake.rejected() == []


def test_an_object_that_goes_takes_its_records_out_of_a_partition_that_stays(lake: Lake) -> None:
    lake.land({**THREE, "4.jsonl": [doc("f", "2024-01-20")]})
    assert lake.run(to="cleaned").succeeded
    lake.land(THREE)
    outcome = lake.run(to="duplicates")
    assert outcome.succeeded, outcome.failures
    assert "f" not in lake.rows("cleaned")
    (january,) = [r for r in outcome.results if (r.stage, r.partition) == ("raw", "2024-01")]
    assert january.metadata["rows_withdrawn"] == 1


def test_more_than_half_of_a_corpus_goes_only_when_it_is_asked_for(lake: Lake) -> None:
    lake.land(THREE)
    assert lake.run(to="cleaned").succeeded
    lake.land({"1.jsonl": THREE["1.jsonl"]})
    outcome = lake.run(to="duplicates")
    assert [(f.stage, f.partition) for f in outcome.failures] == [("raw", "2024-02")]
    (message,) = [f.message for f in outcome.failures]
    assert "3 of 5 records are no longer in the landing (60.0 %), of partition 2024-02, 2024-03" in message
    assert "`limits: {max_retracted_fraction: 1}` in the recipe" in message
    assert "keep_gone" in message
    assert sorted(lake.rows("raw")) == sorted(lake.rows("cleaned")) == ["a", "b", "c", "d", "e"]
    assert lake.run(lake.recipe(limits={"max_retracted_fraction": 1.0}), to="duplicates").succeeded
    assert sorted(lake.rows("cleaned")) == ["a", "b"]


def test_what_moved_does_not_count_as_what_goes(lake: Lake) -> None:
    """Of five records in partitions that go, three arrive elsewhere: two of five are withdrawn, not five of eight."""
    lake.land(THREE)
    assert lake.run().succeeded
    lake.land({"1.jsonl": [doc(name, "2025-01-05") for name in "abc"]})
    assert lake.run().succeeded
    assert lake.rows() == dict.fromkeys("abc", "2025-01")


def test_a_partition_that_stays_loses_no_more_than_that_either(lake: Lake) -> None:
    everything = {"by": "field", "field": "p", "missing": "all"}
    lake.land(THREE)
    assert lake.run(lake.recipe(everything), to="cleaned").succeeded
    lake.land({"1.jsonl": THREE["1.jsonl"]})
    outcome = lake.run(lake.recipe(everything), to="cleaned")
    assert "3 of 5 records are no longer in the landing" in outcome.failures[0].message
    assert len(lake.rows("raw")) == 5


def test_a_gone_partition_can_be_named_and_one_that_never_was_cannot(lake: Lake) -> None:
    lake.land(THREE)
    assert lake.run(to="cleaned").succeeded
    lake.land({name: rows for name, rows in THREE.items() if name != "3.jsonl"})
    assert lake.run(to="cleaned", partitions=["2024-03"]).succeeded
    assert "e" not in lake.rows("cleaned")
    with pytest.raises(UsageError, match="no partition '2024-09'"):
        run_stage(lake.ws, lake.recipe(), "raw", "2024-09", suites=suites, run_id="r")


def test_a_partition_alone_is_run_and_the_corpus_waits_for_the_one_it_took_a_record_from(lake: Lake) -> None:
    before, after, expected = MOVES["to an earlier partition, of which another keeps a record"]
    lake.land(before)
    assert lake.run(to="cleaned").succeeded
    lake.land(after)
    outcome = lake.run(to="duplicates", partitions=["2024-01"])
    assert "partitions missing or stale upstream: 2024-02" in outcome.failures[0].message
    assert lake.run(to="duplicates", partitions=["2024-02"]).succeeded
    assert lake.rows("cleaned") == expected


# ------------------------------------------------------------------------------------------------------ keep_gone


def test_kept_records_of_gone_objects_stay_and_a_changed_rule_reaches_them(lake: Lake) -> None:
    lake.land({**THREE, "4.jsonl": [doc("f", "2024-01-20", "f f f f f f")]})
    keep = lake.recipe(keep_gone=True)
    assert lake.run(keep).succeeded
    lake.land({"3.jsonl": THREE["3.jsonl"], "1.jsonl": THREE["1.jsonl"]})
    assert gone_partitions(lake.ws, keep) == []
    assert lake.run(keep).succeeded
    everything = {**dict.fromkeys("abf", "2024-01"), **dict.fromkeys("cd", "2024-02"), "e": "2024-03"}
    assert lake.rows("published") == everything
    assert lake.ws.lake.tags("c")["v1"] == lake.ws.lake.tags("c")["prod"]  # nothing changed: no release
    changed = lake.recipe(keep_gone=True, clean=[{"op": "text.length", "min_words": 5}])
    assert lake.run(changed, to="cleaned").succeeded
    assert lake.rows("cleaned") == {"f": "2024-01"}
    assert partitions_of(lake.ws, changed) == ["2024-01", "2024-02", "2024-03"]
    lake.land({})
    assert lake.run(keep, to="duplicates").succeeded
    assert len(lake.rows("cleaned")) == 6
    lake.land({"3.jsonl": THREE["3.jsonl"]})
    outcome = lake.run(lake.recipe(limits={"max_retracted_fraction": 1.0}))
    assert outcome.succeeded, outcome.failures
    assert lake.rows("published") == {"e": "2024-03"}


def test_kept_records_whose_objects_have_other_names_now_are_there_once(lake: Lake) -> None:
    keep = lake.recipe(keep_gone=True)
    lake.land(THREE)
    assert lake.run(keep, to="cleaned").succeeded
    lake.land({f"new-{name}": rows for name, rows in THREE.items() if name != "2.jsonl"})
    outcome = lake.run(keep, to="cleaned")
    assert outcome.succeeded, outcome.failures
    assert sorted(lake.rows("cleaned")) == ["a", "b", "c", "d", "e"]
    assert lake.rejected() == []


# ------------------------------------------------------------------------------------------------------ one id

UPDATES: dict[str, tuple[str | None, Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]], str | None]] = {
    # on_update, lines of the first file, of the second; the text of `x` that stays, None: refused
    "later": (None, [doc("x", "2024-01-05", "old")], [doc("x", "2024-02-05", "new")], "new"),
    "later, in the file that is read first": (
        None, [doc("x", "2024-02-05", "new")], [doc("x", "2024-01-05", "old")], "new"
    ),
    "later in the month": (None, [doc("x", "2024-01-05", "old")], [doc("x", "2024-01-06", "new")], "new"),
    "later in the month, read first": (None, [doc("x", "2024-01-06", "new")], [doc("x", "2024-01-05", "old")], "new"),
    "three": (
        None, [doc("x", "2024-01-05", "old"), doc("x", "2024-03-05", "new")], [doc("x", "2024-02-05", "middle")], "new"
    ),
    "latest": ("latest", [doc("x", "2024-01-05", "old")], [doc("x", "2024-02-05", "new")], "new"),
    "latest of one time": ("latest", [doc("x", "2024-01-05", "old")], [doc("x", "2024-01-05", "new")], "new"),
    "first": ("keep_first", [doc("x", "2024-01-05", "old")], [doc("x", "2024-02-05", "new")], "old"),
    "first of one time": ("keep_first", [doc("x", "2024-01-05", "old")], [doc("x", "2024-01-05", "new")], "old"),
    "first, read last": ("keep_first", [doc("x", "2024-02-05", "new")], [doc("x", "2024-01-05", "old")], "old"),
    "the same twice": (None, [doc("x", "2024-01-05", "same")], [doc("x", "2024-01-05", "same")], "same"),
    "other content at one time": (None, [doc("x", "2024-01-05", "old")], [doc("x", "2024-01-05", "new")], None),
}  # fmt: skip


@pytest.mark.parametrize("backwards", [False, True], ids=["", "partitions backwards"])
@pytest.mark.parametrize("name", UPDATES)
def test_of_several_records_of_one_id_one_stays_whatever_the_order(lake: Lake, name: str, backwards: bool) -> None:
    on_update, first, second, expected = UPDATES[name]
    recipe = lake.recipe(source={"on_update": on_update})
    others = [doc("a", f"2024-0{month}-01") for month in (1,)] + [doc("b", "2024-02-01"), doc("c", "2024-03-01")]
    lake.land({"1.jsonl": [*others, *first], "2.jsonl": second})
    order = ["2024-03", "2024-02", "2024-01"] if backwards else []
    outcome = lake.run(recipe, to="cleaned", partitions=order)
    if expected is None:
        (failure,) = outcome.failures
        assert "id 'x' at" in failure.message
        assert "1.jsonl:3" in failure.message
        assert "2.jsonl:0" in failure.message
        assert "`fields.id`" in failure.message
        return
    assert outcome.succeeded, outcome.failures
    assert sorted(lake.rows()) == ["a", "b", "c", "x"]
    (row,) = lake.ws.lake.open("c", "raw").to_table(columns=["payload"], where="payload NOT LIKE '%text%'").to_pylist()
    assert row["payload"] == expected
    reasons = [reason for reason, _ in lake.rejected()]
    rule = "duplicate_record_id" if expected == "same" else "superseded"
    assert reasons == [rule] * (len(first) + len(second) - 1)
    assert {r.status for r in lake.run(recipe, to="cleaned", partitions=order).results} == {"skipped"}


def test_an_update_outdates_the_partition_it_replaces_a_record_of_and_its_withdrawal_brings_that_back(
    lake: Lake,
) -> None:
    lake.land(THREE)
    assert lake.run(to="cleaned").succeeded
    lake.land({**THREE, "9.jsonl": [doc("a", "2024-03-09", "newer")]})
    outcome = lake.run(to="duplicates")
    assert outcome.succeeded, outcome.failures
    assert lake.rows("cleaned")["a"] == "2024-03"
    assert lake.rejected() == [("superseded", "2024-01")]
    lake.land(THREE)
    outcome = lake.run(to="duplicates")
    assert outcome.succeeded, outcome.failures
    assert lake.rows("cleaned")["a"] == "2024-01"
    assert lake.rejected() == []


SHARDS: Objects = {
    f"shard-{shard}.jsonl": [{"idx": at, "text": f"row {at} of {shard}", "p": f"p{shard}"} for at in range(20)]
    for shard in range(2)
}


@pytest.mark.parametrize(
    "partition", [{"by": "field", "field": "_", "missing": "all"}, {"by": "field", "field": "p"}], ids=["one", "two"]
)
def test_shards_that_number_their_own_rows_are_refused_in_one_partition_and_in_two(
    lake: Lake, partition: Mapping[str, Any]
) -> None:
    lake.land(SHARDS)
    recipe = lake.recipe(partition, {"fields": {"id": "idx"}})
    (failure,) = lake.run(recipe, to="cleaned").failures
    for part in ("s: idx 0 at", "shard-0.jsonl:0", "shard-1.jsonl:0", "`fields.id`", "on_update"):
        assert part in failure.message
    by_place = lake.recipe(partition, {"fields": {}})
    assert lake.run(by_place, to="cleaned").succeeded
    assert lake.ws.lake.open("c", "raw").count_rows() == 40


def test_shards_with_event_times_are_no_updates_either_unless_the_recipe_says_so(lake: Lake) -> None:
    lake.land({name: [{**row, "t": f"2024-01-1{row['p'][1:]}"} for row in rows] for name, rows in SHARDS.items()})
    fields = {"id": "idx", "event_time": "t"}
    (failure,) = lake.run(lake.recipe(MONTH, {"fields": fields}), to="cleaned").failures
    assert "20 of 20 ids of s have several contents, too many for updates" in failure.message
    assert lake.run(lake.recipe(MONTH, {"fields": fields, "on_update": "latest"}), to="cleaned").succeeded
    assert lake.rejected() == [("superseded", "2024-01")] * 20


def test_two_sources_over_one_object_hold_two_things(lake: Lake) -> None:
    lake.land({"1.jsonl": [{"id": "a", "title": "a title", "text": "a body", "t": "2024-01-05"}]})
    body = lake.recipe().model_dump(mode="json", exclude_unset=True)
    title = {**body["sources"][0], "name": "title", "fields": {"id": "id", "text": "title", "event_time": "t"}}
    both = Recipe.model_validate({**body, "sources": [*body["sources"], title]})
    assert lake.run(both, to="cleaned").succeeded
    (lake.root / "landing" / "2.jsonl").write_text(
        json.dumps({"id": "b", "title": "T", "text": "B", "t": "2024-01-06"})
    )
    assert lake.run(both, to="cleaned").succeeded  # the first object is not read again
    payloads = lake.ws.lake.open("c", "raw").to_table(columns=["payload"])["payload"].to_pylist()
    assert sorted(payloads) == ["B", "T", "a body", "a title"]


def test_records_outside_the_declared_partitions_are_named_in_the_quarantine(lake: Lake) -> None:
    lake.land(THREE)
    recipe = lake.recipe({**MONTH, "keys": ["2024-01", "2024-03"]})
    assert lake.run(recipe, to="cleaned").succeeded
    assert lake.rejected() == [("undeclared_partition", "__unpartitioned__")] * 2


# ------------------------------------------------------------------------------------------------------ kills


class Killed(BaseException):
    """Ends a run where it stands."""


def points_of(lake: Lake, act: Callable[[], object]) -> list[str]:
    """Every point that a run passes."""
    seen: list[str] = []
    barrier.hook = seen.append
    try:
        act()
    finally:
        barrier.hook = None
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("name", ["retracted", "moved"])
def test_a_run_that_is_killed_anywhere_leaves_what_the_next_one_ends(tmp_path: Path, name: str) -> None:
    after = (
        {n: r for n, r in THREE.items() if n != "2.jsonl"}
        if name == "retracted"
        else MOVES["two that change places"][1]
    )
    model = Lake(tmp_path / "model")
    (tmp_path / "model").mkdir()
    model.land(THREE)
    model.run(to="duplicates")
    model.land(after)
    points = points_of(model, lambda: model.run(to="duplicates"))
    expected = model.rows("cleaned")
    for at in range(1, len(points), 5):
        root = tmp_path / str(at)
        root.mkdir()
        lake = Lake(root)
        lake.land(THREE)
        lake.run(to="duplicates")
        lake.land(after)
        passed = 0

        def stop(_: str, at: int = at) -> None:
            nonlocal passed
            passed += 1
            if passed == at:
                raise Killed

        barrier.hook = stop
        try:
            with pytest.raises(Killed):
                lake.run(to="duplicates")
        finally:
            barrier.hook = None
        outcome = lake.run(to="duplicates")
        assert outcome.succeeded, (points[at - 1], outcome.failures)
        for table in ("raw", "cleaned"):
            assert lake.rows(table) == expected, points[at - 1]


# ---------------------------------------------------------------------------------------------------- explain


def test_explain_says_when_and_why_a_record_went(lake: Lake) -> None:
    lake.land(THREE)
    assert lake.run().succeeded
    lake.land({"1.jsonl": [THREE["1.jsonl"][0]], "3.jsonl": THREE["3.jsonl"], "9.jsonl": [doc("z", "2024-01-02")]})
    assert lake.run(lake.recipe(limits={"max_retracted_fraction": 1.0})).succeeded
    withdrawn = explain(lake.ws, "c")
    assert (withdrawn.status, withdrawn.partition, withdrawn.releases) == ("withdrawn", "2024-02", ("v1",))
    assert "no landing object holds partition 2024-02 any more" in withdrawn.verdict
    assert "2.jsonl:0" in withdrawn.verdict
    assert "an earlier release holds it: v1" in withdrawn.verdict
    assert withdrawn.steps[-1].promoted_at is not None
    assert explain(lake.ws, str(record_id("s", mapped_id="c"))[:10]).verdict == withdrawn.verdict
    assert "its object was changed and does not hold it any more" in explain(lake.ws, "b").verdict
