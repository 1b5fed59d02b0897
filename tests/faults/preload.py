"""Imported once by the fork server: all that a walk needs, warmed up, except Lance."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def warm_up() -> None:
    """Load models and compile kernels by cleaning and scoring a page."""
    import importlib
    import random
    import tempfile

    import pyarrow as pa

    from tests.small_corpus import page, write_recipe
    from winnowry.recipe.load import load_recipe

    for module in ("expectations.registry", "winnowry.stages.run"):
        importlib.import_module(module)
    with tempfile.TemporaryDirectory() as folder:
        recipe = load_recipe(write_recipe(Path(folder)))
    batch = pa.RecordBatch.from_pydict({"text": pa.array([page(random.Random(1), 12)], pa.large_string())})
    for operator in recipe.clean[:4]:
        batch = operator.apply(batch) if "text" in batch.schema.names else batch


os.environ["WINNOWRY_WORKERS"] = "1"
try:
    warm_up()
except Exception as error:  # a cold start is only slower
    print(f"fault workers start cold: {type(error).__name__}: {error}", file=sys.stderr)
assert "lance" not in sys.modules, "Lance must not be forked"
