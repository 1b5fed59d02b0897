"""Programs that judge an answer: a name, parameters that are checked, and a verdict without a model or a network."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from abc import abstractmethod
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from winnowry.core.errors import UsageError

_ALIAS = "en:"
"""What multilingual collections put before the names of the English kinds."""


class Program(BaseModel):
    """Base of programs: the fields are its parameters. A program is one class in a module of this package.

    A verdict is the same on every machine, takes time linear in the text, and exists for every text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]

    @abstractmethod
    def meets(self, text: str) -> bool:
        """Whether the text, which is not white space alone, is what was asked for."""

    def score(self, text: str | None) -> float | None:
        """1 where the text meets what was asked, 0 where not or where it is empty, None where there is none."""
        if text is None:
            return None
        return float(bool(text.strip()) and self.meets(text))


@cache
def programs() -> dict[str, type[Program]]:
    """Every program by its name."""
    package = importlib.import_module("winnowry.operators.rubric")
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if module.name.rpartition(".")[2].startswith("programs_"):
            importlib.import_module(module.name)
    base: Any = Program
    return {cls.name: cls for cls in sorted(_named(base), key=lambda cls: cls.name)}


def _named(base: type[Program]) -> list[type[Program]]:
    """Classes with a name; those that others share their parameters by have none."""
    below = [cls for sub in base.__subclasses__() for cls in _named(sub)]
    return [*([base] if "name" in base.__dict__ else []), *below]


def program(name: str, params: Mapping[str, Any]) -> Program:
    """A program with its parameters; those that are null count as not there.

    Raises:
        UsageError: there is no such program, or its parameters are others.

    >>> program("punctuation:no_comma", {"num_words": None}).score("One, two")
    0.0
    """
    known = programs()
    cls = known.get(name.removeprefix(_ALIAS))
    if cls is None:
        near = difflib.get_close_matches(name, known, n=1)
        raise UsageError(
            f"no program {name!r}; " + (f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}")
        )
    try:
        return cls.model_validate({key: value for key, value in params.items() if value is not None})
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, mistake['loc'])) or 'parameters'}: {mistake['msg']}"
            for mistake in error.errors(include_url=False, include_input=False)
        )
        raise UsageError(f"program {name}: {wrong}") from None
