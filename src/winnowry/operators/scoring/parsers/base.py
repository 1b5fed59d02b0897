"""What a dependency parser gives: sentences of tokens, whatever made them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of n tokens, as parallel sequences.

    Attributes:
        forms: n surface forms, case kept.
        xpos: n part-of-speech tags of the parser's own tag set; empty strings where it has none.
        upos: n universal part-of-speech tags; empty strings where the parser has none.
        heads: n numbers of the governing token, counted from 1; 0 is the root.
        deprels: n dependency labels.
    """

    forms: Sequence[str]
    xpos: Sequence[str]
    upos: Sequence[str]
    heads: Sequence[int]
    deprels: Sequence[str]

    def __len__(self) -> int:
        return len(self.forms)


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one text with their part-of-speech tags, in order.

    Attributes:
        forms: n surface forms.
        tags: n tags of one tag set.
    """

    forms: Sequence[str]
    tags: Sequence[str]


@dataclass(frozen=True, slots=True)
class Parse:
    """One text as a parser sees it.

    Attributes:
        sentences: its sentences, in order; none for an empty text.
        words: the words whose tags count; None where they are the tokens of the sentences.
        cut: the text was too long to be parsed in one piece.
        unreadable: what was given is no parse (CoNLL-U with a malformed line).
    """

    sentences: Sequence[Sentence] = field(default_factory=tuple)
    words: Words | None = None
    cut: bool = False
    unreadable: bool = False


class Parser(Protocol):
    """A parser of one language.

    A text is parsed alone, so that the result cannot depend on how rows are cut into batches.
    """

    def parse(self, texts: Sequence[str]) -> list[Parse]:
        """Parse n texts, one result each, in order; a text without a word has no sentences."""
        ...
