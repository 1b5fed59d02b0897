"""``score.knowledge_density``: how many different words that carry information a hundred words have."""

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
from winnowry.operators.scoring.function_words import CHINESE_FUNCTION_CHARACTERS, FUNCTION_WORDS

_SHARES = {"en": ("content_words", "numbers", "names"), "zh": ("content_chars", "numbers")}


class KnowledgeDensity(Operator):
    """Measure how densely a text is packed with content words, numbers and names.

    ``knowledge_density`` is the mean, over consecutive windows of ``window`` words, of the number of *different*
    content words and numbers in the window, for a hundred words. Windows of one size make texts of all lengths
    comparable, as in the moving-average type-token ratio; a rest behind whole windows is left out, a shorter text is
    one window. Content words are those that are not among the closed-class words of ``score.grammatical_complexity``,
    in lower case. Beside it the shares of words that are content words, numbers (tokens of digits) and names
    (capitalised content words that do not begin a sentence), 0 to 1; texts in capitals have many names.

    With ``language: zh``, without cutting text into words: a unit is an ideograph, or a word or number in letters or
    digits; what is counted are the different pairs of adjacent ideographs neither of which is a function character
    (的, 了, 是 …), words and numbers, for a hundred units. Beside it the shares of ideographs that are no function
    characters and of units that are numbers; there is no telling names.

    Null for a null text, one without words (numbers alone are none), and one whose words are mostly in another script
    (``zh``: less than half of the units are ideographs): the closed-class words are those of one language.

    Writes ``knowledge_density`` (double, 0 to 100) and ``knowledge_density_content_words`` (zh: ``…_content_chars``),
    ``…_numbers``, and for English ``…_names`` (double), or with the name given by ``as``. A high density is not yet
    knowledge: a list of keywords has the highest.

    Source: Covington and McFall 2010, doi:10.1080/09296171003643098 (windows); what counts is a choice of this project.

    >>> texts = pa.array(["The bank lent 40 million to the bank of Ohio."], pa.large_string())
    >>> batch = pa.record_batch({"text": texts})
    >>> KnowledgeDensity().apply(batch).to_pylist()[0]["knowledge_density"]
    50.0
    """

    VERSION: ClassVar[int] = 2

    QUALITIES: ClassVar[Mapping[str, Quality]] = {"knowledge_density": Quality("machine", "higher")}

    op: Literal["score.knowledge_density"] = "score.knowledge_density"
    as_: str = Field(default="knowledge_density", alias="as", min_length=1, description="name of the written column")
    language: Literal["en", "zh"] = Field(default="en", description="whose closed-class words")
    window: int = Field(default=100, ge=20, le=256, description="words (zh: units) of a window")

    def reads(self) -> pa.Schema:
        """The text."""
        return pa.schema([pa.field("text", pa.large_string())])

    def writes(self) -> pa.Schema:
        """The density and the shares, double."""
        names = (self.as_, *(f"{self.as_}_{name}" for name in _SHARES[self.language]))
        return pa.schema([pa.field(name, pa.float64()) for name in names])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Measure n texts."""
        from winnowry.operators.scoring.kernels.knowledge import count_chinese_knowledge, count_knowledge
        from winnowry.operators.scoring.kernels.words import function_word_table

        text = utf8_buffers(batch.column("text"))
        measured: tuple[npt.NDArray[np.float64], ...]
        if self.language == "en":
            table = function_word_table(FUNCTION_WORDS)
            words, content, numbers, names, ascii_words, density = count_knowledge(
                text.offsets, text.data, *table, self.window
            )
            # Numbers have no script: they count neither for nor against English.
            known = (words > numbers) & (2 * ascii_words >= words - numbers)
            n = np.maximum(words, 1)
            measured = (density, content / n, numbers / n, names / n)
        else:
            units, ideographs, content, numbers, density = count_chinese_knowledge(
                text.offsets, text.data, chinese_function_characters(), self.window
            )
            known = (ideographs > 0) & (2 * ideographs >= units)
            measured = (density, content / np.maximum(ideographs, 1), numbers / np.maximum(units, 1))
        missing = ~(text.valid & known)
        return pa.record_batch([pa.array(values, mask=missing) for values in measured], schema=self.writes())


@cache
def chinese_function_characters() -> npt.NDArray[np.bool_]:
    """Which code points are Chinese function characters (bool, 1,114,112 values)."""
    table = np.zeros(0x110000, dtype=np.bool_)
    table[[ord(character) for character in CHINESE_FUNCTION_CHARACTERS]] = True
    return table
