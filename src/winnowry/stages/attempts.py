"""What a stage is about to be tried with, and what automation has given up.

An attempt has a *token*: equal tokens mean that nothing has changed since, neither what the stage reads nor what
judges it nor what is live. An attempt that promotes changes what is live, so only attempts that came to nothing have
a token in common. After three of them automation stops, and says so in a file beside the tables, which plan and doctor
read: it holds until one of these changes, or somebody runs the stage.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from winnowry.core.errors import NotFoundError
from winnowry.core.formats import from_bytes, to_bytes
from winnowry.core.jsonable import digest
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.lineage import package_versions
from winnowry.promotion.refusal import rules_digest
from winnowry.promotion.request import SuiteProvider
from winnowry.recipe.model import Recipe
from winnowry.stages.freshness import inputs_of, live_record
from winnowry.stages.graph import stages_in

ATTEMPTS = 3
"""Attempts with one token before automation stops."""

_TOKEN_CHARACTERS = 16


@dataclass(frozen=True)
class Stopped:
    """A stage that automation has given up.

    Attributes:
        token: of the attempts that came to nothing.
    """

    stage: str
    partition: str | None
    token: str

    def sentence(self) -> str:
        """What plan and doctor say of it."""
        where = self.stage + (f"[{self.partition}]" if self.partition is not None else "")
        return (
            f"{where}: the sensor tried it {ATTEMPTS} times without a promotion and has stopped; see why in the log of "
            "its last run, then run it by hand"
        )


def token_of(
    ws: Workspace, recipe: Recipe, stage: str, partition: str | None, suites: SuiteProvider, rules: str | None = None
) -> str:
    """Token of an attempt on a stage.

    Args:
        ws: the lake, or a snapshot of it.
        recipe: the recipe.
        stage: name of one of its stages.
        partition: partition key; None for a stage over the whole corpus.
        suites: gives the suites that will judge.
        rules: digest of these, where it is known already.
    """
    step = next(known for known in stages_in(recipe) if known.name == stage)
    live = live_record(ws, recipe, step, partition)
    about: list[Any] = [
        stage,
        partition,
        step.hash(recipe),
        sorted(inputs_of(ws, recipe, step, partition).items()),
        live.id if live is not None else None,
        signatures(recipe),
        rules if rules is not None else rules_digest(suites),
        package_versions(),
    ]
    return digest(about)[:_TOKEN_CHARACTERS]


def signatures(recipe: Recipe) -> list[dict[str, Any]]:
    """What people have signed for in spite of a gate, as far as it counts today."""
    return [accepted.document() for accepted in recipe.gates.accept or () if accepted.counts()]


def keep_stopped(ws: Workspace, corpus: str, stopped: Iterable[Stopped]) -> None:
    """Write down what automation has given up; all of it, every time."""
    steps = sorted((asdict(step) for step in stopped), key=lambda step: (step["stage"], step["partition"] or ""))
    uri = _uri(ws, corpus)
    if steps:
        ws.store.write(uri, to_bytes("stopped automation", {"steps": steps}))
    else:
        ws.store.delete(uri)


def stopped_steps(ws: Workspace, recipe: Recipe, suites: SuiteProvider | None) -> list[Stopped]:
    """What automation has given up and would give up today; without suites, what it had given up."""
    stages = {stage.name for stage in stages_in(recipe)}
    return [
        step
        for step in stored_steps(ws, recipe.corpus)
        if suites is None
        or (step.stage in stages and step.token == token_of(ws, recipe, step.stage, step.partition, suites))
    ]


def stored_steps(ws: Workspace, corpus: str) -> list[Stopped]:
    """What automation had given up when it last looked."""
    uri = _uri(ws, corpus)
    try:
        body = ws.store.read(uri)
    except NotFoundError:
        return []
    steps = from_bytes("stopped automation", uri, body).content["steps"]
    return [Stopped(step["stage"], step["partition"], step["token"]) for step in steps]


def _uri(ws: Workspace, corpus: str) -> str:
    return f"{ws.lake.corpus_uri(corpus)}/stopped.json"
