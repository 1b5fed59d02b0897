"""The stage graph: whole, in order, and the only place that knows it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from winnowry.core.errors import UsageError
from winnowry.lakehouse.lake import INDEXED
from winnowry.promotion.production import Production
from winnowry.recipe.model import Recipe
from winnowry.stages.freshness import named
from winnowry.stages.graph import (
    ARRIVED,
    DRAWN,
    KEPT,
    LEFT_OUT,
    PUBLISHED,
    SCORED,
    STAGES,
    reading_stages,
    shown_before,
    stage_of,
    stages_in,
)  # fmt: skip

ROOT = Path(__file__).resolve().parents[3]
NAMES = [stage.name for stage in STAGES]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_reads_only_stages_before_it_and_names_what_is_there(stage: object) -> None:
    (own,) = [one for one in STAGES if one is stage]
    assert all(read.stage in NAMES[: NAMES.index(own.name)] for read in own.reads)
    assert issubclass(named(own.produce), Production)
    for path in (own.inputs, own.says, own.unrecorded):
        assert path is None or callable(named(path))
    for read in own.reads:
        upstream = STAGES[NAMES.index(read.stage)]
        assert (read.how in ("same", "every")) == upstream.partitioned, f"{own.name} reads {read.stage}"
        assert read.how != "same" or own.partitioned


def test_roles_lead_to_the_tables_they_are_named_for() -> None:
    assert (ARRIVED, KEPT, LEFT_OUT, SCORED, DRAWN, PUBLISHED) == (
        "raw", "cleaned", "duplicates", "scored", "sampled", "published",
    )  # fmt: skip
    assert {stage.name for stage in STAGES if stage.indexed} == INDEXED


@pytest.mark.parametrize(
    ("stage", "place"),
    [
        ("landing", None),
        ("raw", None),
        ("cleaned", ("raw", "payload")),
        ("duplicates", ("cleaned", "text")),
        ("scored", ("cleaned", "text")),
        ("sampled", ("cleaned", "text")),
        ("published", ("cleaned", "text")),
    ],
)
def test_a_rejected_record_is_shown_as_it_came_to_its_stage(stage: str, place: tuple[str, str] | None) -> None:
    assert shown_before(stage) == place
    assert (stage in reading_stages()) == (place is None)


def recipe() -> Recipe:
    source = {"name": "s", "uri": "x", "partition": {"by": "path", "part": 0}}
    sample = {"method": "uniform", "token_fraction": 1.0}
    columns = [{"name": "loud", "sql": "n_tokens"}]
    return Recipe.model_validate(
        {"version": 1, "corpus": "c", "sources": [source], "sample": sample, "columns": columns}
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clened", "no stage 'clened'; did you mean cleaned?"),
        ("comparison", "the recipe has no stage 'comparison'; its stages are landing, raw"),
        ("published.lout", "did you mean published.loud?"),
        ("nonsense", "no stage 'nonsense'; stages are landing, raw"),
    ],
)
def test_a_stage_that_the_recipe_lacks_is_wrong_usage_with_a_suggestion(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("?", r"\?").replace(".", r"\.")):
        stage_of(recipe(), name)
    assert [stage.name for stage in stages_in(recipe())][-1] == "published.loud"


def test_few_files_name_three_stages_or_more() -> None:
    """The graph, stages with several inputs, and the tables that take columns; everything else asks the graph."""
    words = {"landing", "raw", "cleaned", "duplicates", "scored", "sampled", "published"}
    naming = []
    for path in sorted(path for top in ("src", "assets", "expectations") for path in (ROOT / top).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        strings = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        if len(strings & words) >= 3:
            naming.append(path.relative_to(ROOT).as_posix())
    assert naming == [
        "src/winnowry/recipe/columns.py",
        "src/winnowry/stages/graph.py",
        "src/winnowry/stages/published.py",
        "src/winnowry/stages/scored.py",
    ]
