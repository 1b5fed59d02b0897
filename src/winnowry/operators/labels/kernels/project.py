"""Boxes in space as a camera sees them."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from winnowry.operators.labels.kernels.overlap import overlap
from winnowry.operators.text.kernels.compile import kernel

Floats = npt.NDArray[np.float64]

_NEAR_M = 0.5
_CORNERS = 8


@kernel
def projected_overlap(
    size: Floats, place: Floats, turn: Floats, edges: Floats, row: npt.NDArray[np.int64], matrix: Floats, frame: Floats
) -> Floats:
    """Intersection over union of a box in the picture and the one in space, as a camera sees it (y down, z forward).

    Args:
        size: m × 3: height, width, length.
        place: m × 3: the middle of the bottom face.
        turn: m angles about the vertical axis.
        edges: m × 4: of the boxes in the picture.
        row: m values: the record of each box.
        matrix: n × 12: of each record's camera, row by row.
        frame: n × 2: width and height of each picture; NaN: boxes are not cut there.

    Returns:
        m values; NaN where a number is missing or a part of the box is not in front of the camera.
    """
    out = np.full(len(size), np.nan)
    seen = np.empty(4)
    for i in range(len(size)):
        p = matrix[row[i]]
        width, height = frame[row[i], 0], frame[row[i], 1]
        cosine, sine = math.cos(turn[i]), math.sin(turn[i])
        seen[0] = seen[1] = np.inf
        seen[2] = seen[3] = -np.inf
        whole = True
        for corner in range(_CORNERS):
            along = size[i, 2] / 2 if corner & 2 == 0 else -size[i, 2] / 2
            across = size[i, 1] / 2 if (corner & 3) % 3 == 0 else -size[i, 1] / 2
            down = 0.0 if corner < _CORNERS // 2 else -size[i, 0]
            x = cosine * along + sine * across + place[i, 0]
            y = down + place[i, 1]
            z = -sine * along + cosine * across + place[i, 2]
            depth = p[8] * x + p[9] * y + p[10] * z + p[11]
            u = (p[0] * x + p[1] * y + p[2] * z + p[3]) / depth
            v = (p[4] * x + p[5] * y + p[6] * z + p[7]) / depth
            if not z >= _NEAR_M or not math.isfinite(u) or not math.isfinite(v):
                whole = False
                break
            seen[0], seen[2] = min(seen[0], u), max(seen[2], u)
            seen[1], seen[3] = min(seen[1], v), max(seen[3], v)
        if not whole or not math.isfinite(edges[i].sum()):
            continue
        if not math.isnan(width):
            seen[0], seen[2] = max(seen[0], 0.0), min(seen[2], width - 1)
            seen[1], seen[3] = max(seen[1], 0.0), min(seen[3], height - 1)
        out[i] = overlap(seen, edges[i])
    return out
