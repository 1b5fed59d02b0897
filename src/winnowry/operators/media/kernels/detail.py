"""What neighbouring pixels of a luma plane say: edges, blur, noise, the blocks of a codec, colour."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from winnowry.operators.media.kernels.planes import Plane
from winnowry.operators.text.kernels.compile import inline, kernel

_NOISE = math.sqrt(math.pi / 2) / 6
_HALF_BOX = 4  # of the low-pass of nine pixels


@inline
def signed(value: Any) -> Any:
    """A grey level that can be subtracted: levels are unsigned, and differences of those wrap around."""
    return np.int64(value)


@kernel
def laplacian_variance(luma: Plane) -> float:
    """Variance of the four-neighbour Laplacian of n × m pixels without the border, n and m at least 3."""
    height, width = luma.shape
    n = width - 2
    total, squares = 0, 0
    for y in range(1, height - 1):
        above, here, below = luma[y - 1], luma[y], luma[y + 1]
        row, row_squares = 0, 0
        for i in range(n):
            value = (
                signed(above[i + 1]) + signed(below[i + 1]) + signed(here[i]) + signed(here[i + 2])
                - 4 * signed(here[i + 1])
            )  # fmt: skip
            row += value
            row_squares += value * value
        total += row
        squares += row_squares
    count = n * (height - 2)
    mean = total / count
    return float(squares / count - mean * mean)


@kernel
def crete_blur(luma: Plane) -> float:
    """How little a picture changes when it is blurred, 0 sharp to 1 blurred; n and m at least 10.

    Differences of neighbours are compared with those after a low-pass of nine pixels along the same axis; the axis
    that is blurred more decides. Only pixels with the whole low-pass inside the picture count.

    Source: Crete, Dolmiere, Ladret, Nicolas 2007, "The blur effect: perception and estimation with a new no-reference
    perceptual blur metric", equations 1 to 5.
    """
    height, width = luma.shape
    across, across_lost = 0, 0
    down, down_lost = 0, 0
    for y in range(height):
        here = luma[y]
        # The mean of nine pixels moves by (one that enters - one that leaves) / 9: nine times everything is whole.
        row, row_lost = 0, 0
        for x in range(_HALF_BOX + 1, width - _HALF_BOX):
            sharp = 9 * abs(signed(here[x]) - signed(here[x - 1]))
            soft = abs(signed(here[x + _HALF_BOX]) - signed(here[x - _HALF_BOX - 1]))
            row += sharp
            row_lost += max(0, sharp - soft)
        across += row
        across_lost += row_lost
        if _HALF_BOX + 1 <= y < height - _HALF_BOX:
            above, enters, leaves = luma[y - 1], luma[y + _HALF_BOX], luma[y - _HALF_BOX - 1]
            row, row_lost = 0, 0
            for x in range(width):
                sharp = 9 * abs(signed(here[x]) - signed(above[x]))
                soft = abs(signed(enters[x]) - signed(leaves[x]))
                row += sharp
                row_lost += max(0, sharp - soft)
            down += row
            down_lost += row_lost
    blur_across = (across - across_lost) / across if across else 0.0
    blur_down = (down - down_lost) / down if down else 0.0
    return float(max(blur_across, blur_down))


@kernel
def immerkaer_noise(luma: Plane) -> float:
    """Standard deviation of the noise, in grey levels, of n × m pixels, n and m at least 3.

    Source: Immerkær 1996, "Fast noise variance estimation", equation 4.
    """
    height, width = luma.shape
    n = width - 2
    total = 0
    for y in range(1, height - 1):
        above, here, below = luma[y - 1], luma[y], luma[y + 1]
        row = 0
        for i in range(n):
            corners = signed(above[i]) + signed(above[i + 2]) + signed(below[i]) + signed(below[i + 2])
            sides = signed(above[i + 1]) + signed(below[i + 1]) + signed(here[i]) + signed(here[i + 2])
            row += abs(corners - 2 * sides + 4 * signed(here[i + 1]))
        total += row
    return float(total * _NOISE / (n * (height - 2)))


@kernel
def blockiness(luma: Plane) -> float:
    """How much larger steps are on the 8 × 8 grid of a codec than inside it, minus 1: 0 for a picture without blocks.

    Args:
        luma: n × m pixels, n and m at least 9; the grid begins at the first pixel.

    Returns:
        ``(a + ½) / (b + ½) - 1`` of the mean absolute differences of neighbours a across the grid's lines and b
        elsewhere; half a grey level keeps flat pictures at 0.
    """
    height, width = luma.shape
    every, across_lines = 0, 0
    n_every, n_lines = height * (width - 1) + (height - 1) * width, 0
    for y in range(height):
        here = luma[y]
        row = 0
        for x in range(width - 1):
            row += abs(signed(here[x + 1]) - signed(here[x]))
        every += row
        row = 0
        for x in range(7, width - 1, 8):
            row += abs(signed(here[x + 1]) - signed(here[x]))
        across_lines += row
        if y + 1 < height:
            below = luma[y + 1]
            row = 0
            for x in range(width):
                row += abs(signed(below[x]) - signed(here[x]))
            every += row
            if y & 7 == 7:
                across_lines += row
                n_lines += width
    n_lines += height * ((width - 1) // 8)
    inside = (every - across_lines) / (n_every - n_lines)
    return float((across_lines / n_lines + 0.5) / (inside + 0.5) - 1.0)


@kernel
def colourfulness(rgb: Plane) -> float:
    """How colourful n × m pixels are, in grey levels: 0 for grey, about 33 for moderately colourful, 109 at most so.

    Source: Hasler and Süsstrunk 2003, "Measuring colourfulness in natural images", equation for M3 and table 2.
    """
    height, width, _ = rgb.shape
    red_green, red_green_squares, yellow_blue, yellow_blue_squares = 0, 0, 0, 0
    for y in range(height):
        row = rgb[y]
        a, a_squares, b, b_squares = 0, 0, 0, 0
        for x in range(width):
            red, green, blue = signed(row[x, 0]), signed(row[x, 1]), signed(row[x, 2])
            rg, yb = red - green, red + green - 2 * blue  # twice the second
            a += rg
            a_squares += rg * rg
            b += yb
            b_squares += yb * yb
        red_green += a
        red_green_squares += a_squares
        yellow_blue += b
        yellow_blue_squares += b_squares
    n = height * width
    mean_rg, mean_yb = red_green / n, yellow_blue / (2 * n)
    variance = red_green_squares / n - mean_rg**2 + yellow_blue_squares / (4 * n) - mean_yb**2
    return math.sqrt(max(0.0, variance)) + 0.3 * math.sqrt(mean_rg**2 + mean_yb**2)
