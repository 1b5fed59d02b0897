"""``winnowry export``: a release as plain files."""

from __future__ import annotations

from typing import Literal, get_args

import click

from winnowry.cli.examples import examples
from winnowry.cli.options import Call, common_options
from winnowry.core.export_formats import ExportFormat


@click.command(
    "export",
    short_help="Write a release as JSONL, Parquet, WebDataset or label files, shuffled.",
    epilog=examples(
        "winnowry export support --format parquet --out out/",
        "winnowry export support --format jsonl --tag v2 --out out-v2/",
        "winnowry export photos --format webdataset --out shards/  # pictures, captions, fields",
        "winnowry export street --format coco --out coco/  # annotations, also as yolo, voc, cvat, kitti",
    ),
)
@click.argument("corpus")
@click.option("--format", "format_", type=click.Choice(get_args(ExportFormat)), required=True, help="File format.")
@click.option("--out", required=True, metavar="DIR", help="Folder or s3:// URI; must not hold an export yet.")
@click.option("--tag", metavar="TAG", help="Release or tag; default: prod, else the newest release.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the shuffle.")
@click.option(
    "--profile",
    type=click.Choice(["tc609", "messages", "sharegpt", "preference"]),
    help="Record format of JSON Lines: tc609 (SAC/TC609); messages (TRL, Axolotl), sharegpt (LLaMA-Factory) or "
    "preference (TRL) of conversations and pairs.",
)
@common_options
def command(
    corpus: str,
    format_: ExportFormat,
    out: str,
    tag: str | None,
    seed: int,
    profile: Literal["tc609", "messages", "sharegpt", "preference"] | None,
    call: Call,
) -> int:
    """Write a release of CORPUS as files, in one random order over the whole corpus.

    The same release and seed give the same bytes. manifest.json lists the files with rows, bytes and SHA-256. Bytes of
    files are Base64 in jsonl, a binary column of parquet, and files as they arrived in the archives of webdataset;
    beside each archive NAME.files.jsonl has the SHA-256 of every file in it. Annotations are also written as coco,
    yolo, voc, cvat and kitti; what such a format cannot say is counted under "losses" in manifest.json.
    """
    done = call.lake().export(corpus, format_, out, tag, seed=seed, profile=profile)
    output = call.output()
    output.document(done.to_dict())
    if not call.as_json:
        from rich.text import Text

        from winnowry.cli.output import grid
        from winnowry.core.numbers import byte_size, counted, number

        table = grid(["File", "Rows", "Size", "SHA-256"], right=["Rows", "Size"])
        for file in done.files[:20]:
            table.add_row(
                file.name, number(file.rows), byte_size(file.bytes), Text(file.sha256[:16] + "…", "bright_black")
            )
        amount = f"{counted(done.rows, 'row')}, {byte_size(done.bytes)} in {counted(len(done.files), 'file')}"
        headline = Text.assemble(
            ("✓ ", "bold green"), (f"{corpus} {done.release}", "bold"), f": {amount} below {done.out}"
        )
        output.show(headline, "", table)
        if done.losses:
            left_out = ", ".join(f"{number(count)} {name}" for name, count in done.losses.items())
            output.show(Text(f"{done.profile or format_} cannot say, and leaves out: {left_out}", "yellow"))
        if len(done.files) > 20:
            output.show(Text(f"… {counted(len(done.files) - 20, 'more file')} in manifest.json", "bright_black"))
    return 0
