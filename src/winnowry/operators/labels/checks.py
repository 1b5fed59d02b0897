"""What checks of boxes have in common: a count of each fault, and which box has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pyarrow as pa

from winnowry.operators.base import Operator, Rule
from winnowry.operators.labels.flat import FlatStructs, Floats, Mask, Whole, numbers_of
from winnowry.records.annotations import BOXES, COLUMNS

FAULTS = pa.list_(pa.struct([pa.field("box", pa.int32()), pa.field("fault", pa.string())]))
"""Places of boxes in their record, and what is wrong with each."""

_FIELDS = {field.name: field for field in COLUMNS}


class BoxChecks(Operator):
    """Base of checks that look at each box.

    A subclass names its faults, which are also its columns ``n_FAULT`` and its limits ``max_FAULT``, and its measures
    of a record; it finds them in :meth:`look`.
    """

    FAULT_NAMES: ClassVar[tuple[str, ...]]
    MEASURES: ClassVar[tuple[tuple[str, pa.DataType], ...]] = ()
    LOOKS_AT: ClassVar[tuple[str, ...]] = ()
    """Columns beside the boxes."""

    def look(self, batch: pa.RecordBatch, boxes: FlatStructs) -> tuple[Mapping[str, Mask], Mapping[str, pa.Array]]:
        """The boxes that have each fault, and the measures of each record.

        Args:
            batch: n records.
            boxes: all of theirs.
        """
        raise NotImplementedError

    def reads(self) -> pa.Schema:
        """The boxes, and what else is looked at."""
        return pa.schema([*(_FIELDS[name] for name in self.LOOKS_AT), BOXES])

    @property
    def _prefix(self) -> str:
        return f"{self.as_}_" if self.as_ is not None else ""

    @property
    def _faults_column(self) -> str:
        return f"{self.as_ or self.op.rpartition('.')[2]}_faults"

    def writes(self) -> pa.Schema:
        """Measures, counts of faults, and which box has which; after ``as``, if given."""
        return pa.schema(
            [
                *((f"{self._prefix}{name}", kind) for name, kind in self.MEASURES),
                *((f"{self._prefix}n_{fault}", pa.int32()) for fault in self.FAULT_NAMES),
                (self._faults_column, FAULTS),
            ]
        )

    def rules(self) -> tuple[Rule, ...]:
        """One for each limit that is set."""
        return tuple(
            Rule(
                name=f"max_{fault}",
                column=f"{self._prefix}n_{fault}",
                comparison="<=",
                threshold=threshold,
                null="keep",
            )
            for fault in self.FAULT_NAMES
            if (threshold := getattr(self, f"max_{fault}")) is not None
        )

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Look at all boxes of n records."""
        boxes = FlatStructs(batch.column("boxes"))
        marks, measures = self.look(batch, boxes)
        arrays = [measures[name].cast(kind) for name, kind in self.MEASURES]
        arrays += [nullable(boxes.count(marks[fault]), boxes.valid, pa.int32()) for fault in self.FAULT_NAMES]
        arrays.append(self._faults(boxes, marks))
        return pa.RecordBatch.from_arrays(arrays, schema=self.writes())

    def _faults(self, boxes: FlatStructs, marks: Mapping[str, Mask]) -> pa.Array:
        table = np.stack([marks[fault] for fault in self.FAULT_NAMES], axis=1)
        element, kind = np.nonzero(table)
        counts = np.bincount(boxes.row[element], minlength=boxes.n_rows)
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        names = pa.array(self.FAULT_NAMES, pa.string()).take(pa.array(kind))
        faults = pa.StructArray.from_arrays(
            [pa.array(boxes.place[element], pa.int32()), names], fields=list(FAULTS.value_type)
        )
        return pa.ListArray.from_arrays(pa.array(offsets), faults, type=FAULTS, mask=pa.array(~boxes.valid))


def nullable(values: Whole, valid: Mask, kind: pa.DataType) -> pa.Array:
    """Values as a column that is null elsewhere."""
    return pa.array(values, mask=~valid).cast(kind)


def finite(values: Floats) -> pa.Array:
    """Numbers as a column; null where they are NaN."""
    return pa.array(values, pa.float64(), mask=np.isnan(values))


def frame_size(image: pa.Array) -> tuple[Floats, Floats, pa.Array]:
    """Width and height that the boxes of each image lie in, and the verdict on its size.

    Where the file is at hand that is the picture as it is shown, turned as EXIF says; else what is stated. Verdicts are
    ``ok``, ``exif_size_swapped`` (stated is the picture as stored, before it is turned), ``size_mismatch``, and null
    where one of both is not known. Boxes are never turned.
    """
    width, height = numbers_of(image, "width"), numbers_of(image, "height")
    stored_width, stored_height = numbers_of(image, "stored_width"), numbers_of(image, "stored_height")
    turned = numbers_of(image, "orientation") >= 5
    shown_width = np.where(turned, stored_height, stored_width)
    shown_height = np.where(turned, stored_width, stored_height)
    known = ~np.isnan(width) & ~np.isnan(height) & ~np.isnan(stored_width)
    same = (width == shown_width) & (height == shown_height)
    swapped = ~same & turned & (width == stored_width) & (height == stored_height)
    words = pa.array(["ok", "exif_size_swapped", "size_mismatch"])
    verdict = words.take(pa.array(np.where(same, 0, np.where(swapped, 1, 2)), mask=~known))
    at_hand = ~np.isnan(stored_width)
    return np.where(at_hand, shown_width, width), np.where(at_hand, shown_height, height), verdict
