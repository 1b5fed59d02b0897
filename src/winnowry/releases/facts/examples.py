"""Some records that each rule left out, with the value that did it; text is cut, and personal data masked."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pyarrow as pa

from winnowry.core.sql import in_list
from winnowry.operators.text.pii import Pii
from winnowry.reading.session import Session

_EXAMPLES = 30  # a rule
_RULES = 24  # most frequent ones
_CHARACTERS = 300
_READ = 2000  # characters that are looked at for personal data
_HTML = re.compile(r"\s*(<!doctype html|<html)\b", re.IGNORECASE)
_TAGS = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>|<[^>]*$", re.DOTALL | re.IGNORECASE)
_ROWS_AT_ONCE = 8  # of text that may be long


def examples(found: Session, *, mask: bool = True) -> list[dict[str, Any]]:
    """Records that were left out, by rule, the most frequent rule first.

    Args:
        found: the session.
        mask: whether personal data is replaced by tags.

    Returns:
        ``stage``, ``operator``, ``reason``, ``rows`` and ``records``: those with the lowest ids, which are random, each
        with id, partition, value, threshold, text (at most 300 characters; None where the text is not there) and
        whether it was ``cut``.
    """
    rules = [*_quarantined(found), *_duplicates(found), *_not_drawn(found)]
    texts = {
        "raw": _unread(found, _ids(rules, {"landing", "raw"})),
        "cleaned": _texts(found, "raw", "payload", _ids(rules, {"cleaned"})),
    }
    later = _texts(found, "cleaned", "text", _ids(rules, {"duplicates", "scored", "sampled", "published"}))
    records = [(rule, record) for rule in rules for record in rule["records"]]
    shown = [texts.get("raw" if r["stage"] == "landing" else r["stage"], later).get(x["record_id"]) for r, x in records]
    values = [[record[name] for _, record in records] for name in ("value", "threshold")]
    hide: Callable[[list[str | None]], list[str | None]] = masked if mask else list
    for (_, record), text, value, threshold in zip(records, hide(shown), *map(hide, values), strict=True):
        record["cut"] = text is not None and len(text) > _CHARACTERS
        record["text"] = None if text is None else text[:_CHARACTERS]
        record["value"], record["threshold"] = (None if v is None else v[:_CHARACTERS] for v in (value, threshold))
    return rules


def masked(texts: Iterable[str | None]) -> list[str | None]:
    """Texts with e-mail addresses, telephone numbers and the like replaced by tags such as ``<EMAIL>``.

    >>> masked(["write to jane.doe@company.org", None])
    ['write to <EMAIL>', None]
    """
    batch = pa.record_batch({"text": pa.array(list(texts), pa.large_string())})
    result: list[str | None] = Pii(op="text.pii").apply(batch).column("text").to_pylist()
    return result


def _ids(rules: list[dict[str, Any]], stages: set[str]) -> list[str]:
    return [record["record_id"] for rule in rules if rule["stage"] in stages for record in rule["records"]]


def _quarantined(found: Session) -> list[dict[str, Any]]:
    if not found.tables.has("quarantine"):
        return []
    rules = found.rows(
        "SELECT stage, operator, reason, COUNT(*) AS rows FROM quarantine GROUP BY ALL "
        f"ORDER BY rows DESC, stage, operator, reason LIMIT {_RULES}"
    )
    # The ids first: a few of each rule are held, however many rows there are.
    lowest = found.rows(f"SELECT MIN(record_id, {_EXAMPLES}) AS ids FROM quarantine GROUP BY stage, operator, reason "
                        f"ORDER BY COUNT(*) DESC, stage, operator, reason LIMIT {_RULES}")  # fmt: skip
    ids = sorted({record_id for row in lowest for record_id in row["ids"]})
    picked = found.rows(
        "SELECT stage, operator, reason, record_id, partition, LEFT(value, 2000) AS value, "
        f"LEFT(threshold, 2000) AS threshold FROM quarantine WHERE {in_list('record_id', ids)} ORDER BY record_id"
    ) if ids else []  # fmt: skip
    names = ("stage", "operator", "reason")
    for rule in rules:
        mine = [row for row in picked if all(row[name] == rule[name] for name in names)]
        rule["records"] = [{k: v for k, v in row.items() if k not in names} for row in mine[:_EXAMPLES]]
    return rules


def _duplicates(found: Session) -> list[dict[str, Any]]:
    if not found.tables.has("duplicates"):
        return []
    rules = found.rows(
        "SELECT 'duplicates' AS stage, 'duplicate' AS operator, method AS reason, COUNT(*) AS rows FROM duplicates "
        "GROUP BY method ORDER BY rows DESC, method"
    )
    for rule in rules:
        rule["records"] = found.rows(
            "SELECT record_id, partition, format('similarity {:.3f}', similarity) AS value, "
            "'copy of ' || kept_record_id AS threshold FROM duplicates WHERE method = ? "
            f"ORDER BY record_id LIMIT {_EXAMPLES}",
            [rule["reason"]],
        )
    return rules


def _not_drawn(found: Session) -> list[dict[str, Any]]:
    if not found.tables.has("sampled"):
        return []
    rows = found.one("SELECT COUNT(*) AS n FROM sampled WHERE NOT selected")["n"]
    picked = found.rows(
        "SELECT record_id, partition, format('draw {:.4f}', draw) AS value, "
        "format('probability {:.4f}', probability) AS threshold FROM sampled WHERE NOT selected "
        f"ORDER BY record_id LIMIT {_EXAMPLES}"
    )
    rule = {"stage": "sampled", "operator": "sample", "reason": "not drawn", "rows": rows, "records": picked}
    return [rule] if rows else []


def _texts(found: Session, table: str, column: str, ids: list[str]) -> dict[str, str]:
    """The beginning of some records' text; nothing else is read of that column."""
    if not ids or not found.tables.has(table, column):
        return {}
    view = found.tables.views[table]
    return _begun(
        row
        for batch in view.scan(["record_id", column], in_list("record_id", ids), batch_rows=_ROWS_AT_ONCE)
        for row in batch.rename_columns(["record_id", "text"]).to_pylist()
    )


def _unread(found: Session, ids: list[str]) -> dict[str, str]:
    """The beginning of what could not be read: it lies in the quarantine."""
    if not ids:
        return {}
    view = found.tables.views["quarantine"]
    where = f"stage IN ('raw', 'landing') AND {in_list('record_id', ids)}"
    batches = view.scan(["record_id", "payload"], where, batch_rows=_ROWS_AT_ONCE)
    return _begun({"record_id": r["record_id"], "text": r["payload"]} for b in batches for r in b.to_pylist())


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
