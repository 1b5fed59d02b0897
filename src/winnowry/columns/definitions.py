"""Which columns were added to which tables: small objects beside the tables, so that later rows get them too."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from winnowry.columns.spec import ColumnSpec
from winnowry.core.errors import UsageError
from winnowry.core.formats import from_bytes, from_document, made_from, to_bytes, to_document
from winnowry.lakehouse.columns import ColumnFile, column_file_json
from winnowry.lakehouse.durable import settle, settle_folder
from winnowry.lakehouse.workspace import Workspace

State = Literal["filling", "failed", "live"]


@dataclass(frozen=True)
class Definition:
    """A column that was added, or is being added.

    Attributes:
        spec: how it is computed.
        state: ``live`` once readers see it; ``failed`` when computing it failed or its gate refused it.
        created_at: seconds since 1970.
        template: the column's entry among a fragment's files, for fragments that are written later.
        table_version: version of the table that brought it.
        error: why it failed.
        next: another specification that is being computed beside this one, to take its place.
        earlier: specifications that were live before, the newest first, each with the version of the table that
            brought it.
        unknown_keys: what a newer version wrote beside these; kept.
    """

    spec: ColumnSpec
    state: State
    created_at: float
    template: Mapping[str, Any] | None = None
    table_version: int | None = None
    error: str | None = None
    next: ColumnSpec | None = None
    earlier: tuple[tuple[ColumnSpec, int | None], ...] = ()
    unknown_keys: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def body(self) -> bytes:
        """The definition as JSON."""
        return to_bytes("column definition", to_document(self))


class Definitions:
    """The added columns of a corpus.

    Args:
        ws: the lake.
        corpus: the corpus.
    """

    def __init__(self, ws: Workspace, corpus: str) -> None:
        self._store = ws.store
        self._corpus_uri = ws.lake.corpus_uri(corpus)
        self._base = f"{self._corpus_uri}/columns"

    def of(self, table: str) -> list[Definition]:
        """Columns added to a table, by name."""
        objects = sorted(self._store.list(f"{self._base}/{table}/*.json"), key=lambda info: info.uri)
        return [self._read(info.uri) for info in objects]

    def get(self, table: str, name: str) -> Definition | None:
        """One column, or None."""
        uri = self._uri(table, name)
        return self._read(uri) if self._store.exists(uri) else None

    def claim(self, spec: ColumnSpec, *, take_place: bool = False) -> Definition:
        """Start a column, or continue one that another process started with the same specification.

        Args:
            spec: the column.
            take_place: it may take the place of a live column of the same name.

        Raises:
            UsageError: another column of this name exists or is being computed.
        """
        mine = Definition(spec, "filling", time.time())
        if self._store.write(self._uri(spec.table, spec.name), mine.body(), if_absent=True):
            return mine
        there = self.get(spec.table, spec.name)
        if there is None:
            return self.claim(spec)
        if there.state == "failed":
            self._store.write(self._uri(spec.table, spec.name), mine.body())
            return mine
        if there.spec.version == spec.version:
            return there
        if not take_place or there.state != "live":
            raise UsageError(
                f"{spec.table} has a column {spec.name} already ({there.state}), computed by {there.spec.kind} "
                f"{there.spec.source!r}. Choose another name, drop it first (winnowry column drop), or let the new "
                "one take its place: --replace"
            )
        if there.spec.field.type != spec.field.type:
            raise UsageError(
                f"{spec.table}.{spec.name} is {there.spec.field.type}, the new values are {spec.field.type}: readers "
                "would meet another type. Choose another name, or drop it first: winnowry column drop"
            )
        if there.next is not None and there.next.version != spec.version:
            raise UsageError(
                f"{spec.table}.{spec.name} is being replaced already, by {there.next.kind} {there.next.source!r}; "
                "when that run is dead, drop the column or run the same replacement again"
            )
        if there.next is None:
            there = replace(there, next=spec, error=None)
            self._store.write(self._uri(spec.table, spec.name), there.body())
        return there

    def land(
        self, definition: Definition, spec: ColumnSpec, template: Mapping[str, Any] | None, table_version: int
    ) -> Definition:
        """Record that readers see the column with the values of ``spec``."""
        earlier = definition.earlier
        if spec.version != definition.spec.version:
            before = (definition.spec, definition.table_version)
            earlier = (before, *(known for known in earlier if known[0].version != spec.version))
        landed = replace(
            definition,
            spec=spec,
            state="live",
            template=template,
            table_version=table_version,
            error=None,
            next=None,
            earlier=earlier,
        )
        settle(f"{self._corpus_uri}/{spec.table}.lance")
        self._store.write(self._uri(definition.spec.table, definition.spec.name), landed.body())
        return landed

    def fail(self, spec: ColumnSpec, error: Exception) -> None:
        """Record that the column failed: its name is free for another attempt, with this or another specification.

        A column that it was to replace stays.
        """
        there = self.get(spec.table, spec.name)
        if there is None:
            return
        message = f"{type(error).__name__}: {error}"
        if there.next is not None and there.next.version == spec.version:
            self._store.write(self._uri(spec.table, spec.name), replace(there, next=None, error=message).body())
        elif there.spec.version == spec.version and there.state == "filling":
            self._store.write(self._uri(spec.table, spec.name), replace(there, state="failed", error=message).body())

    def note_template(self, definition: Definition, template: Mapping[str, Any]) -> None:
        """Keep how the column is entered in a fragment, before the commit after which a crash could lose it."""
        body = replace(definition, template=template).body()
        self._store.write(self._uri(definition.spec.table, definition.spec.name), body)

    def forget(self, table: str, name: str) -> None:
        """Remove a column's definition and the notes of its files."""
        for info in self._store.list(f"{self._base}/{table}/{name}/*/*.json"):
            self._store.delete(info.uri)
        self._store.delete(self._uri(table, name))
        settle_folder(f"{self._base}/{table}")

    def files(self, spec: ColumnSpec) -> dict[str, ColumnFile]:
        """Files that are written, by fragment key; those of a killed run are used again."""
        files = {}
        for info in self._store.list(f"{self._folder(spec)}/*.json"):
            document = from_bytes("column file", info.uri, self._store.read(info.uri)).content
            with made_from("column file", info.uri):
                file = from_document(ColumnFile, document)
            files[file.key] = file
        return files

    def keep(self, spec: ColumnSpec, file: ColumnFile) -> None:
        """Record a file that is written; of two for one fragment the last one counts: both hold the same values."""
        settle(f"{self._corpus_uri}/{spec.table}.lance", [file.path])
        self._store.write(f"{self._folder(spec)}/{file.path.removesuffix('.lance')}.json", column_file_json(file))

    def _folder(self, spec: ColumnSpec) -> str:
        return f"{self._base}/{spec.table}/{spec.name}/{spec.version}"

    def _uri(self, table: str, name: str) -> str:
        return f"{self._base}/{table}/{name}.json"

    def _read(self, uri: str) -> Definition:
        document = from_bytes("column definition", uri, self._store.read(uri)).content
        following = document.get("next")
        earlier = document.get("earlier", ())
        with made_from("column definition", uri):
            return from_document(
                Definition,
                document,
                spec=ColumnSpec.from_json(document["spec"]),
                next=ColumnSpec.from_json(following) if following else None,
                earlier=tuple((ColumnSpec.from_json(spec), version) for spec, version in earlier),
            )
