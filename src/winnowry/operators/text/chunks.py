"""``text.chunks``: cut long texts into records of bounded length."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Literal, Self

import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.operators.base import Derivation, Derived
from winnowry.operators.buffers import TEXT

_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")
# Every alternative succeeds where it begins, so that no text takes more than linear time.
_SENTENCE = re.compile(
    r"(?<=[.!?…])\s+|(?<=[.!?…][\"'”’»)\]])\s+"  # space behind the end of a sentence
    r"|[。！？｡]+[”’」』）】]*\s*"  # scripts that put no space there
    r"|\n\s*"
)
_WORD = re.compile(r"\s+")
_BOUNDARIES = (_PARAGRAPH, _SENTENCE, _WORD)
"""Where a text may be cut, best first: behind each match."""

Span = tuple[int, int]


class Chunks(Derivation):
    """Replace each text by chunks of at most ``max_chars`` characters.

    A cut is made behind the last paragraph that ends in the second half of what may be taken; else behind a sentence,
    else behind a word, else between two characters. So no chunk but the last of a text is shorter than half of
    ``max_chars``. White space at a cut stays with the chunk before it: without overlap, the chunks of a text put
    together are the text.

    A text that is null or empty has no chunks.

    Writes ``text``, ``chunk_index`` (from 0), ``n_chunks`` of the text, and where the chunk lies in the text as it was
    handed to this operator: characters ``chunk_start`` to ``chunk_end``, the last one excluded. With ``as``, the text
    is written under that name, and the others have it as a prefix.

    >>> batch = pa.record_batch({"text": pa.array(["One. Two two.", None], pa.large_string())})
    >>> derived = Chunks(max_chars=8).derive(batch)
    >>> derived.parent.to_pylist(), derived.batch["text"].to_pylist()
    ([0, 0], ['One. ', 'Two two.'])
    """

    op: Literal["text.chunks"] = "text.chunks"
    max_chars: int = Field(ge=1, description="most characters of a chunk")
    overlap_chars: int = Field(
        default=0,
        ge=0,
        description="characters that a chunk repeats of the one before it; a quarter of max_chars at most",
    )

    @model_validator(mode="after")
    def _overlap_leaves_progress(self) -> Self:
        if self.overlap_chars > self.max_chars // 4:
            raise ValueError(
                f"overlap_chars is {self.overlap_chars}, expected at most {self.max_chars // 4}, "
                f"a quarter of max_chars ({self.max_chars})"
            )
        return self

    def reads(self) -> pa.Schema:
        """``text``."""
        return pa.schema([pa.field("text", TEXT)])

    def writes(self) -> pa.Schema:
        """The text of the chunk, its number, how many there are, and where it lies."""
        prefix = f"{self.as_}_" if self.as_ else ""
        numbers = ("chunk_index", "n_chunks", "chunk_start", "chunk_end")
        return pa.schema([(self.as_ or "text", TEXT), *((f"{prefix}{name}", pa.int64()) for name in numbers)])

    def derive(self, batch: pa.RecordBatch) -> Derived:
        """Cut every text."""
        parents: list[int] = []
        rows: list[tuple[str, int, int, int, int]] = []
        for row, text in enumerate(batch.column("text").to_pylist()):
            spans = self._spans(text) if text else []
            parents += [row] * len(spans)
            rows += [(text[start:end], index, len(spans), start, end) for index, (start, end) in enumerate(spans)]
        columns = zip(*rows, strict=True) if rows else ((),) * len(self.writes())
        arrays = [pa.array(values, field.type) for values, field in zip(columns, self.writes(), strict=True)]
        return Derived(pa.array(parents, pa.int64()), pa.RecordBatch.from_arrays(arrays, schema=self.writes()))

    def _spans(self, text: str) -> list[Span]:
        """Start and end of every chunk of a text that is not empty."""
        if len(text) <= self.max_chars:
            return [(0, len(text))]
        ends = [[match.end() for match in boundary.finditer(text)] for boundary in _BOUNDARIES]
        spans: list[Span] = []
        start = 0
        while len(text) - start > self.max_chars:
            cut = self._cut(start, ends)
            spans.append((start, cut))
            start = cut - self.overlap_chars
        return [*spans, (start, len(text))]

    def _cut(self, start: int, ends: list[list[int]]) -> int:
        """Where the chunk ends that begins at ``start``."""
        least, most = start + self.max_chars // 2, start + self.max_chars
        for positions in ends:
            last = bisect_right(positions, most) - 1
            if last >= 0 and positions[last] > least:
                return positions[last]
        return most
