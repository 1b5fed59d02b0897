"""What a page of a PDF says: its glyphs, which of them people see, and the text that they are."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pypdfium2.raw as pdfium

from winnowry.operators.media.parsers.pdf_objects import Box, PageObjects, TextObject
from winnowry.operators.media.parsers.pdf_picture import PagePicture
from winnowry.operators.media.parsers.reading_order import Piece, text_of

_HYPHENS = frozenset({0x02, 0xFFFE, 0xFFFF})
"""What pdfium has in the place of a hyphen at the end of a line."""
_SAME_PLACE = 0.12
"""Heights between two equal glyphs of which one is the shadow of the other."""
_GAP = 0.2
_COLUMN_GAP = 1.2
"""Heights between glyphs from which they are two words, and two pieces of a line."""
_CELL = 8.0
_LINE_BREAKS = frozenset("\r\n")


@dataclass(slots=True)
class _Glyph:
    """A glyph: its character and its box, in points of the page from its lower left corner."""

    text: str
    left: float
    bottom: float
    right: float
    top: float
    source: int  # address of its text object; 0 for what pdfium adds
    is_mapped: bool = True
    quarter: int = 0  # turns of 90 degrees, counter-clockwise

    @property
    def height(self) -> float:
        return max(self.top - self.bottom, 0.01)


@dataclass(frozen=True)
class PageText:
    """The text of a page.

    Attributes:
        text: what people see, or what lies invisibly over the picture of a scan.
        hidden: the text that nobody sees.
        n_glyphs: of the text, blanks included.
        n_unmapped: those of them of which nothing says which characters they are.
        source: ``visible``, ``invisible_over_image`` or ``mixed``; None without text.
    """

    text: str = ""
    hidden: str = ""
    n_glyphs: int = 0
    n_unmapped: int = 0
    source: str | None = None


@dataclass
class _Layers:
    """The glyphs of a page by who sees them."""

    visible: list[_Glyph] = field(default_factory=list)
    over_image: list[_Glyph] = field(default_factory=list)
    hidden: list[_Glyph] = field(default_factory=list)


def text_of_page(page: object, objects: PageObjects, picture: PagePicture) -> PageText:
    """Read the text of a page.

    Args:
        page: of pdfium.
        objects: what is drawn on it.
        picture: the page as it is shown.
    """
    if not objects.texts:
        return PageText()
    text_page = pdfium.FPDFText_LoadPage(page)
    if not text_page:
        raise ValueError("its text cannot be read")
    try:
        glyphs = _with_replacements(list(_glyphs(text_page, objects)), objects)
    finally:
        pdfium.FPDFText_ClosePage(text_page)
    n_silent = _n_silent({glyph.source for glyph in glyphs}, objects, picture)
    layers = _by_who_sees(_without_shadows(glyphs), objects, picture)
    shown = [glyph for glyph in (*layers.visible, *layers.over_image) if glyph.source]
    return PageText(
        text=_joined(layers.visible, layers.over_image),
        hidden=_joined(layers.hidden),
        n_glyphs=len(shown) + n_silent,
        n_unmapped=sum(not glyph.is_mapped for glyph in shown) + n_silent,
        source=_source(_says(layers.visible), _says(layers.over_image)),
    )


def _n_silent(sources: set[int], objects: PageObjects, picture: PagePicture) -> int:
    """Text objects that are seen and of which pdfium has no glyph; how many they would be is not known."""
    silent = [
        text for text in objects.texts.values()
        if text.address not in sources and text.is_painted and text.replacement is None
    ]  # fmt: skip
    with_glyphs = [objects.texts[source].box for source in sources if source in objects.texts] if silent else []
    return sum(
        not any(_is_over(box, text.box) for box in with_glyphs)
        and picture.shows([text.box], text.colour, can_be_trusted=True)
        for text in silent
        if text.box[2] > text.box[0] and text.box[3] > text.box[1]
    )


def _source(visible: bool, over_image: bool) -> str | None:
    if visible and over_image:
        return "mixed"
    return "visible" if visible else "invisible_over_image" if over_image else None


def _says(glyphs: Sequence[_Glyph]) -> bool:
    return any(glyph.source and glyph.text.strip() for glyph in glyphs)


def _glyphs(text_page: object, objects: PageObjects) -> Iterator[_Glyph]:
    """The glyphs in pdfium's order, with the blanks and line breaks that it adds."""
    high = 0
    for index in range(pdfium.FPDFText_CountChars(text_page)):
        code = _code(text_page, index)
        source = _address(pdfium.FPDFText_GetTextObject(text_page, index))
        if not source or pdfium.FPDFText_IsGenerated(text_page, index) == 1:
            yield _Glyph(chr(code), 0, 0, 0, 0, 0)
            continue
        if 0xD800 <= code < 0xDC00 and not high and 0xDC00 <= _code(text_page, index + 1) < 0xE000:
            high = code  # the first half of a character beyond the basic plane
            continue
        if high:
            code = 0x10000 + ((high - 0xD800) << 10) + code - 0xDC00
        high = 0
        if code in _HYPHENS and pdfium.FPDFText_IsHyphen(text_page, index) == 1:
            code = 0x2D
        known = objects.texts.get(source)
        if known is not None and known.quarter is None:
            angle = pdfium.FPDFText_GetCharAngle(text_page, index)
            known.quarter = round(angle / (math.pi / 2)) % 4 if angle >= 0 else 0
        yield _Glyph(
            chr(code),
            *_box(text_page, index, known),
            source,
            _is_character(code) and pdfium.FPDFText_HasUnicodeMapError(text_page, index) != 1,
            known.quarter or 0 if known is not None else 0,
        )


def _box(text_page: object, index: int, text: TextObject | None) -> Box:
    """The box of a glyph by its font, or by what is painted, or that of its text object."""
    box = pdfium.FS_RECTF()
    if pdfium.FPDFText_GetLooseCharBox(text_page, index, ctypes.byref(box)):
        return box.left, box.bottom, box.right, box.top
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    sides = (ctypes.byref(side) for side in (left, right, bottom, top))
    if pdfium.FPDFText_GetCharBox(text_page, index, *sides) and right.value > left.value:
        return left.value, bottom.value, right.value, top.value
    return text.box if text is not None else (0.0, 0.0, 0.0, 0.0)


def _code(text_page: object, index: int) -> int:
    code: int = pdfium.FPDFText_GetUnicode(text_page, index)
    return code


def _address(handle: object) -> int:
    return ctypes.cast(handle, ctypes.c_void_p).value or 0 if handle else 0  # type: ignore[arg-type]


def _is_character(code: int) -> bool:
    """Whether a code is a character: no control, no half of one, none of the private use areas, no U+FFFD."""
    if code < 0xA0:
        return 0x20 <= code < 0x7F or code in (0x09, 0x0A, 0x0D)
    if 0xD800 <= code < 0xF900 or 0xFDD0 <= code < 0xFDF0:
        return False
    return code < 0xF0000 and code & 0xFFFE != 0xFFFE and code != 0xFFFD


def _with_replacements(glyphs: list[_Glyph], objects: PageObjects) -> list[_Glyph]:
    """The glyphs; a part of the page for which the file has a text of its own has that text."""
    replaced = [text for text in objects.texts.values() if text.replacement is not None]
    if not replaced:
        return glyphs
    silent = {text.address for text in replaced}
    kept = [glyph for glyph in glyphs if glyph.source not in silent]
    drawn = {address: at for at, address in enumerate(objects.texts)}
    for text in replaced:
        if not text.replacement:  # an earlier object has it already, or it is nothing
            continue
        here = drawn[text.address]
        before = [at for at, glyph in enumerate(kept) if glyph.source and drawn.get(glyph.source, here) < here]
        at = before[-1] + 1 if before else 0
        left, bottom, right, top = text.box
        step = (right - left) / len(text.replacement)
        made = [
            _Glyph(character, left + step * n, bottom, left + step * (n + 1), top, text.address,
                   _is_character(ord(character)))
            for n, character in enumerate(text.replacement)
        ]  # fmt: skip
        # The blank that pdfium adds is for the hole that it sees there.
        end = at + 1 if at < len(kept) and not kept[at].source and kept[at].text == " " else at
        after = kept[end] if end < len(kept) else None
        gap_before = [_blank()] if at and kept[at - 1].source and _are_apart(kept[at - 1], made[0]) else []
        is_apart = text.end_is_known and after is not None and after.source and _are_apart(made[-1], after)
        gap_after = [_blank()] if is_apart else []
        kept[at:end] = [*gap_before, *made, *gap_after]
    return kept


def _blank() -> _Glyph:
    return _Glyph(" ", 0, 0, 0, 0, 0)


def _are_apart(one: _Glyph, other: _Glyph) -> bool:
    return other.left - one.right > _GAP * max(one.height, other.height)


def _without_shadows(glyphs: Sequence[_Glyph]) -> list[_Glyph]:
    """The glyphs without those that are drawn again in nearly the same place, for shadows and heavier strokes."""
    seen: dict[tuple[str, int, int], list[_Glyph]] = {}
    kept = []
    for glyph in glyphs:
        if glyph.source and glyph.text.strip():
            reach = _SAME_PLACE * glyph.height
            column, row = int(glyph.left / _CELL), int(glyph.bottom / _CELL)
            if any(
                abs(other.left - glyph.left) < reach
                and abs(other.bottom - glyph.bottom) < reach
                and other.source != glyph.source
                for x in (column - 1, column, column + 1)
                for y in (row - 1, row, row + 1)
                for other in seen.get((glyph.text, x, y), ())
            ):
                continue
            seen.setdefault((glyph.text, column, row), []).append(glyph)
        kept.append(glyph)
    return kept


def _by_who_sees(glyphs: Sequence[_Glyph], objects: PageObjects, picture: PagePicture) -> _Layers:
    by_source: dict[int, list[_Glyph]] = {}
    for glyph in glyphs:
        if glyph.source:
            by_source.setdefault(glyph.source, []).append(glyph)
    seen = {
        source: _seen(objects.texts.get(source), group, objects, picture, by_source)
        for source, group in by_source.items()
    }
    visible_cells = {
        _cell(glyph) for source, group in by_source.items() if seen[source] == "visible" for glyph in group
    }
    layers = _Layers()
    last = layers.visible
    for glyph in glyphs:
        if not glyph.source:
            last.append(glyph)  # what pdfium adds goes with what it is behind
            continue
        how = seen[glyph.source]
        if how == "visible":
            last = layers.visible
        elif how == "over_image" and _cell(glyph) not in visible_cells:
            last = layers.over_image
        else:
            last = layers.hidden
        last.append(glyph)
    return layers


def _cell(glyph: _Glyph) -> tuple[int, int]:
    return int((glyph.left + glyph.right) / 2 / _CELL), int((glyph.bottom + glyph.top) / 2 / _CELL)


def _seen(
    text: TextObject | None,
    glyphs: Sequence[_Glyph],
    objects: PageObjects,
    picture: PagePicture,
    by_source: dict[int, list[_Glyph]],
) -> str:
    """Whether people see a text object: ``visible``, ``over_image`` (invisible there) or ``hidden``."""
    if text is None:
        return "visible"
    boxes = [(glyph.left, glyph.bottom, glyph.right, glyph.top) for glyph in glyphs if glyph.text.strip()]
    # A line that runs off the page is one of the page.
    if 2 * sum(picture.is_on_page((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) for box in boxes) < len(boxes):
        return "hidden"
    middle = ((text.box[0] + text.box[2]) / 2, (text.box[1] + text.box[3]) / 2)
    if not text.is_painted:
        # pdfium leaves out text that is drawn again in the same place: here the one that is seen.
        if any(
            other.is_painted and other.address not in by_source and _is_over(other.box, text.box)
            for other in objects.texts.values()
        ):
            return "visible"
        return "over_image" if objects.is_image_at(*middle) else "hidden"
    if picture.shows(boxes, text.colour, can_be_trusted=text.draws_surely):
        return "visible"
    # Some programs put what they recognised below the picture of the scan.
    return "over_image" if objects.is_image_at(*middle, above=text.at) else "hidden"


def _is_over(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    area = (other[2] - other[0]) * (other[3] - other[1])
    return width > 0 and height > 0 and width * height > area / 2


def _joined(*layers: Sequence[_Glyph]) -> str:
    """The text of glyphs: those that stand upright first, then what is written in other directions."""
    pieces: dict[int, list[Piece]] = {}
    for layer in layers:
        for glyphs in _stretches(layer):
            quarter = glyphs[0].quarter
            pieces.setdefault(quarter, []).append(_piece(glyphs, quarter, sum(map(len, pieces.values()))))
    ordered = sorted(pieces, key=lambda quarter: -sum(len(piece.text) for piece in pieces[quarter]))
    return "\n\n".join(text for quarter in ordered if (text := text_of(pieces[quarter])))


def _stretches(glyphs: Sequence[_Glyph]) -> Iterator[list[_Glyph]]:
    """Glyphs side by side, in the order of the file; blanks that were added are kept inside."""
    stretch: list[_Glyph] = []
    last: _Glyph | None = None
    for glyph in glyphs:
        if glyph.source == 0:
            if glyph.text in _LINE_BREAKS:
                last = None
            elif stretch:
                stretch.append(glyph)
            continue
        if last is None or glyph.quarter != last.quarter or _starts_anew(last, glyph):
            if stretch:
                yield stretch
            stretch = []
        stretch.append(glyph)
        last = glyph
    if stretch:
        yield stretch


def _starts_anew(last: _Glyph, glyph: _Glyph) -> bool:
    one, other = _upright(last), _upright(glyph)
    height = max(one[3] - one[1], other[3] - other[1], 0.01)
    gap = max(other[0] - one[2], one[0] - other[2])
    return abs(one[1] + one[3] - other[1] - other[3]) > height or gap > _COLUMN_GAP * height


def _upright(glyph: _Glyph) -> tuple[float, float, float, float]:
    """The box of a glyph on a page that is turned until the glyph stands upright."""
    left, bottom, right, top = glyph.left, glyph.bottom, glyph.right, glyph.top
    if glyph.quarter == 1:
        return bottom, -right, top, -left
    if glyph.quarter == 2:
        return -right, -top, -left, -bottom
    if glyph.quarter == 3:
        return -top, left, -bottom, right
    return left, bottom, right, top


def _piece(glyphs: Sequence[_Glyph], quarter: int, at: int) -> Piece:
    boxes = [_upright(glyph) for glyph in glyphs if glyph.source]
    bottom, top = min(box[1] for box in boxes), max(box[3] for box in boxes)
    text = "".join(glyph.text for glyph in glyphs if glyph.is_mapped)
    return Piece(
        text.replace("\t", " ").replace("\r", " ").replace("\n", " "),
        min(box[0] for box in boxes),
        max(box[2] for box in boxes),
        (bottom + top) / 2,
        max(top - bottom, 0.01),
        at,
    )
