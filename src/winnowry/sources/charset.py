"""Bytes to text when the encoding is declared wrongly, or not at all.

The table of labels is by hand on purpose: Python's codecs read ``iso-8859-1`` and ``gb2312`` literally, while pages are
written for browsers, which read a larger encoding under these labels.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from winnowry.sources.transcode import codec_name

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins as the one of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ASCII_CONTROLS = re.compile(rb"[\x00\x1b~]")
_ALSO_VALID_UTF8 = ("utf-16", "utf-32", "iso-2022", "iso2022", "hz", "utf-7")
_META = re.compile(
    rb"""<(?:meta|\?xml)\b[^>]{0,256}?\b(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE
)
_BROWSERS = {
    **dict.fromkeys(("iso-8859-1", "latin1", "latin-1", "ascii", "us-ascii"), "cp1252"),
    **dict.fromkeys(("gb2312", "gbk", "gb_2312-80", "x-gbk"), "gb18030"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis"), "cp932"),
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987"), "cp949"),
    **dict.fromkeys(("tis-620", "windows-874"), "cp874"),
    "big5": "big5hkscs",
    "iso-8859-9": "cp1254",
    "iso-8859-8-i": "iso8859-8",
    "utf-16": "utf-16-le",
}
"""Labels that mean another encoding to browsers than to Python."""
_META_WITHIN_BYTES = 1024
_DETECTED_FROM_BYTES = 128 << 10
_REPLACED = "\ufffd"
_BINARY = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_BINARY_SAMPLE = 1 << 16
_MOST_BINARY = 0.1


@dataclass(frozen=True)
class Decoded:
    """A decoded text.

    Attributes:
        text: without byte-order mark.
        encoding: Python's name of the encoding it was read as.
        n_replaced: bytes or sequences that became U+FFFD.
    """

    text: str
    encoding: str
    n_replaced: int = 0

    @property
    def replaced_ratio(self) -> float:
        """Share of the characters that could not be decoded, 0 to 1."""
        return self.n_replaced / max(len(self.text), 1)


def decode(data: bytes, declared: str | None = None) -> Decoded:
    """Decode a document.

    The first of these that fits all bytes: a byte-order mark; UTF-8 (hardly any other text is valid UTF-8 by
    accident); the encoding declared by the transport; the one that a ``meta`` element or XML declaration in the first
    1,024 bytes names; the one that uchardet detects (through resiliparse) in 128 KiB. ASCII-compatible names mean
    what browsers take them for: ``iso-8859-1`` is ``windows-1252``, ``gb2312`` is ``gb18030``. When none fits, the
    first candidate decodes with replacements.

    Args:
        data: the bytes.
        declared: the charset of the HTTP header, e.g. ``"utf-8"``; unknown names are ignored.

    Source: WHATWG Encoding Standard, section 4.2 (labels); WHATWG HTML, section 13.2.3.2 (sniffing).

    >>> decode("naïve".encode("latin-1"), "ISO-8859-1")
    Decoded(text='naïve', encoding='cp1252', n_replaced=0)
    >>> decode("naïve".encode(), "ISO-8859-1").encoding
    'utf-8'
    """
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return _replacing(data[len(bom) :], encoding)
    first: str | None = None
    for encoding in _candidates(data, declared):
        first = first or encoding
        try:
            return Decoded(data.decode(encoding), encoding)
        except (UnicodeError, ValueError):
            continue
    return _replacing(data, first or "utf-8")


def looks_binary(text: str) -> bool:
    """Whether more than a tenth of the first 65,536 characters are control characters that no text has."""
    sample = text[:_BINARY_SAMPLE]
    return len(_BINARY.findall(sample)) > _MOST_BINARY * len(sample)


def _candidates(data: bytes, declared: str | None) -> Iterator[str]:
    transport = _python_name(declared)
    if transport is not None and transport.startswith(_ALSO_VALID_UTF8) and _ASCII_CONTROLS.search(data):
        yield transport
    if _is_utf8(data):
        yield "utf-8"
        return
    if transport is not None and transport != "utf-8":
        yield transport
    label = _META.search(data, 0, _META_WITHIN_BYTES)
    meta = _python_name(label[1].decode("ascii")) if label else None
    if meta is not None and not meta.startswith(_ALSO_VALID_UTF8):  # the declaration itself was ASCII
        yield meta
    yield from _detected(data)
    if "utf-8" in (transport, meta):
        yield "utf-8"


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _detected(data: bytes) -> Iterator[str]:
    from resiliparse.parse.encoding import detect_encoding

    name = _python_name(detect_encoding(data, max_len=_DETECTED_FROM_BYTES))
    if name is not None and name != "utf-8":
        yield name


def _python_name(label: str | None) -> str | None:
    """The codec that browsers use for a label; None where there is none."""
    if not label:
        return None
    label = label.strip(" \t\"'").lower()
    return codec_name(_BROWSERS.get(label, label))


def _replacing(data: bytes, encoding: str) -> Decoded:
    before = data.count(_REPLACED.encode()) if encoding == "utf-8" else 0
    text = data.decode(encoding, "replace")
    return Decoded(text, encoding, max(text.count(_REPLACED) - before, 0))
