"""Who stays of each group of duplicates, and what links every other record to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from winnowry.core.errors import UsageError
from winnowry.core.tables import DUPLICATES
from winnowry.lakehouse.view import TableView
from winnowry.operators.dedup.keys import DuplicateKeys
from winnowry.recipe.model import Recipe
from winnowry.stages.duplicates.keys import Groups, KeyFiles, refuse_other_length

MEMBERS_AT_ONCE = 2_000_000
"""Records of groups held at once, about 0.6 GiB with 14 keys each; a larger group is held whole."""

_LATEST = np.iinfo(np.int64).max  # records without a time come after those with one


@dataclass(frozen=True)
class Policy:
    """Who stays: the earliest or the largest of a column of ``cleaned``, then the smallest record id."""

    column: str

    def rank(self, values: pa.ChunkedArray) -> npt.NDArray[np.int64] | npt.NDArray[np.float64]:
        """Sortable ranks of n times (the earliest first) or numbers (the largest first); nulls and NaN come last.

        Raises:
            UsageError: the column holds neither.
        """
        if pa.types.is_timestamp(values.type):
            return np.asarray(pc.fill_null(values.cast(pa.int64()), _LATEST).to_numpy())
        if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
            raise UsageError(
                f"`keep: best` by {self.column!r}: the column is {values.type}, expected a number; name another column"
            )
        numbers = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
        return np.asarray(np.where(np.isnan(numbers), np.inf, -numbers))


def duplicate_keys(recipe: Recipe) -> tuple[DuplicateKeys, ...]:
    """Operators of a recipe whose keys are joined across the corpus."""
    return tuple(operator for operator in recipe.clean if isinstance(operator, DuplicateKeys))


def policy_of(operators: Sequence[DuplicateKeys]) -> Policy:
    """The one policy of all operators.

    Raises:
        UsageError: they do not agree; a group may be held together by the keys of several.
    """
    by_policy = {(operator.keep, operator.by): operator.op for operator in operators}
    if len(by_policy) > 1:
        policies = "; ".join(f"{op} keeps {keep}{f' by {by}' if by else ''}" for (keep, by), op in by_policy.items())
        raise UsageError(
            f"operators disagree about which record of a group stays: {policies}. Groups are formed over the keys of "
            "all of them, so `keep` and `by` must be the same in each."
        )
    keep, by = next(iter(by_policy), ("earliest", None))
    if keep == "best":
        return Policy(str(by))
    return Policy("size") if keep == "longest" else Policy("event_time")


def decide(
    cleaned: TableView,
    operators: Sequence[DuplicateKeys],
    files: KeyFiles,
    groups: Groups,
    members_at_once: int = MEMBERS_AT_ONCE,
) -> Iterator[pa.Table]:
    """Choose the keeper of every group of two or more, and say how each other record is linked to it.

    Which records share keys decides, and nothing else: the result is the same for any order of the rows.

    Args:
        cleaned: the table; only ids, partitions and the column of the policy are read.
        operators: whose keys they are; of the recipe, in its order.
        files: their keys.
        groups: the group of every record.
        members_at_once: how many records of groups to hold.

    Yields:
        Columns of ``duplicates`` without ``promotion_id``, whole groups, sorted by partition and record id.
    """
    from winnowry.operators.dedup.kernels.groups import group_sizes

    policy = policy_of(operators)
    sizes = np.zeros_like(groups)
    group_sizes(groups, sizes)
    roots = np.flatnonzero(sizes > 1)
    ends = np.cumsum(sizes[roots], dtype=np.int64)
    start = 0
    while start < len(roots):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + members_at_once, side="right")))
        last = roots[stop - 1]
        inside = (groups >= roots[start]) & (groups <= last)
        members = np.flatnonzero(inside)
        members = members[sizes[groups[members]] > 1]
        yield _decide_some(cleaned, operators, files, policy, groups, members)
        start = stop


def nothing() -> pa.Table:
    """No duplicates."""
    return DUPLICATES.remove(DUPLICATES.get_field_index("promotion_id")).empty_table()


def _decide_some(
    cleaned: TableView,
    operators: Sequence[DuplicateKeys],
    files: KeyFiles,
    policy: Policy,
    groups: Groups,
    members: npt.NDArray[np.int64],
) -> pa.Table:
    from winnowry.operators.dedup.kernels.groups import walk_groups

    rows = _rows(cleaned, members, files.n_records, policy.column)
    ids = np.asarray(rows["record_id"].to_pylist(), dtype="S32")
    group = groups[members]
    order = np.lexsort((ids, policy.rank(rows[policy.column]), group))
    members, group, rows = members[order], group[order], rows.take(pa.array(order))
    first = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]]))
    starts = np.append(first, len(members)).astype(np.int64)
    key_of = [_numbered(files, operator, members) for operator in range(len(operators))]
    before, steps = walk_groups(starts, *_holders(key_of))
    keeper = np.repeat(first, np.diff(starts))
    dropped = np.flatnonzero(steps > 0)
    twin = before[dropped]
    method, similarity = _evidence(operators, key_of, dropped, twin)
    record_id = rows["record_id"]
    table = pa.table(
        {
            "record_id": record_id.take(pa.array(dropped)),
            "partition": rows["partition"].take(pa.array(dropped)),
            "kept_record_id": record_id.take(pa.array(keeper[dropped])),
            "method": pa.array(method, pa.string()),
            "similarity": pa.array(similarity, pa.float64()),
            "twin_record_id": record_id.take(pa.array(twin)),
            "steps": pa.array(steps[dropped], pa.int32()),
            "group_size": pa.array(np.repeat(np.diff(starts), np.diff(starts))[dropped], pa.int64()),
        },
        schema=nothing().schema,
    )
    return table.sort_by([("partition", "ascending"), ("record_id", "ascending")])


def _rows(cleaned: TableView, members: npt.NDArray[np.int64], n_records: int, ranked_by: str) -> pa.Table:
    """Ids, partitions and ranking column of some records, by their numbers in table order."""
    columns = list(dict.fromkeys(["record_id", "partition", ranked_by]))
    parts = []
    seen = 0
    for batch in cleaned.scan(columns=columns):
        low, high = np.searchsorted(members, [seen, seen + batch.num_rows])
        if high > low:
            parts.append(batch.take(pa.array(members[low:high] - seen)))
        seen += batch.num_rows
    refuse_other_length(n_records, seen, cleaned.uri)
    return pa.Table.from_batches(parts)


def _numbered(files: KeyFiles, operator: int, members: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Keys of some records numbered from 0, shape (records, keys); -1 where a record has none."""
    columns = []
    n = 0
    for key in range(len(files.paths[operator])):
        words = [word[members] for word in files.words(operator, key)]
        if len(words) == 1:
            numbers = np.unique(words[0], return_inverse=True)[1].astype(np.int64)
        else:
            order = np.lexsort(words)
            new = np.zeros(len(members), dtype=np.int64)
            for word in words:
                new[1:] |= word[order][1:] != word[order][:-1]
            numbers = np.empty(len(members), dtype=np.int64)
            numbers[order] = np.cumsum(new)
        numbers += n
        n = int(numbers.max()) + 1
        numbers[words[0] == 0] = -1
        columns.append(numbers)
    return np.stack(columns, axis=1)


def _holders(
    key_of: Sequence[npt.NDArray[np.int64]],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Keys of all operators side by side, and who holds each: see ``walk_groups``."""
    shifted = []
    n = 0
    for numbers in key_of:
        shifted.append(np.where(numbers >= 0, numbers + n, -1))
        n += int(numbers.max(initial=-1)) + 1
    together = np.concatenate(shifted, axis=1)
    flat = together.ravel()
    order = np.argsort(flat, kind="stable")
    order = order[np.searchsorted(flat[order], 0) :]
    holders_from = np.concatenate([[0], np.cumsum(np.bincount(flat[order], minlength=n))]).astype(np.int64)
    return together, (order // together.shape[1]).astype(np.int64), holders_from


def _evidence(
    operators: Sequence[DuplicateKeys],
    key_of: Sequence[npt.NDArray[np.int64]],
    dropped: npt.NDArray[np.int64],
    twin: npt.NDArray[np.int64],
) -> tuple[list[str], npt.NDArray[np.float64]]:
    """By which operator each record matches its twin, and how similar that one says they are."""
    method = np.full(len(dropped), "", dtype=object)
    similarity = np.zeros(len(dropped), dtype=np.float64)
    open_ = np.ones(len(dropped), dtype=bool)
    # The fewer keys the stricter: equal texts share all band keys too, and are reported as equal.
    for operator, numbers in sorted(zip(operators, key_of, strict=True), key=lambda pair: pair[1].shape[1]):
        mine = numbers[dropped]
        shared = ((mine >= 0) & (mine == numbers[twin])).sum(axis=1)
        matched = open_ & (shared > 0)
        method[matched] = operator.method
        similarity[matched] = operator.similarity(shared[matched])
        open_ &= ~matched
    return method.tolist(), similarity
