"""How ``winnowry plan --set`` shows what a changed rule would keep and drop."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from winnowry.inspect.what_if import WhatIf

_EXAMPLES_SHOWN = 10


def what_if_view(answer: WhatIf, overrides: tuple[str, ...]) -> list[RenderableType]:
    """Kept and dropped now and then, the rules that moved, and records that change side."""
    from rich.text import Text

    from winnowry.cli.output import grid
    from winnowry.core.numbers import number

    parts: list[RenderableType] = ["", Text(f"What if {', '.join(overrides)}", "bold"), "", _totals(answer)]
    later = answer.later
    if later is not None and (later.enters or later.leaves):
        sides = f"Of the selection {number(later.leaves)} would leave and {number(later.enters)} enter."
        parts += ["", Text(sides, "bright_black")]
    if later is not None and later.not_judged:
        parts += ["", *(Text(f"{why[:1].upper()}{why[1:]}.", "yellow") for why in later.not_judged)]
    if answer.recipe_differs:
        lines = "\n".join(f"  {line}" for line in answer.recipe_differs)
        parts += [
            "",
            Text(f"The recipe file already differs from what is live; *then* includes it:\n{lines}", "yellow"),
        ]
    if answer.undecided:
        computed = f" ({', '.join(answer.undecided_operators)})" if answer.undecided_operators else ""
        parts += [
            "",
            Text(
                f"{number(answer.undecided)} undecided: they lack columns that a rule asks for, and a run would "
                f"compute these for them{computed}.",
                "yellow",
            ),
        ]
    changed_rules = [
        rule
        for rule in answer.rules
        if rule.threshold_now != rule.threshold_then or rule.dropped_now != rule.dropped_then
    ]
    if changed_rules:
        table = grid(["Rule", "Threshold", "Drops now", "Drops then"], right=["Drops now", "Drops then"])
        for rule in changed_rules:
            threshold = rule.threshold_now or "–"
            if rule.threshold_then != rule.threshold_now:
                threshold += f" → {rule.threshold_then or '–'}"
            table.add_row(rule.rule, threshold, number(rule.dropped_now), number(rule.dropped_then))
        parts += ["", table]
    if answer.operators_recomputed:
        listed = ", ".join(answer.operators_recomputed)
        parts += ["", Text(f"Not judged, their columns would be computed anew: {listed}", "yellow")]
    if answer.reopens_dedup:
        parts += ["", Text("Keepers of duplicate groups may change too: the groups are decided anew.", "bright_black")]
    if answer.examples:
        table = grid(["Record", "Now", "Then"])
        for example in answer.examples[:_EXAMPLES_SHOWN]:
            table.add_row(*(str(example.get(key, "")) for key in ("record_id", "now", "then")))
        parts += ["", table]
    return parts


def _totals(answer: WhatIf) -> RenderableType:
    """What is kept, left out and selected, now and then."""
    from rich.text import Text

    from winnowry.cli.output import grid
    from winnowry.core.numbers import number

    totals = grid(["", "Now", "Then", "Change"], right=["Now", "Then", "Change"])
    rows: list[tuple[str, int | None, int | None]] = [
        ("Kept by cleaning", answer.kept_now, answer.kept_then),
        ("Dropped", answer.dropped_now, answer.dropped_then),
        ("Tokens of keepers", answer.tokens_now, answer.tokens_then),
    ]
    later = answer.later
    if later is not None:
        rows += [
            ("Duplicates", later.duplicates_now, later.duplicates_then),
            ("Selected", later.selected_now, later.selected_then),
            (f"{later.unit.capitalize()} selected", later.selected_tokens_now, later.selected_tokens_then),
        ]
    for name, now, then in rows:
        if now is not None and then is not None:
            change = then - now
            moved_by = Text(f"{change:+,}" if change else "·", _style(name, change))
            totals.add_row(name, number(now), number(then), moved_by)
        elif now is not None:
            totals.add_row(name, number(now), "not judged", "")
    return totals


def _style(name: str, change: int) -> str:
    if not change:
        return "bright_black"
    return "yellow" if (change > 0) == (name == "Dropped") else "green"
