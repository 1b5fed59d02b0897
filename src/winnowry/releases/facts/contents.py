"""What the data of a release is: sources, licences, languages, size and time span."""

from __future__ import annotations

from typing import Any

from winnowry.core.sql import identifier
from winnowry.reading.session import Session
from winnowry.records.kinds import sized_by

_SHOWN = 20  # sources, licences and languages that are listed


def contents(session: Session) -> dict[str, Any]:
    """Rows, tokens and shares of the release.

    Returns:
        ``rows``, ``tokens``, ``stored_bytes`` (of the table's data files; None where they do not say), ``characters``
        (where the recipe counts them), ``unlicensed`` rows, ``sources``, ``licenses`` and ``languages`` (None without
        the column), each with ``listed``, ``total`` and ``rest_rows``, ``time``; ``unit`` where sizes are no tokens.
    """
    tables = session.tables
    kind = sized_by(tables.views["published"].schema.names)
    tokens = kind.size_in_sql() if kind is not None else "0"
    extra = ", SUM(n_chars)::BIGINT AS characters" if tables.has("published", "n_chars") else ""
    if tables.has("published", "repeats") and tokens != "0":
        extra += f", SUM({tokens} * repeats)::BIGINT AS tokens_with_repeats"
    totals = session.one(
        f"SELECT COUNT(*) AS rows, COALESCE(SUM({tokens}), 0)::BIGINT AS tokens, MIN(event_time) AS first, "
        f"MAX(event_time) AS last, COUNT(event_time) AS dated, "
        f"COUNT(NULLIF(license, '')) AS licensed{extra} FROM published"
    )
    return {
        "rows": totals["rows"],
        "tokens": None if tokens == "0" else totals["tokens"],
        **({} if kind is None or kind.in_tokens else {"unit": kind.unit}),
        "tokens_with_repeats": totals.get("tokens_with_repeats"),
        "characters": totals.get("characters"),
        "unlicensed": totals["rows"] - totals["licensed"],
        "stored_bytes": _stored_bytes(tables.views["published"].dataset()),
        "sources": _shares(session, "source", tokens, ", MIN(license) AS license, COUNT(DISTINCT license) AS licenses, "
                           "COUNT(*) - COUNT(license) AS unlicensed"),
        "licenses": _shares(session, "license", tokens),
        "languages": _shares(session, "language", tokens) if tables.has("published", "language") else None,
        "time": {
            "first": None if totals["first"] is None else totals["first"].isoformat(),
            "last": None if totals["last"] is None else totals["last"].isoformat(),
            "undated": totals["rows"] - totals["dated"],
        },
    }  # fmt: skip


def _shares(session: Session, column: str, tokens: str, more: str = "") -> dict[str, Any]:
    """The largest values of a column with rows and tokens; how many values there are, and the rows of the others."""
    name = identifier(column)
    listed = session.rows(
        f"SELECT {name} AS name, COUNT(*) AS rows, COALESCE(SUM({tokens}), 0)::BIGINT AS tokens{more} FROM published "
        f"GROUP BY {name} ORDER BY tokens DESC, rows DESC, name LIMIT {_SHOWN}"
    )
    total = session.one(f"SELECT COUNT(*) AS n FROM (SELECT 1 FROM published GROUP BY {name})")["n"]
    rows = session.one("SELECT COUNT(*) AS n FROM published")["n"]
    return {"listed": listed, "total": total, "rest_rows": rows - sum(entry["rows"] for entry in listed)}


def _stored_bytes(dataset: Any) -> int | None:
    sizes = [file.file_size_bytes for fragment in dataset.get_fragments() for file in fragment.data_files()]
    return None if any(size is None for size in sizes) else sum(sizes)
