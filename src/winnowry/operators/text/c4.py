"""``text.c4``: drop the lines that are not sentences."""

from __future__ import annotations

from functools import cache
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from winnowry.operators.base import Rule
from winnowry.operators.buffers import TEXT, column, utf8_buffers
from winnowry.operators.text.heuristic import Heuristic, Limits

_SOURCE = "Source: C4 (Raffel et al. 2020, section 2.2, and c4_utils.py of tensorflow/datasets)"
_COUNTS = (
    "n_sentences", "n_lines", "n_long_word_lines", "n_unterminated_lines", "n_few_word_lines", "n_javascript_lines",
    "n_policy_lines", "n_lorem_ipsum_lines", "n_curly_bracket_lines",
)  # fmt: skip

ABBREVIATIONS = (
    "Adm", "Apr", "Aug", "Ave", "Bros", "Capt", "Co", "Col", "Corp", "Dec", "Dr", "Feb", "Gen", "Gov", "Inc", "Jan",
    "Jr", "Jul", "Jun", "Lt", "Ltd", "Mar", "Messrs", "Mr", "Mrs", "Ms", "Mt", "Nov", "Oct", "Prof", "Rep", "Rev",
    "Sen", "Sep", "Sept", "Sgt", "Sr", "St", "co", "vs",
)  # fmt: skip
"""Words whose full stop ends no sentence, beside those that the tokeniser keeps it in (initials, ``U.S.``)."""

_CITATION_MARKS = np.frombuffer(b"[edit][citation needed]", dtype=np.uint8)


@cache
def hashes(words: tuple[str, ...]) -> npt.NDArray[np.uint64]:
    """The hash of each word, as kernels compare it."""
    from winnowry.operators.text.kernels.words import hash_words

    text = utf8_buffers(pa.array(sorted(set(words)), TEXT))
    hashed: npt.NDArray[np.uint64] = hash_words(text.offsets, text.data)
    return hashed


class C4(Heuristic):
    r"""Keep the lines that C4 keeps, count the others by reason, and count sentences.

    Lines are those of ``str.splitlines``, stripped. A line is dropped for the first that holds: a word is too long;
    its end, citation marks removed, is no terminal mark (one of ``. ? ! " '``) or is ``...``; it has too few words
    (``str.split``); it contains "javascript"; it contains a phrase of ``policy_phrases``. Letters A to Z match in
    either case. "lorem ipsum" and ``{`` in a line that reached them speak against the whole text.

    Writes ``text`` (or the column named by ``as``): the kept lines, joined by newlines and stripped; and, prefixed by
    ``c4_`` or by ``as`` and ``_``, int64, null for a null text:

    * ``n_sentences``, ``n_lines``: of the kept lines.
    * ``n_long_word_lines``, ``n_unterminated_lines``, ``n_few_word_lines``, ``n_javascript_lines``,
      ``n_policy_lines``: lines dropped by reason.
    * ``n_lorem_ipsum_lines``, ``n_curly_bracket_lines``: lines that speak against the text.

    A text that keeps no line becomes the empty text. Sentences end at a mark of Unicode's Sentence_Terminal that is a
    word of its own, which the full stop of an initial or of "e.g." is not; with ``sentences: abbreviations`` neither at
    the full stop after "Mr" and its like.

    Source: Raffel et al. 2020 (JMLR 21:140), section 2.2; rules that only the code has as in c4_utils.py of
    tensorflow/datasets and in datatrove 0.10.1 (c4_filters.py). The list of bad words is not part of this operator.
    """

    PREFIX: ClassVar[str] = "c4"
    LIMITS: ClassVar[Limits] = (("min_sentences", "n_sentences", ">="),)

    op: Literal["text.c4"] = "text.c4"
    sentences: Literal["abbreviations", "marks"] = Field(
        default="abbreviations",
        description="What ends a sentence: 'marks', every terminal mark that is a word of its own; 'abbreviations', "
        f"not the full stop after Mr, Inc and their like. {_SOURCE} uses NLTK's punkt, datatrove spaCy's sentencizer.",
    )
    max_word_chars: int | None = Field(
        default=1000, ge=0, description=f"Longest word of a kept line, in characters; null: any. {_SOURCE}: 1000."
    )
    remove_citations: bool = Field(
        default=True, description=f"Whether to cut [1], [], [edit] and [citation needed] out of lines. {_SOURCE}."
    )
    drop_unterminated_lines: bool = Field(
        default=True,
        description=f"Whether to drop lines that do not end with . ? ! \" or ', or end with '...'. {_SOURCE}; "
        "FineWeb (Penedo et al. 2024) sets it to false.",
    )
    min_words_per_line: int | None = Field(
        default=3,
        ge=0,
        description=f"Fewest words of a kept line; null: any. {_SOURCE}: 3 in the code, 5 in the paper.",
    )
    drop_javascript_lines: bool = Field(
        default=True, description=f"Whether to drop lines that mention 'javascript'. {_SOURCE}."
    )
    policy_phrases: tuple[str, ...] = Field(
        default=(
            "terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies",
        ),
        max_length=60,
        description=f"Phrases that drop a line; none: off. {_SOURCE}.",
    )  # fmt: skip
    drop_lorem_ipsum: bool = Field(
        default=True, description=f"Whether 'lorem ipsum' in a line rejects the text. {_SOURCE}."
    )
    drop_curly_bracket: bool = Field(
        default=True, description=f"Whether a curly bracket in a line rejects the text. {_SOURCE}."
    )
    min_sentences: int | None = Field(
        default=5, ge=0, description=f"Fewest sentences of a text to keep; null: any. {_SOURCE}: 5."
    )

    def writes(self) -> pa.Schema:
        """``text``, replaced, and nine counts (int64), prefixed."""
        counts = [pa.field(self._name(name), pa.int64()) for name in _COUNTS]
        return pa.schema([pa.field(self.as_ or "text", TEXT), *counts])

    def rules(self) -> tuple[Rule, ...]:
        """No line against the text, then enough sentences."""
        against = (
            ("drop_lorem_ipsum", "n_lorem_ipsum_lines", self.drop_lorem_ipsum),
            ("drop_curly_bracket", "n_curly_bracket_lines", self.drop_curly_bracket),
        )
        unwanted = tuple(
            Rule(name=name, column=self._name(measure), comparison="==", threshold=0)
            for name, measure, enabled in against
            if enabled
        )
        return unwanted + super().rules()

    def _phrases(self) -> tuple[tuple[str, int], ...]:
        from winnowry.operators.text.kernels.c4 import JAVASCRIPT, LOREM_IPSUM, POLICY

        javascript = (("javascript", JAVASCRIPT),) if self.drop_javascript_lines else ()
        return (
            ("lorem ipsum", LOREM_IPSUM), *javascript, *((phrase, POLICY) for phrase in self.policy_phrases if phrase),
        )  # fmt: skip

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Clean n texts."""
        from winnowry.operators.text.kernels.c4 import clean_lines, phrase_arrays
        from winnowry.operators.text.kernels.words import word_table

        text = utf8_buffers(batch.column("text"))
        counts, offsets, data = clean_lines(
            text.offsets, text.data, word_table(), *phrase_arrays(self._phrases()),
            hashes(ABBREVIATIONS) if self.sentences == "abbreviations" else np.zeros(0, dtype=np.uint64),
            _CITATION_MARKS, -1 if self.max_word_chars is None else self.max_word_chars,
            -1 if self.min_words_per_line is None else self.min_words_per_line, self.remove_citations,
            self.drop_unterminated_lines,
        )  # fmt: skip
        validity = None if text.valid.all() else pa.array(text.valid).buffers()[1]
        cleaned = pa.Array.from_buffers(
            TEXT, len(text), [validity, pa.py_buffer(offsets), pa.py_buffer(data)],
            null_count=len(text) - int(text.valid.sum()),
        )  # fmt: skip
        return pa.record_batch([cleaned, *(column(count, text.valid) for count in counts)], schema=self.writes())
