"""Paths of files that operators read: declared by a field's type, so that every worker can be given the files."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


class InputPath(str):
    """A file, a folder or a glob of files that an operator reads; serialised as it was declared.

    An operator, or a model inside one, that has a field of this type needs nothing else: its files are copied to
    where the workers are, and there the path leads to the copies. So a path is data of the recipe wherever it is
    printed or hashed, and a place only where it is opened.

    Attributes:
        declared: the text of the recipe.
    """

    declared: str

    def __new__(cls, declared: str, place: str | None = None) -> Self:
        """A path as declared; ``place``: where it leads in this process."""
        path = super().__new__(cls, declared if place is None else place)
        path.declared = declared.declared if isinstance(declared, InputPath) else declared
        return path

    def __reduce__(self) -> tuple[Any, ...]:
        return InputPath, (self.declared, str(self))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A string that is not empty, serialised as declared."""
        return core_schema.no_info_wrap_validator_function(
            _input_path,
            core_schema.str_schema(min_length=1),
            serialization=core_schema.plain_serializer_function_ser_schema(
                _declared, return_schema=core_schema.str_schema()
            ),
        )

    def absolute(self) -> str:
        """The absolute path; wildcards stay."""
        return os.path.abspath(Path(self).expanduser())  # noqa: PTH100 - resolve() would follow links

    def files(self) -> list[Path]:
        """Absolute paths of the file, of the files directly in the folder, or of those that match; rising.

        >>> InputPath("no/such/file.txt").files()
        []
        """
        place = Path(self.absolute())
        if place.is_file():
            return [place]
        matches = place.iterdir() if place.is_dir() else map(Path, glob.glob(str(place), recursive=True))  # noqa: PTH207
        return sorted(match for match in matches if match.is_file())


def _input_path(value: object, check: core_schema.ValidatorFunctionWrapHandler) -> InputPath:
    # Before the check, which makes a plain string of it: a path that leads elsewhere keeps what was declared.
    return value if isinstance(value, InputPath) else InputPath(check(value))


def _declared(value: str) -> str:
    return value.declared if isinstance(value, InputPath) else value


def input_paths(value: object) -> Iterator[InputPath]:
    """Every path in a model, in its models, lists and mappings."""
    if isinstance(value, InputPath):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from input_paths(getattr(value, name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from input_paths(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from input_paths(item)


def with_moved_paths(value: Any, move: Callable[[InputPath], InputPath]) -> Any:
    """A copy of a model with other paths; what holds no path is not copied.

    Nothing is validated again: validators of operators read the files.
    """
    if next(input_paths(value), None) is None:
        return value
    if isinstance(value, InputPath):
        return move(value)
    if isinstance(value, BaseModel):
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        changed = {name: with_moved_paths(field, move) for name, field in fields.items()}
        return value.model_copy(update={name: field for name, field in changed.items() if field is not fields[name]})
    if isinstance(value, Mapping):
        return {key: with_moved_paths(item, move) for key, item in value.items()}
    return type(value)(with_moved_paths(item, move) for item in value)
