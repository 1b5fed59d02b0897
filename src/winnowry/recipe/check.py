"""What is wrong with a recipe although each part is valid; asked before any byte is read."""

from __future__ import annotations

from collections import Counter
from difflib import get_close_matches
from typing import Any

from winnowry.recipe.model import Recipe

_SOURCE_COLUMNS = ("record_id", "partition", "source", "uri", "position", "event_time", "media_type", "text", "meta",
                   "license", "content_sha256", "ingested_at")  # fmt: skip
_CLEANED_COLUMNS = ("record_id", "partition", "source", "event_time", "license", "text", "size", "parent_ids")

Problem = tuple[tuple[Any, ...], str]


def check(recipe: Recipe) -> list[Problem]:
    """All problems, each with the path of the part that is wrong."""
    problems: list[Problem] = []
    for index, name in _repeated([source.name for source in recipe.sources]):
        problems.append((("sources", index, "name"), f"a second source named {name!r}"))
    have = set(_SOURCE_COLUMNS)
    problems += _chain("clean", recipe.clean, have)
    cleaned = set(_CLEANED_COLUMNS) | {name for op in recipe.clean for name in op.writes().names}
    problems += _chain("score", recipe.score, cleaned)
    scores = {name for op in recipe.score for name in op.writes().names}
    if recipe.sample is not None:
        if recipe.sample.by is not None and recipe.sample.by not in scores:
            near = get_close_matches(recipe.sample.by, sorted(scores), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; scores are {', '.join(sorted(scores)) or 'none'}"
            problems.append((("sample", "by"), f"no operator of `score` writes {recipe.sample.by!r}{hint}"))
        for index, name in enumerate(recipe.sample.strata):
            if name not in scores and name != "partition":
                problems.append((("sample", "strata", index), f"no operator of `score` writes {name!r}"))
        if "n_tokens" not in scores:
            problems.append((("score",), "nothing writes n_tokens, the unit of the budget; add {op: score.token_count}"))
    return problems


def _chain(stage: str, operators: tuple[Any, ...], have: set[str]) -> list[Problem]:
    problems: list[Problem] = []
    for index, name in _repeated([f"{op.op} as {op.as_}" for op in operators]):
        problems.append(((stage, index), f"{name.removesuffix(' as None')} is there already; name this one with `as`"))
    have = set(have)
    for index, operator in enumerate(operators):
        for column in operator.reads().names:
            if column not in have:
                problems.append(((stage, index), f"{operator.op} reads {column!r}, which nothing before it writes"))
        have |= set(operator.writes().names)
    return problems


def _repeated(names: list[str]) -> list[tuple[int, str]]:
    seen: Counter[str] = Counter()
    found = []
    for index, name in enumerate(names):
        seen[name] += 1
        if seen[name] > 1:
            found.append((index, name))
    return found
