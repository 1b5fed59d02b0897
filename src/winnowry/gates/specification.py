"""Great Expectations' expectations as values: its names and arguments, without importing it, which takes seconds.

``gxe.ExpectColumnValuesToBeUnique(column="record_id")`` reads as in Great Expectations. Kinds that Lance answers in one
scan, with plain arguments, become a :class:`Specification`, which :mod:`winnowry.gates.judge` judges. Everything else,
wrong arguments among it, is Great Expectations' own class, made at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from winnowry.gates.facts import ExpectFact
from winnowry.gates.names import type_of


@dataclass(frozen=True)
class Specification:
    """One expectation of Great Expectations.

    Attributes:
        class_name: of Great Expectations, such as ``ExpectColumnValuesToBeUnique``.
        arguments: those that are not the default, in Great Expectations' order.
        severity: ``critical`` blocks, the others report.
    """

    class_name: str
    arguments: Mapping[str, Any]
    severity: Literal["critical", "warning", "info"] = "critical"

    @property
    def kind(self) -> str:
        """Type as Great Expectations names it, such as ``expect_column_values_to_be_unique``."""
        return type_of(self.class_name)

    @property
    def values(self) -> dict[str, Any]:
        """All arguments, defaults included."""
        return {name: self.arguments.get(name, default) for name, (default, _) in KINDS[self.class_name].items()}


def _text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: object) -> bool:
    if isinstance(value, int):
        return _count(value) and abs(value) < _EXACT
    return isinstance(value, float) and math.isfinite(value)


def _yes_or_no(value: object) -> bool:
    return isinstance(value, bool)


def _share(value: object) -> bool:
    return _number(value) and 0 <= value <= 1  # type: ignore[operator]


_EXACT = 2**53  # Great Expectations makes a float of a number

_Argument = tuple[Any, Callable[[object], bool]]  # default, and what is plain
_COLUMN: dict[str, _Argument] = {"column": (None, _text)}
_MOSTLY: dict[str, _Argument] = {"mostly": (1, _share)}
_STRICT: dict[str, _Argument] = {"strict_min": (False, _yes_or_no), "strict_max": (False, _yes_or_no)}
_NUMBERS: dict[str, _Argument] = {"min_value": (None, _number), "max_value": (None, _number)}
_COUNTS: dict[str, _Argument] = {"min_value": (None, _count), "max_value": (None, _count)}

# Great Expectations' order of arguments.
KINDS: Mapping[str, Mapping[str, _Argument]] = {
    "ExpectColumnValuesToNotBeNull": _COLUMN | _MOSTLY,
    "ExpectColumnValuesToBeUnique": _COLUMN | _MOSTLY,
    "ExpectColumnValuesToMatchRegex": _COLUMN | _MOSTLY | {"regex": ("(?s).*", _text)},
    "ExpectColumnValuesToBeInSet": _COLUMN | _MOSTLY | {"value_set": (None, _texts)},
    "ExpectColumnValuesToBeBetween": _COLUMN | _MOSTLY | _NUMBERS | _STRICT,
    "ExpectColumnValueLengthsToBeBetween": _COLUMN | _MOSTLY | _COUNTS | _STRICT,
    "ExpectColumnUniqueValueCountToBeBetween": _COLUMN | _COUNTS | _STRICT,
    "ExpectTableRowCountToBeBetween": _COUNTS | _STRICT,
    "ExpectTableColumnsToMatchSet": {"column_set": (None, _texts), "exact_match": (True, _yes_or_no)},
}
"""Arguments of the kinds that are judged without Great Expectations: default, and whether a value is a plain one."""


class _Expectations:
    """Great Expectations' expectations by name."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in KINDS:
            return _native_class(name)

        def make(**arguments: Any) -> Any:
            return _specification(name, arguments) or _native_class(name)(**arguments)

        return make


gxe = _Expectations()
"""As ``great_expectations.expectations``."""


def native(expectation: Any) -> Any:
    """An expectation as Great Expectations' own; what is one already stays as it is."""
    if isinstance(expectation, Specification):
        return _native_class(expectation.class_name)(**expectation.arguments, severity=expectation.severity)
    if isinstance(expectation, ExpectFact):
        from winnowry.gates.native_facts import native_fact

        return native_fact(expectation)
    return expectation


def _native_class(name: str) -> Callable[..., Any]:
    from winnowry.gates import native as great_expectations

    made: Callable[..., Any] = getattr(great_expectations.gxe, name)
    return made


def _specification(name: str, arguments: Mapping[str, Any]) -> Specification | None:
    """The specification; None where anything is not plain, for Great Expectations to take or to refuse."""
    kind = KINDS[name]
    severity = getattr(arguments.get("severity"), "value", arguments.get("severity", "critical"))
    plain = {key: value for key, value in arguments.items() if key != "severity"}
    if severity not in ("critical", "warning", "info") or not plain.keys() <= kind.keys():
        return None
    unset = {key for key, value in plain.items() if key in ("min_value", "max_value") and value is None}
    if any(key not in unset and not kind[key][1](value) for key, value in plain.items()):
        return None
    chosen = {key: plain[key] for key, (default, _) in kind.items() if key in plain and plain[key] != default}
    if any(key in kind and key not in chosen for key in ("column", "regex", "value_set", "column_set")):
        return None
    if "min_value" in kind:
        low, high = chosen.get("min_value"), chosen.get("max_value")
        if (low is None and high is None) or (low is not None and high is not None and low > high):
            return None
    made = {key: float(value) if kind[key][1] in (_number, _share) else value for key, value in chosen.items()}
    return Specification(name, made, severity)
