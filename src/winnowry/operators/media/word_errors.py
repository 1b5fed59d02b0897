"""``speech.wer``: the errors of a recogniser's transcript against the one that the record has."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from winnowry.core.tables import TEXT
from winnowry.operators.base import Operator, Rule
from winnowry.operators.media.operator import as_batch
from winnowry.operators.quality import Quality

_Row = tuple[float | None, int | None, int | None]


class WordErrorRate(Operator):
    """Hold a transcript against what a recogniser made of the same recording: the word error rate.

    A measure of what a machine gets out of a recording, by a machine that somebody else ran: winnowry recognises no
    speech. Wrong pairs of sound and transcript show in it, and so do recordings that are too bad to learn from.

    Words are what white space separates, compared as they are written, but for Unicode composition. The rate is the
    least number of substituted, deleted and inserted words over the words of the reference, so that a long hypothesis
    can have more than 1. For scripts without spaces count characters.

    Writes ``wer`` (float64), ``word_errors`` and ``reference_words`` (int64): the rate of several records is the sum of
    the one over the sum of the other. Null where either column is null; ``wer`` also where the reference has no word.

    >>> batch = pa.record_batch({"text": ["the cat sat on the mat"], "asr": ["the cat sit on mat"]})
    >>> WordErrorRate(hypothesis="asr").apply(batch).to_pylist()
    [{'wer': 0.3333333333333333, 'word_errors': 2, 'reference_words': 6}]
    """

    QUALITIES: ClassVar[Mapping[str, Quality]] = {"wer": Quality("machine", "lower")}

    op: Literal["speech.wer"] = "speech.wer"
    hypothesis: str = Field(
        min_length=1, description="column with the recogniser's transcript, such as a carried field"
    )
    reference: str = Field(default="text", min_length=1, description="column with the transcript that is right")
    unit: Literal["word", "character"] = Field(
        default="word", description="what is compared: words, or characters without white space (Chinese, Japanese)"
    )
    ignore_case_and_punctuation: bool = Field(
        default=False, description="whether case and punctuation count for nothing; apostrophes inside words stay"
    )
    max_wer: float | None = Field(
        default=None, ge=0, description="highest rate to keep; records without a rate are not kept; null: any"
    )

    def reads(self) -> pa.Schema:
        """Both transcripts."""
        return pa.schema([(name, TEXT) for name in dict.fromkeys((self.reference, self.hypothesis))])

    def writes(self) -> pa.Schema:
        """``wer``, ``word_errors``, ``reference_words``; after ``as``, if given."""
        prefix = f"{self.as_}_" if self.as_ is not None else ""
        counts = ((prefix + name, pa.int64()) for name in ("word_errors", "reference_words"))
        return pa.schema([(f"{prefix}wer", pa.float64()), *counts])

    def rules(self) -> tuple[Rule, ...]:
        """``max_wer``, if given."""
        if self.max_wer is None:
            return ()
        return (Rule(name="max_wer", column=self.writes().names[0], comparison="<=", threshold=self.max_wer),)

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Compare n pairs."""
        pairs = zip(*(batch.column(name).to_pylist() for name in (self.reference, self.hypothesis)), strict=True)
        return as_batch(self.writes(), (self._compared(*pair) for pair in pairs))

    def _compared(self, reference: str | None, hypothesis: str | None) -> _Row:
        from winnowry.operators.text.kernels.edit_distance import edit_distance

        if reference is None or hypothesis is None:
            return None, None, None
        numbers: dict[str, int] = {}
        right, other = (_numbered(self._units(text), numbers) for text in (reference, hypothesis))
        errors = int(edit_distance(right, other))
        return errors / len(right) if len(right) else None, errors, len(right)

    def _units(self, text: str) -> Sequence[str]:
        text = unicodedata.normalize("NFC", text)
        if self.ignore_case_and_punctuation:
            text = _plain(text)
        words = text.split()
        return words if self.unit == "word" else "".join(words)


def _numbered(units: Sequence[str], numbers: dict[str, int]) -> npt.NDArray[np.int64]:
    return np.fromiter((numbers.setdefault(unit, len(numbers)) for unit in units), np.int64, len(units))


def _plain(text: str) -> str:
    """The text in lower case, its marks of punctuation as spaces, but for apostrophes between letters."""
    text = text.casefold().replace("\u2019", "'")
    marks = [unicodedata.category(character).startswith("P") for character in text]
    return "".join(
        " "
        if mark and not (character == "'" and text[place - 1 : place + 2].replace("'", "", 1).isalpha())
        else character
        for place, (character, mark) in enumerate(zip(text, marks, strict=True))
    )
