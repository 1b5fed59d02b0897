"""What a file is, told by its first bytes: for an object that is not of the format that the source declares."""

from __future__ import annotations

import re
from dataclasses import dataclass

KIND_BYTES = 512
"""Of the beginning; enough to tell what a file is."""
_TO_PLAIN = "gzip, bzip2, xz, lz4, zstd or zip"


@dataclass(frozen=True)
class FileKind:
    """What a file is.

    Attributes:
        name: with an article, e.g. ``a PDF document``.
        remedy: what is read, or what to do.
        is_text: whether it is text, which a format for any text reads.
    """

    name: str
    remedy: str
    is_text: bool = False


def _format(name: str) -> str:
    return f"`format: {name}` reads it"


def _members(what: str) -> str:
    return f"`members` of the source chooses files inside {what}"


_UNREAD_COMPRESSIONS = (
    (b"\x1f\x9d", "data of compress (.Z)"),
    (b"\x1f\xa0", "data of compress (.Z)"),
    (b"LZIP\x01", "data of lzip"),
    (b"\xff\x06\x00\x00sNaPpY", "framed Snappy data"),
    (b"\x89LZO\x00\x0d\x0a\x1a\x0a", "data of lzop"),
    (b"\x02\x21\x4c\x18", "LZ4 data in the legacy format (lz4 -l)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"MSCF\0\0\0\0", "a cabinet archive"),
)
_COMPRESSIONS = (
    (b"\x1f\x8b\x08", "gzip data"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"\xfd7zXZ\0", "xz data"),
    (b"\x04\x22\x4d\x18", "LZ4 data"),
)
_BINARY = (
    (b"PK\x03\x04", "a zip archive", _members("an archive")),
    (b"PK\x05\x06", "an empty zip archive", _members("an archive")),
    (b"SQLite format 3\0", "an SQLite database", "export its tables, e.g. as CSV"),
    (b"%PDF-", "a PDF document", "extract its text before it lands, or read it as `format: files`"),
    (b"PAR1", "a Parquet file", _format("parquet")),
    (b"PARE", "an encrypted Parquet file", "decrypt it before it lands"),
    (b"ARROW1\0\0", "an Arrow file (Feather)", "convert it to Parquet"),
    (b"FEA1", "a Feather file", "convert it to Parquet"),
    (b"ORC", "an ORC file", "convert it to Parquet"),
    (b"Obj\x01", "an Avro file", "convert it to Parquet or JSON Lines"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "convert it to Parquet"),
    (b"\x93NUMPY", "a NumPy array", "convert it to Parquet"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document (doc, xls, ppt, msg)", "convert it to text"),
    (b"\x7fELF", "a program", "leave it out of the source's `uri`"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image", _format("files")),
    (b"\xff\xd8\xff", "a JPEG image", _format("files")),
    (b"GIF87a", "a GIF image", _format("files")),
    (b"GIF89a", "a GIF image", _format("files")),
    (b"II*\0", "a TIFF image", _format("files")),
    (b"MM\0*", "a TIFF image", _format("files")),
    (b"OggS\0", "an Ogg file", _format("files")),
    (b"fLaC\0", "a FLAC file", _format("files")),
    (b"ID3\x03", "an MP3 file", _format("files")),
    (b"ID3\x04", "an MP3 file", _format("files")),
    (b"\x1a\x45\xdf\xa3", "a Matroska or WebM video", _format("files")),
    (
        b"version https://git-lfs.github.com/spec/",
        "a Git LFS pointer, not the file itself",
        "`git lfs pull` fetches it",
    ),
    (b"\x00\x05\x16\x07", "an AppleDouble file of macOS", "leave it out of the source's `uri`"),
)
_MADE_OF_TEXT = (
    (re.compile(rb"WARC/\d\.\d+[ \t]*\r?\n"), "a WARC archive", _format("warc")),
    (re.compile(rb"\s*<!doctype\s+html|\s*<html[\s>]|\s*<head[\s>]|\s*<body[\s>]", re.IGNORECASE), "an HTML page",
     f"{_format('html')}; is it an error page in place of the data?"),
    (re.compile(rb"\s*<\?xml\s"), "an XML document", f"{_format('xml')}, with `record_element`"),
)  # fmt: skip


def unread_compression(head: bytes) -> FileKind | None:
    """The compression or archive format of a stream, where it is one that is not read.

    >>> unread_compression(b"Rar!" + bytes([26, 7, 0])).name
    'a RAR archive'
    """
    name = next((name for magic, name in _UNREAD_COMPRESSIONS if head.startswith(magic)), None)
    return None if name is None else FileKind(name, _TO_PLAIN)


def kind_of(head: bytes) -> FileKind | None:
    """What a file is; None where its first bytes do not say so.

    Args:
        head: the first :data:`KIND_BYTES` bytes, decompressed.

    >>> kind_of(b"%PDF-1.7").name, kind_of(b'{"text": "a"}')
    ('a PDF document', None)
    """
    for magic, name in _COMPRESSIONS:
        if head.startswith(magic):
            return FileKind(f"{name} inside a compressed stream or archive", "data compressed once")
    for magic, name, remedy in _BINARY:
        if head.startswith(magic):
            return FileKind(name, remedy)
    if head[257:262] == b"ustar":
        return FileKind("a tar archive", _members("an archive"))
    if head[4:8] == b"ftyp":
        return FileKind("an MP4, MOV or HEIF file", _format("files"))
    if head.startswith(b"RIFF") and head[8:12] in (b"WAVE", b"WEBP", b"AVI "):
        return FileKind("a RIFF file (WAV, WebP, AVI)", _format("files"))
    plain = head.removeprefix(b"\xef\xbb\xbf")
    for pattern, name, remedy in _MADE_OF_TEXT:
        if pattern.match(plain):
            return FileKind(name, remedy, is_text=True)
    return unread_compression(head)
