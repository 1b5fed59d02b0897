"""Who stays of each group of duplicates, and what links every other record to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from winnowry.core.errors import UsageError
from winnowry.core.tables import DUPLICATES
from winnowry.lakehouse.view import TableView
from winnowry.operators.dedup.keys import DuplicateKeys, Verification
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
    codes = _codes(files, members)
    keeper, before, steps = walk_groups(starts, *_holders(key_of, len(members)), *codes.flat())
    dropped = np.flatnonzero(steps > 0)
    twin = before[dropped]
    method, similarity = _evidence(operators, key_of, codes, dropped, twin)
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
            "group_size": pa.array(np.bincount(keeper, minlength=len(members))[keeper[dropped]], pa.int64()),
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
    """Keys of some records numbered from 0, shape (records, keys); -1 where a record has none.

    Codes are no keys: an operator that compares them has none.
    """
    if files.verifications[operator] is not None:
        return np.empty((len(members), 0), dtype=np.int64)
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


@dataclass(frozen=True)
class _Codes:
    """The codes of some records, of all operators that compare them.

    Attributes:
        words: of each operator, shape (records, words); None of one that has keys.
        known: of each operator, whether a record has a code.
        near: how near codes must be.
    """

    words: Sequence[npt.NDArray[np.uint64] | None]
    known: Sequence[npt.NDArray[np.bool_]]
    near: Sequence[Verification | None]

    def flat(self) -> tuple[npt.NDArray[Any], ...]:
        """As ``walk_groups`` takes them."""
        from winnowry.operators.dedup.kernels.near import probes

        n = len(self.known[0])
        kinds = [at for at, words in enumerate(self.words) if words is not None]
        near = [self.near[at] for at in kinds]
        changes = [probes(v.n_words, v.max_distance) for v in near if v is not None]
        return (
            np.concatenate([np.empty((n, 0), np.uint64), *(w for w in self.words if w is not None)], axis=1),
            np.stack([self.known[at] for at in kinds], axis=1) if kinds else np.empty((n, 0), dtype=bool),
            np.cumsum([0, *(v.n_words for v in near if v is not None)], dtype=np.int64),
            np.array([v.max_distance for v in near if v is not None], dtype=np.int64),
            np.concatenate([np.empty(0, np.int64), *changes]),
            np.cumsum([0, *(len(values) for values in changes)], dtype=np.int64),
        )


def _codes(files: KeyFiles, members: npt.NDArray[np.int64]) -> _Codes:
    words: list[npt.NDArray[np.uint64] | None] = []
    known = []
    for operator, near in enumerate(files.verifications):
        has_code, *code = (word[members] for word in files.words(operator, 0))
        words.append(np.stack(code, axis=1) if near is not None else None)
        known.append(has_code != 0)
    return _Codes(words, known, files.verifications)


def _holders(
    key_of: Sequence[npt.NDArray[np.int64]], n_members: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Keys of all operators side by side, and who holds each: see ``walk_groups``."""
    shifted = []
    n = 0
    for numbers in key_of:
        shifted.append(np.where(numbers >= 0, numbers + n, -1))
        n += int(numbers.max(initial=-1)) + 1
    together = np.concatenate([np.empty((n_members, 0), np.int64), *shifted], axis=1)
    flat = together.ravel()
    order = np.argsort(flat, kind="stable")
    order = order[np.searchsorted(flat[order], 0) :]
    holders_from = np.concatenate([[0], np.cumsum(np.bincount(flat[order], minlength=n))]).astype(np.int64)
    return together, (order // max(1, together.shape[1])).astype(np.int64), holders_from


def _evidence(
    operators: Sequence[DuplicateKeys],
    key_of: Sequence[npt.NDArray[np.int64]],
    codes: _Codes,
    dropped: npt.NDArray[np.int64],
    twin: npt.NDArray[np.int64],
) -> tuple[list[str], npt.NDArray[np.float64]]:
    """By which operator each record matches its twin, and how similar that one says they are."""
    method = np.full(len(dropped), "", dtype=object)
    similarity = np.zeros(len(dropped), dtype=np.float64)
    open_ = np.ones(len(dropped), dtype=bool)
    # The fewer keys the stricter: equal texts share all band keys too, and are reported as equal. Codes come second.
    strictness = [
        1.5 if near is not None else numbers.shape[1] for near, numbers in zip(codes.near, key_of, strict=True)
    ]
    for at in sorted(range(len(operators)), key=strictness.__getitem__):
        matches, alike = _matched(operators[at], key_of[at], codes, at, dropped, twin)
        matched = open_ & matches
        method[matched] = operators[at].method
        similarity[matched] = alike[matched]
        open_ &= ~matched
    return method.tolist(), similarity


def _matched(
    operator: DuplicateKeys,
    numbers: npt.NDArray[np.int64],
    codes: _Codes,
    at: int,
    dropped: npt.NDArray[np.int64],
    twin: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Which records match their twins by an operator, and how similar it says they are."""
    from winnowry.operators.dedup.kernels.near import distances

    near, words = codes.near[at], codes.words[at]
    if near is None or words is None:
        mine = numbers[dropped]
        shared = ((mine >= 0) & (mine == numbers[twin])).sum(axis=1)
        alike = np.zeros(len(dropped), dtype=np.float64)
        alike[shared > 0] = operator.similarity(shared[shared > 0])
        return shared > 0, alike
    differing = distances(words[dropped], words[twin])
    both = codes.known[at][dropped] & codes.known[at][twin]
    return both & (differing <= near.max_distance), 1.0 - differing / near.n_bits
