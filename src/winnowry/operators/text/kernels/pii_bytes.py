"""Classes of bytes, and what may stand before and after a number, for the kernels that find personal data."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.compile import kernel

_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGITS = b"0123456789"


def _table() -> npt.NDArray[np.uint8]:
    table = np.zeros(256, dtype=np.uint8)
    for members, flag in (
        (_DIGITS, 1),
        (_LETTERS, 2),
        (b"@", 4),
        (_LETTERS + _DIGITS + b"._+-'", 8),
        (_LETTERS + _DIGITS + b".-", 16),
        (_DIGITS + b"ABCDEFabcdef", 32),
        (b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", 64),
        (_LETTERS + _DIGITS + b"_", 128),
    ):
        table[np.frombuffer(members, dtype=np.uint8)] |= np.uint8(flag)
    return table


CLASSES = _table()
"""uint8 by byte: 1 digit, 2 letter, 4 ``@``, 8 of a mailbox name, 16 of a host name, 32 hexadecimal, 64 upper case,
128 letter, digit or underscore (the bytes of an identifier)."""


@kernel
def at(data: npt.NDArray[np.uint8], p: np.int64, first: np.int64, end: np.int64) -> np.int64:
    """The byte at ``p``, or a space (32) outside of the row."""
    if p < first or p >= end:
        return np.int64(32)
    return np.int64(data[p])


@kernel
def run_length(data: npt.NDArray[np.uint8], p: np.int64, end: np.int64, most: int) -> np.int64:
    """Digits from ``p`` on, at most ``most``."""
    stop = min(end, p + most)
    k = p
    while k < stop and 48 <= data[k] <= 57:
        k += 1
    return np.int64(k - p)


@kernel
def free_before(data: npt.NDArray[np.uint8], p: np.int64, first: np.int64) -> bool:
    """Whether a number may begin at ``p``: it is no part of an identifier, address, amount, decimal or hyphenation."""
    before = at(data, p - 1, first, p)
    if CLASSES[before] & 128:
        return False
    if before == 61 or before == 38 or before == 37 or before == 36 or before == 43 or before == 45:  # = & % $ + -
        return False
    before_that = at(data, p - 2, first, p)
    if before == 46 or before == 44:  # a decimal or thousands separator
        return not 48 <= before_that <= 57
    if before == 47:  # a part of a path, unless it parts numbers
        k = p - 1
        while k > first and p - k < 48 and (48 <= data[k - 1] <= 57 or data[k - 1] == 47 or data[k - 1] == 45):
            k -= 1
        return 48 <= before_that <= 57 and data[k] != 47 and not CLASSES[at(data, k - 1, first, p)] & 128
    return True


@kernel
def free_after(data: npt.NDArray[np.uint8], e: np.int64, end: np.int64) -> bool:
    """Whether a number may end before ``e``."""
    after = at(data, e, e, end)
    if CLASSES[after] & 128 or after == 37 or after == 61:
        return False
    after_that = at(data, e + 1, e, end)
    if after == 46:  # a decimal, a file name
        return not CLASSES[after_that] & 128
    if after == 45:
        return not CLASSES[after_that] & 128
    if after == 47:
        return not CLASSES[after_that] & 2 and after_that != 32
    return True


@kernel
def packed(data: npt.NDArray[np.uint8], p: np.int64, e: np.int64) -> np.uint64:
    """Up to eight ASCII letters in lower case as one number; 0 for more or none."""
    if e - p > 8 or e <= p:
        return np.uint64(0)
    value = np.uint64(0)
    for k in range(p, e):
        value = (value << np.uint64(8)) | np.uint64(data[k] | 32)
    return value


def packed_words(*words: str) -> npt.NDArray[np.uint64]:
    """The numbers of :func:`packed` for words of up to eight letters."""
    return np.array([int.from_bytes(word.encode()) for word in words], dtype=np.uint64)


@kernel
def among(value: np.uint64, values: npt.NDArray[np.uint64]) -> bool:
    """Whether a number other than 0 is in an array."""
    if value == 0:
        return False
    for k in range(values.size):  # noqa: SIM110 - compiled
        if values[k] == value:
            return True
    return False
