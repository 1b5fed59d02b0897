"""Numbers, sizes and dates as people read them, on the terminal, on pages and in cards."""

from __future__ import annotations

NONE = "–"
"""What stands where a page has no number."""


def number(value: float | None, *, digits: int = 1, missing: str = "") -> str:
    """A number in full, with thousands separators.

    >>> number(21842), number(3.14159), number(None)
    ('21,842', '3.1', '')
    """
    if value is None:
        return missing
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}"


def rounded(value: float | None, *, missing: str = NONE) -> str:
    """A number to remember: three digits and a word from a million on, counts below it in full.

    >>> rounded(21851), rounded(1_210_122), rounded(0.1234567), rounded(None)
    ('21,851', '1.21 million', '0.123', '–')
    >>> rounded(999.9), rounded(999_999_999)
    ('1,000', '1.00 billion')
    """
    if value is None:
        return missing
    if abs(value) < 1e6:
        return f"{value:,}" if isinstance(value, int) else f"{value:,.3g}" if abs(value) < 999.5 else f"{value:,.0f}"
    for limit, name in ((1e6, "million"), (1e9, "billion")):
        if round(abs(value) / limit, 2) < 1000:
            return f"{value / limit:.2f} {name}"
    return f"{value / 1e12:,.2f} trillion"


def significant(value: float | None, digits: int = 4, *, missing: str = NONE) -> str:
    """A number in so many significant digits.

    >>> significant(0.145415), significant(12.0), significant(None)
    ('0.1454', '12', '–')
    """
    return missing if value is None else f"{value:,.{digits}g}"


def compact(value: float) -> str:
    """A number in a few characters, for the axis of a chart.

    >>> compact(0), compact(0.25), compact(950), compact(21851), compact(1_210_122), compact(0.00012)
    ('0', '0.25', '950', '21.9k', '1.21M', '0.00012')
    >>> compact(999.9), compact(9999.7), compact(999_999)
    ('1,000', '10k', '1M')
    """
    size = abs(value)
    if size < 9999.5:
        return f"{value:,.0f}" if size >= 999.5 or value == int(value) else f"{value:.3g}"
    for limit, suffix in ((1e3, "k"), (1e6, "M"), (1e9, "G")):
        if size / limit < 999.5:
            return f"{value / limit:.3g}{suffix}"
    return f"{value / 1e12:.3g}T"


def fixed(value: float | None, digits: int, *, sign: bool = False, missing: str = NONE) -> str:
    """A number with so many decimals, with its sign where it is a difference.

    >>> fixed(0.98765, 3), fixed(0.02, 4, sign=True), fixed(None, 3)
    ('0.988', '+0.0200', '–')
    """
    return missing if value is None else f"{value:{'+' if sign else ''},.{digits}f}"


def percent(part: float | None, whole: float | None) -> str:
    """A share of a whole; a dash where there is no whole.

    >>> percent(1, 4), percent(1, 3000), percent(0, 4), percent(1, 0)
    ('25.0 %', '0.033 %', '0 %', '–')
    """
    if part is None or not whole:
        return NONE
    share = 100 * part / whole
    return "0 %" if share == 0 else f"{share:.1f} %" if share >= 0.1 else f"{share:.2g} %"


def byte_size(n_bytes: int | None, *, missing: str = NONE) -> str:
    """A size in decimal units.

    >>> byte_size(999), byte_size(4_136_587), byte_size(28_000_000), byte_size(None)
    ('999 B', '4.1 MB', '28.0 MB', '–')
    >>> byte_size(999_949), byte_size(999_999)
    ('999.9 kB', '1.0 MB')
    """
    if n_bytes is None:
        return missing
    if n_bytes < 1000:
        return f"{n_bytes:.0f} B"
    amount = n_bytes / 1000
    for unit in ("kB", "MB", "GB", "TB"):
        if round(amount, 1) < 1000:
            return f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} PB"


def counted(n: int, noun: str, plural: str | None = None) -> str:
    """A count with its noun.

    >>> counted(1, "partition"), counted(3000, "record"), counted(2, "entry", "entries")
    ('1 partition', '3,000 records', '2 entries')
    """
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def day(moment: str | None) -> str:
    """Date of an ISO 8601 moment; nothing without one.

    >>> day("2026-11-23T09:07:55+00:00"), day(None)
    ('2026-11-23', '')
    """
    return moment[:10] if moment else ""


def minute(moment: str | None) -> str:
    r"""Date and minute of an ISO 8601 moment, which never part at the end of a line; nothing without one.

    >>> minute("2026-11-23T09:07:55+00:00"), minute(None)
    ('2026-11-23\xa009:07', '')
    """
    return moment[:16].replace("T", "\u00a0") if moment else ""
