"""What lies beside the tables and may quote a record: units, Data Docs, promotion records, pages of releases."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from winnowry.core.formats import stamped
from winnowry.core.jsonable import digest, jsonable
from winnowry.lakehouse.record import WHOLE_TABLE, CandidateTable, PromotionRecord
from winnowry.lakehouse.workspace import Workspace
from winnowry.releases.documents import CROISSANT, FACTS, PAGE, README, rendered
from winnowry.releases.facts.facts import release_facts
from winnowry.releases.recipes import documents_uri
from winnowry.releases.releases import find_release

_REMOVED = "(removed by an erasure)"


def remove_quoting(ws: Workspace, corpus: str, partitions: Collection[str]) -> list[str]:
    """Remove kept units, and the Data Docs of promotions that may show values of the partitions.

    Returns:
        URIs of what was removed; the verdicts themselves stay in ``gates``.
    """
    base = ws.lake.corpus_uri(corpus)
    promotions = {
        str(record.id) for record in ws.lake.records(corpus).all() if record.partition in {*partitions, WHOLE_TABLE}
    }
    removed = []
    for info in list(ws.store.list(f"{base}/units/**/*")):
        if unquote(info.uri.removeprefix(f"{base}/units/").split("/")[1]) in {*partitions, WHOLE_TABLE}:
            removed.append(info.uri)
    for info in list(ws.store.list(f"{base}/data_docs/*/*/**")):
        if info.uri.removeprefix(f"{base}/data_docs/").split("/")[1] in promotions:
            removed.append(info.uri)
    for uri in removed:
        ws.store.delete(uri)
    return removed


def correct_records(ws: Workspace, corpus: str, words: Collection[str]) -> list[str]:
    """Make promotion records say what the tables hold now, and nothing of what is erased.

    Returns:
        Ids of the records that were changed.
    """
    changed = []
    fragments: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for name in ws.lake.tables(corpus):
        table = ws.lake.table(corpus, name)
        dataset = table.dataset()
        owners = table.owners(dataset)
        for fragment in dataset.get_fragments():
            by_promotion = fragments.setdefault(name, {})
            owner = owners[fragment.fragment_id].promotion_id
            by_promotion.setdefault(owner, []).append(fragment.metadata.to_json())
    for record in list(ws.lake.records(corpus).all()):
        recounted = _released(ws, record) if _is_delta(record) else _recounted(record, fragments)
        corrected = _scrubbed(recounted, words)
        if corrected != record:
            ws.lake.records(corpus).save(corrected)
            changed.append(str(record.id))
    return changed


def decide_again(ws: Workspace, corpus: str, partitions: Collection[str], erasure: str) -> None:
    """Let the next run decide which duplicates stay, where the keeper of a group was erased.

    Args:
        ws: the lake.
        corpus: the corpus.
        partitions: of the records that a keeper stood for.
        erasure: its name; called twice with one, nothing more is changed.
    """
    for partition in sorted(partitions):
        record = ws.lake.live_record(corpus, "cleaned", partition)
        if record is not None and record.lineage.get("erasure") != erasure:
            version = digest([record.outputs[partition], erasure])
            lineage = {**record.lineage, "erasure": erasure}
            ws.lake.records(corpus).save(
                replace(record, outputs={**record.outputs, partition: version}, lineage=lineage)
            )


def _is_delta(record: PromotionRecord) -> bool:
    return record.main is not None and record.main.scope == "delta"


def _released(ws: Workspace, record: PromotionRecord) -> PromotionRecord:
    """A release's promotion with the rows that its release has now; where it has no number, those of the table."""
    if record.state != "promoted" or record.main is None:
        return record
    tag = f"v{record.facts.get('release')}"
    version = tag if tag in ws.lake.tags(record.corpus, record.main.table) else None
    dataset = ws.lake.table(record.corpus, record.main.table).dataset(version)
    lost = record.ledger.get("rows_out", 0) - int(dataset.count_rows())
    if lost <= 0:
        return record
    erased = record.ledger.get("rows_erased", 0) + lost
    return replace(
        record, ledger={**record.ledger, "rows_out": record.ledger["rows_out"] - lost, "rows_erased": erased}
    )


def _recounted(record: PromotionRecord, fragments: Mapping[str, Mapping[str, list[dict[str, Any]]]]) -> PromotionRecord:
    """A live promotion with the files it has now; what it lost is counted as erased in its ledger."""
    if record.state != "promoted" or record.main is None or record.main.scope == "delta":
        return record
    if str(record.id) not in fragments.get(record.main.table, {}):
        return record
    main = _of_now(record.main, fragments, str(record.id))
    sides = [_of_now(side, fragments, str(record.id)) for side in record.sides]
    lost_out = record.main.rows - main.rows
    lost_quarantined = sum(side.rows for side in record.sides) - sum(side.rows for side in sides)
    if not lost_out and not lost_quarantined:
        return record
    ledger = dict(record.ledger)
    if record.stage != "landing":
        ledger["rows_out"] = ledger.get("rows_out", 0) - lost_out
        ledger["rows_quarantined"] = ledger.get("rows_quarantined", 0) - lost_quarantined
        ledger["rows_erased"] = ledger.get("rows_erased", 0) + lost_out + lost_quarantined
    return replace(record, main=main, sides=sides, ledger=ledger)


def _of_now(
    candidate: CandidateTable, fragments: Mapping[str, Mapping[str, list[dict[str, Any]]]], promotion: str
) -> CandidateTable:
    files = {file["path"] for fragment in candidate.fragments for file in fragment["files"]}
    now = fragments.get(candidate.table, {}).get(promotion, [])
    if files == {file["path"] for fragment in now for file in fragment["files"]} or candidate.scope == "delta":
        return candidate
    rows = sum(int(fragment["physical_rows"]) - _hidden(fragment) for fragment in now)
    return replace(candidate, fragments=now, rows=rows)


def _hidden(fragment: Mapping[str, Any]) -> int:
    deletions = fragment.get("deletion_file")
    return int(deletions.get("num_deleted_rows") or 0) if isinstance(deletions, dict) else 0


def _scrubbed(record: PromotionRecord, words: Collection[str]) -> PromotionRecord:
    return replace(record, facts=without_words(record.facts, words), refusal=without_words(record.refusal, words))


def without_words(value: Any, words: Collection[str]) -> Any:
    """A JSON value without the texts that hold one of the words.

    Args:
        value: the value.
        words: ids and passages.
    """
    if isinstance(value, dict):
        return {key: without_words(item, words) for key, item in value.items() if not _holds(str(key), words)}
    if isinstance(value, list | tuple):
        return [without_words(item, words) for item in value]
    return _REMOVED if isinstance(value, str) and _holds(value, words) else value


def _holds(text: str, words: Collection[str]) -> bool:
    return any(word.strip('"') in text for word in words)


def write_documents_anew(ws: Workspace, corpus: str) -> list[str]:
    """Make page, cards and facts of every release from the tables as they are now.

    What cannot be made is removed: ``winnowry release show --out`` makes it at any time.

    Returns:
        URIs of what was written or removed.
    """
    done = []
    for name in sorted(tag for tag in ws.lake.tags(corpus) if tag[0] == "v" and tag[1:].isdigit()):
        folder = documents_uri(ws, corpus, name)
        uris = {suffix: f"{folder}/{file}" for suffix, file in ((".json", CROISSANT), (".md", README), (".html", PAGE))}
        if not any(ws.store.exists(uri) for uri in (*uris.values(), f"{folder}/{FACTS}")):
            continue
        for uri in (*uris.values(), f"{folder}/{FACTS}"):
            ws.store.delete(uri)
            done.append(uri)
        facts = release_facts(ws, corpus, find_release(ws, corpus, name))
        still = {**facts, "release": {key: value for key, value in facts["release"].items() if key != "tags"}}
        body = json.dumps(stamped("facts of a release", jsonable(still)), ensure_ascii=False)
        ws.store.write(f"{folder}/{FACTS}", body.encode("utf-8", "replace"))
        for suffix, uri in uris.items():
            text = rendered(facts, suffix, table="../../published.lance")
            ws.store.write(uri, text.encode("utf-8", "replace"))
    return done
