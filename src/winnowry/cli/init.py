"""``winnowry init``: write a project to start from."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from winnowry.cli.examples import examples
from winnowry.cli.options import Call, common_options
from winnowry.runs.template import FILES, FOLDERS, template_root

_IGNORED = (".winnowry/", "lake/", "__pycache__/")


@click.command(
    "init",
    short_help="Write a new project into a folder.",
    epilog=examples("winnowry init my-lake"),
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@common_options
def command(directory: Path, call: Call) -> int:
    """Write a project into DIR: assets/, resources/, expectations/, recipes/ and workspace.yaml.

    It is the code location that winnowry itself ships: yours to change. Nothing that exists is overwritten.
    """
    written = write_project(template_root(), directory)
    output = call.output()
    output.document({"directory": str(directory.resolve()), "files": [path.as_posix() for path in written]})
    if not call.as_json:
        from rich.text import Text

        from winnowry.cli.output import grid
        from winnowry.core.numbers import counted

        table = grid(["Folder", "Files", "What for"], right=["Files"])
        purposes = {
            "recipes": "what to make: one YAML a corpus",
            "expectations": "what each stage promises: Great Expectations suites",
            "assets": "the Dagster code location",
            "resources": "its resources: store, lakehouse, engine",
        }
        for folder, purpose in purposes.items():
            table.add_row(f"{folder}/", str(sum(path.parts[0] == folder for path in written)), purpose)
        output.show(
            Text.assemble(("✓ ", "bold green"), (str(directory), "bold"), f": {counted(len(written), 'file')} written"),
            "", table, "", Text("Next", "bold"),
            Text.assemble("  ", (f"cd {directory} && winnowry demo", "cyan")),
        )  # fmt: skip
    return 0


def write_project(template: Path, directory: Path) -> list[Path]:
    """Copy the template.

    Args:
        template: folder that holds it.
        directory: where to; made when missing.

    Returns:
        Paths written, relative to the directory, sorted.

    Raises:
        UsageError: a file is already there; then nothing is written.
    """
    from winnowry.core.errors import UsageError

    files = sorted(
        path.relative_to(template)
        for folder in FOLDERS
        for path in (template / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    )
    files += [Path(name) for name in FILES if (template / name).is_file()]
    present = [path.as_posix() for path in files if (directory / path).exists()]
    if present:
        shown = ", ".join(present[:5]) + (f" and {len(present) - 5} more" if len(present) > 5 else "")
        raise UsageError(f"{directory} already holds {shown}; nothing was written. Name another folder.")
    for path in files:
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(template / path, directory / path)
    ignore = directory / ".gitignore"
    if not ignore.exists():
        ignore.write_text("\n".join(_IGNORED) + "\n", encoding="utf-8")
        files.append(Path(".gitignore"))
    return sorted(files)
