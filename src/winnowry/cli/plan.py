"""``winnowry plan``: what a run would do, and what a changed recipe would decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from winnowry.cli.examples import examples
from winnowry.cli.options import Call, common_options, recipe_options

if TYPE_CHECKING:
    from rich.console import RenderableType

    from winnowry.stages.plan import Plan

_PARTITIONS_SHOWN = 6


@click.command(
    "plan",
    short_help="What a run would do, and why; with --set, what a change would decide.",
    epilog=examples(
        "winnowry plan recipes/support.yaml  # all mistakes at once, else what would run and why",
        "winnowry plan support --set text.length.min_words=80  # what a changed rule would keep and drop",
    ),
)
@recipe_options
@common_options
def command(recipe: str, overrides: tuple[str, ...], call: Call) -> int:
    """Say which stages of RECIPE a run would execute, and why the others are fresh. Writes nothing.

    With --set, also count what the changed rules would keep and drop, from stored columns: nothing is recomputed.
    """
    from rich.text import Text

    from winnowry.api.recipes import read_recipe
    from winnowry.cli.what_if import what_if_view
    from winnowry.inspect.what_if import not_judged

    lake, output = call.lake(), call.output()
    planned = lake.plan(recipe, overrides)
    document: dict[str, object] = planned.to_dict()
    shown: list[RenderableType] = plan_view(planned, lake.root)
    if overrides and (unjudged := not_judged(lake.workspace, read_recipe(recipe, overrides))) is not None:
        document["what_if"] = {"not_judged": unjudged}
        shown += ["", Text(unjudged, "yellow")]
    elif overrides:
        answer = lake.what_if(recipe, overrides)
        document["what_if"] = answer.to_dict()
        shown += what_if_view(answer, overrides)
    output.document(document)
    output.show(*shown)
    return 0


def plan_view(planned: Plan, root: str) -> list[RenderableType]:
    """The plan, one line for partitions of a stage that run for the same reasons; URIs are shown below the root."""
    from rich.text import Text

    from winnowry.cli.output import grid
    from winnowry.core.numbers import counted, number

    table = grid(["", "Stage", "Partition", "Rows in", "Why"], right=["Rows in"])
    groups: dict[tuple[str, str, tuple[str, ...]], list[tuple[str | None, int | None]]] = {}
    for entry in planned.entries:
        own = f"/{entry.partition}"  # "upstream cleaned/2016 would run" is the same reason in every partition
        reasons = tuple(reason.replace(f"{root}/", "").replace(own, "") for reason in entry.reasons)
        key = (entry.stage, entry.action, reasons)
        groups.setdefault(key, []).append((entry.partition, entry.rows_in))
    for (stage, action, reasons), members in groups.items():
        named = [partition for partition, _ in members if partition is not None]
        shown = ", ".join(named[:_PARTITIONS_SHOWN])
        if len(named) > _PARTITIONS_SHOWN:
            shown = f"{named[0]} … {named[-1]} ({len(named)})"
        known = [rows for _, rows in members if rows is not None]
        mark, style = {"run": ("▸", "green"), "wait": ("‖", "yellow")}.get(action, ("·", "bright_black"))
        dim = "bright_black" if action == "skip" else ""
        table.add_row(
            Text(mark, style),
            Text(stage, dim or "bold"),
            Text(shown, dim),
            number(sum(known)) if known else "",
            Text("\n".join(reasons) or "fresh", style if action == "wait" else dim),
        )
    parts: list[RenderableType] = ["", table, *_expected(planned), *_recommended(planned), *_other_recipe(planned), ""]
    to_do = len(planned.to_run)
    waiting = len(planned.waiting)
    if waiting:
        again = "`winnowry run --retry-refused` tries again, `gates: {accept: …}` signs for it"
        parts.append(Text(f"{counted(waiting, 'stage run')} would not be tried: a gate refused; {again}.", "yellow"))
    if not to_do and not waiting:
        return [*parts, Text("Nothing to do: every stage is fresh.", "green")]
    if planned.note:
        parts.append(Text(planned.note, "bright_black"))
    fresh = len(planned.entries) - to_do - waiting
    parts.append(Text(f"{counted(to_do, 'stage run')} to do, {fresh} fresh.", "bold"))
    return [*parts, *_following(planned)]


def _following(planned: Plan) -> list[RenderableType]:
    """What runs too if rows turn out to have changed."""
    from rich.text import Text

    if not planned.may_follow:
        return []
    known = sum(following.runs or 0 for following in planned.may_follow)
    stages = ", ".join(
        f"{following.stage} ({following.runs})" if (following.runs or 0) > 1 else following.stage
        for following in planned.may_follow
    )
    more = "" if all(following.runs is not None for following in planned.may_follow) else "; partitions not known yet"
    at_most = f": up to {known:,} more" if known else ""
    return [Text(f"Then, if rows change{at_most}: {stages}{more}.")]


def _other_recipe(planned: Plan) -> list[RenderableType]:
    """That the corpus belongs to another recipe, and what differs."""
    from rich.text import Text

    other = planned.other_recipe
    if other is None:
        return []
    whose = other["file"] or "a recipe made in Python"
    first = f"{planned.corpus} is made by another recipe, {whose}: a run is refused without --take-over. What differs:"
    return ["", Text(first, "bold yellow"), *(Text(f"  {line}", "yellow") for line in other["differences"])]


def _recommended(planned: Plan) -> list[RenderableType]:
    """What the live comparison says the recipe should be."""
    from rich.text import Text

    if planned.recommendation is None:
        return []
    changes = {name: value for name, value in planned.recommendation.items() if name != "why"}
    parts: list[RenderableType] = [
        "",
        Text(f"The comparison recommends: {planned.recommendation.get('why', '')}", "cyan"),
    ]
    parts += [Text(f"  {name}: {value}") for name, value in changes.items()]
    return parts


def _expected(planned: Plan) -> list[RenderableType]:
    """The recall curve of near-duplicate detection, a column a similarity."""
    from rich.text import Text

    from winnowry.cli.output import grid

    parts: list[RenderableType] = []
    for curve in planned.deduplication:
        similarities = [f"{similarity:.2f}" for similarity, _ in curve.recall]
        table = grid([f"{curve.operator}: Jaccard similarity", *similarities], right=similarities)
        table.add_row("expected recall", *(f"{expected:.3f}" for _, expected in curve.recall))
        shape = (
            f"{curve.bands} bands of {curve.rows} rows over {curve.ngram}-grams of {curve.unit}s: pairs more similar "
            f"than about {curve.threshold:.2f} are found."
        )
        parts += ["", table, Text(shape, "bright_black")]
    return parts
