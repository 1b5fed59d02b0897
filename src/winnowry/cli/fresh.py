"""What a run answers that had nothing to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from winnowry.api.lake import Lake
    from winnowry.releases.model import Release
    from winnowry.runs.order import RunOutcome


def nothing_was_to_do(outcome: RunOutcome) -> bool:
    """Whether every stage was fresh, nothing is left out, and no gate has anything to say about what it saw then."""
    return (
        outcome.succeeded
        and bool(outcome.results)
        and not (outcome.waiting or outcome.gaps or outcome.left_out)
        and all(result.status == "skipped" for result in outcome.results)
        and all(gate.verdict == "pass" for result in outcome.results for gate in result.gates)
    )


def latest_release(lake: Lake, outcome: RunOutcome) -> Release | None:
    """The release that the run would have made anew: the one its recipe's tag is on, else the newest; or None."""
    if outcome.results[-1].stage != "published":
        return None
    releases = lake.releases(outcome.corpus)
    tagged = (release for release in releases if outcome.tag is not None and outcome.tag in release.tags)
    return next(tagged, releases[0])


def fresh_view(outcome: RunOutcome, release: Release | None) -> list[RenderableType]:
    """One line, and how to see more.

    Args:
        outcome: a run in which every stage was fresh.
        release: what readers get; None where the run was to end before.
    """
    from rich.text import Text

    from winnowry.core.numbers import counted

    if release is None:
        last = outcome.results[-1].stage
        return [Text(f"Nothing to do: every stage of {outcome.corpus} up to {last} is fresh.", "green")]
    tagged = outcome.tag if outcome.tag in release.tags else None
    name = f"{tagged} is {release.name}" if tagged else f"the release is {release.name}"
    line = f"Nothing to do: every stage is fresh; {name} ({counted(release.rows, 'record')})."
    more = f"More of it: winnowry release show {outcome.corpus} {tagged or release.name}"
    return [Text(line, "green"), Text(more, "bright_black")]
