"""One pass over the bytes of each row that finds personal data of all kinds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.ascii import AT_SIGN, COLON, FULL_STOP, NINE, THREE, TWO, ZERO
from winnowry.operators.text.kernels.compile import kernel
from winnowry.operators.text.kernels.pii_addresses import find_email, find_ipv4, find_ipv6
from winnowry.operators.text.kernels.pii_bytes import CLASSES, DIGIT, HEXADECIMAL, at
from winnowry.operators.text.kernels.pii_numbers import find_card, find_cn_id, find_cn_mobile, find_iban
from winnowry.operators.text.kernels.pii_phone import find_phone

KINDS = ("email", "ip", "phone", "iban", "card", "cn_id", "cn_mobile")
"""Kinds in the order of their numbers in :func:`scan`."""


@kernel
def _match_number(
    data: npt.NDArray[np.uint8],
    p: np.int64,
    run: np.int64,
    first: np.int64,
    done: np.int64,
    end: np.int64,
    digits: npt.NDArray[np.int64],
) -> tuple[np.int64, np.int64, np.int64]:
    """Kind, first and last + 1 byte of what begins with the run of digits at ``p``; kind -1 for nothing."""
    e = find_iban(data, p, first, end)
    if e >= 0:
        return np.int64(3), np.int64(p - 2), e
    after = at(data, p + run, p, end)
    if run >= 17:
        e = find_cn_id(data, p, run, first, end, digits)
        if e >= 0:
            return np.int64(5), p, e
    if run == 4 or run >= 14:
        e = find_card(data, p, run, first, done, end, digits)
        if e >= 0:
            return np.int64(4), p, e
    s, e = find_cn_mobile(data, p, run, first, done, end)
    if e >= 0:
        return np.int64(6), s, e
    if run <= 3 and after == FULL_STOP:
        e = find_ipv4(data, p, first, end, digits)
        if e >= 0:
            return np.int64(1), p, e
    if run <= 4 and (data[p] == TWO or data[p] == THREE) and (after == COLON or CLASSES[after] & HEXADECIMAL):
        e = find_ipv6(data, p, first, end)
        if e >= 0:
            return np.int64(1), p, e
    s, e = find_phone(data, p, run, first, end, digits)
    if e >= 0:
        return np.int64(2), s, e
    return np.int64(-1), np.int64(-1), np.int64(-1)


@kernel
def next_trigger(data: npt.NDArray[np.uint8], p: np.int64, end: np.int64) -> np.int64:
    """The next digit or ``@`` from ``p`` on, or ``end``; on its own, because the compiler keeps a small loop fast."""
    while p < end:
        byte = data[p]
        if byte == AT_SIGN or ZERO <= byte <= NINE:
            break
        p += 1
    return p


@kernel
def scan(
    offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8], valid: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int8], npt.NDArray[np.int64]]:
    """Find what looks like personal data and passes its checks.

    Only a run of digits or an ``@`` starts a search, and each search reads a bounded number of bytes: the time is
    linear in the bytes, whatever they are.

    Args:
        offsets: rows, n + 1 values.
        data: UTF-8 bytes.
        valid: rows to search, n values.

    Returns:
        First byte, length in bytes and kind (an index of :data:`KINDS`) of every find, in order, without overlaps;
        and where the finds of each row begin among them (n + 1 values).
    """
    n = offsets.size - 1
    capacity = 256
    starts = np.empty(capacity, dtype=np.int64)
    lengths = np.empty(capacity, dtype=np.int32)
    kinds = np.empty(capacity, dtype=np.int8)
    firsts = np.zeros(n + 1, dtype=np.int64)
    digits = np.zeros(24, dtype=np.int64)
    m = 0
    for i in range(n):
        firsts[i] = m
        if not valid[i]:
            continue
        first = offsets[i]
        end = offsets[i + 1]
        p = first
        done = first  # the end of the last find
        free = first  # no address may begin before
        while True:
            p = next_trigger(data, p, end)
            if p == end:
                break
            if data[p] == AT_SIGN:
                s, e = find_email(data, p, free, end)
                kind = np.int64(0)
                next_p = p + 1
                if e >= 0:
                    while m > firsts[i] and starts[m - 1] + lengths[m - 1] > s:
                        m -= 1  # a number that is the mailbox name
            else:
                run = np.int64(1)
                while p + run < end and CLASSES[data[p + run]] & DIGIT:
                    run += 1
                kind, s, e = _match_number(data, p, run, first, done, end, digits)
                next_p = p + run
            if e < 0:
                p = next_p
                continue
            if m == capacity:
                capacity *= 2
                more_starts = np.empty(capacity, dtype=np.int64)
                more_lengths = np.empty(capacity, dtype=np.int32)
                more_kinds = np.empty(capacity, dtype=np.int8)
                for k in range(m):
                    more_starts[k] = starts[k]
                    more_lengths[k] = lengths[k]
                    more_kinds[k] = kinds[k]
                starts = more_starts
                lengths = more_lengths
                kinds = more_kinds
            starts[m] = s
            lengths[m] = e - s
            kinds[m] = kind
            m += 1
            p = e
            done = e
            if kind == 0:
                free = e
    firsts[n] = m
    return starts[:m], lengths[:m], kinds[:m], firsts


@kernel
def splice(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    valid: npt.NDArray[np.bool_],
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int32],
    firsts: npt.NDArray[np.int64],
    which: npt.NDArray[np.int64],
    new_offsets: npt.NDArray[np.int64],
    new_data: npt.NDArray[np.uint8],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Put other bytes in place of some.

    Args:
        offsets: rows, n + 1 values.
        data: UTF-8 bytes.
        valid: rows to copy, n values; others become empty.
        starts: first byte of each of m pieces to replace, in order.
        lengths: their lengths.
        firsts: where the pieces of each row begin, n + 1 values.
        which: the replacement of each piece, m values.
        new_offsets: replacements, as rows.
        new_data: their bytes.

    Returns:
        Offsets (n + 1 values, from 0) and bytes of the rows.
    """
    n = offsets.size - 1
    sizes = np.zeros(n + 1, dtype=np.int64)
    for i in range(n):
        size = np.int64(0)
        if valid[i]:
            size = offsets[i + 1] - offsets[i]
            for k in range(firsts[i], firsts[i + 1]):
                size += new_offsets[which[k] + 1] - new_offsets[which[k]] - lengths[k]
        sizes[i + 1] = sizes[i] + size
    out = np.empty(sizes[n], dtype=np.uint8)
    for i in range(n):
        if not valid[i]:
            continue
        q = sizes[i]
        p = offsets[i]
        for k in range(firsts[i], firsts[i + 1]):
            while p < starts[k]:
                out[q] = data[p]
                p += 1
                q += 1
            for a in range(new_offsets[which[k]], new_offsets[which[k] + 1]):
                out[q] = new_data[a]
                q += 1
            p += lengths[k]
        while p < offsets[i + 1]:
            out[q] = data[p]
            p += 1
            q += 1
    return sizes, out
