"""Engines by name: the built-in one and those of installed entry points (group ``winnowry.engines``)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from importlib.metadata import entry_points

from winnowry.core.errors import UsageError
from winnowry.engine.base import Engine
from winnowry.engine.local import local_engine
from winnowry.recipe.messages import did_you_mean

GROUP = "winnowry.engines"
VARIABLE = "WINNOWRY_ENGINE"

EngineFactory = Callable[[str], Engine]
"""Makes an engine from what follows its name: ``8`` of ``local[8]``, ``//head:10001`` of ``ray://head:10001``."""

_BUILT_IN: dict[str, EngineFactory] = {"local": local_engine}
_ENGINE = re.compile(r"(?P<name>[a-z][a-z0-9_-]*)(?:\[(?P<argument>[^\]]*)\]|:(?P<address>//.+))?")


def engine_names() -> list[str]:
    """Names of all engines that are installed, sorted."""
    return sorted({*_BUILT_IN, *(entry.name for entry in entry_points(group=GROUP))})


def engine_named(name: str | None = None) -> Engine:
    """The engine that runs the tasks of a stage.

    Args:
        name: a registered name such as ``local``, ``local[8]`` with what the engine makes of the argument (the local
            one: processes), or ``name://address``. None: what ``WINNOWRY_ENGINE`` says, else ``local``.

    Raises:
        UsageError: there is no such engine, or it refuses its argument.

    >>> engine_named("local[8]").slots
    8
    """
    where, text = "", name
    if text is None:
        where, text = f"{VARIABLE}: ", os.environ.get(VARIABLE) or "local"
    match = _ENGINE.fullmatch(text)
    if match is None:
        raise UsageError(f"{where}engine {text!r}: expected NAME, NAME[ARGUMENT] or NAME://ADDRESS, such as local[8]")
    return _factory(match["name"], where)(match["argument"] or match["address"] or "")


def _factory(name: str, where: str) -> EngineFactory:
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    for entry in entry_points(group=GROUP, name=name):
        factory: EngineFactory = entry.load()
        return factory
    names = engine_names()
    raise UsageError(f"{where}unknown engine {name!r}{did_you_mean(name, names)}; engines are {', '.join(names)}")
