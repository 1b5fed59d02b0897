"""``score.readability``: how hard a text is to read, by the classic formulas; for Chinese, by its characters."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from winnowry.operators.base import Operator
from winnowry.operators.buffers import utf8_buffers
from winnowry.operators.quality import Quality

FORMULAS = ("flesch", "kincaid", "fog", "coleman_liau", "ari")
CHINESE = ("common_chars", "sentence_chars", "punctuation")


class Readability(Operator):
    """Measure how easily people read a text.

    With ``language: en``, from words W (runs of letters and digits with a letter), sentences S, syllables, words C of
    three syllables or more, and letters L (digits in words included):

    - ``flesch`` (reading ease, higher is easier) = 206.835 - 1.015 W/S - 84.6 syllables/W; Flesch 1948,
      doi:10.1037/h0057532
    - ``kincaid`` (US school grade) = 0.39 W/S + 11.8 syllables/W - 15.59; Kincaid et al. 1975, RBR 8-75
    - ``fog`` (grade) = 0.4 (W/S + 100 C/W); Gunning 1952, The Technique of Clear Writing
    - ``coleman_liau`` (grade) = 5.88 L/W - 29.6 S/W - 15.8; Coleman and Liau 1975, doi:10.1037/h0076540
    - ``ari`` (grade) = 4.71 L/W + 0.5 W/S - 21.43; Senter and Smith 1967, AMRL-TR-66-220

    Syllables are runs of vowels without the silent endings (``kernels.reading.count_syllables``): no dictionary.
    Sentences are those of ``score.grammatical_complexity``. Null for a null text, one without words, and one whose
    words are mostly in another script: the formulas are for English.

    With ``language: zh``: ``common_chars``, the share of Chinese characters that are among the 3,755 of GB 2312 level
    1; ``sentence_chars``, characters a sentence; ``punctuation``, the share of characters that are marks. Null where
    less than half of the characters are Chinese.

    Writes these (double) with the prefix ``readability_``, or the one given by ``as``.

    >>> batch = pa.record_batch({"text": pa.array(["The cat sat on the mat."], pa.large_string())})
    >>> round(Readability().apply(batch)["readability_kincaid"][0].as_py(), 2)
    -1.45
    """

    QUALITIES: ClassVar[Mapping[str, Quality]] = {
        "readability_flesch": Quality("people", "higher"),
        "readability_fog": Quality("people", "lower"),
    }

    op: Literal["score.readability"] = "score.readability"
    as_: str = Field(default="readability", alias="as", min_length=1, description="prefix of the written columns")
    language: Literal["en", "zh"] = Field(default="en", description="formulas for English, or measures for Chinese")

    def reads(self) -> pa.Schema:
        """The text."""
        return pa.schema([pa.field("text", pa.large_string())])

    def writes(self) -> pa.Schema:
        """Five formulas, or three measures; double."""
        names = FORMULAS if self.language == "en" else CHINESE
        return pa.schema([pa.field(f"{self.as_}_{name}", pa.float64()) for name in names])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Measure n texts."""
        text = utf8_buffers(batch.column("text"))
        measure = _english if self.language == "en" else _chinese
        measured, known = measure(text.offsets, text.data)
        missing = ~(known & text.valid)
        return pa.record_batch([pa.array(values, mask=missing) for values in measured], schema=self.writes())


Measured = tuple[tuple[npt.NDArray[np.float64], ...], npt.NDArray[np.bool_]]


def _english(offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8]) -> Measured:
    """The formulas, and where they hold."""
    from winnowry.operators.scoring.kernels.reading import count_reading

    words, sentences, syllables, hard, letters, ascii_words = count_reading(offsets, data).astype(np.float64)
    known = (words > 0) & (2 * ascii_words >= words)
    words, sentences = np.maximum(words, 1), np.maximum(sentences, 1)
    length, syllable, letter = words / sentences, syllables / words, letters / words
    return (
        206.835 - 1.015 * length - 84.6 * syllable,
        0.39 * length + 11.8 * syllable - 15.59,
        0.4 * (length + 100 * hard / words),
        5.88 * letter - 29.6 / length - 15.8,
        4.71 * letter + 0.5 * length - 21.43,
    ), known


def _chinese(offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8]) -> Measured:
    from winnowry.operators.scoring.kernels.reading import count_chinese_reading

    characters, chinese, common, sentences, marks = count_chinese_reading(offsets, data, common_characters()).astype(
        np.float64
    )
    known = (chinese > 0) & (2 * chinese >= characters)
    return (
        common / np.maximum(chinese, 1),
        characters / np.maximum(sentences, 1),
        marks / np.maximum(characters, 1),
    ), known


@cache
def common_characters() -> npt.NDArray[np.bool_]:
    """Which code points are among the 3,755 characters of GB 2312 level 1 (bool, 1,114,112 values)."""
    table = np.zeros(0x110000, dtype=np.bool_)
    for row in range(0xB0, 0xD8):
        for cell in range(0xA1, 0xFF):
            try:
                table[ord(bytes((row, cell)).decode("gb2312"))] = True
            except UnicodeDecodeError:  # the last five cells of level 1 are empty
                continue
    return table
