"""Which lines or paragraphs of a text repeat an earlier one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.ascii import NEWLINE
from winnowry.operators.text.kernels.blocks import load_block
from winnowry.operators.text.kernels.characters import decode
from winnowry.operators.text.kernels.compile import at, kernel
from winnowry.operators.text.kernels.words import SPACE


@kernel
def count_characters(data: npt.NDArray[np.uint8], start: np.int64, stop: np.int64) -> np.int64:
    """Code points of ``data[start:stop]``: bytes that do not continue a character."""
    n = np.int64(0)
    for k in range(start, stop):
        n += (at(data, k) & 0xC0) != 0x80
    return n


@kernel
def hash_bytes(data: npt.NDArray[np.uint8], start: np.int64, stop: np.int64) -> np.uint64:
    """A 64-bit hash of bytes, eight at a time."""
    mixed = np.uint64(stop - start) * np.uint64(0x9E3779B97F4A7C15)
    p = start
    while p + 8 <= stop:
        lane = load_block(data, np.uint64(p))
        mixed = (mixed ^ lane) * np.uint64(0xD6E8FEB86659FD93)
        mixed ^= mixed >> np.uint64(32)
        p += 8
    while p < stop:
        mixed = (mixed ^ np.uint64(at(data, p))) * np.uint64(1099511628211)
        p += 1
    mixed ^= mixed >> np.uint64(32)
    mixed *= np.uint64(0xD6E8FEB86659FD93)
    mixed ^= mixed >> np.uint64(29)
    return mixed


@kernel
def _equal(data: npt.NDArray[np.uint8], a: np.int64, b: np.int64, size: np.int64) -> bool:
    for k in range(size):  # noqa: SIM110 - compiled
        if at(data, a + k) != at(data, b + k):
            return False
    return True


@kernel
def count_repeats(
    data: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], stops: npt.NDArray[np.int64], n: np.int64
) -> tuple[np.int64, np.int64]:
    """Segments equal to an earlier one, and their characters.

    Args:
        data: UTF-8 bytes.
        starts: first byte of each segment.
        stops: the byte after each segment.
        n: how many segments there are; the arrays may be longer.
    """
    repeats = np.int64(0)
    characters = np.int64(0)
    if n < 2:
        return repeats, characters
    n_slots = np.int64(4)
    while n_slots < 2 * n:
        n_slots *= 2
    slots = np.full(n_slots, -1, dtype=np.int32)
    hashes = np.empty(n, dtype=np.uint64)
    for j in range(n):
        size = stops[j] - starts[j]
        mixed = hash_bytes(data, starts[j], stops[j])
        hashes[j] = mixed
        slot = np.int64(mixed & np.uint64(n_slots - 1))
        while True:
            earlier = slots[slot]
            if earlier < 0:
                slots[slot] = j
                break
            if (
                hashes[earlier] == mixed
                and stops[earlier] - starts[earlier] == size
                and _equal(data, starts[earlier], starts[j], size)
            ):
                repeats += 1
                characters += count_characters(data, starts[j], stops[j])
                break
            slot = (slot + 1) & (n_slots - 1)
    return repeats, characters


@kernel
def split_at_newlines(
    data: npt.NDArray[np.uint8],
    start: np.int64,
    end: np.int64,
    first_visible: np.int64,
    last_visible: np.int64,
    line_starts: npt.NDArray[np.int64],
    line_stops: npt.NDArray[np.int64],
    paragraph_starts: npt.NDArray[np.int64],
    paragraph_stops: npt.NDArray[np.int64],
) -> tuple[np.int64, np.int64]:
    """Split ``data[start:end]`` into lines at runs of newlines, and its stripped part into paragraphs at longer runs.

    Both as ``re.split`` does. Returns how many lines and paragraphs there are.
    """
    n_lines = np.int64(0)
    n_paragraphs = np.int64(0)
    line_starts[0] = start
    paragraph_starts[0] = first_visible
    run: np.int64 | int = np.int64(-1)  # where the newlines begin in which we are
    for p in range(start, end):
        if at(data, p) != NEWLINE:
            continue
        if run < 0:
            run = p
        if p + 1 < end and data[p + 1] == NEWLINE:
            continue
        line_stops[n_lines] = run
        n_lines += 1
        line_starts[n_lines] = p + 1
        if p > run and run >= first_visible and p < last_visible:
            paragraph_stops[n_paragraphs] = run
            n_paragraphs += 1
            paragraph_starts[n_paragraphs] = p + 1
        run = np.int64(-1)
    line_stops[n_lines] = end
    paragraph_stops[n_paragraphs] = last_visible
    return n_lines + 1, n_paragraphs + 1


@kernel
def strip(
    data: npt.NDArray[np.uint8], start: np.int64, end: np.int64, table: npt.NDArray[np.uint16]
) -> tuple[np.int64, np.int64]:
    """``str.strip``: first byte of the first and the byte after the last character that is not white space."""
    p = start
    while p < end:
        point, width = decode(data, p, end)
        if table[point] & 15 != SPACE:
            break
        p += width
    while end > p:
        q = end - 1
        while q > p and (data[q] & 0xC0) == 0x80:
            q -= 1
        point, _ = decode(data, q, end)
        if table[point] & 15 != SPACE:
            break
        end = q
    return p, end
