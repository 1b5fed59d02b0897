"""What the models of a recipe share: they do not change, unknown keys are mistakes, later options move no hash."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer


class RecipePart(BaseModel):
    """A part of a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class GrowingPart(RecipePart):
    """A part that got options after recipes were hashed.

    Those options are left out of the specification while they are unset. So a recipe without them keeps its hash.
    """

    _LATER: ClassVar[frozenset[str]]
    """Names of the fields that are left out where they are None."""

    @model_serializer(mode="wrap")
    def _without_unset(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        dumped: dict[str, Any] = dump(self)
        return {name: value for name, value in dumped.items() if value is not None or name not in self._LATER}
