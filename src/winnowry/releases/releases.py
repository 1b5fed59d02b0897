"""Releases of a corpus: tagged versions of ``published``; what differs between two, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from winnowry.core.errors import NotFoundError, UsageError
from winnowry.lakehouse.record import WHOLE_TABLE
from winnowry.reading.session import Tables, session
from winnowry.records.kinds import sized_by
from winnowry.releases.changes import (
    GateChange,
    PartitionChange,
    ScoreChange,
    SourceChange,
    gate_changes,
    membership_changes,
    score_changes,
    source_changes,
)
from winnowry.releases.erased import Erasure, erased_of, erasures
from winnowry.releases.model import Release
from winnowry.releases.recipes import recipe_of
from winnowry.releases.tags import NUMBERED, put_tag
from winnowry.stages.graph import DRAWN, LEFT_OUT, PUBLISHED

if TYPE_CHECKING:
    from winnowry.lakehouse.record import PromotionRecord
    from winnowry.lakehouse.workspace import Workspace

_SIZED = frozenset({"size_old", "size_new", "unit"})
_KNOW_WHY = (DRAWN, LEFT_OUT, "quarantine")  # tables that say today why a record left


@dataclass(frozen=True)
class ReleaseDiff:
    """What differs between two releases of a corpus.

    Attributes:
        kept: records in both.
        changed_fraction: records that entered or left, over the records of the old release; None when it was empty.
        recipe_changes: one line a changed parameter or operator version, by stage.
        added_examples: some ids that entered.
        removed_reasons: records that left by what the tables say of them today.
        sources: records and tokens by source.
        scores: mean and median of every number column.
        gates: expectations whose verdict differs.
        recipe_of_stages: a release has no stored recipe; what the promotion records of its stages name was compared.
        size_old: size of the old release, where its records are no texts.
        size_new: size of the new one.
        unit: what the sizes are counted in, e.g. ``pixels``.
    """

    corpus: str
    old: str
    new: str
    rows_old: int
    rows_new: int
    added: int
    removed: int
    kept: int
    changed_fraction: float | None
    tokens_old: int | None
    tokens_new: int | None
    partitions: tuple[PartitionChange, ...]
    recipe_changes: tuple[str, ...]
    added_examples: tuple[str, ...] = field(default=())
    removed_examples: tuple[str, ...] = field(default=())
    removed_reasons: Mapping[str, int] = field(default_factory=dict)
    sources: tuple[SourceChange, ...] = ()
    scores: tuple[ScoreChange, ...] = ()
    gates: tuple[GateChange, ...] = ()
    recipe_of_stages: bool = False
    size_old: int | None = None
    size_new: int | None = None
    unit: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The difference as data; sizes and their unit only where the records are no texts."""
        return {name: value for name, value in asdict(self).items() if self.unit is not None or name not in _SIZED}


@dataclass(frozen=True)
class Rollback:
    """A tag that was moved.

    Attributes:
        before: release the tag was on; None when it was on none.
        after: release it is on now.
        held: it stays there, whatever is published; False on the newest release, from where it follows the next ones.
    """

    corpus: str
    tag: str
    before: str | None
    after: str
    version: int
    held: bool


def releases(ws: Workspace, corpus: str) -> list[Release]:
    """Releases of a corpus, newest first.

    Raises:
        NotFoundError: no such corpus, or nothing is published.
    """
    tags = _tags(ws, corpus)
    history = _history(ws, corpus)
    numbered = sorted((tag for tag in tags if NUMBERED.fullmatch(tag)), key=_number, reverse=True)
    return [_read(ws, corpus, name, tags, history) for name in numbered]


def find_release(ws: Workspace, corpus: str, name: str) -> Release:
    """A release by its numbered name or any other tag.

    Raises:
        NotFoundError: there is none.
    """
    tags = _tags(ws, corpus)
    same = [numbered for numbered in tags if NUMBERED.fullmatch(numbered) and tags[numbered] == tags.get(name)]
    if same:
        return _read(ws, corpus, name if name in same else max(same, key=_number), tags)
    # The newest release comes first, each followed by the other tags on it.
    names = sorted(tags, key=lambda tag: (-tags[tag], not NUMBERED.fullmatch(tag), tag))
    near = get_close_matches(name, names, n=1)
    hint = f"; did you mean {near[0]}?" if near else "."
    raise NotFoundError(f"{corpus} has no release {name!r}{hint} There are: {', '.join(names)}")


def newest(ws: Workspace, corpus: str) -> Release:
    """The newest release of a corpus.

    Raises:
        NotFoundError: no such corpus, or nothing is published.
    """
    tags = _tags(ws, corpus)
    return _read(ws, corpus, max((tag for tag in tags if NUMBERED.fullmatch(tag)), key=_number), tags)


def release_before(ws: Workspace, release: Release) -> Release | None:
    """The release that this one followed; None for the first, and where no older one has a tag."""
    tags = _tags(ws, release.corpus)
    older = [tag for tag in tags if NUMBERED.fullmatch(tag) and _number(tag) < _number(release.name)]
    return _read(ws, release.corpus, max(older, key=_number), tags) if older else None


def release_diff(ws: Workspace, corpus: str, old: str, new: str) -> ReleaseDiff:
    """Compare two releases by record id; reads ids and narrow columns, never text.

    Raises:
        NotFoundError: one of them is not there.
    """
    first, second = find_release(ws, corpus, old), find_release(ws, corpus, new)
    old_view = ws.lake.open(corpus, PUBLISHED, first.version)
    new_view = ws.lake.open(corpus, PUBLISHED, second.version)
    present = ws.lake.tables(corpus)
    views = {name: ws.lake.open(corpus, name) for name in _KNOW_WHY if name in present}
    with session(Tables(views={**views, PUBLISHED: new_view}, records={})) as opened:
        apart = membership_changes(opened, old_view)
    changed = apart.added + apart.removed
    return ReleaseDiff(
        corpus=corpus,
        old=first.name,
        new=second.name,
        rows_old=first.rows,
        rows_new=second.rows,
        added=apart.added,
        removed=apart.removed,
        kept=second.rows - apart.added,
        changed_fraction=changed / first.rows if first.rows else None,
        tokens_old=first.tokens,
        tokens_new=second.tokens,
        size_old=first.size,
        size_new=second.size,
        unit=second.unit or first.unit,
        partitions=apart.partitions,
        recipe_changes=tuple(recipe_changes(ws, corpus, first, second)),
        recipe_of_stages=recipe_of(ws, first) is None or recipe_of(ws, second) is None,
        added_examples=apart.added_examples,
        removed_examples=apart.removed_examples,
        removed_reasons=apart.removed_reasons,
        sources=tuple(source_changes(old_view, new_view)),
        scores=tuple(score_changes(old_view, new_view)),
        gates=tuple(gate_changes(ws, corpus, first.promotion_id, second.promotion_id)),
    )


def rollback(ws: Workspace, corpus: str, to: str, tag: str | None = None) -> Rollback:
    """Point a tag at a release; no data is written or removed, readers of the tag see it at once.

    On an older release the tag is held: runs make new releases and leave it where it is. Put on the newest release, it
    follows the next ones again.

    Args:
        ws: the lake.
        corpus: the corpus.
        to: release to go back to, e.g. ``v2``.
        tag: tag to move; the only one that is not numbered when None.

    Raises:
        NotFoundError: no such release or tag.
        UsageError: several tags could be meant, or the tag is a release's own.
    """
    target = find_release(ws, corpus, to)
    movable = {name: version for name, version in _tags(ws, corpus).items() if not NUMBERED.fullmatch(name)}
    if tag is None:
        if len(movable) != 1:
            raise UsageError(f"{corpus} has the tags {', '.join(sorted(movable)) or '(none)'}: say which")
        tag = next(iter(movable))
    if NUMBERED.fullmatch(tag):
        raise UsageError(f"{tag} is a release's own name and never moves; move a tag such as prod")
    if tag not in movable:
        near = get_close_matches(tag, movable, n=1)
        hint = f"; did you mean {near[0]}? There are" if near else "; there are"
        raise NotFoundError(f"{corpus} has no tag {tag!r}{hint}: {', '.join(sorted(movable)) or 'none'}")
    before = next((r.name for r in releases(ws, corpus) if r.version == movable[tag]), None)
    hold = put_tag(ws, corpus, tag, target.name)
    return Rollback(corpus, tag, before, target.name, target.version, hold is not None)


def _number(name: str) -> int:
    return int(name[1:])


@dataclass(frozen=True)
class _History:
    """What is known of the releases of a corpus beside their rows.

    Attributes:
        promoted: promotions of releases by the version their numbered tag points at.
        erasures: what was erased since.
    """

    promoted: Mapping[int, PromotionRecord]
    erasures: list[Erasure]


def _history(ws: Workspace, corpus: str) -> _History:
    return _History(_published_records(ws, corpus), erasures(ws, corpus))


def _read(ws: Workspace, corpus: str, name: str, tags: Mapping[str, int], history: _History | None = None) -> Release:
    """A release by its numbered name, which is one of ``tags``."""
    history = _history(ws, corpus) if history is None else history
    version = tags[name]
    others = tuple(sorted(tag for tag, at in tags.items() if at == version and not NUMBERED.fullmatch(tag)))
    erased = erased_of(corpus, history.erasures, name) or None
    release = _release(ws, corpus, name, version, others, history.promoted.get(version))
    return replace(release, erased=erased)


def _tags(ws: Workspace, corpus: str) -> dict[str, int]:
    ws.lake.check_corpus(corpus)
    tags = ws.lake.tags(corpus)
    if not any(NUMBERED.fullmatch(name) for name in tags):
        if lost := ws.lake.missing_tags(corpus):
            raise NotFoundError(f"{corpus}: the tags of its releases are gone ({', '.join(lost)}); winnowry run makes "
                                "them again")  # fmt: skip
        raise NotFoundError(f"{corpus} has no release yet; winnowry run makes one")
    return tags


def _published_records(ws: Workspace, corpus: str) -> dict[int, PromotionRecord]:
    """Promotions of releases by the version their numbered tag points at."""
    tags = ws.lake.tags(corpus)
    return {
        tags[f"v{record.facts['release']}"]: record
        for record in ws.lake.records(corpus).of(PUBLISHED, WHOLE_TABLE)
        if record.state == "promoted" and f"v{record.facts['release']}" in tags
    }


def _release(
    ws: Workspace, corpus: str, name: str, version: int, tags: tuple[str, ...], record: PromotionRecord | None
) -> Release:
    view = ws.lake.open(corpus, PUBLISHED, version)
    kind = sized_by(view.schema.names)
    size = None
    if kind is not None:
        total = view.sql(f"SELECT COALESCE(SUM({kind.size_column}), 0) AS n FROM dataset").to_pylist()[0]["n"]
        size = int(total) // kind.sizes_per_unit
    history: dict[str, Any] = {}
    if record is not None:
        at = record.promoted_at or record.created_at
        history = {
            "created_at": datetime.fromtimestamp(at, UTC),
            "promotion_id": str(record.id),
            "run_id": record.lineage.get("run_id"),
            "data_hash": record.lineage.get("recipe", {}).get("data_hash"),
            "rows_added": record.facts.get("rows_added"),
            "rows_removed": record.facts.get("rows_removed"),
            "missing_partitions": tuple(record.lineage.get("missing_partitions", ())),
            "stale_partitions": tuple(record.lineage.get("stale_partitions", ())) or None,
            "left_out_partitions": tuple(record.lineage.get("left_out_partitions", ())) or None,
        }
    if kind is not None and not kind.in_tokens:
        history |= {"size": size, "unit": kind.unit}
    tokens = size if kind is not None and kind.in_tokens else None
    return Release(corpus, name, version, tags, view.count_rows(), tokens, **history)


def recipe_changes(ws: Workspace, corpus: str, old: Release, new: Release) -> list[str]:
    """What differs between the recipes of two releases, one line a key or parameter.

    Of a release without a stored recipe, the specifications are compared that the promotion records of its stages name.
    """
    from winnowry.recipe.diff import diff_specs

    recipes = recipe_of(ws, old), recipe_of(ws, new)
    if recipes[0] is not None and recipes[1] is not None:
        return diff_specs(recipes[0].spec, recipes[1].spec)
    records = list(ws.lake.records(corpus).all())
    before, after = _specs(records, old), _specs(records, new)
    return [
        f"{stage}: {line}"
        for stage in dict.fromkeys([*before, *after])
        for line in diff_specs(before.get(stage, {}), after.get(stage, {}))
    ]


def _specs(records: list[PromotionRecord], release: Release) -> dict[str, dict[str, Any]]:
    """Specification of every stage upstream of a release, followed through the data versions of its inputs.

    Promotions of different specifications can write the same data version, e.g. of a partition without duplicates. So
    the inputs that the release itself names come first, and of several promotions the newest one before the release.
    """
    own = next((record for record in records if record.id == release.promotion_id), None)
    if own is None:
        return {}
    wrote: dict[tuple[str, str], PromotionRecord] = {}
    for record in sorted(records, key=lambda record: record.promoted_at or 0.0):
        if record.state == "promoted" and (record.promoted_at or 0.0) <= (own.promoted_at or 0.0):
            wrote.update({(record.stage, version): record for version in record.outputs.values()})
    specs: dict[str, dict[str, Any]] = {own.stage: own.lineage.get("spec", {})}
    todo = [own]
    for record in todo:
        for key, version in sorted(record.lineage.get("inputs", {}).items()):
            upstream = wrote.get((key.split("/", 1)[0], version))
            if upstream is not None and upstream.stage not in specs:
                specs[upstream.stage] = upstream.lineage.get("spec", {})
                todo.append(upstream)
    return specs
