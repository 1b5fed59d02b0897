"""``winnowry init``: write a project to start from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from winnowry.cli.examples import examples
from winnowry.cli.options import Call, common_options
from winnowry.runs.template import FILES, FOLDERS, template_root

if TYPE_CHECKING:
    from rich.console import RenderableType

    from winnowry.cli.starter import Guess

_IGNORED = (".winnowry/", "lake/", "__pycache__/")
_WORKSPACE = """\
# The Dagster code location: `dagster dev -w workspace.yaml`, `winnowry ui` and `winnowry run` all load this file, from
# whatever directory.
load_from:
  - python_file:
      relative_path: definitions.py
      working_directory: .
      attribute: defs
      location_name: winnowry
"""
_DEFINITIONS = '''\
"""The code location of this project: the one that winnowry ships, on the recipes in recipes/.

It is upgraded with the package. A folder assets/, resources/ or expectations/ of your own beside this file is used
instead of the packaged one; `winnowry init --full DIR` writes all three to start from.
"""

from winnowry.runs.location import code_location

defs = code_location(__file__).defs
'''


@click.command(
    "init",
    short_help="Write a new project into a folder.",
    epilog=examples(
        "winnowry init my-lake",
        "winnowry init .  # here; the recipe is guessed from the first file below lake/landing/",
        "winnowry init --full my-lake  # with copies of the code location, to change it",
    ),
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--full", is_flag=True, help="Also copy assets/, resources/ and expectations/, to change them.")
@common_options
def command(directory: Path, full: bool, call: Call) -> int:
    """Write a project into DIR: a recipe, and the few files by which Dagster loads the packaged code location.

    The recipe is guessed from the first file below landing/ of the lake, which is DIR/lake unless --root names a
    folder; look whether it is right. Nothing that exists is overwritten.
    """
    from winnowry.cli.starter import corpus_name, guess_from, recipe_of

    default = click.get_current_context().get_parameter_source("root") == click.core.ParameterSource.DEFAULT
    lake = directory / "lake" if default else Path(call.root)
    corpus = corpus_name(directory)
    guess = None if "://" in call.root and not default else guess_from(lake)
    recipe = f"recipes/{corpus}.yaml"
    written = write_project(template_root(), directory, full=full, texts={recipe: recipe_of(corpus, guess)})
    output = call.output()
    output.document(
        {
            "directory": str(directory.resolve()),
            "files": [path.as_posix() for path in written],
            "recipe": recipe,
            "guess": guess.to_dict() if guess is not None else None,
        }
    )
    if not call.as_json:
        output.show(*_view(directory, written, recipe, lake, guess), soft_wrap=True)
    return 0


def _view(directory: Path, written: list[Path], recipe: str, lake: Path, guess: Guess | None) -> list[RenderableType]:
    from rich.text import Text

    from winnowry.cli.output import grid
    from winnowry.core.numbers import counted

    table = grid(["Written", "Files", "What for"], right=["Files"])
    purposes = {
        "recipes": "what to make: one YAML a corpus",
        "definitions.py": "the code location that comes with winnowry",
        "expectations": "what each stage promises: Great Expectations suites",
        "assets": "the Dagster code location",
        "resources": "its resources: store, lakehouse, engine",
        "workspace.yaml": "by which Dagster finds it",
    }
    for name, purpose in purposes.items():
        n_files = sum(path.parts[0] == name for path in written)
        if n_files:
            table.add_row(name if "." in name else f"{name}/", str(n_files), purpose)
    done = Text.assemble(("✓ ", "bold green"), (str(directory), "bold"), f": {counted(len(written), 'file')} written")
    steps = [f"cd {directory}"] if directory != Path() else []
    if guess is None:
        about = f"No file with records was found below {lake / 'landing'}: put yours there and edit {recipe}."
        steps.append("winnowry demo")
    else:
        roles = {"text": guess.text, "id": guess.id, "event_time": guess.event_time}
        shown = ", ".join(f"{role} {field or '–'}" for role, field in roles.items())
        about = (
            f"{recipe} is guessed from {counted(guess.n_records, 'record')} of {guess.file} ({guess.format}): {shown}. "
            f"Its source {guess.uri} takes {counted(guess.n_files, 'file')}."
        )
        steps.append(f"winnowry plan {recipe}")
    return [done, "", table, "", Text(about, "yellow"), "", Text("Next", "bold"), Text(" && ".join(steps), "cyan")]


def write_project(
    template: Path, directory: Path, *, full: bool = False, texts: Mapping[str, str] | None = None
) -> list[Path]:
    """Write the files of a project.

    Args:
        template: folder that holds the packaged code location.
        directory: where to; made when missing.
        full: copy the template whole, instead of the files that load it from the package.
        texts: further files by their paths, e.g. a recipe.

    Returns:
        Paths written, relative to the directory, sorted.

    Raises:
        UsageError: a file is already there; then nothing is written.
    """
    from winnowry.core.errors import UsageError

    copied = [
        path.relative_to(template)
        for folder in FOLDERS
        for path in (template / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    ]
    copied += [Path(name) for name in FILES if (template / name).is_file()]
    texts = dict(texts or {})
    if not full:
        copied = [Path("recipes/recipe.schema.json")]
        texts |= {"workspace.yaml": _WORKSPACE, "definitions.py": _DEFINITIONS}
    contents = {path: (template / path).read_bytes() for path in copied}
    contents |= {Path(name): text.encode() for name, text in texts.items()}
    present = sorted(path.as_posix() for path in contents if (directory / path).exists())
    if present:
        shown = ", ".join(present[:5]) + (f" and {len(present) - 5} more" if len(present) > 5 else "")
        raise UsageError(f"{directory} already holds {shown}; nothing was written. Name another folder.")
    if not (directory / ".gitignore").exists():
        contents[Path(".gitignore")] = ("\n".join(_IGNORED) + "\n").encode()
    for path, content in contents.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(content)
    return sorted(contents)
