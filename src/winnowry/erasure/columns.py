"""What lies beside a table about its added columns: files of one that is being computed, and notes that quote."""

from __future__ import annotations

import json
from collections.abc import Collection

from winnowry.columns.definitions import Definitions
from winnowry.core.errors import NotFoundError
from winnowry.erasure.documents import without_words
from winnowry.lakehouse.columns import fragment_key
from winnowry.lakehouse.workspace import Workspace


def unfinished_columns(ws: Workspace, corpus: str, table: str) -> set[str]:
    """Data files of columns on their way that are of fragments as they are now; no other file of theirs is used again.

    Args:
        ws: the lake.
        corpus: the corpus.
        table: the table, rewritten.
    """
    definitions = Definitions(ws, corpus)
    columns = definitions.of(table)
    specs = [column.spec for column in columns if column.state != "live"]
    specs += [column.next for column in columns if column.next is not None]
    names: set[str] = set()
    if not specs:
        return names
    dataset = ws.lake.table(corpus, table).dataset()
    for spec in specs:
        fragments = dataset.get_fragments() if set(spec.inputs) <= set(dataset.schema.names) else ()
        needed = {fragment_key(dataset, fragment, spec.inputs) for fragment in fragments}
        names |= {file.path for key, file in definitions.files(spec).items() if key in needed}
    return names


def correct_columns(ws: Workspace, corpus: str, table: str, words: Collection[str]) -> None:
    """Forget notes on files that are gone, and what other notes quote: rows that failed, and errors.

    Args:
        ws: the lake.
        corpus: the corpus.
        table: the table, after what nothing names was removed from it.
        words: ids and passages that must be nowhere.
    """
    folder = f"{ws.lake.corpus_uri(corpus)}/columns/{table}"
    for info in list(ws.store.list(f"{folder}/**/*.json")):
        try:
            body = ws.store.read(info.uri)
        except NotFoundError:
            continue
        document = json.loads(body)
        path = document.get("path")
        if path is not None and not ws.store.exists(f"{ws.lake.table(corpus, table).uri}/data/{path}"):
            ws.store.delete(info.uri)
            continue
        corrected = without_words(document, words)
        if corrected != document:
            ws.store.write(info.uri, json.dumps(corrected, sort_keys=True).encode())
