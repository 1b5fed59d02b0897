"""Every operator by its name in recipes: ``wn.ops.text.length(min_words=5)`` is ``{op: text.length, min_words: 5}``.

``ops.pyi`` beside this file lists the operators of winnowry for editors and type checkers;
``python -m winnowry.api.operator_stub`` writes it. Operators of installed packages are here too, by their entry points.
"""

from __future__ import annotations

from winnowry.api.operator_names import OperatorFamily, families


def __getattr__(name: str) -> OperatorFamily:
    """The operators whose names begin with ``NAME.``."""
    if name.startswith("_") or name not in families():
        raise AttributeError(f"no operators {name!r}; there are {', '.join(families())}")
    return OperatorFamily(name)


def __dir__() -> list[str]:
    return list(families())
