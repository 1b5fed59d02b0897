"""``text.string_filters``: shares of digits, addresses, symbols, brackets and boilerplate."""

from __future__ import annotations

from functools import cache
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from winnowry.operators.buffers import column, ratio, utf8_buffers
from winnowry.operators.text.c4 import hashes
from winnowry.operators.text.heuristic import Heuristic, Limits
from winnowry.operators.text.tokenizer import TOKENIZER_DESCRIPTION, Tokenizer, how_to_find_words

_SOURCE = "Source: NeMo Curator (2026-08, stages/text/filters/heuristic/string.py)"
_COUNTS = ("max_word_chars", "n_words", "n_common_words")
_MEASURES = (
    "non_alphanumeric_ratio", "symbol_word_ratio", "digit_ratio", "url_ratio", "bullet_line_ratio", "whitespace_ratio",
    "bracket_ratio", "max_word_chars", "n_words", "boilerplate_paragraph_ratio", "mean_word_chars",
    "unterminated_line_ratio", "ellipsis_line_ratio", "n_common_words", "alpha_word_ratio",
)  # fmt: skip
_BULLETS = "•‣⁃⁌⁍∙○●◘◦⦾⦿"
_ELLIPSES = ("...", "[...]", "…", "(...)", "[…]")
_COMMON = ("and", "be", "have", "of", "that", "the", "to", "with")


@cache
def _tables() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    from winnowry.operators.text.kernels.strings import ADDRESS, BLANK, BRACKET, PLAIN

    kinds = np.zeros(128, dtype=np.uint8)
    alphanumeric = [point for point in range(128) if chr(point).isalnum()]
    for characters, kind in (
        ("\n?!,.", PLAIN), ("\t\n\r\b ", BLANK), ("{}[]()", BRACKET), ("$-_@.&+/:=?#~!*(),", ADDRESS),
    ):  # fmt: skip
        kinds[[ord(character) for character in characters]] |= kind
    kinds[alphanumeric] |= PLAIN | ADDRESS
    bullets = np.zeros(0x110000, dtype=np.bool_)
    bullets[[ord(character) for character in _BULLETS]] = True
    return kinds, bullets


class StringFilters(Heuristic):
    """Measure what NeMo Curator's string filters measure, for all of them in two passes.

    Writes, prefixed by ``string_`` or by ``as`` and ``_`` (null for a null text). Shares of characters are float64:
    ``non_alphanumeric_ratio`` (not an ASCII letter, digit, newline or one of ``? ! , .``), ``digit_ratio`` (decimal
    digits of any script), ``url_ratio`` (in ``http://`` or ``https://`` addresses), ``whitespace_ratio`` (space, tab,
    newline, return, backspace), ``bracket_ratio`` (``{ } [ ] ( )`` and angle brackets U+27E8, U+27E9). Of lines that
    are not blank: ``bullet_line_ratio``, ``unterminated_line_ratio`` (last visible character none of ``. ? ! " '``),
    ``ellipsis_line_ratio`` (ends with an ellipsis, also in brackets, or "read more"). Of paragraphs between two
    newlines: ``boilerplate_paragraph_ratio`` (contains a phrase; 1.0 where "lorem ipsum" occurs). Of words:
    ``n_words``, ``max_word_chars``, ``n_common_words`` (int64), ``mean_word_chars``, ``symbol_word_ratio`` (an
    ellipsis, or half of it runs of ``#``), ``alpha_word_ratio`` (has a letter).

    An empty text has 1.0 in the shares of characters, as at the source, so that they reject it; 0 otherwise.

    Source: NVIDIA NeMo Curator, heuristic string filters and their defaults.
    """

    PREFIX: ClassVar[str] = "string"
    LIMITS: ClassVar[Limits] = (
        ("max_non_alphanumeric_ratio", "non_alphanumeric_ratio", "<="),
        ("max_symbol_word_ratio", "symbol_word_ratio", "<="),
        ("max_digit_ratio", "digit_ratio", "<="),
        ("max_url_ratio", "url_ratio", "<="),
        ("max_bullet_line_ratio", "bullet_line_ratio", "<="),
        ("max_whitespace_ratio", "whitespace_ratio", "<="),
        ("max_bracket_ratio", "bracket_ratio", "<="),
        ("max_longest_word_chars", "max_word_chars", "<="),
        ("min_words", "n_words", ">="),
        ("max_words", "n_words", "<="),
        ("max_boilerplate_paragraph_ratio", "boilerplate_paragraph_ratio", "<="),
        ("min_mean_word_chars", "mean_word_chars", ">="),
        ("max_mean_word_chars", "mean_word_chars", "<="),
        ("max_unterminated_line_ratio", "unterminated_line_ratio", "<="),
        ("max_ellipsis_line_ratio", "ellipsis_line_ratio", "<="),
        ("min_common_words", "n_common_words", ">="),
        ("min_alpha_word_ratio", "alpha_word_ratio", ">="),
    )

    op: Literal["text.string_filters"] = "text.string_filters"
    tokenizer: Tokenizer = Field(
        default="whitespace", description=f"{TOKENIZER_DESCRIPTION} {_SOURCE}: white space; jieba for Chinese."
    )
    max_non_alphanumeric_ratio: float | None = Field(
        default=0.25, ge=0, le=1,
        description=f"Largest share of characters other than ASCII letters, digits and ? ! , . to keep; null: off, as "
        f"for any language but English. {_SOURCE}: 0.25.",
    )  # fmt: skip
    max_symbol_word_ratio: float | None = Field(
        default=0.1, ge=0, le=1, description=f"Largest share of symbol words to keep; null: off. {_SOURCE}: 0.1."
    )
    max_digit_ratio: float | None = Field(
        default=0.15, ge=0, le=1, description=f"Largest share of digits to keep; null: off. {_SOURCE}: 0.15."
    )
    max_url_ratio: float | None = Field(
        default=0.2, ge=0, le=1, description=f"Largest share of address characters to keep; null: off. {_SOURCE}: 0.2."
    )
    max_bullet_line_ratio: float | None = Field(
        default=0.9, ge=0, le=1, description=f"Largest share of bullet lines to keep; null: off. {_SOURCE}: 0.9."
    )
    max_whitespace_ratio: float | None = Field(
        default=0.25, ge=0, le=1, description=f"Largest share of white space to keep; null: off. {_SOURCE}: 0.25."
    )
    max_bracket_ratio: float | None = Field(
        default=0.1, ge=0, le=1, description=f"Largest share of brackets to keep; null: off. {_SOURCE}: 0.1."
    )
    max_longest_word_chars: int | None = Field(
        default=1000, ge=0, description=f"Longest word to keep, in characters; null: off. {_SOURCE}: 1000."
    )
    min_words: int | None = Field(default=50, ge=0, description=f"Fewest words to keep; null: off. {_SOURCE}: 50.")
    max_words: int | None = Field(
        default=100_000, ge=0, description=f"Most words to keep; null: off. {_SOURCE}: 100,000."
    )
    boilerplate_phrases: tuple[str, ...] = Field(
        default=(
            "terms of use", "privacy policy", "cookie policy", "uses cookies", "privacy overview", "use of cookies",
            "use cookies", "privacy & cookies policy", "privacy and cookies policy",
        ),
        max_length=60,
        description=f"Phrases of a boilerplate paragraph, ASCII letters in either case. {_SOURCE}, the short ones.",
    )  # fmt: skip
    max_boilerplate_paragraph_ratio: float | None = Field(
        default=0.4, ge=0, le=1,
        description=f"Largest share of boilerplate paragraphs to keep; null: off. {_SOURCE}: 0.4.",
    )  # fmt: skip
    min_mean_word_chars: float | None = Field(
        default=3, ge=0, description=f"Smallest mean word length to keep, in characters; null: off. {_SOURCE}: 3."
    )
    max_mean_word_chars: float | None = Field(
        default=10, ge=0, description=f"Largest mean word length to keep, in characters; null: off. {_SOURCE}: 10."
    )
    max_unterminated_line_ratio: float | None = Field(
        default=0.85, ge=0, le=1,
        description=f"Largest share of lines without an end mark to keep; null: off. {_SOURCE}: 0.85.",
    )  # fmt: skip
    max_ellipsis_line_ratio: float | None = Field(
        default=0.3, ge=0, le=1,
        description=f"Largest share of lines ending with an ellipsis to keep; null: off. {_SOURCE}: 0.3.",
    )  # fmt: skip
    min_common_words: int | None = Field(
        default=2, ge=0, description=f"Fewest occurrences of {', '.join(_COMMON)} to keep; null: off. {_SOURCE}: 2."
    )
    min_alpha_word_ratio: float | None = Field(
        default=0.8,
        ge=0,
        le=1,
        description=f"Smallest share of words with a letter to keep; null: off. {_SOURCE}: 0.8.",
    )

    def writes(self) -> pa.Schema:
        """Twelve ratios and means (float64) and three counts (int64), prefixed."""
        return pa.schema(
            [pa.field(self._name(name), pa.int64() if name in _COUNTS else pa.float64()) for name in _MEASURES]
        )

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Measure n texts."""
        from winnowry.operators.text.kernels.c4 import phrase_arrays
        from winnowry.operators.text.kernels.strings import (
            BOILERPLATE,
            WHOLE_TEXT,
            count_boilerplate,
            count_string_words,
            count_strings,
        )
        from winnowry.operators.text.kernels.words import word_table

        text = utf8_buffers(batch.column("text"))
        table = word_table()
        n_chars, odd, digits, addresses, blanks, brackets, n_lines, bullets, open_lines, trailing = count_strings(
            text.offsets, text.data, table, *_tables()
        )
        how, spans = how_to_find_words(text, self.tokenizer)
        n_words, word_chars, longest, alphabetic, common, symbolic = count_string_words(
            text.offsets, text.data, table, how, spans.rows, spans.starts, spans.stops, hashes(_COMMON),
            hashes(_ELLIPSES),
        )  # fmt: skip
        phrases = tuple((phrase, BOILERPLATE) for phrase in self.boilerplate_phrases if phrase)
        n_paragraphs, boilerplate, damned = count_boilerplate(
            text.offsets, text.data, *phrase_arrays((("lorem ipsum", WHOLE_TEXT), *phrases))
        )

        def share(part: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
            return np.where(n_chars == 0, 1.0, ratio(part, n_chars))

        measures = {
            "non_alphanumeric_ratio": share(odd), "symbol_word_ratio": ratio(symbolic, n_words),
            "digit_ratio": share(digits), "url_ratio": share(addresses), "bullet_line_ratio": ratio(bullets, n_lines),
            "whitespace_ratio": share(blanks), "bracket_ratio": share(brackets), "max_word_chars": longest,
            "n_words": n_words, "mean_word_chars": ratio(word_chars, n_words),
            "boilerplate_paragraph_ratio": np.where(damned > 0, 1.0, ratio(boilerplate, n_paragraphs)),
            "unterminated_line_ratio": ratio(open_lines, n_lines), "ellipsis_line_ratio": ratio(trailing, n_lines),
            "n_common_words": common, "alpha_word_ratio": ratio(alphabetic, n_words),
        }  # fmt: skip
        return pa.record_batch([column(measures[name], text.valid) for name in _MEASURES], schema=self.writes())
