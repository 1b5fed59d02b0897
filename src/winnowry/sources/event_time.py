"""Event times as sources write them, to UTC: a table of forms; what is none of them, or could be two, is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_LATEST = datetime(2027, 1, 1, tzinfo=UTC)  # raised with releases, as READING of `mapping` then is
_MICROSECONDS = {
    "unix_s": Decimal(1_000_000),
    "unix_ms": Decimal(1_000),
    "unix_us": Decimal(1),
    "unix_ns": Decimal("0.001"),
}
UNIX_FORMATS = tuple(_MICROSECONDS)
"""Values of ``event_time_format`` that are no layout of a text: counts since 1970-01-01T00:00:00Z."""

ACCEPTED = "ISO 8601, YYYY, YYYYMM, YYYYMMDD, YYYYMMDDHH, YYYYMMDDHHMM, YYYYMMDDHHMMSS or Unix seconds"

_LONGEST = 40  # characters; no form is longer
_DATE = (
    r"(?P<year>\d{4})(?P<dash>-?)"
    r"(?:(?P<month>\d{2})(?P=dash)(?P<day>\d{2})|W(?P<week>\d{2})(?:(?P=dash)(?P<weekday>\d))?|(?P<of_year>\d{3}))"
)
_TIME = r"(?P<hour>\d{2})(?:(?P<colon>:?)(?P<minute>\d{2})(?:(?P=colon)(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?)?"
_ZONE = r"(?P<zone>[Zz]|UTC|GMT|(?P<sign>[+-])(?P<zone_h>\d{2})(?::?(?P<zone_m>\d{2})(?::?(?P<zone_s>\d{2}))?)?)"
_ISO = re.compile(rf"{_DATE}(?:[Tt ]{_TIME} ?{_ZONE}?)?", re.ASCII)
_YEAR_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)


class EventTimeError(ValueError):
    """A value that is no event time; its text names the form that was seen.

    Args:
        form: what the value looks like, and why it is refused.
        expected: what would have been accepted.
    """

    def __init__(self, form: str, expected: str = ACCEPTED) -> None:
        self.expected = expected
        super().__init__(form)


@dataclass(frozen=True)
class TimeRange:
    """Times that are plausible for a source.

    Attributes:
        earliest: UTC.
        latest: UTC, the first instant that is too late.
    """

    earliest: datetime = _EARLIEST
    latest: datetime = _LATEST

    def __contains__(self, moment: datetime) -> bool:
        return self.earliest <= moment < self.latest

    def __str__(self) -> str:
        return f"{_short(self.earliest)} to {_short(self.latest)}"


def parse_event_time(value: object, within: TimeRange | None = None) -> datetime:
    """Read an event time.

    Args:
        value: a text, a number, a date or a date-time; what is accepted is listed in the documentation of a recipe's
            ``fields.event_time``.
        within: what is plausible; 1900 to 2026 when None.

    Returns:
        UTC, microseconds; the first instant of a year, month, day or hour.

    Raises:
        EventTimeError: it is none of the forms, it could be two of them, or it is not plausible.

    >>> parse_event_time("2019-05-01T02:30:00+02:00").isoformat()
    '2019-05-01T00:30:00+00:00'
    >>> {parse_event_time(value).isoformat() for value in ("2019", 2019.0, "2019-01", 20190101, 1546300800)}
    {'2019-01-01T00:00:00+00:00'}
    """
    plausible = within or TimeRange()
    if isinstance(value, datetime | date):
        return _plausible(_from_date(value), "a date", plausible)
    if isinstance(value, str):
        return _from_text(value.strip(), plausible)
    number = _exact(value)
    return _from_digits(number, plausible)


def parse_with_format(value: object, layout: str, within: TimeRange | None = None) -> datetime:
    """Read an event time of a given layout.

    Args:
        value: text, or a whole number that is read as its digits.
        layout: codes of ``datetime.strptime``, names of months and days in English; or one of :data:`UNIX_FORMATS`.
        within: what is plausible; 1900 to 2026 when None.

    Returns:
        UTC, microseconds; a time without a zone is UTC.

    Raises:
        EventTimeError: it has another layout, or is not plausible.

    >>> parse_with_format(" 5-MAR-1987 09:22:57.75", "%d-%b-%Y %H:%M:%S.%f").isoformat()
    '1987-03-05T09:22:57.750000+00:00'
    >>> parse_with_format("1556856306000", "unix_ms").isoformat()
    '2019-05-03T04:05:06+00:00'
    """
    plausible = within or TimeRange()
    text = value.strip() if isinstance(value, str) else _exact(value, f"written as {layout!r}")
    if layout in _MICROSECONDS:
        if not _NUMBER.fullmatch(text) or len(text) > _LONGEST:
            raise EventTimeError(f"{_what(text)}, not a number", layout)
        return _since_epoch(Decimal(text), layout, plausible)
    try:
        moment = _utc(datetime.strptime(text, layout))
    except (ValueError, OverflowError) as error:
        raise EventTimeError(f"{_what(text)}: {error}", layout) from error
    return _plausible(moment, f"a time written as {layout!r}", plausible)


def why_no_layout(layout: str) -> str | None:
    """Why a layout cannot be that of an event time; None where it can.

    >>> why_no_layout("%d-%b-%Y"), why_no_layout("unix_ms")
    (None, None)
    >>> why_no_layout("%d-%b")
    'it names no year (`%Y`, `%y` or `%G`)'
    """
    if layout in _MICROSECONDS:
        return None
    try:
        datetime.strptime("", layout)
    except ValueError as error:
        if "does not match" not in str(error):
            return str(error)
    except re.error as error:
        return str(error)
    codes = set(re.findall(r"%(.)", layout))
    return None if codes & set("YyGcx") else "it names no year (`%Y`, `%y` or `%G`)"


@lru_cache(maxsize=256)
def time_range(earliest: str | int | None, latest: str | int | None, written_at: datetime | None) -> TimeRange:
    """What is plausible for the records of an object.

    Args:
        earliest: the first year, month or day; 1900 when None.
        latest: the last year, month or day. When None, the end of 2026, or a day after the object was written where
            that is later: archives and copies give objects older times than what is in them.
        written_at: when the object was last modified. Not the time of the ingest: the same object must give the same
            records whenever it is read.
    """
    start = range_start(str(earliest)) if earliest is not None else _EARLIEST
    if latest is not None:
        return TimeRange(start, range_end(str(latest)))
    return TimeRange(start, max(_LATEST, written_at + timedelta(days=1)) if written_at is not None else _LATEST)


def range_start(bound: str) -> datetime:
    """First instant of a year, month or day.

    Raises:
        ValueError: it is none of these.

    >>> range_start("1800").isoformat(), range_end("1800-02").isoformat()
    ('1800-01-01T00:00:00+00:00', '1800-03-01T00:00:00+00:00')
    """
    return _bound(bound)[0]


def range_end(bound: str) -> datetime:
    """First instant after a year, month or day; :func:`range_start` says what is raised."""
    return _bound(bound)[1]


def _bound(text: str) -> tuple[datetime, datetime]:
    match = re.fullmatch(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", text, re.ASCII)
    if match is None:
        raise ValueError(f"expected YYYY, YYYY-MM or YYYY-MM-DD; got {text!r}")
    year, month, day = int(match[1]), int(match[2] or 1), int(match[3] or 1)
    start = datetime(year, month, day, tzinfo=UTC)
    last = datetime.max.replace(tzinfo=UTC)
    if match[3]:
        return start, min(start, last - timedelta(days=1)) + timedelta(days=1)
    if match[2]:
        return start, datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC) if (year, month) < (
            9999,
            12,
        ) else last
    return start, datetime(year + 1, 1, 1, tzinfo=UTC) if year < 9999 else last


# ------------------------------------------------------------------------------------------------------ the forms


def _exact(value: object, wanted: str = "an event time") -> str:
    """A number as its digits: a whole one without a point, whatever type it came in."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise EventTimeError(f"{type(value).__name__} is not {wanted}")
    if isinstance(value, int):
        return str(value) if abs(value) < 10**_LONGEST else "9" * (_LONGEST + 1)
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not exact.is_finite():
        raise EventTimeError(f"{value} is not {wanted}")
    if exact.adjusted() >= _LONGEST:
        return "9" * (_LONGEST + 1)
    return str(int(exact)) if exact == exact.to_integral_value() else f"{exact:f}"


def _from_date(value: date) -> datetime:
    try:
        if not isinstance(value, datetime):
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        # Of a subclass (pandas) what a date-time of Python has: no nanoseconds, and NaT has no year.
        return _utc(datetime.combine(value.date(), value.timetz()))
    except (ValueError, OverflowError, TypeError) as error:
        raise EventTimeError(f"a date out of range: {error}") from error


def _from_text(text: str, plausible: TimeRange) -> datetime:
    if len(text) > _LONGEST:
        raise EventTimeError(f"a text of {len(text)} characters")
    if _NUMBER.fullmatch(text):
        whole, _, fraction = text.partition(".")
        return _from_digits(text if fraction.strip("0") else whole, plausible)
    if month := _YEAR_MONTH.fullmatch(text):
        return _calendar("a month YYYY-MM", plausible, int(month[1]), int(month[2]))
    if match := _ISO.fullmatch(text):
        return _plausible(_from_iso(match), "an ISO 8601 date", plausible)
    raise EventTimeError(_what(text))


def _what(text: str) -> str:
    return "a text of another form" if text else "an empty text"


def _from_iso(match: re.Match[str]) -> datetime:
    part = match.groupdict()

    def number(name: str, default: int = 0) -> int:
        return int(part[name]) if part[name] is not None else default

    try:
        if part["week"] is not None:
            day = date.fromisocalendar(number("year"), number("week"), number("weekday", 1))
        elif part["of_year"] is not None:
            day = date(number("year"), 1, 1) + timedelta(days=number("of_year") - 1)
            if day.year != number("year"):
                raise ValueError(f"day {part['of_year']} of the year {part['year']}")
        else:
            day = date(number("year"), number("month"), number("day"))
        hour, minute, second = number("hour"), number("minute"), number("second")
        fraction = int((part["fraction"] or "0")[:6].ljust(6, "0"))
        # ISO 8601 has the end of a day as 24:00; a leap second is, as in POSIX, the instant after it.
        past_midnight = (hour, minute, second, fraction) == (24, 0, 0, 0)
        leap = second == 60
        clock = datetime(day.year, day.month, day.day, 0 if past_midnight else hour, minute, 59 if leap else second,
                         fraction)  # fmt: skip
        offset = timedelta(hours=number("zone_h"), minutes=number("zone_m"), seconds=number("zone_s"))
        moment = clock.replace(tzinfo=timezone(-offset if part["sign"] == "-" else offset)).astimezone(UTC)
        if leap:
            if (moment.hour, moment.minute) != (23, 59):
                raise ValueError("second 60 where no leap second is")
            moment = moment.replace(microsecond=0) + timedelta(seconds=1)
        return moment + timedelta(days=1) if past_midnight else moment
    except (ValueError, OverflowError) as error:
        raise EventTimeError(f"an ISO 8601 date that does not exist: {error}") from error


def _from_digits(text: str, plausible: TimeRange) -> datetime:
    """A number: what it means is told by how many digits it has."""
    whole, _, fraction = text.partition(".")
    digits = whole.removeprefix("-")
    if len(digits) > _LONGEST:
        raise EventTimeError(f"a number of more than {_LONGEST} digits")
    if text.startswith("-") or digits == "0":  # no date has a sign; 0 is the epoch
        return _since_epoch(Decimal(text), "unix_s", plausible)
    if fraction:
        if len(digits) not in (9, 10):
            raise EventTimeError(f"a number of {len(digits)} digits with a fraction")
        return _since_epoch(Decimal(text), "unix_s", plausible)
    read = _BY_DIGITS.get(len(digits))
    if read is None:
        raise EventTimeError(f"{len(digits)} digits{_NOT_READ.get(len(digits), ' are no form that is read')}")
    return read(digits, plausible)


_NOT_READ = {
    5: " (a day of a spreadsheet?) are not read",
    13: " (Unix milliseconds?) are not read; set event_time_format: unix_ms",
    16: " (Unix microseconds?) are not read; set event_time_format: unix_us",
    19: " (Unix nanoseconds?) are not read; set event_time_format: unix_ns",
}


def _year(digits: str, plausible: TimeRange) -> datetime:
    return _calendar("a year YYYY", plausible, int(digits))


def _month(digits: str, plausible: TimeRange) -> datetime:
    try:
        datetime.strptime(digits, "%y%m%d")
    except ValueError:
        return _calendar("a month YYYYMM", plausible, int(digits[:4]), int(digits[4:]))
    raise EventTimeError(
        "6 digits that are both YYYYMM and YYMMDD; set event_time_format: '%Y%m' or '%y%m%d'", "a date of one meaning"
    )


def _day_and_time(form: str) -> Callable[[str, TimeRange], datetime]:
    def read(digits: str, plausible: TimeRange) -> datetime:
        pairs = [int(digits[at : at + 2]) for at in range(4, len(digits), 2)]
        return _calendar(f"a time {form}", plausible, int(digits[:4]), *pairs)

    return read


def _hour_or_unix(digits: str, plausible: TimeRange) -> datetime:
    """Ten digits: an hour of the day or Unix seconds, whichever is plausible."""
    seconds = _EPOCH + timedelta(seconds=int(digits))
    try:
        hour = _day_and_time("YYYYMMDDHH")(digits, plausible)
    except EventTimeError as error:
        if seconds in plausible:
            return seconds
        raise EventTimeError(f"10 digits: neither plausible Unix seconds nor {error}", str(plausible)) from error
    if seconds in plausible:
        raise EventTimeError(
            "10 digits that are both YYYYMMDDHH and Unix seconds; set event_time_format: '%Y%m%d%H' or unix_s",
            "a time of one meaning",
        )
    return hour


_BY_DIGITS: dict[int, Callable[[str, TimeRange], datetime]] = {
    4: _year,
    6: _month,
    8: _day_and_time("YYYYMMDD"),
    9: lambda digits, plausible: _since_epoch(Decimal(digits), "unix_s", plausible),
    10: _hour_or_unix,
    12: _day_and_time("YYYYMMDDHHMM"),
    14: _day_and_time("YYYYMMDDHHMMSS"),
}


def _calendar(form: str, plausible: TimeRange, year: int, month: int = 1, day: int = 1, *time: int) -> datetime:
    try:
        hour, minute, second = (*time, 0, 0, 0)[:3]
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise EventTimeError(f"{form} that does not exist: {error}") from error
    return _plausible(moment, form, plausible)


def _since_epoch(number: Decimal, unit: str, plausible: TimeRange) -> datetime:
    form = {"unix_s": "Unix seconds", "unix_ms": "Unix milliseconds", "unix_us": "Unix microseconds"}
    name = form.get(unit, "Unix nanoseconds")
    try:
        moment = _EPOCH + timedelta(microseconds=int(number * _MICROSECONDS[unit]))
    except OverflowError as error:
        raise EventTimeError(f"{name} far outside", str(plausible)) from error
    return _plausible(moment, name, plausible)


def _plausible(moment: datetime, form: str, plausible: TimeRange) -> datetime:
    if moment not in plausible:
        raise EventTimeError(f"{form}: {_short(moment)} is not plausible (event_time_range)", str(plausible))
    return moment


def _short(moment: datetime) -> str:
    return moment.isoformat().removesuffix("+00:00").removesuffix("T00:00:00")


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
