"""How long the rows of an Arrow array are as values, however often they share their bytes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Lengths = npt.NDArray[np.int64]

_LEAST_BYTES = 4  # of a value that is no text: a number, or the word null
_SEPARATOR_BYTES = 2  # between the members of a list
_NAME_BYTES = 4  # quotes, colon and comma around the name of a field


def batch_lengths(batch: pa.RecordBatch) -> Lengths:
    """Length of each row: about that of its JSON, names of fields included.

    >>> words = pa.array(["word", "word", None]).dictionary_encode()
    >>> batch_lengths(pa.RecordBatch.from_arrays([words, pa.array([[1, 2], [], None])], names=["w", "n"])).tolist()
    [34, 14, 10]
    """
    total = np.full(batch.num_rows, sum(_named(name) for name in batch.schema.names), np.int64)
    for column in batch.columns:
        total += lengths(column)
    return total


def lengths(array: pa.Array) -> Lengths:
    """Length of each value; 0 for null, but in a column of nothing else.

    Raises:
        ValueError: the values are of a type that no column of a Parquet file is read as, such as a union, or refer to
            entries that their dictionary does not have.
    """
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        return lengths(array.storage)
    if pa.types.is_dictionary(kind):
        return _of_dictionary(array)
    if pa.types.is_struct(kind):
        return _of_struct(array)
    if pa.types.is_map(kind):
        pair = pa.struct([pa.field("key", kind.key_type, nullable=False), ("value", kind.item_type)])
        return _of_lists(array.cast(pa.list_(pair)))
    if _is_list(kind):
        return _of_lists(array)
    if _has_length(kind):
        return _numbers(pc.binary_length(array))
    if pa.types.is_null(kind):
        return np.full(len(array), _LEAST_BYTES, np.int64)
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        raise ValueError(f"values of type {kind} are not read")
    width = max(kind.bit_width // 8, _LEAST_BYTES)
    return np.where(array.is_valid().to_numpy(zero_copy_only=False), width, 0).astype(np.int64)


def _of_dictionary(array: pa.DictionaryArray) -> Lengths:
    of_values = np.append(lengths(array.dictionary), 0)
    numbers: Lengths = pc.fill_null(array.indices.cast(pa.int64()), len(of_values) - 1).to_numpy()
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(of_values):
        # Arrow does not look, and would read beside the dictionary.
        raise ValueError(f"a value is entry {numbers.max()} of a dictionary of {len(array.dictionary)}")
    return np.take(of_values, numbers)


def _of_struct(array: pa.StructArray) -> Lengths:
    names = sum(_named(field.name) for field in array.type)
    total = np.where(array.is_valid().to_numpy(zero_copy_only=False), names, 0).astype(np.int64)
    for child in array.flatten():
        total += lengths(child)
    return total


def _of_lists(array: pa.Array) -> Lengths:
    members = _numbers(pc.list_value_length(array))
    sums = np.concatenate([[0], np.cumsum(lengths(array.flatten()) + _SEPARATOR_BYTES)])
    ends = np.cumsum(members)
    return np.asarray(sums[ends] - sums[ends - members], np.int64)


def _numbers(array: pa.Array) -> Lengths:
    return np.asarray(pc.fill_null(array, 0).to_numpy(zero_copy_only=False), np.int64)


def _named(name: str) -> int:
    return len(name) + _NAME_BYTES


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    tests = (
        types.is_list,
        types.is_large_list,
        types.is_fixed_size_list,
        types.is_list_view,
        types.is_large_list_view,
    )
    return any(test(kind) for test in tests)


def _has_length(kind: pa.DataType) -> bool:
    types = pa.types
    tests = (
        types.is_string,
        types.is_large_string,
        types.is_binary,
        types.is_large_binary,
        types.is_fixed_size_binary,
    )
    return any(test(kind) for test in tests)
