"""Programs that ask which language an answer is in."""

from __future__ import annotations

from typing import ClassVar

import pyarrow as pa
from pydantic import Field

from winnowry.operators.buffers import TEXT
from winnowry.operators.rubric.program import Program
from winnowry.operators.text.language import Language

_SAME = {"zh-cn": "zh", "zh-tw": "zh", "nb": "no", "nn": "no"}


def language_of(text: str) -> str:
    """The most probable language, as ``text.language`` tells it."""
    batch = pa.record_batch({"text": pa.array([text], TEXT)})
    return str(Language().apply(batch).column(0)[0].as_py())


class ResponseLanguage(Program):
    """The text is in a language, by its ISO 639-1 code."""

    name: ClassVar[str] = "language:response_language"
    language: str = Field(min_length=2)

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        asked = self.language.lower()
        return language_of(text) == _SAME.get(asked, asked)


class EnglishCapitals(Program):
    """English, in capitals alone."""

    name: ClassVar[str] = "change_case:english_capital"

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        return text.isupper() and language_of(text.lower()) == "en"


class EnglishLowercase(Program):
    """English, in lower case alone."""

    name: ClassVar[str] = "change_case:english_lowercase"

    def meets(self, text: str) -> bool:
        """See :meth:`Program.meets`."""
        return text.islower() and language_of(text) == "en"
