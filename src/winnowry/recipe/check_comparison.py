"""Mistakes of a comparison beside the rest of the recipe."""

from __future__ import annotations

from winnowry.recipe.comparison import Comparison
from winnowry.recipe.gates import Gates
from winnowry.recipe.messages import Problem, did_you_mean
from winnowry.records.kinds import TEXT, Kind
from winnowry.sampling.spec import SampleSpec


def check_comparison(
    comparison: Comparison | None, gates: Gates | None, sample: SampleSpec | None, kind: Kind = TEXT
) -> list[Problem]:
    """All problems among the parts.

    Args:
        comparison: None where the recipe has none, or one with mistakes of its own.
        gates: as above.
        sample: as above.
        kind: of the records.
    """
    gate = gates.comparison if gates is not None else None
    at = ("gates", "comparison")
    if comparison is None:
        return [Problem(at, "a gate for a comparison that the recipe does not make: add `comparison`")] if gate else []
    if not kind.in_tokens:
        return [Problem(("comparison",), f"a comparison trains models of text; the records are of kind {kind.name}")]
    problems = []
    if sample is None:
        problems.append(Problem(("comparison",), "there is no selection to compare: add `sample`"))
    elif comparison.token_fraction is None and sample.size_fraction is None:
        message = "`sample` gives its budget in tokens: say `token_fraction`, the budget of every arm"
        problems.append(Problem(("comparison",), message))
    if gate is None:
        return problems
    arms = comparison.compared()
    for arm in ("recipe", gate.better_than):
        if arm not in arms:
            problems.append(Problem(at, f"arm {arm!r} is not compared; `comparison.arms` are {', '.join(arms)}"))
    target = [comparison.target.name] if comparison.target is not None else []
    names = ["holdout", *target, *(item.name for item in comparison.evaluations)]
    if gate.on not in names:
        hint = did_you_mean(gate.on, names) or f"; there are {', '.join(names)}"
        problems.append(Problem((*at, "on"), f"no evaluation is named {gate.on!r}{hint}"))
    return problems
