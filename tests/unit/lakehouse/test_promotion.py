"""Stage → audit → promote, one process, every rival placed at an exact point by ``promotion.barrier``.

A rival is run *inside* the barrier hook, so that it lands precisely between two steps of the promotion under test; a
crash is an exception that nothing catches. Killed and racing processes are in ``tests/faults``.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
import pytest
from lance.fragment import write_fragments

from winnowry.core.errors import (
    ContractError,
    GateFailedError,
    LakehouseError,
    PromotionConflictError,
    TableFormatError,
)
from winnowry.core.retry import Retry
from winnowry.core.tables import QUARANTINE, UNPARTITIONED
from winnowry.lakehouse.barrier import barrier
from winnowry.lakehouse.lake import Lakehouse
from winnowry.lakehouse.promotion import stage
from winnowry.lakehouse.record import WHOLE_TABLE, PromotionRecord, Scope, new_promotion_id
from winnowry.lakehouse.table import FragmentWriter
from winnowry.storage.open import open_store

CORPUS = "c"
THREE_ATTEMPTS = Retry(attempts=3, first_wait_s=0.0, longest_wait_s=0.0)
ROWS = pa.schema(
    [
        pa.field("record_id", pa.string(), nullable=False),
        pa.field("partition", pa.string(), nullable=False),
        pa.field("value", pa.int64()),
        pa.field("promotion_id", pa.string(), nullable=False),
    ]
)


class Killed(BaseException):
    """Stands for a process that ends here; not an Exception, so that nothing under test handles it."""


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lakehouse]:
    yield Lakehouse(open_store(str(tmp_path)), {})
    barrier.hook = None


@contextmanager
def at(point: str, action: Callable[[], object]) -> Iterator[None]:
    """Run an action the first time a point is reached; fails when it never is."""
    fired: list[str] = []

    def hook(name: str) -> None:
        if name == point and not fired:
            fired.append(name)
            action()

    barrier.hook = hook
    try:
        yield
    finally:
        barrier.hook = None
    assert fired, f"the promotion never reached {point}"


def killed_at(lake: Lakehouse, record: PromotionRecord, point: str) -> None:
    """Promote, and die at a point."""

    def die() -> None:
        raise Killed

    with pytest.raises(Killed), at(point, die):
        lake.promoter(CORPUS).promote(record)


def staged(
    lake: Lakehouse,
    partition: str,
    rows: Mapping[str, int],
    *,
    rejected: Sequence[str] = (),
    stage_name: str = "cleaned",
    table: str | None = None,
    scope: Scope = "partition",
    remove: Sequence[str] = (),
    meanwhile: Callable[[], object] = lambda: None,
) -> PromotionRecord:
    """A staged promotion: rows ``id → value`` for the main table, ids for the quarantine.

    ``meanwhile`` happens after a delta has been worked out and before it is staged.
    """
    main_name = table or stage_name
    main, side = lake.table(CORPUS, main_name), lake.quarantine(CORPUS)
    main.create(ROWS)
    base = int(main.dataset().version)
    promotion = new_promotion_id()
    replaces = lake.promoter(CORPUS).live(stage_name, main_name, partition)
    written = FragmentWriter(main, ROWS)
    for key in sorted({_key(name, partition) for name in rows}):
        # a fragment never spans two partitions
        part = [
            {"record_id": name, "partition": key, "value": value, "promotion_id": promotion}
            for name, value in rows.items()
            if _key(name, partition) == key
        ]
        written.write(pa.RecordBatch.from_pylist(part, schema=ROWS))
        written.flush()
    aside = FragmentWriter(side, QUARANTINE)
    if rejected:
        aside.write(
            pa.RecordBatch.from_pylist([_reject(n, partition, stage_name, promotion) for n in rejected], QUARANTINE)
        )
        aside.flush()
    delta: dict[str, Any] = {}
    if scope == "delta":
        updated, removed = lake.delete_rows(CORPUS, main_name, list(remove), base)
        delta = {"updated": updated, "removed": removed, "base_version": base}
    meanwhile()
    candidate = stage(
        main, written.fragments, written.rows, scope=scope, partition=partition, stage_name=stage_name, **delta
    )
    side_candidate = stage(
        side, aside.fragments, aside.rows, scope="partition", partition=partition, stage_name=stage_name
    )
    return lake.records(CORPUS).save(
        PromotionRecord(
            id=promotion,
            corpus=CORPUS,
            stage=stage_name,
            partition=partition,
            main=candidate,
            sides=[side_candidate],
            replaces=replaces,
            state="staged",
            created_at=time.time(),
            lineage={},
            outputs={},
            ledger={},
        )
    )


def _key(name: str, partition: str) -> str:
    return name[0] if partition == WHOLE_TABLE else partition


def _reject(name: str, partition: str, stage_name: str, promotion: str) -> dict[str, Any]:
    return {
        "record_id": name,
        "partition": partition,
        "stage": stage_name,
        "operator": "text.length",
        "reason": "min_words",
        "reasons": [],
        "promotion_id": promotion,
    }


def promoted(lake: Lakehouse, *args: Any, **kwargs: Any) -> PromotionRecord:
    return lake.promoter(CORPUS).promote(staged(lake, *args, **kwargs))


def visible(lake: Lakehouse, name: str = "cleaned") -> list[tuple[str, int]]:
    """What a reader of the latest version sees, repeated rows repeated."""
    table = lake.open(CORPUS, name).to_table(columns=["record_id", "value"])
    return sorted(zip(table["record_id"].to_pylist(), table["value"].to_pylist(), strict=True))


def quarantined(lake: Lakehouse) -> list[str]:
    return sorted(lake.open(CORPUS, "quarantine").to_table(columns=["record_id"])["record_id"].to_pylist())


def quarantine_as_stored(lake: Lakehouse) -> list[str]:
    rows = lake.table(CORPUS, "quarantine").dataset().to_table(columns=["record_id"])
    return sorted(rows["record_id"].to_pylist())


def state_of(lake: Lakehouse, record: PromotionRecord) -> str:
    found = lake.records(CORPUS).load(record.stage, record.partition, record.id)
    assert found is not None
    return found.state


# ---------------------------------------------------------------------------------------------- stage and promote


def test_a_staged_candidate_is_seen_by_its_own_versions_only(lake: Lakehouse) -> None:
    promoted(lake, "p", {"a": 1})
    promoted(lake, "q", {"b": 2})
    record = staged(lake, "p", {"a": 10, "c": 30})
    assert visible(lake) == [("a", 1), ("b", 2)]
    assert record.main is not None
    audited = lake.candidate_view(CORPUS, "cleaned", record.main.audit_version, "p").to_table()
    assert sorted(audited["record_id"].to_pylist()) == ["a", "c"]
    future = lake.candidate_view(CORPUS, "cleaned", record.main.detached_version, "p").to_table()
    assert sorted(zip(future["record_id"].to_pylist(), future["value"].to_pylist(), strict=True)) == [
        ("a", 10),
        ("b", 2),
        ("c", 30),
    ]


def test_promoting_replaces_the_partition_and_leaves_the_others(lake: Lakehouse) -> None:
    promoted(lake, "p", {"a": 1, "b": 2}, rejected=["x"])
    promoted(lake, "q", {"c": 3}, rejected=["y"])
    promoted(lake, "p", {"a": 10}, rejected=["b"])
    assert visible(lake) == [("a", 10), ("c", 3)]
    assert quarantined(lake) == ["b", "y"]
    assert quarantine_as_stored(lake) == ["b", "y"], "superseded side rows are tidied away"


def test_a_rejected_candidate_leaves_no_trace_for_readers(lake: Lakehouse) -> None:
    promoted(lake, "p", {"a": 1}, rejected=["x"])
    version = lake.table(CORPUS, "cleaned").dataset().version
    record = staged(lake, "p", {"a": 10}, rejected=["a"])
    lake.records(CORPUS).advance(record, "rejected")
    assert lake.promoter(CORPUS).recover("cleaned", "p") == []
    assert visible(lake) == [("a", 1)]
    assert quarantined(lake) == ["x"]
    assert lake.table(CORPUS, "cleaned").dataset().version == version


def test_promoting_a_second_time_changes_nothing(lake: Lakehouse) -> None:
    record = promoted(lake, "p", {"a": 1}, rejected=["x"])
    version = lake.table(CORPUS, "cleaned").dataset().version
    again = lake.promoter(CORPUS).promote(record)
    assert again.state == "promoted"
    assert visible(lake) == [("a", 1)]
    assert quarantine_as_stored(lake) == ["x"]
    assert lake.table(CORPUS, "cleaned").dataset().version == version


def test_an_empty_output_replaces_the_rows_of_its_partition(lake: Lakehouse) -> None:
    promoted(lake, "p", {"a": 1})
    promoted(lake, "q", {"b": 2})
    record = promoted(lake, "p", {}, rejected=["a"])
    assert visible(lake) == [("b", 2)]
    assert quarantined(lake) == ["a"]
    assert lake.promoter(CORPUS).live("cleaned", "cleaned", "p") == record.id
    later = promoted(lake, "p", {"a": 3})
    assert visible(lake) == [("a", 3), ("b", 2)]
    assert lake.promoter(CORPUS).live("cleaned", "cleaned", "p") == later.id


def test_an_empty_first_load_is_live_and_shows_its_quarantine(lake: Lakehouse) -> None:
    record = promoted(lake, "p", {}, rejected=["a", "b"])
    assert visible(lake) == []
    assert quarantined(lake) == ["a", "b"]
    assert lake.promoter(CORPUS).live("cleaned", "cleaned", "p") == record.id


# ----------------------------------------------------------------------------------------------------- two writers


def test_of_two_first_loads_of_a_partition_one_lands_and_the_other_is_told(lake: Lakehouse) -> None:
    mine = staged(lake, "p", {"a": 1}, rejected=["x"])
    rival = staged(lake, "p", {"a": 2}, rejected=["y"])
    with (
        pytest.raises(PromotionConflictError, match=rival.id),
        at("looked-up:cleaned", lambda: lake.promoter(CORPUS).promote(rival)),
    ):
        lake.promoter(CORPUS).promote(mine)
    assert visible(lake) == [("a", 2)]
    assert quarantined(lake) == ["y"]
    lake.promoter(CORPUS).recover("cleaned", "p")
    assert state_of(lake, mine) == "abandoned"
    assert quarantine_as_stored(lake) == ["y"]


@pytest.mark.parametrize(("mine", "rival"), [({}, {"a": 2}), ({"a": 1}, {}), ({}, {})])
def test_of_two_first_loads_one_of_them_empty_the_reader_sees_one_whole(
    lake: Lakehouse, mine: dict[str, int], rival: dict[str, int]
) -> None:
    first = staged(lake, "p", mine, rejected=["x"])
    second = staged(lake, "p", rival, rejected=["y"])
    won = second
    try:
        with at("looked-up:cleaned", lambda: lake.promoter(CORPUS).promote(second)):
            lake.promoter(CORPUS).promote(first)
        won = first
    except PromotionConflictError:
        pass
    expected = {first.id: (mine, ["x"]), second.id: (rival, ["y"])}[won.id]
    assert visible(lake) == sorted(expected[0].items())
    assert quarantined(lake) == expected[1]
    assert lake.promoter(CORPUS).live("cleaned", "cleaned", "p") == won.id


def test_first_loads_of_two_partitions_both_land(lake: Lakehouse) -> None:
    mine = staged(lake, "p", {"a": 1}, rejected=["x"])
    rival = staged(lake, "q", {"b": 2}, rejected=["y"])
    with at("looked-up:cleaned", lambda: lake.promoter(CORPUS).promote(rival)):
        lake.promoter(CORPUS).promote(mine)
    assert visible(lake) == [("a", 1), ("b", 2)]
    assert quarantined(lake) == ["x", "y"]


def test_a_first_load_and_a_replacement_of_another_partition_both_land(lake: Lakehouse) -> None:
    promoted(lake, "p", {"a": 1})
    replacement = staged(lake, "p", {"a": 10})
    load = staged(lake, "q", {"b": 2})
    with at("looked-up:cleaned", lambda: lake.promoter(CORPUS).promote(load)):
        lake.promoter(CORPUS).promote(replacement)
    assert visible(lake) == [("a", 10), ("b", 2)]


def test_replacements_of_two_partitions_both_land(lake: Lakehouse) -> None:
    promoted(lake, "p", {"a": 1})
    promoted(lake, "q", {"b": 2})
    mine, rival = staged(lake, "p", {"a": 10}), staged(lake, "q", {"b": 20})
    with at("looked-up:cleaned", lambda: lake.promoter(CORPUS).promote(rival)):
        lake.promoter(CORPUS).promote(mine)
    assert visible(lake) == [("a", 10), ("b", 20)]


@pytest.mark.parametrize("point", ["committing", "promoted:quarantine", "looked-up:cleaned"])
def test_of_two_replacements_of_a_partition_one_lands_wherever_the_rival_comes_in(lake: Lakehouse, point: str) -> None:
    promoted(lake, "p", {"a": 1}, rejected=["w"])
    mine = staged(lake, "p", {"a": 10}, rejected=["x"])
    rival = staged(lake, "p", {"a": 20}, rejected=["y"])
    with pytest.raises(PromotionConflictError), at(point, lambda: lake.promoter(CORPUS).promote(rival)):
        lake.promoter(CORPUS).promote(mine)
    assert visible(lake) == [("a", 20)]
    assert quarantined(lake) == ["y"]


def test_a_promotion_superseded_since_it_was_staged_is_refused(lake: Lakehouse) -> None:
    mine = staged(lake, "p", {"a": 1}, rejected=["x"])
    promoted(lake, "p", {"a": 2}, rejected=["y"])
    with pytest.raises(PromotionConflictError, match="run the stage again"):
        lake.promoter(CORPUS).promote(mine)
    assert visible(lake) == [("a", 2)]
    assert quarantined(lake) == ["y"]


@pytest.mark.parametrize("point", ["promoted:cleaned", "recorded"])
@pytest.mark.parametrize("stop", ["promoted:quarantine", "tidied"])
def test_tidying_up_after_a_promotion_spares_the_quarantine_of_the_next_one(
    lake: Lakehouse, point: str, stop: str
) -> None:
    """The next promotion of the partition has committed its side rows, and perhaps all, when the tidying starts."""
    first = staged(lake, "p", {"a": 1}, rejected=["x"])
    following: list[PromotionRecord] = []

    def next_one() -> None:
        following.append(staged(lake, "p", {"a": 2}, rejected=["y"]))
        hook, barrier.hook = barrier.hook, None
        try:
            if stop == "tidied":
                lake.promoter(CORPUS).promote(following[0])
            else:
                killed_at(lake, following[0], stop)
        finally:
            barrier.hook = hook

    with at(point, next_one):
        lake.promoter(CORPUS).promote(first)
    lake.promoter(CORPUS).recover("cleaned", "p")
    assert visible(lake) == [("a", 2)]
    assert quarantined(lake) == ["y"]


def test_tidying_up_spares_side_rows_of_a_promotion_that_is_about_to_commit(lake: Lakehouse) -> None:
    first = promoted(lake, "p", {"a": 1}, rejected=["x"])
    following = staged(lake, "p", {"a": 2}, rejected=["y"])
    with at("promoted:quarantine", lambda: lake.promoter(CORPUS).promote(first)):
        lake.promoter(CORPUS).promote(following)
    assert visible(lake) == [("a", 2)]
    assert quarantined(lake) == ["y"]


def test_of_two_first_releases_only_one_lands(lake: Lakehouse) -> None:
    mine = staged(lake, WHOLE_TABLE, {"a": 1, "b": 2}, stage_name="published", scope="delta")
    rival = staged(lake, WHOLE_TABLE, {"a": 1, "b": 2}, stage_name="published", scope="delta")
    # The rival's commit has landed but its record does not say so yet: the table is the only evidence.
    with (
        pytest.raises(PromotionConflictError),
        at("looked-up:published", lambda: killed_at_nested(lake, rival, "promoted:published")),
    ):
        lake.promoter(CORPUS).promote(mine)
    assert visible(lake, "published") == [("a", 1), ("b", 2)]


def test_of_two_releases_that_change_different_rows_only_one_lands(lake: Lakehouse) -> None:
    promoted(lake, WHOLE_TABLE, {"a": 1, "b": 2, "b2": 3, "a2": 4}, stage_name="published", scope="delta")
    mine = staged(lake, WHOLE_TABLE, {"c": 3}, stage_name="published", scope="delta", remove=["a"])
    rival = staged(lake, WHOLE_TABLE, {"d": 4}, stage_name="published", scope="delta", remove=["b"])
    with (
        pytest.raises(PromotionConflictError),
        at("looked-up:published", lambda: killed_at_nested(lake, rival, "promoted:published")),
    ):
        lake.promoter(CORPUS).promote(mine)
    assert visible(lake, "published") == [("a", 1), ("a2", 4), ("b2", 3), ("d", 4)]


def test_of_two_promotions_of_a_whole_table_only_one_lands(lake: Lakehouse) -> None:
    mine = staged(lake, WHOLE_TABLE, {"a": 1, "b": 1}, stage_name="sampled", scope="table", rejected=["x"])
    rival = staged(lake, WHOLE_TABLE, {"a": 2, "b": 2}, stage_name="sampled", scope="table", rejected=["y"])
    with (
        pytest.raises(PromotionConflictError),
        at("looked-up:sampled", lambda: killed_at_nested(lake, rival, "promoted:sampled")),
    ):
        lake.promoter(CORPUS).promote(mine)
    lake.promoter(CORPUS).recover("sampled", WHOLE_TABLE)
    assert visible(lake, "sampled") == [("a", 2), ("b", 2)]
    assert quarantined(lake) == ["y"]
    assert lake.promoter(CORPUS).live("sampled", "sampled", WHOLE_TABLE) == rival.id


def test_a_release_is_built_on_the_version_that_it_was_worked_out_from(lake: Lakehouse) -> None:
    """The rival takes its row from the fragment that ours takes one from: built on the rival, ours would restore it."""
    promoted(lake, WHOLE_TABLE, {"a": 1, "a2": 2, "a3": 3}, stage_name="published", scope="delta")
    rival = staged(lake, WHOLE_TABLE, {}, stage_name="published", scope="delta", remove=["a2"])
    mine = staged(
        lake,
        WHOLE_TABLE,
        {},
        stage_name="published",
        scope="delta",
        remove=["a"],
        meanwhile=lambda: killed_at(lake, rival, "promoted:published"),
    )
    with pytest.raises(PromotionConflictError, match=rival.id):
        lake.promoter(CORPUS).promote(mine)
    assert visible(lake, "published") == [("a", 1), ("a3", 3)]


@pytest.mark.parametrize("scope", ["delta", "table"])
def test_a_promotion_staged_on_a_rival_that_has_not_recorded_itself_is_refused(lake: Lakehouse, scope: Scope) -> None:
    first = promoted(lake, WHOLE_TABLE, {"a": 1}, stage_name="published", scope=scope)
    rival = staged(lake, WHOLE_TABLE, {"b": 2}, stage_name="published", scope=scope)
    killed_at(lake, rival, "promoted:published")
    mine = staged(lake, WHOLE_TABLE, {"c": 3}, stage_name="published", scope=scope)
    assert mine.replaces == first.id, "the rival's record does not say that it has landed"
    with pytest.raises(PromotionConflictError, match=rival.id):
        lake.promoter(CORPUS).promote(mine)
    lake.promoter(CORPUS).recover("published", WHOLE_TABLE)
    assert lake.promoter(CORPUS).live("published", "published", WHOLE_TABLE) == rival.id
    assert ("c", 3) not in visible(lake, "published")
    promoted(lake, WHOLE_TABLE, {"d": 4}, stage_name="published", scope=scope)
    assert ("d", 4) in visible(lake, "published"), "staged again it lands"


def test_a_release_does_not_bring_back_rows_that_somebody_deleted_meanwhile(lake: Lakehouse) -> None:
    promoted(lake, WHOLE_TABLE, {"a": 1, "a2": 2, "a3": 3}, stage_name="published", scope="delta")
    mine = staged(lake, WHOLE_TABLE, {}, stage_name="published", scope="delta", remove=["a"])
    lake.table(CORPUS, "published").dataset().delete("record_id = 'a2'")
    with pytest.raises(PromotionConflictError, match="deleted or moved"):
        lake.promoter(CORPUS).promote(mine)
    assert visible(lake, "published") == [("a", 1), ("a3", 3)]


def test_an_index_built_meanwhile_does_not_stop_a_release(lake: Lakehouse) -> None:
    promoted(lake, WHOLE_TABLE, {"a": 1, "a2": 2}, stage_name="published", scope="delta")
    mine = staged(lake, WHOLE_TABLE, {"b": 3}, stage_name="published", scope="delta", remove=["a"])
    lake.ensure_index(CORPUS, "published")
    lake.promoter(CORPUS).promote(mine)
    assert visible(lake, "published") == [("a2", 2), ("b", 3)]


@pytest.mark.parametrize("point", ["committing", "looked-up:published", "promoted:published"])
@pytest.mark.parametrize("scope", ["delta", "table"])
def test_a_slow_process_overtaken_by_the_next_promotion_leaves_that_one_live(
    lake: Lakehouse, point: str, scope: Scope
) -> None:
    """Another process finishes the slow one's promotion, and then promotes the next; then the slow one wakes up."""
    slow = staged(lake, WHOLE_TABLE, {"a": 1}, stage_name="published", scope=scope, rejected=["x"])
    following: list[PromotionRecord] = []

    def overtake() -> None:
        lake.promoter(CORPUS).recover("published", WHOLE_TABLE)
        new = staged(lake, WHOLE_TABLE, {"b": 2}, stage_name="published", scope=scope, rejected=["y"])
        following.append(lake.promoter(CORPUS).promote(new))

    with at(point, overtake):
        assert lake.promoter(CORPUS).promote(slow).state == "promoted"
    assert state_of(lake, slow) == "promoted", "it had landed"
    assert lake.promoter(CORPUS).live("published", "published", WHOLE_TABLE) == following[0].id
    assert quarantined(lake) == ["y"]
    assert ("b", 2) in visible(lake, "published")


def killed_at_nested(lake: Lakehouse, record: PromotionRecord, point: str) -> None:
    hook, barrier.hook = barrier.hook, None
    try:
        killed_at(lake, record, point)
    finally:
        barrier.hook = hook


@pytest.mark.parametrize("kind", ["first load", "replacement"])
def test_a_rule_over_the_whole_table_is_asked_again_after_a_rival_landed(lake: Lakehouse, kind: str) -> None:
    if kind == "replacement":
        promoted(lake, "p", {"a": 1})
        promoted(lake, "q", {"b": 2})
    mine, rival = staged(lake, "p", {"same": 1}), staged(lake, "q", {"same": 2})

    def no_twins(record: PromotionRecord) -> None:
        if any(name == "same" for name, _ in visible(lake)):
            raise GateFailedError(f"{record.partition}: record id landed in another partition meanwhile")

    with (
        pytest.raises(GateFailedError),
        at("looked-up:cleaned", lambda: lake.promoter(CORPUS).promote(rival, reaudit=no_twins)),
    ):
        lake.promoter(CORPUS).promote(mine, reaudit=no_twins)
    assert [row for row in visible(lake) if row[0] == "same"] == [("same", 2)]
    lake.promoter(CORPUS).recover("cleaned", "p")
    assert [row for row in visible(lake) if row[0] == "same"] == [("same", 2)], "recovery landed what was refused"
    assert state_of(lake, mine) == "rejected"


def test_twelve_threads_load_six_partitions_and_each_lands_once(lake: Lakehouse) -> None:
    records = [staged(lake, f"p{i % 6}", {f"r{i}": i}, rejected=[f"x{i}"]) for i in range(12)]
    refused: list[PromotionRecord] = []

    def work(record: PromotionRecord) -> None:
        try:
            lake.promoter(CORPUS).promote(record)
        except PromotionConflictError:
            refused.append(record)

    threads = [threading.Thread(target=work, args=(record,)) for record in records]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    landed = [r for r in records if r not in refused]
    assert sorted(r.partition for r in landed) == ["p0", "p1", "p2", "p3", "p4", "p5"]
    assert visible(lake) == sorted((f"r{records.index(r)}", records.index(r)) for r in landed)
    assert quarantined(lake) == sorted(f"x{records.index(r)}" for r in landed)


def test_eight_threads_create_a_table_and_none_loses_rows(lake: Lakehouse) -> None:
    import lance

    def work(index: int) -> None:
        table = lake.table(CORPUS, "fresh")
        table.create(ROWS)
        row = {"record_id": f"r{index}", "partition": "p", "value": index, "promotion_id": "z"}
        lance.write_dataset(pa.Table.from_pylist([row], ROWS), table.uri, mode="append")

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    dataset = lake.table(CORPUS, "fresh").dataset()
    assert sorted(dataset.to_table()["value"].to_pylist()) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert dataset.has_stable_row_ids


def wider(*names: str) -> pa.Schema:
    return pa.schema([*ROWS, *(pa.field(name, pa.int64()) for name in names)])


@pytest.mark.parametrize(
    ("rival", "columns"),
    [
        (lambda lake: lake.table(CORPUS, "cleaned").create(wider("x")), ["x"]),
        (lambda lake: lake.table(CORPUS, "cleaned").create(wider("y")), ["y", "x"]),
        (lambda lake: promoted(lake, "q", {"b": 2}), ["x"]),
    ],
    ids=["the same column", "another column", "rows"],
)
def test_a_column_is_added_once_whatever_a_rival_adds_at_the_same_moment(
    lake: Lakehouse, monkeypatch: pytest.MonkeyPatch, rival: Callable[[Lakehouse], object], columns: list[str]
) -> None:
    import lance

    promoted(lake, "p", {"a": 1})
    plain = lance.LanceDataset.add_columns
    raced: list[str] = []

    def add_columns(self: Any, *args: Any, **how: Any) -> Any:
        if not raced:
            raced.append("yes")
            rival(lake)
        return plain(self, *args, **how)

    monkeypatch.setattr(lance.LanceDataset, "add_columns", add_columns)
    lake.table(CORPUS, "cleaned").create(wider("x"))
    assert raced
    assert lake.open(CORPUS, "cleaned").schema.names == [*ROWS.names, *columns]
    assert ("a", 1) in visible(lake)
    assert lake.open(CORPUS, "cleaned").to_table()["x"].null_count == len(visible(lake))


def test_eight_threads_each_add_a_column_and_none_is_lost(lake: Lakehouse) -> None:
    promoted(lake, "p", {"a": 1})
    names = [f"x{i}" for i in range(8)]
    failed: list[BaseException] = []

    def work(name: str) -> None:
        try:
            lake.table(CORPUS, "cleaned").create(wider("shared", name))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sorted(lake.open(CORPUS, "cleaned").schema.names) == sorted([*ROWS.names, "shared", *names])
    assert visible(lake) == [("a", 1)]


def test_adding_a_column_that_is_refused_for_ever_ends_in_a_clear_error(
    lake: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lance

    def refused(*_: object, **__: object) -> None:
        raise OSError("Retryable commit conflict for version 2")

    promoted(lake, "p", {"a": 1})
    monkeypatch.setattr(lance.LanceDataset, "add_columns", refused)
    monkeypatch.setattr("winnowry.lakehouse.table._ADDITIONS", THREE_ATTEMPTS)
    with pytest.raises(LakehouseError, match="refused 3 times"):
        lake.table(CORPUS, "cleaned").create(wider("x"))


# ------------------------------------------------------------------------------------------------ crash and recovery


def test_side_rows_of_a_promotion_that_never_committed_are_invisible(lake: Lakehouse) -> None:
    promoted(lake, "p", {"a": 1}, rejected=["x"])
    record = staged(lake, "p", {"a": 10}, rejected=["y"])
    killed_at(lake, record, "promoted:quarantine")
    assert quarantine_as_stored(lake) == ["x", "y"]
    assert quarantined(lake) == ["x"]
    view = lake.partition_view(CORPUS, "quarantine", "p", "cleaned")
    assert view.to_table()["record_id"].to_pylist() == ["x"]
    assert visible(lake) == [("a", 1)]


POINTS = [
    "committing",
    "looked-up:quarantine",
    "promoted:quarantine",
    "looked-up:cleaned",
    "promoted:cleaned",
    "recorded",
    "tidied",
]


@pytest.mark.parametrize("before", [{}, {"a": 1, "b": 2}])
@pytest.mark.parametrize("after", [{}, {"a": 10, "c": 30}])
@pytest.mark.parametrize("point", POINTS)
def test_recovery_finishes_a_promotion_killed_at_any_point(
    lake: Lakehouse, point: str, before: dict[str, int], after: dict[str, int]
) -> None:
    promoted(lake, "q", {"z": 0}, rejected=["w"])
    if before:
        promoted(lake, "p", before, rejected=["x"])
    record = staged(lake, "p", after, rejected=["y"])
    killed_at(lake, record, point)
    seen = [row for row in visible(lake) if row[0] != "z"]
    assert seen in (sorted(before.items()), sorted(after.items())), "a reader never sees a part"
    if seen != sorted(before.items()):
        assert "y" in quarantine_as_stored(lake), "rows are visible before what they left behind is"
    for _ in range(2):
        lake.promoter(CORPUS).recover("cleaned", "p")
        assert [row for row in visible(lake) if row[0] != "z"] == sorted(after.items())
        assert quarantined(lake) == ["w", "y"]
        assert state_of(lake, record) == "promoted"
        assert lake.promoter(CORPUS).live("cleaned", "cleaned", "p") == record.id


def test_the_points_that_recovery_is_tested_at_are_all_there_are(lake: Lakehouse) -> None:
    record = staged(lake, "p", {"a": 1}, rejected=["x"])
    reached: list[str] = []
    barrier.hook = reached.append
    lake.promoter(CORPUS).promote(record)
    assert reached == POINTS


def test_recovery_drops_what_a_rival_has_overtaken(lake: Lakehouse) -> None:
    record = staged(lake, "p", {"a": 1}, rejected=["x"])
    rival = staged(lake, "p", {"a": 2}, rejected=["y"])
    killed_at(lake, record, "promoted:quarantine")
    lake.promoter(CORPUS).promote(rival)
    assert lake.promoter(CORPUS).recover("cleaned", "p") == []
    assert state_of(lake, record) == "abandoned"
    assert visible(lake) == [("a", 2)]
    assert quarantine_as_stored(lake) == ["y"]


@pytest.mark.parametrize("point", ["committing", "promoted:quarantine", "looked-up:cleaned"])
@pytest.mark.parametrize("damage", ["missing", "cut"])
@pytest.mark.parametrize("of", ["cleaned", "quarantine"])
def test_a_candidate_that_is_not_whole_any_more_is_abandoned_by_name(
    lake: Lakehouse, caplog: pytest.LogCaptureFixture, point: str, damage: str, of: str
) -> None:
    promoted(lake, "p", {"a": 0}, rejected=["u"])
    record = staged(lake, "p", {"a": 1, "b": 2}, rejected=["x"])
    killed_at(lake, record, point)
    candidate = record.main if of == "cleaned" else record.sides[0]
    assert candidate is not None
    name = candidate.fragments[0]["files"][0]["path"]
    file = Path(lake.corpus_uri(CORPUS)) / f"{of}.lance/data/{name}"
    if damage == "missing":
        file.unlink()
    else:
        os.truncate(file, file.stat().st_size // 2)
    assert lake.promoter(CORPUS).recover("cleaned", "p") == []
    assert state_of(lake, record) == "abandoned"
    assert record.id in caplog.text
    assert name in caplog.text
    assert visible(lake) == [("a", 0)]
    assert quarantined(lake) == ["u"]
    promoted(lake, "p", {"a": 1, "b": 2}, rejected=["x"])
    assert (visible(lake), quarantined(lake)) == ([("a", 1), ("b", 2)], ["x"])


def test_a_candidate_that_is_visible_already_stands_though_its_files_were_merged_since(lake: Lakehouse) -> None:
    record = staged(lake, "p", {"a": 1})
    killed_at(lake, record, "promoted:cleaned")
    dataset = lake.table(CORPUS, "cleaned").dataset()
    (fragment,) = dataset.get_fragments()
    merged = write_fragments(fragment.to_table(), dataset, mode="append")
    operation = lance.LanceOperation.Update(
        removed_fragment_ids=[fragment.fragment_id], updated_fragments=[], new_fragments=merged, fields_modified=[]
    )
    lance.LanceDataset.commit(dataset, operation, read_version=dataset.version)
    (Path(lake.corpus_uri(CORPUS)) / "cleaned.lance/data" / fragment.data_files()[0].path).unlink()
    assert [finished.id for finished in lake.promoter(CORPUS).recover("cleaned", "p")] == [record.id]
    assert (state_of(lake, record), visible(lake)) == ("promoted", [("a", 1)])


@pytest.mark.parametrize("body", [b"", b'{"id": "x', b"[]", b"{}", b'{"main": 7, "sides": []}'])
def test_a_damaged_record_is_named_by_its_file(lake: Lakehouse, body: bytes) -> None:
    record = promoted(lake, "p", {"a": 1})
    (Path(lake.corpus_uri(CORPUS)) / f"promotions/cleaned/p/{record.id}.json").write_bytes(body)
    with pytest.raises(TableFormatError, match=rf"{record.id}\.json: this promotion record is damaged"):
        lake.promoter(CORPUS).recover("cleaned", "p")


@pytest.mark.parametrize(("own_clock_says", "by_the_store", "state"), [(0.0, 25, "abandoned"), (2e9, 1, "staged")])
def test_the_age_of_a_staged_promotion_is_told_by_the_clock_of_the_store(
    lake: Lakehouse, monkeypatch: pytest.MonkeyPatch, own_clock_says: float, by_the_store: int, state: str
) -> None:
    record = staged(lake, "p", {"a": 1})
    hours = by_the_store * 3600
    file = Path(lake.corpus_uri(CORPUS)) / f"promotions/cleaned/p/{record.id}.json"
    os.utime(file, (file.stat().st_mtime - hours,) * 2)
    monkeypatch.setattr(time, "time", lambda: own_clock_says)
    lake.promoter(CORPUS).recover("cleaned", "p")
    assert state_of(lake, record) == state


def test_a_promotion_may_be_recovered_while_its_own_process_is_still_alive(lake: Lakehouse) -> None:
    record = staged(lake, "p", {"a": 1}, rejected=["x"])
    for point in ("promoted:quarantine", "looked-up:cleaned", "promoted:cleaned"):
        with at(point, lambda: lake.promoter(CORPUS).recover("cleaned", "p")):
            lake.promoter(CORPUS).promote(record)
        assert visible(lake) == [("a", 1)]
        assert quarantine_as_stored(lake) == ["x"]
        assert state_of(lake, record) == "promoted"
        record = staged(lake, "p", {"a": 1}, rejected=["x"])


def test_recovery_asks_the_rules_over_the_whole_table_again(lake: Lakehouse) -> None:
    record = staged(lake, "p", {"same": 1}, rejected=["x"])
    killed_at(lake, record, "promoted:quarantine")
    promoted(lake, "q", {"same": 2})

    def refuse(candidate: PromotionRecord) -> None:
        assert candidate.id == record.id
        raise GateFailedError("the record id landed in another partition meanwhile")

    assert lake.promoter(CORPUS).recover("cleaned", "p", reaudit=refuse) == []
    assert visible(lake) == [("same", 2)]
    assert state_of(lake, record) == "rejected"
    assert quarantine_as_stored(lake) == []


def test_a_store_that_fails_leaves_a_promotion_that_recovery_can_finish(lake: Lakehouse) -> None:
    record = staged(lake, "p", {"a": 1}, rejected=["x"])

    def fail() -> None:
        raise OSError("connection reset by peer")

    with pytest.raises(OSError, match="connection reset"), at("looked-up:cleaned", fail):
        lake.promoter(CORPUS).promote(record)
    assert visible(lake) == []
    lake.promoter(CORPUS).recover("cleaned", "p")
    assert visible(lake) == [("a", 1)]
    assert quarantined(lake) == ["x"]


# ------------------------------------------------------------------------------------------------- readers and index


def test_quarantined_lines_without_a_partition_belong_to_the_landing_that_found_them(lake: Lakehouse) -> None:
    main, side = lake.table(CORPUS, "landing"), lake.quarantine(CORPUS)
    main.create(ROWS)
    promotion = new_promotion_id()
    found, lines = FragmentWriter(main, ROWS), FragmentWriter(side, QUARANTINE)
    row = {"record_id": "f", "partition": "", "value": 1, "promotion_id": promotion}
    found.write(pa.RecordBatch.from_pylist([row], ROWS))
    found.flush()
    lines.write(pa.RecordBatch.from_pylist([_reject("bad", UNPARTITIONED, "raw", promotion)], QUARANTINE))
    lines.flush()
    record = PromotionRecord(
        id=promotion,
        corpus=CORPUS,
        stage="landing",
        partition=WHOLE_TABLE,
        main=stage(main, found.fragments, 1, scope="table", partition=WHOLE_TABLE, stage_name="landing"),
        sides=[stage(side, lines.fragments, 1, scope="partition", partition=UNPARTITIONED, stage_name="raw")],
        replaces=None,
        state="staged",
        created_at=time.time(),
        lineage={},
        outputs={},
        ledger={},
    )
    lake.promoter(CORPUS).promote(lake.records(CORPUS).save(record))
    promoted(lake, "p", {"a": 1}, rejected=["x"])
    assert quarantined(lake) == ["bad", "x"]
    view = lake.partition_view(CORPUS, "quarantine", UNPARTITIONED, "raw")
    assert view.to_table()["record_id"].to_pylist() == ["bad"], "landing carries these over for unchanged objects"


def test_lookups_by_the_index_stay_right_after_a_partition_was_replaced(lake: Lakehouse) -> None:
    promoted(lake, "p", {f"a{i}": i for i in range(50)})
    promoted(lake, "q", {f"b{i}": i for i in range(50)})
    lake.ensure_index(CORPUS, "cleaned")
    promoted(lake, "p", {f"a{i}": 100 + i for i in range(10, 60)})
    promoted(lake, "r", {"c0": 7})
    for _ in range(2):  # before and after the index has seen the new fragments
        view = lake.open(CORPUS, "cleaned")
        plan = view.dataset().scanner(filter="record_id = 'a10'").explain_plan()
        assert "ScalarIndexQuery" in plan or "MaterializeIndex" in plan, plan
        answers = {
            name: view.to_table(columns=["value"], where=f"record_id = '{name}'")["value"].to_pylist()
            for name in ("a0", "a10", "a59", "b0", "b49", "c0")
        }
        assert answers == {"a0": [], "a10": [110], "a59": [159], "b0": [0], "b49": [49], "c0": [7]}
        lake.ensure_index(CORPUS, "cleaned")


def test_an_index_built_while_a_partition_lands_disturbs_neither(lake: Lakehouse) -> None:
    promoted(lake, "p", {"a": 1})
    mine = staged(lake, "q", {"b": 2})
    with at("looked-up:cleaned", lambda: lake.ensure_index(CORPUS, "cleaned")):
        lake.promoter(CORPUS).promote(mine)
    lake.ensure_index(CORPUS, "cleaned")
    for name, value in (("a", 1), ("b", 2)):
        rows = lake.open(CORPUS, "cleaned").to_table(where=f"record_id = '{name}'")
        assert rows["value"].to_pylist() == [value]


def unindexed(lake: Lakehouse, name: str) -> int | None:
    """Rows that the index on record ids does not cover; None when there is no index."""
    dataset = lake.table(CORPUS, name).dataset()
    indexes = [index.name for index in dataset.describe_indices() if "record_id" in index.field_names]
    return int(dataset.stats.index_stats(indexes[0])["num_unindexed_rows"]) if indexes else None


def test_recovery_indexes_what_a_process_that_died_had_promoted_only(lake: Lakehouse) -> None:
    promoted(lake, "p", {"a": 1}, stage_name="raw")
    assert unindexed(lake, "raw") is None
    lake.promoter(CORPUS).recover("raw", "p")
    assert unindexed(lake, "raw") == 0
    promoted(lake, "q", {"b": 2, "c": 3}, stage_name="raw")
    assert unindexed(lake, "raw") == 2
    found = lake.open(CORPUS, "raw").to_table(where="record_id = 'c'")
    assert found["value"].to_pylist() == [3], "a look-up answers without the index too"
    lake.promoter(CORPUS).recover("raw", "q")
    assert unindexed(lake, "raw") == 0
    version = lake.table(CORPUS, "raw").dataset().version
    lake.promoter(CORPUS).recover("raw", "q")
    assert lake.table(CORPUS, "raw").dataset().version == version, "there is nothing left to do"


def test_recovery_indexes_a_promotion_that_it_has_rolled_forward(lake: Lakehouse) -> None:
    record = staged(lake, "p", {"a": 1}, stage_name="raw")
    killed_at(lake, record, "looked-up:raw")
    lake.promoter(CORPUS).recover("raw", "p")
    assert visible(lake, "raw") == [("a", 1)]
    assert unindexed(lake, "raw") == 0


def test_an_older_version_stays_readable_by_its_number(lake: Lakehouse) -> None:
    first = promoted(lake, "p", {"a": 1})
    promoted(lake, "p", {"a": 2})
    assert first.promoted_version is not None
    old = lake.open(CORPUS, "cleaned", first.promoted_version).to_table()
    assert old["value"].to_pylist() == [1]


def test_a_batch_that_does_not_match_the_table_is_refused(lake: Lakehouse) -> None:
    table = lake.table(CORPUS, "cleaned")
    table.create(ROWS)
    writer = FragmentWriter(table, ROWS)
    good = {"record_id": ["a"], "partition": ["p"], "value": [1], "promotion_id": ["x"]}
    lacking = pa.RecordBatch.from_pydict({k: v for k, v in good.items() if k != "value"})
    with pytest.raises(ContractError, match=r"missing \['value'\]"):
        writer.write(lacking)
    with pytest.raises(ContractError, match="value: is double, expected int64"):
        writer.write(pa.RecordBatch.from_pydict({**good, "value": [1.5]}))
    nulls = pa.RecordBatch.from_pydict({**good, "partition": pa.array([None], pa.string())})
    with pytest.raises(ContractError, match="partition: 1 null values"):
        writer.write(nulls)
    assert writer.fragments == []


def test_a_commit_refused_for_ever_ends_in_a_clear_error(lake: Lakehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    record = staged(lake, "p", {"a": 1})

    def refused(*_: object, **__: object) -> int:
        raise OSError("Retryable commit conflict for version 2")

    monkeypatch.setattr("winnowry.lakehouse.promotion._commit_once", refused)
    monkeypatch.setattr("winnowry.lakehouse.promotion._COMMITS", THREE_ATTEMPTS)
    with pytest.raises(LakehouseError, match="3 commits were refused"):
        lake.promoter(CORPUS).promote(record)
