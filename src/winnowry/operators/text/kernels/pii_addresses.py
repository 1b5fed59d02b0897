"""Electronic addresses: e-mail, IPv4 and IPv6. Every function looks at a bounded number of bytes around a place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.ascii import (
    AT_SIGN,
    BLANK,
    COLON,
    COMMA,
    EQUALS,
    EXCLAMATION_MARK,
    FULL_STOP,
    GREATER_THAN,
    HYPHEN,
    LESS_THAN,
    LOWER_CASE,
    NINE,
    PERCENT,
    SLASH,
    SMALL_A,
    UNDERSCORE,
    ZERO,
)
from winnowry.operators.text.kernels.compile import kernel
from winnowry.operators.text.kernels.pii_bytes import (
    CLASSES,
    HEXADECIMAL,
    IN_HOST,
    IN_IDENTIFIER,
    IN_MAILBOX,
    LETTER,
    UPPER_CASE,
    among,
    at,
    packed,
    packed_words,
)

# RFC 2606 and 6761: never anyone's; file names such as icon@2x.png
_NO_DOMAINS = packed_words("example", "invalid", "test", "local")
_FILES = packed_words(
    *(
        "png",
        "jpg",
        "jpeg",
        "gif",
        "svg",
        "webp",
        "bmp",
        "ico",
        "css",
        "js",
        "json",
        "map",
        "html",
        "htm",
        "php",
        "jsp",
    ),
    *("yml", "yaml", "toml", "lock", "xml", "txt", "scss", "tsx"),
)
_EXAMPLE = packed_words("example")
_EXAMPLE_UNDER = packed_words("com", "net", "org")
_VERSION_WORDS = packed_words(
    *("v", "ver", "version", "versions", "release", "releases", "rel", "build", "firmware", "kernel", "driver"),
    *("rev", "revision", "update", "patch", "section", "sections", "sec", "chapter", "clause", "article", "para"),
    *("table", "figure", "appendix", "annex", "oid", "item", "step", "rule", "exercise"),
    *("lib", "libs", "library", "package", "packages", "pkg", "plugin", "module", "sdk", "software"),
)
_VERSIONED = packed_words(
    *("package", "packages", "pkg", "library", "lib", "libs", "plugin", "module", "driver", "firmware", "release"),
    *("version", "software", "build", "patch", "kernel", "sdk"),
)
_BETWEEN = packed_words("of", "the", "this", "our", "a")
_OR = packed_words("or")
_LATER = packed_words("later", "newer", "higher", "above", "greater", "earlier", "older", "lower", "below")
_GIT = packed_words("git")
_FORGES = packed_words("github", "gitlab", "gitee", "gitea", "codeberg")
_PATH_LOOKED_AT = 128
_TILDE = 126
_CARET = 94


@kernel
def find_email(data: npt.NDArray[np.uint8], p: np.int64, first: np.int64, end: np.int64) -> tuple[np.int64, np.int64]:
    """First and last + 1 byte of the e-mail address around the ``@`` at ``p``; (-1, -1) where there is none."""
    none = (np.int64(-1), np.int64(-1))
    s = p
    while s > first and p - s <= 64 and CLASSES[data[s - 1]] & IN_MAILBOX:
        if data[s - 1] == FULL_STOP and (s == p or data[s] == FULL_STOP):  # "name.@", "see...name@"
            break
        s -= 1
    while s < p and not CLASSES[data[s]] & IN_IDENTIFIER:
        s += 1
    if at(data, s - 1, first, p) == PERCENT and p - s > 2:  # %20name@
        s += 2
    if s == p or p - s > 64:
        return none
    # labels of the host name
    n_labels = 0
    label = p + 1
    e = p + 1
    last_label = label
    second_label = label
    while True:
        while e < end and e - label <= 63 and CLASSES[data[e]] & IN_HOST and data[e] != FULL_STOP:
            e += 1
        if e == label or e - label > 63 or e - p > 254 or data[label] == HYPHEN:
            break
        n_labels += 1
        second_label = last_label
        last_label = label
        if (
            e + 1 < end
            and data[e] == FULL_STOP
            and CLASSES[data[e + 1]] & IN_HOST
            and data[e + 1] != FULL_STOP
            and data[e + 1] != HYPHEN
        ):
            e += 1
            label = e
        else:
            break
    while e > last_label and data[e - 1] == HYPHEN:
        e -= 1
    if n_labels < 2 or e - p > 254 or e - last_label > 63 or e - last_label < 2:
        return none
    if data[last_label - 2] == HYPHEN or (e < end and (data[e] == AT_SIGN or data[e] == UNDERSCORE)):
        return none
    punycode = e - last_label > 4 and data[last_label + 2] == HYPHEN and data[last_label + 3] == HYPHEN
    if not punycode:
        for k in range(last_label, e):
            if not CLASSES[data[k]] & LETTER:
                return none
            if CLASSES[data[k]] & UPPER_CASE and k > last_label and not CLASSES[data[k - 1]] & UPPER_CASE:
                return none  # thisIsCode
        if e - last_label > 18:  # the longest top-level domain in letters
            return none
    top = packed(data, last_label, e)
    if among(top, _NO_DOMAINS) or among(top, _FILES):
        return none
    second = packed(data, second_label, last_label - 1)
    if among(top, _EXAMPLE_UNDER) and among(second, _EXAMPLE):
        return none
    if (among(packed(data, s, p), _GIT) and among(second, _FORGES)) or _is_login(data, s, p, e, first, end):
        return none
    return np.int64(s), np.int64(e)


@kernel
def _is_login(
    data: npt.NDArray[np.uint8], s: np.int64, p: np.int64, e: np.int64, first: np.int64, end: np.int64
) -> bool:
    """Whether ``name@host`` is no mailbox but who logs in where: a handle, part of an address or path of a machine.

    ``@name@host``, ``scheme://name@host``, ``name@host:path/…``, ``name@host:….git``, ``name@1.0.0-beta.host``.
    """
    if at(data, s - 1, first, end) == AT_SIGN:
        return True
    k = s
    while k > first and s - k < 64 and (CLASSES[data[k - 1]] & (IN_HOST | IN_IDENTIFIER) or data[k - 1] == COLON):
        k -= 1
    if (
        at(data, k - 1, first, end) == SLASH
        and at(data, k - 2, first, end) == SLASH
        and at(data, k - 3, first, end) == COLON
    ):
        return True
    k = p + 1
    while k < e and ZERO <= data[k] <= NINE:
        k += 1
    if k > p + 1 and data[k] == FULL_STOP and k + 1 < e and ZERO <= data[k + 1] <= NINE:  # a version
        return True
    if at(data, e, first, end) != COLON:
        return False
    k = e + 1
    if at(data, k, first, end) in (SLASH, _TILDE):
        return True
    while k < end and k - e < _PATH_LOOKED_AT and (CLASSES[data[k]] & (IN_MAILBOX | IN_IDENTIFIER)):
        k += 1
    if k == e + 1:
        return False
    if at(data, k, first, end) == SLASH:
        return True
    while k > e and data[k - 1] == FULL_STOP:
        k -= 1
    return k - e > 4 and data[k - 4] == FULL_STOP and among(packed(data, k - 3, k), _GIT)


@kernel
def _before_version_word(data: npt.NDArray[np.uint8], e: np.int64, end: np.int64) -> bool:
    """Whether ``of the package`` or ``or later`` follows."""
    alternative = False
    k = e
    for _ in range(4):
        begin = k
        while k < end and k - begin < 2 and data[k] == BLANK:
            k += 1
        if k == begin:
            return False
        begin = k
        while k < end and k - begin <= 8 and CLASSES[data[k]] & LETTER:
            k += 1
        word = packed(data, begin, k)
        if among(word, _VERSIONED) or (alternative and among(word, _LATER)):
            return True
        alternative = among(word, _OR)
        if not (alternative or among(word, _BETWEEN)):
            return False
    return False


@kernel
def _ends_here(data: npt.NDArray[np.uint8], k: np.int64, first: np.int64, word: npt.NDArray[np.uint8]) -> bool:
    if k - first < word.size:
        return False
    for i in range(word.size):  # noqa: SIM110 - compiled
        if data[k - word.size + i] != word[i]:
            return False
    return True


_SECTION_SIGN = np.frombuffer("§".encode(), dtype=np.uint8)
_VERSION_IN_CHINESE = np.frombuffer("版本".encode(), dtype=np.uint8)
_VERSION_NUMBER_IN_CHINESE = np.frombuffer("版本号".encode(), dtype=np.uint8)
_WIDE_COLON = np.frombuffer("：".encode(), dtype=np.uint8)


@kernel
def _after_version_word(data: npt.NDArray[np.uint8], p: np.int64, first: np.int64) -> bool:
    k = p
    while k > first and p - k < 3 and (data[k - 1] == BLANK or data[k - 1] == COLON or data[k - 1] == FULL_STOP):
        k -= 1
    if _ends_here(data, k, first, _WIDE_COLON):
        k -= _WIDE_COLON.size
    if (
        _ends_here(data, k, first, _SECTION_SIGN)
        or _ends_here(data, k, first, _VERSION_IN_CHINESE)
        or _ends_here(data, k, first, _VERSION_NUMBER_IN_CHINESE)
    ):
        return True
    e = k
    while k > first and e - k <= 8 and CLASSES[data[k - 1]] & LETTER:
        k -= 1
    return among(packed(data, k, e), _VERSION_WORDS)


@kernel
def _is_public_v4(a: np.int64, b: np.int64, c: np.int64) -> bool:
    if a == 0 or a == 10 or a == 127 or a >= 224:
        return False
    if a == 100:
        return not 64 <= b <= 127
    if a == 169:
        return b != 254
    if a == 172:
        return not 16 <= b <= 31
    if a == 192:
        return not (b == 168 or (b == 0 and (c == 0 or c == 2)) or (b == 88 and c == 99))
    if a == 198:
        return not (b == 18 or b == 19 or (b == 51 and c == 100))
    return not (a == 203 and b == 0 and c == 113)


@kernel
def _among_decimals(data: npt.NDArray[np.uint8], p: np.int64, first: np.int64) -> bool:
    """Whether the number before, with one separator between, has a point but is no address."""
    if at(data, p - 1, first, p) not in (BLANK, COMMA, HYPHEN):
        return False
    n_points = 0
    k = p - 1
    while k > first and p - k < 24 and (ZERO <= data[k - 1] <= NINE or data[k - 1] == FULL_STOP):
        k -= 1
        n_points += data[k] == FULL_STOP
    return k < p - 1 and data[p - 2] != FULL_STOP and n_points != 0 and n_points != 3


@kernel
def find_ipv4(
    data: npt.NDArray[np.uint8], p: np.int64, first: np.int64, end: np.int64, octets: npt.NDArray[np.int64]
) -> np.int64:
    """Last + 1 byte of the public IPv4 address that begins at ``p``, or -1.

    Four decimal numbers up to 255 also number versions and sections: those beside such a word, after ``name/`` or a
    comparison (``==``, ``>=``, ``~``), with
    all four below 32, or with 0 in the second place and less than 100 in the first or 0 in the third, are not taken
    for addresses; nor are those in a list of decimals.
    """
    none = np.int64(-1)
    before = at(data, p - 1, first, p)
    before_that = at(data, p - 2, first, p)
    if CLASSES[before] & IN_IDENTIFIER or before == FULL_STOP:
        return none
    if before == HYPHEN and not ZERO <= before_that <= NINE:
        return none
    if before == SLASH and CLASSES[before_that] & IN_IDENTIFIER:
        return none
    if before in (_TILDE, _CARET) or (
        before == EQUALS and before_that in (EQUALS, LESS_THAN, GREATER_THAN, EXCLAMATION_MARK, _TILDE)
    ):
        return none
    e = p
    large = False
    for part in range(4):
        begin = e
        octets[part] = 0
        while e < end and e - begin < 4 and ZERO <= data[e] <= NINE:
            octets[part] = octets[part] * 10 + np.int64(data[e]) - 48
            e += 1
        if e == begin or octets[part] > 255 or (data[begin] == ZERO and e - begin > 1):
            return none
        large |= octets[part] >= 32
        if part < 3:
            if e >= end or data[e] != FULL_STOP:
                return none
            e += 1
    after = at(data, e, e, end)
    after_that = at(data, e + 1, e, end)
    if CLASSES[after] & IN_IDENTIFIER or (after == FULL_STOP and CLASSES[after_that] & IN_IDENTIFIER):
        return none
    if (
        after == HYPHEN and CLASSES[after_that] & IN_IDENTIFIER
    ):  # a range goes on with another address, a version with a suffix
        k = e + 1
        while k < end and k - e < 5 and ZERO <= data[k] <= NINE:
            k += 1
        if at(data, k, e, end) != FULL_STOP:
            return none
    if (
        not large
        or (octets[1] == 0 and (octets[0] < 100 or octets[2] == 0))
        or not _is_public_v4(octets[0], octets[1], octets[2])
    ):
        return none
    if _before_version_word(data, e, end):
        return none
    if _is_replacement(octets) or _after_version_word(data, p, first) or _among_decimals(data, p, first):
        return none
    return np.int64(e)


@kernel
def _is_replacement(octets: npt.NDArray[np.int64]) -> bool:
    # a text masked once is not masked again
    value = (octets[0] << 24) | (octets[1] << 16) | (octets[2] << 8) | octets[3]
    for k in range(_FINEWEB.size):  # noqa: SIM110 - compiled
        if _FINEWEB[k] == value:
            return True
    return False


FINEWEB_IPS = ("22.214.171.124", "126.96.36.199", "188.8.131.52", "184.108.40.206", "220.127.116.11", "18.104.22.168")
"""The addresses that FineWeb puts in place of public ones (datatrove, ``PIIFormatter``)."""
_FINEWEB = np.array(
    [int.from_bytes(bytes(int(part) for part in address.split("."))) for address in FINEWEB_IPS], dtype=np.int64
)


@kernel
def find_ipv6(data: npt.NDArray[np.uint8], p: np.int64, first: np.int64, end: np.int64) -> np.int64:
    """Last + 1 byte of the public IPv6 address (2000::/3) that begins at ``p``, or -1.

    Eight groups, or a ``::`` and at least three: fewer are a time or a range more often than an address.
    """
    none = np.int64(-1)
    before = at(data, p - 1, first, p)
    if CLASSES[before] & IN_IDENTIFIER or before in (COLON, FULL_STOP, HYPHEN):
        return none
    one = np.int64(0)
    two = np.int64(0)
    n_groups = 0
    compressed = False
    e = p
    while True:
        begin = e
        value = np.int64(0)
        while e < end and e - begin < 5 and CLASSES[data[e]] & HEXADECIMAL:
            digit = np.int64(data[e])
            value = value * 16 + (digit - ZERO if digit < COLON else (digit | LOWER_CASE) - SMALL_A + 10)
            e += 1
        if e - begin > 4 or n_groups == 8:
            return none
        if n_groups == 0:
            one = value
        elif n_groups == 1:
            two = value
        n_groups += 1
        if n_groups == 1 and e - begin != 4:
            return none
        if at(data, e, e, end) != COLON:
            break
        if at(data, e + 1, e, end) == COLON:
            if compressed:
                return none
            compressed = True
            e += 2
            if not CLASSES[at(data, e, e, end)] & HEXADECIMAL:
                break
        elif CLASSES[at(data, e + 1, e, end)] & HEXADECIMAL:
            e += 1
        else:
            break  # a colon that ends a clause
    if CLASSES[at(data, e, e, end)] & IN_IDENTIFIER or (
        at(data, e, e, end) == COLON and at(data, e + 1, e, end) == COLON
    ):
        return none
    if not ((n_groups == 8 and not compressed) or (compressed and 3 <= n_groups < 8)):
        return none
    if one < 0x2000 or one > 0x3FFF:
        return none
    # IETF protocol assignments, documentation (RFC 3849, RFC 9637), 6to4
    if (one == 0x2001 and (two < 0x200 or two == 0xDB8)) or one == 0x2002 or (one == 0x3FFF and two < 0x1000):
        return none
    return np.int64(e)
