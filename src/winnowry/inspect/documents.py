"""The small files beside the tables of a corpus: which of them are damaged or gone, by name and in a sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from typing import NamedTuple
from urllib.parse import quote

from winnowry.columns.definitions import Definitions
from winnowry.core.errors import WinnowryError
from winnowry.core.formats import Kind, damaged, from_bytes, is_as_written
from winnowry.lakehouse.durable import is_folder
from winnowry.lakehouse.record import WHOLE_TABLE, PromotionRecord, landing_order
from winnowry.lakehouse.workspace import Workspace
from winnowry.releases.tags import hold_of
from winnowry.stages.fit import damaged_fits
from winnowry.stages.graph import Stage, all_stages

_KINDS: Mapping[str, Kind] = {
    "promotions/*/*/*.json": "promotion record",
    "fits/*/*.json": "fit",
    "rollbacks/*.json": "rollback",
    "columns/*/*.json": "column definition",
    "columns/*/*/*/*.json": "column file",
    "seals/*/*.json": "seal",
    "releases/*/recipe.json": "recipe of a release",
    "releases/*/facts.json": "facts of a release",
    "recipe.json": "corpus recipe",
    "erasures/*.json": "erasure",
    "tombstones/*.json": "tombstones",
    "stopped.json": "stopped automation",
}
"""Files of a corpus, and what each is."""

_REMADE = "the next run of its stage makes these rows again"


class DamagedDocument(NamedTuple):
    """A file beside the tables that is not as it was written.

    Attributes:
        name: the file below the corpus folder.
        message: a sentence that names it, and says what to do.
        is_gone: it is not there at all.
    """

    name: str
    message: str
    is_gone: bool = False


def count_documents(ws: Workspace, corpus: str) -> int:
    """Files beside the tables of a corpus that winnowry reads."""
    base = ws.lake.corpus_uri(corpus)
    return sum(1 for pattern in _KINDS for _ in ws.store.list(f"{base}/{pattern}"))


def damaged_documents(ws: Workspace, corpus: str) -> list[DamagedDocument]:
    """Files beside the tables of a corpus that are damaged or gone; every one is read."""
    base = ws.lake.corpus_uri(corpus)
    wrong: dict[str, tuple[str, bool]] = {}
    for pattern, kind in _KINDS.items():
        for uri, message in _unreadable(ws, base, pattern, kind):
            wrong[uri] = message, False
    for uri, message in _made_of_documents(ws, corpus):
        wrong.setdefault(uri, (message, False))
    for uri, message, is_gone in _recorded(ws, corpus):
        wrong.setdefault(uri, (message, is_gone))
    return [DamagedDocument(uri.removeprefix(f"{base}/"), *what) for uri, what in sorted(wrong.items())]


def _unreadable(ws: Workspace, base: str, pattern: str, kind: Kind) -> Iterator[tuple[str, str]]:
    """Files of a kind that cannot be read or hold something else than was written, and folders in their place."""
    for info in ws.store.list(f"{base}/{pattern}"):
        try:
            body = ws.store.read(info.uri)
            from_bytes(kind, info.uri, body)
        except WinnowryError as error:
            yield info.uri, str(error)
            continue
        if not is_as_written(body):
            yield info.uri, damaged(kind, info.uri, "it holds other values than were written")
    if not is_folder(base):
        return
    *above, last = pattern.split("/")
    places = [base]
    for part in above:
        places = [f"{place}/{name}" for place in places for name in ws.store.folders(place) if fnmatch(name, part)]
    for place in places:
        for name in ws.store.folders(place):
            if fnmatch(name, last):
                yield f"{place}/{name}", damaged(kind, f"{place}/{name}", "it is a folder, and a file belongs there")


def _made_of_documents(ws: Workspace, corpus: str) -> Iterator[tuple[str, str]]:
    """Files that can be read, and of which nothing can be made."""
    base = ws.lake.corpus_uri(corpus)
    for uri, record in ws.lake.records(corpus).readable():
        if isinstance(record, WinnowryError):
            yield uri, str(record)
    tags = ws.lake.tags(corpus)
    for info in ws.store.list(f"{base}/rollbacks/*.json"):
        try:
            hold_of(ws, corpus, info.uri.rpartition("/")[2].removesuffix(".json"), tags)
        except WinnowryError as error:
            yield info.uri, str(error)
    for table in ws.store.folders(f"{base}/columns"):
        try:
            Definitions(ws, corpus).of(table)
        except WinnowryError as error:
            yield str(error).partition(": ")[0], str(error)


def _recorded(ws: Workspace, corpus: str) -> Iterator[tuple[str, str, bool]]:
    """Fits that are not as the promotion of them says, and records of promotions whose rows are there."""
    base = ws.lake.corpus_uri(corpus)
    ids = set()
    fit: PromotionRecord | None = None
    for uri, record in ws.lake.records(corpus).readable():
        ids.add(uri.rpartition("/")[2].removesuffix(".json"))
        if isinstance(record, PromotionRecord) and record.stage == "fit" and record.state == "promoted":
            fit = record if fit is None or landing_order(record) > landing_order(fit) else fit
    if fit is not None:
        for uri, what in damaged_fits(ws, fit).items():
            yield uri, f"{what}; the next run of the stage `fit` makes it again", what.endswith("is gone")
    for stage in all_stages():
        try:
            for promotion, partition in sorted(_promotions_in(ws, corpus, stage).items()):
                if promotion not in ids:
                    uri = f"{base}/promotions/{stage.name}/{quote(partition, safe='')}/{promotion}.json"
                    what = f"the record of the promotion that wrote rows of {stage.name} is gone"
                    yield uri, f"{uri}: {what}; {_REMADE}", True
        except (WinnowryError, OSError, ValueError):
            continue  # a table that cannot be read is named as such


def _promotions_in(ws: Workspace, corpus: str, stage: Stage) -> dict[str, str]:
    """Promotions that wrote rows of a stage's table as it is now, with the partition of each."""
    table = ws.lake.table(corpus, stage.name)
    dataset = table.dataset_or_none()
    owners = table.owners(dataset).values() if dataset is not None else ()
    return {
        owner.promotion_id: owner.partition if stage.partitioned else WHOLE_TABLE
        for owner in owners
        if owner.promotion_id
    }
