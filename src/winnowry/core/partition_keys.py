"""What a partition may be called: its key names folders, and whole-table promotions have keys of their own."""

from __future__ import annotations

from urllib.parse import quote

from winnowry.core.tables import UNPARTITIONED

MAX_KEY_BYTES = 200
_MAX_NAME_BYTES = 255  # of a file name, on every file system that people use
_RESERVED = frozenset({UNPARTITIONED, "__all__", ".", ".."})


def wrong_key(key: str) -> str | None:
    """What is expected instead, where a text cannot be the key of a partition; None where it can.

    >>> wrong_key("2024-05"), wrong_key("a/b 100%")
    (None, None)
    >>> wrong_key("..")
    "not one of '.', '..', '__all__', '__unpartitioned__'"
    """
    if key in _RESERVED:
        return f"not one of {', '.join(map(repr, sorted(_RESERVED)))}"
    if not key.strip() or not key.isprintable():
        return "printable characters"
    if "..." in key:  # a range of partitions, for Dagster
        return "no `...`"
    try:
        n_bytes = len(key.encode())
    except UnicodeEncodeError:
        return "valid Unicode"
    if n_bytes > MAX_KEY_BYTES or len(quote(key, safe="")) > _MAX_NAME_BYTES:
        return f"at most {MAX_KEY_BYTES} bytes, and {_MAX_NAME_BYTES} once it is percent-encoded"
    return None
