"""Finished units of work of a stage, kept beside its table until their rows are promoted.

A process that dies, or a gate that refuses, loses no finished unit: the next attempt with the same specification and
the same inputs reads its rows instead of computing them. A gate's threshold is no part of that specification. A unit
in which an operator crashed is not kept: what was missing, or broken, may be mended by the next attempt.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

import pyarrow as pa

from winnowry.core.errors import NotFoundError, PromotionConflictError, TableFormatError
from winnowry.engine.tasks import ChainResult
from winnowry.storage.objects import ObjectStore

Task = TypeVar("Task")

_FORMAT = 1


class KeptUnits:
    """The finished units of one stage and partition.

    Args:
        store: object store of the root.
        corpus_uri: folder of the corpus.
        stage: name of the stage.
        partition: partition key.
        key: digest of everything that the units' rows depend on.
        fresh: ignore what earlier attempts kept.
    """

    def __init__(
        self, store: ObjectStore, corpus_uri: str, stage: str, partition: str, key: str, *, fresh: bool = False
    ) -> None:
        self._store = store
        self._folder = f"{corpus_uri}/units/{stage}/{quote(partition, safe='')}"
        self._base = f"{self._folder}/{key}"
        self._names = set() if fresh else {info.uri.rsplit("/", 1)[1] for info in store.list(f"{self._base}/*")}
        self.reused = 0
        """Units that an earlier attempt had finished."""

    def results(
        self, tasks: Sequence[tuple[str, Task]], compute: Callable[[Iterator[Task]], Iterator[ChainResult]]
    ) -> Iterator[ChainResult]:
        """The result of every task, in order: kept ones are read, the others computed and kept.

        Args:
            tasks: each with a name that says which rows it is about.
            compute: gives results of tasks in order, taking tasks as it goes.

        Raises:
            PromotionConflictError: a rival has promoted the same rows meanwhile and removed the units.
        """
        computed = compute(task for name, task in tasks if name not in self._names)
        for name, _ in tasks:
            if name in self._names:
                self.reused += 1
                yield self._read(name)
                continue
            result = next(computed)
            if not result.errors:
                self._store.write(f"{self._base}/{name}", encode(result))
            yield result

    def _read(self, name: str) -> ChainResult:
        uri = f"{self._base}/{name}"
        try:
            return decode(self._store.read(uri), uri)
        except NotFoundError as error:
            raise PromotionConflictError(
                f"{uri} is gone: another run has promoted this partition, or upkeep removed what an earlier attempt "
                "left; run the stage again"
            ) from error

    def clear(self) -> None:
        """Remove the units of this stage and partition: their rows are promoted."""
        for info in list(self._store.list(f"{self._folder}/*/*")):
            self._store.delete(info.uri)


def remove_leftovers(
    store: ObjectStore, corpus_uri: str, before: datetime, *, dry_run: bool = False
) -> tuple[int, int]:
    """Remove units of attempts that nobody went on with; they hold copies of texts.

    An attempt that is still at work, and had finished a unit so long ago, starts over.

    Args:
        store: object store of the root.
        corpus_uri: folder of the corpus.
        before: units written earlier than this go, UTC.
        dry_run: only count them.

    Returns:
        Their number and their bytes.
    """
    old = [info for info in store.list(f"{corpus_uri}/units/**") if info.modified_at < before]
    if not dry_run:
        for info in old:
            store.delete(info.uri)
    return len(old), sum(info.size for info in old)


def encode(result: ChainResult) -> bytes:
    """A result as bytes: a line of JSON, then Arrow streams of the kept and of the rejected rows."""
    kept_rows = _stream([result.kept] if result.kept is not None else [])
    rejected = _stream(result.quarantined)
    head = {
        "format": _FORMAT,
        "kept": len(kept_rows),
        "rejected": len(rejected),
        "errors": result.errors,
        "rows": result.rows,
        "calls": result.calls,
    }
    return b"".join((json.dumps(head).encode(), b"\n", kept_rows, rejected))


def decode(data: bytes, uri: str) -> ChainResult:
    """The result that :func:`encode` wrote; no operator was called for it by this attempt.

    Raises:
        TableFormatError: another version of winnowry wrote it.
    """
    line, _, body = data.partition(b"\n")
    head: Mapping[str, Any] = json.loads(line)
    if head["format"] != _FORMAT:
        raise TableFormatError(
            f"{uri} has format {head['format']}, this version reads {_FORMAT}; remove the file, its rows are computed "
            "again"
        )
    kept_rows = _batches(body[: head["kept"]])
    rejected = _batches(body[head["kept"] : head["kept"] + head["rejected"]])
    return ChainResult(kept_rows[0] if kept_rows else None, rejected, head["errors"], head["rows"], {})


def _stream(batches: Sequence[pa.RecordBatch]) -> bytes:
    if not batches:
        return b""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return bytes(sink.getvalue())


def _batches(data: bytes) -> list[pa.RecordBatch]:
    return list(pa.ipc.open_stream(pa.py_buffer(data))) if data else []
