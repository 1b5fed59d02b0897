"""The picture of a page of a PDF, small: what people see of it, and where text leaves a mark."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import pypdfium2.raw as pdfium

from winnowry.operators.media.parsers.pdf_objects import Box

SIDE_PX = 1000
"""The longer side."""
_LEAST_DIFFERENCE = 8
"""Levels of a colour, of 255, from which a mark is seen."""
_SAMPLED = 8
"""Glyphs of a text object that are looked at."""
_AROUND_PX = 1
_WHITE = 0xFFFFFFFF


class PagePicture:
    """A page as it is shown, with its geometry.

    Attributes:
        width: pixels.
        height: pixels.
        box: of the page, in points.
    """

    def __init__(self, page: object, side_px: int = SIDE_PX) -> None:
        points = [max(1.0, size) for size in (pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page))]
        scale = side_px / max(points)
        self.width, self.height = (max(1, round(size * scale)) for size in points)
        rectangle = pdfium.FS_RECTF()
        pdfium.FPDF_GetPageBoundingBox(page, ctypes.byref(rectangle))
        self.box: Box = (rectangle.left, rectangle.bottom, rectangle.right, rectangle.top)
        self._page = page
        self._pixels = self._rendered()
        self._to_device = self._affine()

    def rgb(self) -> bytes:
        """The pixels, row by row, three bytes each."""
        rgb = bytearray(3 * self.width * self.height)
        for at, channel in enumerate((2, 1, 0)):
            rgb[at::3] = self._pixels[channel::4]
        return bytes(rgb)

    def is_on_page(self, x: float, y: float) -> bool:
        """Whether a place, in points, is on the page."""
        left, bottom, right, top = self.box
        return left <= x <= right and bottom <= y <= top

    def shows(self, boxes: Sequence[Box], colour: tuple[int, int, int], *, can_be_trusted: bool) -> bool:
        """Whether glyphs leave a mark on the picture.

        Args:
            boxes: of the glyphs.
            colour: that they are painted with.
            can_be_trusted: whether they are on the picture if they are on the page. If not, they are hidden only where
                the page has their colour already.
        """
        sampled = boxes if len(boxes) <= _SAMPLED else boxes[:: -(-len(boxes) // _SAMPLED)]
        if not sampled:
            return True
        marks = sum(self._has_mark(box, None if can_be_trusted else colour) for box in sampled)
        return 2 * marks >= len(sampled)

    def _has_mark(self, box: Box, colour: tuple[int, int, int] | None) -> bool:
        corners = [self._at(x, y) for x in (box[0], box[2]) for y in (box[1], box[3])]
        first = max(0, int(min(x for x, _ in corners)) - _AROUND_PX)
        last = min(self.width, int(max(x for x, _ in corners)) + 1 + _AROUND_PX)
        top = max(0, int(min(y for _, y in corners)) - _AROUND_PX)
        end = min(self.height, int(max(y for _, y in corners)) + 1 + _AROUND_PX)
        if first >= last or top >= end:
            return False
        if colour is None:
            at = 4 * (top * self.width + first)
            blue, green, red = self._pixels[at : at + 3]
        else:
            red, green, blue = colour
        for row in range(top, end):
            start = 4 * (row * self.width + first)
            line = self._pixels[start : start + 4 * (last - first)]
            for channel, level in enumerate((blue, green, red)):
                values = line[channel::4]
                if max(values) - level >= _LEAST_DIFFERENCE or level - min(values) >= _LEAST_DIFFERENCE:
                    return True
        return False

    def _at(self, x: float, y: float) -> tuple[float, float]:
        a, b, c, d, e, f = self._to_device
        return a * x + c * y + e, b * x + d * y + f

    def _affine(self) -> tuple[float, float, float, float, float, float]:
        """From points of the page to pixels, as pdfium turns and cuts the page."""
        far = 1000.0
        origin, along, up = (self._device(x, y, far) for x, y in ((0.0, 0.0), (far, 0.0), (0.0, far)))
        return (
            (along[0] - origin[0]) / far,
            (along[1] - origin[1]) / far,
            (up[0] - origin[0]) / far,
            (up[1] - origin[1]) / far,
            origin[0],
            origin[1],
        )

    def _device(self, x: float, y: float, fineness: float) -> tuple[float, float]:
        column, row = ctypes.c_int(), ctypes.c_int()
        fine = round(fineness)
        pdfium.FPDF_PageToDevice(
            self._page, 0, 0, self.width * fine, self.height * fine, 0, x, y, ctypes.byref(column), ctypes.byref(row)
        )
        return column.value / fine, row.value / fine

    def _rendered(self) -> bytes:
        bitmap = pdfium.FPDFBitmap_CreateEx(self.width, self.height, pdfium.FPDFBitmap_BGRx, None, 4 * self.width)
        if not bitmap:
            raise MemoryError
        try:
            pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, self.width, self.height, _WHITE)
            pdfium.FPDF_RenderPageBitmap(bitmap, self._page, 0, 0, self.width, self.height, 0, 0)
            return ctypes.string_at(pdfium.FPDFBitmap_GetBuffer(bitmap), 4 * self.width * self.height)
        finally:
            pdfium.FPDFBitmap_Destroy(bitmap)
