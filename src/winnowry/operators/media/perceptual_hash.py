"""A hash of 64 bits that pictures share when they look the same."""

from __future__ import annotations

import hashlib

import numpy as np

from winnowry.operators.media.pictures import Plane

_SIDE = 32
_BANDS = 8
_FREQUENCY, _PLACE = np.arange(_BANDS)[:, None], np.arange(_SIDE)[None, :]
_COSINES = np.cos(np.pi * _FREQUENCY * (2 * _PLACE + 1) / (2 * _SIDE)) * np.sqrt(2 / _SIDE)
_COSINES[0] /= np.sqrt(2)
_LEAST_AMPLITUDE = 1.0
"""Of a coefficient of the orthonormal transform that is no noise: it moves a pixel by 1/32 of a grey level."""
_INFORMATIVE = 32
"""Coefficients of that amplitude, of 63: the signs of fewer leave too few bits to tell two pictures apart."""
_STEP = 64.0
"""Of the digest: its coefficients are counted in it, and a picture without one of half of it is flat."""


def perceptual_hash(luma: Plane) -> str | None:
    """Which of the 64 lowest frequencies of a picture are above their median, as 16 hexadecimal digits.

    A flat picture has no such frequency, and no hash. One with few of them (a ramp, two halves, a square in the middle)
    would share most bits with any other such picture: its hash is a digest of those few, which only an equal picture
    has.

    Args:
        luma: rows × columns.

    Returns:
        The hash, the lowest frequency in its highest bit and frequencies across running first; None for a picture
        without structure.

    Source: Krawetz 2011, "Looks like it"; the bits are those of the package imagehash (``phash``), which takes the
    32 × 32 pixels by another filter.
    """
    from winnowry.operators.media.kernels.planes import area_means

    small = area_means(luma[:, :, None], _SIDE, _SIDE)[:, :, 0]
    low = (_COSINES @ small @ _COSINES.T).ravel()
    if np.count_nonzero(np.abs(low[1:]) >= _LEAST_AMPLITUDE) >= _INFORMATIVE:
        return np.packbits(low > np.median(low)).tobytes().hex()
    steps = np.rint(low / _STEP).astype("<i4")
    return hashlib.blake2b(steps.tobytes(), digest_size=8).hexdigest() if steps[1:].any() else None
