"""Decode a picture once, as it is shown, and keep what was wanted of it."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from winnowry.core.errors import ContractError
from winnowry.operators.media.containers import PNG_START, gif_marks, jpeg_marks, png_marks
from winnowry.operators.media.faults import DecodeError

if TYPE_CHECKING:
    from PIL.Image import Image

Plane = npt.NDArray[np.uint8]
_Value = TypeVar("_Value")
_Value_co = TypeVar("_Value_co", covariant=True)

MOST_PIXELS = 100_000_000
"""Of a picture that is decoded; larger ones are refused from their header, before they take the machine's memory."""

_FORMATS = ("AVIF", "BMP", "GIF", "ICO", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP")
"""Formats that Pillow decodes in this process; it hands others (EPS) to a program."""
_ORIENTATION = 0x0112  # EXIF tag
_BITS_PER_SAMPLE = 258  # TIFF tag
_SMALL_SIDE_PX = 512


class PictureFacts(NamedTuple):
    """What a picture is.

    Attributes:
        image_format: by its bytes, e.g. ``PNG``.
        width: in pixels, as shown.
        height: in pixels, as shown.
        orientation: the stored EXIF orientation, whatever it says; None where there is none.
        bit_depth: bits of a sample as stored.
        n_frames: of an animation; 1 for a still.
        warning: what was wrong with a file all of whose pixels could be read; None for nothing.
    """

    image_format: str
    width: int
    height: int
    orientation: int | None
    bit_depth: int
    n_frames: int
    warning: str | None


class Pixels:
    """A decoded picture of full size; it lives while the reductions that are wanted of it run.

    Attributes:
        facts: what the picture is.
        stored: rows × columns × 3 (RGB) or rows × columns (grey), 8 bits, before it is turned; alpha lies over white.
    """

    def __init__(self, facts: PictureFacts, stored: Plane, turn: int, profile: bytes = b"") -> None:
        self.facts = facts
        self.stored = np.ascontiguousarray(stored)
        self._turn = turn
        self._profile = profile

    def like(self, stored: Plane) -> Pixels:
        """Another stored picture that is shown as this one is: turned alike, in the same colours."""
        return Pixels(self.facts, stored, self._turn, self._profile)

    def upright(self, plane: Plane) -> Plane:
        """A plane of the stored picture, or a smaller copy of one, as it is shown; contiguous."""
        return np.ascontiguousarray(_turned(plane, self._turn))

    @cached_property
    def stored_luma(self) -> Plane:
        """Luma of the stored picture, rows × columns."""
        from winnowry.operators.media.kernels.planes import luma_of

        return self.stored if self.stored.ndim == 2 else luma_of(self.stored)

    @cached_property
    def small(self) -> Plane:
        """The picture as it is shown, in sRGB, with a longer side of at most 512 pixels; RGB or grey."""
        return self.upright(_in_srgb(smaller(self.stored, _SMALL_SIDE_PX), self._profile))

    @cached_property
    def small_luma(self) -> Plane:
        """Luma of :attr:`small`."""
        from winnowry.operators.media.kernels.planes import luma_of

        return self.small if self.small.ndim == 2 else luma_of(self.small)


class PictureReduction(Protocol[_Value_co]):
    """Makes of a decoded picture what is kept of it, at most a few KiB; hashable, equal where it does the same."""

    def __call__(self, pixels: Pixels, /) -> _Value_co:
        """Reduce the picture."""
        ...


@dataclass(frozen=True)
class Picture:
    """What was kept of a picture: its facts, and the values of the reductions that were wanted."""

    facts: PictureFacts
    _values: dict[PictureReduction[Any], Any]

    def value(self, reduction: PictureReduction[_Value]) -> _Value:
        """What a reduction made of the picture.

        Raises:
            ContractError: nobody said beforehand that it is wanted.
        """
        if reduction not in self._values:
            raise ContractError(f"{reduction!r} was not among what the operator wants of a picture")
        value: _Value = self._values[reduction]
        return value


def decode_picture(data: bytes, reductions: Iterable[PictureReduction[Any]]) -> Picture:
    """Decode the first frame that is shown, reduce it, and let the pixels go.

    Geometry and colour are those that are shown: the EXIF orientation is applied once (never to HEIF, whose own
    rotation is), alpha lies over white, inks and 16 bits become RGB of 8, the canvas of an animation is whole.

    Args:
        data: the file.
        reductions: what is made of it; each is called once.

    Raises:
        DecodeError: it is no picture, is cut off, or has more than :data:`MOST_PIXELS`.
    """
    pixels = _pixels(data)
    return Picture(pixels.facts, {reduction: reduction(pixels) for reduction in reductions})


def smaller(plane: Plane, side_px: int) -> Plane:
    """The plane with a longer side of at most ``side_px``, by area."""
    from winnowry.operators.media.kernels.planes import shrink

    height, width = plane.shape[:2]
    longer = max(height, width)
    if longer <= side_px:
        return plane
    rows, columns = (max(1, round(side * side_px / longer)) for side in (height, width))
    return shrink(plane.reshape(height, width, -1), rows, columns).reshape(rows, columns, *plane.shape[2:])


def _pixels(data: bytes) -> Pixels:
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if _is_heif(data):
        return _heif(data)
    return _by_pillow(data)


def _jpeg(data: bytes) -> Pixels:
    import simplejpeg

    marks = jpeg_marks(data)
    _refuse_many(marks.width, marks.height)
    try:
        colours = simplejpeg.decode_jpeg_header(data, strict=False)[2]
    except (ValueError, KeyError):  # the second for colours that it has no name for
        raise DecodeError(f"JPEG with {marks.n_components} components of {marks.bits} bits cannot be read") from None
    if marks.missing_scans:
        raise DecodeError("truncated: a progressive JPEG without its last scans")
    wanted = {"Gray": "GRAY", "CMYK": "CMYK", "YCCK": "CMYK"}.get(colours, "RGB")
    warning = None
    try:
        stored = simplejpeg.decode_jpeg(data, wanted)
    except ValueError as error:
        stored, warning = _jpeg_despite(data, wanted, str(error))
    if wanted == "GRAY":
        stored = stored[:, :, 0]
    elif wanted == "CMYK":
        stored = _rgb(_opened(data))  # which knows what an Adobe file means by its inks
    orientation = _exif_orientation(marks.exif)
    facts = _facts("JPEG", stored, orientation, marks.bits, 1, warning)
    return Pixels(facts, stored, _turn(orientation), marks.profile if wanted != "CMYK" else b"")


def _jpeg_despite(data: bytes, colours: str, complaint: str) -> tuple[Plane, str]:
    """The pixels of a JPEG that the decoder complains about although all of them are there.

    Raises:
        DecodeError: they are not.
    """
    import simplejpeg

    if complaint == "Premature end of JPEG file":
        # All pixels were there if the decoder misses nothing but the end mark.
        try:
            return simplejpeg.decode_jpeg(data + b"\xff\xd9", colours), "end mark missing"
        except ValueError:
            raise DecodeError("truncated: Premature end of JPEG file") from None
    raise DecodeError(f"truncated: {complaint}" if "premature end" in complaint else complaint)


def _is_heif(data: bytes) -> bool:
    brands = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
    if data[4:8] != b"ftyp" or b"avif" in data[8:64]:
        return False
    return data[8:12] in brands


def _heif(data: bytes) -> Pixels:
    import pi_heif

    file = pi_heif.open_heif(data, convert_hdr_to_8bit=True)
    primary = file[file.primary_index]
    _refuse_many(*primary.size)
    stored = _rgb(primary.to_pillow())
    # The file's own rotation has been applied; readers must not apply the EXIF orientation too (ISO/IEC 23008-12).
    orientation = _exif_orientation((primary.info.get("exif") or b"").removeprefix(b"Exif\0\0"))
    facts = _facts("HEIF", stored, orientation, int(primary.info.get("bit_depth", 8)), 1, None)
    return Pixels(facts, stored, 1, primary.info.get("icc_profile") or b"")


def _by_pillow(data: bytes) -> Pixels:
    # The marks first: of a damaged file they know what is wrong.
    marks = png_marks(data) if data.startswith(PNG_START) else None
    blocks = gif_marks(data) if data.startswith((b"GIF87a", b"GIF89a")) else None
    image = _opened(data)
    _refuse_many(*image.size)
    form = str(image.format)
    bits, n_frames, ends = _bits_of(image), int(getattr(image, "n_frames", 1)), True
    if marks is not None:
        bits, n_frames, ends = marks.bits, marks.n_frames, marks.ends
        if marks.hidden_default:
            image.seek(1)  # what is shown is the first frame of the animation
    elif blocks is not None:
        n_frames, ends = blocks.n_frames, blocks.ends
    elif form == "TIFF":
        n_frames = 1  # its pages are no animation
    warning = None if ends else "end mark missing"
    orientation = _image_orientation(image)
    profile = image.info.get("icc_profile") or b""
    image.load()
    # The TIFF reader turns the picture itself while it loads it.
    turn = 1 if form == "TIFF" else _turn(orientation)
    stored = _rgb(image)
    return Pixels(_facts(form, stored, orientation, bits, n_frames, warning, turn), stored, turn, profile)


def _opened(data: bytes) -> Image:
    from PIL import Image, UnidentifiedImageError

    Image.init()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # metadata that is odd does not keep a picture from being decoded
            return Image.open(io.BytesIO(data), formats=[name for name in _FORMATS if name in Image.OPEN])
    except UnidentifiedImageError:
        raise DecodeError("no picture of a known format") from None
    except Image.DecompressionBombError:
        raise DecodeError(f"more than {MOST_PIXELS:,} pixels") from None


def _refuse_many(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise DecodeError(f"{width}×{height} is {width * height:,} pixels, more than {MOST_PIXELS:,}")


def _facts(
    form: str, stored: Plane, orientation: int | None, bits: int, n_frames: int, warning: str | None,
    turn: int | None = None,
) -> PictureFacts:  # fmt: skip
    height, width = stored.shape[:2]
    if (_turn(orientation) if turn is None else turn) in _QUARTER_TURNS and form != "HEIF":
        width, height = height, width
    return PictureFacts(form, width, height, orientation, bits, n_frames, warning)


_QUARTER_TURNS = (5, 6, 7, 8)


def _turn(orientation: int | None) -> int:
    """How the picture is turned: values that the standard does not define turn nothing."""
    return orientation if orientation is not None and 1 <= orientation <= 8 else 1


def _turned(plane: Plane, turn: int) -> Plane:
    """The stored plane as EXIF orientation ``turn`` shows it."""
    if turn in _QUARTER_TURNS:
        plane = plane.swapaxes(0, 1)
    # Which axes run backwards once rows and columns are in their places.
    if turn in (3, 4, 7, 8):
        plane = plane[::-1]
    if turn in (2, 3, 6, 7):
        plane = plane[:, ::-1]
    return plane


def _exif_orientation(block: bytes) -> int | None:
    if not block:
        return None
    from PIL.Image import Exif

    exif = Exif()
    try:
        exif.load(block)
        return _whole(exif.get(_ORIENTATION))
    except Exception:  # damaged metadata do not keep a picture from being shown
        return None


def _image_orientation(image: Image) -> int | None:
    try:
        return _whole(image.getexif().get(_ORIENTATION))
    except Exception:  # as above
        return None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and abs(value) < 1 << 31 else None


def _bits_of(image: Image) -> int:
    if image.format == "TIFF":
        bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, 1)
        return int(bits[0] if isinstance(bits, tuple) else bits)
    if image.format == "PPM" and image.mode == "I":
        return 16
    return {"1": 1, "I;16": 16, "I;16B": 16, "I": 32, "F": 32}.get(image.mode, 8)


def _rgb(image: Image) -> Plane:
    """The pixels as RGB or grey of 8 bits, alpha over white."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        wide = np.asarray(image).astype(np.uint32)
        return ((wide * 255 + 32_767) // 65_535).astype(np.uint8)
    if image.mode in ("I", "F"):
        return _eight_bits(np.asarray(image))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        shown = image.convert("RGBA")
        ground = Image.new("RGBA", shown.size, (255, 255, 255, 255))
        ground.alpha_composite(shown)
        return np.asarray(ground.convert("RGB"))
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))
    return np.asarray(image.convert("RGB"))


def _eight_bits(values: npt.NDArray[Any]) -> Plane:
    """Grey of 32 bits, which does not say what white is: the smallest usual white that no value exceeds.

    Whole numbers: 65,535 or 2³²-1. Fractions: 1, 255 or 65,535; what is no number is black.
    """
    whites = (1.0, 255.0, 65_535.0) if values.dtype.kind == "f" else (65_535.0, 4_294_967_295.0)
    grey = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    white = next((white for white in whites if grey.max(initial=0.0) <= white), whites[-1])
    return np.asarray(np.rint(grey * (255 / white)).clip(0, 255), dtype=np.uint8)


def _in_srgb(plane: Plane, profile: bytes) -> Plane:
    """Colours of another profile as sRGB; a damaged profile changes nothing."""
    if not profile or any("sRGB".encode(code) in profile for code in ("ascii", "utf-16-be")):
        return plane
    from PIL import Image, ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        shown = ImageCms.profileToProfile(
            Image.fromarray(plane), source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return plane
    return np.asarray(shown) if shown is not None else plane
