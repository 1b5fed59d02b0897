"""Stage ``published``: the selected records with text, scores and provenance; one release a changed selection.

A corpus-wide draw touches a few rows in nearly every partition, so a release is a *delta*: deletions plus appended
rows in one transaction. Tags keep old releases readable.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from winnowry.core.errors import NotFoundError
from winnowry.lakehouse.barrier import barrier
from winnowry.lakehouse.record import WHOLE_TABLE, PromotionRecord
from winnowry.lakehouse.view import TableView
from winnowry.operators.sampling.draw import id_words, permanent_random
from winnowry.pipeline.attempt import Attempt, Request
from winnowry.pipeline.clean import cleaned_schema
from winnowry.pipeline.ledger import Ledger, read_ids
from winnowry.pipeline.lineage import data_version, lineage_of
from winnowry.pipeline.result import StageResult
from winnowry.pipeline.sample_columns import sampled_schema
from winnowry.pipeline.score import scored_schema
from winnowry.pipeline.valid2.card import letter_scores, release_card
from winnowry.pipeline.workspace import Workspace
from winnowry.recipe.fingerprint import canonical_json, key_columns, stage_spec
from winnowry.recipe.model import Recipe

logger = logging.getLogger(__name__)

_TAKEN_AT_ONCE = 1024
_TAG_LOOKS = 20  # at where a tag is, after moving it
_FROM_SAMPLED = ("stratum", "probability", "repeats")  # the last only where the recipe has epochs


def published_schema(recipe: Recipe) -> pa.Schema:
    """Columns of ``published``: the cleaned record, its scores and how it was drawn; no keys of deduplication."""
    left_out = {"promotion_id", *key_columns(recipe)}
    fields = {f.name: f for f in cleaned_schema(recipe) if f.name not in left_out}
    for field in scored_schema(recipe):
        if field.name not in left_out:
            fields.setdefault(field.name, field)
    fields |= {field.name: field for field in sampled_schema(recipe) if field.name in _FROM_SAMPLED}
    return pa.schema([*fields.values(), pa.field("promotion_id", pa.string(), nullable=False)])


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


def complete_release(ws: Workspace, recipe: Recipe) -> None:
    """Give every promoted release its index and its number; the recipe's tag moves last.

    A re-run completes what a crash left out. A numbered tag points at the version that its promotion made or, where
    nothing else came between, at the one that an index was added to: readers of the tag have its point look-ups, and
    a rival release that lands meanwhile never gets another one's number.
    """
    corpus = recipe.corpus
    promoted = [r for r in ws.lake.records(corpus).of("published", WHOLE_TABLE) if r.state == "promoted"]
    tags = ws.lake.tags(corpus)
    without = [r for r in promoted if r.promoted_version is not None and f"v{r.facts['release']}" not in tags]
    if without:
        ws.lake.ensure_index(corpus, "published")
    for record in sorted(without, key=lambda record: int(record.facts["release"])):
        assert record.promoted_version is not None
        barrier.reach("release:indexed")
        try:
            version = ws.lake.same_rows(corpus, "published", record.promoted_version)
        except NotFoundError:
            logger.warning("%s: version %s of release v%s was cleaned up before it got its tag; it has none",
                           corpus, record.promoted_version, record.facts["release"])  # fmt: skip
            continue
        ws.lake.tag(corpus, "published", f"v{record.facts['release']}", version)
    _move_tag(ws, corpus, recipe.publish.tag)


def _move_tag(ws: Workspace, corpus: str, tag: str) -> None:
    """Move a tag to the newest release, unless a rollback holds it.

    Moving a tag is no compare-and-set, so each move is followed by another look: a slower process may have moved the
    tag back, or somebody has rolled it back.
    """
    moved = False
    for _ in range(_TAG_LOOKS):
        tags = ws.lake.tags(corpus)
        newest = newest_release(tags)
        pin = _pin(ws, corpus, tag)
        if newest <= pin.not_before:
            if moved and pin.to in tags:
                ws.lake.tag(corpus, "published", tag, tags[pin.to])
            return
        if tags.get(tag) == tags[f"v{newest}"]:
            return
        barrier.reach("release:moving")
        ws.lake.tag(corpus, "published", tag, tags[f"v{newest}"])
        moved = True


class _Pin(NamedTuple):
    """A rollback: the tag stays at release ``to`` until one newer than ``not_before`` is promoted."""

    not_before: int = 0
    to: str = ""


def _pin_uri(ws: Workspace, corpus: str, tag: str) -> str:
    return f"{ws.lake.corpus_uri(corpus)}/rollbacks/{tag}.json"


def pin_release(ws: Workspace, corpus: str, tag: str, to: str) -> None:
    """Keep a tag at the release a rollback puts it on: only one newer than today's newest moves it on."""
    pin = _Pin(newest_release(ws.lake.tags(corpus)), to)
    ws.store.write(_pin_uri(ws, corpus, tag), json.dumps(pin._asdict()).encode())


def _pin(ws: Workspace, corpus: str, tag: str) -> _Pin:
    uri = _pin_uri(ws, corpus, tag)
    return _Pin(**json.loads(ws.store.read(uri))) if ws.store.exists(uri) else _Pin()


def newest_release(tags: Mapping[str, int]) -> int:
    """Highest number of a release among tags; 0 without any.

    >>> newest_release({"v2": 7, "v10": 9, "prod": 7})
    10
    """
    return max((int(name[1:]) for name in tags if re.fullmatch(r"v\d+", name)), default=0)


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
    drawn_names = [name for name in schema.names if name in _FROM_SAMPLED]
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
