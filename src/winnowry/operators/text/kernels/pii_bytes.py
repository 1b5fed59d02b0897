"""Classes of bytes, and what may stand before and after a number, for the kernels that find personal data."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.ascii import (
    AMPERSAND,
    BLANK,
    COMMA,
    DOLLAR,
    EQUALS,
    FULL_STOP,
    HYPHEN,
    LOWER_CASE,
    NINE,
    PERCENT,
    PLUS,
    SLASH,
    ZERO,
)
from winnowry.operators.text.kernels.compile import kernel

_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGITS = b"0123456789"

# Classes, as bits of :data:`CLASSES`.
DIGIT = 1
LETTER = 2
IN_MAILBOX = 8
"""Of the name of a mailbox."""
IN_HOST = 16
"""Of the name of a host."""
HEXADECIMAL = 32
UPPER_CASE = 64
IN_IDENTIFIER = 128
"""A letter, digit or underscore."""


def _table() -> npt.NDArray[np.uint8]:
    table = np.zeros(256, dtype=np.uint8)
    for members, flag in (
        (_DIGITS, DIGIT),
        (_LETTERS, LETTER),
        (_LETTERS + _DIGITS + b"._+-'", IN_MAILBOX),
        (_LETTERS + _DIGITS + b".-", IN_HOST),
        (_DIGITS + b"ABCDEFabcdef", HEXADECIMAL),
        (b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", UPPER_CASE),
        (_LETTERS + _DIGITS + b"_", IN_IDENTIFIER),
    ):
        table[np.frombuffer(members, dtype=np.uint8)] |= np.uint8(flag)
    return table


CLASSES = _table()
"""uint8 by byte: the sum of its classes."""


@kernel
def at(data: npt.NDArray[np.uint8], p: np.int64, first: np.int64, end: np.int64) -> np.int64:
    """The byte at ``p``, or a space outside of the row."""
    if p < first or p >= end:
        return np.int64(BLANK)
    return np.int64(data[p])


@kernel
def run_length(data: npt.NDArray[np.uint8], p: np.int64, end: np.int64, most: int) -> np.int64:
    """Digits from ``p`` on, at most ``most``."""
    stop = min(end, p + most)
    k = p
    while k < stop and ZERO <= data[k] <= NINE:
        k += 1
    return np.int64(k - p)


@kernel
def free_before(data: npt.NDArray[np.uint8], p: np.int64, first: np.int64) -> bool:
    """Whether a number may begin at ``p``: it is no part of an identifier, address, amount, decimal or hyphenation."""
    before = at(data, p - 1, first, p)
    if CLASSES[before] & IN_IDENTIFIER:
        return False
    if before in (EQUALS, AMPERSAND, PERCENT, DOLLAR, PLUS, HYPHEN):
        return False
    before_that = at(data, p - 2, first, p)
    if before in (FULL_STOP, COMMA):  # a decimal or thousands separator
        return not ZERO <= before_that <= NINE
    if before == SLASH:  # a part of a path, unless it parts numbers
        k = p - 1
        while (
            k > first and p - k < 48 and (ZERO <= data[k - 1] <= NINE or data[k - 1] == SLASH or data[k - 1] == HYPHEN)
        ):
            k -= 1
        return (
            ZERO <= before_that <= NINE and data[k] != SLASH and not CLASSES[at(data, k - 1, first, p)] & IN_IDENTIFIER
        )
    return True


@kernel
def free_after(data: npt.NDArray[np.uint8], e: np.int64, end: np.int64) -> bool:
    """Whether a number may end before ``e``."""
    after = at(data, e, e, end)
    if CLASSES[after] & IN_IDENTIFIER or after in (PERCENT, EQUALS):
        return False
    after_that = at(data, e + 1, e, end)
    if after == FULL_STOP:  # a decimal, a file name
        return not CLASSES[after_that] & IN_IDENTIFIER
    if after == HYPHEN:
        return not CLASSES[after_that] & IN_IDENTIFIER
    if after == SLASH:
        return not CLASSES[after_that] & LETTER and after_that != BLANK
    return True


@kernel
def packed(data: npt.NDArray[np.uint8], p: np.int64, e: np.int64) -> np.uint64:
    """Up to eight ASCII letters in lower case as one number; 0 for more or none."""
    if e - p > 8 or e <= p:
        return np.uint64(0)
    value = np.uint64(0)
    for k in range(p, e):
        value = (value << np.uint64(8)) | np.uint64(data[k] | LOWER_CASE)
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
