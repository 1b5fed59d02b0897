"""Decimal numbers in bytes of ASCII: what is exact in one multiplication here, the others are listed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.core.compile import at as element
from winnowry.core.compile import kernel

EXACT, LONG, NO_NUMBER = 0, 1, 2
"""What a word is: a number whose value is exact, one that needs more digits than a double has, or none."""
ENDED, WRONG_NUMBER, WRONG_WORD, WRONG_FRAME, FULL = 0, 1, 2, 3, 4
"""Why a scan stopped."""

_POWERS = 10.0 ** np.arange(23)  # those that a double holds exactly
_MOST_DIGITS = 15
_MOST_POWER = 22
_MOST_EXPONENT = 10_000

Bytes = npt.NDArray[np.uint8]
Float64s = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]


@kernel
def number_at(data: Bytes, start: int, end: int) -> tuple[float, int, int]:
    """The number that begins at a byte and ends before white space.

    With at most 15 digits and a power of ten up to 22 both are doubles without error, and so is their product or
    quotient once it is rounded: the value is that of any correct reader (Clinger 1990).

    Returns:
        Its value, the byte behind it, and ``EXACT``, ``LONG`` or ``NO_NUMBER``; the value of the latter two is no one.
    """
    at = start
    byte = element(data, at)
    negative = byte == 45
    if byte == 45 or byte == 43:
        at += 1
    whole = np.uint64(0)
    n_digits, n_decimals, exponent = 0, 0, 0
    has_digit = False
    while at < end:
        digit = element(data, at) - np.uint64(48)
        if digit > np.uint64(9):
            break
        whole = whole * np.uint64(10) + digit
        n_digits += whole != 0
        has_digit = True
        at += 1
    if at < end and element(data, at) == 46:
        at += 1
        first = at
        while at < end:
            digit = element(data, at) - np.uint64(48)
            if digit > np.uint64(9):
                break
            whole = whole * np.uint64(10) + digit
            n_digits += whole != 0
            at += 1
        n_decimals = at - first
        has_digit = has_digit or n_decimals > 0
    if not has_digit:
        return 0.0, at, NO_NUMBER
    if at < end and (element(data, at) == 101 or element(data, at) == 69):
        at += 1
        falls = at < end and element(data, at) == 45
        if at < end and (element(data, at) == 45 or element(data, at) == 43):
            at += 1
        if not (at < end and 48 <= element(data, at) <= 57):
            return 0.0, at, NO_NUMBER
        while at < end and 48 <= element(data, at) <= 57:
            exponent = exponent * 10 + int(element(data, at)) - 48
            if exponent > _MOST_EXPONENT:
                exponent = _MOST_EXPONENT
            at += 1
        if falls:
            exponent = -exponent
    if at < end and element(data, at) > 32:
        return 0.0, at, NO_NUMBER
    power = exponent - n_decimals
    if n_digits > _MOST_DIGITS or power > _MOST_POWER or power < -_MOST_POWER:
        return 0.0, at, LONG
    value = float(whole)
    value = value * _POWERS[power] if power >= 0 else value / _POWERS[-power]
    return (-value if negative else value), at, EXACT


@kernel
def scan_numbers(
    data: Bytes, start: int, n_columns: int, values: Float64s, long_at: Int64s, long_bounds: Int64s
) -> tuple[int, int, int, int, int]:
    """Read numbers that are parted by white space.

    Args:
        data: n bytes.
        start: the first byte.
        n_columns: numbers of a row.
        values: filled from the beginning.
        long_at: filled with the places of values that are long.
        long_bounds: twice as many: the first byte of each of those, and the one behind it.

    Returns:
        Numbers read, long ones among them, why it stopped and at which byte: ``ENDED``, ``WRONG_NUMBER``, or ``FULL``
        where there are more numbers than room; and the first row behind which its line goes on, -1 where there is none.
    """
    end = len(data)
    n_values = n_long = column = 0
    ragged = -1
    at = start
    while True:
        line_ended = n_values == 0
        while at < end and element(data, at) <= 32:
            line_ended = line_ended or element(data, at) == 10
            at += 1
        if column == 0 and not line_ended and at < end and ragged < 0:
            ragged = n_values // n_columns - 1
        if at >= end:
            return n_values, n_long, ENDED, at, ragged
        if n_values == len(values):
            return n_values, n_long, FULL, at, ragged
        value, behind, what = number_at(data, at, end)
        if what == NO_NUMBER:
            return n_values, n_long, WRONG_NUMBER, at, ragged
        if what == LONG:
            long_at[n_long] = n_values
            long_bounds[2 * n_long] = at
            long_bounds[2 * n_long + 1] = behind
            n_long += 1
        values[n_values] = value
        n_values += 1
        column += 1
        if column == n_columns:
            column = 0
        at = behind


@kernel
def scan_frames(
    data: Bytes,
    start: int,
    words: Bytes,
    word_ends: Int64s,
    n_numbers: Int64s,
    values: Float64s,
    long_at: Int64s,
    long_bounds: Int64s,
) -> tuple[int, int, int, int]:
    """Read frames that each are a line with their number, from 1, and then lines of a word and its numbers.

    Args:
        data: n bytes.
        start: the first byte of a line.
        words: the words of a frame, one behind the other.
        word_ends: of each word the byte behind it.
        n_numbers: numbers behind each word.
        values: m frames, the numbers of each; filled from the beginning.
        long_at: filled with the places of values, counted over all frames, that are long.
        long_bounds: twice as many: the first byte of each of those, and the one behind it.

    Returns:
        Whole frames read, long values among their numbers, why it stopped and at which byte: ``ENDED``,
        ``WRONG_FRAME`` (another frame number), ``WRONG_WORD`` (other words, or in another order), ``WRONG_NUMBER``
        (no number, or fewer or more than there should be), or ``FULL``.
    """
    end = len(data)
    frame = n_long = 0
    at = start
    while True:
        while at < end and element(data, at) <= 32:
            at += 1
        if at >= end:
            return frame, n_long, ENDED, at
        if frame == values.shape[0]:
            return frame, n_long, FULL, at
        number, behind, what = number_at(data, at, end)
        if what != EXACT or number != frame + 1:
            return frame, n_long, WRONG_FRAME, at
        at = behind
        column = first = 0
        for row in range(len(word_ends)):
            while at < end and element(data, at) <= 32:
                at += 1
            n_bytes = word_ends[row] - first
            if at + n_bytes > end or (at + n_bytes < end and data[at + n_bytes] > 32):
                return frame, n_long, WRONG_WORD, at
            for offset in range(n_bytes):
                if element(data, at + offset) != element(words, first + offset):
                    return frame, n_long, WRONG_WORD, at
            line = at
            at += n_bytes
            first = word_ends[row]
            for _ in range(n_numbers[row]):
                while at < end and element(data, at) <= 32 and element(data, at) != 10:
                    at += 1
                if at >= end or element(data, at) == 10:
                    return frame, n_long, WRONG_NUMBER, line
                value, behind, what = number_at(data, at, end)
                if what == NO_NUMBER:
                    return frame, n_long, WRONG_NUMBER, line
                if what == LONG:
                    long_at[n_long] = frame * values.shape[1] + column
                    long_bounds[2 * n_long] = at
                    long_bounds[2 * n_long + 1] = behind
                    n_long += 1
                values[frame, column] = value
                column += 1
                at = behind
            while at < end and element(data, at) <= 32 and element(data, at) != 10:
                at += 1
            if at < end and element(data, at) != 10:
                return frame, n_long, WRONG_NUMBER, line
        frame += 1


@kernel
def gathered(data: Bytes, bounds: Int64s, offsets: npt.NDArray[np.int32], out: Bytes) -> None:
    """Copy pieces of bytes one behind the other, each without a plus sign."""
    filled = 0
    for piece in range(len(bounds) // 2):
        first, last = bounds[2 * piece], bounds[2 * piece + 1]
        if data[first] == 43:
            first += 1
        for at in range(first, last):
            out[filled] = data[at]
            filled += 1
        offsets[piece + 1] = filled
