"""``winnowry erase``: records leave the lake for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from winnowry.cli.examples import examples
from winnowry.cli.options import Call, common_options
from winnowry.core.numbers import counted
from winnowry.core.visible import visible

if TYPE_CHECKING:
    from winnowry.erasure.erase import Certificate

_SHOWN = 20


@click.command(
    "erase",
    short_help="Erase records from every table, release and page, for good.",
    epilog=examples(
        "winnowry erase support --list takedown.csv  # what would be erased",
        "winnowry erase support --list takedown.csv --yes",
        "winnowry erase support --where \"payload LIKE '%jane@example.org%'\" --yes",
    ),
)
@click.argument("corpus", metavar="CORPUS")
@click.option(
    "--list",
    "--ids",
    "list_file",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Takedown list: record ids, ids of the source, SHA-256 of contents, landing objects, one a line; or a .csv or "
    ".jsonl with the columns id (and source), record_id, sha256, uri.",
)
@click.option("--where", metavar="SQL", help="Records for which this holds in any table that has the columns.")
@click.option("--uri", metavar="URI", help="All records of a landing object.")
@click.option("--yes", is_flag=True, help="Do it; without, only say what would be erased.")
@common_options
def command(corpus: str, list_file: str | None, where: str | None, uri: str | None, yes: bool, call: Call) -> int:
    """Erase records from every version of every table, with what was made from them, and keep them out for ever.

    Releases keep their numbers. An erasure that was cut off is finished by calling it again. The landing is yours: the
    places that still hold the records are named. Exit code 1: something is left, or could not be looked at.
    """
    done = call.lake().erase(corpus, list=list_file, where=where, uri=uri, yes=yes)
    output = call.output()
    output.document(done.to_dict())
    if not call.as_json:
        for line in sentences(done):
            click.echo(line)
    return 0 if done.proven else 1


def sentences(done: Certificate) -> list[str]:
    """The certificate in words."""
    noun = "record" if done.records == 1 else "records"
    if done.dry_run:
        lines = [f"{done.records:,} {noun} of {done.corpus} would be erased; nothing was changed. Add --yes to do it."]
    elif done.proven:
        looked = f"{done.objects:,} objects were decoded ({done.values:,} values)"
        when = f"{done.records:,} {noun} of {done.corpus} erased at {done.erased_at}"
        lines = [f"{when}: {looked}, and none of them is in any."]
    else:
        lines = [f"{done.corpus}: the erasure is not proven. Call it again."]
        lines += [f"  still in {uri}" for uri in done.hits]
        lines += [f"  of unknown kind, not decoded: {uri}" for uri in done.undecoded]
    lines += [f"  {table}: {rows:,} rows less" for table, rows in done.tables.items()]
    lines += [f"  {tag}: {counted(rows, 'row')} less; its number stays" for tag, rows in done.releases.items()]
    lines += _of_names(done)
    if done.older_removed:
        lines.append(f"  {done.older_removed:,} older contents that the bucket kept were removed")
    lines += [f"  the bucket keeps an older content: {held}" for held in done.older_held]
    lines += [f"  still in the landing, yours to remove: {p['uri']} record {p['position']}" for p in done.landing]
    return lines


def _of_names(done: Certificate) -> list[str]:
    """What became of the names of a list; the numbers add up."""
    lines = []
    if done.entries:
        names = counted(done.entries, "name")
        again = f" ({done.repeated:,} given again)" if done.repeated else ""
        lines.append(f"  {names}{again}: {done.matched:,} of a record, {len(done.unknown):,} in no table")
    if done.unknown:
        before = f" ({done.already:,} of them erased or kept out before)" if done.already else ""
        shown = ", ".join(visible(name) for name in done.unknown[:_SHOWN])
        more = f" and {len(done.unknown) - _SHOWN:,} more" if len(done.unknown) > _SHOWN else ""
        lines.append(f"  in no table{before}, kept out when they land: {shown}{more}")
    if done.unread:
        lines.append(f"  columns that were not read: {', '.join(map(visible, done.unread))}")
    return lines
