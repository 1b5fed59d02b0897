"""The 25 kinds of verifiable instruction of IFEval (arXiv 2311.07911), written anew, by the names of its data.

Where the paper leaves a case open, the rule is the one by which its recorded verdicts come out (strict ones).
"""

from __future__ import annotations

import json
import re
from typing import ClassVar, Literal

from pydantic import Field

from winnowry.operators.rubric.program import Program

Relation = Literal["at least", "less than"]

_WORD = re.compile(r"\w+")
_QUOTES = "'\""
_ENDS_WORD = re.compile(r"[.,?!'\"]")
_BULLET = re.compile(r"^[ \t]*(?:\*[^*\n]|-)", re.MULTILINE)
_SENTENCE_END = re.compile(r"[.!?]+[\"'”’)\]]*(?=\s|$)|[。！？]+")
_ABBREVIATION = re.compile(r"\b(?:[A-Z]|[Mm]rs?|[Mm]s|[Dd]r|[Pp]rof|[Ss]t|[Jj]r|[Ss]r|vs|etc|e\.g|i\.e|[Nn]o|p)\.$")
_PARAGRAPH_MARK = re.compile(r"\*\*\*")
_MARKS = {"P.S.": ("p", "s"), "P.P.S": ("p", "p", "s")}
_MOST_EMPTY_PARAGRAPHS = 2


def _compares(count: int, relation: Relation, limit: int) -> bool:
    return count >= limit if relation == "at least" else count < limit


class _Counted(Program):
    """A number that something is compared with."""

    relation: Relation = "at least"


class Existence(Program):
    """Every keyword is in the text, in any case, also inside a word."""

    name: ClassVar[str] = "keywords:existence"
    keywords: tuple[str, ...] = Field(min_length=1)

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        lower = text.lower()
        return all(keyword.lower() in lower for keyword in self.keywords)


class Frequency(_Counted):
    """A keyword stands so often in the text, in any case, also inside words."""

    name: ClassVar[str] = "keywords:frequency"
    keyword: str = Field(min_length=1)
    frequency: int = Field(ge=0)

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        return _compares(text.lower().count(self.keyword.strip().lower()), self.relation, self.frequency)


class ForbiddenWords(Program):
    """None of the words is in the text, in any case; inside another word they may be."""

    name: ClassVar[str] = "keywords:forbidden_words"
    forbidden_words: tuple[str, ...] = Field(min_length=1)

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        return not any(_as_word(word, text) for word in self.forbidden_words)


def _as_word(word: str, text: str) -> bool:
    return re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) is not None


class LetterFrequency(Program):
    """A letter, or another character, stands so often in the text, in any case."""

    name: ClassVar[str] = "keywords:letter_frequency"
    letter: str = Field(min_length=1)
    let_frequency: int = Field(ge=0)
    let_relation: Relation = "at least"

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        return _compares(text.lower().count(self.letter.strip().lower()), self.let_relation, self.let_frequency)


class Words(_Counted):
    """So many words: maximal runs of letters, digits and underscores."""

    name: ClassVar[str] = "length_constraints:number_words"
    num_words: int = Field(ge=0)

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        return _compares(len(_WORD.findall(text)), self.relation, self.num_words)


class Sentences(_Counted):
    """So many sentences."""

    name: ClassVar[str] = "length_constraints:number_sentences"
    num_sentences: int = Field(ge=0)

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        return _compares(count_sentences(text), self.relation, self.num_sentences)


def count_sentences(text: str) -> int:
    """Sentences of a text: a full stop after a title or an initial ends none.

    >>> count_sentences("Mr. Lee came. Who else? Nobody")
    3
    """
    n, start = 0, 0
    for end in _SENTENCE_END.finditer(text):
        piece = text[start : end.end()]
        if end.group().startswith(".") and _ABBREVIATION.search(text[max(start, end.start() - 8) : end.start() + 1]):
            continue
        if _WORD.search(piece):
            n += 1
        start = end.end()
    return n + bool(_WORD.search(text[start:]))


class Paragraphs(Program):
    """So many paragraphs, parted by ``***``; only the first and the last part may be empty."""

    name: ClassVar[str] = "length_constraints:number_paragraphs"
    num_paragraphs: int = Field(ge=1)

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        parts = [part.strip() for part in _PARAGRAPH_MARK.split(text)]
        return all(parts[1:-1]) and sum(map(bool, parts)) == self.num_paragraphs


class FirstWordOfParagraph(Program):
    """So many paragraphs, parted by blank lines, and the nth begins with a word."""

    name: ClassVar[str] = "length_constraints:nth_paragraph_first_word"
    num_paragraphs: int = Field(ge=1)
    nth_paragraph: int = Field(ge=1)
    first_word: str = Field(min_length=1)

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        paragraphs = text.split("\n\n")
        if sum(bool(part.strip()) for part in paragraphs) != self.num_paragraphs or self.nth_paragraph > len(
            paragraphs
        ):
            return False
        words = paragraphs[self.nth_paragraph - 1].split()
        if not words:
            return False
        first = _ENDS_WORD.split(words[0].lstrip(_QUOTES), maxsplit=1)[0]
        return first.lower() == self.first_word.lower()


class Placeholders(Program):
    """So many placeholders in square brackets, each on one line."""

    name: ClassVar[str] = "detectable_content:number_placeholders"
    num_placeholders: int = Field(ge=0)

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        return sum(_bracketed(line) for line in text.split("\n")) >= self.num_placeholders


def _bracketed(line: str) -> int:
    """Spans from a bracket that opens to the next that closes, one after the other."""
    n, at = 0, 0
    while (begin := line.find("[", at)) >= 0 and (end := line.find("]", begin)) >= 0:
        n, at = n + 1, end + 1
    return n


class Postscript(Program):
    """A postscript with a mark: ``P.S.`` and ``P.P.S`` also with other spacing, other marks as they are."""

    name: ClassVar[str] = "detectable_content:postscript"
    postscript_marker: str = Field(min_length=1)

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        mark = self.postscript_marker.strip()
        letters = _MARKS.get(mark)
        if letters is None:
            return mark.lower() in text.lower()
        # The dot behind the last letter belongs to the first mark and not to the second.
        pattern = r"\.\s?".join(letters) + (r"\." if mark.endswith(".") else "")
        return re.search(pattern, text, re.IGNORECASE) is not None


class Bullets(Program):
    """Exactly so many bullet points: lines that begin with ``*`` or ``-``."""

    name: ClassVar[str] = "detectable_format:number_bullet_lists"
    num_bullets: int = Field(ge=0)

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        return len(_BULLET.findall(text)) == self.num_bullets


class Highlights(Program):
    """So many highlighted pieces, between single or double asterisks on one line."""

    name: ClassVar[str] = "detectable_format:number_highlighted_sections"
    num_highlights: int = Field(ge=0)

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        single = sum(bool(piece.strip("*").strip()) for piece in re.findall(r"\*[^\n*]*\*", text))
        double = sum(bool(piece[2:-2].strip()) for piece in re.findall(r"\*\*[^\n*]*\*\*", text))
        return single + double >= self.num_highlights


class Sections(Program):
    """So many sections that begin with a word and a number, such as ``Section 1``."""

    name: ClassVar[str] = "detectable_format:multiple_sections"
    section_spliter: str = Field(min_length=1)
    num_sections: int = Field(ge=0)

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        head = re.escape(self.section_spliter.strip())
        return len(re.findall(rf"{head}\s?\d", text)) >= self.num_sections


class JsonFormat(Program):
    """The whole text is JSON, bare or in a fence of three backticks."""

    name: ClassVar[str] = "detectable_format:json_format"

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        return is_json(text)


def is_json(text: str) -> bool:
    """Whether a text is JSON, bare or fenced.

    >>> is_json('```json [1] ```'), is_json("{'a': 1}")
    (True, False)
    """
    bare = text.strip()
    for fence in ("```json", "```Json", "```JSON", "```"):
        bare = bare.removeprefix(fence)
    try:
        json.loads(bare.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return False
    return True


class Title(Program):
    """A title in double angular brackets, with something in it."""

    name: ClassVar[str] = "detectable_format:title"

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        return any(_titled(line) for line in text.split("\n"))


def _titled(line: str) -> bool:
    begin, end = line.find("<<"), line.rfind(">>")
    return begin >= 0 and end > begin and bool(line[begin + 2 : end].strip("<> \t"))


class ConstrainedResponse(Program):
    """One of the three answers that are allowed is in the text."""

    name: ClassVar[str] = "detectable_format:constrained_response"

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        return any(f"My answer is {word}." in text for word in ("yes", "no", "maybe"))


class TwoResponses(Program):
    """Two different answers, parted by six asterisks."""

    name: ClassVar[str] = "combination:two_responses"

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        parts = [part.strip() for part in text.split("******")]
        answers = [part for part in parts if part]
        return all(parts[1:-1]) and len(answers) == 2 and answers[0] != answers[1]


class RepeatPrompt(Program):
    """The text begins with the request, word for word, in any case."""

    name: ClassVar[str] = "combination:repeat_prompt"
    prompt_to_repeat: str = Field(min_length=1)

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        return text.strip().lower().startswith(self.prompt_to_repeat.strip().lower())


class EndsWith(Program):
    """The text ends with a phrase, in any case, inside quotation marks too."""

    name: ClassVar[str] = "startend:end_checker"
    end_phrase: str = Field(min_length=1)

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        return text.strip().strip('"').lower().endswith(self.end_phrase.strip().lower())


class Quoted(Program):
    """The whole text stands between double quotation marks."""

    name: ClassVar[str] = "startend:quotation"

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        bare = text.strip()
        return len(bare) > 1 and bare[0] == bare[-1] == '"'


class CapitalWords(Program):
    """So many words in capitals alone; words are parted by white space."""

    name: ClassVar[str] = "change_case:capital_word_frequency"
    capital_frequency: int = Field(ge=0)
    capital_relation: Relation = "at least"

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        n = sum(word.isupper() for word in text.split())
        return _compares(n, self.capital_relation, self.capital_frequency)


class NoComma(Program):
    """There is no comma in the text."""

    name: ClassVar[str] = "punctuation:no_comma"

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        return "," not in text
