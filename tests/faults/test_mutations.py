"""Break one safeguard at a time: a test, a gate or the independent judge must notice, by name.

A safeguard nobody would miss is no safeguard, and a test that passes without it tests nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.faults.verify import Lake, problems
from tests.faults.worker import land_first, suites_of, walk
from tests.unit.lakehouse import test_promotion as promotions
from winnowry.core.errors import GateFailedError
from winnowry.core.retry import Retry
from winnowry.lakehouse import lake as lake_module
from winnowry.lakehouse import promotion as promotion_module
from winnowry.lakehouse import table as table_module
from winnowry.lakehouse.barrier import barrier
from winnowry.lakehouse.lake import Lakehouse
from winnowry.lakehouse.promotion import Promoter
from winnowry.lakehouse.table import FragmentWriter, Owner, fragment_metadata
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.load import load_recipe
from winnowry.stages.run import run_stage
from winnowry.storage.open import open_store

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(900)]

Break = Callable[[pytest.MonkeyPatch], None]


# -------------------------------------------------------------------------------------- safeguards of the promotion


def no_look_up(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Promoter, "_landed", staticmethod(lambda *_: None))


def update_instead_of_merge(patch: pytest.MonkeyPatch) -> None:
    """Without the compare-and-set: an Update is accepted on a stale base."""
    import lance

    def commit_once(dataset: Any, promotion_id: str, candidate: Any, gone: list[int], *, exclusive: bool) -> int:
        operation = lance.LanceOperation.Update(
            removed_fragment_ids=gone,
            updated_fragments=fragment_metadata(candidate.updated),
            new_fragments=fragment_metadata(candidate.fragments),
            fields_modified=[],
        )
        transaction = lance.Transaction(
            read_version=dataset.version,
            operation=operation,
            transaction_properties={promotion_module._PROPERTY: promotion_id},
        )
        return int(lance.LanceDataset.commit(dataset, transaction, max_retries=0).version)

    patch.setattr(promotion_module, "_commit_once", commit_once)


def append_instead_of_merge(patch: pytest.MonkeyPatch) -> None:
    import lance

    plain = promotion_module._commit_once

    def commit_once(dataset: Any, promotion_id: str, candidate: Any, gone: list[int], *, exclusive: bool) -> int:
        if gone or candidate.updated or not candidate.fragments:
            return plain(dataset, promotion_id, candidate, gone, exclusive=exclusive)
        operation = lance.LanceOperation.Append(fragment_metadata(candidate.fragments))
        return int(lance.LanceDataset.commit(dataset.uri, operation, read_version=dataset.version).version)

    patch.setattr(promotion_module, "_commit_once", commit_once)


def no_reaudit(patch: pytest.MonkeyPatch) -> None:
    plain = Promoter._commit

    def commit(self: Promoter, record: Any, candidate: Any, *, add_only: bool, reaudit: Any = None) -> int:
        return plain(self, record, candidate, add_only=add_only)

    patch.setattr(Promoter, "_commit", commit)


def reaudit_not_exclusive(patch: pytest.MonkeyPatch) -> None:
    plain = promotion_module._commit_once

    def commit_once(dataset: Any, promotion_id: str, candidate: Any, gone: list[int], *, exclusive: bool) -> int:
        return plain(dataset, promotion_id, candidate, gone, exclusive=False)

    patch.setattr(promotion_module, "_commit_once", commit_once)


def superseded_is_not_refused(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Promoter, "_refuse_if_superseded", lambda *_: None)


def written_again_by_the_slower(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Promoter, "_finished", lambda *_: None)


def built_on_the_latest(patch: pytest.MonkeyPatch) -> None:
    plain = promotions.stage
    patch.setattr(promotions, "stage", lambda *args, **how: plain(*args, **{**how, "base_version": None}))
    patch.setattr(Promoter, "_refuse_if_rewritten", lambda *_: None)


def index_is_not_completed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Lakehouse, "complete_index", lambda *_: None)


def columns_are_added_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(table_module, "_ADDITIONS", Retry(attempts=1, first_wait_s=0.0, longest_wait_s=0.0))


def rewritten_is_not_refused(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Promoter, "_refuse_if_rewritten", staticmethod(lambda *_: None))


def every_side_row_is_visible(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lake_module, "_is_live", lambda *_: True)


def tidies_everything_else(patch: pytest.MonkeyPatch) -> None:
    def is_over(_: Promoter, owner: Owner, record: Any) -> bool:
        return owner.promotion_id != record.id

    patch.setattr(Promoter, "_is_over", is_over)


def main_table_first(patch: pytest.MonkeyPatch) -> None:
    plain = Promoter.promote

    def promote(self: Promoter, record: Any, **how: Any) -> Any:
        if record.state == "staged":
            self._commit(record, record.main, add_only=False)
        return plain(self, record, **how)

    patch.setattr(Promoter, "promote", promote)


def visible_when_staged(patch: pytest.MonkeyPatch) -> None:
    import lance

    plain = lance.LanceDataset.commit
    patch.setattr(
        lance.LanceDataset,
        "commit",
        staticmethod(lambda *args, **how: plain(*args, **{k: v for k, v in how.items() if k != "detached"})),
    )


SAFEGUARDS: list[tuple[Break, Callable[..., None], dict[str, Any]]] = [
    (no_look_up, promotions.test_promoting_a_second_time_changes_nothing, {}),
    (
        no_look_up,
        promotions.test_recovery_finishes_a_promotion_killed_at_any_point,
        {"point": "promoted:cleaned", "before": {"a": 1, "b": 2}, "after": {"a": 10, "c": 30}},
    ),
    (update_instead_of_merge, promotions.test_of_two_first_loads_of_a_partition_one_lands_and_the_other_is_told, {}),
    (update_instead_of_merge, promotions.test_of_two_first_releases_only_one_lands, {}),
    (append_instead_of_merge, promotions.test_of_two_first_loads_of_a_partition_one_lands_and_the_other_is_told, {}),
    (
        no_reaudit,
        promotions.test_a_rule_over_the_whole_table_is_asked_again_after_a_rival_landed,
        {"kind": "first load"},
    ),
    (no_reaudit, promotions.test_recovery_asks_the_rules_over_the_whole_table_again, {}),
    (
        reaudit_not_exclusive,
        promotions.test_a_rule_over_the_whole_table_is_asked_again_after_a_rival_landed,
        {"kind": "replacement"},
    ),
    (superseded_is_not_refused, promotions.test_a_promotion_superseded_since_it_was_staged_is_refused, {}),
    (rewritten_is_not_refused, promotions.test_of_two_first_releases_only_one_lands, {}),
    (rewritten_is_not_refused, promotions.test_of_two_promotions_of_a_whole_table_only_one_lands, {}),
    (
        rewritten_is_not_refused,
        promotions.test_a_promotion_staged_on_a_rival_that_has_not_recorded_itself_is_refused,
        {"scope": "delta"},
    ),
    (rewritten_is_not_refused, promotions.test_a_release_does_not_bring_back_rows_that_somebody_deleted_meanwhile, {}),
    (built_on_the_latest, promotions.test_a_release_is_built_on_the_version_that_it_was_worked_out_from, {}),
    (
        written_again_by_the_slower,
        promotions.test_a_slow_process_overtaken_by_the_next_promotion_leaves_that_one_live,
        {"point": "promoted:published", "scope": "table"},
    ),
    (index_is_not_completed, promotions.test_recovery_indexes_what_a_process_that_died_had_promoted_only, {}),
    (columns_are_added_once, promotions.test_eight_threads_each_add_a_column_and_none_is_lost, {}),
    (every_side_row_is_visible, promotions.test_side_rows_of_a_promotion_that_never_committed_are_invisible, {}),
    (
        tidies_everything_else,
        promotions.test_tidying_up_spares_side_rows_of_a_promotion_that_is_about_to_commit,
        {},
    ),
    (
        main_table_first,
        promotions.test_recovery_finishes_a_promotion_killed_at_any_point,
        {"point": "committing", "before": {"a": 1, "b": 2}, "after": {"a": 10, "c": 30}},
    ),
    (visible_when_staged, promotions.test_a_staged_candidate_is_seen_by_its_own_versions_only, {}),
]


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lakehouse]:
    yield Lakehouse(open_store(str(tmp_path / "lake")), {})
    barrier.hook = None


@pytest.mark.parametrize(
    ("broken", "test", "arguments"),
    SAFEGUARDS,
    ids=[f"{broken.__name__}-{test.__name__[5:]}" for broken, test, _ in SAFEGUARDS],
)
def test_a_test_fails_when_a_safeguard_is_gone(
    lake: Lakehouse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    broken: Break,
    test: Callable[..., None],
    arguments: dict[str, Any],
) -> None:
    test(lake, **arguments)
    (tmp_path / "other").mkdir()
    other = Lakehouse(open_store(str(tmp_path / "other")), {})
    broken(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception, OSError)):
        test(other, **arguments)


# ----------------------------------------------------------------------------------------- one wrong row in an output

Spoil = Callable[[pa.RecordBatch], list[pa.RecordBatch]]


def drop_one(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    return [batch.slice(1)]


def repeat_one(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    return [batch, batch.slice(0, 1)]


def rename_one(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    ids = batch.column("record_id").to_pylist()
    return [_with_ids(batch, ["f" * 32, *ids[1:]])]


def swap_two(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    ids = batch.column("record_id").to_pylist()
    return [_with_ids(batch, [ids[1], ids[0], *ids[2:]])]


def _with_ids(batch: pa.RecordBatch, ids: list[str]) -> pa.RecordBatch:
    columns = [
        pa.array(ids, pa.string()) if name == "record_id" else column
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def spoil_output(patch: pytest.MonkeyPatch, table: str, spoil: Spoil) -> list[int]:
    """Spoil the first batch of more than one row that is written to a table."""
    plain = FragmentWriter.write
    done: list[int] = []

    def write(self: FragmentWriter, batch: pa.RecordBatch) -> None:
        if self.table.name == table and not done and batch.num_rows > 1:
            done.append(batch.num_rows)
            for part in spoil(batch):
                plain(self, part)
            return
        plain(self, batch)

    patch.setattr(FragmentWriter, "write", write)
    return done


UPSTREAM = {
    "raw": "landing",
    "cleaned": "raw",
    "duplicates": "cleaned",
    "scored": "fit",
    "sampled": "scored",
    "published": "sampled",
}
PARTITION = {"raw": "2020", "cleaned": "2020", "scored": "2020"}


@pytest.mark.parametrize("spoil", [drop_one, repeat_one, rename_one])
@pytest.mark.parametrize("stage", list(UPSTREAM))
def test_the_gate_refuses_a_stage_that_loses_repeats_or_invents_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, spoil: Spoil
) -> None:
    root = tmp_path / "lake"
    land_first(root)
    walk(root, to=UPSTREAM[stage])
    workspace, recipe = Workspace.open(str(root)), load_recipe(root / "small.yaml")
    with monkeypatch.context() as patch:
        done = spoil_output(patch, stage, spoil)
        with pytest.raises(GateFailedError, match="ledger"):
            run_stage(workspace, recipe, stage, PARTITION.get(stage), suites=suites_of("real"), run_id="spoilt")
    assert done
    assert Lake(root).rows(stage) == [], "the table is as it was"
    walk(root)
    assert problems(root) == []


@pytest.mark.parametrize(
    ("stage", "spoil", "check"),
    [
        ("raw", drop_one, "raw ids"),
        ("raw", repeat_one, "raw ids"),
        ("raw", rename_one, "raw ids"),
        ("raw", swap_two, "raw payloads"),
        ("cleaned", drop_one, "cleaned ids"),
        ("cleaned", repeat_one, "duplicated id"),
        ("cleaned", rename_one, "cleaned ledger"),
        ("cleaned", swap_two, "same as undisturbed: cleaned"),
        ("duplicates", drop_one, "duplicates"),
        ("duplicates", swap_two, "duplicates"),
        ("scored", drop_one, "scored ids"),
        ("scored", swap_two, "same as undisturbed: scored"),
        ("sampled", drop_one, "sampled ids"),
        ("sampled", swap_two, "same as undisturbed: sampled"),
        ("published", drop_one, "published ids"),
        ("published", repeat_one, "published ids"),
        ("published", swap_two, "published text"),
    ],
)
def test_the_judge_of_the_kill_tests_notices_a_wrong_row_without_any_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, spoil: Spoil, check: str
) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    land_first(right)
    walk(right)
    assert problems(right, right) == []
    land_first(wrong)
    with monkeypatch.context() as patch:
        assert spoil_output(patch, stage, spoil) == []
        try:
            walk(wrong)
        except KeyError:
            assert (stage, spoil) != ("published", swap_two)  # a later stage may trip over the wrong row
    found = problems(wrong, right)
    assert any(problem.startswith(check) for problem in found), found
