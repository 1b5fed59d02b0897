"""Data folders of Kaldi: `wav.scp` names recordings; `segments`, `text` and `utt2spk` beside it say the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import BinaryIO

from winnowry.sources.base import ReadLimits, Record, Unreadable, unreadable
from winnowry.sources.content import text_chunks
from winnowry.sources.lines import split_lines
from winnowry.sources.streams import BrokenStreamError

RECORDINGS = "wav.scp"
Neighbour = Callable[[str], BinaryIO | None]

_OPERATOR = "source.speech_manifest"
_SEGMENT_WORDS = 4


def data_folder(recordings: BinaryIO, neighbour: Neighbour, limits: ReadLimits) -> Iterator[Record | Unreadable]:
    """The utterances of a data folder, as rows of NeMo say them; positions count them.

    With `segments` an utterance is a line of it; without, a line of `wav.scp`. Every line of every file is in one of
    the rows, or a place that cannot be read: ``bad_line``, ``unknown_recording`` (a segment of none in `wav.scp`),
    ``no_segment`` (a recording that has none in `segments`), ``unknown_utterance`` (a text of none), and those of the
    stream.

    Args:
        recordings: `wav.scp`.
        neighbour: opens a file of the folder; None where it has none of that name.
        limits: longest line.
    """
    folder = _Folder(neighbour, limits)
    yield from folder.read(recordings)


class _Folder:
    """A data folder that is being read."""

    def __init__(self, neighbour: Neighbour, limits: ReadLimits) -> None:
        self._neighbour = neighbour
        self._limits = limits
        self._position = count()
        self._paths: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        self._speakers: dict[str, str] = {}
        self._used: set[str] = set()

    def read(self, recordings: BinaryIO) -> Iterator[Record | Unreadable]:
        yield from self._pairs(recordings, self._paths)
        yield from self._pairs(self._neighbour("text"), self._texts, least=1)
        yield from self._pairs(self._neighbour("utt2spk"), self._speakers)
        segments = self._neighbour("segments")
        if segments is not None:
            yield from self._segments(segments)
        else:
            for name, path in self._paths.items():
                yield self._row(name, name, path)
        for name, text in self._texts.items():
            if name not in self._used:
                yield self._refused("unknown_utterance", f"{name} {text}")

    def _pairs(self, file: BinaryIO | None, into: dict[str, str], *, least: int = 2) -> Iterator[Unreadable]:
        """Note what a file says of each name; lines that cannot be read, and names that come twice."""
        for words in _lines(file, 2, self._limits):
            if isinstance(words, str) or len(words) < least:
                yield self._refused("bad_line", words)
            elif words[0] in into:
                yield self._refused("repeated_id", words)
            else:
                into[words[0]] = words[1] if len(words) > 1 else ""

    def _segments(self, file: BinaryIO) -> Iterator[Record | Unreadable]:
        segmented: set[str] = set()
        for words in _lines(file, _SEGMENT_WORDS, self._limits):
            if isinstance(words, str) or len(words) < _SEGMENT_WORDS:
                yield self._refused("bad_line", words)
                continue
            name, recording, *times = words
            segmented.add(recording)
            if recording in self._paths:
                yield self._row(name, recording, self._paths[recording], times)
            else:
                self._used.add(name)
                yield self._refused("unknown_recording", words)
        for name, path in self._paths.items():
            if name not in segmented:
                yield self._refused("no_segment", f"{name} {path}")

    def _row(self, name: str, recording: str, path: str, times: Sequence[str] = ()) -> Record | Unreadable:
        self._used.add(name)
        row: dict[str, object] = {"id": name, "recording": recording, "audio_filepath": path}
        if times:
            try:
                start, end = map(float, times)
            except ValueError:
                return self._refused("bad_span", [name, recording, *times])
            row |= {"offset": start, "duration": end - start}
        row |= {key: of[name] for key, of in (("text", self._texts), ("speaker", self._speakers)) if name in of}
        return Record(next(self._position), row, key=name)

    def _refused(self, reason: str, line: Sequence[str] | str) -> Unreadable:
        text = line if isinstance(line, str) else " ".join(line)
        return unreadable(next(self._position), _OPERATOR, reason, text.encode("utf-8", "surrogatepass"), text)


def _lines(file: BinaryIO | None, n_words: int, limits: ReadLimits) -> Iterator[list[str] | str]:
    """The words of each line, the last of which may have blanks; as a text where it cannot be read."""
    if file is None:
        return
    try:
        for line in split_lines(text_chunks(file, None, limits), limits.max_record_bytes):
            if line.broken is not None:
                yield f"{line.broken.reason}: {line.broken.value}"
            elif line.too_long:
                yield f"a line of {line.n_bytes} bytes"
            elif line.data.strip():
                try:
                    yield line.data.decode("utf-8").strip().split(maxsplit=n_words - 1)
                except UnicodeDecodeError as wrong:
                    yield f"no UTF-8: {wrong.reason} at byte {wrong.start}"
    except BrokenStreamError as broken:
        yield f"{broken.reason}: {broken.value}"
