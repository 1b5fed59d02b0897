"""Proxies: small models trained on a selection, judged by how well they predict text they have not seen."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from winnowry.operators.scoring.ngram import NgramModel
from winnowry.operators.scoring.ngram_tokens import vocabulary_size
from winnowry.recipe.comparison import NgramProxy, Proxy

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Float64s = npt.NDArray[np.float64]


class TrainedProxy(Protocol):
    """A model that gives texts a code length."""

    def document_bits(self, token_ids: Int32s, offsets: Int64s) -> Float64s:
        """Bits of each of n documents, the end of the document included."""


def train_proxy(proxy: Proxy, token_ids: Int32s, offsets: Int64s, seed: int) -> TrainedProxy:
    """Train a proxy.

    Args:
        proxy: what the recipe asks for.
        token_ids: ids of all documents one after the other.
        offsets: document i is ``token_ids[offsets[i]:offsets[i + 1]]``.
        seed: of initial weights and the order of batches; an n-gram model has neither.

    Raises:
        UsageError: a transformer is asked for and PyTorch is not installed.
    """
    if isinstance(proxy, NgramProxy):
        return NgramModel.train(token_ids, offsets, order=proxy.order, vocabulary_size=vocabulary_size())
    from winnowry.evidence.comparison.transformer import train_transformer

    return train_transformer(proxy, token_ids, offsets, seed)


def describe(proxy: Proxy) -> str:
    """The proxy in a word, for tables."""
    if isinstance(proxy, NgramProxy):
        return f"{proxy.order}-gram"
    return f"transformer {proxy.layers}x{proxy.width}"
