"""All operators by name: the built-in ones and those of installed entry points (group ``winnowry.operators``)."""

from __future__ import annotations

import importlib
from functools import cache
from importlib.metadata import entry_points

from winnowry.operators.base import Operator

_BUILT_IN_MODULES = (
    "winnowry.operators.text",
    "winnowry.operators.dedup",
    "winnowry.operators.scoring",
)


def _subclasses(base: type[Operator]) -> list[type[Operator]]:
    found = []
    for subclass in base.__subclasses__():
        found += [subclass, *_subclasses(subclass)]
    return found


@cache
def operators() -> dict[str, type[Operator]]:
    """Every registered operator class by its ``op`` name, sorted by name."""
    import pkgutil

    for package_name in _BUILT_IN_MODULES:
        package = importlib.import_module(package_name)
        for module in pkgutil.iter_modules(package.__path__, package_name + "."):
            importlib.import_module(module.name)
    for entry in entry_points(group="winnowry.operators"):
        entry.load()
    named = {}
    for cls in _subclasses(Operator):
        default = cls.model_fields["op"].default
        if isinstance(default, str):
            named[default] = cls
    return dict(sorted(named.items()))
