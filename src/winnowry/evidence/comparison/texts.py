"""Token ids of many documents, in files that every worker maps."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from winnowry.operators.scoring.ngram_tokens import encoded

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TokenFile:
    """Documents as token ids on disk: ``<path>.ids`` (int32), and ``<path>.npz`` with offsets and UTF-8 bytes.

    Attributes:
        path: without a suffix.
    """

    path: Path

    @cached_property
    def token_ids(self) -> Int32s:
        """Ids of all documents one after the other, mapped and not read."""
        size = self.path.with_suffix(".ids").stat().st_size
        if size == 0:
            return np.empty(0, np.int32)
        return np.memmap(self.path.with_suffix(".ids"), np.int32, "r")

    @cached_property
    def offsets(self) -> Int64s:
        """Document i is ``token_ids[offsets[i]:offsets[i + 1]]``; n + 1 of them."""
        offsets: Int64s = np.load(self.path.with_suffix(".npz"))["offsets"]
        return offsets

    @cached_property
    def n_bytes(self) -> Int64s:
        """UTF-8 bytes of each document."""
        n_bytes: Int64s = np.load(self.path.with_suffix(".npz"))["n_bytes"]
        return n_bytes

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Int64s:
        """Tokens of each document."""
        return np.diff(self.offsets)

    def gather(self, documents: npt.NDArray[np.integer]) -> tuple[Int32s, Int64s]:
        """Token ids and offsets of some documents, in the order given."""
        lengths = self.lengths[documents]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        ids = np.empty(int(offsets[-1]), np.int32)
        for place, document in enumerate(documents.tolist()):
            start, stop = self.offsets[document], self.offsets[document + 1]
            ids[offsets[place] : offsets[place + 1]] = self.token_ids[start:stop]
        return ids, offsets

    def __getstate__(self) -> dict[str, Path]:
        return {"path": self.path}


def write_tokens(path: Path, batches: Iterable[pa.Array]) -> TokenFile:
    """Encode texts and write their token ids.

    Args:
        path: without a suffix.
        batches: texts; a null is an empty document.
    """
    lengths: list[Int64s] = []
    n_bytes: list[Int64s] = []
    with path.with_suffix(".ids").open("wb") as out:
        for texts in batches:
            tokens = encoded(texts)
            tokens.token_ids.tofile(out)
            lengths.append(np.diff(tokens.offsets))
            n_bytes.append(tokens.n_bytes)
    whole = np.concatenate(lengths) if lengths else np.empty(0, np.int64)
    np.savez(
        path.with_suffix(".npz"),
        offsets=np.concatenate([[0], np.cumsum(whole)]).astype(np.int64),
        n_bytes=np.concatenate(n_bytes) if n_bytes else np.empty(0, np.int64),
    )
    return TokenFile(path)


def text_key(text: str) -> bytes:
    """Key of a text without regard to case and white space: two documents with one key say the same."""
    return hashlib.blake2b(" ".join(text.lower().split()).encode("utf-8", "replace"), digest_size=16).digest()


def batched(texts: Iterable[str], rows: int = 512) -> Iterator[pa.Array]:
    """Arrow arrays of so many texts."""
    held: list[str] = []
    for text in texts:
        held.append(text)
        if len(held) == rows:
            yield pa.array(held, pa.large_string())
            held = []
    if held:
        yield pa.array(held, pa.large_string())
