"""A column of lists of boxes as flat arrays: what checks compute on, all boxes of a batch at once."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class FlatLists:
    """A column of n lists, their m elements in one array.

    Attributes:
        n_rows: n.
        row: of each element, m values.
        place: of each element in its list.
        start: first element of each row, n + 1 values.
        valid: False where the list is null.
    """

    def __init__(self, column: pa.Array) -> None:
        lengths = np.asarray(pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False), np.int64)
        self.n_rows = len(column)
        self.valid: Mask = np.asarray(pc.is_valid(column).to_numpy(zero_copy_only=False), np.bool_)
        self.start: Whole = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        self.row: Whole = np.repeat(np.arange(self.n_rows), lengths)
        self.place: Whole = np.arange(len(self.row)) - self.start[self.row]
        self.elements: pa.Array = column.flatten()

    def __len__(self) -> int:
        return len(self.row)

    def count(self, mask: Mask) -> Whole:
        """How many elements of each row a mask holds."""
        return np.bincount(self.row[mask], minlength=self.n_rows)

    def median(self, values: Floats) -> Floats:
        """Median of each row's finite values; NaN where it has none."""
        from winnowry.operators.labels.kernels.medians import row_medians

        return row_medians(values, self.start)


class FlatStructs(FlatLists):
    """A column of lists of structs; a missing field of an element is NaN, -1 as a code, or an empty list."""

    @cached_property
    def _fields(self) -> dict[str, pa.Array]:
        kind = self.elements.type
        return dict(zip((field.name for field in kind), self.elements.flatten(), strict=True))

    def field(self, name: str) -> pa.Array:
        """The field of every element."""
        return self._fields[name]

    def numbers(self, name: str) -> Floats:
        """A field as numbers; NaN where it is null."""
        return np.asarray(self._fields[name].cast(pa.float64()).to_numpy(zero_copy_only=False))  # null becomes NaN

    def stack(self, *names: str) -> Floats:
        """Fields side by side, m × their number."""
        return np.stack([self.numbers(name) for name in names], axis=1)

    def whole(self, name: str) -> tuple[Whole, Mask]:
        """A field of whole numbers, 64 bits exactly, and where it is not null."""
        values = self._fields[name]
        valid = np.asarray(pc.is_valid(values).to_numpy(zero_copy_only=False), np.bool_)
        return np.asarray(pc.fill_null(values, 0).to_numpy(zero_copy_only=False), np.int64), valid

    def codes(self, name: str) -> tuple[Whole, list[str]]:
        """A field of text as numbers of its values, which are sorted; -1 where it is null."""
        encoded = self._fields[name].dictionary_encode()
        names = encoded.dictionary.to_pylist()
        order = np.argsort(np.array(names, dtype=object)) if names else np.zeros(0, np.int64)
        rank = np.empty(len(names) + 1, np.int64)
        rank[order] = np.arange(len(names))
        rank[-1] = -1
        indices = np.asarray(pc.fill_null(encoded.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False))
        return rank[indices], [names[index] for index in order]


def grouped_median(values: Floats, group: Whole, n_groups: int) -> Floats:
    """Median of each group; NaN where it has no value.

    >>> grouped_median(np.array([3.0, 1.0, 2.0, 4.0]), np.array([0, 0, 0, 2]), 3).tolist()
    [2.0, nan, 4.0]
    """
    size = np.bincount(group, minlength=n_groups)
    ordered = values[np.lexsort((values, group))]
    start = np.cumsum(size) - size
    median = np.full(n_groups, np.nan)
    some = size > 0
    low, high = (start + (size - 1) // 2)[some], (start + size // 2)[some]
    median[some] = (ordered[low] + ordered[high]) / 2
    return median


def numbers_of(struct: pa.Array, name: str) -> Floats:
    """A field of a column of structs as numbers; NaN where it or the struct is null."""
    values = pc.struct_field(struct, name).cast(pa.float64())
    return np.asarray(pc.fill_null(values, np.nan).to_numpy(zero_copy_only=False), np.float64)


def wrapped(angle: Floats) -> Floats:
    """Angles in radians from -π to π."""
    turned: Floats = (angle + np.pi) % (2 * np.pi) - np.pi
    return turned
