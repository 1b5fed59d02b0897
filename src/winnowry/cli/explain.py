"""``winnowry explain``: what happened to one record."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import click

from winnowry.cli.examples import examples
from winnowry.cli.options import Call, common_options
from winnowry.cli.turns_view import Marks, lines_of, marks_in
from winnowry.core.visible import visible

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from winnowry.inspect.explain import Step, Walk
    from winnowry.inspect.explain_group import Twin

_STYLES = {"published": "green", "selected": "green", "quarantined": "red", "refused": "red", "duplicate": "yellow"}
_HIDDEN = {"partition", "reasons", "reason", "operator", "value", "threshold", "stage", "parent_ids"}
_TEXT = 600  # characters of a text
_ITEMS, _VALUE = 12, 200  # of a list of objects, and characters of a value in one
_WORD = re.compile(r"\s+|\S+")


@click.command(
    "explain",
    short_help="A record's walk through the stages, and why it ended where it did.",
    epilog=examples(
        "winnowry explain 3f2a9c01  # the first characters of its id",
        "winnowry explain --corpus support ticket-1234  # the id that its source gave it",
        "winnowry explain landing/tickets/2026-10.jsonl.gz:17  # its place",
    ),
)
@click.argument("record_id", metavar="RECORD_ID")
@click.option("--corpus", metavar="CORPUS", help="Look only here.")
@common_options
def command(record_id: str, corpus: str | None, call: Call) -> int:
    """Say what every stage did with a record: where it came from, what was measured, which rule rejected it.

    RECORD_ID is the record's id, the first 8 or more characters of it, the id its source gave it, or its place:
    URI:POSITION, where a relative URI starts at the root.
    """
    walk = call.lake().explain(record_id, corpus)
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
    before: dict[str, Any] = {}
    marks = marks_in(step.values for step in walk.steps)
    for step in walk.steps:
        branch = tree.add(_title(step))
        values = _shown(step.values, before, marks)
        if values is not None:
            branch.add(values)
    parts: list[RenderableType] = ["", tree]
    if walk.twin is not None:
        parts += ["", *_side_by_side(walk.twin)]
    return [*parts, "", Text.assemble(("→ ", style), (visible(walk.verdict), style))]


def _side_by_side(twin: Twin) -> list[RenderableType]:
    """Both texts of a pair, with the words in which they differ."""
    from rich.table import Table
    from rich.text import Text

    role = "which stays" if twin.keeper else "on the way to the one that stays"
    remark = "the texts are the same" if twin.same_text else "words that differ are marked"
    title = Text.assemble(("Beside its twin ", "bold"), (twin.record_id, "bold"), f", {role}; {remark}")
    table = Table(box=None, padding=(0, 2, 0, 0), expand=True, header_style="bright_black")
    table.add_column(f"this record, {twin.characters:,} characters", ratio=1, overflow="fold")
    table.add_column(f"the twin, {twin.twin_characters:,} characters", ratio=1, overflow="fold")
    own, other = _marked(twin.excerpt, twin.twin_excerpt)
    for text, characters in ((own, twin.characters), (other, twin.twin_characters)):
        if twin.start + len(text) < characters:
            text.append("…", "bright_black")
    table.add_row(own, other)
    skipped = (
        [Text(f"  after {twin.start:,} characters that are the same in both", "bright_black")] if twin.start else []
    )
    return [title, *skipped, table]


def _marked(a: str, b: str) -> tuple[Text, Text]:
    """Two texts with the words in which they differ in another style."""
    from difflib import SequenceMatcher

    from rich.text import Text

    words = _WORD.findall(a), _WORD.findall(b)
    texts = Text(), Text()
    for tag, a_from, a_to, b_from, b_to in SequenceMatcher(None, *words, autojunk=False).get_opcodes():
        style = "" if tag == "equal" else "bold yellow"
        for text, own_words, start, end in zip(texts, words, (a_from, b_from), (a_to, b_to), strict=True):
            text.append(visible("".join(own_words[start:end])), style)
    return texts


def _title(step: Step) -> RenderableType:
    from rich.text import Text

    style = {"quarantine": "red", "duplicates": "yellow"}.get(step.table, "")
    title = Text.assemble((f"{step.stage:<11}", "bold"), (visible(step.outcome), style))
    if step.promoted_at is not None:
        title.append(f"  {step.table}@{step.version}, {step.promoted_at:%Y-%m-%d %H:%M} UTC", "bright_black")
    return title


def _shown(values: dict[str, Any], before: dict[str, Any], marks: Marks) -> RenderableType | None:
    """The values of a step that no step before has shown; turns and steps a line each."""
    from rich.table import Table
    from rich.text import Text

    from winnowry.cli.sql import cell

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(overflow="fold")
    flat = dict(values)
    computed = flat.pop("columns", None)
    if isinstance(computed, dict):
        flat.update(computed)
    names = [n for n, value in flat.items() if value is not None and n not in _HIDDEN and before.get(n) != value]
    before.update(flat)
    for name in names:
        if name.endswith("_excerpt"):
            shown = _excerpt(flat, name)
        elif _is_list_of_objects(flat[name]):
            shown = lines_of(flat[name], marks) or _items(flat[name])
        else:
            shown = cell(flat[name])
        table.add_row(Text(name, "bright_black"), shown)
    return table if names else None


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _items(items: list[dict[str, Any]]) -> Text:
    """Turns, boxes or criteria, one a line; what is null is left out."""
    from rich.text import Text

    lines = Text()
    for number, item in enumerate(items[:_ITEMS]):
        lines.append("\n" if number else "")
        known = [(name, value) for name, value in item.items() if value is not None and value != []]
        for at, (name, value) in enumerate(known):
            written = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
            text = visible(" ".join(written.split()))
            lines.append("  " if at else "").append(f"{name} ", "bright_black")
            lines.append(text if len(text) <= _VALUE else text[:_VALUE] + "…")
    if len(items) > _ITEMS:
        lines.append(f"\n… and {len(items) - _ITEMS:,} more", "bright_black")
    return lines


def _excerpt(values: dict[str, Any], name: str) -> Text:
    """The beginning of a text, cut to a readable length."""
    from rich.text import Text

    text = str(values[name])
    whole = values.get(f"{name.removesuffix('_excerpt')}_characters", len(text))
    return Text(visible(text[:_TEXT]) + ("…" if whole > min(len(text), _TEXT) else ""))
