"""Stage ``comparison``: measure the recipe's selection against its rivals."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from winnowry.core.errors import EmptySourceError, UsageError
from winnowry.core.jsonable import digest
from winnowry.core.tables import COMPARISON
from winnowry.engine.registry import engine_named
from winnowry.evidence.comparison.arms import NEGATIVE, POSITIVE, ROLES, Arms
from winnowry.evidence.comparison.measure import Measured, MeasurementStore, MeasureTask, Setting, run_measure_task
from winnowry.evidence.comparison.pool import make_pool
from winnowry.evidence.comparison.proxies import describe
from winnowry.evidence.comparison.summary import summarise
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.ledger import Ledger
from winnowry.promotion.lineage import data_version, live
from winnowry.promotion.production import Candidate, Findings, Production, Rows, Work
from winnowry.recipe.comparison import Questions, TextSet
from winnowry.recipe.model import Recipe
from winnowry.report.comparison_page import comparison_page
from winnowry.stages.graph import Stage, rows_specification

_WORTH_PROCESSES = 2_000_000  # tokens to train on
_DOSE_ARMS = ("recipe", "length_matched")
_METHOD = {"error of the draws": "delete-d jackknife"}
"""What else than data makes another comparison: of an older method neither its result nor a measurement is used."""


class ComparisonOfSelections(Production):
    """Trains a proxy on each selection and evaluates it; a run that was killed goes on where it was.

    Raises:
        UsageError: the recipe has no ``comparison`` or no ``sample``.
    """

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        comparison, sample = work.recipe.comparison, work.recipe.sample
        if comparison is None or sample is None:
            raise UsageError(
                f"{work.recipe.corpus}: the recipe has no `comparison`; see docs/explanation/selection-proof.md"
            )
        self.proxy = comparison.proxy
        fraction = comparison.token_fraction if comparison.token_fraction is not None else sample.size_fraction
        assert fraction is not None  # the recipe was checked
        self.token_fraction: float = fraction
        self.base = f"{work.ws.lake.corpus_uri(work.recipe.corpus)}/comparison"
        measurements = rows_specification(work.request.stage.specification(work.recipe))
        key = digest({"spec": measurements, "inputs": work.inputs})
        self.store = MeasurementStore(work.ws.store, f"{self.base}/{key}")

    def rows(self) -> Iterator[Rows]:
        """A row a measurement."""
        request = self.work.request
        with tempfile.TemporaryDirectory(prefix="winnowry-comparison-") as scratch:
            pool = make_pool(self.work.ws, self.work.recipe, Path(scratch))
            arms = Arms(self.work.recipe, pool)
            settings = list(planned(arms, self.token_fraction))
            request.progress.start(request.stage.name, None, len(settings))
            measured = {setting.name: stored for setting in settings if (stored := self.store.get(setting)) is not None}
            request.progress.advance(len(measured))
            missing = (setting for setting in settings if setting.name not in measured)
            # A worker's start is worth some training on two million tokens.
            little = len(settings) * int(pool.sizes.sum()) < _WORTH_PROCESSES
            engine = engine_named("local[1]") if little else request.engine
            for result in engine.map(run_measure_task, (_task(arms, setting) for setting in missing)):
                self.store.put(result)
                measured[result.setting.name] = result
                request.progress.advance(1)
            self.summary = summarise(arms, list(measured.values()), self.token_fraction)
            names = sorted({**pool.evaluations, **pool.questions})
            self.planned = [f"{setting.name}/{name}" for setting in settings for name in names]
        yield Rows(_rows(list(measured.values()), describe(self.proxy)))

    def findings(self, candidate: Candidate) -> Findings:
        """Every planned measurement is there; the page that shows them."""
        work = self.work
        written = candidate.rows.to_table(columns=["measurement_id"])["measurement_id"].to_pylist()
        page = f"{self.base}/{work.promotion_id}/index.html"
        work.ws.store.write(page, comparison_page(work.recipe.corpus, self.summary).encode())
        return Findings(
            Ledger.of(_ids(self.planned), _ids(written), _ids([])),
            outputs={work.partition: data_version(work.request.stage, work.recipe, work.inputs)},
            facts={"comparison": self.summary},
            measures={"comparison": self.summary, "page": work.ws.relative(page)},
            metadata={"verdict": self.summary["verdict"], "page": page, "comparison": self.summary},
        )


def text_sets(ws: Workspace, recipe: Recipe, stage: Stage, partition: str | None) -> dict[str, str]:
    """The objects that a comparison reads beside the corpus, and how it measures.

    Raises:
        EmptySourceError: a text set matches no object.
    """
    if recipe.comparison is None:
        return {}
    versions = dict(_METHOD)
    record = live(ws, recipe, "comparison")
    before = record.lineage.get("inputs", {}) if record is not None else {}
    target = recipe.comparison.target
    asked = recipe.comparison.questions or ()
    sets: list[TextSet | Questions] = [
        *([target] if target is not None else []),
        *recipe.comparison.evaluations,
        *asked,
    ]
    for text_set in sets:
        objects = list(ws.store.list(ws.store.resolve(text_set.uri)))
        if not objects:
            raise EmptySourceError(
                f"text set {text_set.name!r} of the comparison of {recipe.corpus}: no object matches "
                f"{ws.store.resolve(text_set.uri)}. Check its `uri` (relative ones start at --root)."
            )
        for info in objects:
            whole, version = f"{text_set.name}:{info.uri}", f"{info.etag}:{info.size}"
            # Older versions wrote whole URIs.
            key = whole if before.get(whole) == version else f"{text_set.name}:{ws.relative(info.uri)}"
            versions[key] = version
    return versions


def planned(arms: Arms, token_fraction: float) -> Iterator[Setting]:
    """Everything to be measured."""
    comparison = arms.comparison
    for seed in range(comparison.seeds):
        for arm in dict.fromkeys((*comparison.compared(), POSITIVE, NEGATIVE)):
            yield Setting("arms", arm, 1.0 if arm == "full" else token_fraction, seed)
        for fraction in comparison.fractions:
            for arm in _DOSE_ARMS:
                yield Setting("dose", arm, fraction, seed)
        if comparison.attribution and "recipe" in comparison.compared():
            for component in arms.components():
                yield Setting("attribution", f"without_component:{component}", token_fraction, seed)
            for source in arms.source_names():
                yield Setting("attribution", f"without_source:{source}", token_fraction, seed)


def _task(arms: Arms, setting: Setting) -> MeasureTask:
    kind, _, name = setting.arm.partition(":")
    if kind == "without_component":
        chosen = arms.choose("recipe", setting.seed, setting.token_fraction, without=name)
    elif kind == "without_source":
        chosen = arms.choose("recipe", setting.seed, setting.token_fraction, source=name)
    else:
        chosen = arms.choose(setting.arm, setting.seed, setting.token_fraction)
    pool = arms.pool
    return MeasureTask(
        setting,
        chosen,
        pool.tokens,
        pool.documents,
        pool.target,
        pool.evaluations,
        pool.questions,
        arms.comparison.proxy,
    )


def _rows(measured: list[Measured], proxy: str) -> pa.RecordBatch:
    schema = pa.schema([field for field in COMPARISON if field.name != "promotion_id"])
    rows = [
        {
            "measurement_id": f"{one.setting.name}/{evaluation}",
            "experiment": one.setting.experiment,
            "arm": one.setting.arm,
            "role": ROLES.get(one.setting.arm, "candidate"),
            "token_fraction": one.setting.token_fraction,
            "seed": one.setting.seed,
            "evaluation": evaluation,
            "bits_per_byte": bits,
            "documents": one.documents,
            "tokens": one.tokens,
            "mean_document_tokens": one.mean_document_tokens,
            "distinct_trigram_fraction": one.distinct_trigram_fraction,
            "selection_seconds": one.selection_seconds,
            "training_seconds": one.training_seconds,
            "proxy": proxy,
            "accuracy": one.accuracy.get(evaluation),
        }
        for one in sorted(measured, key=lambda one: one.setting.name)
        for evaluation, bits in sorted(one.bits_per_byte.items())
    ]
    return pa.RecordBatch.from_pylist(rows, schema=schema)


def _ids(names: list[str]) -> np.ndarray[tuple[int], np.dtype[np.bytes_]]:
    return np.sort(np.array([name.encode() for name in names], dtype=np.bytes_)) if names else np.empty(0, "S1")
