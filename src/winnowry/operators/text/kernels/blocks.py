"""Eight bytes at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.compile import inline


@inline
def load_block(data: npt.NDArray[np.uint8], p: np.uint64) -> np.uint64:
    """Eight bytes, the first in the low bits; one load, as a place without a sign is never counted from the end."""
    return (
        np.uint64(data[p])
        | (np.uint64(data[p + np.uint64(1)]) << np.uint64(8))
        | (np.uint64(data[p + np.uint64(2)]) << np.uint64(16))
        | (np.uint64(data[p + np.uint64(3)]) << np.uint64(24))
        | (np.uint64(data[p + np.uint64(4)]) << np.uint64(32))
        | (np.uint64(data[p + np.uint64(5)]) << np.uint64(40))
        | (np.uint64(data[p + np.uint64(6)]) << np.uint64(48))
        | (np.uint64(data[p + np.uint64(7)]) << np.uint64(56))
    )


@inline
def store_block(out: npt.NDArray[np.uint8], at: np.uint64, block: np.uint64) -> None:
    """Write what :func:`load_block` reads."""
    out[at] = np.uint8(block)
    out[at + np.uint64(1)] = np.uint8(block >> np.uint64(8))
    out[at + np.uint64(2)] = np.uint8(block >> np.uint64(16))
    out[at + np.uint64(3)] = np.uint8(block >> np.uint64(24))
    out[at + np.uint64(4)] = np.uint8(block >> np.uint64(32))
    out[at + np.uint64(5)] = np.uint8(block >> np.uint64(40))
    out[at + np.uint64(6)] = np.uint8(block >> np.uint64(48))
    out[at + np.uint64(7)] = np.uint8(block >> np.uint64(56))
