"""SQL over the lake: every ``CORPUS.TABLE`` at its latest audited version, releases, and views of the lake itself.

``CORPUS.published`` is the release that the recipe's tag is on, as for everyone who reads by that tag;
``CORPUS.published@v2`` names another one and ``CORPUS.published@latest`` the newest version.

DuckDB runs the query; it scans Lance through Arrow, so only the columns and rows that a query names are read. Queries
read and nothing else: no files, no network, no other statement than one that returns rows.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from winnowry.core.errors import LakehouseError, NotFoundError, UsageError
from winnowry.core.sql import identifier, literal
from winnowry.reading.named_releases import NamedRelease, lacking_in_release, sql_view, with_releases_quoted
from winnowry.reading.pushdown import PushdownDataset
from winnowry.reading.system_views import QUARANTINED, STATE, SYSTEM_VIEWS
from winnowry.stages.graph import PUBLISHED
from winnowry.storage.refusals import storage_refusal

if TYPE_CHECKING:
    import duckdb

    from winnowry.lakehouse.workspace import Workspace

_READING = {"SELECT", "EXPLAIN"}


def run_sql(ws: Workspace, query: str, *, max_rows: int | None = None) -> pa.Table:
    """Run one reading statement.

    Args:
        ws: the lake.
        query: DuckDB SQL. Tables are ``CORPUS.TABLE``, e.g. ``aws_docs.raw``, or ``TABLE`` where only one corpus has
            it; a release is ``CORPUS.published@NAME``. ``quarantine`` has one column more, ``state``: ``refused`` for
            the rejects of a candidate that a gate refused, else ``live``. The views ``tables``, ``versions``,
            ``columns``, ``ledger`` and ``gates`` describe the lake.
        max_rows: stop after this many rows; all of them when None.

    Returns:
        The rows, with DuckDB's column names and Arrow types.

    Raises:
        NotFoundError: the query names a table or a release that is not there.
        UsageError: the query cannot be parsed or bound, or it does more than read.
        LakehouseError: the query failed while it ran, e.g. it ran out of memory.
        StorageError: a table could not be read any further.
    """
    import duckdb

    query, releases = with_releases_quoted(query)
    with _connection() as connection:
        _check_reading(connection, query)
        known = known_tables(ws)
        try:
            _register(connection, ws, query, known, releases)
            relation = connection.sql(query)
            if relation is None:
                raise UsageError("the query returns no rows; write a select statement")
            if max_rows is not None:
                relation = relation.limit(max_rows)
            return relation.to_arrow_table()
        except duckdb.CatalogException as error:
            raise _unknown(error, known) from error
        except (duckdb.OperationalError, duckdb.InternalError) as error:
            raise LakehouseError(f"the query failed: {_message(error)}") from error
        except duckdb.Error as error:
            if "LanceError(IO)" in str(error):  # DuckDB was reading a table when its storage failed
                failed = storage_refusal(OSError(str(error)))
                raise failed or LakehouseError(f"the query failed: {_message(error)}") from error
            raise UsageError(_with_hint(ws, query, known, _message(error))) from error


def known_tables(ws: Workspace) -> list[str]:
    """What a query may name: ``corpus.table`` for every table, then the system views."""
    names = [f"{corpus}.{table}" for corpus in ws.lake.corpora() for table in ws.lake.tables(corpus)]
    return [*names, *SYSTEM_VIEWS]


@contextmanager
def _connection() -> Iterator[duckdb.DuckDBPyConnection]:
    import duckdb

    # No files, no network, no extensions; and no Python variable of ours is a table by its name.
    connection = duckdb.connect(":memory:", config={"enable_external_access": "false"})
    try:
        connection.execute("SET python_enable_replacements = false")
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET lock_configuration = true")
        yield connection
    finally:
        connection.close()


def _check_reading(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    import duckdb

    try:
        statements = connection.extract_statements(query)
    except duckdb.Error as error:
        raise UsageError(_message(error)) from error
    if len(statements) != 1:
        raise UsageError(f"expected one statement, found {len(statements)}")
    kind = statements[0].type.name
    if kind not in _READING:
        raise UsageError(f"{kind.lower().replace('_', ' ')} is not possible here: queries only read (select … from …)")


def _register(
    connection: duckdb.DuckDBPyConnection, ws: Workspace, query: str, known: list[str], releases: list[NamedRelease]
) -> None:
    """Make the tables that the query may mean available; others are not even opened."""
    words = {word.lower() for word in re.findall(r"\w+", query)}
    alone = _alone(known)
    for name in known:
        corpus, _, table = name.rpartition(".")
        bare = alone.get(table) == name and re.search(
            rf'\b(?:from|join)\s+"?{re.escape(table)}\b', query, re.IGNORECASE
        )
        if not bare and not words.issuperset(re.findall(r"\w+", name.lower())):
            continue
        if not corpus:
            _show(connection, [(SYSTEM_VIEWS[name](ws), None)], [f"main.{identifier(name)}"])
            continue
        named = dict.fromkeys(one for one in releases if table == PUBLISHED and _means(one, name, alone))
        for one in named:
            schema = "main" if one.corpus is None else identifier(corpus)
            rows = PushdownDataset(sql_view(ws, corpus, table, one.release).dataset())
            _show(connection, [(rows, None)], [f"{schema}.{identifier(one.table)}"])
        places = [f"{identifier(corpus)}.{identifier(table)}", *([f"main.{identifier(table)}"] if bare else [])]
        _show(connection, _parts(ws, corpus, table), places)


def _parts(ws: Workspace, corpus: str, table: str) -> list[tuple[Any, str | None]]:
    """What a table's view shows: its rows; of the quarantine those of refused candidates too, each with its state."""
    rows = PushdownDataset(sql_view(ws, corpus, table).dataset())
    if table != QUARANTINED:
        return [(rows, None)]
    refused = (ws.lake.refused_view(corpus, record, table) for record in ws.lake.refused(corpus))
    return [(rows, "live"), *((PushdownDataset(view.dataset()), "refused") for view in refused if view is not None)]


def _alone(known: list[str]) -> dict[str, str]:
    """Tables that only one corpus has, by their name without the corpus; none that is called as a system view."""
    tables: dict[str, list[str]] = {}
    for name in known:
        tables.setdefault(name.rpartition(".")[2], []).append(name)
    return {table: names[0] for table, names in tables.items() if len(names) == 1 and "." in names[0]}


def _means(release: NamedRelease, name: str, alone: dict[str, str]) -> bool:
    corpus, _, table = name.rpartition(".")
    return alone.get(table) == name if release.corpus is None else release.corpus.lower() == corpus.lower()


def _show(connection: duckdb.DuckDBPyConnection, parts: list[tuple[Any, str | None]], places: list[str]) -> None:
    """Make rows available as views of these names; parts that have a state are told apart by it."""
    (n,) = connection.execute("SELECT COUNT(*) FROM duckdb_views() WHERE NOT internal").fetchall()[0]
    selects = []
    for index, (rows, state) in enumerate(parts):
        connection.register(f"winnowry_{n}_{index}", rows)
        column = "" if state is None else f", {literal(state)} AS {STATE}"
        selects.append(f"SELECT *{column} FROM winnowry_{n}_{index}")
    for place in places:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {place.rpartition('.')[0]}")
        connection.execute(f"CREATE VIEW {place} AS {' UNION ALL BY NAME '.join(selects)}")


def _with_hint(ws: Workspace, query: str, known: list[str], message: str) -> str:
    """What DuckDB says of a column that is not there, and where it is if a later version of ``published`` has it."""
    match = re.search(r'Referenced column "([^"]+)" not found', message)
    corpora = [name.rpartition(".")[0] for name in known if name.endswith(f".{PUBLISHED}")]
    mentioned = [corpus for corpus in corpora if len(corpora) == 1 or corpus.lower() in query.lower()]
    hint = lacking_in_release(ws, mentioned, match[1]) if match and PUBLISHED in query.lower() else None
    return message if hint is None else f"{message}\n{hint}"


def _unknown(error: Exception, known: list[str]) -> Exception:
    match = re.search(r"(Table|Schema|Catalog)[^\n]* name \"?([^\"\n]+?)\"? does not exist", str(error))
    if match is None:
        return UsageError(_message(error))
    name = match.group(2)
    by_table = {name.rpartition(".")[2]: name for name in known}
    near = difflib.get_close_matches(name, [*known, *by_table], n=1, cutoff=0.5)
    hint = f"; did you mean {by_table.get(near[0], near[0])}?" if near else ""
    listed = ", ".join(known)
    return NotFoundError(f"no table {name}{hint}\nThere are: {listed}")


def _message(error: Exception) -> str:
    """DuckDB's message without its class prefix, blank lines closed up."""
    text = re.sub(r"^[A-Z][\w ]* Error: ", "", str(error).strip())
    return re.sub(r"\n\s*\n", "\n", text)
