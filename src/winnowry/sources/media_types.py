"""Media types by the bytes of a file, never by its name."""

from __future__ import annotations

import re

UNKNOWN = "application/octet-stream"
HEAD_BYTES = 4096
"""Of a file; enough to tell its media type."""

_STARTS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"II+\0", "image/tiff"),
    (b"MM\0+", "image/tiff"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (b"\xff\x0a", "image/jxl"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (b"8BPS", "image/vnd.adobe.photoshop"),
    (b"\0\0\x01\0", "image/vnd.microsoft.icon"),
    (b"BM", "image/bmp"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"FLV\x01", "video/x-flv"),
    (b"\0\0\x01\xba", "video/mpeg"),
    (b"\0\0\x01\xb3", "video/mpeg"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
)
_RIFF = {b"WAVE": "audio/wav", b"WEBP": "image/webp", b"AVI ": "video/x-msvideo"}
_BRANDS = {
    b"avif": "image/avif", b"avis": "image/avif", b"heic": "image/heic", b"heix": "image/heic", b"hevc": "image/heic",
    b"mif1": "image/heif", b"msf1": "image/heif", b"qt  ": "video/quicktime", b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4", b"M4V ": "video/mp4",
}  # fmt: skip
_EXTENSIONS = {
    "image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/tiff": "tiff", "image/jxl": "jxl",
    "image/jp2": "jp2", "image/bmp": "bmp", "image/webp": "webp", "image/avif": "avif", "image/heic": "heic",
    "image/heif": "heif", "image/vnd.microsoft.icon": "ico", "image/x-portable-anymap": "pnm", "audio/flac": "flac",
    "audio/mpeg": "mp3", "audio/wav": "wav", "audio/x-wav": "wav", "audio/aac": "aac", "audio/ogg": "ogg",
    "audio/mp4": "m4a", "video/mp4": "mp4", "video/quicktime": "mov", "video/x-msvideo": "avi",
    "video/webm": "webm", "video/x-matroska": "mkv", "video/ogg": "ogv", "video/mpeg": "mpg", "video/x-flv": "flv",
    "application/pdf": "pdf", "application/x-tar": "tar", "text/plain": "txt",
    "text/html": "html",
}  # fmt: skip
_ID3_HEADER = 10
_PDF = re.compile(rb"%PDF-[12]\.[0-9]")
_PDF_HEADER_BYTES = 1024  # within which readers look for it (ISO 32000-1, H.3)
_HTML = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype\s+html|html|head|body)[\s>]", re.IGNORECASE)
_PORTABLE_MAP = re.compile(rb"P[1-7]\s")
_OGG_VIDEO = (b"\x80theora", b"OVP80")


def media_type_in(head: bytes) -> str:
    r"""Media type of a file.

    Args:
        head: its first :data:`HEAD_BYTES` bytes.

    >>> media_type_in(b"\xff\xd8\xff\xe0..JFIF"), media_type_in(b"RIFF....WEBPVP8 "), media_type_in(b"<html> 404")
    ('image/jpeg', 'image/webp', 'text/html')
    >>> media_type_in(b"nothing that is known")
    'application/octet-stream'
    """
    head = head[_behind_tag(head) :] if b"fLaC" in head else head
    media_type = next((media_type for start, media_type in _STARTS if head.startswith(start)), None)
    if media_type is not None:
        return media_type
    if head.startswith((b"RIFF", b"OggS", b"\x1a\x45\xdf\xa3")) or head[4:8] == b"ftyp":
        return _in_container(head)
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:  # a frame of MPEG audio
        return "audio/aac" if head[1] & 0x06 == 0 else "audio/mpeg"
    if head[257:262] == b"ustar":
        return "application/x-tar"
    if head[:1] == b"G" and head[188:189] == b"G":
        return "video/mp2t"
    if _PORTABLE_MAP.match(head):
        return "image/x-portable-anymap"
    if _HTML.match(head):
        return "text/html"
    return "application/pdf" if _PDF.search(head, 0, _PDF_HEADER_BYTES) else UNKNOWN


def _in_container(head: bytes) -> str:
    """Of a container of several media types."""
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12], UNKNOWN)
    if head.startswith(b"OggS"):
        return "video/ogg" if any(mark in head[:256] for mark in _OGG_VIDEO) else "audio/ogg"
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    return "video/webm" if b"webm" in head[:64] else "video/x-matroska"


def _behind_tag(head: bytes) -> int:
    """Where a leading ID3v2 tag ends, which some programs put before everything; its length is in its header."""
    size = 0
    for byte in head[6:_ID3_HEADER]:
        size = size << 7 | byte & 0x7F
    return _ID3_HEADER + size if head.startswith(b"ID3") else 0


def extension_of(media_type: str | None) -> str:
    """The extension that a file of a media type is given, without its dot.

    >>> extension_of("image/jpeg"), extension_of(None)
    ('jpg', 'bin')
    """
    return _EXTENSIONS.get(media_type or "", "bin")
