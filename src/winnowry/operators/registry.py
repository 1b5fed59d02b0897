"""All operators by name: the built-in ones and those of installed entry points (group ``winnowry.operators``)."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points

from winnowry.operators.base import Operator

_WITHOUT_OPERATORS = frozenset({"kernels", "parsers"})
"""Packages that operators import when they run; to import them at start would be slow."""


def modules_below(package_name: str) -> Iterator[str]:
    """Names of the modules of a package and its subpackages that may define operators."""
    package = importlib.import_module(package_name)
    for module in pkgutil.iter_modules(package.__path__, f"{package_name}."):
        if not module.ispkg:
            yield module.name
        elif module.name.rpartition(".")[2] not in _WITHOUT_OPERATORS:
            yield from modules_below(module.name)


def _subclasses(base: type[Operator]) -> Iterator[type[Operator]]:
    for subclass in base.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


@cache
def operators() -> dict[str, type[Operator]]:
    """Every registered operator class by its ``op`` name, sorted by name."""
    for module_name in modules_below("winnowry.operators"):
        importlib.import_module(module_name)
    for entry in entry_points(group="winnowry.operators"):
        entry.load()
    by_name = {}
    for cls in _subclasses(Operator):
        default = cls.model_fields["op"].default
        if isinstance(default, str):
            by_name[default] = cls
    return dict(sorted(by_name.items()))
