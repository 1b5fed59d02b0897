"""What the unit tests share."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest

import winnowry


@pytest.fixture(scope="session", autouse=True)
def every_module_is_there_before_names_are_replaced() -> None:
    """A module first imported while a test has another function in place of one would keep it for all later tests."""
    for module in pkgutil.walk_packages(winnowry.__path__, "winnowry."):
        if not module.name.endswith((".transformer", ".torch")):
            import_module(module.name)
