"""Zip archives: their files one after the other, as the objects of another format."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import IO, BinaryIO, cast

from winnowry.sources.archived import in_archive
from winnowry.sources.base import Reader, ReadLimits, Record, Unreadable, unreadable
from winnowry.sources.streams import BrokenStreamError, CompressionRatio, first_bytes

_OPERATOR = "source.zip"
_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_ENCRYPTED = 0x1
_METHODS = {0: "stored", 8: "deflate", 12: "bzip2"}
_LEFT_OUT = "__MACOSX/"
_DOCUMENTS = (
    ("[Content_Types].xml", "an Office document (docx, xlsx, pptx)"),
    ("META-INF/container.xml", "an EPUB document"),
    ("META-INF/MANIFEST.MF", "a Java archive"),
    ("META-INF/manifest.xml", "an OpenDocument file (odt, ods)"),
)
_WRONG = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError)


class Zip:
    """Reads the files of zip archives in the order of their directory; nothing is unpacked to disk.

    Records get the field ``member``, the path of the file in the archive. Positions run on over all files. Folders and
    the ``__MACOSX`` copies of macOS are no files.

    Args:
        content: reads each file.
        members: glob of the paths to read, ``*`` matching ``/`` too; other files are skipped. None: all.
        otherwise: reads objects that are no zip archives.

    Source: PKWARE, APPNOTE.TXT 6.3.10.
    """

    def __init__(self, content: Reader, members: str | None, otherwise: Reader) -> None:
        self._content = content
        self._members = members
        self._otherwise = otherwise

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`~winnowry.sources.base.Reader.read`.

        Reasons: ``bad_zip`` (no directory: nothing of the archive is read; or of one file), ``encrypted_file``,
        ``unknown_container`` (a document that is a zip archive, or a file of another compression), and those of the
        format of the files.
        """
        if not stream.seekable():
            yield from self._otherwise.read(stream, uri, limits)
            return
        head = first_bytes(stream, len(_MAGICS[0]))
        stream.seek(0)
        if head not in _MAGICS:
            yield from self._otherwise.read(stream, uri, limits)
            return
        try:
            archive = zipfile.ZipFile(stream)
        except _WRONG as error:
            stream.seek(0)
            value = f"{error}: the directory at the end is missing or damaged"
            yield unreadable(0, _OPERATOR, "bad_zip", first_bytes(stream, 512), value, ends_object=True)
            return
        with archive:
            yield from self._files(archive, stream, uri, limits)

    def _files(
        self, archive: zipfile.ZipFile, stream: BinaryIO, uri: str, limits: ReadLimits
    ) -> Iterator[Record | Unreadable]:
        document = next((name for path, name in _DOCUMENTS if path in archive.NameToInfo), None)
        if document is not None and self._members is None:
            remedy = "extract its text before it lands, or choose files inside it with `members`"
            yield unreadable(0, _OPERATOR, "unknown_container", b"", document, remedy, ends_object=True)
            return
        ratio = CompressionRatio(limits)
        ratio.add(stream.seek(0, io.SEEK_END), 0)  # of the whole archive: its files may share their bytes
        position = 0
        for info in archive.infolist():
            name = info.filename.encode("utf-8", "replace").decode()
            if info.is_dir() or not self._chosen(name):
                continue
            first = position
            for item in self._file(archive, info, f"{uri}#{name}", limits, ratio):
                position = first + item.position + 1
                yield in_archive(item, first, name)
                if isinstance(item, Unreadable) and item.reason == "compression_ratio":
                    return

    def _chosen(self, name: str) -> bool:
        if self._members is not None:
            return fnmatchcase(name, self._members)
        return not name.startswith(_LEFT_OUT)

    def _file(
        self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, uri: str, limits: ReadLimits, ratio: CompressionRatio
    ) -> Iterator[Record | Unreadable]:
        refusal = _refusal(info)
        if refusal is not None:
            yield refusal
            return
        try:
            opened = archive.open(info)
        except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
            # ValueError: its directory and its own head differ in a name that is no text, or in where it lies.
            yield unreadable(0, _OPERATOR, "bad_zip", b"", str(error), ends_object=True)
            return
        position = 0
        try:
            with opened as file:
                for item in self._content.read(cast(BinaryIO, _Contents(file, ratio)), uri, limits):
                    position = item.position + 1
                    yield item
        except BrokenStreamError as broken:
            yield unreadable(position, _OPERATOR, broken.reason, b"", broken.value, broken.threshold, ends_object=True)
        except (zipfile.BadZipFile, NotImplementedError) as error:
            yield unreadable(position, _OPERATOR, "bad_zip", b"", str(error), ends_object=True)


class _Contents(io.RawIOBase):
    """One file of the archive as a stream."""

    def __init__(self, file: IO[bytes], ratio: CompressionRatio) -> None:
        self._file = file
        self._ratio = ratio

    def readable(self) -> bool:
        """True."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Up to ``size`` bytes, all of them where it is negative; empty at the end of the file."""
        if size < 0:
            return b"".join(iter(lambda: self.read(1 << 20), b""))
        try:
            data = self._file.read(min(size, 1 << 20))
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
            raise BrokenStreamError("bad_zip", str(error) or "the archive ends inside the file") from error
        except OSError as error:
            if error.errno is not None:  # of the disk; those of bzip2 have no number
                raise
            raise BrokenStreamError("bad_zip", str(error)) from error
        self._ratio.add(0, len(data))
        return data


def _refusal(info: zipfile.ZipInfo) -> Unreadable | None:
    if info.header_offset < 0:
        value = "the directory at the end says that it lies before the archive"
        return unreadable(0, _OPERATOR, "bad_zip", b"", value, ends_object=True)
    if info.flag_bits & _ENCRYPTED:
        return unreadable(
            0, _OPERATOR, "encrypted_file", b"", "encrypted", "files without a password", ends_object=True
        )
    if info.compress_type not in _METHODS:
        value = f"compression method {info.compress_type}"
        known = ", ".join(_METHODS.values())
        return unreadable(0, _OPERATOR, "unknown_container", b"", value, known, ends_object=True)
    return None
