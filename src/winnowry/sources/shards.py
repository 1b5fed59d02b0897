"""Shards: tar archives in which all files of one key are one record.

The key is the path up to the first dot of its last part; the rest is the extension. A shard is read by an index of its
headers, so the files of a key may lie anywhere in it.

Source: https://github.com/webdataset/webdataset, "The WebDataset Format".
"""

from __future__ import annotations

import tempfile
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import BinaryIO, ClassVar, Literal, cast

from winnowry.sources.base import ReadLimits, Record, SourceFormat, Unreadable, unreadable
from winnowry.sources.compression import compression_of, decompressed
from winnowry.sources.streams import HEAD_BYTES, BrokenStreamError, first_bytes
from winnowry.sources.tar_index import Member, MemberBytes, TarIndex, tar_index
from winnowry.sources.webdataset_parts import BadPartError, is_foreign, key_and_extension

_SPOOLED_BYTES = 8 << 30
_IN_MEMORY_BYTES = 32 << 20
_LISTED = 8


@dataclass
class Group:
    """The files of one key, by extension, and those whose extension is there already."""

    key: str
    parts: dict[str, Member] = field(default_factory=dict)
    again: list[Member] = field(default_factory=list)

    def add(self, extension: str, member: Member) -> None:
        """Take a file in."""
        if extension in self.parts:
            self.again.append(member)
        else:
            self.parts[extension] = member

    @property
    def names(self) -> str:
        """The files, by name."""
        names = [member.name for member in (*self.parts.values(), *self.again)]
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        return ", ".join(names[:_LISTED]) + more


class Shards(SourceFormat):
    """Base of formats whose objects are shards; a subclass makes a record of the files of a key."""

    payload_kind: ClassVar[Literal["text", "blob"]] = "blob"
    carries_text: ClassVar[bool] = True
    selects_by: ClassVar[frozenset[str]] = frozenset({"foreign_member"})

    @abstractmethod
    def record_of(self, position: int, group: Group, shard: BinaryIO, limits: ReadLimits, *, in_place: bool) -> Record:
        """The record of a key.

        Args:
            position: of the key.
            group: its files.
            shard: the archive, without its compression.
            limits: of a record.
            in_place: whether the shard is the object as it lies there, whose parts can be referred to.

        Raises:
            BadPartError: there is none.
        """

    def records_in(self, group: Group) -> dict[str, Group]:
        """The groups that the files of one key are, where they are several; none where they are one."""
        return {}

    def why_no_members(self) -> str | None:
        """The shard is the archive, and all of its files count."""
        return f"{self.name} reads the files of its shards itself; leave `members` out"

    @property
    def _operator(self) -> str:
        return f"source.{self.name}"

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`~winnowry.sources.base.Reader.read`.

        Positions count the keys, in the order in which they first appear; a file without an extension is one by itself.
        """
        with _plain(stream, limits) as (shard, broken):
            index = tar_index(shard)
            if broken is not None and index.fault is not None:
                index = replace(index, fault=replace(index.fault, reason=broken.reason, value=str(broken.value)))
            yield from self._records(shard, index, limits, in_place=shard is stream)
            if broken is not None and index.fault is None:
                yield self._broken(len(self._groups(index)), broken)

    def _records(
        self, shard: BinaryIO, index: TarIndex, limits: ReadLimits, *, in_place: bool
    ) -> Iterator[Record | Unreadable]:
        groups = self._groups(index)
        fault = index.fault
        unsure = _unsure_key(index, groups)
        for position, (name, group) in enumerate(groups.items()):
            if fault is not None and name == unsure:
                continue
            try:
                yield self.record_of(position, group, shard, limits, in_place=in_place)
            except BadPartError as bad:
                value = f"{group.key}: {bad.value}"
                yield unreadable(position, self._operator, bad.reason, bad.payload, value, bad.threshold)
        if fault is not None:
            shard.seek(fault.offset)
            position = list(groups).index(unsure) if unsure is not None else len(groups)
            value = f"{unsure}: {fault.value}" if unsure is not None else fault.value
            yield unreadable(position, self._operator, fault.reason, fault.payload, value, ends_object=True)

    def _groups(self, index: TarIndex) -> dict[str, Group]:
        """The files of each key; those without an extension each by itself."""
        groups: dict[str, Group] = {}
        for member in index.members:
            if is_foreign(member.name):
                continue
            key, extension = key_and_extension(member.name)
            groups.setdefault(key if extension else f"{key}\0{len(groups)}", Group(key)).add(extension, member)
        apart = {name: self.records_in(group) or {name: group} for name, group in groups.items()}
        return {name: part for parts in apart.values() for name, part in parts.items()}

    def _broken(self, position: int, broken: BrokenStreamError) -> Unreadable:
        return unreadable(
            position, self._operator, broken.reason, broken.beginning, broken.value, broken.threshold, ends_object=True
        )


@contextmanager
def _plain(stream: BinaryIO, limits: ReadLimits) -> Iterator[tuple[BinaryIO, BrokenStreamError | None]]:
    """The shard without its compression, and why it breaks off, if it does; a plain one is the stream itself."""
    if stream.seekable():
        head = first_bytes(stream, HEAD_BYTES)
        stream.seek(0)
        if compression_of(head) is None:
            yield stream, None
            return
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES, prefix="winnowry-shard-") as spool:
        broken: BrokenStreamError | None = None
        try:
            for chunk in decompressed(stream, limits):
                spool.write(chunk)
                if spool.tell() > _SPOOLED_BYTES:
                    raise BrokenStreamError(
                        "over_long_archive", f"more than {_SPOOLED_BYTES} bytes unpacked", "a plain tar archive"
                    )
        except BrokenStreamError as error:
            broken = error
        yield cast(BinaryIO, spool), broken


def _unsure_key(index: TarIndex, groups: dict[str, Group]) -> str | None:
    """The key of which files may lie behind the place where the headers break off: that of the last file."""
    fault = index.fault
    if fault is None or fault.reason == "trailing_garbage":
        return None
    last = fault.name or (index.members[-1].name if index.members else "")
    held = {member.name: key for key, group in groups.items() for member in group.parts.values()}
    return held.get(last) or next((key for key in (key_and_extension(last)[0],) if key in groups), None)


def read_member(shard: BinaryIO, member: Member, most: int) -> bytes:
    """The bytes of a file.

    Raises:
        BadPartError: it has more than ``most``.
    """
    if member.size > most:
        raise BadPartError("over_long_record", f"{member.name} has {member.size} bytes", str(most))
    return MemberBytes(shard, member).read()
