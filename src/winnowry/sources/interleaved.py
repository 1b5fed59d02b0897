"""Interleaved documents: texts and pictures in one order, as OBELICS and MMC4 have them, in shards."""

from __future__ import annotations

import io
import tarfile
from typing import BinaryIO, ClassVar

from winnowry.records.kinds import INTERLEAVED, PICTURE_MARK
from winnowry.sources.base import ReadLimits, Record
from winnowry.sources.fields import described
from winnowry.sources.shards import Group, Shards, read_member
from winnowry.sources.tar_index import Member
from winnowry.sources.webdataset_parts import BadPartError, sidecar_fields

_KEY = "__key__"
_LISTS = ("texts", "images", "text_list", "image_info")
_TEXTS = ("texts", "text_list")
_Part = tuple[str, str]  # "text" and the text, or "image" and its name


class Interleaved(Shards):
    """Reads documents of texts and pictures in one order: the files of one key of a shard are one document.

    `KEY.json` says the order, in one of two forms:

    - two lists of one length, as OBELICS has them: `texts` with a text or null, `images` with a name or null;
    - `text_list` and `image_info` with `image_name` and `matched_text_index`, as MMC4 has them: each picture comes
      before the text that it matches, several in the order of their list.

    A picture is the file of its name in the shard, or of the extension that is its name (`0.jpg` is `KEY.0.jpg`). The
    text of the record is that of the document, parts parted by a blank line, with U+FFFC where a picture is; its bytes
    are a tar archive of the pictures in this order, a picture without a file as one of no byte. The list of
    pictures stays a field of the record. The shard and the key identify a document.
    """

    name: ClassVar[str] = "interleaved"

    @property
    def record_kind(self) -> str:
        """``interleaved``."""
        return INTERLEAVED.name

    def record_of(self, position: int, group: Group, shard: BinaryIO, limits: ReadLimits, *, in_place: bool) -> Record:
        """See :meth:`Shards.record_of`.

        Reasons: ``missing_part`` (no json), ``foreign_member``, ``name_twice_in_shard``, ``bad_json``, ``wrong_type``,
        ``bad_order`` (lists that do not fit together), ``over_long_record``.
        """
        if "" in group.parts:
            raise BadPartError("foreign_member", "no extension, so it is part of no record", "KEY.EXTENSION")
        if group.again:
            raise BadPartError("name_twice_in_shard", group.names, "each file once")
        if "json" not in group.parts:
            raise BadPartError("missing_part", f"no json; there is {group.names}", "KEY.json with the order")
        data = sidecar_fields(read_member(shard, group.parts["json"], limits.max_record_bytes))
        parts = _parts(data)
        names = [value for kind, value in parts if kind == "image"]
        members = [_member(group, name) for name in names]
        held = sum(member.size for member in members if member is not None)
        if held > limits.max_record_bytes:
            raise BadPartError("over_long_record", f"pictures of {held} bytes", str(limits.max_record_bytes))
        pictures = [
            b"" if member is None else read_member(shard, member, limits.max_record_bytes) for member in members
        ]
        text = "\n\n".join(PICTURE_MARK if kind == "image" else value for kind, value in parts)
        return Record(
            position,
            {**{name: value for name, value in data.items() if name not in _TEXTS}, _KEY: group.key},
            "application/x-tar",
            io.BytesIO(_archive(names, pictures)),
            text=text,
            key=group.key,
        )


def _parts(data: dict[str, object]) -> list[_Part]:
    """The texts and pictures of a document in their order; empty texts are none."""
    lists = {name: data[name] for name in _LISTS if data.get(name) is not None}
    for name, value in lists.items():
        if not isinstance(value, list):
            raise BadPartError("wrong_type", f"{name} is {described(value)}", "a list")
    texts, images = data.get("texts"), data.get("images")
    if isinstance(texts, list) and isinstance(images, list):
        if len(texts) != len(images):
            raise BadPartError("bad_order", f"{len(texts)} texts, {len(images)} images", "as many of both")
        parts = [part for text, image in zip(texts, images, strict=True) for part in (_text(text), _image(image))]
    elif "text_list" in lists and "image_info" in lists:
        parts = _matched(lists["text_list"], lists["image_info"])
    else:
        raise BadPartError(
            "bad_order", f"the json has {', '.join(sorted(data)) or 'nothing'}", " and ".join(_LISTS[:2])
        )
    return [part for part in parts if part is not None and part[1].strip()]


def _matched(texts: object, infos: object) -> list[_Part | None]:
    assert isinstance(texts, list)
    assert isinstance(infos, list)
    before: dict[int, list[_Part | None]] = {}
    for info in infos:
        at = info.get("matched_text_index") if isinstance(info, dict) else None
        if not isinstance(at, int) or isinstance(at, bool) or not 0 <= at < len(texts):
            raise BadPartError("bad_order", f"matched_text_index is {described(at)}", f"0 to {len(texts) - 1}")
        before.setdefault(at, []).append(_image(info.get("image_name")))
    return [part for at, text in enumerate(texts) for part in (*before.get(at, ()), _text(text))]


def _text(value: object) -> _Part | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadPartError("wrong_type", f"a text is {described(value)}", "text or null")
    return "text", value.replace(PICTURE_MARK, "")


def _image(value: object) -> _Part | None:
    if value is None:
        return None
    name = value.get("name") if isinstance(value, dict) else value
    if not isinstance(name, str):
        raise BadPartError("wrong_type", f"an image is {described(value)}", "a name or null")
    return "image", name


def _member(group: Group, name: str) -> Member | None:
    """The file of a picture, by its name or by its extension; None where there is none, or none that can be read."""
    wanted = name.rpartition("/")[2].lower()
    by_name = {member.name.rpartition("/")[2].lower(): member for member in group.parts.values()}
    member = group.parts.get(wanted) or by_name.get(wanted)
    return member if member is not None and member.obstacle is None else None


def _archive(names: list[str], pictures: list[bytes]) -> bytes:
    """A tar archive of pictures in their order, the same for the same pictures; names are cut to their last part."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in zip(names, pictures, strict=True):
            info = tarfile.TarInfo(name.rpartition("/")[2] or "image")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return written.getvalue()
