"""Formats by name."""

from __future__ import annotations

from winnowry.core.errors import UsageError
from winnowry.sources.base import Format, SourceSpec

FORMATS = ("jsonl", "parquet", "csv", "text")


def format_of(source: SourceSpec) -> Format:
    """The reader of a source, set up as the source says.

    Raises:
        UsageError: there is no such format.
    """
    return format_named(source.format, delimiter=getattr(source, "delimiter", None) or ",")


def format_named(name: str, *, delimiter: str = ",") -> Format:
    """The reader of a format.

    Args:
        name: one of :data:`FORMATS`.
        delimiter: of CSV.

    Raises:
        UsageError: there is no such format.
    """
    # Imported when used: Parquet loads a large library.
    if name == "jsonl":
        from winnowry.sources.jsonl import JsonLines

        return JsonLines()
    if name == "parquet":
        from winnowry.sources.parquet import Parquet

        return Parquet()
    if name == "csv":
        from winnowry.sources.csv import Csv

        return Csv(delimiter)
    if name == "text":
        from winnowry.sources.text import Text

        return Text()
    raise UsageError(f"format {name!r} is unknown; expected one of {', '.join(FORMATS)}")
