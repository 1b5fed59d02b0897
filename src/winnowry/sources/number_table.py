"""Tables of decimal numbers, read at the speed of the memory and as exactly as any reader of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Float64s = npt.NDArray[np.float64]
_LEAST_LONG_BYTES = 5
"""Of a number that needs the slow way, with the white space behind it: ``1e23``."""


@dataclass(frozen=True)
class Stopped:
    """Where something else stood than should have.

    Attributes:
        what: ``number``: no number, or not as many as there should be in a line; ``word``; ``frame``: another number
            of a frame; ``more``: numbers behind the last one that is expected.
        at: byte.
    """

    what: Literal["number", "word", "frame", "more"]
    at: int


@dataclass(frozen=True)
class Numbers:
    """Numbers that were read.

    Attributes:
        values: one behind the other, as ``float`` reads them.
        stopped: where something else stood; None: nowhere.
        ragged: the first row behind which its line goes on; None: every row ends a line, whether it is one or several.
    """

    values: Float64s
    stopped: Stopped | None
    ragged: int | None


def numbers(data: bytes, start: int, n_rows: int, n_columns: int) -> Numbers:
    """The numbers of a table that are parted by white space.

    Args:
        data: ASCII.
        start: the first byte.
        n_rows: rows that are expected; nothing behind them is read.
        n_columns: numbers of a row.
    """
    from winnowry.sources.kernels.numbers import scan_numbers

    octets = np.frombuffer(data, np.uint8)
    values = np.empty(min(n_rows * n_columns, (len(data) - start) // 2 + 1))
    places, bounds = _room_of_long(len(data) - start, len(values))
    n_values, n_long, why, at, ragged = scan_numbers(octets, start, max(1, n_columns), values, places, bounds)
    _put_long(octets, values, places[:n_long], bounds[: 2 * n_long])
    return Numbers(values[:n_values], _stopped(why, at), ragged if ragged >= 0 else None)


def frames(
    data: bytes, start: int, words: Sequence[bytes], n_numbers: Sequence[int]
) -> tuple[Float64s, Stopped | None]:
    """Frames of numbered lines, each of words with their numbers, and where something else stands.

    Args:
        data: ASCII.
        start: the first byte of a line.
        words: what the lines of a frame begin with.
        n_numbers: behind each of them.

    Returns:
        A row of numbers a frame, of all whole frames before that place.
    """
    from winnowry.sources.kernels.numbers import scan_frames

    octets = np.frombuffer(data, np.uint8)
    n_columns = sum(n_numbers)
    least = 2 * (1 + len(words) + n_columns) + sum(map(len, words)) - len(words)
    values = np.empty(((len(data) - start) // least + 2, n_columns))
    places, bounds = _room_of_long(len(data) - start, values.size)
    ends = np.cumsum([len(word) for word in words], dtype=np.int64)
    joined = np.frombuffer(b"".join(words), np.uint8)
    n_frames, n_long, why, at = scan_frames(
        octets, start, joined, ends, np.array(n_numbers, np.int64), values, places, bounds
    )
    _put_long(octets, values.reshape(-1), places[:n_long], bounds[: 2 * n_long])
    return values[:n_frames], _stopped(why, at)


def _room_of_long(n_bytes: int, n_values: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    most = min(n_values, n_bytes // _LEAST_LONG_BYTES + 1)
    return np.empty(most, np.int64), np.empty(2 * most, np.int64)


def _put_long(
    octets: npt.NDArray[np.uint8], values: Float64s, places: npt.NDArray[np.int64], bounds: npt.NDArray[np.int64]
) -> None:
    """The numbers of more digits than one multiplication keeps, by Arrow's reader, which rounds correctly."""
    from winnowry.sources.kernels.numbers import gathered

    if not len(places):
        return
    offsets = np.zeros(len(places) + 1, np.int32)
    out = np.empty(int((bounds[1::2] - bounds[::2]).sum()), np.uint8)
    gathered(octets, bounds, offsets, out)
    words = pa.Array.from_buffers(pa.string(), len(places), [None, pa.py_buffer(offsets), pa.py_buffer(out)])
    try:
        values[places] = words.cast(pa.float64()).to_numpy()
    except pa.ArrowInvalid:  # beyond the range of a double
        values[places] = [float(word) for word in words.to_pylist()]


def _stopped(why: int, at: int) -> Stopped | None:
    from winnowry.sources.kernels.numbers import FULL, WRONG_FRAME, WRONG_NUMBER, WRONG_WORD

    names: dict[int, Literal["number", "word", "frame", "more"]] = {
        FULL: "more",
        WRONG_FRAME: "frame",
        WRONG_NUMBER: "number",
        WRONG_WORD: "word",
    }
    return Stopped(names[why], int(at)) if why in names else None
