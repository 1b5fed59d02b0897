"""``score.knowledge_density``: how many different words that carry information a hundred words have."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from winnowry.operators.base import Operator
from winnowry.operators.buffers import utf8_buffers
from winnowry.operators.scoring.function_words import FUNCTION_WORDS

_SHARES = ("content_words", "numbers", "names")


class KnowledgeDensity(Operator):
    """Measure how densely a text is packed with content words, numbers and names.

    ``knowledge_density`` is the mean, over consecutive windows of ``window`` words, of the number of *different*
    content words and numbers in the window, for a hundred words. Windows of one size make texts of all lengths
    comparable, as in the moving-average type-token ratio; a rest behind whole windows is left out, a shorter text is
    one window. Content words are those that are not among the closed-class words of ``score.grammatical_complexity``,
    in lower case. Beside it the shares of words that are content words, numbers (tokens of digits) and names
    (capitalised content words that do not begin a sentence), 0 to 1; texts in capitals have many names.

    Null for a null text, one without words, and one whose words are mostly in another script: the closed-class words
    are English.

    Writes ``knowledge_density`` (double, 0 to 100) and ``knowledge_density_content_words``, ``…_numbers``, ``…_names``
    (double), or with the name given by ``as``.

    Source: Covington and McFall 2010, doi:10.1080/09296171003643098 (windows); CURATION-SPEC §3.3, D₂.

    >>> texts = pa.array(["The bank lent 40 million to the bank of Ohio."], pa.large_string())
    >>> batch = pa.record_batch({"text": texts})
    >>> KnowledgeDensity().apply(batch).to_pylist()[0]["knowledge_density"]
    50.0
    """

    op: Literal["score.knowledge_density"] = "score.knowledge_density"
    as_: str = Field(default="knowledge_density", alias="as", min_length=1, description="name of the written column")
    window: int = Field(default=100, ge=20, le=256, description="words of a window")

    def reads(self) -> pa.Schema:
        """The text."""
        return pa.schema([pa.field("text", pa.large_string())])

    def writes(self) -> pa.Schema:
        """The density and three shares, double."""
        return pa.schema([pa.field(name, pa.float64()) for name in (self.as_, *(f"{self.as_}_{x}" for x in _SHARES))])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Measure n texts."""
        from winnowry.operators.scoring.kernels.reading import count_knowledge
        from winnowry.operators.scoring.kernels.words import function_word_table

        text = utf8_buffers(batch.column("text"))
        table = function_word_table(FUNCTION_WORDS)
        words, content, numbers, names, ascii_words, density = count_knowledge(
            text.offsets, text.data, *table, self.window
        )
        # Numbers have no script: they count neither for nor against English.
        missing = ~(text.valid & (words > 0) & (2 * ascii_words >= words - numbers))
        n = np.maximum(words, 1)
        measured = (density, content / n, numbers / n, names / n)
        return pa.record_batch([pa.array(values, mask=missing) for values in measured], schema=self.writes())
