"""``image.piqe``: how distorted a picture looks to people, without its original."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.operators.base import Rule
from winnowry.operators.media.measure import require_image_extra
from winnowry.operators.media.operator import MediaOperator
from winnowry.operators.media.pictures import Pixels
from winnowry.operators.media.views import DecodeError, View, Views, Wants
from winnowry.operators.quality import Quality


@dataclass(frozen=True)
class _Distortion:
    """The reduction of a picture to its distortion, at its full size."""

    def __call__(self, pixels: Pixels) -> float:
        from winnowry.operators.media.kernels.piqe import piqe

        return piqe(pixels.upright(pixels.stored_luma))


class ImagePiqe(MediaOperator):
    """Estimate how distorted a picture looks to people: noise, and the blocks and blur of compression.

    A measure of what people see, from the picture alone. On photographs it agrees with people's ratings, far better
    than sharpness does; of charts and screenshots, which are flat where photographs are not, it says little.

    Writes ``piqe`` (0 excellent to 100 bad; lower is better; 100 for a flat picture, of which nothing can be said; null
    where the picture cannot be decoded), or the name given by ``as``.

    Needs the extra ``image``.

    Source: Venkatanath et al. 2015, "Blind image quality evaluation using perception based features", as MATLAB's
    ``piqe`` computes it, which calls up to 20 excellent, 35 good, 50 fair, 80 poor, and more bad.
    """

    QUALITIES: ClassVar[Mapping[str, Quality]] = {"piqe": Quality("people", "lower")}

    op: Literal["image.piqe"] = "image.piqe"
    max_piqe: float | None = Field(default=None, ge=0, le=100, description="most distortion; null: any")

    def wants(self) -> Wants:
        """The distortion."""
        return Wants(picture=frozenset({_Distortion()}))

    def writes(self) -> pa.Schema:
        """``piqe``, float64."""
        return pa.schema([pa.field(self.as_ or "piqe", pa.float64())])

    def rules(self) -> tuple[Rule, ...]:
        """``max_piqe``, if given; a picture that cannot be decoded passes: ``image.measure`` refuses it."""
        if self.max_piqe is None:
            return ()
        column = self.writes().names[0]
        return (Rule(name="max_piqe", column=column, comparison="<=", threshold=self.max_piqe, null="keep"),)

    @model_validator(mode="after")
    def _can_decode(self) -> Self:
        require_image_extra(self.op)
        return self

    def apply_media(self, batch: pa.RecordBatch, views: Views) -> pa.RecordBatch:
        """Estimate the distortion of n pictures."""
        values = [_distortion(view) for view in views]
        return pa.record_batch([pa.array(values, pa.float64())], schema=self.writes())


def _distortion(view: View) -> float | None:
    try:
        return view.picture().value(_Distortion())
    except DecodeError:
        return None
