"""Bits of a word."""

from __future__ import annotations

import numpy as np

from winnowry.operators.text.kernels.compile import inline


@inline
def bits_set(word: np.uint64) -> np.uint64:
    """How many bits of a word are set, by adding neighbours: pairs, fours, eights, all."""
    pairs = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    fours = (pairs & np.uint64(0x3333333333333333)) + ((pairs >> np.uint64(2)) & np.uint64(0x3333333333333333))
    eights = (fours + (fours >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (eights * np.uint64(0x0101010101010101)) >> np.uint64(56)
