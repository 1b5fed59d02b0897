"""Stage ``sampled``: which keepers are selected, decided from narrow columns of the whole corpus; reads no text."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from winnowry.core.errors import UsageError
from winnowry.promotion.attempt import Attempt
from winnowry.promotion.ledger import Ledger, read_ids
from winnowry.promotion.lineage import data_version, digest, lineage_of
from winnowry.promotion.request import Request
from winnowry.promotion.result import StageResult
from winnowry.reading.sample_columns import sample_columns
from winnowry.recipe.tables import sampled_schema
from winnowry.sampling.select import select
from winnowry.sampling.spec import SampleSpec

_ONE_STRATUM = "all"


def run_sampled(request: Request, inputs: dict[str, str]) -> StageResult:
    """Draw the sample that meets the recipe's budget."""
    ws, recipe = request.ws, request.recipe
    spec = recipe.sample
    if spec is None:
        raise UsageError(f"{recipe.corpus}: the recipe has no `sample`")
    attempt = Attempt(request, sampled_schema(recipe), lineage_of(recipe, "sampled", inputs, request.run_id))
    scored = ws.lake.open(recipe.corpus, "scored")
    by = spec.by
    table = sample_columns(ws, recipe)
    request.progress.start("sampled", None, table.num_rows)
    tokens = table["n_tokens"].to_numpy().astype(np.int64)
    scores = table[by].to_numpy(zero_copy_only=False).astype(np.float64) if by else None
    strata = _strata(table, spec.strata)
    selection = select(table["record_id"], scores, tokens, spec, strata)
    request.progress.advance(table.num_rows)
    repeats = {"repeats": pa.array(selection.repeats, pa.int64())} if spec.epochs else {}
    drawn = pa.table(
        {
            "record_id": table["record_id"],
            "partition": table["partition"],
            "stratum": strata if strata is not None else pa.array([_ONE_STRATUM] * table.num_rows),
            "probability": pa.array(selection.probability, pa.float64()),
            "draw": pa.array(selection.draw, pa.float64()),
            "selected": pa.array(selection.selected, pa.bool_()),
            **repeats,
            "n_tokens": pa.array(tokens, pa.int64()),
        }
    ).sort_by([("partition", "ascending"), ("record_id", "ascending")])
    for partition in sorted(set(drawn["partition"].to_pylist())):
        rows = drawn.filter(pa.compute.equal(drawn["partition"], partition)).combine_chunks()
        for batch in rows.to_batches():
            attempt.main.write(attempt.stamped(batch))
        attempt.main.flush()
    main, side = attempt.stage_candidates(scope="table")
    view = attempt.view(main)
    ids = read_ids(scored)
    ledger = Ledger.of(ids, read_ids(view), ids[:0])
    budget = _budget(view, selection.budget_tokens, selection.largest_record, spec)
    return attempt.conclude(
        main,
        side,
        ledger=ledger,
        facts={"ledger": ledger.facts(), "budget": budget},
        outputs={"__all__": data_version(recipe, "sampled", inputs)},
        tokens=int(budget["selected_tokens"]),
        metadata={
            "budget_tokens": selection.budget_tokens,
            "selected_tokens": selection.selected_tokens,
            "unfilled_tokens": selection.unfilled_tokens,
            "selected_rows": int(selection.selected.sum()),
            "strata": [asdict(stratum) for stratum in selection.strata],
        },
        measures={"selected_tokens": selection.selected_tokens, "selection": digest(budget)},
    )


def _strata(table: pa.Table, names: tuple[str, ...]) -> pa.Array | None:
    """One label a row: the values of the strata columns joined by ``|``."""
    if not names:
        return None
    parts = [pa.compute.fill_null(table[name].cast(pa.string()), "null").combine_chunks() for name in names]
    return parts[0] if len(parts) == 1 else pa.compute.binary_join_element_wise(*parts, "|")


def _budget(view: Any, budget_tokens: int, largest_record: int, spec: SampleSpec) -> dict[str, Any]:
    """What was selected, as read back from the candidate."""
    tokens = "n_tokens * repeats" if spec.epochs else "n_tokens"
    row = view.sql(
        f"SELECT COALESCE(SUM({tokens}), 0) AS tokens, COUNT(*) AS n, COALESCE(MAX(n_tokens), 0) AS largest "
        "FROM dataset WHERE selected"
    ).to_pylist()[0]
    return {
        "tokens": int(budget_tokens),
        "selected": int(row["n"]),
        "selected_tokens": int(row["tokens"]),
        "largest_record": int(largest_record),
        "mode": spec.mode,
    }
