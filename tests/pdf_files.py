"""PDF files made by hand, object by object (ISO 32000-1), so that their right texts are known."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence

HELVETICA = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
LETTER = b"[0 0 612 792]"
ONE_PAGE = (
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
)
"""A page as object 3, whose content is object 4 and whose font is object 5."""
BLACK_IMAGE = bytes(100 * 100)
_PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
_ID = bytes(range(16))


def stream(content: bytes, entries: bytes = b"") -> bytes:
    """A stream object."""
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(content), entries, content)


def image(grey: bytes = BLACK_IMAGE, side: int = 100) -> bytes:
    """A grey image as an object."""
    entries = b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8"
    return stream(zlib.compress(grey), entries % (side, side) + b" /Filter /FlateDecode")


def file_of(objects: Sequence[bytes], *, version: bytes = b"1.5", trailer: bytes = b"") -> bytes:
    """Objects, numbered from 1, as a file; the first is its catalogue."""
    data, places = b"%%PDF-%s\n" % version, []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    n = len(objects) + 1
    end = b"trailer << /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (n, trailer, len(data))
    return data + b"xref\n0 %d\n0000000000 65535 f \n%s" % (n, table) + end


def pdf(
    *pages: bytes,
    font: bytes = HELVETICA,
    extra: Sequence[bytes] = (),
    box: bytes = LETTER,
    entries: bytes = b"",
    resources: bytes = b"",
    catalog: bytes = b"",
    version: bytes = b"1.5",
    trailer: bytes = b"",
) -> bytes:
    """A file of pages by what they draw; /F1 is the font, /Im an image, further objects begin at 5.

    Args:
        pages: contents, one a page.
        font: object 3.
        extra: objects from 5 on.
        box: of every page.
        entries: of every page.
        resources: of every page.
        catalog: entries of the catalogue.
        version: of the header.
        trailer: entries of it.
    """
    first = 5 + len(extra)
    kids = b" ".join(b"%d 0 R" % (first + 2 * at) for at in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R %s >>" % catalog,
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(pages)),
        font,
        image(),
        *extra,
    ]
    for at, content in enumerate(pages):
        objects += [
            b"<< /Type /Page /Parent 2 0 R /MediaBox %s /Contents %d 0 R %s /Resources << /Font << /F1 3 0 R >> "
            b"/XObject << /Im 4 0 R >> %s >> >>" % (box, first + 2 * at + 1, entries, resources),
            stream(content),
        ]
    return file_of(objects, version=version, trailer=trailer)


def words(
    text: str, x: float = 72, y: float = 700, *, mode: int = 0, colour: bytes = b"0 g", size: float = 12
) -> bytes:
    """A line of text."""
    escaped = text.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
    return b"BT %s %d Tr /F1 %g Tf %g %g Td (%s) Tj ET " % (colour, mode, size, x, y, escaped)


def scan(width: int = 612, height: int = 792, x: int = 0, y: int = 0) -> bytes:
    """The image, over a part of the page."""
    return b"q %d 0 0 %d %d %d cm /Im Do Q " % (width, height, x, y)


def rc4(key: bytes, data: bytes) -> bytes:
    """RC4."""
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) & 255
        state[i], state[j] = state[j], state[i]
    i = j = 0
    out = bytearray()
    for byte in data:
        i = (i + 1) & 255
        j = (j + state[i]) & 255
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) & 255])
    return bytes(out)


def encrypted(text: str, *, user: bytes = b"", permissions: int = -60, bits: int = 40) -> bytes:
    """A page with a text, encrypted by RC4 (7.6.3, revision 2 with 40 bits, else 3).

    Args:
        text: of the page.
        user: password to open it.
        permissions: -60 allows to print and nothing else; with bit 5 (16) text may be copied.
        bits: of the key.
    """
    n, revision = bits // 8, 2 if bits == 40 else 3

    def md5(data: bytes, rounds: int = 0) -> bytes:
        digest = hashlib.md5(data).digest()
        for _ in range(rounds):
            digest = hashlib.md5(digest[:n]).digest()
        return digest

    def padded(password: bytes) -> bytes:
        return (password + _PADDING)[:32]

    again = 50 if revision == 3 else 0
    turns = range(20 if revision == 3 else 1)
    owner_key, owner = md5(padded(b"owner"), again)[:n], padded(user)
    for turn in turns:
        owner = rc4(bytes(byte ^ turn for byte in owner_key), owner)
    key = md5(padded(user) + owner + struct.pack("<i", permissions) + _ID, again)[:n]
    proof = _PADDING if revision == 2 else md5(_PADDING + _ID)
    for turn in turns:
        proof = rc4(bytes(byte ^ turn for byte in key), proof)
    content = rc4(md5(key + b"\4\0\0\0\0")[: min(n + 5, 16)], words(text))
    version = b"/V 1 /R 2" if revision == 2 else b"/V 2 /R 3 /Length %d" % bits
    lock = b"<< /Filter /Standard %s /O <%s> /U <%s> /P %d >>" % (
        version, owner.hex().encode(), proof.ljust(32, b"\0").hex().encode(), permissions
    )  # fmt: skip
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        ONE_PAGE,
        stream(content),
        HELVETICA,
        lock,
    ]
    identity = b"<%s>" % _ID.hex().encode()
    return file_of(objects, trailer=b"/ID [%s %s] /Encrypt 6 0 R" % (identity, identity))


SHIFT = 29
"""Glyphs are characters less this, as in many TrueType fonts."""


def by_glyph(*lines: str) -> bytes:
    """Lines of text by the numbers of their glyphs."""
    shown = b" ".join(b"<%s> Tj T*" % "".join(f"{ord(c) - SHIFT:04X}" for c in line).encode() for line in lines)
    return b"BT /F1 12 Tf 72 700 Td 16 TL %s ET" % shown


def glyph_font(characters: dict[int, str] | None) -> tuple[bytes, list[bytes]]:
    """A font that is known by the numbers of its glyphs alone, and the objects that it needs, from 5 on.

    Args:
        characters: what each glyph is; None: nothing says it.
    """
    unicode_map = b"" if characters is None else b" /ToUnicode 7 0 R"
    font = (
        b"<< /Type /Font /Subtype /Type0 /BaseFont /ABCDEF+Unknown /Encoding /Identity-H /DescendantFonts [5 0 R]"
        + unicode_map
        + b" >>"
    )
    descendant = (
        b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /ABCDEF+Unknown /CIDSystemInfo << /Registry (Adobe) "
        b"/Ordering (Identity) /Supplement 0 >> /FontDescriptor 6 0 R /DW 600 >>"
    )
    descriptor = (
        b"<< /Type /FontDescriptor /FontName /ABCDEF+Unknown /Flags 4 /FontBBox [0 0 1000 1000] /ItalicAngle 0 "
        b"/Ascent 800 /Descent -200 /CapHeight 700 /StemV 80 >>"
    )
    objects = [descendant, descriptor]
    if characters is not None:
        pairs = b"".join(
            b"<%04X> <%s>\n" % (glyph, text.encode("utf-16-be", "surrogatepass").hex().encode())
            for glyph, text in characters.items()
        )
        objects.append(
            stream(
                b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def 1 "
                b"begincodespacerange <0000> <FFFF> endcodespacerange\n%d beginbfchar\n%sendbfchar endcmap end end"
                % (len(characters), pairs)
            )
        )
    return font, objects
