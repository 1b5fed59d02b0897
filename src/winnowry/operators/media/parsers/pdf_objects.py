"""What is drawn on a page of a PDF: its text objects with how they are painted, and where its images are."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pypdfium2.raw as pdfium

Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""
Matrix = tuple[float, float, float, float, float, float]

_UNPAINTED = frozenset({pdfium.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium.FPDF_TEXTRENDERMODE_CLIP})
_STROKED = frozenset({pdfium.FPDF_TEXTRENDERMODE_STROKE, pdfium.FPDF_TEXTRENDERMODE_STROKE_CLIP})
_ALWAYS_THERE = ("Helvetica", "Arial", "Times", "Courier", "Symbol", "ZapfDingbats")
"""Fonts that pdfium draws without their file."""
_IDENTITY = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
_DOC_ENCODING = dict(
    zip(
        [*range(0x18, 0x20), *range(0x80, 0x9F), 0xA0],
        "\u02d8\u02c7\u02c6\u02d9\u02dd\u02db\u02da\u02dc\u2022\u2020\u2021\u2026\u2014\u2013\u0192\u2044\u2039\u203a\u2212\u2030"
        "\u201e\u201c\u201d\u2018\u2019\u201a\u2122\ufb01\ufb02\u0141\u0152\u0160\u0178\u017d\u0131\u0142\u0153\u0161\u017e\u20ac",
        strict=True,
    )
)
"""Where PDFDocEncoding differs from Latin-1 (ISO 32000-1, D.2)."""
_DEEPEST = 12
_GRID = 64


@dataclass
class TextObject:
    """Text as one operator of the page draws it.

    Attributes:
        address: of the object of pdfium.
        box: of the object, in its own coordinates: those of the page, unless it is inside a form.
        is_painted: whether its mode of rendering paints anything.
        colour: red, green and blue of what paints it.
        draws_surely: whether a picture of the page has its glyphs: their font is in the file, or in pdfium.
        at: its number in the order in which the page is drawn.
        replacement: the text that the file has for it (``ActualText``); empty where an earlier object has it already.
        end_is_known: whether the box of what has a replacement goes on to its end: pdfium does not know how far text
            goes of which it paints nothing.
        quarter: turns of 90 degrees; None until a glyph of it was looked at.
    """

    address: int
    box: Box
    is_painted: bool
    colour: tuple[int, int, int]
    draws_surely: bool
    at: int
    replacement: str | None = None
    end_is_known: bool = True
    quarter: int | None = None


@dataclass
class PageObjects:
    """What is drawn on a page, in the order of its drawing."""

    texts: dict[int, TextObject] = field(default_factory=dict)
    images: list[tuple[int, Box]] = field(default_factory=list)
    n_others: int = 0

    def is_image_at(self, x: float, y: float, above: int = -1) -> bool:
        """Whether an image is at a place, drawn after the object of a number."""
        return any(
            left <= x <= right and bottom <= y <= top for at, (left, bottom, right, top) in self.images if at > above
        )

    def image_share(self, page: Box) -> float:
        """Share of a page that its images cover, to a 64th of its sides."""
        left, bottom, right, top = page
        width, height = max(right - left, 0.01), max(top - bottom, 0.01)
        covered: set[tuple[int, int]] = set()
        for _, box in self.images:
            first, last = (round((side - left) / width * _GRID) for side in (box[0], box[2]))
            low, high = (round((side - bottom) / height * _GRID) for side in (box[1], box[3]))
            covered |= {
                (column, row)
                for column in range(max(0, first), min(_GRID, last))
                for row in range(max(0, low), min(_GRID, high))
            }
        return len(covered) / _GRID**2


def objects_of(page: object) -> PageObjects:
    """Walk over what is drawn on a page, into its forms."""
    objects = PageObjects()
    drawn = _walk(lambda at: pdfium.FPDFPage_GetObject(page, at), pdfium.FPDFPage_CountObjects(page), _IDENTITY, 0)
    marks: dict[int, TextObject] = {}
    for at, (handle, matrix) in enumerate(drawn):
        kind = pdfium.FPDFPageObj_GetType(handle)
        if kind == pdfium.FPDF_PAGEOBJ_TEXT:
            text = _text_object(handle, matrix, at)
            _replace(text, handle, marks)
            objects.texts[text.address] = text
        elif kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            objects.images.append((at, _box_of(handle, matrix)))
        else:
            objects.n_others += 1
    return objects


def _walk(of: Callable[[int], object], count: int, matrix: Matrix, depth: int) -> Iterator[tuple[object, Matrix]]:
    for at in range(count):
        handle = of(at)
        if not handle:
            continue
        if pdfium.FPDFPageObj_GetType(handle) == pdfium.FPDF_PAGEOBJ_FORM:
            if depth < _DEEPEST:
                inner = pdfium.FPDFFormObj_CountObjects(handle)
                yield from _walk(
                    lambda n, form=handle: pdfium.FPDFFormObj_GetObject(form, n),  # type: ignore[misc]
                    inner,
                    _times(_matrix_of(handle), matrix),
                    depth + 1,
                )
            continue
        yield handle, matrix


def _text_object(handle: object, matrix: Matrix, at: int) -> TextObject:
    mode = pdfium.FPDFTextObj_GetTextRenderMode(handle)
    of_stroke = mode in _STROKED
    read = pdfium.FPDFPageObj_GetStrokeColor if of_stroke else pdfium.FPDFPageObj_GetFillColor
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    known = read(handle, *(ctypes.byref(value) for value in (red, green, blue, alpha)))
    return TextObject(
        address=ctypes.cast(handle, ctypes.c_void_p).value or 0,  # type: ignore[arg-type]
        box=_box_of(handle, matrix),
        is_painted=mode not in _UNPAINTED and not (known and alpha.value == 0),
        colour=(red.value, green.value, blue.value) if known else (0, 0, 0),
        draws_surely=_draws_surely(handle),
        at=at,
    )


def _draws_surely(handle: object) -> bool:
    font = pdfium.FPDFTextObj_GetFont(handle)
    if not font:
        return False
    if pdfium.FPDFFont_GetIsEmbedded(font) == 1:
        return True
    name = ctypes.create_string_buffer(128)
    pdfium.FPDFFont_GetBaseFontName(font, name, len(name))
    return name.value.decode("latin-1").startswith(_ALWAYS_THERE)


def _replace(text: TextObject, handle: object, marks: dict[int, TextObject]) -> None:
    """Give a text object the ``ActualText`` of the innermost mark that has one, or to the first object of that mark."""
    for at in reversed(range(max(0, pdfium.FPDFPageObj_CountMarks(handle)))):
        mark = pdfium.FPDFPageObj_GetMark(handle, at)
        data = _string_of(mark, b"ActualText") if mark else None
        if data is None:
            continue
        first = marks.setdefault(ctypes.cast(mark, ctypes.c_void_p).value or 0, text)
        text.replacement = _text_string(data) if first is text else ""
        boxes = first.box, text.box
        first.box = (
            min(box[0] for box in boxes),
            min(box[1] for box in boxes),
            max(box[2] for box in boxes),
            max(box[3] for box in boxes),
        )
        first.end_is_known = text.box[2] > text.box[0]
        return


def _string_of(mark: object, key: bytes) -> bytes | None:
    length = ctypes.c_ulong()
    if not pdfium.FPDFPageObjMark_GetParamBlobValue(mark, key, None, 0, ctypes.byref(length)):
        return None
    buffer = (ctypes.c_ubyte * max(1, length.value))()
    pdfium.FPDFPageObjMark_GetParamBlobValue(mark, key, buffer, length.value, ctypes.byref(length))
    return bytes(buffer)[: length.value]


def _text_string(data: bytes) -> str:
    """A text string: UTF-16 or UTF-8 with its mark, else one byte a character (ISO 32000-2, 7.9.2.2)."""
    if data.startswith(b"\xfe\xff"):
        return data[2:].decode("utf-16-be", "replace")
    if data.startswith(b"\xef\xbb\xbf"):
        return data[3:].decode("utf-8", "replace")
    return data.decode("latin-1").translate(_DOC_ENCODING)


def utf16(read: Callable[[object, int], object], n_bytes: int) -> str:
    """What pdfium writes as UTF-16 into a buffer of n bytes, without its closing zero."""
    buffer = ctypes.create_string_buffer(max(2, n_bytes))
    read(ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), n_bytes)
    return buffer.raw[:n_bytes].decode("utf-16-le", "replace").rstrip("\0")


def _box_of(handle: object, matrix: Matrix) -> Box:
    sides = [ctypes.c_float() for _ in range(4)]
    pdfium.FPDFPageObj_GetBounds(handle, *(ctypes.byref(side) for side in sides))
    left, bottom, right, top = (side.value for side in sides)
    if matrix == _IDENTITY:
        return left, bottom, right, top
    a, b, c, d, e, f = matrix
    corners = [(a * x + c * y + e, b * x + d * y + f) for x in (left, right) for y in (bottom, top)]
    return (
        min(x for x, _ in corners),
        min(y for _, y in corners),
        max(x for x, _ in corners),
        max(y for _, y in corners),
    )


def _matrix_of(handle: object) -> Matrix:
    matrix = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(handle, ctypes.byref(matrix))
    return matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f


def _times(first: Matrix, then: Matrix) -> Matrix:
    a, b, c, d, e, f = first
    m, n, o, p, q, r = then
    return a * m + b * o, a * n + b * p, c * m + d * o, c * n + d * p, e * m + f * o + q, e * n + f * p + r
