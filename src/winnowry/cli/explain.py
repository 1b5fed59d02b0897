"""``winnowry explain``: what happened to one record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from winnowry.cli.options import Call, common_options

if TYPE_CHECKING:
    from rich.console import RenderableType

    from winnowry.pipeline.explain import Step, Walk

_STYLES = {"published": "green", "selected": "green", "quarantined": "red", "duplicate": "yellow"}
_HIDDEN = {"partition", "reasons", "reason", "operator", "value", "threshold", "stage", "parent_ids"}


@click.command("explain", short_help="A record's walk through the stages, and why it ended where it did.")
@click.argument("record_id", metavar="RECORD_ID")
@click.option("--corpus", metavar="CORPUS", help="Look only here.")
@common_options
def command(record_id: str, corpus: str | None, call: Call) -> int:
    """Say what every stage did with a record: where it came from, what was measured, which rule rejected it.

    RECORD_ID is the record's id, the first 8 or more characters of it, or the id its source gave it.
    """
    from winnowry.pipeline.explain import explain

    walk = explain(call.workspace(), record_id, corpus)
    output = call.output()
    output.document(walk.to_dict())
    if not call.as_json:
        output.show(*walk_view(walk))
    return 0


def walk_view(walk: Walk) -> list[RenderableType]:
    """The walk as a tree, one branch a table."""
    from rich.text import Text
    from rich.tree import Tree

    style = _STYLES.get(walk.status, "bold")
    name = Text.assemble((walk.record_id, "bold"), f"  {walk.corpus}", (f"  {walk.partition or ''}", "bright_black"))
    tree = Tree(name, guide_style="bright_black")
    told: dict[str, Any] = {}
    for step in walk.steps:
        branch = tree.add(_title(step))
        values = _shown(step.values, told)
        if values is not None:
            branch.add(values)
    return ["", tree, "", Text.assemble(("→ ", style), (walk.verdict, style))]


def _title(step: Step) -> RenderableType:
    from rich.text import Text

    style = {"quarantine": "red", "duplicates": "yellow"}.get(step.table, "")
    title = Text.assemble((f"{step.stage:<11}", "bold"), (step.outcome, style))
    if step.promoted_at is not None:
        title.append(f"  {step.table}@{step.version}, {step.promoted_at:%Y-%m-%d %H:%M} UTC", "bright_black")
    return title


def _shown(values: dict[str, Any], told: dict[str, Any]) -> RenderableType | None:
    """The values of a step that no step before has told."""
    from rich.table import Table
    from rich.text import Text

    from winnowry.cli.sql import cell

    table = Table.grid(padding=(0, 2, 0, 0))
    flat = dict(values)
    computed = flat.pop("columns", None)
    if isinstance(computed, dict):
        flat.update(computed)
    names = [n for n, value in flat.items() if value is not None and n not in _HIDDEN and told.get(n) != value]
    told.update(flat)
    for name in names:
        table.add_row(Text(name, "bright_black"), cell(flat[name]))
    return table if names else None
