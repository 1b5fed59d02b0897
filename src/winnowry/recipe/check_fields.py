"""Mistakes of the fields that sources map, beside the rest of the recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from winnowry.core.column_names import wrong_name
from winnowry.operators.base import Operator
from winnowry.recipe.check_names import fixed_columns
from winnowry.recipe.messages import Path, Problem
from winnowry.recipe.model import Source
from winnowry.records.kinds import Kind


def carried_columns(sources: Sequence[Source | None]) -> set[str]:
    """Columns that ``fields.carry`` of the sources makes."""
    return {name for source in sources if source is not None for name in source.fields.carried}


def check_fields(
    sources: Sequence[Source | None],
    operators: Mapping[str, Sequence[Operator | None]],
    kind: Kind,
    leaves_raw: bool,
) -> list[Problem]:
    """All problems among the parts.

    Args:
        sources: None stands for a part with a mistake of its own.
        operators: those of `clean` and of `score`, by that name; None as above.
        kind: of the records.
        leaves_raw: whether the recipe has a table ``cleaned``.
    """
    problems = []
    for index, source in enumerate(sources):
        if source is not None:
            at = ("sources", index, "fields")
            problems += [*_event_time(source, at), *_carried(source, (*at, "carry"), operators, kind, leaves_raw)]
    return problems


def _event_time(source: Source, at: Path) -> list[Problem]:
    """Options of an event time that is not mapped."""
    fields = source.fields
    options = {"event_time_format": fields.event_time_format, "event_time_range": fields.event_time_range}
    return [
        Problem((*at, name), "is for the field that `event_time` names: add it")
        for name, value in options.items()
        if value is not None and fields.event_time is None
    ]


def _carried(
    source: Source, at: Path, operators: Mapping[str, Sequence[Operator | None]], kind: Kind, leaves_raw: bool
) -> list[Problem]:
    names = [*(source.fields.carry or ())]
    if not names:
        return []
    if not leaves_raw:
        message = (
            "files go on from `raw`, where all their fields are, only if the recipe has `clean`, `score` or `sample`"
        )
        return [Problem(at, message)]
    owners = _owners(operators, kind)
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    for name in names:
        lower = name.lower()
        expected = wrong_name(name)
        if expected is not None:
            message = f"{name!r} cannot be the name of a column: expected {expected}; {_renamed(name)}"
            problems.append(Problem(at, message))
        elif lower in owners:
            problems.append(Problem(at, f"{name!r} is a column of {owners[lower]}: {_renamed(name)}"))
        elif lower in seen:
            problems.append(Problem(at, f"{seen[lower]!r} and {name!r} differ in nothing but case: {_renamed(name)}"))
        seen.setdefault(lower, name)
    text = source.fields.text
    problems += [
        Problem(at, f"{field!r} is the text, which `cleaned` has as `text`")
        for field in source.fields.carried.values()
        if kind.carries == "text" and field == text
    ]
    return problems


def _renamed(name: str) -> str:
    return f"carry it under another one, `{{other_name: {name}}}`"


def _owners(operators: Mapping[str, Sequence[Operator | None]], kind: Kind) -> dict[str, str]:
    """Who has a column of that name, in lower case: readers of SQL do not tell the cases apart."""
    owners = {name.lower(): "winnowry's tables" for name in fixed_columns(kind)}
    for stage, chain in operators.items():
        for operator in chain:
            for name in operator.writes().names if operator is not None else ():
                owners.setdefault(name.lower(), f"{operator.op}, in `{stage}`" if operator is not None else stage)
    return owners
