"""The files of a WebDataset record: which record they are part of, and what each says."""

from __future__ import annotations

import codecs
import json
from typing import BinaryIO

import orjson

from winnowry.core.jsonable import exact_json
from winnowry.sources.fields import described
from winnowry.sources.tar_index import MemberBytes

_BY_KIND = {
    "image": ("jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "tif", "tiff", "bmp", "avif", "heic", "heif", "jp2",
              "jxl", "ppm", "pgm", "pbm", "pnm", "ico", "image", "img"),
    "audio": ("wav", "flac", "mp3", "ogg", "oga", "opus", "m4a", "aac", "wma", "aif", "aiff", "sph", "amr", "audio"),
    "video": ("mp4", "m4v", "mkv", "webm", "mov", "avi", "mpg", "mpeg", "ts", "flv", "3gp", "ogv", "wmv", "video"),
    "document": ("pdf", "djvu", "epub"),
}  # fmt: skip
_MEDIA = frozenset(extension for extensions in _BY_KIND.values() for extension in extensions)
_TEXTS = frozenset(
    {"txt", "json", "jsonl", "cls", "cls2", "cap", "caption", "text", "transcript", "id", "inx", "index"}
)
_FOREIGN_FOLDERS = frozenset({"__MACOSX", "PaxHeader"})
_FOREIGN_FILES = frozenset({"thumbs.db", "desktop.ini"})
_SMALL_TEXT_BYTES = 64 << 10
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
          (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip


class BadPartError(Exception):
    """A file of a record that cannot be used as what it should be.

    Args:
        reason: snake_case code.
        value: what is there.
        threshold: what was expected.
        payload: the beginning of the file.
    """

    def __init__(self, reason: str, value: str, threshold: str | None = None, payload: bytes = b"") -> None:
        self.reason, self.value, self.threshold, self.payload = reason, value, threshold, payload
        super().__init__(f"{reason}: {value}")


def key_and_extension(name: str) -> tuple[str, str]:
    """The key of a file and its extension: the path up to the first dot of its last part, and what comes after it.

    >>> key_and_extension("./v1.0/train.set/0001.seg.PNG"), key_and_extension("README")
    (('v1.0/train.set/0001', 'seg.png'), ('README', ''))
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    stem, _, extension = parts[-1].partition(".") if parts else ("", "", "")
    return "/".join([*parts[:-1], stem]), extension.lower()


def is_foreign(name: str) -> bool:
    """Whether a file was put there by an operating system or an archiver, and is no part of the data.

    >>> [is_foreign(name) for name in ("__MACOSX/a/._0.jpg", "a/.DS_Store", "a/Thumbs.db", "a/0.jpg")]
    [True, True, True, False]
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    base = parts[-1] if parts else ""
    hidden = not base or base.startswith(".")
    return hidden or base.lower() in _FOREIGN_FILES or not _FOREIGN_FOLDERS.isdisjoint(parts[:-1])


def is_media(kind: str | None, extension: str) -> bool:
    """Whether files of an extension hold bytes of a kind (of any kind: None), by its last part.

    >>> is_media("image", "seg.png"), is_media("image", "wav"), is_media(None, "wav"), is_media("file", "npy")
    (True, False, True, True)
    """
    last = extension.rpartition(".")[2]
    if kind is None:
        return last in _MEDIA
    return last in _BY_KIND[kind] if kind in _BY_KIND else last not in _TEXTS


def decoded_text(data: bytes, name: str) -> str:
    """A text file: UTF-8, or what its byte-order mark says; the mark is no part of the text.

    Raises:
        BadPartError: ``bad_utf8``; a text with a NUL is one in UTF-16 without a mark, or none.
    """
    mark, encoding = next(((mark, encoding) for mark, encoding in _MARKS if data.startswith(mark)), (b"", "utf-8"))
    try:
        text = data.removeprefix(mark).decode() if encoding == "utf-8" else data.decode(encoding)
    except UnicodeDecodeError as error:
        raise BadPartError("bad_utf8", f"{name}: {error.reason} at byte {error.start}", encoding, data) from None
    if "\0" in text:
        raise BadPartError("bad_utf8", f"{name}: a NUL at character {text.index(chr(0))}", "text in UTF-8", data)
    return text


def small_text(stream: MemberBytes | BinaryIO, size: int) -> str | None:
    """A file as a text; None where it is large or none."""
    if size > _SMALL_TEXT_BYTES:
        return None
    try:
        return decoded_text(stream.read(), "")
    except BadPartError:
        return None


def sidecar_fields(data: bytes) -> dict[str, object]:
    """The fields of a JSON file beside the bytes; NaN and infinities, which are no JSON, are null.

    Raises:
        BadPartError: ``bad_json``.
    """
    try:
        fields = exact_json(data)
    except orjson.JSONDecodeError:
        try:
            fields = json.loads(data, parse_constant=lambda name: None)
        except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
            raise BadPartError("bad_json", f"the json: {error}"[:200], "a JSON object", data) from None
    if not isinstance(fields, dict):
        raise BadPartError("bad_json", f"the json is {described(fields)}", "a JSON object", data)
    return fields
