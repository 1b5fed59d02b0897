"""``winnowry run``: execute the stages of a recipe."""

from __future__ import annotations

import click

from winnowry.cli.examples import examples
from winnowry.cli.options import Call, common_options, recipe_argument


@click.command(
    "run",
    short_help="Execute the stages of a recipe; fresh ones are skipped.",
    epilog=examples(
        "winnowry run recipes/support.yaml  # every partition, every stage",
        "winnowry run support --partition 2026-10  # one month of the recipe recipes/support.yaml",
        "winnowry run support --to cleaned --json  # stop after a stage; one JSON document",
    ),
)
@recipe_argument
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
@click.option(
    "--engine", metavar="NAME", help="What units of work run on, e.g. local[8]; default: WINNOWRY_ENGINE, else local."
)
@click.option("--allow-missing", is_flag=True, help="Let corpus-wide stages run without some partitions; recorded.")
@click.option("--retry-refused", is_flag=True, help="Try again what a gate refused, though nothing has changed since.")
@click.option(
    "--force",
    "forced",
    multiple=True,
    metavar="STAGE[/PARTITION]",
    help="Make this stage again though it is fresh, of one partition or of every one; take nothing over. Repeatable.",
)
@click.option("--take-over", is_flag=True, help="Let RECIPE take the place of another one of the same corpus.")
@click.option("--without-dagster", is_flag=True, help="Leave no trace in the Dagster instance.")
@common_options
def command(
    recipe: str,
    partitions: tuple[str, ...],
    to: str | None,
    jobs: int | None,
    engine: str | None,
    allow_missing: bool,
    retry_refused: bool,
    forced: tuple[str, ...],
    take_over: bool,
    without_dagster: bool,
    call: Call,
) -> int:
    """Execute the stages of RECIPE (a path, or a name in recipes/) in order.

    Every stage is staged, audited by its gates and only then promoted; what is fresh is skipped. The run is recorded
    in the Dagster instance of WINNOWRY_HOME. Exit code 1 when a gate refused data: its table is then as it was.
    """
    return execute(
        call,
        recipe,
        partitions=partitions,
        to=to,
        allow_missing=allow_missing,
        dagster=not without_dagster,
        jobs=jobs,
        engine=engine,
        retry_refused=retry_refused,
        force=forced,
        take_over=take_over,
    )


def execute(
    call: Call,
    recipe: str,
    *,
    partitions: tuple[str, ...] = (),
    to: str | None = None,
    allow_missing: bool = False,
    dagster: bool = True,
    jobs: int | None = None,
    engine: str | None = None,
    retry_refused: bool = False,
    force: tuple[str, ...] = (),
    take_over: bool = False,
) -> int:
    """Run a recipe, show progress and the summary, and return the exit code."""
    from winnowry.api.recipes import recipe_path
    from winnowry.cli.fresh import fresh_view, latest_release, nothing_was_to_do
    from winnowry.cli.output import stderr
    from winnowry.cli.progress import progress_on
    from winnowry.cli.summary import run_summary
    from winnowry.runs.project import find_project

    file = recipe_path(recipe)
    output = call.output()
    with progress_on(stderr(), quiet=call.as_json) as progress:
        outcome = call.lake().run(
            file,
            to=to,
            partitions=partitions,
            jobs=jobs,
            allow_missing=allow_missing,
            dagster=dagster,
            engine=engine,
            retry_refused=retry_refused,
            force=force,
            take_over=take_over,
            progress=progress,
        )
    output.document(outcome.document())
    if nothing_was_to_do(outcome):
        output.show(*fresh_view(outcome, latest_release(call.lake(), outcome)), soft_wrap=True)
        return 0
    output.show(*run_summary(outcome, call.root), soft_wrap=True)
    project = find_project()
    if dagster and file.resolve().parent != (project.root / "recipes").resolve():
        where = "a project (winnowry init DIR)" if project.packaged else str(project.root)
        output.show(f"# to see its graph in the browser too, put {file.name} into recipes/ of {where}")
    return 0 if outcome.succeeded else 1
