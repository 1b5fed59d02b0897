"""Manifests of speech: rows that name a sound file, the part of it that somebody speaks, and what is said."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from itertools import chain
from typing import BinaryIO, ClassVar, Literal, cast

from pydantic import Field

from winnowry.sources.base import ReadLimits, Record, SourceFormat, Unreadable, unreadable
from winnowry.sources.content import text_chunks
from winnowry.sources.fields import absent, described, value_at
from winnowry.sources.jsonl import JsonLines
from winnowry.sources.kaldi import RECORDINGS, data_folder
from winnowry.sources.lines import Line, split_lines
from winnowry.sources.mapping import serialized
from winnowry.sources.streams import BrokenStreamError

_OPERATOR = "source.speech_manifest"
_SECONDS = "seconds, 0 or more"
_TSV_PATHS = ("audio_filepath", "path", "audio", "wav")

Span = tuple[float, float | None]


class SpeechManifest(SourceFormat):
    """Reads manifests of speech: a row is a record, its content the sound file that the row names.

    A manifest is JSON Lines as NeMo writes them (`audio_filepath`, `offset`, `duration`, `text`), the cuts of Lhotse,
    a table with tabs and a header (Common Voice: `path`, `sentence`), where quotes mean nothing, or a data folder of
    Kaldi: its `wav.scp`, with `segments`, `text` and `utt2spk` beside it.

    A row says which part of its file it is, in seconds: from `offset` for `duration`; without the first from the start,
    without the second to the end. A row with neither is the whole file where it has a transcript, else nothing is said
    of its parts. Milliseconds are not guessed: a span that is not in its file is refused where the file is decoded.

    A path is relative to the manifest, or absolute; it may not lead out of the folder that the `uri` of the source
    begins with, and no command is run.
    """

    name: ClassVar[str] = "speech_manifest"
    payload_kind: ClassVar[Literal["text", "blob"]] = "blob"
    carries_text: ClassVar[bool] = True
    carries_span: ClassVar[bool] = True

    audio: str | None = Field(
        default=None,
        min_length=1,
        description="field with the path of the sound file; unset: `audio_filepath` or `path`",
    )
    offset: str = Field(default="offset", min_length=1, description="field with the start, in seconds of the file")
    duration: str = Field(default="duration", min_length=1, description="field with the length, in seconds")
    audio_folder: str | None = Field(
        default=None, min_length=1, description="folder that relative paths start at, from the manifest's, e.g. `clips`"
    )
    payload: Literal["copied", "referenced"] = Field(
        default="referenced",
        description="whether the lake notes where a sound file lies (referenced), which then must neither move nor "
        "change, or holds its bytes (copied), once for each row that names it",
    )

    @property
    def record_kind(self) -> str:
        """Recordings, whose size is counted in seconds."""
        return "audio"

    @property
    def by_reference(self) -> bool:
        """Whether the lake only notes where the bytes lie."""
        return self.payload == "referenced"

    def why_no_members(self) -> str | None:
        """Manifests inside archives name files that cannot be opened."""
        return "a manifest names files beside it; unpack the archive"

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`~winnowry.sources.base.Reader.read`.

        Reasons: those of :class:`~winnowry.sources.jsonl.JsonLines`; ``bad_columns`` (a row of a table with more or
        fewer cells than its header), ``missing_audio``, ``wrong_type``, ``command`` (where a path should be),
        ``bad_span``, ``several_texts`` (a cut of Lhotse with more than one supervision), ``repeated_id``, and those of
        :func:`~winnowry.sources.kaldi.data_folder`.
        """
        seen: set[str] = set()
        for item in self._rows(stream, uri, limits):
            made = self._record(item) if isinstance(item, Record) else item
            yield self._once(made, seen) if isinstance(made, Record) else made

    def _rows(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        if uri.rpartition("/")[2] == RECORDINGS:
            yield from data_folder(stream, self.neighbour, limits)
            return
        chunks = text_chunks(stream, None, limits)
        head = b""
        try:
            for chunk in chunks:
                head += chunk
                if b"\n" in head or len(head) > limits.max_record_bytes:
                    break
        except BrokenStreamError as broken:
            yield unreadable(
                0, _OPERATOR, broken.reason, broken.beginning, broken.value, broken.threshold, ends_object=True
            )
            return
        first = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        if first in (b"{", b"["):
            whole = cast(BinaryIO, _Text(chain([head], chunks)))
            # A cut has a list of supervisions and is a record all the same.
            for item in JsonLines().with_text_field("recording").read(whole, uri, limits):
                yield item if isinstance(item, Record) else replace(item, operator=_OPERATOR)
        else:
            yield from _table(chain([head], chunks), limits)

    def _record(self, row: Record) -> Record | Unreadable:
        """The row as a record of its file; a cut of Lhotse as the row of NeMo that says the same."""
        data = row.data

        def refused(reason: str, value: str, expected: str | None = None) -> Unreadable:
            return unreadable(row.position, _OPERATOR, reason, serialized(data), value, expected)

        if isinstance(data.get("recording"), Mapping):
            cut = _cut(data)
            if isinstance(cut, str):
                return refused("several_texts", cut, "one supervision a cut; trim cuts to their supervisions")
            data = cut
        field = self.audio or next((name for name in _TSV_PATHS if value_at(data, name) is not None), _TSV_PATHS[0])
        path = value_at(data, field)
        if path is None or path == "":
            return refused("missing_audio", absent(data, field) if path is None else f"{field} is empty")
        if not isinstance(path, str):
            return refused("wrong_type", f"{field} is {described(path)}", "path of a sound file")
        if path.rstrip().endswith("|") or path.lstrip().startswith("|"):
            return refused("command", f"{field}: {path!r:.80}", "path of a sound file: commands are not run")
        try:
            span = self._span(data)
        except ValueError as wrong:
            return refused("bad_span", str(wrong), _SECONDS)
        text = value_at(data, self.text_field)
        if text is not None and not isinstance(text, str):
            return refused("wrong_type", f"{self.text_field} is {described(text)}", "text")
        at = path if self.audio_folder is None or path.startswith("/") else f"{self.audio_folder.rstrip('/')}/{path}"
        return Record(row.position, data, text=text, key=row.key, content_at=at, span=span)

    def _span(self, data: Mapping[str, object]) -> Span | None:
        """Start and end in seconds; None where nothing is said of parts, and nothing of what is spoken."""
        offset, duration = (_seconds(name, value_at(data, name)) for name in (self.offset, self.duration))
        if offset is None and duration is None:
            text = value_at(data, self.text_field)
            return (0.0, None) if isinstance(text, str) and text.strip() else None
        start = offset or 0.0
        if start < 0:
            raise ValueError(f"{self.offset} is {start:g}")
        if duration is not None and duration <= 0:
            raise ValueError(f"{self.duration} is {duration:g}")
        return start, None if duration is None else start + duration

    def _once(self, record: Record, seen: set[str]) -> Record | Unreadable:
        """The record, unless another one of the manifest has its id."""
        name = value_at(record.data, self.id_field) if self.id_field is not None else record.key
        if name is None:
            return record
        if str(name) in seen:
            value = f"{self.id_field or 'id'} {name!r:.80} is that of an earlier row"
            return unreadable(record.position, _OPERATOR, "repeated_id", serialized(record.data), value)
        seen.add(str(name))
        return record


class _Text:
    """Chunks of a text as a stream; what breaks them passes through."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = b""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._left = chunk
        data, self._left = self._left[:size], self._left[size:]
        return data


def _seconds(name: str, value: object) -> float | None:
    """A number of seconds; None where there is none.

    Raises:
        ValueError: it is no finite number.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise ValueError(f"{name} is {described(value)}")
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{name} is {value!r:.80}") from None
    if not math.isfinite(seconds):
        raise ValueError(f"{name} is {value!r:.80}")
    return seconds


def _cut(data: Mapping[str, object]) -> dict[str, object] | str:
    """A cut of Lhotse as a row: its first file, its span, its text and speaker; or why that cannot be."""
    recording, supervisions = data["recording"], data.get("supervisions") or []
    assert isinstance(recording, Mapping)
    spoken = [one for one in supervisions if isinstance(one, Mapping)] if isinstance(supervisions, list) else []
    if len(spoken) > 1:
        return f"{len(spoken)} supervisions"
    sources = recording.get("sources") or [{}]
    first = sources[0] if isinstance(sources, list) and isinstance(sources[0], Mapping) else {}
    path = first.get("source")
    if first.get("type") == "command" and isinstance(path, str):
        path = f"{path} |"
    row: dict[str, object] = {"id": data.get("id"), "audio_filepath": path, "offset": data.get("start")}
    row["duration"] = data.get("duration")
    for name in ("text", "speaker", "language", "gender"):
        if spoken and spoken[0].get(name) is not None:
            row[name] = spoken[0][name]
    custom = data.get("custom")
    return {**(custom if isinstance(custom, Mapping) else {}), **row}


def _table(chunks: Iterator[bytes], limits: ReadLimits) -> Iterator[Record | Unreadable]:
    """Rows of a table whose cells are parted by tabs, under a header; blank lines are no rows."""
    header: list[str] | None = None
    for line in split_lines(chunks, limits.max_record_bytes):
        item = _cells(line, limits)
        if item is None:
            continue
        if isinstance(item, Unreadable):
            yield item
            continue
        if header is None:
            header = item
            if len(header) < 2:
                value = f"{line.data[:80]!r}"
                expected = "JSON objects, or a table with tabs and a header"
                yield unreadable(line.number, _OPERATOR, "no_manifest", line.data, value, expected, ends_object=True)
                return
        elif len(item) != len(header):
            value, expected = f"{len(item)} cells", f"{len(header)}: {', '.join(header)}"
            yield unreadable(line.number, _OPERATOR, "bad_columns", line.data, value, expected)
        else:
            yield Record(line.number, {name: cell or None for name, cell in zip(header, item, strict=True)})


def _cells(line: Line, limits: ReadLimits) -> list[str] | Unreadable | None:
    if line.broken is not None:
        broken = line.broken
        return unreadable(
            line.number, _OPERATOR, broken.reason, line.data, broken.value, broken.threshold, ends_object=True
        )
    if line.too_long:
        limit = str(limits.max_record_bytes)
        return unreadable(line.number, _OPERATOR, "over_long_record", line.data, str(line.n_bytes), limit)
    if not line.data.strip():
        return None
    try:
        return line.data.decode("utf-8").rstrip("\r").split("\t")
    except UnicodeDecodeError as wrong:
        return unreadable(line.number, _OPERATOR, "bad_utf8", line.data, f"{wrong.reason} at byte {wrong.start}")
