"""Groups of records that share keys: union-find over record numbers, and the way from each record to its keeper."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.compile import kernel

Numbers = npt.NDArray[np.int32] | npt.NDArray[np.int64]


@kernel
def _root(parent: Any, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@kernel
def link_equal(
    order: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    first: npt.NDArray[np.uint64],
    last: npt.NDArray[np.uint64],
    parent: Numbers,
) -> int:
    """Unite the records that have the same key.

    Args:
        order: positions that sort ``first``, n values.
        rows: number of each record, n values.
        first: first word of each key; records are compared by it, n values.
        last: last word of each key (the same array for keys of one word); must agree too.
        parent: the union-find forest over all records, changed in place.

    Returns:
        Records that share their key with one before them.
    """
    n_shared = 0
    start = 0
    for at in range(order.size):
        mine = order[at]
        if first[mine] != first[order[start]]:
            start = at
        for other in range(start, at):
            theirs = order[other]
            if last[theirs] == last[mine]:  # the very first one, unless 64-bit words collide
                n_shared += 1
                a = _root(parent, rows[mine])
                b = _root(parent, rows[theirs])
                if a < b:
                    parent[b] = a
                elif b < a:
                    parent[a] = b
                break
    return n_shared


@kernel
def flatten(parent: Numbers) -> None:
    """Point every record at the root of its group, the smallest number in it."""
    for i in range(parent.size):
        parent[i] = parent[parent[i]]


@kernel
def group_sizes(parent: Numbers, sizes: Numbers) -> None:
    """Count the records of each group at its root; ``parent`` is flat, ``sizes`` is zero."""
    for i in range(parent.size):
        sizes[parent[i]] += 1


@kernel
def walk_groups(
    starts: npt.NDArray[np.int64],
    key_of: npt.NDArray[np.int64],
    holders: npt.NDArray[np.int64],
    holders_from: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """The shortest chain of shared keys from the keeper of each group to every other record.

    Args:
        starts: where each group begins in the list of members, and n at the end; a group's first member is its keeper.
        key_of: keys of the members, shape (n, keys), numbered from 0; -1 where a member has no such key.
        holders: members that have each key, in member order, key by key.
        holders_from: where each key's members begin in ``holders``, and their number at the end.

    Returns:
        For each member the member before it in the chain (the keeper: itself), and the length of the chain (keeper: 0,
        its direct matches: 1); -1 for a member that shares no key with its group.
    """
    n, n_keys = key_of.shape
    before = np.full(n, -1, dtype=np.int64)
    steps = np.full(n, -1, dtype=np.int32)
    seen = np.zeros(holders_from.size - 1, dtype=np.bool_)
    queue = np.empty(n, dtype=np.int64)
    for group in range(starts.size - 1):
        keeper = starts[group]
        before[keeper] = keeper
        steps[keeper] = 0
        queue[0] = keeper
        head = 0
        tail = 1
        while head < tail:
            member = queue[head]
            head += 1
            for k in range(n_keys):
                key = key_of[member, k]
                if key < 0 or seen[key]:
                    continue
                seen[key] = True
                for place in range(holders_from[key], holders_from[key + 1]):
                    other = holders[place]
                    if steps[other] < 0:
                        steps[other] = steps[member] + 1
                        before[other] = member
                        queue[tail] = other
                        tail += 1
    return before, steps
