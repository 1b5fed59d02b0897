"""``winnowry maintain``: keep tables fast and small."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from winnowry.cli.examples import examples
from winnowry.cli.options import Call, common_options

if TYPE_CHECKING:
    from rich.console import RenderableType

    from winnowry.inspect.maintain import Maintenance


@click.command(
    "maintain",
    short_help="Merge small fragments, index new rows, remove old versions and leftovers.",
    epilog=examples("winnowry maintain --dry-run  # what would be done", "winnowry maintain --corpus support"),
)
@click.option("--corpus", "corpora", multiple=True, metavar="CORPUS", help="Only this corpus. Repeatable.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@click.option(
    "--keep-days",
    type=float,
    default=7.0,
    show_default=True,
    metavar="N",
    help="Younger versions and unfinished work stay; Data Docs for 30 days at least.",
)
@common_options
def command(corpora: tuple[str, ...], dry_run: bool, keep_days: float, call: Call) -> int:
    """Keep the tables of the lake in shape, beside whatever else is at work.

    Tagged versions stay for ever; what a promotion or a column on its way needs is left alone, and what cannot be done
    now is left for the next time.
    """
    from winnowry.cli.output import stderr
    from winnowry.cli.progress import progress_on

    with progress_on(stderr(), quiet=call.as_json) as progress:
        done = call.lake().maintain(corpora, keep_days=keep_days, dry_run=dry_run, progress=progress)
    output = call.output()
    output.document({"dry_run": dry_run, "corpora": [item.to_dict() for item in done]})
    if not call.as_json:
        output.show(*maintenance_view(done, dry_run=dry_run))
    return 0


def maintenance_view(done: list[Maintenance], *, dry_run: bool) -> list[RenderableType]:
    """A line a table."""
    from rich.text import Text

    from winnowry.cli.output import grid
    from winnowry.core.numbers import byte_size, number

    names = ["Fragments", "Merged", "To index" if dry_run else "Indexed", "Versions", "Candidates", "Files", "Freed"]
    parts: list[RenderableType] = []
    for item in done:
        table = grid(["Table", *names, ""], right=names)
        for upkeep in item.tables:
            table.add_row(
                upkeep.table,
                number(upkeep.fragments_before)
                if upkeep.fragments_before == upkeep.fragments_after
                else f"{number(upkeep.fragments_before)} → {number(upkeep.fragments_after)}",
                *(
                    Text(number(value) if value else "·", "" if value else "bright_black")
                    for value in (
                        upkeep.fragments_merged,
                        upkeep.unindexed_fragments,
                        upkeep.versions_removed,
                        upkeep.candidates_removed,
                        upkeep.files_removed,
                    )
                ),
                byte_size(upkeep.bytes_removed) if upkeep.bytes_removed else "",
                Text("; ".join(upkeep.postponed), "yellow"),
            )
        state = "would be done" if dry_run else "done"
        parts += [Text.assemble((item.corpus, "bold"), (f"  {state}, {item.seconds:.1f} s", "bright_black")), table]
        if item.units_removed:
            noun = "unit" if item.units_removed == 1 else "units"
            what = f"{number(item.units_removed)} {noun} of attempts that nobody went on with"
            parts.append(Text(f"{what}: {byte_size(item.unit_bytes_removed)} {'to free' if dry_run else 'freed'}"))
        if item.docs_removed:
            what = f"{number(item.docs_removed)} pages of Data Docs out of their retention"
            parts.append(Text(f"{what}: {byte_size(item.doc_bytes_removed)} {'to free' if dry_run else 'freed'}"))
        parts.append("")
    return parts or [Text("There is no corpus here yet.", "bright_black")]
