"""Kinds of records: what a record carries, what its size is counted in, and what people are shown of it.

The recipe's sources say which kind a corpus has. Everything else asks the kind: the columns of the tables, the unit of
a budget, the words of ``explain`` and of a release. A package brings a kind by an entry point of the group
``winnowry.kinds`` that leads to a :class:`Kind`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Literal

import pyarrow as pa

from winnowry.core.column_names import wrong_word
from winnowry.core.errors import UsageError
from winnowry.core.numbers import byte_size
from winnowry.records.annotations import COLUMNS as ANNOTATION_COLUMNS
from winnowry.records.annotations import described as described_annotation
from winnowry.records.conversations import CONVERSATION, PREFERENCE, REASONING, RL_PROMPT
from winnowry.records.criteria import CRITERION
from winnowry.records.motion import MOTION_COLUMNS
from winnowry.records.rollouts import ROLLOUT

Carries = Literal["text", "blob", "structured"]
_GROUP = "winnowry.kinds"
_EXCERPT_CHARACTERS = 200


def _file(row: Mapping[str, Any]) -> list[str]:
    size = row.get("size")
    return [row.get("media_type") or "", byte_size(size) if size is not None else ""]


def _excerpt(row: Mapping[str, Any]) -> str:
    text = row.get("text") or ""
    return text if len(text) <= _EXCERPT_CHARACTERS else text[:_EXCERPT_CHARACTERS] + "…"


def _image(row: Mapping[str, Any]) -> str:
    width, height = row.get("width"), row.get("height")
    media_type, size = _file(row)
    sides = f"{width}×{height}" if width is not None and height is not None else ""
    return _beside_text(", ".join(filter(None, (media_type, sides, size))), row)


def _length_in_time(row: Mapping[str, Any]) -> str:
    duration = row.get("duration_ms")
    media_type, size = _file(row)
    length = f"{duration / 1000:.1f} s" if duration is not None else ""
    return _beside_text(", ".join(filter(None, (media_type, length, size))), row)


def _plain_file(row: Mapping[str, Any]) -> str:
    return _beside_text(", ".join(filter(None, _file(row))), row)


def _document(row: Mapping[str, Any]) -> str:
    number, n_pages = row.get("page_number"), row.get("n_document_pages")
    media_type, size = _file(row)
    if number is not None:  # a page of it
        return _beside_text(f"page {number} of {n_pages}", row)
    counted = row.get("n_pages")
    length = "" if counted is None else "1 page" if counted == 1 else f"{counted} pages"
    return _beside_text(", ".join(filter(None, (row.get("title"), media_type, length, size))), row)


def _beside_text(described: str, row: Mapping[str, Any]) -> str:
    """What is said of a file, and the text beside it, such as a caption, where it has one."""
    text = " ".join(_excerpt(row).split())
    return f"{described}: “{text}”" if text else described


@dataclass(frozen=True)
class Kind:
    """One kind of record.

    Attributes:
        name: what a recipe calls it.
        carries: ``text``, the column `text`; ``blob``, bytes in the column `payload`; ``structured``, columns of its
            own, and a `text` that says what the record is to people and to operators on text.
        unit: what its size is counted in, as budgets and people say it, in the plural.
        size_column: the column that holds the size, in whole numbers.
        shows: what people are shown of a row; columns that the row lacks are left out.
        counted_by: an operator that writes the size column, as a recipe writes it; None where every row has it.
        sizes_per_unit: of the size column; 1000 where it holds milliseconds and the unit is seconds.
        columns: of ``structured`` records, as ``raw``, ``cleaned`` and ``published`` hold them beside the text. The
            size column may be one of them. What one means, for cards and pages, is the ``description`` of its metadata.
        may_be_empty: a record of size 0 says something, as an image with nothing in it does, and is drawn like others.
    """

    name: str
    carries: Carries
    unit: str
    size_column: str
    shows: Callable[[Mapping[str, Any]], str]
    counted_by: str | None = None
    sizes_per_unit: int = 1
    columns: tuple[pa.Field, ...] = ()
    may_be_empty: bool = False

    @property
    def payload_column(self) -> str:
        """The column of ``cleaned`` or ``published`` that holds what is trained on, or says what it is."""
        return "text" if self.has_text else "payload"

    def size_in_sql(self, table: str = "") -> str:
        """A record's size in the unit, as an expression over its row.

        >>> TEXT.size_in_sql(), kind_named("audio").size_in_sql("scored.")
        ('n_tokens', '(scored.duration_ms / 1000.0)')
        """
        column = f"{table}{self.size_column}"
        return column if self.sizes_per_unit == 1 else f"({column} / {self.sizes_per_unit}.0)"

    @property
    def has_text(self) -> bool:
        """Whether each of its records has a text; those of files may have one beside their bytes."""
        return self.carries != "blob"

    @property
    def in_tokens(self) -> bool:
        """Whether its sizes are counted in tokens of the text."""
        return self.size_column == TEXT.size_column


TEXT = Kind("text", "text", "tokens", "n_tokens", _excerpt, "score.token_count")
"""What records are unless their source says otherwise."""

FILE = Kind("file", "blob", "bytes", "size", _plain_file)
"""A file of which nothing is known but its bytes."""

PICTURE_MARK = "\ufffc"
"""In the text of an interleaved document: here is a picture."""


def _interleaved(row: Mapping[str, Any]) -> str:
    n_images, left_out = row.get("n_images"), row.get("n_images_left_out")
    _, size = _file(row)
    counted = "" if n_images is None else "1 picture" if n_images == 1 else f"{n_images} pictures"
    without = f"{left_out} left out" if left_out else ""
    return _beside_text(", ".join(filter(None, (counted, without, size))), row)


INTERLEAVED = Kind("interleaved", "blob", "images", "n_images", _interleaved, "interleaved.images")
"""Texts and pictures in one order; behind documents, whose pages count their images too."""

_BUILT_IN = (
    TEXT,
    FILE,
    Kind("image", "blob", "pixels", "n_pixels", _image, "image.decode"),
    Kind("audio", "blob", "seconds", "duration_ms", _length_in_time, "audio.facts", sizes_per_unit=1000),
    Kind("video", "blob", "seconds", "duration_ms", _length_in_time, sizes_per_unit=1000),
    Kind("document", "blob", "pages", "n_pages", _document, "document.facts"),
    INTERLEAVED,
    Kind("conversation", "structured", "tokens", "n_tokens", _excerpt, "score.token_count", columns=CONVERSATION),
    Kind("preference", "structured", "tokens", "n_tokens", _excerpt, "score.token_count", columns=PREFERENCE),
    Kind("criterion", "structured", "criteria", "n_criteria", _excerpt, columns=CRITERION),
    Kind("rollout", "structured", "rollouts", "n_rollouts", _excerpt, columns=ROLLOUT),
    Kind("rl_prompt", "structured", "prompts", "n_prompts", _excerpt, columns=RL_PROMPT),
    Kind("reasoning", "structured", "tokens", "n_tokens", _excerpt, "score.token_count", columns=REASONING),
    Kind(
        "annotation",
        "structured",
        "boxes",
        "n_boxes",
        described_annotation,
        columns=ANNOTATION_COLUMNS,
        may_be_empty=True,
    ),
    Kind("trajectory", "structured", "steps", "n_steps", _plain_file),
    Kind("motion", "structured", "seconds", "duration_ms", _excerpt, None, 1000, MOTION_COLUMNS),
)


@cache
def kinds() -> dict[str, Kind]:
    """Every kind by its name: the built-in ones, then those of installed packages.

    Raises:
        UsageError: an entry point leads to no kind, or to one of a name that is in use.
    """
    known = {kind.name: kind for kind in _BUILT_IN}
    for entry in entry_points(group=_GROUP):
        kind = entry.load()
        if not isinstance(kind, Kind):
            raise UsageError(f"entry point {entry.name!r} of {_GROUP} leads to {entry.value}, which is no Kind")
        expected = wrong_word(kind.size_column)
        if expected is not None:
            raise UsageError(
                f"kind {kind.name!r} of {entry.value}: size_column {kind.size_column!r} cannot be the name of a "
                f"column: expected {expected}"
            )
        if kind.name in known:
            raise UsageError(f"entry point {entry.name!r} of {_GROUP}: there is a kind {kind.name!r} already")
        known[kind.name] = kind
    return known


def kind_named(name: str) -> Kind:
    """The kind of a name.

    Raises:
        UsageError: there is none.

    >>> kind_named("image").unit
    'pixels'
    """
    known = kinds()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise UsageError(f"no kind {name!r}; " + (f"did you mean {near[0]}?" if near else f"kinds: {', '.join(known)}"))
    return known[name]


def sized_by(columns: Collection[str]) -> Kind | None:
    """The kind whose size a table holds, told by its columns; None where it holds no size.

    >>> sized_by(["record_id", "n_pixels", "size"]).name, sized_by(["record_id"])
    ('image', None)
    """
    sized = [kind for kind in kinds().values() if kind is not FILE and kind.size_column in columns]
    if sized:  # several count seconds; a table that has all columns of one is of that one
        return max(sized, key=lambda kind: len(kind.columns) if {c.name for c in kind.columns} <= {*columns} else -1)
    of_files = "media_type" in columns or TEXT.payload_column not in columns
    return FILE if FILE.size_column in columns and of_files else None
