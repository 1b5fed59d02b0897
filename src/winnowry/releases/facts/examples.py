"""Some records that each rule left out, with the value that did it; text is cut, and personal data masked."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pyarrow as pa

from winnowry.core.sql import in_list
from winnowry.lakehouse.blobs import blob_columns
from winnowry.lakehouse.view import TableView
from winnowry.operators.text.pii import Pii
from winnowry.reading.session import Session
from winnowry.records.kinds import FILE
from winnowry.releases.facts.example_pictures import add_pictures
from winnowry.stages.graph import ARRIVED, DRAWN, LEFT_OUT, reading_stages, shown_before

_EXAMPLES = 30  # a rule
_RULES = 24  # most frequent ones
_CHARACTERS = 300
_READ = 2000  # characters that are looked at for personal data
_HTML = re.compile(r"\s*(<!doctype html|<html)\b", re.IGNORECASE)
_TAGS = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>|<[^>]*$", re.DOTALL | re.IGNORECASE)
_ROWS_AT_ONCE = 8  # of text that may be long


def examples(session: Session, *, mask: bool = True) -> list[dict[str, Any]]:
    """Records that were left out, by rule, the most frequent rule first.

    Args:
        session: the session.
        mask: whether personal data is replaced by tags.

    Returns:
        ``stage``, ``operator``, ``reason``, ``rows`` and ``records``: those with the lowest ids, which are random, each
        with id, partition, value, threshold, text (at most 300 characters; None where the text is not there),
        whether it was ``cut``, and of a few pictures ``jpeg`` or ``svg``: a small one.
    """
    rules = [*_quarantined(session), *_duplicates(session), *_not_drawn(session)]
    records = [(rule, record) for rule in rules for record in rule["records"]]
    places = {rule["stage"]: shown_before(rule["stage"]) for rule in rules}
    texts = {
        place: _texts(session, place, [r["record_id"] for rule, r in records if places[rule["stage"]] == place])
        for place in set(places.values())
    }
    shown = [texts[places[rule["stage"]]].get(record["record_id"]) for rule, record in records]
    values = [[record[name] for _, record in records] for name in ("value", "threshold")]
    hide: Callable[[list[str | None]], list[str | None]] = masked if mask else list
    for (_, record), text, value, threshold in zip(records, hide(shown), *map(hide, values), strict=True):
        record["cut"] = text is not None and len(text) > _CHARACTERS
        record["text"] = None if text is None else text[:_CHARACTERS]
        record["value"], record["threshold"] = (None if v is None else v[:_CHARACTERS] for v in (value, threshold))
    add_pictures(session, rules)
    return rules


def masked(texts: Iterable[str | None]) -> list[str | None]:
    """Texts with e-mail addresses, telephone numbers and the like replaced by tags such as ``<EMAIL>``.

    >>> masked(["write to jane.doe@company.org", None])
    ['write to <EMAIL>', None]
    """
    batch = pa.record_batch({"text": pa.array(list(texts), pa.large_string())})
    result: list[str | None] = Pii(op="text.pii").apply(batch).column("text").to_pylist()
    return result


def _quarantined(session: Session) -> list[dict[str, Any]]:
    if not session.tables.has("quarantine"):
        return []
    rules = session.rows(
        "SELECT stage, operator, reason, COUNT(*) AS rows FROM quarantine GROUP BY ALL "
        f"ORDER BY rows DESC, stage, operator, reason LIMIT {_RULES}"
    )
    # The ids first: a few of each rule are held, however many rows there are.
    lowest = session.rows(f"SELECT MIN(record_id, {_EXAMPLES}) AS ids FROM quarantine GROUP BY stage, operator, reason "
                        f"ORDER BY COUNT(*) DESC, stage, operator, reason LIMIT {_RULES}")  # fmt: skip
    ids = sorted({record_id for row in lowest for record_id in row["ids"]})
    picked = session.rows(
        "SELECT stage, operator, reason, record_id, partition, LEFT(value, 2000) AS value, "
        f"LEFT(threshold, 2000) AS threshold FROM quarantine WHERE {in_list('record_id', ids)} ORDER BY record_id"
    ) if ids else []  # fmt: skip
    names = ("stage", "operator", "reason")
    for rule in rules:
        mine = [row for row in picked if all(row[name] == rule[name] for name in names)]
        rule["records"] = [{k: v for k, v in row.items() if k not in names} for row in mine[:_EXAMPLES]]
    return rules


def _duplicates(session: Session) -> list[dict[str, Any]]:
    if not session.tables.has(LEFT_OUT):
        return []
    rules = session.rows(
        f"SELECT '{LEFT_OUT}' AS stage, 'duplicate' AS operator, method AS reason, COUNT(*) AS rows FROM {LEFT_OUT} "
        "GROUP BY method ORDER BY rows DESC, method"
    )
    for rule in rules:
        rule["records"] = session.rows(
            "SELECT record_id, partition, format('similarity {:.3f}', similarity) AS value, "
            f"'copy of ' || kept_record_id AS threshold FROM {LEFT_OUT} WHERE method = ? "
            f"ORDER BY record_id LIMIT {_EXAMPLES}",
            [rule["reason"]],
        )
    return rules


def _not_drawn(session: Session) -> list[dict[str, Any]]:
    if not session.tables.has(DRAWN):
        return []
    rows = session.one(f"SELECT COUNT(*) AS n FROM {DRAWN} WHERE NOT selected")["n"]
    picked = session.rows(
        "SELECT record_id, partition, format('draw {:.4f}', draw) AS value, "
        f"format('probability {{:.4f}}', probability) AS threshold FROM {DRAWN} WHERE NOT selected "
        f"ORDER BY record_id LIMIT {_EXAMPLES}"
    )
    rule = {"stage": DRAWN, "operator": "sample", "reason": "not drawn", "rows": rows, "records": picked}
    return [rule] if rows else []


def _texts(session: Session, place: tuple[str, str] | None, ids: list[str]) -> dict[str, str]:
    """The beginning of some records' text; nothing else is read of that column.

    Args:
        session: the session.
        place: table and column; None of records that could not be read, which lie in the quarantine.
        ids: the records.
    """
    table, column = place if place is not None else ("quarantine", "payload")
    if place is not None and not session.tables.has(table, column):  # of files the stages between have no content
        table, column = ARRIVED, "payload"
    if not ids or not session.tables.has(table, column):
        return {}
    where = in_list("record_id", ids)
    if place is None:
        where = f"{in_list('stage', reading_stages())} AND {where}"
    elif column in blob_columns(session.tables.views[table].schema):
        return _shown_files(session.tables.views[table], where)
    return _begun(
        row
        for batch in session.tables.views[table].scan(["record_id", column], where, batch_rows=_ROWS_AT_ONCE)
        for row in batch.rename_columns(["record_id", "text"]).to_pylist()
    )


def _shown_files(view: TableView, where: str) -> dict[str, str]:
    """What files are called and said to be, with the text beside them; their bytes are not read."""
    beside = ["text"] if "text" in view.schema.names else []
    rows = view.to_table(["record_id", "uri", "media_type", *beside], where).to_pylist()
    return {row["record_id"]: f"{row['uri'].rpartition('/')[2]}, {FILE.shows(row)}" for row in rows}


def _begun(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    texts = {}
    for row in rows:
        text = row["text"]
        if isinstance(text, bytes):
            text = text[: 4 * _READ].decode("utf-8", "replace")
        if isinstance(text, str):
            texts[str(row["record_id"])] = words_of(text[: 4 * _READ])[:_READ]
    return texts


def words_of(text: str) -> str:
    """The beginning of a text to be looked at: of an HTML page its words, for the first lines of one are all markup.

    >>> words_of("<!DOCTYPE html><html><head><title>A &amp; B</title><style>p{}</style></head><p>and so on <a")
    'A & B and so on'
    >>> words_of("1 < 2, <b>not a page</b>")
    '1 < 2, <b>not a page</b>'
    """
    if not _HTML.match(text):
        return text
    return html.unescape(" ".join(_TAGS.sub(" ", text).split()))
