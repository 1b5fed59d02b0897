"""``score.typing_faults``: slips of the keyboard in a hundred words, without a dictionary."""

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
from winnowry.operators.scoring.function_words import FUNCTION_WORDS, MAY_BE_DOUBLED

_KINDS = ("doubled", "stretched", "spacing", "small_i")


class TypingFaults(Operator):
    """Count slips of typing that need no dictionary, for a hundred words of English.

    - ``doubled``: a closed-class word twice in a row (``the the``), but not those that may be (``had had``)
    - ``stretched``: a word with a letter three or more times in a row beside others (``sooo``; not ``www``, ``iii``)
    - ``spacing``: no space behind a mark (``one,two``, ``end.Next``), or one before and after it (``one , two``)
    - ``small_i``: the word ``i``, also in ``i'm``

    Misspelt words that look like words are not found. Null for a null text, one without words, and one whose words are
    mostly in another script. Code and tables have spacing of their own: this is for prose.

    Writes ``typing_faults``, the sum for a hundred words, and ``typing_faults_doubled``, ``…_stretched``,
    ``…_spacing``, ``…_small_i`` (double), or with the name given by ``as``.

    Source: the four kinds are a choice of this project.

    >>> texts = pa.array(["i think the the bank closed.Then we left , sadly."], pa.large_string())
    >>> TypingFaults().apply(pa.record_batch({"text": texts}))["typing_faults"].to_pylist()
    [40.0]
    """

    QUALITIES: ClassVar[Mapping[str, Quality]] = {"typing_faults": Quality("people", "lower")}

    op: Literal["score.typing_faults"] = "score.typing_faults"
    as_: str = Field(default="typing_faults", alias="as", min_length=1, description="name of the written column")

    def reads(self) -> pa.Schema:
        """The text."""
        return pa.schema([pa.field("text", pa.large_string())])

    def writes(self) -> pa.Schema:
        """The sum and four kinds for a hundred words, double."""
        return pa.schema([pa.field(name, pa.float64()) for name in (self.as_, *(f"{self.as_}_{x}" for x in _KINDS))])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Measure n texts."""
        from winnowry.operators.scoring.kernels.noise import count_typing_faults
        from winnowry.operators.scoring.kernels.words import function_word_table

        text = utf8_buffers(batch.column("text"))
        table = function_word_table(FUNCTION_WORDS)
        words, ascii_words, *kinds = count_typing_faults(text.offsets, text.data, *table, _may_double())
        missing = ~(text.valid & (words > 0) & (2 * ascii_words >= words))
        measured = [100.0 * kind / np.maximum(words, 1) for kind in (np.sum(kinds, axis=0), *kinds)]
        return pa.record_batch([pa.array(values, mask=missing) for values in measured], schema=self.writes())


@cache
def _may_double() -> npt.NDArray[np.bool_]:
    return np.array([word in MAY_BE_DOUBLED for word in FUNCTION_WORDS], np.bool_)
