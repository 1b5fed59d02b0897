"""winnowry: a data lakehouse for curating AI training data.

``import winnowry as wn`` gives the Python API. Each name is imported when it is first used, so that the import itself
costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from winnowry.api import ops as ops
    from winnowry.api.lake import Lake as Lake
    from winnowry.api.lake import open as open
    from winnowry.api.table import Table as Table
    from winnowry.core.errors import WinnowryError as WinnowryError
    from winnowry.inspect.explain import Walk as Walk
    from winnowry.operators.base import Operator as Operator
    from winnowry.recipe.columns import AddedColumn as Column
    from winnowry.recipe.comparison import Comparison as Comparison
    from winnowry.recipe.gates import Gates as Gates
    from winnowry.recipe.load import load_recipe as load_recipe
    from winnowry.recipe.model import Fields as Fields
    from winnowry.recipe.model import Partition as Partition
    from winnowry.recipe.model import Recipe as Recipe
    from winnowry.recipe.model import Source as Source
    from winnowry.releases.model import Release as Release
    from winnowry.runs.order import RunOutcome as RunOutcome
    from winnowry.sampling.spec import SampleSpec as Sample
    from winnowry.stages.plan import Plan as Plan

__all__ = [
    "Column",
    "Comparison",
    "Fields",
    "Gates",
    "Lake",
    "Operator",
    "Partition",
    "Plan",
    "Recipe",
    "Release",
    "RunOutcome",
    "Sample",
    "Source",
    "Table",
    "Walk",
    "WinnowryError",
    "load_recipe",
    "open",
    "ops",
]

_HOMES = {
    "Column": "recipe.columns:AddedColumn",
    "Comparison": "recipe.comparison:Comparison",
    "Fields": "recipe.model:Fields",
    "Gates": "recipe.gates:Gates",
    "Lake": "api.lake:Lake",
    "Operator": "operators.base:Operator",
    "Partition": "recipe.model:Partition",
    "Plan": "stages.plan:Plan",
    "Recipe": "recipe.model:Recipe",
    "Release": "releases.model:Release",
    "RunOutcome": "runs.order:RunOutcome",
    "Sample": "sampling.spec:SampleSpec",
    "Source": "recipe.model:Source",
    "Table": "api.table:Table",
    "Walk": "inspect.explain:Walk",
    "WinnowryError": "core.errors:WinnowryError",
    "load_recipe": "recipe.load:load_recipe",
    "open": "api.lake:open",
    "ops": "api.ops:",
}


if not TYPE_CHECKING:  # a type checker is to know the names above and no others

    def __getattr__(name: str) -> object:
        """A name of the API, imported on first use (PEP 562)."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        home, _, attribute = _HOMES[name].partition(":")
        module = import_module(f"{__name__}.{home}")
        globals()[name] = value = getattr(module, attribute) if attribute else module
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
