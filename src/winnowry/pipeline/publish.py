"""Stage ``published``: the selected records with text, scores and provenance; one release a changed selection.

A corpus-wide draw touches a few rows in nearly every partition, so a release is a *delta*: deletions plus appended
rows in one transaction (DESIGN §6). Tags keep old releases readable.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from winnowry.core.tables import SAMPLED
from winnowry.lakehouse.record import PromotionRecord
from winnowry.lakehouse.view import TableView
from winnowry.operators.sampling.draw import id_words, permanent_random
from winnowry.pipeline.attempt import Attempt, Request
from winnowry.pipeline.clean import cleaned_schema
from winnowry.pipeline.ledger import Ledger, read_ids
from winnowry.pipeline.lineage import data_version, lineage_of, live
from winnowry.pipeline.result import StageResult
from winnowry.pipeline.score import scored_schema
from winnowry.pipeline.workspace import Workspace
from winnowry.recipe.fingerprint import stage_hash
from winnowry.recipe.model import Recipe

_TAKEN_AT_ONCE = 1024
_FROM_SAMPLED = ("stratum", "probability")


def published_schema(recipe: Recipe) -> pa.Schema:
    """Columns of ``published``: the cleaned record, its scores and how it was drawn."""
    fields = {f.name: f for f in cleaned_schema(recipe) if f.name != "promotion_id"}
    for field in scored_schema(recipe):
        if field.name != "promotion_id":
            fields.setdefault(field.name, field)
    for name in _FROM_SAMPLED:
        fields[name] = SAMPLED.field(name)
    return pa.schema([*fields.values(), pa.field("promotion_id", pa.string(), nullable=False)])


def run_published(request: Request, inputs: dict[str, str], missing: list[str]) -> StageResult:
    """Make the published table equal to the selection, and tag the release."""
    ws, recipe = request.ws, request.recipe
    schema = published_schema(recipe)
    lineage = lineage_of(recipe, "published", inputs, request.run_id)
    lineage["missing_partitions"] = missing
    previous = live(ws, recipe, "published")
    attempt = Attempt(request, schema, lineage)
    sampled = ws.lake.open(recipe.corpus, "sampled")
    selected = read_ids(sampled, where="selected")
    held = _still_valid(request, previous, inputs, selected, schema)
    gone = np.setdiff1d(_published_ids(ws, recipe), np.intersect1d(selected, held))
    new = np.setdiff1d(selected, held)
    request.progress.start("published", None, len(new))
    for partition in ws.lake.partitions(recipe.corpus, "sampled"):
        for batch in _rows(request, partition, new, schema):
            attempt.main.write(attempt.stamped(batch))
            request.progress.advance(batch.num_rows)
        attempt.main.flush()
    updated, removed = ws.lake.delete_rows(recipe.corpus, "published", [value.decode() for value in gone])
    main, side = attempt.stage_candidates(scope="delta", updated=updated, removed=removed)
    whole = ws.lake.candidate_view(recipe.corpus, "published", main.detached_version, request.key)
    ledger = Ledger.of(selected, read_ids(whole), selected[:0])
    tokens = int(whole.sql("SELECT COALESCE(SUM(n_tokens), 0) AS n FROM dataset").to_pylist()[0]["n"])
    number = _next_release(previous)
    result = attempt.conclude(
        main,
        side,
        ledger=ledger,
        facts={"ledger": ledger.facts()},
        outputs={"__all__": data_version(recipe, "published", inputs)},
        tokens=tokens,
        metadata={"release": f"v{number}", "rows_added": len(new), "rows_removed": len(gone)},
        measures={"release": number, "rows_added": len(new), "rows_removed": len(gone)},
    )
    complete_release(ws, recipe)
    return result


def complete_release(ws: Workspace, recipe: Recipe) -> None:
    """Give the live release its index and tags; ``prod`` moves last. A re-run completes what a crash left out."""
    record = live(ws, recipe, "published")
    if record is None or record.promoted_version is None:
        return
    release = int(record.facts["release"])
    tags = ws.lake.tags(recipe.corpus)
    if f"v{release}" not in tags:
        # The tag points at the version with the index, so that readers of the tag have its point look-ups.
        ws.lake.ensure_index(recipe.corpus, "published")
        version = int(ws.lake.table(recipe.corpus, "published").dataset().version)
        ws.lake.tag(recipe.corpus, "published", f"v{release}", version)
    tag = recipe.publish.tag
    behind = tag not in tags or release > _tagged_release(tags, tag)
    if behind and release > _pinned_release(ws, recipe.corpus, tag):
        ws.lake.tag(recipe.corpus, "published", tag, ws.lake.tags(recipe.corpus)[f"v{release}"])


def _pin_uri(ws: Workspace, corpus: str, tag: str) -> str:
    return f"{ws.lake.corpus_uri(corpus)}/rollbacks/{tag}.json"


def pin_release(ws: Workspace, corpus: str, tag: str) -> None:
    """Keep a tag where a rollback puts it: only a release newer than today's newest moves it on."""
    newest = max((int(name[1:]) for name in ws.lake.tags(corpus) if name[1:].isdigit()), default=0)
    ws.store.write(_pin_uri(ws, corpus, tag), json.dumps({"not_before": newest}).encode())


def _pinned_release(ws: Workspace, corpus: str, tag: str) -> int:
    uri = _pin_uri(ws, corpus, tag)
    return int(json.loads(ws.store.read(uri))["not_before"]) if ws.store.exists(uri) else 0


def _tagged_release(tags: dict[str, int], tag: str) -> int:
    numbers = [int(name[1:]) for name, version in tags.items() if name[1:].isdigit() and version == tags[tag]]
    return max(numbers, default=0)


def _next_release(previous: PromotionRecord | None) -> int:
    return int(previous.facts["release"]) + 1 if previous is not None else 1


def _published_ids(ws: Workspace, recipe: Recipe) -> Any:
    table = ws.lake.table(recipe.corpus, "published")
    if table.dataset_or_none() is None:
        return np.empty(0, dtype="S32")
    return read_ids(ws.lake.open(recipe.corpus, "published"))


def _still_valid(
    request: Request, previous: PromotionRecord | None, inputs: dict[str, str], selected: Any, schema: pa.Schema
) -> Any:
    """Published ids whose text and scores are what the inputs still say.

    Partitions whose inputs are the same are taken as they are; in the others each row is compared, so that a moved
    threshold, which makes new inputs of the same rows, writes no text again. How a record was drawn does not count:
    ``probability`` and ``stratum`` stay those of the release in which it came.
    """
    ws, recipe = request.ws, request.recipe
    nothing = np.empty(0, dtype="S32")
    if previous is None or previous.lineage.get("stage_hash") != stage_hash(recipe, "published"):
        return nothing
    before = previous.lineage.get("inputs", {})
    published = ws.lake.open(recipe.corpus, "published")
    parts = [nothing]
    for partition in ws.lake.partitions(recipe.corpus, "sampled"):
        ids = read_ids(published, where="partition = '" + partition.replace("'", "''") + "'")
        keys = (f"cleaned/{partition}", f"content/{partition}")
        if any(before.get(key) != inputs.get(key) for key in keys):
            ids = _unchanged(request, partition, published, np.intersect1d(ids, selected), schema)
        parts.append(ids)
    return np.sort(np.concatenate(parts))


def _unchanged(request: Request, partition: str, published: TableView, ids: Any, schema: pa.Schema) -> Any:
    names = [n for n in schema.names if n not in (*_FROM_SAMPLED, "promotion_id")]
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
    sampled = lake.partition_view(corpus, "sampled", partition).to_table(
        columns=["record_id", *_FROM_SAMPLED], where="selected"
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
    text_names = [n for n in cleaned_schema(request.recipe).names if n != "promotion_id"]
    score_names = [n for n in scored_schema(request.recipe).names if n not in (*text_names, "promotion_id")]
    text_at, score_at = _positions(cleaned), _positions(scored)
    for start in range(0, sampled.num_rows, _TAKEN_AT_ONCE):
        chunk = sampled.slice(start, _TAKEN_AT_ONCE)
        ids = chunk["record_id"].to_pylist()
        text = cleaned.dataset().take([text_at[i] for i in ids], columns=text_names)
        scores = scored.dataset().take([score_at[i] for i in ids], columns=score_names)
        columns: dict[str, Any] = {name: text[name] for name in text_names}
        columns.update({name: scores[name] for name in score_names})
        columns.update({name: chunk[name] for name in _FROM_SAMPLED})
        yield from pa.table(columns).combine_chunks().to_batches()


def _positions(view: Any) -> dict[str, int]:
    """Row number of every record id of a view."""
    at: dict[str, int] = {}
    for batch in view.scan(columns=["record_id"]):
        for value in batch.column(0).to_pylist():
            at[value] = len(at)
    return at
