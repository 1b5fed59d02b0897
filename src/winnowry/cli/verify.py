"""``winnowry verify``: is everything there that was written, and is it what was written?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from winnowry.cli.examples import examples
from winnowry.cli.options import Call, common_options

if TYPE_CHECKING:
    from rich.console import RenderableType

    from winnowry.inspect.verify import Verification

_COMPARED = {
    "sizes": "sizes compared; contents not read (--deep reads them)",
    "checksums": "sizes and the store's checksums compared; contents not read (--deep reads them)",
    "contents": "sizes compared and every byte read back",
}
_SHOWN = 50


@click.command(
    "verify",
    short_help="Compare the lake's files with what was written; repair what is damaged.",
    epilog=examples(
        "winnowry verify  # everything; a folder of up to 64 GiB is read back",
        "winnowry verify support --deep  # every byte, however much there is",
        "winnowry verify --repair  # make damaged rows again from inputs that are sound",
    ),
)
@click.argument("corpora", nargs=-1, metavar="[CORPUS]...")
@click.option("--deep", "depth", flag_value="contents", help="Read every file back, whatever its size.")
@click.option("--fast", "depth", flag_value="sizes", help="Compare sizes only: what is missing, extra or cut off.")
@click.option("--repair", is_flag=True, help="Make again what is damaged, upstream first.")
@common_options
def command(corpora: tuple[str, ...], depth: str | None, repair: bool, call: Call) -> int:
    """Compare files with their seals: size and SHA-256 of each, kept since it was written.

    Names what is missing, damaged or from elsewhere, which releases it touches, and what to do. Without --deep or
    --fast the files of a folder are read back up to 64 GiB, and of a bucket the store's own checksums are compared.
    Exit code 1 when something is not as it was written.
    """
    from winnowry.cli.output import stderr
    from winnowry.cli.progress import progress_on

    with progress_on(stderr(), quiet=call.as_json) as progress:
        verification = call.lake().verify(corpora, depth=depth, repair=repair, progress=progress)  # type: ignore[arg-type]
    output = call.output()
    output.document(verification.to_dict())
    if not call.as_json:
        output.show(*verification_view(verification), soft_wrap=True)
    return 0 if verification.sound else 1


def verification_view(verification: Verification) -> list[RenderableType]:
    """What was compared and found, for people."""
    from rich.text import Text

    from winnowry.core.numbers import byte_size, number
    from winnowry.inspect.verify import touched_releases

    parts: list[RenderableType] = []
    for done in verification.repaired:
        mark = ("✓", "green") if done.done else ("✗", "red")
        parts.append(Text.assemble(mark, f" {done.corpus}: {done.what}: {done.message}"))
    for finding in verification.findings[:_SHOWN]:
        parts.append(Text.assemble(("✗ ", "red"), (f"{finding.corpus}/{finding.name}", "bold"), f": {finding.message}"))
        of = finding.stage if finding.partition in (None, "__all__") else f"{finding.stage}[{finding.partition}]"
        about = [f"rows of {of}"] if finding.stage is not None and finding.fault != "lost rows" else []
        about += [f"releases {', '.join(finding.releases)}"] if finding.releases else []
        rest = "; ".join([*about, *([finding.repair] if finding.repair else [])])
        if rest:
            parts.append(Text(f"  → {rest}", "yellow"))
    if len(verification.findings) > _SHOWN:
        n_more = len(verification.findings) - _SHOWN
        parts.append(Text(f"… and {number(n_more)} more (--json lists all)", "red"))
    for corpus, releases in touched_releases(verification.findings).items():
        parts.append(Text(f"{corpus}: releases touched: {', '.join(releases)}", "red"))
    size = f"{number(verification.files)} files, {byte_size(verification.bytes)}"
    parts.append(Text(f"{size}: {_COMPARED[verification.depth]}", "bright_black"))
    if verification.not_compared:
        rest = f"{number(verification.not_compared)} of them by size only: no checksum to compare"
        parts.append(Text(rest, "yellow"))
    if verification.not_sealed:
        why = "manifests, the history of gates, and what older versions wrote"
        parts.append(Text(f"{number(verification.not_sealed)} files are not sealed: {why}", "bright_black"))
    n_findings = number(len(verification.findings))
    verdict = Text("sound", "bold green") if verification.sound else Text(f"{n_findings} findings", "bold red")
    return [*parts, verdict]
