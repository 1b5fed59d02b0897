"""``winnowry run``: execute the stages of a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from winnowry.cli.options import Call, common_options, recipe_path

if TYPE_CHECKING:
    from winnowry.runs.order import Runner, RunOutcome


@click.command("run", short_help="Execute the stages of a recipe; fresh ones are skipped.")
@click.argument("recipe", metavar="RECIPE")
@click.option(
    "--partition", "partitions", multiple=True, metavar="KEY", help="Only this partition. Repeatable; default: all."
)
@click.option(
    "--to",
    metavar="STAGE",
    help="Stop after this stage, or this column of the recipe (TABLE.COLUMN); `winnowry plan` lists them.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Partitions taken through their stages at once, each in a process; default: as many as pay off.",
)
@click.option("--allow-missing", is_flag=True, help="Let corpus-wide stages run without some partitions; recorded.")
@click.option("--without-dagster", is_flag=True, help="Leave no trace in the Dagster instance.")
@common_options
def command(
    recipe: str,
    partitions: tuple[str, ...],
    to: str | None,
    jobs: int | None,
    allow_missing: bool,
    without_dagster: bool,
    call: Call,
) -> int:
    """Execute the stages of RECIPE (a path, or a name in recipes/) in order.

    Every stage is staged, audited by its gates and only then promoted; what is fresh is skipped. The run is recorded
    in the Dagster instance of WINNOWRY_HOME. Exit code 1 when a gate refused data: its table is then as it was.
    """
    return execute(
        call,
        recipe_path(recipe),
        partitions=partitions,
        to=to,
        allow_missing=allow_missing,
        direct=without_dagster,
        jobs=jobs,
    )


def execute(
    call: Call,
    recipe_file: Path,
    *,
    partitions: tuple[str, ...] = (),
    to: str | None = None,
    allow_missing: bool = False,
    direct: bool = False,
    jobs: int | None = None,
) -> int:
    """Run the recipe of a file, show progress and the summary, and return the exit code."""
    from winnowry.cli.output import stderr
    from winnowry.cli.progress import progress_on
    from winnowry.cli.summary import run_summary
    from winnowry.recipe.load import load_recipe
    from winnowry.runs.order import RunRequest
    from winnowry.runs.project import find_project
    from winnowry.stages.graph import stage_of

    recipe = load_recipe(recipe_file)
    if to is not None:
        stage_of(recipe, to)
    output = call.output()
    request = RunRequest(call.workspace(), recipe, find_project(), partitions, to, allow_missing, jobs, recipe_file)
    with progress_on(stderr(), quiet=call.as_json) as progress:
        outcome: RunOutcome = _runner(direct=direct)(request, progress)
    output.document(outcome.document())
    output.show(*run_summary(outcome, call.root, recipe.publish.tag), soft_wrap=True)
    if not direct and recipe_file.resolve().parent != (request.project.root / "recipes").resolve():
        where = "a project (winnowry init DIR)" if request.project.packaged else str(request.project.root)
        output.show(f"# to see its graph in the browser too, put {recipe_file.name} into recipes/ of {where}")
    return 0 if outcome.succeeded else 1


def _runner(*, direct: bool) -> Runner:
    if direct:
        from winnowry.runs.direct import run_direct

        return run_direct
    from winnowry.runs.dagster import run_in_dagster

    return run_in_dagster
