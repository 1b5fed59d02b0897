"""Stage ``comparison``: measure the recipe's selection against its rivals."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from winnowry.core.tables import COMPARISON
from winnowry.engine.local import LocalEngine
from winnowry.evidence.comparison.arms import NEGATIVE, POSITIVE, ROLES, Arms
from winnowry.evidence.comparison.measure import Kept, Measured, MeasureTask, Setting, run_measure_task
from winnowry.evidence.comparison.pool import make_pool
from winnowry.evidence.comparison.proxies import describe
from winnowry.evidence.comparison.summary import summarise
from winnowry.promotion.attempt import Attempt
from winnowry.promotion.ledger import Ledger
from winnowry.promotion.lineage import data_version, digest, lineage_of
from winnowry.promotion.request import Request
from winnowry.promotion.result import StageResult
from winnowry.recipe.fingerprint import stage_spec
from winnowry.report.comparison_page import comparison_page

_WORTH_PROCESSES = 2_000_000  # tokens to train on
_DOSE_ARMS = ("recipe", "length_matched")


def run_comparison(request: Request, inputs: dict[str, str]) -> StageResult:
    """Train a proxy on each selection, evaluate it, and let the gate judge what was found.

    A run that was killed goes on with the measurements that it finished.
    """
    ws, recipe = request.ws, request.recipe
    comparison, sample = recipe.comparison, recipe.sample
    assert comparison is not None
    assert sample is not None
    token_fraction = comparison.token_fraction if comparison.token_fraction is not None else sample.token_fraction
    assert token_fraction is not None
    attempt = Attempt(request, COMPARISON, lineage_of(recipe, "comparison", inputs, request.run_id))
    base = f"{ws.lake.corpus_uri(recipe.corpus)}/comparison"
    measurements = {**stage_spec(recipe, "comparison"), "gate": None}
    kept = Kept(ws.store, f"{base}/{digest({'spec': measurements, 'inputs': inputs})}")
    with tempfile.TemporaryDirectory(prefix="winnowry-comparison-") as scratch:
        pool = make_pool(ws, recipe, Path(scratch))
        arms = Arms(recipe, pool)
        settings = list(planned(arms, token_fraction))
        request.progress.start("comparison", None, len(settings))
        measured = {setting.name: found for setting in settings if (found := kept.get(setting)) is not None}
        request.progress.advance(len(measured))
        missing = (setting for setting in settings if setting.name not in measured)
        # A worker's start is worth some training on two million tokens.
        engine = LocalEngine(1 if len(settings) * int(pool.sizes.sum()) < _WORTH_PROCESSES else None)
        for found in engine.map(run_measure_task, (_task(arms, setting) for setting in missing)):
            kept.put(found)
            measured[found.setting.name] = found
            request.progress.advance(1)
        summary = summarise(arms, list(measured.values()), token_fraction)
    batch = _rows(list(measured.values()), describe(comparison.proxy))
    attempt.main.write(attempt.stamped(batch))
    main, side = attempt.stage_candidates(scope="table")
    wanted = [
        f"{setting.name}/{name}" for setting in settings for name in sorted({**pool.evaluations, **pool.questions})
    ]
    written = attempt.view(main).to_table(columns=["measurement_id"])["measurement_id"].to_pylist()
    ledger = Ledger.of(_ids(wanted), _ids(written), _ids([]))
    page = f"{base}/{attempt.id}/index.html"
    ws.store.write(page, comparison_page(recipe.corpus, summary).encode())
    return attempt.conclude(
        main,
        side,
        ledger=ledger,
        facts={"ledger": ledger.facts(), "comparison": summary},
        outputs={"__all__": data_version(recipe, "comparison", inputs)},
        metadata={"verdict": summary["verdict"], "page": page, "comparison": summary},
        measures={"comparison": summary, "page": page},
    )


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
