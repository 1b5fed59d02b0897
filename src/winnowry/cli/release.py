"""``winnowry release``: list, show, compare and roll back releases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from winnowry.cli.examples import CommandGroup, examples
from winnowry.cli.options import Call, common_options
from winnowry.core.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    from winnowry.api.lake import Lake
    from winnowry.releases.model import Release
    from winnowry.releases.releases import ReleaseDiff


@click.group(
    "release",
    cls=CommandGroup,
    short_help="List, show, compare and roll back releases of a corpus.",
    epilog=examples("winnowry release list support", "winnowry release show support prod"),
)
def command() -> None:
    """Releases are tagged versions of CORPUS.published; readers name a tag, e.g. prod."""


@command.command(
    "list",
    short_help="List the releases of a corpus, newest first.",
    epilog=examples("winnowry release list support"),
)
@click.argument("corpus")
@common_options
def list_command(corpus: str, call: Call) -> int:
    """List the releases of CORPUS, newest first."""
    from winnowry.releases.tags import holds

    lake = call.lake()
    listed = lake.releases(corpus)
    output = call.output()
    output.document({"corpus": corpus, "releases": [release.to_dict() for release in listed]})
    if not call.as_json:
        output.show(*releases_view(listed), *(f"{hold}" for hold in holds(lake.workspace, corpus)))
    return 0


@command.command(
    "show",
    short_help="What a release holds; with --out, its page or card.",
    epilog=examples(
        "winnowry release show support  # the newest",
        "winnowry release show support v3 --out v3.html  # its page",
        "winnowry release show support prod --out README.md  # a card for the Hugging Face hub",
    ),
)
@click.argument("corpus")
@click.argument("release", metavar="[RELEASE]", required=False)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write a document of it: .html is its page (one file that needs no network), .md a card for the Hugging "
    "Face hub, .json a Croissant card.",
)
@click.option("--unmasked", is_flag=True, help="Show personal data in the page's example texts as it is.")
@click.option("--recipe", "recipe_only", is_flag=True, help="Print the recipe that it was made with, and nothing else.")
@common_options
def show_command(
    corpus: str, release: str | None, out: Path | None, unmasked: bool, recipe_only: bool, call: Call
) -> int:
    """Show one RELEASE of CORPUS, by its name (v3) or a tag (prod); the newest when none is named.

    With --json also everything that its page shows, under "facts"; its recipe is "facts.recipe".
    """
    from winnowry.releases.documents import stored_facts
    from winnowry.releases.recipes import recipe_yaml

    lake = call.lake()
    if unmasked and (out is None or _suffix(out) != ".html"):
        raise UsageError("--unmasked is about the page's example texts: give --out FILE.html too")
    shown = lake.release(corpus, release)
    if out is not None:
        _write_document(lake, shown, out, mask=not unmasked)
    output = call.output()
    if recipe_only:
        yaml = recipe_yaml(lake.workspace, shown)
        if not call.as_json:
            click.echo(yaml, nl=False)
            return 0
    facts = stored_facts(lake.workspace, shown)
    output.document({**shown.to_dict(), "facts": facts})
    if not call.as_json:
        from rich.text import Text

        from winnowry.storage.settings import reading_options

        output.show(*facts_view(facts), "")
        uri = lake.table(f"{corpus}.published", shown.version).uri
        output.show(*release_view(shown, uri, reading_options(lake.workspace.lake.storage_options)))
        if out is not None:
            output.show("", Text.assemble(("✓ ", "bold green"), f"{_DOCUMENTS[_suffix(out)]}: {out}"), soft_wrap=True)
    return 0


_DOCUMENTS = {".html": "page", ".md": "card", ".json": "Croissant card"}


def _suffix(out: Path) -> str:
    suffix = out.suffix.lower()
    return ".html" if suffix == ".htm" else suffix


def _write_document(lake: Lake, release: Release, out: Path, *, mask: bool) -> None:
    from winnowry.releases.documents import rendered
    from winnowry.releases.facts.facts import release_facts

    if _suffix(out) not in _DOCUMENTS:
        raise UsageError(f"--out {out}: the name ends in .html (page), .md (card) or .json (Croissant card)")
    if not out.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}")
    document = rendered(release_facts(lake.workspace, release.corpus, release, mask=mask), _suffix(out))
    try:
        out.write_text(document, encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"--out {out}: {error.strerror or error}") from error


@command.command(
    "diff",
    short_help="Records that entered and left, and what changed in the recipe.",
    epilog=examples("winnowry release diff support v2 prod"),
)
@click.argument("corpus")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@common_options
def diff_command(corpus: str, old: str, new: str, call: Call) -> int:
    """Compare two releases of CORPUS: records that entered and left, and what changed in the recipe."""
    difference = call.lake().diff(corpus, old, new)
    output = call.output()
    output.document(difference.to_dict())
    if not call.as_json:
        output.show(*diff_view(difference))
    return 0


@command.command(
    "rollback",
    short_help="Point a tag at a release, and hold it there.",
    epilog=examples("winnowry release rollback support v2", "winnowry release rollback support v2 --tag prod"),
)
@click.argument("corpus")
@click.argument("release", metavar="RELEASE")
@click.option("--tag", metavar="TAG", help="Tag to move; default: the only one that is not a release's own name.")
@common_options
def rollback_command(corpus: str, release: str, tag: str | None, call: Call) -> int:
    """Point the tag (prod) of CORPUS at RELEASE. Nothing is rewritten; readers of the tag see it at once.

    On an older release the tag is held: runs make new releases and leave the tag where it is. Point it at the newest
    release, and it follows the next ones again.
    """
    done = call.lake().rollback(corpus, release, tag)
    output = call.output()
    output.document(done)
    if not call.as_json:
        from rich.text import Text

        output.show(
            Text.assemble(
                ("✓ ", "bold green"), (f"{corpus} {done.tag}", "bold"), f": {done.before or 'nothing'} → {done.after}",
                (f"  published@{done.version}", "bright_black"),
            ),
            "  held there, whatever is published" if done.held else "  it follows new releases",
        )  # fmt: skip
    return 0


def releases_view(releases: list[Release]) -> list[RenderableType]:
    """Releases as a table."""
    from rich.text import Text

    from winnowry.cli.output import grid
    from winnowry.core.numbers import number

    size = (releases[0].unit or "tokens").capitalize() if releases else "Tokens"
    erased = ["Erased"] if any(release.erased for release in releases) else []
    table = grid(
        ["Release", "Tags", "Created (UTC)", "Rows", size, "Added", "Removed", "Version", "Left out", *erased],
        right=["Rows", size, "Added", "Removed", "Version"],
    )
    for release in releases:
        table.add_row(
            Text(release.name, "bold"),
            Text(", ".join(release.tags), "green"),
            f"{release.created_at:%Y-%m-%d %H:%M}" if release.created_at else "",
            number(release.rows),
            number(release.size if release.unit else release.tokens),
            number(release.rows_added),
            number(release.rows_removed),
            str(release.version),
            Text(", ".join(release.missing_partitions), "yellow"),
            *([_erased(release)] if erased else []),
        )
    return [table]


def _erased(release: Release) -> str:
    from winnowry.core.numbers import counted, day

    return ", ".join(f"{counted(e['rows'], 'record')} on {day(e['at'])}" for e in release.erased or ())


def facts_view(facts: Mapping[str, Any]) -> list[RenderableType]:
    """What the card of a release says, for a terminal."""
    from rich.markdown import Markdown

    from winnowry.core.visible import visible
    from winnowry.report.markdown_card import markdown_facts

    shown = "\n".join(visible(line) for line in markdown_facts(facts).split("\n"))
    return [_Loud(Markdown(shown, hyperlinks=False))]


class _Loud:
    """Markdown whose bold words, which are limits that are serious or not met, are red."""

    def __init__(self, markdown: RenderableType) -> None:
        self._markdown = markdown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        from rich.theme import Theme

        with console.use_theme(Theme({"markdown.strong": "bold red"})):
            yield from console.render(self._markdown, options)


def release_view(release: Release, uri: str, options: Mapping[str, str]) -> list[RenderableType]:
    """One release: which it is and how to read it."""
    from rich.table import Table
    from rich.text import Text

    from winnowry.cli.summary import python_code
    from winnowry.core.numbers import counted, day, number
    from winnowry.lakehouse.lance_uri import reading_lines

    table = Table.grid(padding=(0, 2, 0, 0))
    facts = {
        "tags": ", ".join(release.tags),
        "rows": number(release.rows),
        release.unit or "tokens": number(release.size if release.unit else release.tokens),
        "added": number(release.rows_added),
        "removed": number(release.rows_removed),
        "created": f"{release.created_at:%Y-%m-%d %H:%M:%S} UTC" if release.created_at else "",
        "left out": ", ".join(release.missing_partitions),
        "stale": ", ".join(str(stale["partition"]) for stale in release.stale_partitions or ()),
        "left out, signed": ", ".join(str(left_out["partition"]) for left_out in release.left_out_partitions or ()),
        "erased": ", ".join(
            f"{counted(e['rows'], 'record')} on {day(e['at'])}: {e['certificate']}" for e in release.erased or ()
        ),
        "recipe": release.data_hash or "",
        "run": release.run_id or "",
        "promotion": release.promotion_id or "",
        "table": f"{uri} @ {release.version}",
    }
    for name, value in facts.items():
        if value:
            table.add_row(Text(f"  {name}", "bright_black"), Text(value))
    code = python_code(reading_lines(uri, repr(release.name), options))
    return [Text(f"{release.corpus} {release.name}", "bold"), table, "", code]


def diff_view(difference: ReleaseDiff) -> list[RenderableType]:
    """What differs between two releases."""
    from rich.text import Text

    from winnowry.cli.output import grid
    from winnowry.core.numbers import counted, number

    summary = grid(["", difference.old, difference.new, "Change"], right=[difference.old, difference.new, "Change"])
    for name, old, new in (
        ("Rows", difference.rows_old, difference.rows_new),
        _sizes(difference),
    ):
        summary.add_row(name, number(old), number(new), _signed(old, new))
    share = (
        ""
        if difference.changed_fraction is None
        else f"; that is {difference.changed_fraction:.2%} of {difference.old}"
    )
    parts: list[RenderableType] = [
        Text(f"{difference.corpus} {difference.old} → {difference.new}", "bold"),
        "",
        summary,
        "",
        Text.assemble(
            (f"+{number(difference.added)}", "green"), "  ", (f"−{number(difference.removed)}", "red"),
            f"  {number(difference.kept)} in both{share}",
        ),
    ]  # fmt: skip
    if difference.partitions:
        table = grid(["Partition", "Added", "Removed"], right=["Added", "Removed"])
        for change in difference.partitions[:20]:
            table.add_row(change.partition, number(change.added), number(change.removed))
        parts += ["", table]
        if len(difference.partitions) > 20:
            parts.append(Text(f"… {counted(len(difference.partitions) - 20, 'more partition')}", "bright_black"))
    parts += _changes_view(difference)
    parts += ["", Text("Recipe", "bold")]
    parts += [Text(f"  {line}") for line in difference.recipe_changes] or [Text("  unchanged", "bright_black")]
    if difference.recipe_of_stages:
        parts.append(Text("  as the promotion records say: a release is older than stored recipes", "bright_black"))
    return parts


def _changes_view(difference: ReleaseDiff) -> list[RenderableType]:
    from rich.text import Text

    from winnowry.cli.output import grid
    from winnowry.core.numbers import number

    parts: list[RenderableType] = []
    if difference.removed_reasons:
        left = grid(["Why removed", "Records"], right=["Records"])
        for reason, count in difference.removed_reasons.items():
            left.add_row(reason, number(count))
        parts += ["", left]
    if difference.sources:
        names = [
            f"Rows {difference.old}",
            f"Rows {difference.new}",
            f"Share {difference.old}",
            f"Share {difference.new}",
        ]
        mix = grid(["Source", *names], right=names)
        totals = sum(s.tokens_old for s in difference.sources), sum(s.tokens_new for s in difference.sources)
        for item in difference.sources[:20]:
            shares = (_share(item.tokens_old, totals[0]), _share(item.tokens_new, totals[1]))
            mix.add_row(item.source, number(item.rows_old), number(item.rows_new), *shares)
        parts += ["", mix, Text(f"  shares of {difference.unit or 'tokens'}", "bright_black")]
    if difference.scores:
        names = [
            f"Mean {difference.old}",
            f"Mean {difference.new}",
            f"Median {difference.old}",
            f"Median {difference.new}",
        ]
        scores = grid(["Column", *names], right=names)
        for score in difference.scores[:30]:
            values = (score.mean_old, score.mean_new, score.median_old, score.median_new)
            scores.add_row(score.column, *("" if value is None else f"{value:.4g}" for value in values))
        parts += ["", scores]
    if difference.gates:
        gates = grid(["Gate", "Column", difference.old, difference.new])
        for gate in difference.gates[:20]:
            name = f"{gate.suite} {gate.expectation}"
            gates.add_row(name, gate.column or "", gate.verdict_old or "–", gate.verdict_new or "–")
        parts += ["", gates]
    return parts


def _sizes(difference: ReleaseDiff) -> tuple[str, int | None, int | None]:
    if difference.unit is None:
        return "Tokens", difference.tokens_old, difference.tokens_new
    return difference.unit.capitalize(), difference.size_old, difference.size_new


def _share(tokens: int, total: int) -> str:
    return f"{tokens / total:.1%}" if total else ""


def _signed(old: int | None, new: int | None) -> str:
    return "" if old is None or new is None else f"{new - old:+,}"
