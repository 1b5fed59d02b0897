"""The order in which people read a page: lines from its glyphs, columns from its lines.

A file draws its glyphs in any order. Here they are pieces of lines first; where pieces lie to both sides of an empty
strip, and are lines of text on both, the strip parts two columns, of which the left one is read first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

_LEAST_LINES = 3
_LEAST_CHARACTERS = 20
"""Of the middle one of a column's lines: shorter ones are cells of a table, unless they are drawn column by column."""
_OVERLAP = 0.5
_GUTTER = 0.7
"""Least width of the strip between two columns, in heights of a line."""
_BAND = 0.35
"""Of a line's height to each side of its middle: what two bands do not share."""
_APART = 2.5
"""Distance of two bands, in heights of a line, from which only one with a strip of its own goes on with columns."""
_MOST_BANDS = 400
_BREAK = 1.75
"""Distance of two lines from which a blank one is between them, in heights."""
_DEEPEST = 8


@dataclass(frozen=True)
class Piece:
    """A piece of a line: glyphs side by side.

    Attributes:
        text: without line breaks.
        left, right: of its box.
        middle: of its height; larger is further up.
        height: of a line.
        at: its place in the order in which the file draws.
    """

    text: str
    left: float
    right: float
    middle: float
    height: float
    at: int


def text_of(pieces: Sequence[Piece]) -> str:
    """The text of a page, a line a line, with blank ones between blocks; words parted by a hyphen are one again."""
    lines: list[str] = []
    before: Piece | None = None
    for piece in in_order(pieces):
        text = " ".join(part for part in piece.text.split(" ") if part)
        if not text:
            continue
        if before is not None and _in_one_row(before, piece) and piece.left >= before.left:
            lines[-1] += " " + text
        else:
            if before is not None and before.middle - piece.middle > _BREAK * max(before.height, piece.height):
                lines.append("")
            lines.append(text)
        before = piece
    return "\n".join(_without_hyphens(lines))


def in_order(pieces: Sequence[Piece], depth: int = 0) -> list[Piece]:
    """The pieces as they are read."""
    bands = _bands(pieces)
    ordered: list[Piece] = []
    at = 0
    for seed, band in enumerate(bands if depth < _DEEPEST and len(bands) <= _MOST_BANDS else ()):
        if seed < at or not _inner_gaps(band):
            continue
        columns = _columns(bands, at, seed)
        if columns is None:
            continue
        first, stop, strip = columns
        ordered += [piece for above in bands[at:first] for piece in _row_by_row(above)]
        for side in _sides([piece for one in bands[first:stop] for piece in one], strip):
            ordered += in_order(side, depth + 1)
        at = stop
    return ordered + [piece for rest in bands[at:] for piece in _row_by_row(rest)]


def _bands(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Pieces beside each other, from the top: what shares some height is in one band."""
    bands: list[list[Piece]] = []
    lowest = 0.0
    for piece in sorted(pieces, key=lambda piece: (-piece.middle, piece.left)):
        half = piece.height * _BAND
        if bands and piece.middle + half >= lowest:
            bands[-1].append(piece)
            lowest = min(lowest, piece.middle - half)
        else:
            bands.append([piece])
            lowest = piece.middle - half
    return bands


def _columns(bands: Sequence[list[Piece]], lowest: int, seed: int) -> tuple[int, int, tuple[float, float]] | None:
    """The longest run of bands around one, none before ``lowest``, that a strip parts into columns; None for none."""
    ended: list[tuple[int, tuple[float, float]]] = []
    strips = _inner_gaps(bands[seed])
    stop = seed + 1
    while strips and stop < len(bands):
        if _is_apart(bands[stop - 1], bands[stop]) and not _inner_gaps(bands[stop]):
            break
        narrower = [(strip, _narrowed(strip, bands[stop])) for strip in strips]
        ended += [(stop, strip) for strip, others in narrower if not others]
        strips = [other for _, others in narrower for other in others]
        stop += 1
    ended += [(stop, strip) for strip in strips]
    for end, strip in reversed(ended):
        first, widest = seed, strip
        while first > lowest and not _is_apart(bands[first - 1], bands[first]):
            above = _narrowed(widest, bands[first - 1])
            if not above:
                break
            first, widest = first - 1, above[0]
        if _has_columns([piece for band in bands[first:end] for piece in band], widest):
            return first, end, widest
    return None


def _is_apart(above: Sequence[Piece], below: Sequence[Piece]) -> bool:
    """Whether two bands have much more than a line between them, as the head of a page and its text do."""
    distance = min(piece.middle for piece in above) - max(piece.middle for piece in below)
    return distance > _APART * max(_height(above), _height(below))


def _inner_gaps(band: Sequence[Piece]) -> list[tuple[float, float]]:
    """The strips between the pieces of a band that are wide enough to part columns."""
    least = _GUTTER * _height(band)
    gaps: list[tuple[float, float]] = []
    at: float | None = None
    for piece in sorted(band, key=lambda piece: piece.left):
        if at is not None and piece.left - at >= least:
            gaps.append((at, piece.left))
        at = piece.right if at is None else max(at, piece.right)
    return gaps


def _narrowed(strip: tuple[float, float], band: Sequence[Piece]) -> list[tuple[float, float]]:
    """What of a strip a band leaves empty, as far as it is still wide enough."""
    least = _GUTTER * _height(band)
    parts, at = [], strip[0]
    for piece in sorted(band, key=lambda piece: piece.left):
        if piece.right <= strip[0] or piece.left >= strip[1]:
            continue
        parts.append((at, piece.left))
        at = max(at, piece.right)
    return [(start, end) for start, end in [*parts, (at, strip[1])] if end - start >= least]


def _height(pieces: Iterable[Piece]) -> float:
    return median(piece.height for piece in pieces)


def _sides(pieces: Sequence[Piece], strip: tuple[float, float]) -> tuple[list[Piece], list[Piece]]:
    middle = (strip[0] + strip[1]) / 2
    return [piece for piece in pieces if piece.right <= middle], [piece for piece in pieces if piece.right > middle]


def _has_columns(pieces: Sequence[Piece], strip: tuple[float, float]) -> bool:
    """Whether a strip parts text from text: enough lines on both sides, beside each other, and no cells of a table."""
    sides = _sides(pieces, strip)
    rows = [len(_bands(side)) if len(side) >= _LEAST_LINES else 0 for side in sides]
    if min(rows) < _LEAST_LINES:
        return False
    tops = [max(piece.middle for piece in side) for side in sides]
    ends = [min(piece.middle for piece in side) for side in sides]
    beside = min(tops) - max(ends)
    if beside < _OVERLAP * min(top - end for top, end in zip(tops, ends, strict=True)):
        return False
    one_by_one = max(piece.at for piece in sides[0]) < min(piece.at for piece in sides[1])
    long = min(median(len(piece.text) for piece in side) for side in sides) >= _LEAST_CHARACTERS
    return long or one_by_one


def _row_by_row(band: Sequence[Piece]) -> list[Piece]:
    """The pieces of a band from left to right, row after row."""
    rows: list[list[Piece]] = []
    for piece in sorted(band, key=lambda piece: -piece.middle):
        if rows and _in_one_row(rows[-1][0], piece):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return [piece for row in rows for piece in sorted(row, key=lambda piece: piece.left)]


def _in_one_row(one: Piece, other: Piece) -> bool:
    return abs(one.middle - other.middle) < max(one.height, other.height) / 2


def _without_hyphens(lines: Sequence[str]) -> list[str]:
    """Lines whose last word goes on in the next one have all of it."""
    whole: list[str] = []
    for line in lines:
        before = whole[-1] if whole else ""
        if before.endswith(("-", "\u00ad", "\u2010")) and before[-2:-1].islower() and line[:1].islower():
            rest, _, line = line.partition(" ")
            whole[-1] = before[:-1] + rest
            if not line:
                continue
        whole.append(line)
    return whole
