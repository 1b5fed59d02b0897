"""Tags of releases: their numbers, and the tag that readers follow."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import NamedTuple

from winnowry.core.errors import NotFoundError
from winnowry.core.formats import from_bytes, to_bytes
from winnowry.lakehouse.barrier import barrier
from winnowry.lakehouse.record import WHOLE_TABLE
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.model import Recipe

logger = logging.getLogger(__name__)


_TAG_LOOKS = 20  # at where a tag is, after moving it


def complete_release(ws: Workspace, recipe: Recipe) -> None:
    """Give every promoted release its index and its number; the recipe's tag moves last.

    A re-run completes what a crash left out. A numbered tag points at the version that its promotion made or, where
    nothing else came between, at the one that an index was added to: readers of the tag have its point look-ups, and
    a rival release that lands meanwhile never gets another one's number.
    """
    corpus = recipe.corpus
    promoted = [r for r in ws.lake.records(corpus).of("published", WHOLE_TABLE) if r.state == "promoted"]
    tags = ws.lake.tags(corpus)
    without = [r for r in promoted if r.promoted_version is not None and f"v{r.facts['release']}" not in tags]
    if without:
        ws.lake.ensure_index(corpus, "published")
    for record in sorted(without, key=lambda record: int(record.facts["release"])):
        assert record.promoted_version is not None
        barrier.reach("release:indexed")
        try:
            version = ws.lake.same_rows(corpus, "published", record.promoted_version)
        except NotFoundError:
            logger.warning("%s: version %s of release v%s was cleaned up before it got its tag; it has none",
                           corpus, record.promoted_version, record.facts["release"])  # fmt: skip
            continue
        ws.lake.tag(corpus, "published", f"v{record.facts['release']}", version)
    _move_tag(ws, corpus, recipe.publish.tag)


def _move_tag(ws: Workspace, corpus: str, tag: str) -> None:
    """Move a tag to the newest release, unless a rollback holds it.

    Moving a tag is no compare-and-set, so each move is followed by another look: a slower process may have moved the
    tag back, or somebody has rolled it back.
    """
    has_moved_the_tag = False
    for _ in range(_TAG_LOOKS):
        tags = ws.lake.tags(corpus)
        newest = newest_release(tags)
        pin = _pin(ws, corpus, tag)
        if newest <= pin.not_before:
            if has_moved_the_tag and pin.to in tags:
                ws.lake.tag(corpus, "published", tag, tags[pin.to])
            return
        if tags.get(tag) == tags[f"v{newest}"]:
            return
        barrier.reach("release:moving")
        ws.lake.tag(corpus, "published", tag, tags[f"v{newest}"])
        has_moved_the_tag = True


class _Pin(NamedTuple):
    """A rollback: the tag stays at release ``to`` until one newer than ``not_before`` is promoted."""

    not_before: int = 0
    to: str = ""


def _pin_uri(ws: Workspace, corpus: str, tag: str) -> str:
    return f"{ws.lake.corpus_uri(corpus)}/rollbacks/{tag}.json"


def pin_release(ws: Workspace, corpus: str, tag: str, to: str) -> None:
    """Keep a tag at the release a rollback puts it on: only one newer than today's newest moves it on."""
    pin = _Pin(newest_release(ws.lake.tags(corpus)), to)
    ws.store.write(_pin_uri(ws, corpus, tag), to_bytes("rollback", pin._asdict()))


def _pin(ws: Workspace, corpus: str, tag: str) -> _Pin:
    uri = _pin_uri(ws, corpus, tag)
    if not ws.store.exists(uri):
        return _Pin()
    document = from_bytes("rollback", uri, ws.store.read(uri)).content
    return _Pin(document["not_before"], document["to"])


def newest_release(tags: Mapping[str, int]) -> int:
    """Highest number of a release among tags; 0 without any.

    >>> newest_release({"v2": 7, "v10": 9, "prod": 7})
    10
    """
    return max((int(name[1:]) for name in tags if re.fullmatch(r"v\d+", name)), default=0)
