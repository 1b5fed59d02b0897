"""One pass that tells which texts need repair, so that the clean ones cost nothing more."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.characters import decode
from winnowry.operators.text.kernels.compile import kernel

NON_ASCII = 1
"""A character above U+007F: may be composed differently or decoded wrongly."""
CONTROL = 2
"""A control character other than newline and tab, a line or paragraph separator, or a byte order mark."""
TRAILING_SPACE = 4
"""White space before a newline or at the end."""


@kernel
def find_suspects(
    offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8], classes: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """What each row has to be repaired for: uint8 of n rows, a sum of the flags of this module."""
    n = offsets.size - 1
    out = np.zeros(n, dtype=np.uint8)
    for i in range(n):
        p = offsets[i]
        end = offsets[i + 1]
        flags = 0
        after_space = False
        while p < end:
            point, width = decode(data, p, end)
            p += width
            if point == 10:
                if after_space:
                    flags |= 4
                after_space = False
                continue
            after_space = classes[point] & 1 != 0
            if point >= 128:
                flags |= 1
                if point < 160 or point == 0x2028 or point == 0x2029 or point == 0xFEFF:
                    flags |= 2
            elif (point < 32 and point != 9) or point == 127:
                flags |= 2
        if after_space:
            flags |= 4
        out[i] = flags
    return out
