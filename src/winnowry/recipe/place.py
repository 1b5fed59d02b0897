"""A place that may name environment variables: ``s3://${env:LAKE_BUCKET}/landing/*.jsonl``."""

from __future__ import annotations

import os
import re
from typing import Any, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_CREDENTIALS = re.compile(r"://[^/]*@")
_VARIABLE = re.compile(r"\$\{env:([^}]*)\}")


class Place(str):
    """A URI with its ``${env:NAME}`` replaced; serialised as it was declared.

    So a bucket that differs between machines changes no hash, and its name is stored nowhere.

    Attributes:
        declared: the text of the recipe.
    """

    declared: str

    def __new__(cls, declared: str) -> Self:
        """Replace the variables; ``ValueError`` where one is not set."""
        place = super().__new__(cls, _expanded(declared))
        place.declared = declared
        return place

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (str(self), self.declared)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A string, validated by replacing its variables and serialised as declared."""
        return core_schema.no_info_after_validator_function(
            _place,
            core_schema.str_schema(min_length=1),
            serialization=core_schema.plain_serializer_function_ser_schema(
                _declared, return_schema=core_schema.str_schema()
            ),
        )


def _restored(text: str, declared: str) -> Place:
    """A pickled place keeps its value: the worker that unpickles it may lack the variable."""
    place = str.__new__(Place, text)
    place.declared = declared
    return place


def _place(value: str) -> Place:
    return value if isinstance(value, Place) else Place(value)


def _declared(value: str) -> str:
    return value.declared if isinstance(value, Place) else value


def _expanded(declared: str) -> str:
    missing = [name for name in _VARIABLE.findall(declared) if not os.environ.get(name)]
    if missing:
        raise ValueError(f"environment variable {', '.join(repr(name) for name in missing)} is not set")
    text = _VARIABLE.sub(lambda match: os.environ[match[1]], declared)
    if _CREDENTIALS.search(text):
        raise ValueError("a URI names a place, not a user and password: credentials come from the environment")
    if "${" in _VARIABLE.sub("", declared):
        raise ValueError("`${` is only for variables: write ${env:NAME}")
    return text


def names_variable(text: str) -> bool:
    """Whether a text asks for an environment variable."""
    return "${env:" in text
