"""Stage ``duplicates``: corpus-wide, from narrow columns, the same whatever order partitions were cleaned in."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from winnowry.core.tables import DUPLICATES
from winnowry.lakehouse.view import TableView
from winnowry.pipeline.attempt import Attempt, Request
from winnowry.pipeline.ledger import Ledger, read_ids
from winnowry.pipeline.lineage import digest, lineage_of
from winnowry.pipeline.result import StageResult
from winnowry.recipe.model import Recipe

KEYS_PER_SHARD = 10_000_000
"""Keys sorted in memory at once, about 1.5 GB; more keys are taken in ranges of their first hexadecimal digits."""

_LATEST = np.iinfo(np.int64).max  # records without a time come after those with one


def exact_policy(recipe: Recipe) -> str | None:
    """The keeper policy of ``dedup.exact``, or None when the recipe does not deduplicate."""
    for operator in recipe.clean:
        if operator.op == "dedup.exact":
            return str(getattr(operator, "keep", "earliest"))
    return None


def run_duplicates(request: Request, inputs: dict[str, str], partitions: list[str]) -> StageResult:
    """Decide the keeper of every group of equal content keys."""
    ws, recipe = request.ws, request.recipe
    attempt = Attempt(request, DUPLICATES, lineage_of(recipe, "duplicates", inputs, request.run_id))
    cleaned = ws.lake.open(recipe.corpus, "cleaned")
    total = cleaned.count_rows()
    request.progress.start("duplicates", None, total)
    policy = exact_policy(recipe)
    found: list[pa.Table] = []
    for shard in _shards(total) if policy is not None else ():
        found.append(exact_duplicates(cleaned, policy or "earliest", shard))
        request.progress.advance(total // max(1, len(list(_shards(total)))))
    dropped = pa.concat_tables(found) if found else _nothing()
    dropped = dropped.sort_by([("partition", "ascending"), ("record_id", "ascending")])
    outputs = {partition: digest([]) for partition in partitions}
    for partition, rows in _by_partition(dropped):
        for batch in rows.combine_chunks().to_batches():
            attempt.main.write(attempt.stamped(batch))
        attempt.main.flush()  # a fragment never spans two partitions
        outputs[partition] = digest([rows["record_id"].to_pylist(), rows["kept_record_id"].to_pylist()])
    main, side = attempt.stage_candidates(scope="table")
    ids = read_ids(cleaned)
    lost = read_ids(attempt.view(main))
    # From what was decided, not from what was written: a row that got lost on the way would make its record a keeper.
    kept = np.setdiff1d(ids, np.asarray(dropped["record_id"].to_pylist(), dtype="S32"))
    keepers = np.unique(np.asarray(dropped["kept_record_id"].to_pylist(), dtype="S32"))
    bad_keepers = np.setdiff1d(keepers, kept)
    ledger = Ledger.of(ids, kept, lost)
    outputs["__all__"] = digest(outputs)
    return attempt.conclude(
        main,
        side,
        ledger=ledger,
        facts={
            "ledger": ledger.facts(),
            "keepers": {"dropped": [value.decode() for value in bad_keepers[:20]]},
            "duplicate_fraction": len(lost) / len(ids) if len(ids) else 0.0,
        },
        outputs=outputs,
        quarantined_by_reason={"dedup.exact: duplicate": len(lost)} if len(lost) else {},
        measures={"duplicate_fraction": len(lost) / len(ids) if len(ids) else 0.0},
    )


def _nothing() -> pa.Table:
    return DUPLICATES.remove(len(DUPLICATES) - 1).empty_table()


def _shards(total: int) -> Iterator[tuple[str, str] | None]:
    """Ranges of content keys, each of about ``KEYS_PER_SHARD`` rows; None is all of them."""
    if total <= KEYS_PER_SHARD:
        yield None
        return
    n_shards = min(65536, -(-total // KEYS_PER_SHARD))
    bounds = [f"{65536 * i // n_shards:04x}" for i in range(n_shards)] + ["g"]
    yield from pairwise(bounds)


def exact_duplicates(cleaned: TableView, policy: str, shard: tuple[str, str] | None) -> pa.Table:
    """Records that share a content key with a better one.

    Args:
        cleaned: the ``cleaned`` table; only ids, partitions, keys, times and sizes are read.
        policy: ``earliest`` event time, or ``longest`` text; ties go to the smaller record id.
        shard: range of keys, or None for all.

    Returns:
        Columns of ``duplicates`` without ``promotion_id``.
    """
    where = None if shard is None else f"content_key >= '{shard[0]}' AND content_key < '{shard[1]}'"
    columns = ["record_id", "partition", "content_key", "event_time", "size"]
    table = cleaned.to_table(columns=columns, where=where)
    if table.num_rows == 0:
        return _nothing()
    ids = np.asarray(table["record_id"].to_pylist(), dtype="S32")
    keys = np.asarray([key or "" for key in table["content_key"].to_pylist()], dtype="S32")
    if policy == "longest":
        rank: npt.NDArray[np.int64] = -table["size"].to_numpy()
    else:
        times = table["event_time"].cast(pa.int64())
        rank = pa.compute.fill_null(times, _LATEST).to_numpy()
    order = np.lexsort((ids, rank, keys))
    sorted_keys = keys[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = sorted_keys[1:] != sorted_keys[:-1]
    keeper_at = np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    dropped = ~first & (sorted_keys != b"")  # a record without a key (no text) duplicates nothing
    rows = order[dropped]
    keepers = order[keeper_at[dropped]]
    return pa.table(
        {
            "record_id": table["record_id"].take(pa.array(rows)),
            "partition": table["partition"].take(pa.array(rows)),
            "kept_record_id": table["record_id"].take(pa.array(keepers)),
            "method": pa.array(["exact"] * len(rows), pa.string()),
            "similarity": pa.array(np.ones(len(rows)), pa.float64()),
        }
    )


def _by_partition(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    for partition in sorted(set(table["partition"].to_pylist())):
        yield partition, table.filter(pa.compute.equal(table["partition"], partition))
