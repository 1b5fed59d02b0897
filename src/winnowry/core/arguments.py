"""Arguments of calls from Python, which no command line has checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from winnowry.core.errors import UsageError


def check_choice(name: str, value: object, choices: Any) -> None:
    """Refuse a value that is none of a ``Literal``'s.

    Args:
        name: of the argument.
        value: what was passed.
        choices: the ``Literal`` type.

    Raises:
        UsageError: it is another value.

    >>> from typing import Literal
    >>> check_choice("format", "csv", Literal["jsonl", "parquet"])
    Traceback (most recent call last):
    winnowry.core.errors.UsageError: format 'csv': expected 'jsonl' or 'parquet'
    """
    allowed = get_args(choices)
    if value not in allowed:
        raise UsageError(f"{name} {value!r}: expected {' or '.join(map(repr, allowed))}")


def names_of(value: str | Sequence[str]) -> tuple[str, ...]:
    """Names, of which a single one may stand alone; Python would take its letters for names.

    >>> names_of("2019"), names_of(["2019", "2020"])
    (('2019',), ('2019', '2020'))
    """
    return (value,) if isinstance(value, str) else tuple(value)
