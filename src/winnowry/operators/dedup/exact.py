"""``dedup.exact``: a key that equal texts share."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from winnowry.operators.buffers import as_text, utf8_buffers
from winnowry.operators.dedup.keys import DuplicateKeys, Keys
from winnowry.operators.text.nfc import to_nfc


def content_key(text: str) -> str:
    r"""The key of a text: 32 hexadecimal characters, the first 128 bits of SHA-256 over its normalised form.

    Normalised: Unicode NFC, lower case, each run of white space one space, none at the ends; punctuation stays.

    >>> content_key("Hello,  World\n") == content_key("hello, world")
    True
    >>> content_key("hello world") == content_key("hello, world")
    False
    """
    normalised = " ".join(to_nfc(text).lower().split())
    return hashlib.sha256(normalised.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class ExactDuplicates(DuplicateKeys):
    """Write the key by which the ``duplicates`` stage finds equal texts, across the whole corpus.

    Texts are equal when they differ only in case, white space or Unicode composition. There is no rule here: which
    record of a group stays can only be decided when all partitions are known.

    Writes ``content_key`` (string of 32 hexadecimal characters; null for a null text), or the name given by ``as``.
    """

    op: Literal["dedup.exact"] = "dedup.exact"

    def writes(self) -> pa.Schema:
        """``content_key``, string."""
        return pa.schema([pa.field(self.as_ or "content_key", pa.string())])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Compute the keys of n texts: :func:`content_key`, with all but the hash compiled."""
        from winnowry.operators.dedup.kernels.exact import lower_and_collapse, lower_table

        texts = as_text(batch.column("text"))
        buffers = utf8_buffers(texts)
        bounds, data, intricate = lower_and_collapse(buffers.offsets, buffers.data, lower_table())
        octets = data.data
        spelled = b"".join(
            [hashlib.sha256(octets[start:end]).digest()[:16] for start, end in pairwise(bounds.tolist())]
        ).hex()
        ends = np.arange(len(texts) + 1, dtype=np.int32) * 32
        validity = None if buffers.valid.all() else pa.array(buffers.valid).buffers()[1]
        keys = pa.Array.from_buffers(
            pa.string(), len(texts), [validity, pa.py_buffer(ends), pa.py_buffer(spelled.encode())]
        )
        others = intricate & buffers.valid
        if others.any():
            theirs = [content_key(texts[row].as_py()) for row in np.flatnonzero(others).tolist()]
            keys = pc.replace_with_mask(keys, pa.array(others), pa.array(theirs, pa.string()))
        return pa.record_batch([keys], schema=self.writes())

    def keys(self, column: pa.Array) -> Keys:
        """One key of two words, its first and its last 16 hexadecimal digits."""
        return key_words(column)

    def similarity(self, shared: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """1: they are equal."""
        return np.ones(len(shared), dtype=np.float64)


def key_words(column: pa.Array) -> Keys:
    """One key of two words for each of n strings of 32 hexadecimal digits: the first 16 of them and the last."""
    spelled = utf8_buffers(column)
    words = np.zeros((len(column), 2), dtype=np.uint64)
    known = np.flatnonzero(spelled.valid)
    places = spelled.offsets[:-1][known, None] + np.arange(32)
    nibbles = _NIBBLES[spelled.data[places]].reshape(-1, 16, 2)
    octets = nibbles[:, :, 0] << 4 | nibbles[:, :, 1]
    words[known] = np.ascontiguousarray(octets).view(">u8")
    return [(words[:, 0], words[:, 1])]


_NIBBLES = np.zeros(256, dtype=np.uint8)
_NIBBLES[np.frombuffer(b"0123456789abcdef", dtype=np.uint8)] = np.arange(16)
