"""The weekly upkeep: what ``winnowry maintain`` does, as a job of each corpus."""

# No deferred annotations here: Dagster reads the type of an op's context as it stands.
from typing import TYPE_CHECKING

import dagster as dg

from assets.run_history import forget_runs
from resources.lakehouse import LakehouseResource

if TYPE_CHECKING:
    from winnowry.inspect.maintain import Maintenance
    from winnowry.recipe.model import Recipe

MAINTAIN_AT = "0 6 * * 0"


class MaintenanceConfig(dg.Config):
    """Options of an upkeep.

    Attributes:
        keep_days: versions younger than this stay, and tagged ones always; Data Docs and finished runs stay for 30
            days, or for this time where it is longer.
        dry_run: only say what would be done.
    """

    keep_days: float = 7.0
    dry_run: bool = False


def maintenance_job(recipe: "Recipe") -> dg.JobDefinition:
    """Merges small fragments, indexes new rows, removes what is out of its retention."""

    @dg.op(
        name=f"{recipe.corpus}_maintain_tables",
        description="Keeps the tables fast and small; leaves alone what a tag, a promotion or a column needs.",
    )
    def maintain_tables(
        context: dg.OpExecutionContext, config: MaintenanceConfig, lakehouse: LakehouseResource
    ) -> None:
        from winnowry.inspect.maintain import maintain
        from winnowry.inspect.retention import KEEP_PAGES_DAYS

        ws = lakehouse.open()
        if recipe.corpus not in ws.lake.corpora():
            context.log.info(f"{recipe.corpus}: nothing has landed yet")
            return
        (done,) = maintain(ws, [recipe.corpus], keep_days=config.keep_days, dry_run=config.dry_run)
        context.add_output_metadata(
            {
                "tables": dg.MetadataValue.md(_as_markdown(done)),
                "bytes_removed": sum(upkeep.bytes_removed for upkeep in done.tables),
                "fragments_merged": sum(upkeep.fragments_merged for upkeep in done.tables),
                "docs_removed": done.docs_removed,
                "runs_removed": forget_runs(
                    context.instance,
                    recipe,
                    keep_days=max(config.keep_days, KEEP_PAGES_DAYS),
                    dry_run=config.dry_run,
                ),
                "dry_run": done.dry_run,
            }
        )

    @dg.job(
        name=f"{recipe.corpus}_maintenance",
        description=f"Upkeep of the tables of {recipe.corpus}; safe beside whatever else is at work.",
        tags={"winnowry/corpus": recipe.corpus},
    )
    def maintenance() -> None:
        maintain_tables()

    return maintenance


def maintenance_schedule(recipe: "Recipe", job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Every Sunday."""
    return dg.ScheduleDefinition(
        name=f"{recipe.corpus}_maintenance_weekly",
        job=job,
        cron_schedule=MAINTAIN_AT,
        execution_timezone="UTC",
        description=f"Merges, indexes and cleans up the tables of {recipe.corpus}.",
    )


def _as_markdown(done: "Maintenance") -> str:
    lines = ["| table | fragments | indexed | versions removed | bytes removed | left for the next time |"]
    lines.append("|---|---:|---:|---:|---:|---|")
    lines += [
        f"| {item.table} | {item.fragments_before} → {item.fragments_after} | {item.unindexed_fragments} "
        f"| {item.versions_removed} | {item.bytes_removed} | {'; '.join(item.postponed)} |"
        for item in done.tables
    ]
    return "\n".join(lines)
