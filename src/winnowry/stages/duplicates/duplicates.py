"""Stage ``duplicates``: corpus-wide, from narrow columns, the same whatever order partitions were cleaned in.

Keys are read into files of their own (``dedup_keys``), equal keys form groups, and each group keeps one record
(``dedup_groups``). Text is never read. Memory: 9 bytes a record, plus a bounded number of keys and of group members.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from winnowry.core.tables import DUPLICATES
from winnowry.lakehouse.view import TableView
from winnowry.operators.dedup.keys import DuplicateKeys
from winnowry.promotion.attempt import Attempt
from winnowry.promotion.ledger import Ids, Ledger, read_ids
from winnowry.promotion.lineage import digest, lineage_of
from winnowry.promotion.request import Request
from winnowry.promotion.result import StageResult
from winnowry.stages.duplicates.groups import MEMBERS_AT_ONCE, decide, duplicate_keys, nothing, policy_of
from winnowry.stages.duplicates.keys import KEYS_AT_ONCE, groups_of, write_key_files


def run_duplicates(request: Request, inputs: dict[str, str], partitions: list[str]) -> StageResult:
    """Decide the keeper of every group of records that share keys.

    Raises:
        UsageError: the recipe's operators disagree about which record of a group stays.
    """
    ws, recipe = request.ws, request.recipe
    operators = duplicate_keys(recipe)
    policy_of(operators)
    attempt = Attempt(request, DUPLICATES, lineage_of(recipe, "duplicates", inputs, request.run_id))
    cleaned = ws.lake.open(recipe.corpus, "cleaned")
    request.progress.start("duplicates", None, cleaned.count_rows())
    methods: Counter[str] = Counter()
    outputs = {partition: digest([]) for partition in partitions}
    with tempfile.TemporaryDirectory(prefix="winnowry-dedup-", ignore_cleanup_errors=True) as scratch:
        found = find_duplicates(cleaned, operators, Path(scratch), request.progress.advance)
        for partition, rows in by_partition(found):
            for batch in rows.to_batches():
                attempt.main.write(attempt.stamped(batch))
            attempt.main.flush()  # a fragment never spans two partitions
            methods.update(rows["method"].to_pylist())
            outputs[partition] = digest([rows["record_id"].to_pylist(), rows["kept_record_id"].to_pylist()])
        # From what was decided, not from what was written: a row lost on the way would make its record a keeper.
        dropped = np.sort(np.concatenate([_ids(part["record_id"]) for part in found]))
        keepers = np.unique(np.concatenate([_ids(part["kept_record_id"]) for part in found]))
    main, side = attempt.stage_candidates(scope="table")
    ids = read_ids(cleaned)
    lost = read_ids(attempt.view(main))
    kept = np.setdiff1d(ids, dropped)
    bad_keepers = np.setdiff1d(keepers, kept)
    ledger = Ledger.of(ids, kept, lost)
    outputs["__all__"] = digest(outputs)
    fraction = len(lost) / len(ids) if len(ids) else 0.0
    return attempt.conclude(
        main,
        side,
        ledger=ledger,
        facts={
            "ledger": ledger.facts(),
            "keepers": {"dropped": [value.decode() for value in bad_keepers[:20]]},
            "duplicate_fraction": fraction,
        },
        outputs=outputs,
        quarantined_by_reason={f"dedup.{method}: duplicate": n for method, n in sorted(methods.items())},
        metadata={"duplicate_groups": len(keepers)},
        measures={"duplicate_fraction": fraction},
    )


def find_duplicates(
    cleaned: TableView,
    operators: Sequence[DuplicateKeys],
    folder: Path,
    advance: Callable[[int], None] = lambda rows: None,
    *,
    keys_at_once: int = KEYS_AT_ONCE,
    members_at_once: int = MEMBERS_AT_ONCE,
) -> list[pa.Table]:
    """Records that are not the keeper of their group.

    Args:
        cleaned: a table with record_id, partition, event_time, size and the operators' columns.
        operators: whose keys are joined; without any there are no duplicates.
        folder: for files of keys (8 bytes a record and key) and of decisions, which the tables returned are mapped to.
        advance: told how many records were read.
        keys_at_once: keys sorted in memory at once.
        members_at_once: records of groups held in memory at once.

    Returns:
        At least one table with the columns of ``duplicates`` but ``promotion_id``, each sorted by partition and record
        id; a group is in one of them. Together they hold the same rows whatever the order of the table's rows.
    """
    if not operators:
        advance(cleaned.count_rows())
        return [nothing()]
    files = write_key_files(cleaned, operators, folder, advance)
    groups = groups_of(files, keys_at_once)
    parts = []
    for number, decided in enumerate(decide(cleaned, operators, files, groups, members_at_once)):
        path = folder / f"decided-{number}.arrow"
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, decided.schema) as writer:
            writer.write_table(decided)
        with pa.memory_map(str(path)) as file:
            parts.append(pa.ipc.open_file(file).read_all())
    return parts or [nothing()]


def by_partition(parts: Sequence[pa.Table]) -> Iterator[tuple[str, pa.Table]]:
    """Rows of each partition, partitions and record ids ascending; the parts are sorted so too."""
    cuts: dict[str, list[pa.Table]] = {}
    for part in parts:
        start = 0
        counted = pc.value_counts(part["partition"])  # in order of appearance, which is the order of the rows
        for partition, n in zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True):
            cuts.setdefault(partition, []).append(part.slice(start, n))
            start += n
    for partition in sorted(cuts):
        yield partition, pa.concat_tables(cuts[partition]).sort_by("record_id")


def _ids(column: pa.ChunkedArray) -> Ids:
    return np.asarray(column.to_pylist(), dtype="S32")
