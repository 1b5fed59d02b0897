"""fastText's classification of texts by a quantised model with hierarchical softmax, such as ``lid.176``.

The rows of the model are laid out as numbers once, and n-grams are hashed as they grow, so that nothing is allocated
for a text. What is added is added in the library's order and precision: probabilities are the same to about 1e-6.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.ascii import (
    BLANK,
    CARRIAGE_RETURN,
    DELETE,
    GREATER_THAN,
    LESS_THAN,
    SMALL_A,
    SMALL_B,
    SMALL_E,
    SMALL_L,
    TAB,
    UNDERSCORE,
)
from winnowry.operators.text.kernels.compile import inline, kernel

_MAGIC, _VERSION = 793712314, 12
_SUPERVISED, _HIERARCHICAL_SOFTMAX = 3, 1
_CENTROIDS = 256
DIM = 16
"""Numbers of a row, fixed so that the compiler knows."""
_FNV_START, _FNV_PRIME = np.uint32(2166136261), np.uint32(16777619)
_END_OF_SENTENCE = "</s>"


@dataclass(frozen=True)
class Model:
    """A model in memory.

    Attributes:
        labels: as written in the model, n of them.
        rows: float32 of shape (words + n-grams kept, 16).
        row_of_bucket: int32 by bucket of an n-gram's hash: its row, where it was not pruned.
        kept: uint8, a bit a bucket, lowest first: whether it was kept; small enough for the processor's cache.
        words: uint8, the bytes of all words and labels one after the other.
        word_offsets: int32, where each begins and the last ends; words come before labels.
        slots: int32, open addressing by the hash of a word, a power of two: its number, -1 where free.
        n_words: how many are words.
        end: row of the end of a sentence, -1 without.
        lengths: smallest and largest n-gram, in characters.
        nodes: float32 of shape (n - 1, 16): an inner node of the tree of labels in each row.
        children: int32 of shape (n - 1, 2): left and right of each inner node, in which n + i is inner node i.
    """

    labels: tuple[str, ...]
    rows: npt.NDArray[np.float32]
    row_of_bucket: npt.NDArray[np.int32]
    kept: npt.NDArray[np.uint8]
    words: npt.NDArray[np.uint8]
    word_offsets: npt.NDArray[np.int32]
    slots: npt.NDArray[np.int32]
    n_words: int
    end: int
    lengths: tuple[int, int]
    nodes: npt.NDArray[np.float32]
    children: npt.NDArray[np.int32]


class _Reader:
    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def numbers(self, layout: str) -> tuple[int, ...]:
        values = struct.unpack_from("<" + layout, self.content, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def array(self, kind: type[np.generic], n: int) -> npt.NDArray[np.generic]:
        values = np.frombuffer(self.content, dtype=kind, count=n, offset=self.at)
        self.at += values.nbytes
        return values

    def text(self) -> bytes:
        end = self.content.index(b"\0", self.at)
        line = self.content[self.at : end]
        self.at = end + 1
        return line


def read_model(path: Path) -> Model:
    """Read a ``.ftz`` file.

    Raises:
        ValueError: not a quantised, pruned, supervised model of single words, dimension 16, hierarchical softmax.

    Source: the format as fastText 0.9.2 writes it (``FastText::saveModel``).
    """
    reader = _Reader(path.read_bytes())
    if reader.numbers("ii") != (_MAGIC, _VERSION):
        raise ValueError(f"{path}: not a model of fastText")
    dim, *_, word_ngrams, loss, kind, n_buckets, shortest, longest, _ = reader.numbers("12i")
    reader.numbers("d")
    n_entries, n_words, n_labels, _, n_pruned = reader.numbers("iiiqq")
    entries, counts = [], []
    for _ in range(n_entries):
        entries.append(reader.text())
        counts.append(reader.numbers("qb")[0])
    pruned = reader.array(np.int32, 2 * max(n_pruned, 0)).reshape(-1, 2)
    (quantised,) = reader.numbers("?")
    if not quantised or n_pruned < 1 or (dim, kind, loss, word_ngrams) != (DIM, _SUPERVISED, _HIERARCHICAL_SOFTMAX, 1):
        raise ValueError(
            f"{path}: not a quantised, pruned, supervised model of dimension {DIM} with hierarchical softmax"
        )
    rows = _quantised_rows(reader)
    (quantised_output,) = reader.numbers("?")
    if quantised_output:
        raise ValueError(f"{path}: its output matrix is quantised")
    m, n = reader.numbers("qq")
    nodes = reader.array(np.float32, m * n).reshape(m, n)
    row_of_bucket = np.zeros(n_buckets, dtype=np.int32)
    is_kept = np.zeros(n_buckets, dtype=np.uint8)
    is_kept[pruned[:, 0]] = 1
    row_of_bucket[pruned[:, 0]] = pruned[:, 1] + n_words
    offsets = np.concatenate([[0], np.cumsum([len(entry) for entry in entries])]).astype(np.int32)
    words = np.frombuffer(b"".join(entries), dtype=np.uint8)
    slots = np.full(1 << (2 * n_entries - 1).bit_length(), -1, dtype=np.int32)
    _fill_slots(words, offsets, slots)
    end = entries.index(_END_OF_SENTENCE.encode()) if _END_OF_SENTENCE.encode() in entries[:n_words] else -1
    return Model(
        labels=tuple(entry.decode() for entry in entries[n_words:]),
        rows=rows,
        row_of_bucket=row_of_bucket,
        kept=np.packbits(is_kept, bitorder="little"),
        words=words,
        word_offsets=offsets,
        slots=slots,
        n_words=n_words,
        end=end,
        lengths=(shortest, longest),
        nodes=np.ascontiguousarray(nodes[: n_labels - 1]),
        children=_tree(counts[n_words:]),
    )


def _quantised_rows(reader: _Reader) -> npt.NDArray[np.float32]:
    """The input matrix, its product quantisation undone."""
    (normed,) = reader.numbers("?")
    m, _, n_codes = reader.numbers("qqi")
    codes = reader.array(np.uint8, n_codes).reshape(m, -1)
    dim, n_parts, width, last_width = reader.numbers("4i")
    centroids = reader.array(np.float32, dim * _CENTROIDS)
    rows = np.empty((m, dim), dtype=np.float32)
    for part in range(n_parts):
        own = last_width if part == n_parts - 1 else width
        begin = part * _CENTROIDS * width
        table = centroids[begin : begin + _CENTROIDS * own].reshape(_CENTROIDS, own)
        rows[:, part * width : part * width + own] = table[codes[:, part]]
    if normed:
        norm_codes = reader.array(np.uint8, m)
        reader.numbers("4i")
        rows *= reader.array(np.float32, _CENTROIDS)[norm_codes][:, None]
    return rows


def _tree(counts: list[int]) -> npt.NDArray[np.int32]:
    """Huffman tree of labels, whose counts descend."""
    n = len(counts)
    weights = [*counts, *([10**15] * (n - 1))]
    children = np.zeros((n - 1, 2), dtype=np.int32)
    leaf, node = n - 1, n
    for parent in range(n, 2 * n - 1):
        for side in range(2):
            if leaf >= 0 and weights[leaf] < weights[node]:
                children[parent - n, side] = leaf
                leaf -= 1
            else:
                children[parent - n, side] = node
                node += 1
        weights[parent] = weights[children[parent - n, 0]] + weights[children[parent - n, 1]]
    return children


@inline
def _hashed(before: np.uint32, octet: np.uint8) -> np.uint32:
    # the library takes bytes as signed
    signed = np.uint32(octet) | (np.uint32(0xFFFFFF00) if octet > DELETE else np.uint32(0))
    return np.uint32((before ^ signed) * _FNV_PRIME)


@kernel
def _fill_slots(words: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int32], slots: npt.NDArray[np.int32]) -> None:
    for entry in range(len(offsets) - 1):
        value = _FNV_START
        for at in range(offsets[entry], offsets[entry + 1]):
            value = _hashed(value, words[at])
        slot = np.int64(value) & (len(slots) - 1)
        while slots[slot] >= 0:
            slot = (slot + 1) & (len(slots) - 1)
        slots[slot] = entry


@inline
def _is_separator(octet: np.uint8) -> bool:
    return octet == BLANK or (octet <= CARRIAGE_RETURN and octet >= TAB) or octet == 0


@kernel
def _find(
    data: npt.NDArray[np.uint8],
    begin: int,
    end: int,
    words: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int32],
    slots: npt.NDArray[np.int32],
) -> int:
    """Number of a word, -1 where the model does not have it."""
    value = _FNV_START
    for at in range(begin, end):
        value = _hashed(value, data[at])
    slot = np.int64(value) & (len(slots) - 1)
    while slots[slot] >= 0:
        entry = slots[slot]
        first = offsets[entry]
        if offsets[entry + 1] - first == end - begin:
            same = True
            for i in range(end - begin):
                if words[first + i] != data[begin + i]:
                    same = False
                    break
            if same:
                return entry
        slot = (slot + 1) & (len(slots) - 1)
    return np.int32(-1)


@inline
def _add_row(rows: npt.NDArray[np.float32], row: int, hidden: npt.NDArray[np.float32]) -> None:
    for i in range(DIM):  # a constant: one or two vector instructions
        hidden[i] += rows[row, i]


@kernel
def _add_ngrams(
    word: npt.NDArray[np.uint8],
    size: int,
    lengths: tuple[int, int],
    row_of_bucket: npt.NDArray[np.int32],
    kept: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.float32],
    hidden: npt.NDArray[np.float32],
) -> int:
    """Add the rows of the n-grams of a word between angle brackets; how many they are."""
    n_added = 0
    n_buckets = np.uint32(len(row_of_bucket))
    shortest, longest = lengths
    for first in range(size):
        if word[first] & 0xC0 == 0x80:
            continue
        value = _FNV_START
        at = first
        n = 1
        while at < size and n <= longest:
            value = _hashed(value, word[at])
            at += 1
            while at < size and word[at] & 0xC0 == 0x80:
                value = _hashed(value, word[at])
                at += 1
            if n >= shortest and not (n == 1 and (first == 0 or at == size)):
                bucket = value % n_buckets
                if kept[bucket >> 3] >> (bucket & 7) & 1:
                    n_added += 1
                    _add_row(rows, row_of_bucket[bucket], hidden)
            n += 1
    return n_added


@kernel
def _is_label(data: npt.NDArray[np.uint8], begin: int, end: int) -> bool:
    """Whether a word starts with ``__label__``: the library takes it for one."""
    return (
        end - begin >= 9 and data[begin] == UNDERSCORE and data[begin + 1] == UNDERSCORE and data[begin + 2] == SMALL_L
        and data[begin + 3] == SMALL_A and data[begin + 4] == SMALL_B and data[begin + 5] == SMALL_E
        and data[begin + 6] == SMALL_L and data[begin + 7] == UNDERSCORE and data[begin + 8] == UNDERSCORE
    )  # fmt: skip


def classify(offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8], model: Model) -> npt.NDArray[np.float32]:
    """Probability of every label for n texts.

    Args:
        offsets: int64, n + 1.
        data: uint8, the texts; a line break only separates words.
        model: of m labels.

    Returns:
        float32 of shape (n, m); all 0 for a text of which the model knows nothing.
    """
    return _classify(
        offsets, data, model.rows, model.row_of_bucket, model.kept, model.words, model.word_offsets, model.slots,
        model.n_words, model.end, model.lengths, model.nodes, model.children,
    )  # fmt: skip


@kernel
def _classify(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.float32],
    row_of_bucket: npt.NDArray[np.int32],
    kept: npt.NDArray[np.uint8],
    words: npt.NDArray[np.uint8],
    word_offsets: npt.NDArray[np.int32],
    slots: npt.NDArray[np.int32],
    n_words: int,
    end_row: int,
    lengths: tuple[int, int],
    nodes: npt.NDArray[np.float32],
    children: npt.NDArray[np.int32],
) -> npt.NDArray[np.float32]:
    n_labels = len(children) + 1
    spelled = np.empty(256, dtype=np.uint8)
    probabilities = np.zeros((len(offsets) - 1, n_labels), dtype=np.float32)
    hidden = np.zeros(DIM, dtype=np.float32)
    score = np.zeros(2 * n_labels - 1, dtype=np.float32)
    for text in range(len(offsets) - 1):
        hidden[:] = 0
        n_added = 0
        at = offsets[text]
        stop = offsets[text + 1]
        while at < stop:
            if _is_separator(data[at]):
                at += 1
                continue
            begin = at
            while at < stop and not _is_separator(data[at]):
                at += 1
            word = _find(data, begin, at, words, word_offsets, slots)
            if word >= n_words or (word < 0 and _is_label(data, begin, at)):
                continue
            if word >= 0:
                if word == end_row:
                    break  # spelled out in the text, it ends it
                n_added += 1
                _add_row(rows, word, hidden)
            size = at - begin + 2
            if size > len(spelled):
                spelled = np.empty(2 * size, dtype=np.uint8)
            spelled[0] = LESS_THAN
            spelled[1 : size - 1] = data[begin:at]
            spelled[size - 1] = GREATER_THAN
            n_added += _add_ngrams(spelled, size, lengths, row_of_bucket, kept, rows, hidden)
        if end_row >= 0:
            n_added += 1
            _add_row(rows, end_row, hidden)
        if n_added == 0:
            continue
        share = np.float32(1.0 / n_added)
        for i in range(DIM):
            hidden[i] *= share
        score[2 * n_labels - 2] = 0
        for node in range(n_labels - 2, -1, -1):
            f = np.float32(0)
            for i in range(DIM):
                f += nodes[node, i] * hidden[i]
            f = np.float32(1.0 / (1.0 + np.exp(-f)))
            own = score[n_labels + node]
            # the library adds 1e-5, lest the logarithm of 0 be taken
            score[children[node, 0]] = own + np.float32(np.log(np.float64(np.float32(1.0) - f) + 1e-5))
            score[children[node, 1]] = own + np.float32(np.log(np.float64(f) + 1e-5))
        for label in range(n_labels):
            probabilities[text, label] = np.exp(score[label])
    return probabilities
