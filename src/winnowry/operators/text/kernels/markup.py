"""How deep and how tangled markup is, before a parser sees it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.ascii import (
    APOSTROPHE,
    BLANK,
    CAPITAL_A,
    CAPITAL_Z,
    EQUALS,
    EXCLAMATION_MARK,
    GREATER_THAN,
    HYPHEN,
    LESS_THAN,
    LOWER_CASE,
    QUOTATION_MARK,
    SLASH,
    SMALL_A,
    SMALL_S,
    SMALL_Z,
)
from winnowry.operators.text.kernels.compile import inline, kernel

# elements without content, and those that the next one of their kind closes
_LEAVES = (
    *("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"),
    *("p", "li", "dt", "dd", "option", "optgroup", "rp", "rt", "tr", "td", "th", "thead", "tbody", "tfoot"),
    *("colgroup", "body", "head", "html"),
)
_FORMATTING = ("a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u")
_RAW = ("script", "style")


def _name_hash(name: str) -> int:
    value = 0
    for byte in name.encode():
        value = (value * 31 + byte) & 0xFFFFFFFF
    return value


LEAVES = np.array([_name_hash(name) for name in _LEAVES], dtype=np.int64)
FORMATTING = np.array([_name_hash(name) for name in _FORMATTING], dtype=np.int64)
RAW = np.array([_name_hash(name) for name in _RAW], dtype=np.int64)


@inline
def _in(value: np.int64, values: npt.NDArray[np.int64]) -> bool:
    matches = False
    for k in range(values.size):
        if values[k] == value:
            matches = True
    return matches


@kernel
def measure_markup(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.int64],
    leaves: npt.NDArray[np.int64],
    formatting: npt.NDArray[np.int64],
    raw: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Estimate what parsing a row would cost: int64 of shape (3, len(rows)).

    Returns:
        Deepest nesting of open elements; largest number of attributes of a tag; formatting elements that a parser
        opens again at later tags, summed over the tags (``<p><b><i><p><b><i>…`` grows with the square).
    """
    out = np.zeros((3, rows.size), dtype=np.int64)
    n_open = np.zeros(1024, dtype=np.int64)
    for r in range(rows.size):
        p = offsets[rows[r]]
        end = offsets[rows[r] + 1]
        n_open[:] = 0
        depth = np.int64(0)
        n_formatting = np.int64(0)
        while p < end:
            if data[p] != LESS_THAN:
                p += 1
                continue
            p += 1
            if p >= end:
                break
            if p + 2 < end and data[p] == EXCLAMATION_MARK and data[p + 1] == HYPHEN and data[p + 2] == HYPHEN:
                p += 3
                while p < end and not (data[p] == GREATER_THAN and data[p - 1] == HYPHEN and data[p - 2] == HYPHEN):
                    p += 1
                continue
            closing = data[p] == SLASH
            if closing:
                p += 1
            if p >= end or not SMALL_A <= (data[p] | LOWER_CASE) <= SMALL_Z:
                continue
            name = np.int64(0)
            while p < end and data[p] != GREATER_THAN and data[p] != SLASH and data[p] > BLANK:
                letter = np.int64(data[p])
                if CAPITAL_A <= letter <= CAPITAL_Z:
                    letter += LOWER_CASE
                name = (name * 31 + letter) & 0xFFFFFFFF
                p += 1
            n_attributes = np.int64(0)
            quote = np.int64(0)
            before_name = True
            after_equals = False
            while p < end and (quote or data[p] != GREATER_THAN):
                byte = np.int64(data[p])
                p += 1
                if quote:
                    if byte == quote:
                        quote = np.int64(0)
                        before_name = True
                elif byte <= BLANK or byte == SLASH:
                    before_name = True
                elif byte == EQUALS:
                    after_equals = True
                    before_name = False
                    continue
                elif byte in (QUOTATION_MARK, APOSTROPHE) and after_equals:
                    quote = byte
                elif before_name and not after_equals:
                    n_attributes += 1
                    before_name = False
                if byte > BLANK:
                    after_equals = False
            out[1, r] = max(out[1, r], n_attributes)
            bucket = name % 1024
            if closing:
                if n_open[bucket]:
                    n_open[bucket] -= 1
                    depth -= 1
                    if _in(name, formatting):
                        n_formatting -= 1
                continue
            out[2, r] += n_formatting
            if _in(name, leaves):
                continue
            if _in(name, raw):
                while p < end and not (
                    data[p] == LESS_THAN
                    and p + 2 < end
                    and data[p + 1] == SLASH
                    and (data[p + 2] | LOWER_CASE) == SMALL_S
                ):  # </s
                    p += 1
                n_open[bucket] += 1
                depth += 1
                continue
            n_open[bucket] += 1
            depth += 1
            out[0, r] = max(out[0, r], depth)
            if _in(name, formatting):
                n_formatting += 1
    return out
