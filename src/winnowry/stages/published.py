"""Stage ``published``: the selected records with their content, scores and provenance; one release a changed selection.

A corpus-wide draw touches a few rows in nearly every partition, so a release is a *delta*: deletions plus appended
rows in one transaction. Tags keep old releases readable.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from winnowry.columns.definitions import Definitions
from winnowry.core.sql import in_list, literal
from winnowry.engine.tasks import CONTENT
from winnowry.evidence.valid2.card import letter_scores, release_card
from winnowry.lakehouse.blobs import blob_array, blob_columns, blob_field, copied_blobs, pieces_of
from winnowry.lakehouse.record import PromotionRecord
from winnowry.lakehouse.references import places_by_id
from winnowry.lakehouse.view import TableView
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.ledger import Ids, Ledger, read_ids
from winnowry.promotion.lineage import data_version, live, output_version
from winnowry.promotion.partitions import kept_partitions, partitions_of
from winnowry.promotion.production import Candidate, Delta, Findings, Production, Rows, Work
from winnowry.promotion.result import StageResult
from winnowry.recipe.model import Recipe
from winnowry.recipe.tables import FROM_SAMPLED, cleaned_schema, published_schema, scored_schema
from winnowry.releases.documents import with_documents
from winnowry.releases.recipes import store_recipe
from winnowry.releases.tags import CONTENT_VERSION, complete_release, holds, left_behind, next_release
from winnowry.sampling.draw import id_words, permanent_random
from winnowry.stages.graph import ARRIVED, KEPT, PUBLISHED, Stage, same_specification

_TAKEN_AT_ONCE = 1024
_CONTENT_BYTES = 64 << 20


class Published(Production):
    """Makes the published table equal to the selection, as a delta to the release before."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        ws, corpus = work.ws, work.recipe.corpus
        self.schema = published_schema(work.recipe)
        records = ws.lake.records(corpus)
        self.previous = records.load("published", work.partition, work.replaces) if work.replaces is not None else None
        # One version throughout: what is compared, what is deleted from, and what the candidate is built on.
        self.base = ws.lake.open(corpus, "published")
        self.selected = read_ids(work.table("sampled"), where="selected")
        valid = _still_valid(work, self.previous, self.selected, self.schema, self.base)
        self.gone = np.setdiff1d(read_ids(self.base), np.intersect1d(self.selected, valid))
        self.new = np.setdiff1d(self.selected, valid)
        # Parts of files have no bytes of their own: the release keeps the version of `raw` that has them.
        self.content_version = _content_version(work) if work.recipe.cuts_media else None

    def rows(self) -> Iterator[Rows]:
        """Rows that the release before does not have as they should be."""
        request = self.work.request
        request.progress.start(request.stage.name, None, len(self.new))
        for partition in self.work.ws.lake.partitions(request.corpus, "sampled"):
            for batch in _rows(self.work, partition, self.new, self.schema):
                yield Rows(batch)
                request.progress.advance(batch.num_rows)

    def delta(self) -> Delta:
        """Rows of the release before that are no part of this one."""
        ids = [value.decode() for value in self.gone]
        updated, removed = self.work.ws.lake.delete_rows(self.work.recipe.corpus, "published", ids, self.base.version)
        return Delta(self.base.version, updated, removed)

    def findings(self, candidate: Candidate) -> Findings:
        """The table is the selection; its tokens, and its VALID² card."""
        work, recipe, whole = self.work, self.work.recipe, candidate.rows
        kind = recipe.kind
        size = int(whole.sql(f"SELECT COALESCE(SUM({kind.size_column}), 0) AS n FROM dataset").to_pylist()[0]["n"])
        number = next_release(work.ws, recipe.corpus)
        held = {CONTENT_VERSION: self.content_version} if self.content_version is not None else {}
        card = release_card(work.ws, recipe, whole, work.promotion_id)
        changed = {"rows_added": len(self.new), "rows_removed": len(self.gone)}
        return Findings(
            Ledger.of(self.selected, read_ids(whole), self.selected[:0]),
            outputs={work.partition: data_version(work.request.stage, recipe, work.inputs)},
            facts={"valid2": card},
            measures={
                "release": number,
                **changed,
                **held,
                "valid2": card,
                "about": {"description": recipe.description, "owner": recipe.owner},
                **({"kept_partitions": kept_partitions(work.ws, recipe)} if recipe.keep_gone else {}),
            },
            metadata={
                "release": f"v{number}",
                **changed,
                **letter_scores(card),
            },
            size=size // kind.sizes_per_unit,
            lineage={"missing_partitions": work.gaps.missing},
        )

    @classmethod
    def settle(cls, ws: Workspace, recipe: Recipe, *, promoted: bool) -> None:
        """Give every promoted release its index, its recipe and its number; the recipe's tag moves last."""
        complete_release(ws, recipe, store_recipe)

    @classmethod
    def present(cls, ws: Workspace, result: StageResult) -> StageResult:
        """The result with the release's page and cards, and which tags stay where they are though it is there."""
        result = with_documents(ws, result)
        stay = {
            "held": "; ".join(map(str, holds(ws, result.corpus))),
            "left_behind": "; ".join(left_behind(ws, result.corpus)) if result.status == "promoted" else "",
        }
        return replace(result, metadata={**result.metadata, **{key: text for key, text in stay.items() if text}})


def _content_version(work: Work) -> int:
    """The version of ``raw`` with the files that the records were made from.

    That is the latest one, unless a partition was promoted anew since its records were made, by a run beside this one.
    """
    ws, recipe = work.ws, work.recipe
    latest = ws.lake.open(recipe.corpus, ARRIVED).version
    made = {key: live(ws, recipe, KEPT, key) for key in ws.lake.partitions(recipe.corpus, "sampled")}
    lineages = {key: record.lineage for key, record in made.items() if record is not None}
    if all(
        lineage.get("inputs", {}).get(f"{ARRIVED}/{key}") == output_version(live(ws, recipe, ARRIVED, key), key)
        for key, lineage in lineages.items()
    ):
        return latest
    return max(int(lineage.get("input_versions", {}).get(ARRIVED, latest)) for lineage in lineages.values())


def content_versions(ws: Workspace, recipe: Recipe, stage: Stage, partition: str | None) -> dict[str, str | None]:
    """Inputs of a release beside the selection: its proof, what scores are made from, and the columns it declares.

    A column that the recipe declares for ``published`` counts from when it is in the table: the next release has it.

    The proof is the selection that the live comparison is about: measured again with more seeds, it makes no new
    release. Scores are named by what they are made from, apart from who the keepers are: a new duplicate leaves old
    scores as they are.
    """
    versions: dict[str, str | None] = {}
    if recipe.comparison is not None:
        proof = live(ws, recipe, "comparison")
        versions["comparison"] = proof.lineage.get("inputs", {}).get("sampled") if proof is not None else None
    for key in partitions_of(ws, recipe):
        record = live(ws, recipe, "scored", key)
        if record is not None:
            inputs = record.lineage.get("inputs", {})
            parts = [record.lineage.get("stage_hash", ""), inputs.get(f"cleaned/{key}"), inputs.get("fit")]
            versions[f"content/{key}"] = ":".join(str(part) for part in parts)
    return versions | _declared_columns(ws, recipe)


def _declared_columns(ws: Workspace, recipe: Recipe) -> dict[str, str | None]:
    """Version of every declared column of ``published`` that is live, by ``column/NAME``.

    A release of before columns were inputs has those that were in the table then: they make it no older.
    """
    versions: dict[str, str | None] = {}
    names = [column.name for column in recipe.columns or () if column.table == PUBLISHED]
    release = live(ws, recipe, PUBLISHED) if names else None
    for name in names:
        definition = Definitions(ws, recipe.corpus).get(PUBLISHED, name)
        if definition is None or definition.state != "live":
            continue
        key, since = f"column/{name}", definition.table_version
        known = release is not None and key in release.lineage.get("inputs", {})
        held = release is not None and since is not None and since <= (release.promoted_version or 0)
        if known or not held:
            versions[key] = definition.spec.version
    return versions


def _still_valid(
    work: Work, previous: PromotionRecord | None, selected: Ids, schema: pa.Schema, published: TableView
) -> Ids:
    """Published ids whose text and scores are what the inputs still say.

    Partitions whose inputs are the same are taken as they are; in the others each row is compared, so that a moved
    threshold, which makes new inputs of the same rows, writes no text again. How a record was drawn does not count,
    except how often it is repeated: ``probability`` and ``stratum`` stay those of the release in which it came.
    """
    nothing = np.empty(0, dtype="S32")
    specification = work.request.stage.specification(work.recipe)
    if previous is None or not same_specification(previous.lineage.get("spec", {}), specification):
        return nothing
    before = previous.lineage.get("inputs", {})
    parts = [nothing]
    for partition in work.ws.lake.partitions(work.recipe.corpus, "sampled"):
        ids = read_ids(published, where=f"partition = {literal(partition)}")
        keys = (f"cleaned/{partition}", f"content/{partition}")
        if "repeats" in schema.names or any(before.get(key) != work.inputs.get(key) for key in keys):
            ids = _unchanged(work, partition, published, np.intersect1d(ids, selected), schema)
        parts.append(ids)
    return np.sort(np.concatenate(parts))


def _unchanged(work: Work, partition: str, published: TableView, ids: Ids, schema: pa.Schema) -> Ids:
    # Equal hashes say that the bytes of a file are equal: they are not read. Only where they lie may have changed.
    left_out = {"stratum", "probability", "promotion_id", *blob_columns(schema)}
    names = [n for n in schema.names if n not in left_out]
    same: list[str] = []
    read = list(dict.fromkeys([*names, *_drawn_names(schema)]))
    for batch in _rows(work, partition, ids, pa.schema([schema.field(name) for name in read])):
        these = in_list("record_id", batch.column("record_id").to_pylist())
        stored = published.to_table(columns=names, where=these).to_pylist()
        by_id = {row["record_id"]: row for row in stored}
        same += [row["record_id"] for row in batch.select(names).to_pylist() if by_id.get(row["record_id"]) == row]
    if blob_columns(schema):
        now, then = places_by_id(work.part("raw", partition)), places_by_id(published)
        same = [record_id for record_id in same if now.get(record_id) == then.get(record_id)]
    return np.asarray(sorted(same), dtype="S32")


def _rows(work: Work, partition: str, new: Ids, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The new rows of a partition in seeded random order; only their content is read."""
    drawn_names = _drawn_names(schema)
    sampled = work.part("sampled", partition).to_table(columns=["record_id", *drawn_names], where="selected")
    wanted = np.isin(np.asarray(sampled["record_id"].to_pylist(), dtype="S32"), new)
    sampled = sampled.filter(pa.array(wanted))
    if sampled.num_rows == 0:
        return
    seed = work.recipe.sample.seed if work.recipe.sample is not None else 0
    shuffled = np.argsort(permanent_random(id_words(sampled["record_id"]), seed + 1), kind="stable")
    sampled = sampled.take(pa.array(shuffled))
    cleaned = work.part("cleaned", partition)
    scored = work.part("scored", partition)
    wanted_names = {*schema.names} - {"promotion_id"}
    text_names = [n for n in cleaned_schema(work.recipe).names if n in wanted_names]
    score_names = [n for n in scored_schema(work.recipe).names if n in wanted_names.difference(text_names)]
    text_at, score_at = _positions(cleaned), _positions(scored)
    contents = _Contents(work.part("raw", partition)) if blob_columns(schema) else None
    for start in range(0, sampled.num_rows, _TAKEN_AT_ONCE):
        chunk = sampled.slice(start, _TAKEN_AT_ONCE)
        ids = chunk["record_id"].to_pylist()
        text = cleaned.dataset().take([text_at[i] for i in ids], columns=text_names)
        columns: dict[str, Any] = {name: text[name] for name in text_names}
        if score_names:  # there are none where nothing is scored and the size comes from `cleaned`
            scores = scored.dataset().take([score_at[i] for i in ids], columns=score_names)
            columns.update({name: scores[name] for name in score_names})
        columns.update({name: chunk[name] for name in drawn_names})
        batches = pa.table(columns).combine_chunks().to_batches()
        yield from batches if contents is None else contents.beside(batches)


def _drawn_names(schema: pa.Schema) -> list[str]:
    return [name for name in schema.names if name in FROM_SAMPLED]


class _Contents:
    """The bytes of a partition's files, as ``raw`` holds them."""

    def __init__(self, raw: TableView) -> None:
        self._dataset = raw.dataset()
        table = self._dataset.to_table(columns=["record_id", CONTENT], with_row_address=True).combine_chunks()
        self._ids, self._references, self._addresses = (
            table[name].combine_chunks() for name in ("record_id", CONTENT, "_rowaddr")
        )

    def beside(self, batches: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Rows with their bytes, at most :data:`_CONTENT_BYTES` at a time unless one file has more."""
        for batch in batches:
            at = pa.compute.index_in(batch.column("record_id"), value_set=self._ids)
            references, addresses = self._references.take(at), self._addresses.take(at)
            for start, stop in pieces_of(batch.column("size").to_pylist(), _CONTENT_BYTES):
                n = stop - start
                held = copied_blobs(self._dataset, CONTENT, references.slice(start, n), addresses.slice(start, n))
                yield batch.slice(start, n).append_column(blob_field(CONTENT), blob_array(held))


def _positions(view: Any) -> dict[str, int]:
    """Row number of every record id of a view."""
    at: dict[str, int] = {}
    for batch in view.scan(columns=["record_id"]):
        for value in batch.column(0).to_pylist():
            at[value] = len(at)
    return at
