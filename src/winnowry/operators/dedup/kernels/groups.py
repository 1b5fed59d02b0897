"""Groups of records that share keys: union-find over record numbers, and the way from each record to its keeper."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.dedup.kernels.bits import bits_set
from winnowry.operators.dedup.kernels.forest import Numbers, unite
from winnowry.operators.dedup.kernels.near import BUCKETS, PIECE_BITS, PIECES_OF_A_WORD, sorted_by_piece
from winnowry.operators.text.kernels.compile import kernel

_FEW = 1024
"""Records of a group that are compared one by one; of more, those with an equal or nearly equal piece of a code."""


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
                unite(parent, rows[mine], rows[theirs])
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
    codes: npt.NDArray[np.uint64],
    coded: npt.NDArray[np.bool_],
    words_from: npt.NDArray[np.int64],
    most: npt.NDArray[np.int64],
    changes: npt.NDArray[np.int64],
    changes_from: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Choose the keepers of every group, and link every other record to one of them.

    The first member of a group is a keeper. It stands for all that lead to it by shared keys, through others or not,
    and for those whose code is near *its own*. The first member that is left is the next keeper, and so on: a group
    without codes has one. So a chain of near codes never drops a record that is far from all that stay.

    Args:
        starts: where each group begins in the list of members, and n at the end; members are in order of preference.
        key_of: keys of the members, shape (n, keys), numbered from 0; -1 where a member has no such key.
        holders: members that have each key, in member order, key by key.
        holders_from: where each key's members begin in ``holders``, and their number at the end.
        codes: words of the codes of the members, those of all kinds of codes side by side, shape (n, words).
        coded: whether a member has a code of each kind, shape (n, kinds).
        words_from: where the words of each kind begin, and their number at the end.
        most: bits in which near codes of each kind differ at most.
        changes: see ``probes``, those of all kinds one behind the other.
        changes_from: where the changes of each kind begin, and their number at the end.

    Returns:
        For each member its keeper (a keeper: itself), the member before it on the way from there, and the length of the
        way (a keeper: 0, its direct matches: 1).
    """
    n, n_keys = key_of.shape
    keeper_of = np.full(n, -1, dtype=np.int64)
    before = np.full(n, -1, dtype=np.int64)
    steps = np.full(n, -1, dtype=np.int32)
    seen = np.zeros(holders_from.size - 1, dtype=np.bool_)
    queue = np.empty(n, dtype=np.int64)
    for group in range(starts.size - 1):
        begin, end = starts[group], starts[group + 1]
        n_pieces = codes.shape[1] * PIECES_OF_A_WORD if end - begin > _FEW else 0
        order = np.empty((n_pieces, end - begin), dtype=np.int64)
        buckets = np.empty((n_pieces, BUCKETS + 1), dtype=np.int64)
        for piece in range(n_pieces):
            order[piece], buckets[piece] = sorted_by_piece(codes[begin:end], piece)
        for keeper in range(begin, end):
            if steps[keeper] >= 0:
                continue
            keeper_of[keeper] = keeper
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
                            keeper_of[other] = keeper
                            steps[other] = steps[member] + 1
                            before[other] = member
                            queue[tail] = other
                            tail += 1
            for kind in range(most.size):
                if not coded[keeper, kind]:
                    continue
                low, high = words_from[kind], words_from[kind + 1]
                if n_pieces == 0:
                    for other in range(keeper + 1, end):
                        if (
                            steps[other] < 0
                            and coded[other, kind]
                            and _near(codes, keeper, other, low, high, most[kind])
                        ):
                            keeper_of[other] = keeper
                            steps[other] = 1
                            before[other] = keeper
                    continue
                for piece in range(low * PIECES_OF_A_WORD, high * PIECES_OF_A_WORD):
                    shift = np.uint64(PIECE_BITS * (piece % PIECES_OF_A_WORD))
                    mine = np.int64((codes[keeper, piece // PIECES_OF_A_WORD] >> shift) & np.uint64(BUCKETS - 1))
                    for change in changes[changes_from[kind] : changes_from[kind + 1]]:
                        value = mine ^ change
                        for place in range(buckets[piece, value], buckets[piece, value + 1]):
                            other = begin + order[piece, place]
                            if (
                                steps[other] < 0
                                and coded[other, kind]
                                and _near(codes, keeper, other, low, high, most[kind])
                            ):
                                keeper_of[other] = keeper
                                steps[other] = 1
                                before[other] = keeper
    return keeper_of, before, steps


@kernel
def _near(codes: npt.NDArray[np.uint64], a: int, b: int, low: int, high: int, most: int) -> bool:
    """Whether two codes differ in at most so many bits of the words from ``low`` to ``high``."""
    differing = np.uint64(0)
    for word in range(low, high):
        differing += bits_set(codes[a, word] ^ codes[b, word])
    return differing <= np.uint64(most)
