"""A release as shards of WebDataset: the files of one record share its id as their key.

``ID.jpg`` (or what its bytes are) holds the bytes as they arrived, ``ID.txt`` the text, ``ID.json`` every other column.
Documents of texts and pictures are ``ID.json``, which has their order, and ``ID.0.jpg``, ``ID.1.png``, ….
A clip of captured motion is ``ID.bvh``, or ``ID.amc`` and ``ID.asf``; one of points is in the JSON.
Nothing of a shard depends on when or where it was written.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator
from typing import IO, Any

import orjson
import pyarrow as pa

from winnowry.records.motion import motion_of
from winnowry.records.motion_files import files_of as motion_files_of
from winnowry.releases.interleaved_export import files_of, is_interleaved
from winnowry.sources.media_types import HEAD_BYTES, UNKNOWN, extension_of, media_type_in

BYTES_PER_SHARD = 1 << 30
"""Of large objects, at most, unless one record has more."""
ROWS_PER_SHARD = 10_000
_MODE = 0o644


def write_shard(
    shard: IO[bytes], tables: Iterator[pa.Table], contents: list[str], plain: Callable[[object], object]
) -> Iterator[bytes]:
    """Write the rows as one tar archive.

    Args:
        shard: the archive.
        tables: the rows, with ``record_id``.
        contents: columns of bytes; the first one is the record's own.
        plain: what JSON makes of values that it does not know.

    Yields:
        A line of JSON a file: name, size and SHA-256.
    """
    with tarfile.open(fileobj=shard, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for table in tables:
            for row in table.to_pylist():
                for name, data in _files(row, contents, plain):
                    info = tarfile.TarInfo(name)
                    info.size, info.mode = len(data), _MODE
                    archive.addfile(info, io.BytesIO(data))
                    digest = hashlib.sha256(data).hexdigest()
                    yield orjson.dumps(
                        {"name": name, "bytes": len(data), "sha256": digest}, option=orjson.OPT_APPEND_NEWLINE
                    )


def _files(row: dict[str, Any], contents: list[str], plain: Callable[[object], object]) -> Iterator[tuple[str, bytes]]:
    key = row["record_id"]
    if is_interleaved(list(row)):
        described, pictures = files_of(row)
        yield from ((f"{key}.{extension}", data) for extension, data in pictures)
        yield f"{key}.json", orjson.dumps(described, default=plain, option=orjson.OPT_UTC_Z)
        return
    del row["record_id"]
    for column in contents:
        data = row.pop(column)
        if data is not None:
            media_type = media_type_in(data[:HEAD_BYTES])
            extension = extension_of(media_type if media_type != UNKNOWN else row.get("media_type"))
            yield f"{key}.{extension}" if column == contents[0] else f"{key}.{column}.{extension}", data
    if "skeleton" in row and "frame_time" in row:
        yield from _motion_files(key, row)
    text = row.pop("text", None)
    if text is not None:
        yield f"{key}.txt", text.encode("utf-8", "surrogatepass")
    yield f"{key}.json", orjson.dumps({"record_id": key, **row}, default=plain, option=orjson.OPT_UTC_Z)


def _motion_files(key: str, row: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """A clip of captured motion as the files that it was read from; their numbers are not in the JSON, too."""
    motion = motion_of(row)
    files = motion_files_of(motion) if motion is not None else {}
    for extension, data in files.items():
        yield f"{key}.{extension}", data
    if files:
        for name in ("skeleton", "values", "layout"):
            row.pop(name)
