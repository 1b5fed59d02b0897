"""An n-gram language model over token ids: interpolated modified Kneser-Ney, in arrays.

A small, exact stand-in for the model that will be trained on the data: it learns 10 million tokens in seconds to
minutes, gives every text a finite code length, and its probabilities sum to 1.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from winnowry.core.errors import UsageError

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Float64s = npt.NDArray[np.float64]

MAX_ORDER = 5
FORMAT = 1
_FALLBACK = (0.5, 1.0, 1.5)
_LARGEST = 2**31 - 8


@dataclass(frozen=True, eq=False)
class NgramModel:
    """A trained model. Make one with :meth:`train`, or :meth:`from_bytes`.

    A document is read as *begin* token … token *end*; n-grams do not reach over its borders. The model predicts the
    ``vocabulary_size`` token ids and *end*; these ``vocabulary_size + 1`` probabilities sum to 1 in every context.

    With c the adjusted count of an n-gram (its frequency at the highest order and where it starts with *begin*, else
    the number of distinct tokens seen before it), D the discount of the order, and h' the context without its first
    token::

        p(w | h) = (c(h w) - D(c(h w))) / sum_v c(h v) + g(h) p(w | h')      where h was seen, else p(w | h')
        g(h)     = sum_v D(c(h v)) / sum_v c(h v)
        p(w)     = (c(w) - D(c(w))) / sum_v c(v) + g / (vocabulary_size + 1)

    D(0) is 0; D(1), D(2), D(3+) of an order are ``k - (k + 1) Y n[k+1] / n[k]`` with ``Y = n1 / (n1 + 2 n2)`` and
    ``n[k]`` the number of n-grams of adjusted count k. Where these are not between 0 and k (tiny or artificial texts)
    they are 0.5, 1 and 1.5, as KenLM's ``--discount_fallback``.

    Attributes:
        order: longest n-gram, 1 to 5.
        vocabulary_size: token ids are in [0, vocabulary_size).
        n_tokens: tokens it was trained on, without end symbols.
        n_documents: documents it was trained on.
        level_sizes: number of nodes of each order, int64 (order,).
        words: last token of every node, int32, nodes by order, then by the tokens of the n-gram.
        counts: adjusted count of every node, int32.
        first_child: where the children of every context start, int64 (contexts + 1,).
        discounts: float64 (order, 4); column k is the discount of a count of k, column 3 of 3 and above.

    Source: Chen and Goodman (1999), An empirical study of smoothing techniques for language modeling, §3; Heafield et
    al. (2013) for the counts of n-grams that start with *begin*.
    """

    order: int
    vocabulary_size: int
    n_tokens: int
    n_documents: int
    level_sizes: Int64s
    words: Int32s
    counts: Int32s
    first_child: Int64s
    discounts: Float64s

    @classmethod
    def train(cls, token_ids: Int32s, offsets: Int64s, order: int = 3, vocabulary_size: int | None = None) -> Self:
        """Train on documents; their order does not matter, the model is the same to the last bit.

        Args:
            token_ids: ids of all documents one after the other.
            offsets: document i is ``token_ids[offsets[i]:offsets[i + 1]]``, int64 (documents + 1,).
            order: longest n-gram, 1 to 5.
            vocabulary_size: number of possible ids; None: one more than the highest.

        Raises:
            UsageError: an id or offset is out of range, or there are more tokens than 2**31.

        >>> NgramModel.train(np.array([0, 1, 0, 1], np.int32), np.array([0, 2, 4]), order=2).level_sizes.tolist()
        [4, 3]
        """
        if not 1 <= order <= MAX_ORDER:
            raise UsageError(f"order {order} of an n-gram model; expected 1 to {MAX_ORDER}")
        token_ids, offsets = np.asarray(token_ids), np.asarray(offsets, np.int64)
        if vocabulary_size is None:
            vocabulary_size = int(token_ids.max(initial=-1)) + 1
        token_ids = _checked(token_ids, offsets, vocabulary_size)
        stream, starts = _padded(token_ids, offsets, vocabulary_size)
        sizes, words, counts, parents = _levels(stream, starts, order, vocabulary_size)
        del stream
        discounts = np.array([_discounts(level) for level in counts])
        return cls(
            order=order,
            vocabulary_size=vocabulary_size,
            n_tokens=len(token_ids),
            n_documents=len(offsets) - 1,
            level_sizes=np.array(sizes, np.int64),
            words=np.concatenate(words),
            counts=np.concatenate(counts),
            first_child=_first_children(sizes, parents),
            discounts=discounts,
        )

    def document_bits(self, token_ids: Int32s, offsets: Int64s) -> Float64s:
        """Code length of each document in bits, ``-log2 p``, its end symbol included.

        Args:
            token_ids: as for :meth:`train`; ids that were never seen in training are allowed and cost most.
            offsets: int64 (n + 1,).

        Returns:
            n floats, finite, above 0.

        Raises:
            UsageError: an id is not in [0, vocabulary_size).
        """
        return self._bits(token_ids, offsets, by_token=False)[0]

    def token_bits(self, token_ids: Int32s, offsets: Int64s) -> Float64s:
        """Code length of each token in bits; behind the tokens of each document comes its end symbol.

        Args:
            token_ids: as for :meth:`document_bits`.
            offsets: int64 (n + 1,).

        Returns:
            ``offsets[-1] - offsets[0] + n`` floats; document i's are ``[offsets[i] + i, offsets[i + 1] + i + 1)``.
        """
        return self._bits(token_ids, offsets, by_token=True)[1]

    def probabilities(self, context: Int32s) -> Float64s:
        """Distribution of the next symbol at the start of a document that goes on as ``context``.

        Args:
            context: token ids of the document so far, possibly none.

        Returns:
            ``vocabulary_size + 1`` floats that sum to 1: every token id, then the end of the document.
        """
        context = np.asarray(context, np.int32)
        n = self.vocabulary_size
        continued = np.empty((n, len(context) + 1), np.int32)
        continued[:, :-1] = context
        continued[:, -1] = np.arange(n)
        offsets = np.arange(n + 1, dtype=np.int64) * (len(context) + 1)
        width = len(context) + 2
        bits = self.token_bits(continued.reshape(-1), offsets).reshape(n, width)[:, -2]
        ending = self.token_bits(context, np.array([0, len(context)]))[-1]
        estimates: Float64s = np.exp2(-np.append(bits, ending))
        return estimates

    def content_hash(self) -> str:
        """SHA-256 of parameters and arrays: equal for models of equal documents in any order."""
        digest = hashlib.sha256(repr((FORMAT, *self._header().tolist())).encode())
        for name in _ARRAYS:
            digest.update(np.ascontiguousarray(getattr(self, name)).data)
        return digest.hexdigest()

    def to_bytes(self) -> bytes:
        """The model as one ``.npz``, uncompressed; the same model gives the same bytes."""
        file = io.BytesIO()
        np.savez(file, header=self._header(), **{name: getattr(self, name) for name in _ARRAYS})
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what :meth:`to_bytes` wrote.

        Raises:
            UsageError: it is of another format.
        """
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            header = arrays["header"].tolist()
            if header[0] != FORMAT:
                raise UsageError(f"the n-gram model has format {header[0]}, expected {FORMAT}; train it again")
            return cls(*header[1:], **{name: arrays[name] for name in _ARRAYS})

    @property
    def nbytes(self) -> int:
        """Size of the stored arrays in bytes."""
        return sum(int(getattr(self, name).nbytes) for name in _ARRAYS)

    def _header(self) -> Int64s:
        return np.array([FORMAT, self.order, self.vocabulary_size, self.n_tokens, self.n_documents], np.int64)

    def __getstate__(self) -> dict[str, Any]:
        """Without what can be derived, so that a pickled model is no larger than its arrays."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_contexts", "_unigrams")}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """As pickle does, past the frozen attributes."""
        self.__dict__.update(state)

    @cached_property
    def _contexts(self) -> tuple[Float64s, Float64s]:
        """Sum of adjusted counts, and interpolation weight, of every context."""
        from winnowry.operators.scoring.kernels.ngram import context_statistics

        n = len(self.first_child) - 1
        totals, backoffs = np.empty(n), np.empty(n)
        ends = np.cumsum(self.level_sizes)
        context_statistics(self.first_child, self.counts, self.discounts, ends, totals, backoffs)
        return totals, backoffs

    @cached_property
    def _unigrams(self) -> Float64s:
        counts = self.counts[: self.vocabulary_size + 2]
        total = int(counts.sum(dtype=np.int64))
        uniform = 1.0 / (self.vocabulary_size + 1)
        if total == 0:
            return np.full(len(counts), uniform)
        discounted = self.discounts[0][np.minimum(counts, 3)]
        estimates: Float64s = (counts - discounted + discounted.sum() * uniform) / total
        return estimates

    def _bits(self, token_ids: Int32s, offsets: Int64s, by_token: bool) -> tuple[Float64s, Float64s]:
        from winnowry.operators.scoring.kernels.ngram import score

        token_ids, offsets = np.asarray(token_ids), np.ascontiguousarray(offsets, np.int64)
        token_ids = _checked(token_ids, offsets, self.vocabulary_size)
        n = len(offsets) - 1
        documents = np.empty(n)
        tokens = np.empty(int(offsets[-1] - offsets[0]) + n if by_token else 0)
        totals, backoffs = self._contexts
        score(
            token_ids, offsets, self.vocabulary_size + 1, self.vocabulary_size, self.order, self._unigrams, self.words,
            self.counts, self.first_child, totals, backoffs, self.discounts, documents, tokens,
        )  # fmt: skip
        return documents, tokens


_ARRAYS = ("level_sizes", "words", "counts", "first_child", "discounts")


def _checked(token_ids: npt.NDArray[Any], offsets: Int64s, vocabulary_size: int) -> Int32s:
    if token_ids.dtype.kind not in "iu" or token_ids.ndim != 1:
        raise UsageError(
            f"token ids have numpy type {token_ids.dtype} and shape {token_ids.shape}; expected int32 (n,)"
        )
    if len(offsets) == 0 or offsets[0] < 0 or offsets[-1] > len(token_ids) or (np.diff(offsets) < 0).any():
        raise UsageError(
            f"offsets of documents are not ascending inside the {len(token_ids)} token ids: "
            f"{offsets[:3].tolist()} … {offsets[-3:].tolist()}"
        )
    if not 0 <= vocabulary_size < _LARGEST or len(token_ids) + 2 * len(offsets) >= _LARGEST:
        raise UsageError(
            f"{len(token_ids)} tokens of a vocabulary of {vocabulary_size}; an n-gram model holds below 2**31 of each"
        )
    if len(token_ids):
        low, high = int(token_ids.min()), int(token_ids.max())
        if low < 0 or high >= vocabulary_size:
            wrong = low if low < 0 else high
            raise UsageError(f"token id {wrong} is not in [0, {vocabulary_size}), the vocabulary of the model")
    return np.ascontiguousarray(token_ids, np.int32)


def _padded(token_ids: Int32s, offsets: Int64s, vocabulary_size: int) -> tuple[Int32s, Int64s]:
    """Documents with begin and end symbols, and where each starts."""
    lengths = np.diff(offsets)
    starts = np.zeros(len(lengths), np.int64)
    np.cumsum(lengths[:-1] + 2, out=starts[1:])
    stream = np.empty(int(lengths.sum()) + 2 * len(lengths), np.int32)
    inside = np.ones(len(stream), np.bool_)
    ends = starts + lengths + 1
    inside[starts] = False
    inside[ends] = False
    stream[inside] = token_ids[offsets[0] : offsets[-1]]
    stream[starts] = vocabulary_size + 1
    stream[ends] = vocabulary_size
    return stream, starts


def _levels(
    stream: Int32s, starts: Int64s, order: int, vocabulary_size: int
) -> tuple[list[int], list[Int32s], list[Int32s], list[Int64s]]:
    """Nodes of every order: their number, last words, adjusted counts, and parents (positions in the level above)."""
    n_symbols = vocabulary_size + 2
    nodes = stream  # number of the node that ends at each position, within its order; -1: does not reach back so far
    sizes = [n_symbols]
    parents: list[Int64s] = []
    words = [np.arange(n_symbols, dtype=np.int32)]
    if order == 1:
        frequency = np.bincount(stream, minlength=n_symbols)
        frequency[-1] = 0  # a begin symbol is given, never predicted
        return sizes, words, [frequency.astype(np.int32)], parents
    counts: list[Int32s] = []
    is_first = np.zeros(len(stream), np.bool_)
    is_first[starts] = True
    frequency = np.zeros(n_symbols, np.int64)
    from_begin = np.zeros(n_symbols, np.bool_)
    from_begin[-1] = True
    for _ in range(2, order + 1):
        # An n-gram ending here has its context ending one position before, in the same document.
        ends = np.flatnonzero(~is_first[1:] & (nodes[:-1] >= 0)) + 1
        keys = nodes[ends - 1].astype(np.int64)
        keys <<= 32
        keys |= stream[ends]
        by_key = np.argsort(keys)
        keys = keys[by_key]
        new = np.ones(len(keys), np.bool_)
        np.not_equal(keys[1:], keys[:-1], out=new[1:])
        runs = np.flatnonzero(new)
        distinct = keys[runs]
        del keys
        some_end = ends[by_key[runs]]
        # Counts of the level above: distinct tokens seen before, except where nothing can come before.
        adjusted = np.bincount(nodes[some_end], minlength=sizes[-1])
        adjusted[from_begin] = frequency[from_begin]
        counts.append(adjusted.astype(np.int32))
        number = np.cumsum(new, dtype=np.int32)
        number -= 1
        deeper = np.full(len(stream), -1, np.int32)
        deeper[ends[by_key]] = number
        del number, by_key
        frequency = np.diff(np.append(runs, len(ends)))
        parents.append(distinct >> 32)
        from_begin = from_begin[parents[-1]]
        words.append((distinct & 0xFFFFFFFF).astype(np.int32))
        sizes.append(len(runs))
        nodes = deeper
    counts.append(frequency.astype(np.int32))
    return sizes, words, counts, parents


def _first_children(sizes: list[int], parents: list[Int64s]) -> Int64s:
    """Where the children of each context start among all nodes; the last entry ends the last context's."""
    parts = [np.zeros(0, np.int64)]
    start = 0
    for size, parent in zip(sizes, parents, strict=False):
        start += size
        parts.append(start + np.searchsorted(parent, np.arange(size)))
    return np.append(np.concatenate(parts), sum(sizes)).astype(np.int64)


def _discounts(counts: Int32s) -> list[float]:
    """Discounts of counts 0, 1, 2 and from 3 on, from how many n-grams have the counts 1 to 4."""
    n = np.bincount(np.minimum(counts, 5), minlength=6).tolist()
    estimates = [0.0, *_FALLBACK]
    if n[1] and n[2] and n[3]:
        y = n[1] / (n[1] + 2 * n[2])
        estimated = [k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3)]
        if all(0.0 <= discount <= k for k, discount in enumerate(estimated, start=1)):
            estimates[1:] = estimated
    return estimates
