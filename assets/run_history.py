"""How long Dagster's records of runs, and what they printed, are kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from assets.in_flight import is_about

if TYPE_CHECKING:
    from winnowry.recipe.model import Recipe

_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_AT_ONCE = 500


def forget_runs(instance: dg.DagsterInstance, recipe: Recipe, *, keep_days: float, dry_run: bool = False) -> int:
    """Remove finished runs of a corpus that are older than the retention, with their events and their output.

    Runs whose materialization is the newest of an asset's partition stay: the catalogue is made of them.

    Args:
        instance: the Dagster instance.
        recipe: the corpus.
        keep_days: retention in days.
        dry_run: only count them.

    Returns:
        Their number.
    """
    before = datetime.now(UTC) - timedelta(days=keep_days)
    finished = dg.RunsFilter(statuses=_FINISHED, created_before=before)
    old = [run.run_id for run in instance.get_runs(finished) if is_about(run, recipe)]
    shown = _shown_runs(instance, recipe) if old else set()
    forgotten = [run_id for run_id in old if run_id not in shown]
    if not dry_run:
        for run_id in forgotten:
            instance.compute_log_manager.delete_logs(prefix=[run_id])
            instance.delete_run(run_id)
    return len(forgotten)


def _shown_runs(instance: dg.DagsterInstance, recipe: Recipe) -> set[str]:
    """Runs that made what the catalogue shows: the newest materialization of every asset and partition."""
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    shown: set[str] = set()
    for key in instance.get_asset_keys(prefix=[recipe.corpus]):
        # Not public: the storage is what the instance asks itself for the catalogue (dagster 1.13).
        ids = list(instance.event_log_storage.get_latest_storage_id_by_partition(key, kind).values())
        newest = instance.get_latest_materialization_event(key)
        shown |= {newest.run_id} if newest is not None else set()
        for start in range(0, len(ids), _AT_ONCE):
            wanted = dg.AssetRecordsFilter(asset_key=key, storage_ids=ids[start : start + _AT_ONCE])
            shown |= {record.run_id for record in instance.fetch_materializations(wanted, limit=_AT_ONCE).records}
    return shown
