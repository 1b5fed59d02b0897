"""One pass over the bytes of each text: words, sentences, and the entropies of content and function words.

The only module here that imports numba; import it where it is used.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from winnowry.operators.scoring.kernels.columns import CON_ENT, N_WORDS, POS_ENT, SENT_LEN
from winnowry.operators.text.kernels.ascii import (
    APOSTROPHE,
    BLANK,
    CAPITAL_A,
    CAPITAL_Z,
    CARRIAGE_RETURN,
    EXCLAMATION_MARK,
    FULL_STOP,
    LOWER_CASE,
    NEWLINE,
    NINE,
    QUESTION_MARK,
    QUOTATION_MARK,
    RIGHT_BRACKET,
    RIGHT_PARENTHESIS,
    SMALL_A,
    SMALL_Z,
    TAB,
    UNDERSCORE,
    ZERO,
)

UInt64s = npt.NDArray[np.uint64]

_OFFSET = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_TABLE_BITS = 11  # 2048 slots for about 330 function words

# Classes of a code point.
_OTHER, _LETTER, _DIGIT, _APOSTROPHE, _IDEOGRAPH, _TERMINAL, _NEWLINE, _SPACE = range(8)


def _class_of(code: int) -> int:
    """Class of a code point; what is not listed as a mark or a symbol counts as a letter."""
    if code < 0x80:
        if SMALL_A <= (code | LOWER_CASE) <= SMALL_Z or code == UNDERSCORE:
            return _LETTER
        if ZERO <= code <= NINE:
            return _DIGIT
        if code == APOSTROPHE:
            return _APOSTROPHE
        if code in (FULL_STOP, EXCLAMATION_MARK, QUESTION_MARK):
            return _TERMINAL
        if code == NEWLINE:
            return _NEWLINE
        if code == BLANK or (TAB <= code <= CARRIAGE_RETURN):
            return _SPACE
        return _OTHER
    if code < 0x2000:
        if code == 0xA0 or code == 0x85 or code == 0x1680:
            return _SPACE
        if code == 0x061F or code == 0x06D4 or code == 0x0964 or code == 0x0965:
            return _TERMINAL
        if code < 0xC0:
            return _LETTER if code == 0xAA or code == 0xB5 or code == 0xBA else _OTHER
        if code == 0x2BC:
            return _APOSTROPHE
        return _OTHER if code == 0xD7 or code == 0xF7 or code == 0x060C or code == 0x061B else _LETTER
    if code < 0x3040:
        if code == 0x2018 or code == 0x2019:
            return _APOSTROPHE
        if code == 0x2026 or code == 0x3002 or code == 0x203C or code == 0x2049:
            return _TERMINAL
        if code <= 0x200A or code == 0x3000 or code == 0x2028 or code == 0x2029 or code == 0x202F or code == 0x205F:
            return _SPACE
        if 0x2100 <= code < 0x2190 or 0x2C00 <= code < 0x2E00 or 0x3005 <= code <= 0x3007:
            return _LETTER
        return _OTHER
    if code < 0xA000:
        return _OTHER if code == 0x30FB or 0x3200 <= code < 0x3400 else _IDEOGRAPH
    if code < 0xE000:
        return _LETTER
    if code < 0x10000:
        if 0xF900 <= code < 0xFB00:
            return _IDEOGRAPH
        if code == 0xFF01 or code == 0xFF0E or code == 0xFF1F or code == 0xFF61:
            return _TERMINAL
        if 0xFB00 <= code < 0xFE00 or 0xFE70 <= code < 0xFEFF:
            return _LETTER
        if 0xFF10 <= code < 0xFF1A:
            return _DIGIT
        if 0xFF21 <= code < 0xFF3B or 0xFF41 <= code < 0xFF5B or 0xFF66 <= code < 0xFFE0:
            return _LETTER
        return _OTHER
    if 0x20000 <= code < 0x40000:
        return _IDEOGRAPH
    return _LETTER if code < 0x1D000 else _OTHER


def _code_at(data: npt.NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    """Code point at a byte and its width; a byte that is no valid UTF-8 is U+FFFD of width 1."""
    lead = int(data[at])
    if lead < 0x80:
        return lead, 1
    if lead >= 0xC2 and lead < 0xE0 and at + 1 < end and (data[at + 1] & 0xC0) == 0x80:
        return ((lead & 0x1F) << 6) | (int(data[at + 1]) & 0x3F), 2
    if (
        lead >= 0xE0
        and lead < 0xF0
        and at + 2 < end
        and (data[at + 1] & 0xC0) == 0x80
        and (data[at + 2] & 0xC0) == 0x80
    ):
        return ((lead & 0x0F) << 12) | ((int(data[at + 1]) & 0x3F) << 6) | (int(data[at + 2]) & 0x3F), 3
    if (
        lead >= 0xF0
        and lead < 0xF5
        and at + 3 < end
        and (data[at + 1] & 0xC0) == 0x80
        and (data[at + 2] & 0xC0) == 0x80
    ):
        high = ((lead & 0x07) << 18) | ((int(data[at + 1]) & 0x3F) << 12)
        return high | ((int(data[at + 2]) & 0x3F) << 6) | (int(data[at + 3]) & 0x3F), 4
    return 0xFFFD, 1


def _mixed(word: Any) -> Any:
    """The splitmix64 finaliser: FNV-1a alone spreads short words badly over the high bits."""
    word ^= word >> np.uint64(30)
    word *= np.uint64(0xBF58476D1CE4E5B9)
    word ^= word >> np.uint64(27)
    word *= np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


_class_jit = njit(cache=True, nogil=True)(_class_of)
_code_jit = njit(cache=True, nogil=True)(_code_at)
_mixed_jit = njit(cache=True, nogil=True)(_mixed)


def _ends_sentence(data: npt.NDArray[np.uint8], at: int, end: int) -> bool:
    """Whether the text behind a full stop, from byte ``at``, starts a new sentence: a space, then no lower case."""
    closing = True
    while at < end:
        code, width = _code_jit(data, at, end)
        if closing:
            if code in (QUOTATION_MARK, APOSTROPHE, RIGHT_PARENTHESIS, RIGHT_BRACKET, 0x2019, 0x201D):
                at += width
                continue
            kind = _class_jit(code)
            if kind != _SPACE and kind != _NEWLINE:
                return False
            closing = False
        kind = _class_jit(code)
        if kind != _SPACE and kind != _NEWLINE:
            return not (SMALL_A <= code <= SMALL_Z)
        at += width
    return True


_ends_jit = njit(cache=True, nogil=True)(_ends_sentence)


def _entropy_bits(counts: npt.NDArray[np.int64], n_kinds: int) -> float:
    """Shannon entropy in bits of the first counts; 0.0 where there are none."""
    total = 0
    weighted = 0.0
    for kind in range(n_kinds):
        count = counts[kind]
        if count > 0:
            total += count
            weighted += count * np.log2(count)
    if total == 0:
        return 0.0
    bits: float = np.log2(total) - weighted / total
    return max(0.0, bits)


_entropy_jit = njit(cache=True, nogil=True)(_entropy_bits)


def _measure(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    known: UInt64s,
    numbers: npt.NDArray[np.int32],
    n_known: int,
    window: int,
    measured: npt.NDArray[np.float64],
) -> None:
    """Fill ``measured``, float64 (n, 4): con_ent, pos_ent, sent_len, n_words; NaN where there is nothing to measure.

    ``known`` and ``numbers`` are the open-addressing table of function words. With a ``window`` above 0, entropies are
    means over windows of so many words; a rest behind whole windows is left out.
    """
    mask = known.size - 1
    function_counts = np.zeros(n_known, np.int64)
    capacity = 4096
    slots = np.zeros(capacity, np.int32)  # place in keys, valid where epoch is the current window's
    epochs = np.zeros(capacity, np.int32)
    keys = np.zeros(capacity // 2, np.uint64)
    counts = np.zeros(capacity // 2, np.int64)
    epoch = 0  # one a window
    for row in range(offsets.size - 1):
        at, end = offsets[row], offsets[row + 1]
        epoch += 1
        function_counts[:] = 0
        n_keys = n_words = n_ascii = n_sentences = in_sentence = n_windows = 0
        content_bits = function_bits = 0.0
        while at < end:
            code, width = _code_jit(data, at, end)
            kind = _class_jit(code)
            if kind in (_LETTER, _DIGIT, _IDEOGRAPH):
                surface = lowered = _OFFSET
                start = at
                has_letter = has_ascii = False
                while True:
                    if kind == _APOSTROPHE:
                        surface = (surface ^ np.uint64(39)) * _PRIME
                        lowered = (lowered ^ np.uint64(39)) * _PRIME
                    elif width == 1:
                        low = code | LOWER_CASE if CAPITAL_A <= code <= CAPITAL_Z else code
                        surface = (surface ^ np.uint64(code)) * _PRIME
                        lowered = (lowered ^ np.uint64(low)) * _PRIME
                        if kind == _LETTER and code != UNDERSCORE:
                            has_letter = has_ascii = True
                    else:
                        surface = (surface ^ np.uint64(code)) * _PRIME
                        lowered = (lowered ^ np.uint64(code)) * _PRIME
                        if kind != _DIGIT:
                            has_letter = True
                    at += width
                    if kind == _IDEOGRAPH or at >= end:
                        break
                    code, width = _code_jit(data, at, end)
                    kind = _class_jit(code)
                    if kind == _APOSTROPHE and at + width < end:
                        following, _ = _code_jit(data, at + width, end)
                        if _class_jit(following) == _LETTER:
                            continue
                    if kind != _LETTER and kind != _DIGIT:
                        break
                if not has_letter:
                    continue
                if window > 0 and n_words == (n_windows + 1) * window:  # a window is full and another word begins
                    content_bits += _entropy_jit(counts, n_keys)
                    function_bits += _entropy_jit(function_counts, n_known)
                    n_windows += 1
                    epoch += 1
                    n_keys = 0
                    function_counts[:] = 0
                n_words += 1
                in_sentence += 1
                if has_ascii:
                    n_ascii += 1
                number = -1
                if has_ascii and at - start <= 16:
                    lowered = _mixed_jit(lowered)
                    place = np.int64(lowered & np.uint64(mask))
                    while numbers[place] >= 0:
                        if known[place] == lowered:
                            number = numbers[place]
                            break
                        place = (place + 1) & mask
                if number >= 0:
                    function_counts[number] += 1
                    continue
                surface = _mixed_jit(surface)
                place = np.int64(surface & np.uint64(capacity - 1))
                while epochs[place] == epoch and keys[slots[place]] != surface:
                    place = (place + 1) & (capacity - 1)
                if epochs[place] == epoch:
                    counts[slots[place]] += 1
                    continue
                if n_keys == keys.size:  # half full: double
                    capacity *= 2
                    slots = np.zeros(capacity, np.int32)
                    epochs = np.zeros(capacity, np.int32)
                    grown_keys = np.zeros(capacity // 2, np.uint64)
                    grown_counts = np.zeros(capacity // 2, np.int64)
                    grown_keys[:n_keys] = keys
                    grown_counts[:n_keys] = counts
                    keys, counts = grown_keys, grown_counts
                    for number in range(n_keys):
                        place = np.int64(keys[number] & np.uint64(capacity - 1))
                        while epochs[place] == epoch:
                            place = (place + 1) & (capacity - 1)
                        epochs[place] = epoch
                        slots[place] = number
                    place = np.int64(surface & np.uint64(capacity - 1))
                    while epochs[place] == epoch:
                        place = (place + 1) & (capacity - 1)
                epochs[place] = epoch
                slots[place] = n_keys
                keys[n_keys] = surface
                counts[n_keys] = 1
                n_keys += 1
                continue
            at += width
            if in_sentence == 0:
                continue
            if kind == _TERMINAL:
                if (code >= 0x80 and code != 0x2026) or _ends_jit(data, at, end):
                    n_sentences += 1
                    in_sentence = 0
            elif kind == _NEWLINE:  # a line break ends a sentence, unless the next line goes on in lower case
                blank = False
                following = 0
                while at < end:
                    following, width = _code_jit(data, at, end)
                    next_kind = _class_jit(following)
                    if next_kind == _NEWLINE:
                        blank = True
                    elif next_kind != _SPACE:
                        break
                    at += width
                if blank or at >= end or not (following >= SMALL_A and following <= SMALL_Z):
                    n_sentences += 1
                    in_sentence = 0
        if in_sentence > 0:
            n_sentences += 1
        if n_words == 0:
            measured[row, :3] = np.nan
        else:
            if n_windows == 0 or n_words == (n_windows + 1) * window:
                content_bits += _entropy_jit(counts, n_keys)
                function_bits += _entropy_jit(function_counts, n_known)
                n_windows += 1
            measured[row, CON_ENT] = content_bits / n_windows
            # Function words are English: a text mostly in another script has none to speak of.
            measured[row, POS_ENT] = function_bits / n_windows if 2 * n_ascii >= n_words else np.nan
            measured[row, SENT_LEN] = np.log(n_words / n_sentences)
        measured[row, N_WORDS] = n_words


measure = njit(cache=True, nogil=True)(_measure)


@cache
def function_word_table(words: tuple[str, ...]) -> tuple[UInt64s, npt.NDArray[np.int32]]:
    """Open-addressing hash table of ASCII words, as :func:`measure` looks them up.

    Args:
        words: at most 1024 lower-case words.

    Returns:
        2048 hashes, and 2048 word numbers (-1: empty slot).
    """
    size = 1 << _TABLE_BITS
    assert len(words) <= size // 2, len(words)
    known = np.zeros(size, np.uint64)
    numbers = np.full(size, -1, np.int32)
    for number, word in enumerate(words):
        hashed = int(_OFFSET)
        for octet in word.encode("ascii"):
            hashed = ((hashed ^ octet) * int(_PRIME)) % 2**64
        hashed = int(_mixed_of(hashed))
        place = hashed & (size - 1)
        while numbers[place] >= 0:
            place = (place + 1) & (size - 1)
        known[place], numbers[place] = hashed, number
    return known, numbers


def _mixed_of(word: int) -> int:
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) % 2**64
    return word ^ (word >> 31)
