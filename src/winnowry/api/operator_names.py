"""Operators by the parts of their names, for :mod:`winnowry.api.ops`."""

from __future__ import annotations

from winnowry.operators.base import Operator
from winnowry.operators.registry import operators
from winnowry.recipe.messages import did_you_mean


def families() -> tuple[str, ...]:
    """What stands before the dot of operator names, sorted.

    >>> "text" in families()
    True
    """
    return tuple(sorted({name.partition(".")[0] for name in operators()}))


class OperatorFamily:
    """Operators whose names begin alike, as attributes.

    Args:
        name: what stands before the dot, e.g. ``text``.

    >>> OperatorFamily("text").length(min_words=5).min_words
    5
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"<operators {self._name}.*>"

    def __dir__(self) -> list[str]:
        return self._members()

    def __getattr__(self, name: str) -> type[Operator]:
        known = operators().get(f"{self._name}.{name}")
        if known is None:
            members = self._members()
            hint = did_you_mean(name, members) or f"; there are {', '.join(members)}"
            raise AttributeError(f"no operator {self._name}.{name}{hint}")
        return known

    def _members(self) -> list[str]:
        return [name.partition(".")[2] for name in operators() if name.startswith(f"{self._name}.")]
