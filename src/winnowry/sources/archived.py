"""What a file inside an archive yields, as what the archive yields."""

from __future__ import annotations

from dataclasses import replace

from winnowry.sources.base import Record, Unreadable


def in_archive(item: Record | Unreadable, first: int, name: str) -> Record | Unreadable:
    """An item of a file as one of the archive that holds the file.

    Args:
        item: what the format of the file yields.
        first: the position in the archive of the first item of the file.
        name: of the file.
    """
    if isinstance(item, Record):
        return replace(item, position=first + item.position, data={**item.data, "member": name})
    value = name if item.value is None else f"{name}: {item.value}"
    return replace(item, position=first + item.position, value=value[:300])
