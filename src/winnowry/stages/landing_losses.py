"""What was lost on the way in: objects that were not read as a whole, and the records that ``landing`` refused.

A lost object is one row in a million if its records are all that is counted: here it counts as an object, with its
bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from winnowry.core.numbers import byte_size, counted
from winnowry.core.tables import UNPARTITIONED
from winnowry.lakehouse.view import TableView
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.lineage import live
from winnowry.recipe.model import Recipe

MAPPING = "source.map"
"""What refuses records that read well, for their fields."""

# Reasons that end an object, in rows written before ``unread`` said so.
_ENDS = re.compile(r"(bad|truncated)_(gzip|zstd|tar)|compression_ratio|bad_header|bad_member")
_TYPES = {"list": "a list", "dict": "an object", "int": "a number", "float": "a number", "bool": "true or false",
          "str": "text", "NoneType": "null", "bytes": "binary"}  # fmt: skip
_EXPECTED = {"string": "text"}


_GOES_ON = (MAPPING, "source.warc")  # a damaged member of a web archive costs only itself
_RECORDED = 20  # objects that are named
_SHOWN = 120  # characters of a value


@dataclass
class Refused:
    """Records of one source that were refused for one reason.

    Attributes:
        operator: what refused them.
        reason: snake_case code.
        rows: how many.
        value: what is there, of the first.
        threshold: what was expected, of the first.
        uri: object of the first.
        position: its place there.
    """

    operator: str
    reason: str
    rows: int
    value: str | None
    threshold: str | None
    uri: str | None
    position: int | None

    def words(self) -> str:
        """What is wrong, in words; the value is an example where the values differ."""
        value = (self.value or "")[:_SHOWN]
        expected = _EXPECTED.get(self.threshold or "", self.threshold)
        return (_of_field(self.reason, value) or self.reason + (f": {value}" if value else "")) + (
            f" (expected {expected})" if expected else ""
        )

    def place(self) -> str:
        """Where the first of them lies."""
        return f"{(self.uri or '').rsplit('/', 1)[-1]}, position {self.position}"


def _of_field(reason: str, value: str) -> str | None:
    """What is wrong with a field, where that is the reason: its value names the field, and may say what it is."""
    if not value or not (reason.startswith("missing_") or reason == "wrong_type"):
        return None
    name, separator, rest = value.partition(";")
    field, is_there, kind = name.rpartition(" is ")
    if is_there:
        kind = "list" if kind.startswith("list of ") else kind
        return f"field `{field}` is {_TYPES.get(kind, kind)}{separator}{rest}"
    if reason in ("missing_part", "missing_partition_part"):  # of a shard, of a path: no field
        return None
    return f"there is no field `{name}`{separator}{rest}"


@dataclass
class SourceLosses:
    """What became of the records of one source.

    Attributes:
        records: how many it holds, as far as it was read, but for those left out.
        usable: how many have a partition.
        refused: the others, by reason, the most frequent first.
        left_out: records that read well and are not what the source's options choose, by reason.
    """

    source: str
    records: int = 0
    usable: int = 0
    refused: list[Refused] = field(default_factory=list)
    left_out: list[Refused] = field(default_factory=list)

    @property
    def yields_nothing(self) -> bool:
        """Whether there are records, and none can be used."""
        return not self.usable and bool(self.records or self.left_out)

    def reasons(self) -> str:
        """Why records were refused, in words."""
        refused = self.refused if self.usable else self.refused + self.left_out
        if not refused:
            return "the reasons are in the quarantine"
        reasons = [one.words() if len(refused) == 1 else f"{one.rows:,} × {one.words()}" for one in refused]
        return f"{'; '.join(reasons)}; the first is {refused[0].place()}"

    def nothing_taken(self) -> str:
        """Says that every record was refused, and why."""
        n_records = self.records + sum(one.rows for one in self.left_out)
        could_be = "could be mapped" if all(one.operator == MAPPING for one in self.refused) else "could be read"
        if not self.refused and self.left_out:
            could_be = "is what its options choose"
        return f"source {self.source}: none of {counted(n_records, 'record')} {could_be}: {self.reasons()}"


@dataclass(frozen=True)
class UnreadObject:
    """An object that was not read as a whole.

    Attributes:
        uri: which one.
        source: of which source.
        size: bytes as stored.
        unread_bytes: of them, those that were not read; 0 where the object ends too early.
        n_usable: records of it that were taken.
        reason: ``operator: rule``.
    """

    uri: str
    source: str
    size: int
    unread_bytes: int
    n_usable: int
    reason: str

    @property
    def name(self) -> str:
        """Its name without the folders."""
        return self.uri.rsplit("/", 1)[-1] or self.uri

    def words(self, of_bytes: int) -> str:
        """Its name, its bytes, how much of it is lost, and why.

        Args:
            of_bytes: bytes of all objects.
        """
        size = f"{self.name} ({byte_size(self.size)}, {self.size / max(of_bytes, 1):.1%} of all bytes)"
        if not self.n_usable:
            lost = "nothing of it could be taken"
        elif self.unread_bytes:
            lost = f"{byte_size(self.unread_bytes)} of it were not read; {counted(self.n_usable, 'record')} taken"
        else:
            lost = f"not all of it could be read; {counted(self.n_usable, 'record')} taken"
        return f"{size}: {lost}: {self.reason}"


@dataclass(frozen=True)
class Losses:
    """All of it.

    Attributes:
        objects: how many there are.
        bytes: of all of them, as stored.
        unread: those that were not read as a whole, most bytes first.
        without_records: objects with bytes and no record at all.
        sources: by source, in order.
    """

    objects: int
    bytes: int
    unread: tuple[UnreadObject, ...]
    without_records: tuple[str, ...]
    sources: tuple[SourceLosses, ...]

    @property
    def unread_bytes(self) -> int:
        """Bytes that were not read."""
        return sum(item.unread_bytes for item in self.unread)

    def recorded(self) -> dict[str, Any]:
        """What the promotion records of it, for those who ask later: of objects the worst are named."""
        return {
            "objects": self.objects,
            "bytes": self.bytes,
            "unread_objects": len(self.unread),
            "unread_bytes": self.unread_bytes,
            "unread": [asdict(item) | {"words": item.words(self.bytes)} for item in self.unread[:_RECORDED]],
            "sources": [
                {
                    "source": source.source,
                    "records": source.records,
                    "refused": source.records - source.usable,
                    "left_out": sum(one.rows for one in source.left_out),
                    "reasons": {f"{refused.operator}: {refused.reason}": refused.rows for refused in source.refused},
                }
                for source in self.sources
            ],
        }


def usable(row: Mapping[str, Any]) -> int:
    """Records of an object that have a partition."""
    return sum(part["n_records"] for part in row["partitions"] or ())


def wanted(row: Mapping[str, Any]) -> int:
    """Records of an object, but for those that the options of its source leave out."""
    n_records: int = row["n_records"] - (row.get("left_out") or 0)
    return n_records


def refused_beside(row: Mapping[str, Any], n_records: int) -> float:
    """Refused records of an object that count in one of its partitions, to which it gave so many records.

    Nobody knows the partition of a refused record: an object's are divided as those that were taken.
    """
    refused: int = wanted(row) - usable(row)
    return n_records * refused / usable(row)


def losses(recipe: Recipe, rows: Sequence[Mapping[str, Any]], rejected: Iterable[TableView]) -> Losses:
    """What landing lost.

    Args:
        recipe: its sources say which records they leave out.
        rows: of the ``landing`` table.
        rejected: what holds the records that it refused.
    """
    sources: dict[str, SourceLosses] = {}
    source_of: dict[str, str] = {}
    for row in rows:
        own = sources.setdefault(row["source"], SourceLosses(row["source"]))
        own.records += wanted(row)
        own.usable += usable(row)
        source_of[row["uri"]] = row["source"]
    reasons: dict[tuple[str, str, str], Refused] = {}
    ends: dict[str, str] = {}
    names = ["operator", "reason", "value", "threshold", "uri", "position"]
    for view in rejected:
        for batch in view.scan(columns=names):
            for operator, reason, value, threshold, uri, position in zip(
                *(batch.column(name).to_pylist() for name in names), strict=True
            ):
                if uri not in source_of:
                    continue
                if operator not in _GOES_ON and _ENDS.fullmatch(reason):
                    ends[uri] = f"{operator}: {reason}"
                key = (source_of[uri], operator, reason)
                if key in reasons:
                    reasons[key].rows += 1
                else:
                    reasons[key] = Refused(operator, reason, 1, value, threshold, uri, position)
    selects_by = {source.name: source.options.selects_by for source in recipe.sources}
    for (source, _, reason), refused in sorted(reasons.items(), key=lambda item: -item[1].rows):
        own = sources[source]
        (own.left_out if reason in selects_by.get(source, ()) else own.refused).append(refused)
    unread = [
        UnreadObject(row["uri"], row["source"], row["size"], n_bytes, usable(row), reason)
        for row in rows
        for reason, n_bytes in [_unread(row, ends)]
        # An object that is lost with its whole source for what its records are: the source says so, and why.
        if reason is not None and (sources[row["source"]].usable or not reason.startswith(MAPPING))
    ]
    return Losses(
        objects=len(rows),
        bytes=sum(row["size"] for row in rows),
        unread=tuple(sorted(unread, key=lambda item: (-item.unread_bytes, item.n_usable, -item.size, item.uri))),
        without_records=tuple(row["uri"] for row in rows if row["size"] and not row["n_records"]),
        sources=tuple(sources.values()),
    )


def _unread(row: Mapping[str, Any], ends: Mapping[str, str]) -> tuple[str | None, int]:
    """Why an object was not read as a whole, and the bytes; of an older row as its refused records tell."""
    if row.get("unread") is not None:
        return row["unread"], row["unread_bytes"] or 0
    reason = ends.get(row["uri"]) if row.get("left_out") is None else None
    return (reason, 0 if usable(row) else row["size"]) if reason is not None else (None, 0)


def live_losses(ws: Workspace, recipe: Recipe) -> Losses | None:
    """What the live promotion of ``landing`` lost; None without one."""
    if live(ws, recipe, "landing") is None:
        return None
    rows = ws.lake.open(recipe.corpus, "landing").to_table().to_pylist()
    return losses(recipe, rows, [ws.lake.partition_view(recipe.corpus, "quarantine", UNPARTITIONED, "raw")])
