"""Event times as sources write them, to UTC."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta

_YEAR = re.compile(r"\d{4}")
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_UNIX_SECONDS = re.compile(r"\d{9,11}(\.\d+)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_UNIX_SECOND = 1e11  # in the year 5138: a larger number is milliseconds


def parse_event_time(value: object) -> datetime:
    """Read an event time.

    Args:
        value: ISO 8601 date or date-time (without zone: UTC), ``YYYY``, ``YYYY-MM``, Unix seconds as a number or as
            9 to 11 digits, a number from 1000 to 9999 (a year), or a date object. A year or month is its first
            instant.

    Returns:
        UTC, microseconds.

    Raises:
        ValueError: it is none of these; milliseconds are refused rather than guessed.

    >>> parse_event_time("2019-05-01T02:30:00+02:00").isoformat()
    '2019-05-01T00:30:00+00:00'
    >>> parse_event_time("2019") == parse_event_time(2019) == parse_event_time(1546300800)
    True
    """
    try:
        if isinstance(value, str):
            return _from_text(value.strip())
        if isinstance(value, datetime):
            return _utc(value)
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _from_number(value)
    except OverflowError as error:
        raise ValueError(f"{value!r} is out of range") from error
    raise ValueError(f"{type(value).__name__} is not an event time")


def parse_with_format(value: object, layout: str) -> datetime:
    """Read an event time of a given layout.

    Args:
        value: text.
        layout: codes of ``datetime.strptime``; names of months and days are English.

    Returns:
        UTC, microseconds; a time without a zone is UTC.

    Raises:
        ValueError: it is no text, or has another layout.

    >>> parse_with_format(" 5-MAR-1987 09:22:57.75", "%d-%b-%Y %H:%M:%S.%f").isoformat()
    '1987-03-05T09:22:57.750000+00:00'
    """
    if not isinstance(value, str):
        raise ValueError(f"{type(value).__name__} is not an event time written as {layout!r}")
    try:
        return _utc(datetime.strptime(value.strip(), layout))
    except OverflowError as error:
        raise ValueError(f"{value!r} is out of range") from error


def _from_text(text: str) -> datetime:
    if _YEAR.fullmatch(text):
        return datetime(int(text), 1, 1, tzinfo=UTC)
    if month := _MONTH.fullmatch(text):
        return datetime(int(month[1]), int(month[2]), 1, tzinfo=UTC)
    if _UNIX_SECONDS.fullmatch(text):
        return _from_number(float(text) if "." in text else int(text))
    return _utc(datetime.fromisoformat(text))


def _from_number(number: int | float) -> datetime:
    if isinstance(number, int) and 1000 <= number <= 9999:
        return datetime(number, 1, 1, tzinfo=UTC)
    if not math.isfinite(number) or abs(number) >= _LAST_UNIX_SECOND:
        raise ValueError(f"{number!r} is not a time in Unix seconds")
    return _EPOCH + timedelta(seconds=number)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
