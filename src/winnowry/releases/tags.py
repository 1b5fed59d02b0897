"""Tags of releases: their numbers, and the tag that readers follow."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from getpass import getuser

from winnowry.core.errors import NotFoundError, TableFormatError
from winnowry.core.formats import damaged, from_bytes, made_from, to_bytes
from winnowry.lakehouse.barrier import barrier
from winnowry.lakehouse.record import WHOLE_TABLE, PromotionRecord
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.model import Recipe
from winnowry.stages.graph import ARRIVED

logger = logging.getLogger(__name__)


_TAG_LOOKS = 20  # at where a tag is, after moving it
_NO_RELEASE = (1 << 53) - 1  # versions before 0.2 move a held tag on to a release with a higher number: to none

RELEASES = "releases"
"""Folder of a corpus with what belongs to its releases, by number."""

CONTENT_VERSION = "content_version"
"""Fact of a release of parts of files: the version of ``raw`` that holds the files."""

NUMBERED = re.compile(r"v\d+")
"""What a release is called, and no other tag."""


@dataclass(frozen=True)
class Hold:
    """A tag that was put on an older release: it stays there, whatever is published, until somebody moves it.

    Attributes:
        tag: the tag, e.g. ``prod``.
        to: the release it stays on.
        since: when it was put there; None where that is not recorded.
        by: who did it; None where that is not recorded.
    """

    tag: str
    to: str
    since: datetime | None = None
    by: str | None = None

    def __str__(self) -> str:
        """In words, e.g. ``prod stays at v1 (rolled back 2026-01-02 12:00 UTC by jane)``."""
        when = f" {self.since:%Y-%m-%d %H:%M} UTC" if self.since is not None else ""
        who = f" by {self.by}" if self.by else ""
        return f"{self.tag} stays at {self.to} (rolled back{when}{who})"


def complete_release(
    ws: Workspace, recipe: Recipe, store: Callable[[Workspace, Recipe, PromotionRecord], None] | None = None
) -> None:
    """Give every promoted release its index and its number; the recipe's tag moves last.

    A re-run completes what a crash left out. A numbered tag points at the version that its promotion made or, where
    nothing else came between, at the one that an index was added to: readers of the tag have its point look-ups, and
    a rival release that lands meanwhile never gets another one's number.

    Args:
        ws: the lake.
        recipe: the recipe.
        store: stores what belongs to a release, before it has its number.
    """
    corpus = recipe.corpus
    promoted = [r for r in ws.lake.records(corpus).of("published", WHOLE_TABLE) if r.state == "promoted"]
    tags = ws.lake.tags(corpus)
    lost = ws.lake.tags_of_lost_versions(corpus)
    present = tags.keys() - lost
    without = [r for r in promoted if r.promoted_version is not None and f"v{r.facts['release']}" not in present]
    if without:
        ws.lake.ensure_index(corpus, "published")
        ws.lake.drop_empty_columns(corpus, "published", _columns_of_before(promoted))
    for record in sorted(without, key=lambda record: int(record.facts["release"])):
        assert record.promoted_version is not None
        barrier.reach("release:indexed")
        try:
            version = ws.lake.same_rows(corpus, "published", record.promoted_version)
        except NotFoundError:
            logger.warning("%s: version %s of release v%s was cleaned up before it got its tag; it has none",
                           corpus, record.promoted_version, record.facts["release"])  # fmt: skip
            continue
        if store is not None:
            store(ws, recipe, record)
        name = f"v{record.facts['release']}"
        known = [file for other in promoted for file in other.files]
        ws.lake.seals(corpus).seal_version(ws.lake.table(corpus, "published"), f"release {name}", version, known)
        _keep_contents(ws, record, name)
        if name in lost:  # of a version with an index: the rows that the release has are those of its promotion
            ws.lake.tag(corpus, "published", name, version)
        else:
            ws.lake.tag_once(corpus, "published", name, version)
    _move_tag(ws, corpus, recipe.publish.tag)


def _keep_contents(ws: Workspace, record: PromotionRecord, name: str) -> None:
    """Tag the version of ``raw`` that holds the files whose parts a release is: it stays as long as the release does.

    A version that is gone was written anew, without what was erased: the latest one has what is left of it.
    """
    version = record.facts.get(CONTENT_VERSION)
    if version is None:
        return
    corpus = record.corpus
    try:
        held = ws.lake.open(corpus, ARRIVED, int(version))
    except NotFoundError:
        held = ws.lake.open(corpus, ARRIVED)
    ws.lake.tag_once(corpus, ARRIVED, name, held.version)


def _columns_of_before(promoted: list[PromotionRecord]) -> list[str]:
    """Columns that earlier releases had by their recipes and the newest one has not: nothing fills them any more."""
    named = [
        (int(record.facts["release"]), set(record.lineage.get("spec", {}).get("columns", ()))) for record in promoted
    ]
    now = max(named, key=lambda release: release[0])[1]
    return sorted(set().union(*(columns for _, columns in named)) - now) if now else []


def _move_tag(ws: Workspace, corpus: str, tag: str) -> None:
    """Put a tag where it belongs: on the release it is held at, else on the newest one.

    Moving a tag is no compare-and-set, so each move is followed by another look: a slower process may have moved the
    tag back, or somebody has rolled it back.
    """
    for _ in range(_TAG_LOOKS):
        tags = ws.lake.tags(corpus)
        hold = hold_of(ws, corpus, tag, tags)
        to = hold.to if hold is not None else f"v{newest_release(tags)}"
        if to not in tags or tags.get(tag) == tags[to]:
            return
        barrier.reach("release:moving")
        ws.lake.tag(corpus, "published", tag, tags[to])


def _hold_uri(ws: Workspace, corpus: str, tag: str) -> str:
    return f"{ws.lake.corpus_uri(corpus)}/rollbacks/{tag}.json"


def put_tag(ws: Workspace, corpus: str, tag: str, to: str) -> Hold | None:
    """Put a tag on a release by hand: on an older one it is held, on the newest it follows the next ones again.

    Returns:
        The hold; None where the tag follows new releases.
    """
    tags = ws.lake.tags(corpus)
    newest = newest_release(tags)
    hold = None if to == f"v{newest}" else Hold(tag, to, datetime.now(UTC), _user())
    document = {
        "not_before": newest if hold is None else _NO_RELEASE,
        "to": to,
        "since": hold.since.isoformat() if hold is not None and hold.since is not None else None,
        "by": hold.by if hold is not None else None,
    }
    # Written first: a run that comes between the two must not move the tag forward again.
    ws.store.write(_hold_uri(ws, corpus, tag), to_bytes("rollback", document))
    ws.lake.tag(corpus, "published", tag, tags[to])
    return hold


def hold_of(ws: Workspace, corpus: str, tag: str, tags: Mapping[str, int]) -> Hold | None:
    """What holds a tag at an older release; None where it follows the newest.

    A rollback of a version before 0.2 says no time. It holds as well, as long as the tag is where it was put.

    Args:
        ws: the lake.
        corpus: the corpus.
        tag: the tag.
        tags: the tags as they are now.
    """
    uri = _hold_uri(ws, corpus, tag)
    if not ws.store.exists(uri):
        if f"{tag}.json" in ws.store.folders(uri.rpartition("/")[0]):
            raise TableFormatError(damaged("rollback", uri, "it is a folder, and a file belongs there"), damaged=True)
        return None
    document = from_bytes("rollback", uri, ws.store.read(uri)).content
    to, not_before, since = document["to"], document["not_before"], document.get("since")
    with made_from("rollback", uri):
        moment = datetime.fromisoformat(since) if since else None
    if to == f"v{not_before}":
        return None  # it was the newest release then
    if not_before < newest_release(tags) and tags.get(tag) != tags.get(to):
        return None  # an older version has moved the tag on
    return Hold(tag, to, moment, document.get("by"))


def holds(ws: Workspace, corpus: str) -> list[Hold]:
    """Every tag of a corpus that is held, by name."""
    tags = ws.lake.tags(corpus)
    movable = sorted(tag for tag in tags if not NUMBERED.fullmatch(tag))
    return [hold for tag in movable if (hold := hold_of(ws, corpus, tag, tags)) is not None]


def _user() -> str | None:
    """Name of the user of this process; None where the system knows none."""
    try:
        return getuser()
    except (KeyError, OSError, ImportError):
        return None


def next_release(ws: Workspace, corpus: str) -> int:
    """The number of the next release: above every one that was ever given, whatever has become of that release.

    A release may have lost its tag or its record, and the table may have been made again; readers have seen its number.
    """
    numbers = [newest_release(ws.lake.tags(corpus))]
    for record in ws.lake.records(corpus).of("published", WHOLE_TABLE):
        if record.state in ("committing", "promoted"):
            numbers.append(int(record.facts["release"]))
    documents = ws.store.folders(f"{ws.lake.corpus_uri(corpus)}/{RELEASES}")
    numbers += [int(name[1:]) for name in documents if NUMBERED.fullmatch(name)]
    return max(numbers) + 1


def left_behind(ws: Workspace, corpus: str) -> list[str]:
    """Tags that earlier forms of the recipe moved and the one of the newest release does not, in words.

    Each stays on the last release that it was moved to.
    """
    tags = ws.lake.tags(corpus)
    promoted = [r for r in ws.lake.records(corpus).of("published", WHOLE_TABLE) if r.state == "promoted"]
    followed = [
        str(record.lineage.get("spec", {}).get("publish", {}).get("tag", ""))
        for record in sorted(promoted, key=lambda record: int(record.facts["release"]))
    ]
    releases = {version: name for name, version in tags.items() if NUMBERED.fullmatch(name)}
    return [
        f"{tag} stays at {releases.get(tags[tag], f'version {tags[tag]}')} (the recipe moves {followed[-1]} now)"
        for tag in sorted(set(followed[:-1]) & set(tags) - set(followed[-1:]))
    ]


def newest_release(tags: Mapping[str, int]) -> int:
    """Highest number of a release among tags; 0 without any.

    >>> newest_release({"v2": 7, "v10": 9, "prod": 7})
    10
    """
    return max((int(name[1:]) for name in tags if NUMBERED.fullmatch(name)), default=0)
