"""A corpus of days in files of their own, of which one can be made bad: its texts are too short for the recipe."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from expectations.registry import suites_for
from winnowry.core.ids import record_id
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.request import SuiteProvider
from winnowry.promotion.result import StageResult
from winnowry.recipe.load import apply_overrides, load_recipe
from winnowry.recipe.model import Recipe
from winnowry.runs.order import Failure, RunOutcome, StageFailed, run_in_order
from winnowry.runs.project import find_project
from winnowry.runs.request import RunRequest
from winnowry.stages.run import run_stage

CORPUS = "days"
RECIPE = """version: 1
corpus: days
sources:
  - {name: s, uri: "landing/s/*.jsonl", fields: {id: id, text: text, event_time: t}, partition: {every: day}}
clean:
  - {op: text.length, min_words: 5}
score:
  - {op: score.token_count}
sample: {method: uniform, token_fraction: 1.0}
gates: {cleaned: {min_kept_fraction: 0.5}}
"""


def texts(label: str, good: int, bad: int = 0) -> list[str]:
    """Texts of which the first are long enough and different, the others too short."""
    long = [f"The {label} printer number {n} does not answer since the last update." for n in range(good)]
    return [*long, *["too short"] * bad]


def land(root: Path, day: str, lines: Sequence[str]) -> None:
    """Write one day; record ``n`` of it has the id ``DAY-n``."""
    folder = root / "landing" / "s"
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"id": f"{day}-{n}", "text": text, "t": f"{day}T10:00:00Z"} for n, text in enumerate(lines)]
    (folder / f"{day}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def id_of(day: str, n: int) -> str:
    """Record id of a record."""
    return str(record_id("s", mapped_id=f"{day}-{n}"))


def recipe_at(root: Path, text: str = RECIPE, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe, in a file of the root."""
    file = root / "days.yaml"
    file.write_text(text, encoding="utf-8")
    return apply_overrides(load_recipe(file), overrides) if overrides else load_recipe(file)


def run(
    ws: Workspace,
    recipe: Recipe,
    *,
    suites: SuiteProvider = suites_for,
    step: Callable[..., StageResult] = run_stage,
    **options: Any,
) -> RunOutcome:
    """``winnowry run``, in this process, partition by partition."""
    from winnowry.core.errors import WinnowryError
    from winnowry.core.progress import NoProgress
    from winnowry.promotion.result import GateFailed

    request = RunRequest(ws, recipe, find_project(), **options)

    def execute(stages: Sequence[str], partition: str | None) -> Any:
        for stage in stages:
            try:
                yield step(
                    ws,
                    recipe,
                    stage,
                    partition,
                    suites=suites,
                    run_id="test",
                    allow_missing=request.allow_missing,
                    retry_refused=request.retry_refused,
                )
            except WinnowryError as error:
                result = error.result if isinstance(error, GateFailed) else None
                raise StageFailed(Failure(stage, partition, type(error).__name__, str(error)), result) from error

    return run_in_order(request, NoProgress(), "test", execute)
