"""Writes ``ops.pyi``: ``python -m winnowry.api.operator_stub``, after an operator was added or renamed."""

from __future__ import annotations

from pathlib import Path

from winnowry.api.operator_names import families
from winnowry.operators.registry import operators

PATH = Path(__file__).with_name("ops.pyi")


def operator_stub() -> str:
    """The stub: a class for each family, a name for each operator that winnowry itself has."""
    own = {name: cls for name, cls in operators().items() if cls.__module__.startswith("winnowry.")}
    imports = sorted(f"from {cls.__module__} import {cls.__name__} as _{cls.__name__}" for cls in own.values())
    lines = ["# Written by `python -m winnowry.api.operator_stub`.", *imports]
    for family in families():
        members = {name.partition(".")[2]: cls for name, cls in own.items() if name.startswith(f"{family}.")}
        if members:
            lines += ["", f"class {family}:", *(f"    {name} = _{cls.__name__}" for name, cls in members.items())]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PATH.write_text(operator_stub(), encoding="utf-8")
