"""The few Python names that the tests of compatibility use: when a module moves, only this file is edited."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from winnowry.cli.main import main as main
from winnowry.columns.definitions import Definitions
from winnowry.core.errors import TableFormatError as TableFormatError
from winnowry.core.errors import WinnowryError
from winnowry.core.jsonable import digest
from winnowry.evidence.comparison.measure import Measured, MeasurementStore, Setting
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.lineage import live, output_version
from winnowry.promotion.partitions import partitions_of
from winnowry.recipe.fingerprint import data_hash, metadata_hash
from winnowry.recipe.load import load_recipe
from winnowry.releases.tags import complete_release
from winnowry.stages.fit import load_fits
from winnowry.stages.freshness import inputs_of
from winnowry.stages.graph import stage_named, stage_of
from winnowry.stages.run import stages_of
from winnowry.stages.stored_fit import read_fit, write_fit

PARTITIONED = ("raw", "cleaned", "scored")


def hashes(recipe_file: Path) -> dict[str, Any]:
    """What a recipe's data is known by: its hashes, and of every stage the specification and its hash."""
    recipe = load_recipe(recipe_file)
    stages = {
        stage: {"hash": stage_named(stage).hash(recipe), "spec": stage_named(stage).specification(recipe)}
        for stage in stages_of(recipe)
        if "." not in stage  # an added column is known by its own version, see `column list`
    }
    columns = [column.fingerprint() for column in recipe.columns or ()]
    return {
        "data_hash": data_hash(recipe),
        "metadata_hash": metadata_hash(recipe),
        "order": list(stages_of(recipe)),
        "stages": stages,
        "columns": columns,
    }


def inputs(root: Path, recipe_file: Path, *, without_data: bool = False) -> dict[str, Any]:
    """The data version of every input of every stage of a recipe in a lake, by stage or ``stage/partition``.

    Args:
        root: the lake.
        recipe_file: the recipe.
        without_data: the lake has none: landing is left out, and one partition stands for all.
    """
    recipe = load_recipe(recipe_file)
    ws = Workspace.open(str(root))
    known: dict[str, Any] = {}
    for stage in stages_of(recipe):
        if "." in stage or (without_data and stage == "landing"):
            continue
        partitions = ["some"] if without_data else partitions_of(ws, recipe)
        for partition in partitions if stage in PARTITIONED else [None]:
            try:
                value: Any = inputs_of(ws, recipe, stage_of(recipe, stage), partition)
            except WinnowryError as error:
                value = type(error).__name__
            known[stage if partition is None else f"{stage}/{partition}"] = value
    return known


def open_fit(root: Path, file: Path) -> None:
    """Open the fit in a file, as a run of ``scored`` does."""
    read_fit(Workspace.open(str(root)).store, str(file))


def look_at_rollback(root: Path, recipe_file: Path) -> None:
    """Read whether a tag is held back, as a run of ``published`` does."""
    complete_release(Workspace.open(str(root)), load_recipe(recipe_file))


def look_at_column_files(root: Path, corpus: str, table: str, name: str) -> None:
    """Read which files of a column are written already, as filling it does."""
    definitions = Definitions(Workspace.open(str(root)), corpus)
    definition = definitions.get(table, name)
    assert definition is not None
    definitions.files(definition.spec)


def write_promotion_again(root: Path, corpus: str, stage: str, promotion_id: str) -> None:
    """Write a promotion record as it is: what every change of its state does."""
    records = Workspace.open(str(root)).lake.records(corpus)
    record = records.load(stage, "__all__", promotion_id)
    assert record is not None
    records.advance(record, record.state)


def write_column_again(root: Path, corpus: str, table: str, name: str) -> None:
    """Write a column's definition as it is: what every change of its state does."""
    definitions = Definitions(Workspace.open(str(root)), corpus)
    definition = definitions.get(table, name)
    assert definition is not None
    assert definition.template is not None
    definitions.note_template(definition, definition.template)


def digest_of_fits(root: Path, recipe_file: Path) -> str:
    """Data version that the fits of a recipe have by what they hold."""
    fits = load_fits(Workspace.open(str(root)), load_recipe(recipe_file))
    return digest({name: fit.document for name, fit in fits.items()})


def live_version_of_fit(root: Path, recipe_file: Path) -> str | None:
    """Data version under which the fits were promoted."""
    ws, recipe = Workspace.open(str(root)), load_recipe(recipe_file)
    return output_version(live(ws, recipe, "fit"), None)


def fit_written_and_read(folder: Path, fit: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The JSON of a stored fit, and the fit that is read back."""
    ws = Workspace.open(str(folder))
    uri = str(folder / "fit.json")
    write_fit(ws.store, uri, fit)
    return json.loads(ws.store.read(uri)), dict(read_fit(ws.store, uri))


def measurement_kept(folder: Path) -> tuple[Path, Callable[[], Any], Any]:
    """A stored measurement of a comparison: its file, how it is read again, and what was stored."""
    setting = Setting("selection", "recipe", 0.3, 1)
    measured = Measured(setting, {"target": 1.5}, 3, 40, 13.3, 0.9, 0.1, 0.2)
    kept = MeasurementStore(Workspace.open(str(folder)).store, str(folder))
    kept.put(measured)
    return folder / f"{setting.name}.json", lambda: kept.get(setting), measured
