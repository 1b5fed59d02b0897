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

from winnowry.core.jsonable import digest
from winnowry.lakehouse.view import TableView
from winnowry.operators.dedup.keys import DuplicateKeys
from winnowry.promotion.ledger import Ids, Ledger, read_ids
from winnowry.promotion.partitions import partitions_of
from winnowry.promotion.production import Candidate, Findings, Production, Rows, Work
from winnowry.stages.duplicates.groups import MEMBERS_AT_ONCE, decide, duplicate_keys, nothing, policy_of
from winnowry.stages.duplicates.keys import KEYS_AT_ONCE, groups_of, write_key_files


class Duplicates(Production):
    """Decides the keeper of every group of records that share keys.

    Raises:
        UsageError: the recipe's operators disagree about which record of a group stays.
    """

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.operators = duplicate_keys(work.recipe)
        policy_of(self.operators)
        self.cleaned = work.table("cleaned")
        self.methods: Counter[str] = Counter()
        self.outputs = {key: digest([]) for key in partitions_of(work.ws, work.recipe)}

    def rows(self) -> Iterator[Rows]:
        """Every record that another one stands for."""
        request = self.work.request
        request.progress.start(request.stage.name, None, self.cleaned.count_rows())
        with tempfile.TemporaryDirectory(prefix="winnowry-dedup-", ignore_cleanup_errors=True) as scratch:
            parts = find_duplicates(self.cleaned, self.operators, Path(scratch), request.progress.advance)
            for partition, rows in by_partition(parts):
                for batch in rows.to_batches():
                    yield Rows(batch)
                self.methods.update(rows["method"].to_pylist())
                self.outputs[partition] = digest([rows["record_id"].to_pylist(), rows["kept_record_id"].to_pylist()])
            # From what was decided, not from what was written: a row lost on the way would make its record a keeper.
            self.dropped = np.sort(np.concatenate([_ids(part["record_id"]) for part in parts]))
            self.keepers = np.unique(np.concatenate([_ids(part["kept_record_id"]) for part in parts]))

    def findings(self, candidate: Candidate) -> Findings:
        """Every cleaned record is a keeper or has one, and no keeper was dropped."""
        ids = read_ids(self.cleaned)
        lost = read_ids(candidate.rows)
        kept_ids = np.setdiff1d(ids, self.dropped)
        bad_keepers = np.setdiff1d(self.keepers, kept_ids)
        self.outputs[self.work.partition] = digest(self.outputs)
        fraction = len(lost) / len(ids) if len(ids) else 0.0
        return Findings(
            Ledger.of(ids, kept_ids, lost),
            outputs=self.outputs,
            facts={
                "keepers": {"dropped": [value.decode() for value in bad_keepers[:20]]},
                "duplicates": dict(self.methods),
                "duplicate_fraction": fraction,
            },
            measures={"duplicate_fraction": fraction},
            metadata={"duplicate_groups": len(self.keepers)},
            reasons={f"dedup.{method}: duplicate": n for method, n in sorted(self.methods.items())},
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
