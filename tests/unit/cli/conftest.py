"""What the tests of the command line share."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest

import winnowry.cli
import winnowry.pipeline


@pytest.fixture(scope="session", autouse=True)
def every_module_is_there_before_names_are_replaced() -> None:
    """A module first imported while a test has another function in place of one would keep it for all later tests."""
    for package in (winnowry.pipeline, winnowry.cli):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            import_module(module.name)
