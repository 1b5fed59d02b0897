"""Which version of a table a query reads: of ``published`` a release, of every other table the latest version."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

from winnowry.core.errors import NotFoundError
from winnowry.core.sql import identifier
from winnowry.stages.graph import PUBLISHED

if TYPE_CHECKING:
    from winnowry.lakehouse.view import TableView
    from winnowry.lakehouse.workspace import Workspace

LATEST = "latest"
"""Names the newest version of ``published``, with what was added to it since its release."""

_USUAL_TAG = "prod"  # of lakes whose releases left no record
_NUMBERED = re.compile(r"v\d+")
_QUOTED = r"""'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/|\$\$.*?\$\$"""
_NAME = r'(?:(?P<corpus>\w+|"[^"]+")\s*\.\s*)?' + PUBLISHED + r"@(?P<release>\w+(?:-\w+)*)"
_RELEASE = re.compile(rf'{_QUOTED}|(?<![\w"]){_NAME}|"(?:[^"]|"")*"', re.DOTALL | re.IGNORECASE)


class NamedRelease(NamedTuple):
    """A release that a query names.

    Attributes:
        corpus: as the query writes it, without quotation marks; None where it names none.
        release: its name or tag, or ``latest``.
    """

    corpus: str | None
    release: str

    @property
    def table(self) -> str:
        """Name of the table that stands for it while the query runs."""
        return f"{PUBLISHED}@{self.release}"


def with_releases_quoted(query: str) -> tuple[str, list[NamedRelease]]:
    r"""A query that DuckDB can parse, and the releases that it names.

    >>> with_releases_quoted("from news.published@v2 where text <> '@v1'")
    ('from news."published@v2" where text <> \'@v1\'', [NamedRelease(corpus='news', release='v2')])
    """
    named: list[NamedRelease] = []

    def quoted(match: re.Match[str]) -> str:
        if match["release"] is None:
            return match[0]
        corpus = match["corpus"]
        one = NamedRelease(corpus.strip('"') if corpus else None, match["release"])
        named.append(one)
        return f"{corpus}.{identifier(one.table)}" if corpus else identifier(one.table)

    return _RELEASE.sub(quoted, query), named


def sql_view(ws: Workspace, corpus: str, table: str, release: str | None = None) -> TableView:
    """A table as a query reads it.

    Args:
        ws: the lake.
        corpus: the corpus.
        table: the table.
        release: of ``published``: name or tag of a release, or ``latest``; the release that the recipe's tag is on when
            None, or the newest one where the tag is on none.

    Raises:
        NotFoundError: no such table or release.
    """
    if table != PUBLISHED or release == LATEST:
        return ws.lake.open(corpus, table)
    tags = ws.lake.tags(corpus)
    name = release if release is not None else default_release(ws, corpus, tags)
    if name is not None and name not in tags:
        names = [*sorted(tags, key=lambda tag: (-tags[tag], tag)), LATEST]
        near = get_close_matches(name, names, n=1)
        hint = f"; did you mean {PUBLISHED}@{near[0]}?" if near else "."
        raise NotFoundError(f"{corpus} has no release {name!r}{hint} There are: {', '.join(names)}", table=table)
    return ws.lake.open(corpus, table, None if name is None else tags[name])


def default_release(ws: Workspace, corpus: str, tags: Mapping[str, int]) -> str | None:
    """The tag or release that ``published`` means in a query; None where there is no release."""
    newest = max((tag for tag in tags if _NUMBERED.fullmatch(tag)), key=lambda tag: int(tag[1:]), default=None)
    if newest is None:
        return None
    record = ws.lake.live_record(corpus, PUBLISHED)
    publish = record.lineage.get("spec", {}).get("publish", {}) if record is not None else {}
    tag = str(publish.get("tag", _USUAL_TAG))
    return tag if tag in tags else newest


def lacking_in_release(ws: Workspace, corpora: Iterable[str], column: str) -> str | None:
    """Says of a column that a query did not find that the latest version of ``published`` has it; None otherwise."""
    for corpus in corpora:
        view = sql_view(ws, corpus, PUBLISHED)
        if column not in view.schema.names and column in sql_view(ws, corpus, PUBLISHED, LATEST).schema.names:
            name = default_release(ws, corpus, ws.lake.tags(corpus))
            return (
                f"{corpus}.{PUBLISHED} is the release {name}, which was made before the column {column} was added; "
                f"{corpus}.{PUBLISHED}@{LATEST} has it, and so will the next release"
            )
    return None
