"""Numbers with check digits: payment cards, IBANs, Chinese identity numbers; and Chinese mobile numbers.

Every function looks at a bounded number of bytes from a place where a run of digits begins.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.ascii import (
    BLANK,
    CAPITAL_A,
    CAPITAL_X,
    CAPITAL_Z,
    EIGHT,
    FULL_STOP,
    HYPHEN,
    LEFT_PARENTHESIS,
    NINE,
    ONE,
    PERCENT,
    PLUS,
    RIGHT_PARENTHESIS,
    SIX,
    SMALL_X,
    ZERO,
)
from winnowry.operators.text.kernels.compile import kernel
from winnowry.operators.text.kernels.pii_bytes import (
    CLASSES,
    IN_IDENTIFIER,
    UPPER_CASE,
    at,
    free_after,
    free_before,
    run_length,
)

# ISO 13616, SWIFT IBAN registry: characters of an IBAN by country
_IBAN_LENGTHS = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
    "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
    "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 "
    "PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 "
    "YE30"
)


def _iban_lengths() -> npt.NDArray[np.int64]:
    table = np.zeros(26 * 26, dtype=np.int64)
    for entry in _IBAN_LENGTHS.split():
        table[(ord(entry[0]) - 65) * 26 + ord(entry[1]) - 65] = int(entry[2:])
    return table


_LENGTH_BY_COUNTRY = _iban_lengths()

# GB/T 2260: first two digits of the address code
_PROVINCES = np.zeros(100, dtype=np.bool_)
_PROVINCES[[*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66)]] = True
_PROVINCES[[71, 81, 82, 83]] = True
_CN_ID_WEIGHTS = np.array([2 ** (17 - k) % 11 for k in range(17)], dtype=np.int64)

# what follows an eleven-digit number that counts something: 元 万 亿 股 人 份 吨 美 港 户 个 次
_COUNTED = np.array([int.from_bytes(unit.encode()) for unit in "元万亿股人份吨美港户个次"], dtype=np.int64)


@kernel
def passes_luhn(digits: npt.NDArray[np.int64], n: int) -> bool:
    """ISO/IEC 7812-1 annex B over the first ``n`` digits."""
    total = np.int64(0)
    for k in range(n):
        digit = digits[n - 1 - k]
        if k % 2 == 1:
            digit *= 2
            if digit > 9:
                digit -= 9
        total += digit
    return total % 10 == 0


@kernel
def _is_issued(digits: npt.NDArray[np.int64], n: int) -> bool:
    """Whether a network issues cards with this beginning and length."""
    two = digits[0] * 10 + digits[1]
    three = two * 10 + digits[2]
    four = three * 10 + digits[3]
    if digits[0] == 4:  # Visa
        return n == 16 or n == 19
    if 51 <= two <= 55 or 2221 <= four <= 2720 or 2200 <= four <= 2204:  # Mastercard, Mir
        return n == 16
    if two == 34 or two == 37:  # American Express
        return n == 15
    if 300 <= three <= 305 or three == 309 or two == 36 or two == 38 or two == 39:  # Diners Club
        return n == 14 or (n == 16 and two != 36)
    if 3528 <= four <= 3589:  # JCB
        return 16 <= n <= 19
    if four == 6011 or 644 <= three <= 649 or two == 65 or two == 62:  # Discover, UnionPay
        return 16 <= n <= 19
    return four in (5018, 5020, 5038, 5893, 6304, 6759, 6761, 6762, 6763) and 16 <= n <= 19  # Maestro


@kernel
def find_card(
    data: npt.NDArray[np.uint8],
    p: np.int64,
    run: np.int64,
    first: np.int64,
    done: np.int64,
    end: np.int64,
    digits: npt.NDArray[np.int64],
) -> np.int64:
    """Last + 1 byte of the card number that begins at ``p`` with a run of ``run`` digits, or -1.

    Written in one piece, or as printed on cards: 4-4-4-4, 4-4-4-4-3, 4-6-5, 4-6-4, with spaces or hyphens; not among
    more groups of digits, where those before ``done`` do not count.
    """
    none = np.int64(-1)
    if (run != 4 and not 14 <= run <= 19) or not free_before(data, p, first):
        return none
    for k in range(run):
        digits[k] = np.int64(data[p + k]) - ZERO
    if run != 4:
        if free_after(data, p + run, end) and _is_issued(digits, run) and passes_luhn(digits, run):
            return np.int64(p + run)
        return none
    separator = at(data, p + 4, p, end)
    if separator != BLANK and separator != HYPHEN:
        return none
    if at(data, p - 1, done, end) == separator and ZERO <= at(data, p - 2, done, end) <= NINE:
        return none  # inside of a table of numbers
    n = 4
    e = p + 4
    shape = 4
    best = none
    for _ in range(4):
        if at(data, e, p, end) != separator:
            break
        group = run_length(data, e + 1, end, 7)
        if group == 0 or group > 6 or n + group > 19:
            break
        for k in range(group):
            digits[n + k] = np.int64(data[e + 1 + k]) - ZERO
        n += group
        e += 1 + group
        shape = shape * 10 + group
        if shape not in (44, 444, 4444, 44443, 46, 465, 464):
            break
        if shape == 44 or shape == 444 or shape == 46 or not free_after(data, e, end):
            continue
        if at(data, e, p, end) == separator and run_length(data, e + 1, end, 5) == 4:
            continue  # four more digits make it a table of numbers, too
        if _is_issued(digits, n) and passes_luhn(digits, n):
            best = e
    return np.int64(best)


@kernel
def find_iban(data: npt.NDArray[np.uint8], p: np.int64, first: np.int64, end: np.int64) -> np.int64:
    """Last + 1 byte of the IBAN whose two check digits begin at ``p``, or -1; it begins at ``p - 2``.

    Upper case; in one piece or in groups of four with single spaces. Checked: the country's length, ISO 7064 mod 97.
    """
    none = np.int64(-1)
    if p - 2 < first or not CLASSES[data[p - 1]] & UPPER_CASE or not CLASSES[data[p - 2]] & UPPER_CASE:
        return none
    length = _LENGTH_BY_COUNTRY[(np.int64(data[p - 2]) - 65) * 26 + np.int64(data[p - 1]) - 65]
    if length == 0:
        return none
    before = at(data, p - 3, first, p)
    if CLASSES[before] & IN_IDENTIFIER or before in (HYPHEN, PERCENT, FULL_STOP):
        return none
    if p + 1 >= end or not ZERO <= data[p + 1] <= NINE:
        return none
    remainder = np.int64(0)
    n = 4
    e = p + 2
    spaced = at(data, e, p, end) == BLANK
    while n < length:
        if spaced and n % 4 == 0:
            if at(data, e, p, end) != BLANK:
                return none
            e += 1
        if e >= end:
            return none
        byte = np.int64(data[e])
        if ZERO <= byte <= NINE:
            remainder = (remainder * 10 + byte - 48) % 97
        elif CAPITAL_A <= byte <= CAPITAL_Z:
            remainder = (remainder * 100 + byte - 55) % 97
        else:
            return none
        n += 1
        e += 1
    if CLASSES[at(data, e, p, end)] & IN_IDENTIFIER:
        return none
    for k in range(p - 2, p):
        remainder = (remainder * 100 + np.int64(data[k]) - 55) % 97
    for k in range(p, p + 2):
        remainder = (remainder * 10 + np.int64(data[k]) - 48) % 97
    return np.int64(e) if remainder == 1 else none


@kernel
def find_cn_id(
    data: npt.NDArray[np.uint8],
    p: np.int64,
    run: np.int64,
    first: np.int64,
    end: np.int64,
    digits: npt.NDArray[np.int64],
) -> np.int64:
    """Last + 1 byte of the 18-character identity number that begins at ``p``, or -1.

    GB 11643-1999: province, a date of birth from 1900 to 2099, ISO 7064 mod 11-2; also the permanent residence number
    of foreigners (2023), which begins with 9 and has the province in its second and third place.
    """
    none = np.int64(-1)
    if run != 18 and not (run == 17 and at(data, p + 17, p, end) in (CAPITAL_X, SMALL_X)):
        return none
    e = p + 18
    before = at(data, p - 1, first, p)
    if (
        CLASSES[before] & IN_IDENTIFIER
        or CLASSES[at(data, e, p, end)] & IN_IDENTIFIER
        or before in (FULL_STOP, PERCENT)
    ):
        return none
    for k in range(17):
        digits[k] = np.int64(data[p + k]) - ZERO
    foreign = digits[0] == 9
    if not _PROVINCES[digits[1] * 10 + digits[2] if foreign else digits[0] * 10 + digits[1]]:
        return none
    year = digits[6] * 1000 + digits[7] * 100 + digits[8] * 10 + digits[9]
    month = digits[10] * 10 + digits[11]
    day = digits[12] * 10 + digits[13]
    if year < 1900 or year > 2099 or month < 1 or month > 12 or day < 1:
        return none
    most = 31
    if month in (4, 6, 9, 11):
        most = 30
    elif month == 2:
        most = 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    if day > most:
        return none
    total = np.int64(0)
    for k in range(17):
        total += digits[k] * _CN_ID_WEIGHTS[k]
    expected = (12 - total % 11) % 11
    check = np.int64(10) if run == 17 else np.int64(data[p + 17]) - ZERO
    return np.int64(e) if check == expected else none


@kernel
def _is_mobile_prefix(data: npt.NDArray[np.uint8], p: np.int64) -> bool:
    """Whether the three digits at ``p`` are handed out to mobile networks (MIIT numbering plan)."""
    second = np.int64(data[p + 1]) - ZERO
    third = np.int64(data[p + 2]) - ZERO
    if data[p] != ONE or second < 3:
        return False
    if second == 4:
        return third >= 5
    if second == 5:
        return third != 4
    if second == 6:
        return third in (2, 5, 6, 7)
    if second == 7:
        return third != 9
    if second == 9:
        return third != 4
    return True


@kernel
def find_cn_mobile(
    data: npt.NDArray[np.uint8], p: np.int64, run: np.int64, first: np.int64, done: np.int64, end: np.int64
) -> tuple[np.int64, np.int64]:
    """First and last + 1 byte of the mobile number of mainland China that begins at ``p``; (-1, -1) where none does.

    Eleven digits in one piece or as 3-4-4 with spaces or hyphens, with or without 86, +86 or 0086; not where the
    next character counts something.
    """
    none = (np.int64(-1), np.int64(-1))
    s = p
    number = p
    rest = run
    code = 0
    if run in (2, 13) and data[p] == EIGHT and data[p + 1] == SIX:
        code = 2
    elif run in (4, 15) and data[p] == ZERO and data[p + 1] == ZERO and data[p + 2] == EIGHT and data[p + 3] == SIX:
        code = 4
    if code:
        number = p + code
        if run == code:
            k = 0
            while k < 2 and at(data, number, p, end) in (
                BLANK,
                HYPHEN,
                RIGHT_PARENTHESIS,
            ):  # "86-", "86 ", "86)", "86) "
                number += 1
                k += 1
            rest = run_length(data, number, end, 12)
        else:
            rest = run - code
        if at(data, s - 1, first, p) == PLUS:
            s -= 1
        if at(data, s - 1, first, p) == LEFT_PARENTHESIS and at(data, p + code, p, end) == RIGHT_PARENTHESIS:
            s -= 1
    if rest != 11 and rest != 3:
        return none
    if at(data, s, first, end) == PLUS:
        if CLASSES[at(data, s - 1, first, s)] & IN_IDENTIFIER:
            return none
    elif not free_before(data, s, first):
        return none
    if number + 11 > end or not _is_mobile_prefix(data, number):
        return none
    e = number + 11
    if rest == 3:
        separator = at(data, number + 3, p, end)
        e = number + 13
        if (separator != BLANK and separator != HYPHEN) or e > end or data[number + 8] != separator:
            return none
        if run_length(data, number + 4, end, 5) != 4 or run_length(data, number + 9, end, 5) != 4:
            return none
        if at(data, e, p, end) == separator and run_length(data, e + 1, end, 5) == 4:
            return none
        if code == 0 and at(data, p - 1, done, p) == separator and ZERO <= at(data, p - 2, done, p) <= NINE:
            return none
    if not free_after(data, e, end):
        return none
    if e + 3 <= end:
        after = (np.int64(data[e]) << 16) | (np.int64(data[e + 1]) << 8) | np.int64(data[e + 2])
        for unit in range(_COUNTED.size):
            if _COUNTED[unit] == after:
                return none
    return np.int64(s), np.int64(e)
