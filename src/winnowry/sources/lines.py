"""Cut a byte stream into lines without ever holding more than one allowed line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from winnowry.sources.base import PAYLOAD_KEPT_BYTES
from winnowry.sources.streams import BrokenStreamError

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Line:
    """One line.

    Attributes:
        number: 0-based.
        data: the bytes without the line feed; of an over-long line only its beginning.
        n_bytes: length of the whole line.
        too_long: whether it is longer than allowed.
        broken: why the stream ends inside (or right before) this line, else None.
        ended: whether a line feed ends it, and not the end of the stream.
    """

    number: int
    data: bytes
    n_bytes: int
    too_long: bool = False
    broken: BrokenStreamError | None = None
    ended: bool = True


def split_lines(chunks: Iterable[bytes], max_bytes: int) -> Iterator[Line]:
    """Lines that end with a line feed (or with the stream); a byte-order mark at the start is left out.

    Args:
        chunks: the stream; a :class:`BrokenStreamError` from it becomes the last line.
        max_bytes: longest line; of longer ones only the beginning is kept.
    """
    number = 0
    parts: list[bytes] = []  # of the line being read
    n_kept = n_seen = 0
    broken: BrokenStreamError | None = None
    start_of_stream = True

    def keep(piece: bytes) -> None:
        nonlocal n_kept, n_seen
        n_seen += len(piece)
        if n_seen > max_bytes:
            if n_kept > PAYLOAD_KEPT_BYTES:
                parts[:] = [b"".join(parts)[:PAYLOAD_KEPT_BYTES]]
                n_kept = len(parts[0])
            piece = piece[: max(PAYLOAD_KEPT_BYTES - n_kept, 0)]
        if piece:
            parts.append(piece)
            n_kept += len(piece)

    def finish(*, ended: bool) -> Line:
        nonlocal number, n_kept, n_seen, start_of_stream
        data = b"".join(parts)
        if start_of_stream and data.startswith(_BOM):
            data = data[len(_BOM) :]
        line = Line(number, data, n_seen, n_seen > max_bytes, broken, ended)
        parts.clear()
        number, n_kept, n_seen, start_of_stream = number + 1, 0, 0, False
        return line

    source = iter(chunks)
    while True:
        try:
            chunk = next(source)
        except StopIteration:
            break
        except BrokenStreamError as error:
            if n_seen and error.after_whole:
                yield finish(ended=False)
            keep(error.beginning)
            broken = error
            break
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            keep(chunk[start:end])
            yield finish(ended=True)
            start = end + 1
        if start < len(chunk):
            keep(chunk[start:] if start else chunk)
    if n_seen or broken is not None:
        yield finish(ended=False)
