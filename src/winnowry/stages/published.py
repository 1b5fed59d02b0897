"""Stage ``published``: the selected records with text, scores and provenance; one release a changed selection.

A corpus-wide draw touches a few rows in nearly every partition, so a release is a *delta*: deletions plus appended
rows in one transaction. Tags keep old releases readable.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from winnowry.evidence.valid2.card import letter_scores, release_card
from winnowry.lakehouse.record import PromotionRecord
from winnowry.lakehouse.view import TableView
from winnowry.promotion.attempt import Attempt
from winnowry.promotion.ledger import Ledger, read_ids
from winnowry.promotion.lineage import data_version, lineage_of
from winnowry.promotion.request import Request
from winnowry.promotion.result import StageResult
from winnowry.recipe.fingerprint import canonical_json, stage_spec
from winnowry.recipe.tables import FROM_SAMPLED, cleaned_schema, published_schema, scored_schema
from winnowry.releases.tags import complete_release
from winnowry.sampling.draw import id_words, permanent_random

logger = logging.getLogger(__name__)

_TAKEN_AT_ONCE = 1024


def run_published(request: Request, inputs: dict[str, str], missing: list[str]) -> StageResult:
    """Make the published table equal to the selection, and tag the release."""
    ws, recipe = request.ws, request.recipe
    schema = published_schema(recipe)
    lineage = lineage_of(recipe, "published", inputs, request.run_id)
    lineage["missing_partitions"] = missing
    complete_release(ws, recipe)  # one whose process died is numbered, with its index, before the next one lands
    attempt = Attempt(request, schema, lineage)
    records = ws.lake.records(recipe.corpus)
    previous = records.load("published", request.key, attempt.replaces) if attempt.replaces is not None else None
    # One version throughout: what is compared, what is deleted from, and what the candidate is built on.
    base = ws.lake.open(recipe.corpus, "published")
    sampled = ws.lake.open(recipe.corpus, "sampled")
    selected = read_ids(sampled, where="selected")
    held = _still_valid(request, previous, inputs, selected, schema, base)
    gone = np.setdiff1d(read_ids(base), np.intersect1d(selected, held))
    new = np.setdiff1d(selected, held)
    request.progress.start("published", None, len(new))
    for partition in ws.lake.partitions(recipe.corpus, "sampled"):
        for batch in _rows(request, partition, new, schema):
            attempt.main.write(attempt.stamped(batch))
            request.progress.advance(batch.num_rows)
        attempt.main.flush()
    ids_gone = [value.decode() for value in gone]
    updated, removed = ws.lake.delete_rows(recipe.corpus, "published", ids_gone, base.version)
    main, side = attempt.stage_candidates(scope="delta", base_version=base.version, updated=updated, removed=removed)
    whole = ws.lake.candidate_view(recipe.corpus, "published", main.detached_version, request.key)
    ledger = Ledger.of(selected, read_ids(whole), selected[:0])
    tokens = int(whole.sql("SELECT COALESCE(SUM(n_tokens), 0) AS n FROM dataset").to_pylist()[0]["n"])
    number = _next_release(previous)
    card = release_card(ws, recipe, whole, attempt.id)
    result = attempt.conclude(
        main,
        side,
        ledger=ledger,
        facts={"ledger": ledger.facts(), "valid2": card},
        outputs={"__all__": data_version(recipe, "published", inputs)},
        tokens=tokens,
        metadata={"release": f"v{number}", "rows_added": len(new), "rows_removed": len(gone), **letter_scores(card)},
        measures={
            "release": number,
            "rows_added": len(new),
            "rows_removed": len(gone),
            "valid2": card,
            "about": {"description": recipe.description, "owner": recipe.owner},
        },
    )
    complete_release(ws, recipe)
    return result


def _next_release(previous: PromotionRecord | None) -> int:
    return int(previous.facts["release"]) + 1 if previous is not None else 1


def _still_valid(
    request: Request,
    previous: PromotionRecord | None,
    inputs: dict[str, str],
    selected: Any,
    schema: pa.Schema,
    published: TableView,
) -> Any:
    """Published ids whose text and scores are what the inputs still say.

    Partitions whose inputs are the same are taken as they are; in the others each row is compared, so that a moved
    threshold, which makes new inputs of the same rows, writes no text again. How a record was drawn does not count,
    except how often it is repeated: ``probability`` and ``stratum`` stay those of the release in which it came.
    """
    ws, recipe = request.ws, request.recipe
    nothing = np.empty(0, dtype="S32")
    if previous is None or _rows_spec(previous.lineage.get("spec", {})) != _rows_spec(stage_spec(recipe, "published")):
        return nothing
    before = previous.lineage.get("inputs", {})
    parts = [nothing]
    for partition in ws.lake.partitions(recipe.corpus, "sampled"):
        ids = read_ids(published, where="partition = '" + partition.replace("'", "''") + "'")
        keys = (f"cleaned/{partition}", f"content/{partition}")
        if "repeats" in schema.names or any(before.get(key) != inputs.get(key) for key in keys):
            ids = _unchanged(request, partition, published, np.intersect1d(ids, selected), schema)
        parts.append(ids)
    return np.sort(np.concatenate(parts))


def _rows_spec(spec: Mapping[str, Any]) -> str:
    """What decides rows: a moved threshold of the gate judges a release anew and rewrites nothing."""
    return canonical_json({**spec, "gate": None})


def _unchanged(request: Request, partition: str, published: TableView, ids: Any, schema: pa.Schema) -> Any:
    names = [n for n in schema.names if n not in ("stratum", "probability", "promotion_id")]
    same: list[str] = []
    for batch in _rows(request, partition, ids, schema):
        listed = ", ".join(f"'{value}'" for value in batch.column("record_id").to_pylist())
        stored = published.to_table(columns=names, where=f"record_id IN ({listed})").to_pylist()
        by_id = {row["record_id"]: row for row in stored}
        same += [row["record_id"] for row in batch.select(names).to_pylist() if by_id.get(row["record_id"]) == row]
    return np.asarray(sorted(same), dtype="S32")


def _rows(request: Request, partition: str, new: Any, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The new rows of a partition in seeded random order; only their text is read."""
    lake, corpus = request.ws.lake, request.corpus
    drawn_names = [name for name in schema.names if name in FROM_SAMPLED]
    sampled = lake.partition_view(corpus, "sampled", partition).to_table(
        columns=["record_id", *drawn_names], where="selected"
    )
    wanted = np.isin(np.asarray(sampled["record_id"].to_pylist(), dtype="S32"), new)
    sampled = sampled.filter(pa.array(wanted))
    if sampled.num_rows == 0:
        return
    seed = request.recipe.sample.seed if request.recipe.sample is not None else 0
    shuffled = np.argsort(permanent_random(id_words(sampled["record_id"]), seed + 1), kind="stable")
    sampled = sampled.take(pa.array(shuffled))
    cleaned = lake.partition_view(corpus, "cleaned", partition)
    scored = lake.partition_view(corpus, "scored", partition)
    wanted_names = {*schema.names} - {"promotion_id"}
    text_names = [n for n in cleaned_schema(request.recipe).names if n in wanted_names]
    score_names = [n for n in scored_schema(request.recipe).names if n in wanted_names.difference(text_names)]
    text_at, score_at = _positions(cleaned), _positions(scored)
    for start in range(0, sampled.num_rows, _TAKEN_AT_ONCE):
        chunk = sampled.slice(start, _TAKEN_AT_ONCE)
        ids = chunk["record_id"].to_pylist()
        text = cleaned.dataset().take([text_at[i] for i in ids], columns=text_names)
        scores = scored.dataset().take([score_at[i] for i in ids], columns=score_names)
        columns: dict[str, Any] = {name: text[name] for name in text_names}
        columns.update({name: scores[name] for name in score_names})
        columns.update({name: chunk[name] for name in drawn_names})
        yield from pa.table(columns).combine_chunks().to_batches()


def _positions(view: Any) -> dict[str, int]:
    """Row number of every record id of a view."""
    at: dict[str, int] = {}
    for batch in view.scan(columns=["record_id"]):
        for value in batch.column(0).to_pylist():
            at[value] = len(at)
    return at
