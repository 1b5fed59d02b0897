"""Who is at work on a corpus, so that an erasure and what writes rows do not meet.

A stage that read rows before they were erased would bring them back. So whoever writes leaves a note first and looks
for others then; of two that look at the same time, at least one sees the other. A note of a process that is gone counts
for nothing. Where its machine cannot be asked, it counts for a day.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from winnowry.core.errors import LakehouseError, NotFoundError, UsageError
from winnowry.core.formats import from_bytes, to_bytes
from winnowry.core.life import HOST, PROCESS, alive, process_tags
from winnowry.lakehouse.barrier import barrier
from winnowry.lakehouse.workspace import Workspace
from winnowry.storage.probe import store_time

logger = logging.getLogger(__name__)

FOLDER = "at_work"
_COUNTS_FOR = timedelta(hours=24)
_LOOK_AGAIN_S = 0.5
_PATIENCE_S = 600.0


@dataclass(frozen=True)
class Note:
    """What a process does.

    Attributes:
        uri: where the note lies.
        work: what it does, e.g. ``cleaned[2024]``.
        erases: whether it is an erasure.
        process: the process and its machine, in words.
        since: when it was written, UTC.
    """

    uri: str
    work: str
    erases: bool
    process: str
    since: datetime

    def __str__(self) -> str:
        return f"{self.work} ({self.process}, since {self.since:%Y-%m-%d %H:%M:%S} UTC)"


@contextmanager
def at_work(ws: Workspace, corpus: str, work: str) -> Iterator[None]:
    """Write to a corpus; waits while an erasure is at work on it.

    Args:
        ws: the lake.
        corpus: the corpus.
        work: what is done, for people.

    Raises:
        LakehouseError: the erasure took longer than ten minutes.
    """
    started = time.monotonic()
    announced = False
    while True:
        uri = _leave_note(ws, corpus, work, erases=False)
        try:
            erasure = next((note for note in others(ws, corpus, uri) if note.erases), None)
            if erasure is None:
                yield
                return
        finally:
            ws.store.delete(uri)
        if time.monotonic() - started > _PATIENCE_S:
            raise LakehouseError(
                f"{corpus}: {work} waited for ten minutes for {erasure}. Nothing was changed; run it again when that "
                "is done. Where it was cut off on another machine, finish it: winnowry erase " + corpus + " --yes"
            )
        if not announced:
            logger.warning("%s: %s waits for %s", corpus, work, erasure)
            announced = True
        time.sleep(_LOOK_AGAIN_S)


@contextmanager
def alone(ws: Workspace, corpus: str, work: str) -> Iterator[None]:
    """Erase from a corpus, while nothing else writes to it.

    Args:
        ws: the lake.
        corpus: the corpus.
        work: what is done, for people.

    Raises:
        UsageError: somebody is at work on it.
    """
    uri = _leave_note(ws, corpus, work, erases=True)
    try:
        barrier.reach("at-work:alone")
        busy = others(ws, corpus, uri)
        if busy:
            more = f", and {len(busy) - 1} more" if len(busy) > 1 else ""
            raise UsageError(
                f"{corpus}: {busy[0]} is at work on it{more}; it has read rows that are to be erased, and would bring "
                "them back. Nothing was changed. Wait until it is done, or stop it, and call this again"
            )
        yield
    finally:
        ws.store.delete(uri)


def others(ws: Workspace, corpus: str, own: str | None = None) -> list[Note]:
    """Notes that count; those of processes that are gone are removed.

    Args:
        ws: the lake.
        corpus: the corpus.
        own: URI of a note that is left out.
    """
    notes = []
    now: datetime | None = None
    for info in list(ws.store.list(f"{ws.lake.corpus_uri(corpus)}/{FOLDER}/*.json")):
        if info.uri == own:
            continue
        try:
            document = from_bytes("note of work", info.uri, ws.store.read(info.uri)).content
        except NotFoundError:  # it is done meanwhile
            continue
        lives = alive(document["process"])
        if lives is None:
            now = now or store_time(ws.store)
            lives = now - info.modified_at < _COUNTS_FOR
        if not lives:
            ws.store.delete(info.uri)
            continue
        tags = document["process"]
        process = f"process {tags[PROCESS].partition(':')[0]} on {tags[HOST].rpartition(':')[0]}"
        notes.append(Note(info.uri, document["work"], document["erases"], process, info.modified_at))
    return notes


def _leave_note(ws: Workspace, corpus: str, work: str, *, erases: bool) -> str:
    uri = f"{ws.lake.corpus_uri(corpus)}/{FOLDER}/{secrets.token_hex(8)}.json"
    document = {"work": work, "erases": erases, "process": process_tags()}
    ws.store.write(uri, to_bytes("note of work", document))
    return uri
