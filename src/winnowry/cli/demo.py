"""``winnowry demo``: the whole way on real text, without network."""

from __future__ import annotations

import click

from winnowry.cli.examples import examples
from winnowry.cli.options import Call, common_options

RECIPE = "aws_docs"


@click.command(
    "demo",
    short_help="Land the AWS API reference and take it through every stage.",
    epilog=examples("winnowry demo", "winnowry demo --versions 3 --root small-lake  # a smaller, quicker corpus"),
)
@click.option(
    "--versions", type=click.IntRange(min=1), metavar="N", help="Land only N API versions: a smaller, quicker corpus."
)
@common_options
def command(versions: int | None, call: Call) -> int:
    """Land the AWS API reference that botocore ships and run the recipe aws_docs: real text, offline.

    Works in any folder; outside a project the packaged one is used. A second call finds everything fresh.
    """
    from winnowry.cli.demo_corpus import land_demo_corpus
    from winnowry.cli.run import execute

    workspace = call.lake().workspace
    landed = land_demo_corpus(workspace.store, versions_limit=versions)
    if not call.as_json:
        from rich.text import Text

        from winnowry.core.numbers import byte_size, number

        years = list(landed.years)
        call.output().show(
            Text.assemble(
                ("✓ ", "green"), ("landed", "bold"), f"  {number(landed.records)} pages of the AWS API reference, "
                f"{byte_size(landed.bytes)} of HTML, {years[0]}–{years[-1]}, in {number(landed.objects)} objects below "
                f"{workspace.root}/landing",
            ),
            soft_wrap=True,
        )  # fmt: skip
    return execute(call, RECIPE)
