"""Small WebDataset shards for tests."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable

JPEG = b"\xff\xd8\xff\xe0"
"""What the bytes of a picture begin with, where no test decodes it."""


def shard(members: Iterable[tuple[str, bytes]], format: int = tarfile.USTAR_FORMAT, mtime: float = 0) -> bytes:
    """A tar archive of files; a name that ends with ``/`` is a folder."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=format) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name.rstrip("/"))
            info.size, info.mtime = len(data), mtime
            info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            archive.addfile(info, io.BytesIO(data))
    return written.getvalue()
