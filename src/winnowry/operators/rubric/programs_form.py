"""Programs about the form of an answer: patterns, JSON, lengths, terms and citations."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator, model_validator

from winnowry.operators.buffers import TEXT
from winnowry.operators.rubric.program import Program

_CITATION = re.compile(
    r"\[\d{1,3}(?:\s?[,–-]\s?\d{1,3})*\]|\((?:[^()\s][^()]{0,80}, )?(?:1[89]|20)\d\d[a-z]?\)|https?://\S"
)
_WORD = re.compile(r"\w+")


class Regex(Program):
    """A pattern matches somewhere in the text (or nowhere), in the syntax of RE2, which is linear in the text."""

    name: ClassVar[str] = "regex"
    pattern: str = Field(min_length=1)
    absent: bool = False

    @field_validator("pattern")
    @classmethod
    def _is_pattern(cls, value: str) -> str:
        try:
            pc.match_substring_regex(pa.array([""]), value)
        except pa.ArrowInvalid as error:
            raise ValueError(f"no pattern of RE2: {error}") from None
        return value

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        matches = pc.match_substring_regex(pa.array([text], TEXT), self.pattern)[0].as_py()
        return bool(matches) != self.absent


class JsonSchema(Program):
    """The text, bare or in a fence, is JSON that fits a JSON Schema; references to other documents are refused."""

    name: ClassVar[str] = "json_schema"
    schema_: dict[str, Any] = Field(alias="schema")

    @field_validator("schema_")
    @classmethod
    def _is_schema(cls, value: dict[str, Any]) -> dict[str, Any]:
        import jsonschema

        if any(not place.startswith("#") for place in _references(value)):
            raise ValueError("a $ref leads out of the schema: expected one that begins with #")
        try:
            jsonschema.validators.validator_for(value).check_schema(value)
        except jsonschema.SchemaError as error:
            raise ValueError(f"no JSON Schema: {error.message}") from None
        return value

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        import jsonschema

        bare = text.strip()
        if bare.startswith("```") and bare.endswith("```") and "\n" in bare:
            bare = bare[bare.index("\n") : -3]
        try:
            value = json.loads(bare)
            return bool(jsonschema.validators.validator_for(self.schema_)(self.schema_).is_valid(value))
        except (ValueError, RecursionError):
            return False


def _references(schema: Any) -> list[str]:
    if isinstance(schema, dict):
        own = [value for key, value in schema.items() if key in ("$ref", "$dynamicRef") and isinstance(value, str)]
        return own + [place for value in schema.values() for place in _references(value)]
    return [place for value in schema for place in _references(value)] if isinstance(schema, list) else []


class _Between(Program):
    """A count with limits."""

    least: int = Field(default=0, ge=0)
    most: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _limits(self) -> Self:
        if self.most is None and self.least == 0:
            raise ValueError("expected `least`, `most` or both")
        if self.most is not None and self.most < self.least:
            raise ValueError(f"`most` ({self.most}) is below `least` ({self.least})")
        return self

    def _within(self, count: int) -> bool:
        return count >= self.least and (self.most is None or count <= self.most)


class WordCount(_Between):
    """Words, as maximal runs of letters, digits and underscores."""

    name: ClassVar[str] = "words"

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        return self._within(len(_WORD.findall(text)))


class CharacterCount(_Between):
    """Characters without white space at the ends: for scripts written without spaces."""

    name: ClassVar[str] = "characters"

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        return self._within(len(text.strip()))


class LineCount(_Between):
    """Lines that are not blank."""

    name: ClassVar[str] = "lines"

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        return self._within(sum(bool(line.strip()) for line in text.splitlines()))


class Citations(_Between):
    """Citations: numbers in brackets, years in parentheses, web addresses."""

    name: ClassVar[str] = "citations"
    least: int = Field(default=1, ge=0)

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        return self._within(len(_CITATION.findall(text)))


class _Terms(Program):
    terms: tuple[str, ...] = Field(min_length=1)
    case_sensitive: bool = False

    @field_validator("terms")
    @classmethod
    def _not_blank(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(term.strip() for term in value):
            raise ValueError("a term is empty")
        return value

    def _there(self, text: str) -> list[bool]:
        flags = 0 if self.case_sensitive else re.IGNORECASE
        return [re.search(rf"(?<!\w){re.escape(term)}(?!\w)" if _spaced(term) else re.escape(term), text, flags)
                is not None for term in self.terms]  # fmt: skip


def _spaced(term: str) -> bool:
    """Whether its script parts words by spaces, so that it is looked for as a word."""
    return not any("\u2e80" <= character <= "\u9fff" or "\u3040" <= character <= "\u30ff" for character in term)


class RequiredTerms(_Terms):
    """Every term is in the text, as a word or words of its own."""

    name: ClassVar[str] = "required_terms"

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        return all(self._there(text))


class ForbiddenTerms(_Terms):
    """None of the terms is in the text as a word or words of its own."""

    name: ClassVar[str] = "forbidden_terms"

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        return not any(self._there(text))
