"""``labels.typical_size``: boxes of a size that their class does not have, by what is usual in the corpus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from winnowry.operators.base import FittedOperator, Rule
from winnowry.operators.labels.checks import FAULTS, finite
from winnowry.operators.labels.flat import FlatStructs, Floats, Mask
from winnowry.operators.labels.geometry import EDGES
from winnowry.records.annotations import BOXES

_MEASURES = ("height", "width", "length", "area", "aspect")
_LEAST_SPREAD = 0.05
_MAD_TO_SIGMA = 1.4826
_SIZES = pa.list_(pa.struct([pa.field("class", pa.string()), *(pa.field(name, pa.float64()) for name in _MEASURES)]))


class LabelTypicalSize(FittedOperator):
    """Measure how far sizes of boxes are from the usual ones of their class, which are fitted and then frozen.

    Of each class the median and the spread (1.4826 times the median absolute deviation, at least 0.05) of the
    logarithms of height, width and length in metres, of area in pixels and of aspect are those of the corpus, an object
    of a track once a record. A box is *odd* where one of them is `max_z` spreads away or more. Classes of fewer than
    `min_boxes` boxes, and regions to ignore, have no usual size.

    Writes ``size_z`` (float64: of the record's oddest box), ``n_odd_size`` and ``typical_size_faults``.

    Source: the modified z-score (Iglewicz and Hoaglin 1993); they cut normal values at 3.5, sizes have longer tails.
    """

    op: Literal["labels.typical_size"] = "labels.typical_size"
    max_odd_size: int | None = Field(default=0, ge=0, description="most boxes of an odd size; null: any")
    max_z: float = Field(default=6.0, gt=0, description="spreads from the median at which a size is odd")
    min_boxes: int = Field(default=20, ge=2, description="fewest boxes of a class that say what is usual")

    @property
    def _prefix(self) -> str:
        return f"{self.as_}_" if self.as_ is not None else ""

    def reads(self) -> pa.Schema:
        """The boxes."""
        return pa.schema([BOXES])

    def writes(self) -> pa.Schema:
        """The columns of the class's description; after ``as``, if given."""
        return pa.schema(
            [
                (f"{self._prefix}size_z", pa.float64()),
                (f"{self._prefix}n_odd_size", pa.int32()),
                (f"{self.as_ or 'typical_size'}_faults", FAULTS),
            ]
        )

    def rules(self) -> tuple[Rule, ...]:
        """The limit, where it is set."""
        if self.max_odd_size is None:
            return ()
        column = f"{self._prefix}n_odd_size"
        return (Rule(name="max_odd_size", column=column, comparison="<=", threshold=self.max_odd_size, null="keep"),)

    def components(self) -> pa.Schema:
        """``sizes``: of a box of each object of the record."""
        return pa.schema([("sizes", _SIZES)])

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The sizes of n records; an object of a track once."""
        boxes = FlatStructs(batch.column("boxes"))
        tracks, _ = boxes.codes("track")
        key = np.where(tracks >= 0, boxes.row * (tracks.max(initial=0) + 1) + tracks, -1 - np.arange(len(boxes)))
        chosen = np.sort(np.unique(key, return_index=True)[1])
        counts = np.bincount(boxes.row[chosen], minlength=batch.num_rows)
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        columns = [boxes.field("class").take(pa.array(chosen))]
        columns += [finite(values) for values in _measured(boxes)[chosen].T]
        sizes = pa.StructArray.from_arrays(columns, fields=list(_SIZES.value_type))
        return pa.RecordBatch.from_arrays(
            [pa.ListArray.from_arrays(pa.array(offsets), sizes, type=_SIZES)], schema=self.components()
        )

    def fit(self, components: pa.Table) -> dict[str, Any]:
        """Median, spread and number of each class's logarithms."""
        sizes = FlatStructs(components["sizes"].combine_chunks())
        codes, names = sizes.codes("class")
        usual: dict[str, Any] = {}
        for code, name in enumerate(names):
            for measure in _MEASURES:
                values = sizes.numbers(measure)[codes == code]
                values = values[np.isfinite(values)]
                if len(values) >= self.min_boxes:
                    middle = float(np.median(values))
                    spread = max(_LEAST_SPREAD, _MAD_TO_SIGMA * float(np.median(np.abs(values - middle))))
                    usual.setdefault(name, {})[measure] = [middle, spread, len(values)]
        return {"classes": usual}

    def apply_fitted(self, batch: pa.RecordBatch, fit: Mapping[str, Any]) -> pa.RecordBatch:
        """Compare n records with what is usual."""
        boxes = FlatStructs(batch.column("boxes"))
        codes, names = boxes.codes("class")
        table = np.full((len(names) + 1, len(_MEASURES), 2), np.nan)
        for code, name in enumerate(names):
            for place, measure in enumerate(_MEASURES):
                table[code, place] = fit["classes"].get(name, {}).get(measure, [np.nan] * 3)[:2]
        z = np.abs(_measured(boxes) - table[codes, :, 0]) / table[codes, :, 1]
        greatest = np.where(
            np.isnan(z).all(axis=1), np.nan, np.nanmax(np.nan_to_num(z, nan=-1.0), axis=1, initial=-1.0)
        )
        odd: Mask = greatest >= self.max_z
        of_record = np.full(batch.num_rows, -np.inf)
        np.maximum.at(of_record, boxes.row, np.nan_to_num(greatest, nan=-np.inf))
        arrays = [
            finite(np.where(np.isinf(of_record), np.nan, of_record)),
            pa.array(boxes.count(odd).astype(np.int32), mask=~boxes.valid),
            _faults(boxes, odd),
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.writes())


def _measured(boxes: FlatStructs) -> Floats:
    """Logarithms of the sizes of every box, m × 5; NaN where there is none."""
    x1, y1, x2, y2 = boxes.stack(*EDGES).T
    sizes = np.stack([*boxes.stack("h", "w", "l").T, (x2 - x1) * (y2 - y1), (x2 - x1) / _positive(y2 - y1)], axis=1)
    sizes[boxes.numbers("crowd") == 1] = np.nan
    logarithms: Floats = np.log(_positive(sizes))
    return logarithms


def _positive(values: Floats) -> Floats:
    return np.where(values > 0, values, np.nan)


def _faults(boxes: FlatStructs, odd: Mask) -> pa.Array:
    counts = boxes.count(odd)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    places = pa.array(boxes.place[odd], pa.int32())
    names = pa.array(["odd_size"] * len(places), pa.string())
    faults = pa.StructArray.from_arrays([places, names], fields=list(FAULTS.value_type))
    return pa.ListArray.from_arrays(pa.array(offsets), faults, type=FAULTS, mask=pa.array(~boxes.valid))
