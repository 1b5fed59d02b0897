"""``image.measure``: facts and plain measures of a picture, from one decoding."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.operators.base import Rule
from winnowry.operators.media.operator import MediaMeasure
from winnowry.operators.media.perceptual_hash import perceptual_hash
from winnowry.operators.media.pictures import Pixels, Plane, smaller
from winnowry.operators.media.views import View, Wants
from winnowry.operators.quality import Quality

THUMBNAIL_BYTES = 8 << 10
"""Most of a thumbnail."""
_THUMBNAIL_SIDE_PX = 160
_QUALITIES = (75, 50, 25, 10)
_NATIVE_SIDE_PX = 512
_DARK, _BRIGHT = 5, 250
_LEAST_SIDE_PX = 10
"""Below it neighbours say nothing: no sharpness, noise, blocks or blur."""

_FACTS = (
    ("width", pa.int64()),
    ("height", pa.int64()),
    ("n_pixels", pa.int64()),
    ("min_side", pa.int64()),
    ("aspect", pa.float64()),
    ("image_format", pa.string()),
    ("n_frames", pa.int64()),
    ("bit_depth", pa.int64()),
    ("orientation", pa.int64()),
)
_NUMBERS = (
    "luma_mean", "luma_std", "entropy", "dark", "bright", "p5", "p95", "sharpness", "noise", "blockiness", "blur",
    "colour",
)  # fmt: skip


@dataclass(frozen=True)
class _Measures:
    """The reduction of a picture to its measures: one for all operators of a chain."""

    def __call__(self, pixels: Pixels) -> dict[str, object]:
        small, luma = pixels.small, pixels.small_luma
        return {
            **_of_tones(luma),
            **_of_detail(luma, native_middle(pixels)),
            "colour": _colour(small),
            "phash": perceptual_hash(luma),
            "thumbnail": _thumbnail(small),
        }


MEASURES = _Measures()
"""The reduction of a picture to what ``image.measure`` writes of it."""


class ImageMeasure(MediaMeasure):
    """Decode a picture once, and write what it is, how it looks in plain numbers, its perceptual hash and a thumbnail.

    Everything is about the picture *as it is shown*: the EXIF orientation is applied, alpha lies over white, 16 bits
    and inks become RGB, an ICC profile becomes sRGB; of an animation the first frame that is shown, on its canvas.
    Tones and detail are those of a copy with a longer side of at most 512 pixels, by area, so that scale matters
    little; ``noise`` and ``blockiness`` are those of the middle 512 × 512 pixels as stored.

    No number here is quality. ``sharpness`` above all rises with noise.

    Writes, null where the picture cannot be decoded: ``decode_error`` (string; null: it can), ``decode_warning``
    (string; what was wrong with a file all of whose pixels are there), ``width``, ``height``, ``n_pixels``,
    ``min_side``, ``aspect`` (longer over shorter side), ``image_format``, ``n_frames`` (of an animation, of which a
    picture for readers without animation is no frame; else 1), ``bit_depth`` (of a sample as stored), ``orientation``
    (as stored, null for none), ``luma_mean``, ``luma_std``, ``p5``, ``p95`` (grey levels, 0 to 255), ``entropy`` (bits
    a pixel of the histogram of luma), ``dark``, ``bright`` (share of pixels up to 5 and from 250), ``sharpness``
    (variance of the Laplacian), ``noise`` (grey levels, Immerkær 1996), ``blockiness`` (steps on the 8 × 8 grid over
    steps inside it, less 1), ``blur`` (0 sharp to 1, Crete 2007), ``colour`` (Hasler and Süsstrunk 2003; 0 grey),
    ``phash`` (16 hexadecimal digits, null for a picture without structure), ``thumbnail`` (JPEG of at most 8 KiB).
    Pictures with a side below 10 pixels have no sharpness, noise, blockiness and blur.

    Needs the extra ``image``.

    Source of the thresholds: DataComp (Gadre et al. 2023), basic filter: shorter side 200, aspect 3.
    """

    QUALITIES: ClassVar[Mapping[str, Quality]] = {
        "decode_error": Quality("machine", "lower"),
        **{name: Quality("people") for name in _NUMBERS},
        **{name: Quality("people", "lower") for name in ("noise", "blockiness", "blur")},
    }

    op: Literal["image.measure"] = "image.measure"
    decodable: bool = Field(default=True, description="whether only pictures that can be decoded are kept")
    min_side: int | None = Field(default=200, ge=1, description="least shorter side in pixels; null: any")
    max_aspect: float | None = Field(default=3.0, ge=1, description="most of longer over shorter side; null: any")
    min_entropy: float | None = Field(
        default=1.0, ge=0, le=8, description="least bits a pixel of the histogram of luma; 0 is one grey; null: any"
    )
    max_frames: int | None = Field(default=None, ge=1, description="most frames; 1 refuses animations; null: any")

    def wants(self) -> Wants:
        """The measures."""
        return Wants(picture=frozenset({MEASURES}))

    def writes(self) -> pa.Schema:
        """The columns of the class's description, in its order but ``thumbnail`` last; after ``as``, if given."""
        columns = [
            ("decode_warning", pa.string()),
            *_FACTS,
            *((name, pa.float64()) for name in _NUMBERS),
            ("phash", pa.string()),
            ("thumbnail", pa.binary()),
        ]
        return self.columns(columns)

    def rules(self) -> tuple[Rule, ...]:
        """One for each threshold; a picture that cannot be decoded fails ``decodable`` and nothing else."""
        return self.limits(min_side="min_side", max_aspect="aspect", min_entropy="entropy", max_frames="n_frames")

    @model_validator(mode="after")
    def _can_decode(self) -> Self:
        require_image_extra(self.op)
        return self

    def values_of(self, view: View) -> list[object]:
        """The facts and measures of a picture."""
        picture = view.picture()
        facts = picture.facts
        values: dict[str, object] = {
            "decode_warning": facts.warning,
            "n_pixels": facts.width * facts.height,
            "min_side": min(facts.width, facts.height),
            "aspect": max(facts.width, facts.height) / min(facts.width, facts.height),
            **facts._asdict(),
            **picture.value(MEASURES),
        }
        prefix = f"{self.as_}_" if self.as_ is not None else ""
        return [values.get(name.removeprefix(prefix)) for name in self.writes().names[1:]]


def require_image_extra(op: str) -> None:
    """Refuse an operator on pictures where its packages are missing.

    Raises:
        ValueError: one is missing; says what to install.
    """
    missing = [name for name in ("PIL", "simplejpeg", "pi_heif") if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(f"{op} needs {', '.join(missing)}; install it with: pip install 'winnowry[image]'")


def native_middle(pixels: Pixels) -> Plane:
    """Luma of the middle of the stored picture, cut on the 8 × 8 grid of a codec."""
    from winnowry.operators.media.kernels.planes import luma_of

    height, width = pixels.stored.shape[:2]
    if max(height, width) <= _NATIVE_SIDE_PX:
        return pixels.stored_luma
    top, left = (max(0, side // 2 - _NATIVE_SIDE_PX // 2) & ~7 for side in (height, width))
    middle = np.ascontiguousarray(pixels.stored[top : top + _NATIVE_SIDE_PX, left : left + _NATIVE_SIDE_PX])
    return middle if middle.ndim == 2 else luma_of(middle)


def _of_tones(luma: Plane) -> dict[str, object]:
    from winnowry.operators.media.kernels.planes import histogram

    counts = histogram(luma)
    shares = counts / counts.sum()
    levels = np.arange(256)
    mean = float(shares @ levels)
    upto = np.cumsum(counts)
    present = shares[shares > 0]
    return {
        "luma_mean": mean,
        "luma_std": float(np.sqrt(shares @ (levels - mean) ** 2)),
        "entropy": float(-(present * np.log2(present)).sum()) + 0.0,
        "dark": float(upto[_DARK] / upto[-1]),
        "bright": float(1 - upto[_BRIGHT - 1] / upto[-1]),
        "p5": float(np.searchsorted(upto, 0.05 * upto[-1])),
        "p95": float(np.searchsorted(upto, 0.95 * upto[-1])),
    }


def _of_detail(luma: Plane, native: Plane) -> dict[str, object]:
    from winnowry.operators.media.kernels import detail

    if min(luma.shape) < _LEAST_SIDE_PX:
        return {}
    return {
        "sharpness": detail.laplacian_variance(luma),
        "blur": detail.crete_blur(luma),
        "noise": detail.immerkaer_noise(native),
        "blockiness": detail.blockiness(native),
    }


def _colour(small: Plane) -> float:
    from winnowry.operators.media.kernels.detail import colourfulness

    return 0.0 if small.ndim == 2 else colourfulness(small)


def _thumbnail(small: Plane) -> bytes | None:
    """A JPEG of at most 160 × 160 pixels and 8 KiB."""
    import simplejpeg

    picture = smaller(small, _THUMBNAIL_SIDE_PX)
    colours = "RGB"
    if picture.ndim == 2:
        picture, colours = picture[:, :, None], "GRAY"
    for quality in _QUALITIES:
        written: bytes = simplejpeg.encode_jpeg(picture, quality, colours, "420" if colours == "RGB" else "Gray")
        if len(written) <= THUMBNAIL_BYTES:
            return written
    return None
