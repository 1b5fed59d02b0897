"""Which formats there are, and what they have in common: rows in, files out, and what could not be said is counted."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

Row = Mapping[str, Any]
File = tuple[str, bytes, int]
"""Name, content and number of records of a file."""

COLUMNS = ("record_id", "image", "frame", "boxes", "state", "others", "group", "extra", "layout")
"""Columns of a release that files of labels are made of."""


class LabelLayout:
    """A format of files of labels.

    Attributes:
        losses: what the format cannot say, and how often it was left out.
    """

    name: ClassVar[str]

    def __init__(self) -> None:
        self.losses: Counter[str] = Counter()

    @abstractmethod
    def files(self, rows: Iterable[Row]) -> Iterator[File]:
        """The files of all rows, in the order of the release.

        Args:
            rows: with :data:`COLUMNS`.
        """

    def lost(self, row: Row, *, box_fields: Iterable[str]) -> None:
        """Count what the format has no place for.

        Args:
            row: a record.
            box_fields: fields of boxes that are not written.
        """
        self.losses["other_answers"] += len(row["others"] or ())
        for box in row["boxes"]:
            for name in box_fields:
                if box[name] not in (None, []):
                    self.losses[f"boxes.{name}"] += 1


def parsed(text: str | None) -> dict[str, Any]:
    """A column of JSON; empty where it is null."""
    value: dict[str, Any] = json.loads(text) if text else {}
    return value


def is_label(row: Row) -> bool:
    """Whether somebody looked at the image."""
    return row["state"] in ("labelled", "background")


def extent(near: float, far: float) -> float:
    """The shortest number that leads from an edge to the other one.

    >>> extent(123.45, 123.45 + 19.23)
    19.23
    """
    plain = far - near
    for digits in range(17):
        short = round(plain, digits)
        if near + short == far:
            return short
    return plain


def is_file_name(name: str) -> bool:
    """Whether a file of any system can have a name.

    >>> is_file_name("000015"), is_file_name("a/b"), is_file_name("..")
    (True, False, False)
    """
    return name.isprintable() and bool(name.strip(". ")) and not set(name) & set('/\\:*?"<>|')


class Names:
    """A name of its own for each record: that of its image, or its id where another record has that."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def of(self, row: Row) -> str:
        """The name, without folders and ending."""
        image = row["image"] or {}
        path = str(image.get("uri") or image.get("id") or row["record_id"])
        stem = path.rpartition("/")[2].rpartition(".")[0] or path.rpartition("/")[2]
        name = stem if stem not in self._used and is_file_name(stem) else str(row["record_id"])
        self._used.add(name)
        return name
