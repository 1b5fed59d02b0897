"""The headers of tar archives: what readers of them share.

Source: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

BLOCK_BYTES = 512
LONGEST_NAME_BYTES = 64 << 10
FILES = (b"0", b"\0", b"7")
"""Entries that are regular files."""


def checksum_holds(header: bytes) -> bool:
    """Whether a header is as it was written."""
    return number(header[148:156]) == sum(header[:148]) + 256 + sum(header[156:])


def name_in(header: bytes) -> str:
    """The path in a header itself; longer ones stand in an entry before it."""
    name = header[:100].partition(b"\0")[0]
    prefix = header[345:500].partition(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return (prefix + b"/" + name if prefix else name).decode("utf-8", "replace")


def number(field: bytes) -> int | None:
    """An octal number, or a GNU one in base 256."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    try:
        return int(digits, 8) if digits else 0
    except ValueError:
        return None


def pax_value(block: bytes, name: bytes) -> bytes | None:
    """The first value of a name in a block of pax records; None where it has none."""
    at = 0
    while at < len(block):
        length, separator, _ = block[at : at + 20].partition(b" ")
        if not separator or not length.isdigit() or int(length) <= 0:
            return None
        key, _, value = block[at + len(length) + 1 : at + int(length) - 1].partition(b"=")
        if key == name:
            return value
        at += int(length)
    return None
