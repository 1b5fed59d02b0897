"""A small causal transformer as proxy (extra ``winnowry[torch]``), on a GPU where there is one.

Its vocabulary is the most frequent tokens of the training text; every other token is spelled by its bytes, so that a
code length covers every byte of every text and bits per byte can be compared with those of any other proxy.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from winnowry.core.errors import UsageError
from winnowry.operators.scoring.ngram_tokens import token_bytes
from winnowry.recipe.comparison import TransformerProxy

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Float64s = npt.NDArray[np.float64]

_BYTES = 256
_END = 256
_FIRST = 257
_WINDOWS_AT_ONCE = 32


class TransformerModel:
    """A trained transformer with its vocabulary."""

    def __init__(self, network: Any, vocabulary: _Vocabulary, context: int, device: str) -> None:
        self._network, self._vocabulary, self._context, self._device = network, vocabulary, context, device

    def document_bits(self, token_ids: Int32s, offsets: Int64s) -> Float64s:
        """Bits of each document; windows overlap by half, so that each symbol but the first half-window has context."""
        import torch

        self._network.eval()
        bits = np.zeros(len(offsets) - 1)
        with torch.no_grad():
            for windows in _batches(self._windows(token_ids, offsets)):
                size = max(len(window.symbols) for window in windows)
                # what pads a window follows it, and no symbol sees what follows
                lines = np.full((len(windows), size), _END, np.int64)
                for row, window in enumerate(windows):
                    lines[row, : len(window.symbols)] = window.symbols
                symbols, following = (torch.from_numpy(part).to(self._device) for part in (lines[:, :-1], lines[:, 1:]))
                logits = self._network(symbols).float().transpose(1, 2)
                losses = torch.nn.functional.cross_entropy(logits, following, reduction="none").cpu().numpy()
                for row, window in enumerate(windows):
                    own_losses = losses[row, window.first : len(window.symbols) - 1]
                    bits[window.document] += float(own_losses.sum(dtype=np.float64)) / math.log(2.0)
        return bits

    def _windows(self, token_ids: Int32s, offsets: Int64s) -> Iterator[_Window]:
        half = self._context // 2
        for document, (first, last) in enumerate(pairwise(offsets.tolist())):
            line = np.concatenate([[_END], self._vocabulary.symbols(token_ids[first:last]), [_END]])
            at = 0
            while at < len(line) - 1:
                start = max(0, at - half)
                window = _Window(document, line[start : start + self._context + 1], at - start)
                yield window
                at = start + len(window.symbols) - 1


class _Window(NamedTuple):
    """Symbols of a document that the network sees at once; those before place ``first`` were judged before."""

    document: int
    symbols: Int64s
    first: int


def _batches(windows: Iterator[_Window]) -> Iterator[list[_Window]]:
    while batch := list(islice(windows, _WINDOWS_AT_ONCE)):
        yield batch


class _Vocabulary:
    """Most frequent tokens, and bytes for the others."""

    def __init__(self, token_ids: Int32s, size: int) -> None:
        counts = np.bincount(np.asarray(token_ids))
        kept = np.sort(np.argsort(-counts, kind="stable")[: max(0, size - _FIRST)])
        kept = kept[counts[kept] > 0]
        self.size = _FIRST + len(kept)
        self._symbol = np.full(max(len(counts), 1), -1, np.int32)
        self._symbol[kept] = np.arange(len(kept), dtype=np.int32) + _FIRST

    def symbols(self, token_ids: Int32s) -> Int32s:
        """A document as symbols."""
        ids = np.asarray(token_ids)
        inside = np.where(ids < len(self._symbol), self._symbol[np.minimum(ids, len(self._symbol) - 1)], -1)
        if (inside >= 0).all():
            return inside.astype(np.int32)
        parts: list[Int32s] = []
        for token, symbol in zip(ids.tolist(), inside.tolist(), strict=True):
            spelled = [symbol] if symbol >= 0 else list(token_bytes(token))
            parts.append(np.array(spelled, np.int32))
        return np.concatenate(parts) if parts else np.empty(0, np.int32)


def train_transformer(proxy: TransformerProxy, token_ids: Int32s, offsets: Int64s, seed: int) -> TransformerModel:
    """Train for one pass over the selection.

    Args:
        proxy: size and schedule.
        token_ids: ids of all documents one after the other.
        offsets: of the documents.
        seed: of the weights and of the order of sequences.

    Raises:
        UsageError: PyTorch is not installed, or the selection is shorter than one sequence.
    """
    try:
        import torch
    except ImportError as error:
        raise UsageError(
            "proxy: {kind: transformer} needs PyTorch: pip install 'winnowry[torch]', or use {kind: ngram}"
        ) from error
    torch.manual_seed(seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    vocabulary = _Vocabulary(token_ids, proxy.vocabulary)
    documents = [vocabulary.symbols(token_ids[a:b]) for a, b in pairwise(offsets.tolist())]
    order = np.random.default_rng(seed).permutation(len(documents))
    pieces = [part for place in order.tolist() for part in (documents[place], np.array([_END], np.int32))]
    line = np.concatenate([np.array([_END], np.int32), *pieces])
    rows = (len(line) - 1) // proxy.context
    if rows < 1:
        raise UsageError(f"a selection of {len(line)} symbols is shorter than a sequence of {proxy.context}")
    symbols = torch.from_numpy(line[: rows * proxy.context].astype(np.int64)).view(rows, proxy.context)
    following = torch.from_numpy(line[1 : rows * proxy.context + 1].astype(np.int64)).view(rows, proxy.context)
    network = _network(proxy, vocabulary.size).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=proxy.learning_rate, betas=(0.9, 0.95), weight_decay=0.1)
    steps = math.ceil(rows / proxy.batch)
    warm = max(1, steps // 20)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1.0, (step + 1) / warm) * (0.1 + 0.45 * (1.0 + math.cos(math.pi * min(1.0, step / steps)))),
    )
    shuffled = torch.from_numpy(np.random.default_rng(seed + 1).permutation(rows))
    network.train()
    for step in range(steps):
        index = shuffled[step * proxy.batch : (step + 1) * proxy.batch]
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            logits = network(symbols[index].to(device))
            loss = torch.nn.functional.cross_entropy(
                logits.float().flatten(0, 1), following[index].to(device).flatten()
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return TransformerModel(network, vocabulary, proxy.context, device)


def _network(proxy: TransformerProxy, symbols: int) -> Any:
    import torch

    class Network(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.embed = torch.nn.Embedding(symbols, proxy.width)
            self.place = torch.nn.Embedding(proxy.context, proxy.width)
            block = torch.nn.TransformerEncoderLayer(
                proxy.width,
                proxy.heads,
                4 * proxy.width,
                dropout=0.0,
                activation="gelu",
                batch_first=True,
                norm_first=True,
            )
            self.blocks = torch.nn.TransformerEncoder(block, proxy.layers, enable_nested_tensor=False)
            self.norm = torch.nn.LayerNorm(proxy.width)
            torch.nn.init.normal_(self.embed.weight, std=0.02)
            torch.nn.init.normal_(self.place.weight, std=0.02)

        def forward(self, symbols: Any) -> Any:
            length = symbols.shape[1]
            hidden = self.embed(symbols) + self.place(torch.arange(length, device=symbols.device))
            mask = torch.nn.Transformer.generate_square_subsequent_mask(length, device=symbols.device)
            return self.norm(self.blocks(hidden, mask=mask, is_causal=True)) @ self.embed.weight.T

    return Network()
