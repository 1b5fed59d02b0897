"""WebDataset: tar archives (*shards*) in which all files of one key are one record, such as a picture and its caption.

The key is the path up to the first dot of its last part; the rest is the extension. A shard is read by an index of its
headers, so the files of a key may lie anywhere in it.

Source: https://github.com/webdataset/webdataset, "The WebDataset Format".
"""

from __future__ import annotations

from typing import BinaryIO, ClassVar, Literal, cast

from pydantic import Field, field_validator

from winnowry.records.kinds import INTERLEAVED, kinds
from winnowry.sources.base import ReadLimits, Record
from winnowry.sources.fields import absent, described, value_at, without
from winnowry.sources.media_types import UNKNOWN
from winnowry.sources.shards import Group, Shards, read_member
from winnowry.sources.tar_index import Member, MemberBytes
from winnowry.sources.webdataset_parts import (
    BadPartError,
    decoded_text,
    is_media,
    sidecar_fields,
    small_text,
)

_KEY = "__key__"
_DEFAULT_TEXT_FIELD = "text"
_CAPTION = "caption"


class WebDataset(Shards):
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
        known = [name for name, kind in kinds().items() if kind.carries == "blob" and kind != INTERLEAVED]
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

    def records_in(self, group: Group) -> dict[str, Group]:
        """The groups by the last dot of the names, where each of them is whole; none where they are not.

        Names with dots (`22.05.jpg`, `22.05.txt`, `22.06.jpg`) would else make one record of several.
        """
        media = [extension for extension in group.parts if is_media(self.kind, extension)]
        if (
            self.content is not None
            or not media
            or group.again
            or any("." not in extension for extension in group.parts)
        ):
            return {}
        parts: dict[str, Group] = {}
        for extension, member in group.parts.items():
            middle, _, last = extension.rpartition(".")
            key = f"{group.key}.{middle}"
            parts.setdefault(key, Group(key)).add(last, member)
        whole = all(sum(is_media(self.kind, last) for last in part.parts) == 1 for part in parts.values())
        return parts if whole else {}

    def record_of(self, position: int, group: Group, shard: BinaryIO, limits: ReadLimits, *, in_place: bool) -> Record:
        """See :meth:`Shards.record_of`.

        Reasons: ``missing_part``, ``empty_file``, ``name_twice_in_shard``, ``ambiguous_key`` (only files whose names
        have more dots), ``ambiguous_part``, ``not_a_file`` (links, devices), ``foreign_member`` (no extension),
        ``bad_json``, ``bad_utf8``, ``wrong_type``, ``over_long_record``; of the shard ``truncated_tar``, ``bad_tar``,
        ``over_long_archive`` and those of :class:`~winnowry.sources.streams.BrokenStreamError`.
        """
        content = self._content(group, shard)
        data = self._fields(group, content, shard, limits)
        text, data = self._text(group, data, shard, limits)
        return Record(
            position,
            {**data, _KEY: group.key},
            UNKNOWN,
            cast(BinaryIO, MemberBytes(shard, content)),
            text=text,
            key=group.key,
            place=(content.offset, content.size) if in_place else None,
        )

    def _content(self, group: Group, shard: BinaryIO) -> Member:
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

    def _missing(self, group: Group, wanted: str, story: str = "") -> BadPartError:
        asked = f"{self.kind} and text" if self.text == "required" else self.kind
        return BadPartError("missing_part", f"no {wanted}; there is {group.names}{story}", asked)

    def _story(self, group: Group, shard: BinaryIO) -> str:
        """What the sidecar says of a download that failed."""
        try:
            data = sidecar_fields(read_member(shard, group.parts["json"], 1 << 20)) if "json" in group.parts else {}
        except BadPartError:
            return ""
        outcome = [str(data[name]) for name in ("status", "error_message") if isinstance(data.get(name), str)]
        return f"; status {': '.join(outcome)}" if outcome else ""

    def _fields(self, group: Group, content: Member, shard: BinaryIO, limits: ReadLimits) -> dict[str, object]:
        """The fields of the sidecar, and every other file as a field: small texts whole, others by name and size."""
        data: dict[str, object] = {}
        if "json" in group.parts:
            data = sidecar_fields(read_member(shard, group.parts["json"], limits.max_record_bytes))
        for extension, member in group.parts.items():
            if member is content or extension in ("json", "txt"):
                continue
            text = None if is_media(None, extension) else small_text(MemberBytes(shard, member), member.size)
            data[extension] = {"member": member.name, "bytes": member.size} if text is None else text
        return data

    def _text(
        self, group: Group, data: dict[str, object], shard: BinaryIO, limits: ReadLimits
    ) -> tuple[str | None, dict[str, object]]:
        """The text of the record, and the fields without it."""
        plain = group.parts.get("txt")
        if plain is not None:
            data = {**data, "txt": decoded_text(read_member(shard, plain, limits.max_record_bytes), plain.name)}
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
