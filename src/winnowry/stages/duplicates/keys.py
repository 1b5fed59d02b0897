"""Keys of all records in files of their own, record by record, and the groups that equal keys make of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from winnowry.core.errors import DataError
from winnowry.lakehouse.view import TableView
from winnowry.operators.dedup.keys import DuplicateKeys, Verification

KEYS_AT_ONCE = 1 << 24
"""Keys sorted in memory at once, about 0.5 GiB; longer columns of keys are taken in ranges of their values."""

_FILE_BUFFER = 1 << 18

Words = npt.NDArray[np.uint64]
Groups = npt.NDArray[np.int32] | npt.NDArray[np.int64]


@dataclass(frozen=True)
class KeyFiles:
    """Keys of every record of a table, on disk.

    Attributes:
        n_records: records of the table.
        paths: for each operator, for each of its keys, the files of its words: uint64, one value a record in table
            order; 0 in the first word where a record has no such key.
        verifications: for each operator how near two of its codes must be; None where sharing a key is enough.
    """

    n_records: int
    paths: tuple[tuple[tuple[Path, ...], ...], ...]
    verifications: tuple[Verification | None, ...]

    def words(self, operator: int, key: int) -> tuple[Words, ...]:
        """The words of one key, mapped into memory rather than read."""
        if self.n_records == 0:
            return tuple(np.empty(0, dtype=np.uint64) for _ in self.paths[operator][key])
        return tuple(np.memmap(path, dtype=np.uint64, mode="r") for path in self.paths[operator][key])


def write_key_files(
    cleaned: TableView, operators: Sequence[DuplicateKeys], folder: Path, advance: Callable[[int], None]
) -> KeyFiles:
    """Decode the key columns of a table into files; no other column is read.

    Args:
        cleaned: the table.
        operators: whose keys.
        folder: where to write, 8 bytes a record for each word of a key.
        advance: told the records of each batch.
    """
    columns = [operator.key_column for operator in operators]
    paths = tuple(
        tuple(
            tuple(folder / f"{number}-{key}-{word}.u64" for word in range(len(words)))
            for key, words in enumerate(operator.keys(pa.array([], operator.writes().field(operator.key_column).type)))
        )
        for number, operator in enumerate(operators)
    )
    n = 0
    with ExitStack() as stack:
        files = {
            path: stack.enter_context(path.open("wb", buffering=_FILE_BUFFER))
            for keys in paths
            for words in keys
            for path in words
        }
        for batch in cleaned.scan(columns=columns):
            n += batch.num_rows
            for operator, column, keys in zip(operators, columns, paths, strict=True):
                for written, places in zip(operator.keys(batch.column(column)), keys, strict=True):
                    for word, path in zip(written, places, strict=True):
                        files[path].write(np.ascontiguousarray(word).data)
            advance(batch.num_rows)
    return KeyFiles(n, paths, tuple(operator.verification() for operator in operators))


def groups_of(files: KeyFiles, keys_at_once: int = KEYS_AT_ONCE) -> Groups:
    """The group of every record: records that share a key, or whose codes are near, and those linked by others.

    Union-find over record numbers: 4 bytes a record (8 from 2**31 records on), and ``keys_at_once`` keys. Codes are
    held all at once: about 40 bytes for each different one of 64 bits.

    Returns:
        For each record the smallest record number of its group, which is its own where it is alone.
    """
    from winnowry.operators.dedup.kernels.groups import flatten, link_equal

    n = files.n_records
    parent: Groups = np.arange(n, dtype=np.int32) if n < 2**31 else np.arange(n, dtype=np.int64)
    for operator, keys in enumerate(files.paths):
        near = files.verifications[operator]
        if near is not None:
            link_near_codes(files.words(operator, 0), near, parent)
            continue
        for key in range(len(keys)):
            words = files.words(operator, key)
            for rows in _ranges(words[0], keys_at_once):
                first, last = words[0][rows], words[-1][rows]
                link_equal(np.argsort(first, kind="stable"), rows, first, last, parent)
    flatten(parent)
    return parent


def link_near_codes(words: tuple[Words, ...], near: Verification, parent: Groups) -> None:
    """Unite the records whose codes are near; records of one code first, so that each code is looked for once."""
    from winnowry.operators.dedup.kernels.forest import unite_all
    from winnowry.operators.dedup.kernels.near import link_near, probes

    rows = np.flatnonzero(words[0])
    codes = np.stack([word[rows] for word in words[1:]], axis=1)
    order = np.lexsort(codes.T)
    rows, codes = rows[order], codes[order]
    new = np.ones(len(rows), dtype=bool)
    new[1:] = (codes[1:] != codes[:-1]).any(axis=1)
    first = rows[new]  # of each code the smallest record number: the sort is stable
    unite_all(parent, rows, np.repeat(first, np.diff(np.append(np.flatnonzero(new), len(rows)))))
    changes = probes(near.n_words, near.max_distance)
    link_near(np.ascontiguousarray(codes[new]), first, near.max_distance, changes, parent)


def _ranges(keys: Words, at_once: int) -> Iterator[npt.NDArray[np.int64]]:
    """Rows of keys that are not 0, all equal keys together; keys are hashes, so equal ranges hold equal numbers."""
    n_ranges = max(1, -(-len(keys) // at_once))
    bounds = [index * 2**64 // n_ranges for index in range(n_ranges)] + [2**64]
    for low, high in pairwise(bounds):
        ranges = [
            start + np.flatnonzero(_within(keys[start : start + at_once], max(low, 1), high))
            for start in range(0, len(keys), at_once)
        ]
        yield np.concatenate(ranges) if ranges else np.empty(0, dtype=np.int64)


def _within(keys: Words, low: int, high: int) -> npt.NDArray[np.bool_]:
    above = keys >= np.uint64(low)
    return above if high >= 2**64 else above & (keys < np.uint64(high))


def refuse_other_length(expected: int, length: int, uri: str) -> None:
    """Stop when two scans of one version disagree.

    Raises:
        DataError: they do, so that record numbers of the first mean nothing in the second.
    """
    if expected != length:
        raise DataError(
            f"{uri}: a second scan of the same version gave {length:,} records, the first {expected:,}; the files of "
            "this version were changed outside of winnowry. Nothing was promoted: restore them and run again."
        )
