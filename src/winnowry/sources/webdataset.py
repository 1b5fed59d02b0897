"""WebDataset: tar archives (*shards*) in which all files of one key are one record, such as a picture and its caption.

The key is the path up to the first dot of its last part; the rest is the extension. A shard is read by an index of its
headers, so the files of a key may lie anywhere in it.

Source: https://github.com/webdataset/webdataset, "The WebDataset Format".
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import BinaryIO, ClassVar, Literal, cast

from pydantic import Field, field_validator

from winnowry.records.kinds import kinds
from winnowry.sources.base import ReadLimits, Record, SourceFormat, Unreadable, unreadable
from winnowry.sources.compression import compression_of, decompressed
from winnowry.sources.fields import absent, described, value_at, without
from winnowry.sources.media_types import UNKNOWN
from winnowry.sources.streams import HEAD_BYTES, BrokenStreamError, first_bytes
from winnowry.sources.tar_index import Member, MemberBytes, TarIndex, tar_index
from winnowry.sources.webdataset_parts import (
    BadPartError,
    decoded_text,
    is_foreign,
    is_media,
    key_and_extension,
    sidecar_fields,
    small_text,
)

_OPERATOR = "source.webdataset"
_SPOOLED_BYTES = 8 << 30
_IN_MEMORY_BYTES = 32 << 20
_KEY = "__key__"
_DEFAULT_TEXT_FIELD = "text"
_CAPTION = "caption"
_LISTED = 8


@dataclass
class _Group:
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


class WebDataset(SourceFormat):
    """Reads shards: the files of one key are one record, with bytes (picture, sound, film) and a text beside them.

    The key of `a/b.c/0001.seg.png` is `a/b.c/0001`, its extension `seg.png`; extensions are read in lower case, and
    `./` before a path does not count. Where all names of a key have more dots and the last one gives whole records
    (`22.05.jpg`, `22.05.txt`, `22.06.jpg`, `22.06.txt`), the key ends there. The shard and the key identify a record:
    packed again in another order it is the same one.

    - The bytes are the file whose extension is one of the kind (`jpg`, `png`, … of images); what it really is is told
      from the bytes. `content` chooses where a record has several.
    - The text is `txt`, else the field `caption` (or `text`) of `json`; `fields: {text: FIELD}` chooses another field
      or another file (`fields: {text: en.txt}`).
    - The fields of `json` are fields of the record, and so are other small texts (`cls`), by extension. Of other files
      the record has name and size: `seg.png: {member: 0001.seg.png, bytes: 3120}`.

    Compressed shards are unpacked to a temporary file, of at most 8 GiB; their files are always copied.
    """

    name: ClassVar[str] = "webdataset"
    payload_kind: ClassVar[Literal["text", "blob"]] = "blob"
    carries_text: ClassVar[bool] = True
    selects_by: ClassVar[frozenset[str]] = frozenset({"foreign_member"})

    kind: str = Field(default="image", description="what the bytes of a record are: image, audio, video, document")
    payload: Literal["copied", "referenced"] = Field(
        default="copied",
        description="whether the lake holds the bytes (copied) or their place in the shard (referenced); a shard that "
        "moves or changes is noticed when it is read",
    )
    content: str | None = Field(
        default=None,
        min_length=1,
        description="extension of the file that is the record's bytes, e.g. `input.jpg`; unset: the one of the kind",
    )
    text: Literal["required", "optional"] = Field(
        default="required", description="whether a record without a text is quarantined; an empty text is one"
    )

    @field_validator("kind")
    @classmethod
    def _of_bytes(cls, value: str) -> str:
        known = [name for name, kind in kinds().items() if kind.carries == "blob"]
        if value not in known:
            raise ValueError(f"records have one of the kinds {', '.join(known)}; got {value!r}")
        return value

    @field_validator("content")
    @classmethod
    def _is_extension(cls, value: str | None) -> str | None:
        return value.lower().removeprefix(".") if value is not None else None

    @property
    def record_kind(self) -> str:
        """The kind that the source says."""
        return self.kind

    @property
    def by_reference(self) -> bool:
        """Whether the lake only notes where the bytes lie."""
        return self.payload == "referenced"

    def why_no_members(self) -> str | None:
        """The shard is the archive, and all of its files count."""
        return "webdataset reads the files of its shards itself; leave `members` out"

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`~winnowry.sources.base.Reader.read`.

        Positions count the keys, in the order in which they first appear; a file without an extension is one by itself.
        Reasons: ``missing_part``, ``empty_file``, ``name_twice_in_shard``, ``ambiguous_key`` (only files whose names
        have more dots), ``ambiguous_part``, ``not_a_file`` (links, devices), ``foreign_member`` (no extension),
        ``bad_json``, ``bad_utf8``, ``wrong_type``, ``over_long_record``, ``truncated_tar``, ``bad_tar``,
        ``over_long_archive`` and those of :class:`~winnowry.sources.streams.BrokenStreamError`.
        """
        with _plain(stream, limits) as (shard, broken):
            index = tar_index(shard)
            if broken is not None and index.fault is not None:
                index = replace(index, fault=replace(index.fault, reason=broken.reason, value=str(broken.value)))
            yield from self._records(shard, index, limits, in_place=shard is stream)
            if broken is not None and index.fault is None:
                yield _broken(len(self._groups(index)), broken)

    def _records(
        self, shard: BinaryIO, index: TarIndex, limits: ReadLimits, *, in_place: bool
    ) -> Iterator[Record | Unreadable]:
        groups = self._groups(index)
        fault = index.fault
        unsure = _unsure_key(index, groups)
        for position, (name, group) in enumerate(groups.items()):
            if fault is not None and name == unsure:
                continue
            yield self._record(position, group, shard, limits, in_place=in_place)
        if fault is not None:
            shard.seek(fault.offset)
            position = list(groups).index(unsure) if unsure is not None else len(groups)
            value = f"{unsure}: {fault.value}" if unsure is not None else fault.value
            yield unreadable(position, _OPERATOR, fault.reason, fault.payload, value, ends_object=True)

    def _groups(self, index: TarIndex) -> dict[str, _Group]:
        """The files of each key; those without an extension each by itself."""
        groups: dict[str, _Group] = {}
        for member in index.members:
            if is_foreign(member.name):
                continue
            key, extension = key_and_extension(member.name)
            groups.setdefault(key if extension else f"{key}\0{len(groups)}", _Group(key)).add(extension, member)
        if self.content is not None:
            return groups
        apart = {name: self._apart(group) or {name: group} for name, group in groups.items()}
        return {name: part for parts in apart.values() for name, part in parts.items()}

    def _apart(self, group: _Group) -> dict[str, _Group]:
        """The groups by the last dot of the names, where each of them is whole; none where they are not.

        Names with dots (`22.05.jpg`, `22.05.txt`, `22.06.jpg`) would else make one record of several.
        """
        media = [extension for extension in group.parts if is_media(self.kind, extension)]
        if not media or group.again or any("." not in extension for extension in group.parts):
            return {}
        parts: dict[str, _Group] = {}
        for extension, member in group.parts.items():
            middle, _, last = extension.rpartition(".")
            key = f"{group.key}.{middle}"
            parts.setdefault(key, _Group(key)).add(last, member)
        whole = all(sum(is_media(self.kind, last) for last in part.parts) == 1 for part in parts.values())
        return parts if whole else {}

    def _record(
        self, position: int, group: _Group, shard: BinaryIO, limits: ReadLimits, *, in_place: bool
    ) -> Record | Unreadable:
        try:
            content = self._content(group, shard)
            data = self._fields(group, content, shard, limits)
            text, data = self._text(group, data, shard, limits)
        except BadPartError as bad:
            value = f"{group.key}: {bad.value}"
            return unreadable(position, _OPERATOR, bad.reason, bad.payload, value, bad.threshold)
        return Record(
            position,
            {**data, _KEY: group.key},
            UNKNOWN,
            cast(BinaryIO, MemberBytes(shard, content)),
            text=text,
            key=group.key,
            place=(content.offset, content.size) if in_place else None,
        )

    def _content(self, group: _Group, shard: BinaryIO) -> Member:
        """The file that is the record's bytes."""
        if "" in group.parts:
            raise BadPartError("foreign_member", "no extension, so it is part of no record", "KEY.EXTENSION")
        if group.again:
            raise BadPartError("name_twice_in_shard", group.names, "each file once")
        odd = next((member for member in group.parts.values() if member.obstacle is not None), None)
        if odd is not None:
            raise BadPartError("not_a_file", f"{odd.name} is {odd.obstacle}", "a regular file")
        if self.content is not None:
            chosen = [self.content] if self.content in group.parts else []
        else:
            media = [extension for extension in group.parts if is_media(self.kind, extension)]
            chosen = [extension for extension in media if "." not in extension]
            if media and not chosen:
                raise BadPartError(
                    "ambiguous_key", group.names, "names of one dot, where the key ends; or `content: EXTENSION`"
                )
        if not chosen:
            wanted = f"{self.kind} ({self.content})" if self.content is not None else self.kind
            raise self._missing(group, wanted, self._story(group, shard))
        if len(chosen) > 1:
            raise BadPartError("ambiguous_part", group.names, "one of them; `content: EXTENSION` chooses")
        member = group.parts[chosen[0]]
        if member.size == 0:
            raise BadPartError("empty_file", f"{member.name} has no byte", None)
        return member

    def _missing(self, group: _Group, wanted: str, story: str = "") -> BadPartError:
        asked = f"{self.kind} and text" if self.text == "required" else self.kind
        return BadPartError("missing_part", f"no {wanted}; there is {group.names}{story}", asked)

    def _story(self, group: _Group, shard: BinaryIO) -> str:
        """What the sidecar says of a download that failed."""
        try:
            data = sidecar_fields(_read(shard, group.parts["json"], 1 << 20)) if "json" in group.parts else {}
        except BadPartError:
            return ""
        outcome = [str(data[name]) for name in ("status", "error_message") if isinstance(data.get(name), str)]
        return f"; status {': '.join(outcome)}" if outcome else ""

    def _fields(self, group: _Group, content: Member, shard: BinaryIO, limits: ReadLimits) -> dict[str, object]:
        """The fields of the sidecar, and every other file as a field: small texts whole, others by name and size."""
        data: dict[str, object] = {}
        if "json" in group.parts:
            data = sidecar_fields(_read(shard, group.parts["json"], limits.max_record_bytes))
        for extension, member in group.parts.items():
            if member is content or extension in ("json", "txt"):
                continue
            text = None if is_media(None, extension) else small_text(MemberBytes(shard, member), member.size)
            data[extension] = {"member": member.name, "bytes": member.size} if text is None else text
        return data

    def _text(
        self, group: _Group, data: dict[str, object], shard: BinaryIO, limits: ReadLimits
    ) -> tuple[str | None, dict[str, object]]:
        """The text of the record, and the fields without it."""
        plain = group.parts.get("txt")
        if plain is not None:
            data = {**data, "txt": decoded_text(_read(shard, plain, limits.max_record_bytes), plain.name)}
        if self.text_field != _DEFAULT_TEXT_FIELD:
            name = self.text_field
        else:
            name = next((n for n in ("txt", _CAPTION) if data.get(n) is not None), _DEFAULT_TEXT_FIELD)
        text = value_at(data, name)
        if text is None:
            if self.text == "required":
                wanted = f"text ({absent(data, name)})" if name != _DEFAULT_TEXT_FIELD else "text"
                raise self._missing(group, wanted)
            return None, data
        if not isinstance(text, str):
            raise BadPartError("wrong_type", f"{name} is {described(text)}", "text")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise BadPartError("bad_utf8", f"{name}: {error.reason} at character {error.start}", None) from None
        return text, without(data, name)


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


def _broken(position: int, broken: BrokenStreamError) -> Unreadable:
    return unreadable(
        position, _OPERATOR, broken.reason, broken.beginning, broken.value, broken.threshold, ends_object=True
    )


def _unsure_key(index: TarIndex, groups: dict[str, _Group]) -> str | None:
    """The key of which files may lie behind the place where the headers break off: that of the last file."""
    fault = index.fault
    if fault is None or fault.reason == "trailing_garbage":
        return None
    last = fault.name or (index.members[-1].name if index.members else "")
    held = {member.name: key for key, group in groups.items() for member in group.parts.values()}
    return held.get(last) or next((key for key in (key_and_extension(last)[0],) if key in groups), None)


def _read(shard: BinaryIO, member: Member, most: int) -> bytes:
    if member.size > most:
        raise BadPartError("over_long_record", f"{member.name} has {member.size} bytes", str(most))
    return MemberBytes(shard, member).read()
