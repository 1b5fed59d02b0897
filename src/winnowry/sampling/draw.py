"""Permanent random numbers, and the draw that turns probabilities into a selection.

A record's random number depends on its id and the seed only. So a record keeps its luck when rows are reordered,
partitions are re-cut or other records are added, and a selection changes only where probabilities do.

Source: Ohlsson (1998) for permanent random numbers, Rosén (1997) for Pareto πps.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from winnowry.core.errors import UsageError

Float64s = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]
UInt64s = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]

_CHUNK = 1 << 20
_FIRST_WINDOW = 1 << 8
_NIBBLES = np.full(256, 255, np.uint8)
_NIBBLES[np.frombuffer(b"0123456789", np.uint8)] = np.arange(10)
_NIBBLES[np.frombuffer(b"abcdef", np.uint8)] = np.arange(10, 16)


def id_words(record_ids: npt.NDArray[np.generic] | pa.Array | pa.ChunkedArray) -> UInt64s:
    """Record ids as two big-endian 64-bit words each, which sort as the hexadecimal ids do.

    Args:
        record_ids: n ids, one of: 32 lowercase hexadecimal characters (Arrow string, numpy ``S32`` or ``U32``),
            16 raw bytes (Arrow ``fixed_size_binary(16)``, numpy ``V16``, or uint8 of shape (n, 16)), or the words
            themselves (uint64 of shape (n, 2)).

    Returns:
        uint64 of shape (n, 2): high word, low word.

    Raises:
        UsageError: an id is null or not 128 bits.

    >>> [hex(word) for word in id_words(np.array([b"000000000000000a00000000000000ff"]))[0]]
    ['0xa', '0xff']
    """
    if isinstance(record_ids, pa.ChunkedArray | pa.Array):
        return _arrow_id_words(record_ids)
    if record_ids.dtype == np.uint64 and record_ids.shape[1:] == (2,):
        return record_ids.astype(np.uint64, copy=False)
    if record_ids.dtype.kind == "U" and record_ids.ndim == 1:
        record_ids = record_ids.astype("S32") if record_ids.dtype.itemsize == 128 else record_ids
    n = len(record_ids)
    width = record_ids.dtype.itemsize * (record_ids.shape[1] if record_ids.ndim == 2 else 1)
    if record_ids.dtype.kind not in "SVu" or (n and width not in (16, 32)):
        raise UsageError(
            f"record ids have numpy type {record_ids.dtype} and shape {record_ids.shape}; "
            "expected S32 (hexadecimal), V16 (raw bytes), uint8 (n, 16) or uint64 (n, 2)"
        )
    if n == 0:
        return np.empty((0, 2), np.uint64)
    octets = np.ascontiguousarray(record_ids).view(np.uint8).reshape(n, width)
    return _from_hex(octets) if width == 32 else _from_raw(octets)


def _arrow_id_words(record_ids: pa.Array | pa.ChunkedArray) -> UInt64s:
    if record_ids.null_count:
        raise UsageError(f"{record_ids.null_count} of {len(record_ids)} record ids are null")
    chunks = record_ids.chunks if isinstance(record_ids, pa.ChunkedArray) else [record_ids]
    words = np.empty((len(record_ids), 2), np.uint64)
    start = 0
    for chunk in chunks:
        if len(chunk) == 0:
            continue
        fixed = chunk
        if not pa.types.is_fixed_size_binary(chunk.type):
            fixed = _as_fixed_binary(chunk)
        width = fixed.type.byte_width
        data = np.frombuffer(fixed.buffers()[1], np.uint8)[fixed.offset * width : (fixed.offset + len(fixed)) * width]
        octets = data.reshape(len(fixed), width)
        words[start : start + len(chunk)] = _from_hex(octets) if width == 32 else _from_raw(octets)
        start += len(chunk)
    return words


def _as_fixed_binary(chunk: pa.Array) -> pa.Array:
    try:
        return chunk.cast(pa.binary()).cast(pa.binary(32))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UsageError(
            f"record ids of Arrow type {chunk.type} are not all 32 hexadecimal characters (first: "
            f"{chunk[0].as_py()!r}); make them with winnowry.core.ids.record_id"
        ) from error


def _from_hex(octets: npt.NDArray[np.uint8]) -> UInt64s:
    words = np.empty((len(octets), 2), np.uint64)
    for start in range(0, len(octets), _CHUNK):
        nibbles = _NIBBLES[octets[start : start + _CHUNK]]
        bad = np.flatnonzero((nibbles == 255).any(axis=1))
        if len(bad):
            shown = octets[start + int(bad[0])].tobytes().decode("ascii", "backslashreplace")
            raise UsageError(f"record id {shown!r} (row {start + int(bad[0])}) is not 32 lowercase hexadecimal digits")
        octets_16 = np.bitwise_or(nibbles[:, 0::2] << np.uint8(4), nibbles[:, 1::2], dtype=np.uint8)
        words[start : start + _CHUNK] = _from_raw(octets_16)
    return words


def _from_raw(octets: npt.NDArray[np.uint8]) -> UInt64s:
    return np.ascontiguousarray(octets).view(">u8").astype(np.uint64)


def _mixed(words: UInt64s) -> UInt64s:
    """The splitmix64 finaliser (Steele, Lea and Flood 2014), in place."""
    words ^= words >> np.uint64(30)
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    return words


def permanent_random(words: UInt64s, seed: int) -> Float64s:
    """The random number of each record: the same for the same id and seed, for ever.

    With ``mix`` the splitmix64 finaliser, g = 0x9E3779B97F4A7C15 and arithmetic modulo 2**64::

        h = mix(mix(mix(seed + g) ^ high) + g ^ low)      u = (floor(h / 2**12) + 1/2) / 2**52

    Args:
        words: uint64 (n, 2) of :func:`id_words`.
        seed: in [0, 2**63).

    Returns:
        n floats strictly inside (0, 1), multiples of 2**-53.

    >>> permanent_random(np.array([[1, 2], [1, 3]], np.uint64), seed=7).round(6).tolist()
    [0.191052, 0.82993]
    """
    golden = np.uint64(0x9E3779B97F4A7C15)
    start_word = _mixed(np.array([(seed + int(golden)) % 2**64], np.uint64))[0]
    drawn = np.empty(len(words), np.float64)
    for start in range(0, len(words), _CHUNK):
        chunk = words[start : start + _CHUNK]
        mixed = _mixed(chunk[:, 0] ^ start_word)
        mixed += golden
        mixed ^= chunk[:, 1]
        _mixed(mixed)
        mixed >>= np.uint64(12)
        part = drawn[start : start + _CHUNK]
        np.add(mixed, 0.5, out=part)
        part *= 2.0**-52
    return drawn


def ascending(keys: Float64s, words: UInt64s) -> Int64s:
    """Order of rows by key, equal keys by record id: the same records in the same order however rows come.

    Args:
        keys: n floats without NaN.
        words: uint64 (n, 2) of :func:`id_words`.

    Returns:
        n row numbers, ascending.

    >>> ascending(np.array([.5, .1, .5]), np.array([[9, 0], [5, 0], [8, 0]], np.uint64)).tolist()
    [1, 2, 0]
    """
    order: Int64s = np.argsort(keys)
    if len(order) < 2:
        return order
    ordered = keys[order]
    same = ordered[1:] == ordered[:-1]
    if not same.any():
        return order
    tied = np.zeros(len(order), np.bool_)
    tied[1:] = same
    tied[:-1] |= same
    places = np.flatnonzero(tied)
    rows = order[places]
    run = np.cumsum(np.concatenate(([True], ~same)))[places]
    order[places] = rows[np.lexsort((words[rows, 1], words[rows, 0], run))]
    return order


def filled(sizes: Int64s, budget: int, stop_below: float) -> Bools:
    """Take records in the given order until the budget is full, passing over those that do not fit.

    At a record that does not fit, taking goes on behind it as long as at least ``stop_below`` of the budget is left;
    so one huge record cannot starve a budget, and a last gap smaller than an average record is left alone instead
    of being stuffed with whatever is tiny.

    Args:
        sizes: n sizes in the order of taking, not negative.
        budget: the sum that is never exceeded.
        stop_below: size of the gap that is left alone.

    Returns:
        n booleans, true where chosen.

    >>> filled(np.array([50, 80, 30, 15, 10]), budget=90, stop_below=20).tolist()
    [True, False, True, False, False]
    """
    chosen = np.zeros(len(sizes), np.bool_)
    gap, at, width = budget, 0, _FIRST_WINDOW
    while at < len(sizes):
        totals = np.cumsum(sizes[at : at + width])
        fits = int(np.searchsorted(totals, gap, side="right"))
        chosen[at : at + fits] = True
        gap -= int(totals[fits - 1]) if fits else 0
        at += fits
        if fits == len(totals):
            width = min(2 * width, _CHUNK)
            continue
        if gap < stop_below:
            break
        at = _next_that_fits(sizes, at + 1, gap)
        width = _FIRST_WINDOW
    return chosen


def _next_that_fits(sizes: Int64s, at: int, gap: int) -> int:
    width = _FIRST_WINDOW
    while at < len(sizes):
        fitting = np.flatnonzero(sizes[at : at + width] <= gap)
        if len(fitting):
            return at + int(fitting[0])
        at += width
        width = min(2 * width, _CHUNK)
    return len(sizes)


def pareto_order(probability: Float64s, drawn: Float64s) -> Float64s:
    """The Pareto πps ranking variable; taking the smallest first includes records with about their probability.

    Args:
        probability: n probabilities; 1 ranks first (0.0), 0 ranks last (infinity).
        drawn: n permanent random numbers.

    Returns:
        n floats, ``u / (1 - u) * (1 - p) / p``.

    Source: Rosén, On sampling with probability proportional to size, JSPI 62 (1997).

    >>> pareto_order(np.array([1.0, 0.5, 0.0]), np.array([0.9, 0.5, 0.1])).tolist()
    [0.0, 1.0, inf]
    """
    ranking = drawn / (1.0 - drawn)
    ranking *= 1.0 - probability
    with np.errstate(divide="ignore", over="ignore"):
        ranking /= probability
    return ranking


def gumbel_order(logits: Float64s, drawn: Float64s) -> Float64s:
    """The Gumbel top-k ranking variable; taking the smallest first draws ``exp(logit)``-weighted, one by one.

    Args:
        logits: n numbers, score / temperature; minus infinity ranks last (infinity).
        drawn: n permanent random numbers; a small one ranks first, as in :func:`pareto_order`.

    Returns:
        n floats, ``-(logit + g)`` with the standard Gumbel variable ``g = -ln(-ln(1 - u))``.

    Source: Kool, van Hoof and Welling (2019), Stochastic beams and where to find them.

    >>> gumbel_order(np.array([0.0, 5.0, -np.inf]), np.array([0.5, 0.5, 0.1])).round(4).tolist()
    [-0.3665, -5.3665, inf]
    """
    ranking: Float64s = np.log(-np.log1p(-drawn)) - logits
    return ranking
