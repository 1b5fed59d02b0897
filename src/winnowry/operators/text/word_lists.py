"""``text.word_lists``: how often the terms of the user's own lists occur."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import pyarrow as pa
from pydantic import Field, PrivateAttr, StringConstraints, model_validator

from winnowry.core.errors import UsageError
from winnowry.operators.buffers import column, ratio, utf8_buffers
from winnowry.operators.input_path import InputPath
from winnowry.operators.text.heuristic import Heuristic, Limits
from winnowry.operators.text.nfc import to_nfc

if TYPE_CHECKING:
    from winnowry.operators.text.kernels.terms import Automaton

Category = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
_Lists = tuple[tuple[str, str, str], ...]
"""Category, path and SHA-256 of each list."""


def read_list(path: str) -> tuple[tuple[str, ...], str]:
    """Terms of a list and the SHA-256 of the file.

    One term a line, UTF-8; blank lines and lines that begin with ``# `` are no terms; a run of white space is one
    space. Terms are composed to NFC.

    Raises:
        ValueError: there is no such file, it is not UTF-8, holds no term, or one of more than 64 words.
    """
    from winnowry.operators.text.kernels.terms import MOST_WORDS, n_words

    file = Path(path)
    if not file.is_file():
        raise ValueError(f"{path}: no such file; a relative path starts at the working directory, {Path.cwd()}")
    content = file.read_bytes()
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8, one term a line") from error
    terms = []
    for number, line in enumerate(lines, 1):
        term = " ".join(to_nfc(line).split())
        if not term or term == "#" or term.startswith("# "):
            continue
        if n_words(term) > MOST_WORDS:
            raise ValueError(f"{path}:{number}: a term of more than {MOST_WORDS} words; shorten it")
        terms.append(term)
    if not terms:
        raise ValueError(f"{path}: holds no term; write one a line")
    return tuple(dict.fromkeys(terms)), hashlib.sha256(content).hexdigest()


@lru_cache(maxsize=8)
def _automaton(lists: _Lists, match_case: bool) -> Automaton:
    from winnowry.operators.text.kernels.terms import compile_terms

    terms = []
    for category, path, digest in lists:
        try:
            listed, now = read_list(path)
        except ValueError as error:
            raise UsageError(f"text.word_lists: {category}: {error}") from error
        if now != digest:
            raise UsageError(
                f"text.word_lists: {category}: {path} has changed since the recipe was read (SHA-256 {now[:16]}…, was "
                f"{digest[:16]}…); run again"
            )
        terms.append(listed)
    return compile_terms(terms, match_case=match_case)


class WordLists(Heuristic):
    """Count the terms of word lists, one file a category, all lists in one pass (Aho-Corasick).

    A term is a word, a phrase or any text without line break; it counts where neither end cuts a word: ``ass`` is not
    in ``class``. Chinese, Japanese, Thai, Lao, Khmer and Burmese have no such boundaries: there a term counts wherever
    it stands. Case does not matter unless ``match_case``; a run of white space is one space. Compose the text first
    (``text.normalize_unicode``): lists are composed to NFC.

    Words are maximal runs of letters, marks and digits; in the scripts without spaces every character is a word.

    Writes, each null for a null text, with the prefix ``listed`` or ``as``: ``listed_CATEGORY_n`` (int64), the largest
    number of occurrences of terms of the category that do not overlap; ``listed_n`` (int64), their sum; and
    ``listed_share`` (float64 in [0, 1]), the share of words that are part of an occurrence of any category (0.0 for a
    text without words). For a limit on one category alone use the operator once for it, with a name (``as``).

    The content of the lists is part of the fingerprint: an edited list makes the stage stale.

    Raises:
        UsageError: a list has changed since the recipe was read, or is gone.

    Sources: Aho and Corasick 1975, CACM 18(6); C4 (Raffel et al. 2020) drops pages with any listed word.
    """

    PREFIX: ClassVar[str] = "listed"
    LIMITS: ClassVar[Limits] = (
        ("max_n", "n", "<="),
        ("max_share", "share", "<="),
    )

    op: Literal["text.word_lists"] = "text.word_lists"
    lists: dict[Category, InputPath] = Field(
        min_length=1,
        max_length=64,
        description="Path of the list of each category: UTF-8, one term a line, `# ` begins a comment; relative paths "
        "start at the working directory.",
    )
    match_case: bool = Field(default=False, description="Whether upper and lower case differ.")
    max_n: int | None = Field(
        default=None,
        ge=0,
        description="Most occurrences to keep, over all categories; off unless set. "
        "Source of the idea: C4 (Raffel et al. 2020), which uses 0.",
    )
    max_share: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Largest share of words in listed terms to keep, 0 to 1; off unless set. "
        "Source of the idea: flagged_words_filter of Data-Juicer (Chen et al. 2024), which uses 0.045.",
    )
    _sha256: dict[str, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _readable(self) -> Self:
        for category, path in self.lists.items():
            self._sha256[category] = read_list(path)[1]
        return self

    def fingerprint(self) -> dict[str, Any]:
        """Name, version, parameters, and the SHA-256 of every list (``lists_sha256``)."""
        return {**super().fingerprint(), "lists_sha256": dict(self._sha256)}

    def writes(self) -> pa.Schema:
        """``listed_n`` (int64), ``listed_share`` (float64), and ``listed_CATEGORY_n`` (int64) in the order given."""
        counts = [pa.field(self._name(f"{category}_n"), pa.int64()) for category in self.lists]
        return pa.schema([pa.field(self._name("n"), pa.int64()), pa.field(self._name("share"), pa.float64()), *counts])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Count in n texts."""
        from winnowry.operators.text.kernels.terms import count_terms, word_kinds

        lists = tuple((category, path, self._sha256[category]) for category, path in self.lists.items())
        automaton = _automaton(lists, self.match_case)
        text = utf8_buffers(batch.column("text"))
        words, covered, *counts = count_terms(
            text.offsets,
            text.data,
            word_kinds(),
            len(lists),
            automaton.symbols,
            automaton.root,
            automaton.edges,
            automaton.fails,
            automaton.links,
            automaton.lengths,
            automaton.categories,
        )
        columns = [column(sum(counts), text.valid), column(ratio(covered, words), text.valid)]
        return pa.record_batch([*columns, *(column(count, text.valid) for count in counts)], schema=self.writes())
