"""Views of the media of a batch's rows: each is decoded once, however many operators of a chain look at it.

A decoded picture or film is too large to be kept. So operators say before anything is decoded what they want of it, and
a decoder makes all of that in one go and lets the rest go: a view holds results, never a picture of full size.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from winnowry.core.errors import ContractError, UsageError
from winnowry.operators.media.faults import DecodeError as DecodeError

if TYPE_CHECKING:
    from winnowry.operators.media.documents import Document
    from winnowry.operators.media.films import Film
    from winnowry.operators.media.pictures import Picture, PictureReduction
    from winnowry.operators.media.sounds import Sound

PAYLOAD = "payload"
"""The column of a file's bytes; no operator on media is handed it, it asks the view."""
_DIGEST = "content_sha256"
SPAN = "span"
SPAN_TYPE = pa.struct([("start", pa.float64()), ("end", pa.float64()), ("unit", pa.string())])
"""The part of its root that a record is: half open, in seconds (``s``) from the first frame or in pages (``page``)
from 0; null: all of it."""

_FAULT_CHARACTERS = 200
_Decoded = TypeVar("_Decoded")


@dataclass(frozen=True)
class Span:
    """A part of a root, half open; without an end it goes to that of the root."""

    start: float
    end: float | None
    unit: str = "s"


@dataclass(frozen=True)
class Wants:
    """What an operator wants of the media it looks at; the union of a chain's is made in one decoding.

    Attributes:
        picture: reductions of a decoded picture, each to a value small enough to be kept.
        film: reductions of a frame a second of a film.
    """

    picture: frozenset[PictureReduction[Any]] = frozenset()
    film: frozenset[PictureReduction[Any]] = frozenset()

    def __or__(self, other: Wants) -> Wants:
        """What both want."""
        return Wants(**{field.name: getattr(self, field.name) | getattr(other, field.name) for field in fields(self)})


class View:
    """One record's media: the bytes of its root, which part of them it is, and what was decoded of them.

    Args:
        data: the file; None where there is none. It is not copied before somebody asks for it.
        wants: of all operators that will look.
        span: the part that the record is; None for all of it.
        root: the view of the file that the record is a part of; None where it is a file itself.
    """

    def __init__(
        self, data: pa.Buffer | None, wants: Wants, span: Span | None = None, root: View | None = None
    ) -> None:
        self.span = span
        self.wants = wants
        self._root: View = root._root if root is not None else self
        self._data = data
        self._decoded: dict[str, Any] = {}

    @property
    def data(self) -> bytes:
        """The bytes of the root.

        Raises:
            DecodeError: there are none.
        """
        data = self._root._data
        if data is None or not data.size:
            raise DecodeError("no bytes")
        return bytes(data.to_pybytes())

    def picture(self) -> Picture:
        """The picture.

        Raises:
            DecodeError: it cannot be decoded.
        """
        from winnowry.operators.media.pictures import decode_picture

        return self._once("picture", lambda: decode_picture(self.data, self.wants.picture))

    def sound(self) -> Sound:
        """The sound of the root; :func:`~winnowry.operators.media.sound_operator.part_of` cuts the span out of it.

        Raises:
            DecodeError: it cannot be decoded.
        """
        from winnowry.operators.media.sounds import open_sound

        return self._once("sound", lambda: open_sound(self._root.data, weakref.ref(self._root)))

    def film(self) -> Film:
        """The film of the root; a record that is a part of it looks at the frames of its span.

        Raises:
            DecodeError: it cannot be decoded.
        """
        from winnowry.operators.media.films import decode_film

        return self._once("film", lambda: decode_film(self.data, self.wants.film))

    def document(self) -> Document:
        """The document of the root; a record that is a part of it looks at the pages of its span.

        Raises:
            DecodeError: it cannot be decoded.
        """
        from winnowry.operators.media.documents import decode_document

        return self._once("document", lambda: decode_document(self.data))

    def _once(self, what: str, decode: Callable[[], _Decoded]) -> _Decoded:
        """Decode the root at the first call; later calls, and those of its other parts, get the same or its error."""
        made = self._root._decoded
        if what not in made:
            try:
                made[what] = decode()
            except (ContractError, UsageError):
                raise
            except DecodeError as error:
                made[what] = str(error)[:_FAULT_CHARACTERS]
            except Exception as error:
                # What decoders raise on damaged bytes is their own affair: OSError, SyntaxError, struct.error, ….
                made[what] = f"{type(error).__name__}: {error}"[:_FAULT_CHARACTERS]
        if isinstance(made[what], str):
            raise DecodeError(made[what])
        decoded: _Decoded = made[what]
        return decoded


class Views(Sequence[View]):
    """The views of n rows, in step with a batch."""

    def __init__(self, rows: Iterable[View]) -> None:
        self._rows = list(rows)

    @classmethod
    def of_batch(cls, batch: pa.RecordBatch, wants: Wants) -> Views:
        """Views of the files of a batch.

        Args:
            batch: n rows; without a column ``payload`` there is nothing to see; ``span`` says which part a record is.
                Rows of one ``content_sha256`` are parts of one file, whose bytes the first of them has.
            wants: of all operators that will look.
        """
        n, names = batch.num_rows, batch.schema.names
        data = batch.column(PAYLOAD) if PAYLOAD in names else pa.nulls(n, pa.large_binary())
        spans = batch.column(SPAN).to_pylist() if SPAN in names else [None] * n
        digests = batch.column(_DIGEST).to_pylist() if _DIGEST in names else [None] * n
        roots: dict[str, View] = {}
        rows = []
        for value, span, digest in zip(data, spans, digests, strict=True):
            part = Span(**span) if span is not None else None
            root = roots.get(digest) if digest is not None else None
            view = View(value.as_buffer(), wants, part) if root is None else View(None, wants, part, root)
            if digest is not None:
                roots.setdefault(digest, view)
            rows.append(view)
        return cls(rows)

    def of(self, row: int) -> View:
        """The view of a row."""
        return self._rows[row]

    def __getitem__(self, row: Any) -> Any:
        """The view of a row, or the views of a slice of the rows."""
        return Views(self._rows[row]) if isinstance(row, slice) else self._rows[row]

    def __len__(self) -> int:
        """How many rows."""
        return len(self._rows)

    def filter(self, keep: Sequence[bool]) -> Views:
        """The views of some rows."""
        return Views(view for view, stays in zip(self._rows, keep, strict=True) if stays)

    def children(self, parents: Sequence[int], spans: pa.Array | None) -> Views:
        """Views of records made of the rows: they see what their roots see, which is decoded once for all of them.

        Args:
            parents: row of the parent of each of n children.
            spans: n values of :data:`SPAN_TYPE`, the part of its root that each is; None: the parts their parents are.
        """
        if spans is None:
            return Views(View(None, self._rows[row].wants, self._rows[row].span, self._rows[row]) for row in parents)
        return Views(
            View(None, self._rows[row].wants, Span(**span) if span is not None else None, self._rows[row])
            for row, span in zip(parents, spans.to_pylist(), strict=True)
        )
