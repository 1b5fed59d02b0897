"""Telephone numbers: international, North American, and fixed lines of mainland China."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.ascii import (
    BLANK,
    EIGHT,
    FULL_STOP,
    HYPHEN,
    LEFT_PARENTHESIS,
    NINE,
    ONE,
    PLUS,
    RIGHT_PARENTHESIS,
    SLASH,
    THREE,
    TWO,
    ZERO,
)
from winnowry.operators.text.kernels.compile import kernel
from winnowry.operators.text.kernels.pii_bytes import (
    CLASSES,
    DIGIT,
    IN_IDENTIFIER,
    at,
    free_after,
    free_before,
    run_length,
)

# ITU-T E.164 assignments: country code, fewest and most digits after it
_TWO_DIGITS = (
    "1:10-10 7:10-10 20:8-10 27:9-9 30:10-10 31:9-9 32:8-9 33:9-9 34:9-9 36:8-9 39:8-11 40:9-9 41:9-9 43:7-13 44:9-10 "
    "45:8-8 46:7-10 47:8-8 48:9-9 49:7-12 51:8-9 52:10-11 53:8-8 54:10-11 55:10-11 56:9-9 57:8-10 58:10-10 60:8-10 "
    "61:9-9 62:8-12 63:8-10 64:8-10 65:8-8 66:8-9 81:9-10 82:8-10 84:9-10 86:9-11 90:10-10 91:10-10 92:9-10 93:9-9 "
    "94:9-9 95:7-10 98:10-10"
)
_THREE_DIGITS = (
    "211 212 213 216 218 220 221 222 223 224 225 226 227 228 229 230 231 232 233 234 235 236 237 238 239 240 241 242 "
    "243 244 245 246 248 249 250 251 252 253 254 255 256 257 258 260 261 262 263 264 265 266 267 268 269 290 291 297 "
    "298 299 350 351 352 353 354 355 356 357 358 359 370 371 372 373 374 375 376 377 378 380 381 382 383 385 386 387 "
    "389 420 421 423 500 501 502 503 504 505 506 507 508 509 590 591 592 593 594 595 596 597 598 599 670 672 673 674 "
    "675 676 677 678 679 680 681 682 683 685 686 687 688 689 690 691 692 850 852 853 855 856 880 886 960 961 962 963 "
    "964 965 966 967 968 970 971 972 973 974 975 976 977 992 993 994 995 996 998"
)


def _plan() -> npt.NDArray[np.int64]:
    table = np.zeros((1000, 2), dtype=np.int64)
    for entry in _TWO_DIGITS.split():
        code, lengths = entry.split(":")
        table[int(code)] = [int(length) for length in lengths.split("-")]
    for entry in _THREE_DIGITS.split():
        table[int(entry)] = 6, 11
    return table


_NATIONAL_LENGTHS = _plan()


@kernel
def _is_international(digits: npt.NDArray[np.int64], n: int) -> bool:
    """Whether ``n`` digits are a country code and as many digits as numbers have there."""
    code = np.int64(0)
    for k in range(min(3, n)):
        code = code * 10 + digits[k]
        most = _NATIONAL_LENGTHS[code, 1]
        if most:
            if code == 1:
                return n == 11 and _is_north_american(digits, 1)
            return _NATIONAL_LENGTHS[code, 0] <= n - k - 1 <= most
    return False


@kernel
def _is_north_american(digits: npt.NDArray[np.int64], k: int) -> bool:
    """NANP: area [2-9][0-8]d, exchange [2-9]dd, none N11, not a number reserved for fiction (555-01dd)."""
    if digits[k] < 2 or digits[k + 1] == 9 or (digits[k + 1] == 1 and digits[k + 2] == 1):
        return False
    if digits[k + 3] < 2 or (digits[k + 4] == 1 and digits[k + 5] == 1):
        return False
    fiction = digits[k + 3] == 5 and digits[k + 4] == 5 and digits[k + 5] == 5
    return not (fiction and digits[k + 6] == 0 and digits[k + 7] == 1)


@kernel
def _find_international(
    data: npt.NDArray[np.uint8], p: np.int64, end: np.int64, digits: npt.NDArray[np.int64]
) -> np.int64:
    """Last + 1 byte of the number after ``+``, whose country code begins at ``p``; the longest that is valid."""
    n = 0
    e = p
    best = np.int64(-1)
    for group in range(8):
        begin = e
        while e < end and n < 16 and ZERO <= data[e] <= NINE:
            digits[n] = np.int64(data[e]) - ZERO
            n += 1
            e += 1
        if e == begin or n == 16:
            break
        if _is_international(digits, n) and free_after(data, e, end):
            best = e
        # one separator, or a bracket with or without a space; the zero of "+44 (0)20" is not dialled
        k = e
        if at(data, k, p, end) in (BLANK, HYPHEN, FULL_STOP, SLASH):
            k += 1
        if (
            at(data, k, p, end) == LEFT_PARENTHESIS
            and at(data, k + 1, p, end) == ZERO
            and at(data, k + 2, p, end) == RIGHT_PARENTHESIS
        ):
            k += 3
            if at(data, k, p, end) == BLANK:
                k += 1
        elif at(data, k, p, end) == LEFT_PARENTHESIS and group <= 1:
            k += 1
        elif k == e and at(data, k, p, end) == RIGHT_PARENTHESIS:
            k += 1
            if at(data, k, p, end) in (BLANK, HYPHEN):
                k += 1
        if k == e:
            break
        e = k
    return best


@kernel
def _find_north_american(
    data: npt.NDArray[np.uint8],
    p: np.int64,
    run: np.int64,
    first: np.int64,
    end: np.int64,
    digits: npt.NDArray[np.int64],
) -> tuple[np.int64, np.int64]:
    none = (np.int64(-1), np.int64(-1))
    s = p
    area = p
    if run == 1 and data[p] == ONE:  # "1-415-…", "1 (415) …"
        area = p + 1
        if at(data, area, p, end) in (BLANK, HYPHEN, FULL_STOP):
            area += 1
        bracket = at(data, area, p, end) == LEFT_PARENTHESIS
        if bracket:
            area += 1
        elif area == p + 1:
            return none
        if run_length(data, area, end, 4) != 3:
            return none
    elif run == 3:
        bracket = at(data, p - 1, first, p) == LEFT_PARENTHESIS
        if bracket:
            s = p - 1
    else:
        return none
    e = area + 3
    if bracket:
        if at(data, e, p, end) != RIGHT_PARENTHESIS:
            return none
        e += 1
        if at(data, e, p, end) in (BLANK, HYPHEN):
            e += 1
        second = np.int64(0)
    else:
        second = at(data, e, p, end)
        if second != HYPHEN and second != FULL_STOP:
            return none
        e += 1
    if run_length(data, e, end, 4) != 3:
        return none
    third = at(data, e + 3, p, end)
    if third != HYPHEN and third != FULL_STOP and not (bracket and third == BLANK):
        return none
    if second and third != second:
        return none
    line = e + 4
    if run_length(data, line, end, 5) != 4 or not free_after(data, line + 4, end):
        return none
    if not bracket or s == p:
        if not free_before(data, s, first):
            return none
    elif CLASSES[at(data, s - 1, first, s)] & DIGIT:
        return none
    for k in range(3):
        digits[k] = np.int64(data[area + k]) - ZERO
        digits[3 + k] = np.int64(data[e + k]) - ZERO
    for k in range(4):
        digits[6 + k] = np.int64(data[line + k]) - ZERO
    if not _is_north_american(digits, 0):
        return none
    return np.int64(s), np.int64(line + 4)


@kernel
def _find_cn_landline(
    data: npt.NDArray[np.uint8], p: np.int64, run: np.int64, first: np.int64, end: np.int64
) -> tuple[np.int64, np.int64]:
    """``010-65529988``, ``(0755)26770000``: area codes 010, 02d (8 digits follow) and 03dd to 09dd (7 or 8)."""
    none = (np.int64(-1), np.int64(-1))
    if (run != 3 and run != 4) or data[p] != ZERO:
        return none
    if run == 3 and not (data[p + 1] == TWO or (data[p + 1] == ONE and data[p + 2] == ZERO)):
        return none
    if run == 4 and data[p + 1] < THREE:
        return none
    s = p
    e = p + run
    before = at(data, p - 1, first, p)
    if before == LEFT_PARENTHESIS and at(data, e, p, end) == RIGHT_PARENTHESIS:
        s -= 1
        e += 1
        if at(data, e, p, end) in (BLANK, HYPHEN):
            e += 1
    elif e + 3 <= end and data[e] == 0xEF and data[e + 1] == 0xBC and data[e + 2] == 0x89:  # ）
        if p - 3 >= first and data[p - 3] == 0xEF and data[p - 2] == 0xBC and data[p - 1] == 0x88:  # （
            s -= 3
        e += 3
    elif at(data, e, p, end) == HYPHEN:
        e += 1
    elif e + 3 <= end and (
        (data[e] == 0xE2 and data[e + 1] == 0x80 and data[e + 2] == 0x94)  # —
        or (data[e] == 0xEF and data[e + 1] == 0xBC and data[e + 2] == 0x8D)  # －
    ):
        e += 3
    else:
        return none
    n = run_length(data, e, end, 9)
    if (n != 8 and not (n == 7 and run == 4)) or not TWO <= at(data, e, p, end) <= EIGHT:
        return none
    # an extension may follow
    if not free_before(data, s, first) or CLASSES[at(data, e + n, p, end)] & IN_IDENTIFIER:
        return none
    return np.int64(s), np.int64(e + n)


@kernel
def find_phone(
    data: npt.NDArray[np.uint8],
    p: np.int64,
    run: np.int64,
    first: np.int64,
    end: np.int64,
    digits: npt.NDArray[np.int64],
) -> tuple[np.int64, np.int64]:
    """First and last + 1 byte of the telephone number that begins at ``p``; (-1, -1) where none does."""
    before = at(data, p - 1, first, p)
    before_that = at(data, p - 2, first, p)
    plus = p - 1 if before == PLUS else (p - 2 if before == LEFT_PARENTHESIS and before_that == PLUS else np.int64(-1))
    if plus >= first and plus >= 0:
        if CLASSES[at(data, plus - 1, first, p)] & IN_IDENTIFIER:
            return np.int64(-1), np.int64(-1)
        e = _find_international(data, p, end, digits)
        return (np.int64(plus), e) if e >= 0 else (np.int64(-1), np.int64(-1))
    s, e = _find_north_american(data, p, run, first, end, digits)
    if e < 0:
        s, e = _find_cn_landline(data, p, run, first, end)
    return s, e
