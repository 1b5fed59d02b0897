"""Runs stages as Dagster assets, in this process, recorded in the persistent instance that the UI shows.

The only module of the library that knows Dagster. The code location is the one that ``workspace.yaml`` names, loaded
by its path, so that a command runs exactly what the UI and the daemon run.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from winnowry.core.errors import UsageError
from winnowry.core.life import process_tags
from winnowry.engine.registry import VARIABLE as ENGINE_VARIABLE
from winnowry.runs.order import ExecuteStages, Failure, RunOutcome, StageFailed, run_in_order, skip_while_fresh
from winnowry.runs.processes import StageProcesses
from winnowry.runs.project import Project
from winnowry.runs.request import RunRequest

if TYPE_CHECKING:
    import dagster as dg

    from winnowry.core.progress import Progress
    from winnowry.promotion.result import StageResult

logger = logging.getLogger(__name__)

RESULT_KEY = "winnowry/result"
"""Metadata key under which the assets report ``StageResult.to_dict()``."""
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run_in_dagster(request: RunRequest, progress: Progress) -> RunOutcome:
    """Materialise the assets of a recipe: one run takes a partition, or the corpus, through consecutive stages.

    A stage that is fresh and that the instance has already seen is skipped without a run.

    Args:
        request: what to run.
        progress: told about every stage.

    Raises:
        UsageError: the project has no asset for this corpus, or its code location cannot be loaded.
        NotFoundError: a partition was named that the landing does not hold.
    """
    from winnowry.runs.home import dagster_home, open_instance, prepare_home
    from winnowry.runs.reap import reap

    home = prepare_home(dagster_home(), request.project.root)
    # The code location runs the recipe as it was given, wherever it lies, on the engine of the run; so do processes
    # that are started from here. Afterwards the caller's next lake is its own affair again.
    settings = {
        "DAGSTER_HOME": str(home),
        "WINNOWRY_HOME": str(home),
        "WINNOWRY_ROOT": request.workspace.root,
        "WINNOWRY_RECIPE": "" if request.recipe_file is None else str(request.recipe_file.resolve()),
    }
    if request.engine is not None:
        settings[ENGINE_VARIABLE] = request.engine
    run_id = uuid.uuid4().hex
    with open_instance(home) as instance:
        left = reap(instance)
    if left:
        logger.warning("ended %d run(s) whose process is gone: %s", len(left), ", ".join(one.run_id for one in left))
    with (
        _environment(settings),
        _open(request, progress, run_id) as executor,
        StageProcesses(request, progress, run_id, open_executor, executor, executor.skip) as processes,
    ):
        return run_in_order(request, progress, run_id, processes.execute, processes.take)


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for the body, and for the processes that it starts; then as before."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def open_executor(request: RunRequest, progress: Progress, run_id: str) -> Iterator[ExecuteStages]:
    """What executes stages as Dagster runs, in the instance of ``DAGSTER_HOME``."""
    with _open(request, progress, run_id) as executor:
        yield executor


@contextmanager
def _open(request: RunRequest, progress: Progress, run_id: str) -> Iterator[_Executor]:
    from winnowry.runs.home import dagster_home, open_instance

    definitions = load_definitions(request.project)
    corpus = request.recipe.corpus
    known = {key.path[0] for key in definitions.resolve_all_asset_keys()}
    if corpus not in known:
        raise UsageError(
            f"the code location of {request.project.root} has no assets for corpus {corpus}: put its recipe into "
            "recipes/, or run it with --without-dagster"
        )
    with open_instance(dagster_home()) as instance:
        yield _Executor(definitions, instance, request, progress, run_id)


@dataclass(frozen=True)
class _Executor:
    """Executes consecutive stages as one Dagster run, and without one those that are fresh."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    request: RunRequest
    progress: Progress
    run_id: str

    def __call__(self, stages: Sequence[str], partition: str | None) -> Iterator[StageResult]:
        n_fresh = 0
        for fresh in self.skip(stages, partition):
            n_fresh += 1
            yield fresh
        keys = self._keys(stages[n_fresh:])
        if keys:
            yield from _materialize(
                self.definitions, self.instance, self.request, keys, partition, self.run_id, self.progress
            )

    def skip(self, stages: Sequence[str], partition: str | None) -> Iterator[StageResult]:
        """Results of the stages, from the first, that are fresh and that the instance has seen."""
        seen = takewhile(lambda key: _seen(self.instance, key, partition), self._keys(stages))
        return skip_while_fresh(self.request, self.progress, self.run_id, map(_stage, seen), partition)

    def _keys(self, stages: Sequence[str]) -> list[dg.AssetKey]:
        import dagster as dg

        return [dg.AssetKey([self.request.recipe.corpus, *stage.split(".")]) for stage in stages]


def _stage(key: dg.AssetKey) -> str:
    """The stage of an asset: ``cleaned`` of ``[corpus, cleaned]``, ``published.tone`` of ``[…, published, tone]``."""
    return ".".join(key.path[1:])


def load_definitions(project: Project) -> dg.Definitions:
    """The Dagster definitions of a project, from the file that its ``workspace.yaml`` names.

    Raises:
        UsageError: ``workspace.yaml`` names no Python file with definitions.
    """
    import dagster as dg
    from ruamel.yaml import YAML

    workspace = project.root / "workspace.yaml"
    content = YAML(typ="safe", pure=True).load(workspace.read_text(encoding="utf-8")) or {}
    entries = [entry.get("python_file") for entry in content.get("load_from", []) if isinstance(entry, dict)]
    entry = next((item for item in entries if item), None)
    if entry is None:
        raise UsageError(f"{workspace}: expected load_from: - python_file: {{relative_path: assets/definitions.py}}")
    entry = {"relative_path": entry} if isinstance(entry, str) else dict(entry)
    path = Path(entry["relative_path"])
    module = project.module(".".join(path.with_suffix("").parts))
    attribute = entry.get("attribute", "defs")
    declared: Any = getattr(module, attribute, None)
    loaded = declared if isinstance(declared, dg.Definitions) or declared is None else declared()
    if not isinstance(loaded, dg.Definitions):
        raise UsageError(f"{project.root / path}: {attribute} is no Dagster Definitions")
    return loaded


def _seen(instance: dg.DagsterInstance, key: dg.AssetKey, partition: str | None) -> bool:
    """Whether the instance shows this asset (partition) as materialised."""
    if partition is None:
        return instance.get_latest_materialization_event(key) is not None
    return partition in instance.get_materialized_partitions(key)


def _materialize(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    request: RunRequest,
    keys: Sequence[dg.AssetKey],
    partition: str | None,
    run_id: str,
    progress: Progress,
) -> Iterator[StageResult]:
    """One run over consecutive assets; the stages report their rows to ``progress`` themselves."""
    from winnowry.core.progress import reporting

    job = definitions.resolve_implicit_global_asset_job_def()
    options = {"allow_missing": request.allow_missing}
    if request.retry_refused:  # a project of an older version has assets that do not know it
        options["retry_refused"] = True

    def config(key: dg.AssetKey) -> dict[str, Any]:
        forced = {"force": True} if request.forces(_stage(key), partition) else {}
        return {"config": options | forced}

    with reporting(progress):
        run = job.execute_in_process(
            instance=instance,
            partition_key=partition,
            asset_selection=keys,
            run_config={
                **_QUIET,
                "ops": {definitions.resolve_assets_def(key).node_def.name: config(key) for key in keys},
            },
            tags={"winnowry/run": run_id, **process_tags()},
            raise_on_error=False,
        )
    if any(_is_interruption(event) for event in run.all_events):
        raise KeyboardInterrupt  # Dagster has caught it, and the next partition would begin
    done = {}
    for event in run.all_events:
        if event.event_type_value == "ASSET_MATERIALIZATION":
            materialization = event.step_materialization_data.materialization
            if RESULT_KEY in materialization.metadata:
                done[materialization.asset_key] = _result(materialization.metadata[RESULT_KEY])
    for key in keys:
        if key not in done:
            raise _failed(run, _stage(key), partition)
        yield done[key]


def _is_interruption(event: dg.DagsterEvent) -> bool:
    """Whether a run was ended by Ctrl-C, between two steps or in one, or canceled in the UI."""
    if event.event_type_value == "STEP_FAILURE":
        error = event.step_failure_data.error
        while error is not None and error.cls_name != "DagsterExecutionInterruptedError":
            error = error.cause
        return error is not None
    return event.event_type_value == "PIPELINE_CANCELED"


def _failed(result: Any, stage: str, partition: str | None) -> StageFailed:
    """Why a run did not materialise its asset."""
    for event in result.all_events:
        if event.event_type_value in ("STEP_FAILURE", "RUN_FAILURE"):
            data = event.event_specific_data
            user = getattr(data, "user_failure_data", None)
            metadata = user.metadata if user is not None else {}
            named = metadata.get("error")
            kind = str(named.value) if named is not None else "RunFailed"
            error = getattr(data, "error", None)
            message = user.description if user is not None and user.description else None
            if message is None:
                message = _innermost(error) if error is not None else "the run failed; see winnowry ui"
            refused = metadata.get(RESULT_KEY)
            failure = Failure(stage, partition, kind, message)
            return StageFailed(failure, _result(refused) if refused is not None else None)
    return StageFailed(Failure(stage, partition, "RunFailed", "the run ended without a result; see winnowry ui"))


def _innermost(error: Any) -> str:
    """What was raised first, not what Dagster wrapped around it."""
    while error.cause is not None:
        error = error.cause
    return str(error.message).strip()


def _result(metadata: Any) -> StageResult:
    import json

    from winnowry.promotion.result import StageResult

    value = getattr(metadata, "data", None)
    value = value if value is not None else metadata.value
    report: dict[str, Any] = json.loads(value) if isinstance(value, str) else dict(value)
    gates = [{**gate, "observed_number": _number(gate["observed_number"])} for gate in report.get("gates", ())]
    return StageResult.from_dict({**report, "gates": gates})


def _number(value: object) -> float | None:
    """A number of the metadata; Dagster's JSON has no NaN, so that one comes as text."""
    return value if isinstance(value, int | float) else float(value) if isinstance(value, str) else None
