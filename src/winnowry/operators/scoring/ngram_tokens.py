"""Texts as the token ids an n-gram model is trained on and scores."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from winnowry.operators.scoring.token_count import (
    _LONGEST_BLANK,
    TokenizerName,
    _decoded,
    _encoding,
    _pieces,
)

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class EncodedTexts:
    """Token ids of n texts.

    Attributes:
        token_ids: ids of all texts one after the other.
        offsets: text i is ``token_ids[offsets[i]:offsets[i + 1]]``, n + 1 of them.
        n_bytes: UTF-8 bytes of each text in Unicode NFC, which is what the ids spell.
    """

    token_ids: Int32s
    offsets: Int64s
    n_bytes: Int64s


def vocabulary_size(tokenizer: TokenizerName = "qwen") -> int:
    """Number of token ids; every byte is one of them, so no text is out of vocabulary.

    >>> vocabulary_size()
    151643
    """
    return _encoding(tokenizer).n_vocab


def encoded(texts: pa.Array, tokenizer: TokenizerName = "qwen") -> EncodedTexts:
    """Encode texts as :class:`~winnowry.operators.scoring.token_count.TokenCount` counts them.

    Args:
        texts: n strings; a null is an empty text, bytes that are not UTF-8 read U+FFFD.
        tokenizer: whose tokens.

    >>> tokens = encoded(pa.array(["Hello world", None]))
    >>> tokens.offsets.tolist(), tokens.n_bytes.tolist()
    ([0, 2, 2], [11, 0])
    """
    encoding = _encoding(tokenizer)
    parts: list[npt.NDArray[np.uint32]] = []
    lengths = np.zeros(len(texts) + 1, np.int64)
    n_bytes = np.zeros(len(texts), np.int64)
    for row, raw in enumerate(_decoded(texts)):
        if not raw:
            continue
        text = raw if raw.isascii() else unicodedata.normalize("NFC", raw).encode("utf-8", "replace").decode()
        n_bytes[row] = len(text.encode())
        for piece in [text] if len(text) < _LONGEST_BLANK else _pieces(text):
            ids = encoding.encode_to_numpy(piece)
            parts.append(ids)
            lengths[row + 1] += len(ids)
    token_ids = np.concatenate(parts).astype(np.int32) if parts else np.empty(0, np.int32)
    return EncodedTexts(token_ids, np.cumsum(lengths), n_bytes)


def token_bytes(token_id: int, tokenizer: TokenizerName = "qwen") -> bytes:
    """The bytes that a token id spells.

    >>> [token_bytes(int(token)) for token in encoded(pa.array(["Hello world"])).token_ids]
    [b'Hello', b' world']
    """
    token_bytes: bytes = _encoding(tokenizer).decode_single_token_bytes(token_id)
    return token_bytes
