"""``winnowry erase``: records leave the lake for good."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from winnowry.cli.examples import examples
from winnowry.cli.options import Call, common_options

if TYPE_CHECKING:
    from winnowry.erasure.erase import Certificate


@click.command(
    "erase",
    short_help="Erase records from every table, release and page, for good.",
    epilog=examples(
        "winnowry erase support --ids ids.txt  # what would be erased",
        "winnowry erase support --ids ids.txt --yes",
        "winnowry erase support --where \"payload LIKE '%jane@example.org%'\" --yes",
    ),
)
@click.argument("corpus", metavar="CORPUS")
@click.option(
    "--ids",
    "ids_file",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="One a line: record ids, ids of the source, or SHA-256 of contents.",
)
@click.option("--where", metavar="SQL", help="Records for which this holds in any table that has the columns.")
@click.option("--uri", metavar="URI", help="All records of a landing object.")
@click.option("--yes", is_flag=True, help="Do it; without, only say what would be erased.")
@common_options
def command(corpus: str, ids_file: str | None, where: str | None, uri: str | None, yes: bool, call: Call) -> int:
    """Erase records from every version of every table, with what was made from them, and keep them out for ever.

    Releases keep their numbers. An erasure that was cut off is finished by calling it again. The landing is yours: the
    places that still hold the records are named. Exit code 1: something is left, or could not be looked at.
    """
    from winnowry.core.errors import UsageError
    from winnowry.erasure.erase import erase
    from winnowry.erasure.request import named_in

    try:
        names = named_in(Path(ids_file).read_text(encoding="utf-8")) if ids_file is not None else []
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{ids_file}: cannot be read ({error}); expected a text file with one id a line") from error
    if ids_file is not None and not names:
        raise UsageError(f"{ids_file}: holds no id; expected one a line")
    done = erase(call.lake().workspace, corpus, names=names, where=where, uri=uri, dry_run=not yes)
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
    lines += [f"  {tag}: {rows:,} rows less; its number stays" for tag, rows in done.releases.items()]
    if done.unknown:
        before = f" ({done.already} erased before)" if done.already else ""
        lines.append(f"  in no table{before}, kept out all the same: {', '.join(done.unknown[:20])}")
    if done.older_removed:
        lines.append(f"  {done.older_removed:,} older contents that the bucket kept were removed")
    lines += [f"  the bucket keeps an older content: {held}" for held in done.older_held]
    lines += [f"  still in the landing, yours to remove: {p['uri']} record {p['position']}" for p in done.landing]
    return lines
