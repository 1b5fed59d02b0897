"""What a store must be able to do, tried out: one winner of racing writes, and a clock near ours."""

from __future__ import annotations

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from weakref import WeakSet

from winnowry.core.errors import StorageError
from winnowry.storage.globs import escape
from winnowry.storage.objects import ObjectStore

_FOLDER = "winnowry-probe"


@dataclass(frozen=True)
class RaceResult:
    """Outcome of :func:`conditional_put_race`.

    Attributes:
        rounds: races run.
        writers: writers in each.
        winners: how many writers were told they won, one number a round.
        wrong_content: rounds after which the object held something else than a winner's data.
    """

    rounds: int
    writers: int
    winners: tuple[int, ...]
    wrong_content: int

    @property
    def is_atomic(self) -> bool:
        """Whether every race had exactly one winner, whose data is what is stored."""
        return all(count == 1 for count in self.winners) and not self.wrong_content


def conditional_put_race(store: ObjectStore, rounds: int = 10, writers: int = 8) -> RaceResult:
    """Let writers race ``write(if_absent=True)`` on one object, again and again.

    A store that lets two of them win loses commits silently: Lance commits by exactly this write.

    Args:
        store: where; objects are written below the root and removed.
        rounds: races.
        writers: threads in each.

    Raises:
        StorageError: a write failed for another reason.
    """
    folder = f"{_FOLDER}/{uuid.uuid4().hex}"
    counts, wrong = [], 0
    barrier = threading.Barrier(writers)

    def compete(uri: str, writer: int) -> bool:
        barrier.wait(timeout=60)
        return store.write(uri, str(writer).encode(), if_absent=True)

    with ThreadPoolExecutor(writers) as pool:
        for number in range(rounds):
            uri = f"{folder}/{number}"
            try:
                attempts = [pool.submit(compete, uri, writer) for writer in range(writers)]
                won = [str(writer).encode() for writer, attempt in enumerate(attempts) if attempt.result()]
                counts.append(len(won))
                wrong += bool(won) and store.read(uri) not in won
            finally:
                with suppress(StorageError):
                    store.delete(uri)
    return RaceResult(rounds, writers, tuple(counts), wrong)


_checked: WeakSet[ObjectStore] = WeakSet()
NEEDED = "use a store with conditional PUT (AWS S3, SeaweedFS, MinIO, Ceph) or a local folder"
"""What to do about a store that has none."""


def require_conditional_writes(store: ObjectStore) -> None:
    """Refuse an S3 store that ignores ``If-None-Match``, before anything is promoted on it; asked once of a store.

    Raises:
        StorageError: with one sentence that says so, or because the store cannot be written.
    """
    holder = store.at(store.root)
    if not store.root.startswith("s3://") or holder in _checked:
        return
    uri = f"{store.root}/{_FOLDER}/once-{uuid.uuid4().hex}"
    try:
        holder.write(uri, b"first", if_absent=True)
        ignored = holder.write(uri, b"second", if_absent=True) or holder.read(uri) != b"first"
    finally:
        with suppress(StorageError):
            holder.delete(uri)
    if ignored:
        raise StorageError(
            f"{store.root}: this store writes over an object in spite of If-None-Match, so that commits to it can be "
            f"lost silently, and nothing was promoted; {NEEDED}"
        )
    _checked.add(holder)


def store_time(store: ObjectStore) -> datetime:
    """What the store's clock says now, UTC: the time stamp of an object that was just written, as listings show it.

    Ages of objects are told by this clock alone; this machine's may be wrong by any amount.

    Raises:
        StorageError: the store cannot be written or listed.
    """
    uri = f"{_FOLDER}/clock-{uuid.uuid4().hex}"
    store.write(uri, b"")
    try:
        [info] = store.list(escape(uri))
    finally:
        store.delete(uri)
    return info.modified_at


def clock_skew_seconds(store: ObjectStore) -> float:
    """How far the store's clock is ahead of this machine's, in seconds; S3 time stamps have 1 s resolution.

    Raises:
        StorageError: the store cannot be written or listed.
    """
    before = time.time()
    stamp = store_time(store).timestamp()
    after = time.time()
    if before - 1 <= stamp <= after:
        return 0.0
    return stamp - after if stamp > after else stamp - before
