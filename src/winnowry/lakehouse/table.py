"""One Lance table: created once, opened at a version; every fragment has one owner."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa

from winnowry.core.errors import ContractError, LakehouseError, NotFoundError, TableFormatError
from winnowry.core.retry import Retry
from winnowry.lakehouse.connection import open_dataset
from winnowry.lakehouse.durable import settle
from winnowry.lakehouse.lance_uri import lance_uri
from winnowry.lakehouse.mending import has_versions, mend_tags, mend_versions
from winnowry.storage.refusals import panics_as_damage, storage_refusal

logger = logging.getLogger(__name__)

_ADDITIONS = Retry(attempts=50, first_wait_s=0.005, longest_wait_s=0.64)  # of columns, while promotions keep landing
_RENAMES = Retry(attempts=50, first_wait_s=0.05, longest_wait_s=0.05, growth="constant")


class Owner(NamedTuple):
    """Who wrote a fragment; every row of a fragment has the same owner."""

    partition: str
    stage: str
    promotion_id: str


_owners: dict[tuple[str, str], Owner] = {}  # data files never change, so what their first row says holds for ever


_looked_at: set[str] = set()
"""Tables that this process has looked at for what a power cut left: it has had power ever since."""


@dataclass(frozen=True)
class Table:
    """A Lance table at a URI.

    Attributes:
        uri: ``…/<corpus>/<table>.lance``.
        name: table name.
        storage_options: credentials and endpoint for Lance; never printed.
    """

    uri: str
    name: str
    storage_options: Mapping[str, str] = field(default_factory=dict, repr=False)

    def create(self, schema: pa.Schema) -> list[str]:
        """Make the empty version 1 unless the table exists; of racing creators one wins and none loses rows.

        ``write_dataset(mode="create")`` lost acknowledged rows in 35 of 60 races, this form in none.

        Returns:
            Columns that a table which was there lacked and now has; no row has a value in them.

        Raises:
            ContractError: see :meth:`missing`.
            LakehouseError: rivals won every attempt to add a column.
        """
        import lance

        dataset = self.dataset_or_none()
        if dataset is None:
            try:
                lance.LanceDataset.commit(
                    lance_uri(self.uri),
                    lance.LanceOperation.Overwrite(schema, []),
                    read_version=0,
                    max_retries=0,
                    enable_stable_row_ids=True,
                    storage_options=dict(self.storage_options) or None,
                )
            except OSError:
                if self.dataset_or_none() is None:  # no rival made it: the store itself refused
                    raise
            dataset = self.dataset()
        for attempt in _ADDITIONS.attempts_on(is_conflict):
            if attempt.number:
                dataset = self.dataset()  # the rival may have added the same columns, or others, or rows
            missing = self.missing(dataset, schema)
            if not missing:
                return []
            with attempt:
                dataset.add_columns(pa.schema(missing))
                return [field.name for field in missing]
        raise LakehouseError(
            f"{self.uri}: adding columns was refused {_ADDITIONS.attempts} times because other writers kept winning; "
            "run the stage again",
            table=self.name,
        )

    def missing(self, dataset: Any, schema: pa.Schema) -> list[pa.Field]:
        """Columns that a changed recipe writes and a version of the table lacks (null in older rows).

        Raises:
            ContractError: it has a column of another type, or of a name that differs in case only.
        """
        present = {f.name: f.type for f in dataset.schema}
        clashes = [
            f"{f.name}: table has {present[f.name]}, stage writes {f.type}"
            for f in schema
            if f.name in present and present[f.name] != f.type
        ]
        if clashes:
            raise ContractError(
                f"{self.uri}: column types changed: {'; '.join(clashes)}. "
                "Write the changed column under a new name, or move the table away.",
                table=self.name,
            )
        missing = [f.with_nullable(True) for f in schema if f.name not in present]
        spelled = {name.lower(): name for name in present}
        twins = [f"{f.name} (the table has {spelled[f.name.lower()]})" for f in missing if f.name.lower() in spelled]
        if twins:
            raise ContractError(
                f"{self.uri}: columns that differ in nothing but case from those of the table: {', '.join(twins)}. "
                "SQL does not tell them apart; write them under other names.",
                table=self.name,
            )
        return missing

    def rename_column(self, old: str, new: str) -> None:
        """Give a column of an older format its new name, once; changes nothing where there is no such table or column.

        Raises:
            LakehouseError: rivals won every attempt.
        """
        for attempt in _RENAMES.attempts_on(is_conflict):
            dataset = self.dataset_or_none()
            if dataset is None or old not in dataset.schema.names or new in dataset.schema.names:
                return
            with attempt:
                dataset.alter_columns({"path": old, "name": new})
                return
        raise LakehouseError(
            f"{self.uri}: renaming {old} to {new} was refused {_RENAMES.attempts} times because other writers kept "
            "winning; run the stage again",
            table=self.name,
        )

    def dataset_or_none(self, version: int | str | None = None) -> Any | None:
        """Open the Lance dataset, or None where there is no table.

        What a power cut left torn of a table in a folder is set aside first.

        Raises:
            TableFormatError: it is damaged.
        """
        if self.uri not in _looked_at:
            self._mend()  # before Lance reads: it panics at some of what a cut leaves
            _looked_at.add(self.uri)
        try:
            dataset = self._opened(version)
        except TableFormatError:
            if isinstance(version, int):
                raise
            self._mend()
        else:
            # Another process may have set aside the version that Lance was about to read.
            if dataset is not None or version is not None or not has_versions(self.uri):
                return dataset
        return self._opened(version)

    def _mend(self) -> None:
        try:
            mend_versions(self.uri)
            mend_tags(self.uri)
        except OSError as error:
            logger.warning("%s: damaged, and this user may not mend it: %s", self.uri, error)

    def _opened(self, version: int | str | None) -> Any | None:
        try:
            with panics_as_damage(self.uri):
                dataset = open_dataset(self.uri, version, self.storage_options)
        except (ValueError, FileNotFoundError) as error:
            if _is_absent(error):
                return None
            raise TableFormatError(f"{self.uri}: cannot be opened: {error}", table=self.name) from error
        except OSError as error:
            if _is_absent(error):
                return None
            raise
        if not dataset.version:  # Lance takes a manifest of zeros for an empty table
            raise TableFormatError(
                f"{self.uri}: cannot be opened: its version holds nothing but zeros", table=self.name
            )
        return dataset

    def tags(self, dataset: Any) -> dict[str, int]:
        """Tags with their versions; one that a power cut left torn is set aside first.

        Raises:
            TableFormatError: a tag is damaged.
        """
        for last in (False, True):
            try:
                with panics_as_damage(self.uri):
                    return {tag: int(entry["version"]) for tag, entry in dataset.tags.list().items()}
            except (OSError, RuntimeError, ValueError, TableFormatError) as error:
                if (refusal := storage_refusal(error)) is not None:
                    raise refusal from error
                if last:
                    raise TableFormatError(
                        f"{self.uri}/_refs/tags: a tag is damaged: {error}; remove its file: the next run of the stage "
                        "`published` makes the tag of a release again",
                        table=self.name,
                    ) from error
                self._mend()
        raise AssertionError("unreachable")

    def settle(self, written: Iterable[str] = ()) -> None:
        """Make durable what the table holds now; see :func:`~winnowry.lakehouse.durable.settle`."""
        settle(self.uri, written)

    def dataset(self, version: int | str | None = None) -> Any:
        """Open the Lance dataset at a version, a tag or the latest.

        Raises:
            NotFoundError: there is no such table or version.
        """
        dataset = self.dataset_or_none(version)
        if dataset is None:
            at = "" if version is None else f" at version {version}"
            raise NotFoundError(f"no table at {self.uri}{at}: run the stage that writes it first", table=self.name)
        return dataset

    def owners(self, dataset: Any) -> dict[int, Owner]:
        """Partition, stage and promotion of every fragment, read from its first row once per data file."""
        names = set(dataset.schema.names)
        columns = [name for name in ("partition", "stage", "promotion_id") if name in names]
        owned: dict[int, Owner] = {}
        for fragment in dataset.get_fragments():
            key = (self.uri, fragment.data_files()[0].path)
            owner = _owners.get(key)
            if owner is None:
                rows = fragment.to_table(columns=columns, limit=1).to_pylist()
                row = rows[0] if rows else {}
                owner = Owner(row.get("partition", ""), row.get("stage", ""), row.get("promotion_id", ""))
                if rows:
                    _owners[key] = owner
            owned[fragment.fragment_id] = owner
        return owned

    def newest_promotions(self, dataset: Any) -> dict[str, str]:
        """The newest promotion of every partition that has rows."""
        newest: dict[str, str] = {}
        for owner in self.owners(dataset).values():
            newest[owner.partition] = max(owner.promotion_id, newest.get(owner.partition, ""))
        return newest

    def note_owner(self, fragments: Iterable[Mapping[str, Any]], owner: Owner) -> None:
        """Note who wrote fragments, as their promotion says: a file that is lost tells nobody."""
        for fragment in fragments:
            _owners[(self.uri, fragment["files"][0]["path"])] = owner

    def transaction(self, dataset: Any, version: int) -> Any | None:
        """What made a version, or None where cleanup has removed it."""
        try:
            return dataset.read_transaction(version)
        except (OSError, ValueError) as error:
            if _is_absent(error):
                return None
            raise
        except TypeError:
            import lance

            # pylance cannot describe the compaction of an indexed table; it is somebody else's: ours is no Rewrite.
            return lance.Transaction(version - 1, lance.LanceOperation.Rewrite(groups=[], rewritten_indices=[]))

    def versions(self) -> list[dict[str, Any]]:
        """Every version still readable: version, timestamp, metadata."""
        return list(self.dataset().versions())


def _is_absent(error: Exception) -> bool:
    """Whether Lance says that there is no such table, version or tag.

    Raises:
        StorageError: storage refused; its answers hold the same words ("404 Not Found", "key … does not exist"), and
            a wrong key or bucket must not make a table look absent, which would start it again.
    """
    refusal = storage_refusal(error)
    if refusal is not None:
        raise refusal from error
    text = str(error).lower()
    return "not found" in text or "does not exist" in text or "no such file" in text


def is_conflict(error: Exception) -> bool:
    """Whether Lance refused a commit because another one came first."""
    if not isinstance(error, OSError):
        return False
    text = str(error).lower()
    return "conflict" in text or "concurrent" in text or "preserve all original fragments" in text


def next_fragment_id(dataset: Any) -> int:
    """The lowest id that neither a fragment nor the coverage of an index has used.

    A ``Merge`` takes its ids from us; an id that an index still lists as covered would be skipped by its queries.
    """
    used = [fragment.fragment_id for fragment in dataset.get_fragments()]
    for index in dataset.describe_indices():
        for segment in index.segments:
            used.extend(segment.fragment_ids)
    return max(used, default=-1) + 1


class FragmentWriter:
    """Collect batches and write them as fragments of bounded size; commits nothing.

    Args:
        table: where the data files go.
        dataset: a version of it that has the columns; None: the latest.
        schema: every batch is checked against it (Lance fills a missing nullable column silently).
        max_bytes: a fragment is written when the buffered batches reach this size.
        max_rows: or this many rows.
    """

    def __init__(
        self,
        table: Table,
        schema: pa.Schema,
        *,
        dataset: Any | None = None,
        max_bytes: int = 128 << 20,
        max_rows: int = 1 << 20,
    ) -> None:
        self.table, self.schema, self._dataset = table, schema, dataset
        self._max_bytes, self._max_rows = max_bytes, max_rows
        self._buffer: list[pa.RecordBatch] = []
        self._bytes = self._rows = 0
        self.rows = 0
        self.fragments: list[dict[str, Any]] = []

    def write(self, batch: pa.RecordBatch) -> None:
        """Buffer a batch, writing a fragment when enough is there.

        Raises:
            ContractError: names, types or nulls differ from the schema.
        """
        if batch.num_rows == 0:
            return
        check_contract(batch, self.schema, self.table.name)
        self._buffer.append(batch)
        self._bytes += batch.nbytes
        self._rows += batch.num_rows
        if self._bytes >= self._max_bytes or self._rows >= self._max_rows:
            self.flush()

    def flush(self) -> None:
        """Write what is buffered as one fragment (call at the end of a partition)."""
        if not self._buffer:
            return
        from lance.fragment import write_fragments

        written = write_fragments(
            pa.RecordBatchReader.from_batches(self.schema, iter(self._buffer)),
            self._dataset if self._dataset is not None else self.table.dataset(),
            mode="append",
            max_rows_per_file=self._rows,
            allow_external_blob_outside_bases=True,  # of sources that are referenced, not copied
            storage_options=dict(self.table.storage_options) or None,
        )
        self.fragments.extend(fragment.to_json() for fragment in written)
        self.rows += self._rows
        self._buffer, self._bytes, self._rows = [], 0, 0


def check_contract(batch: pa.RecordBatch, schema: pa.Schema, table: str) -> None:
    """Refuse a batch whose columns differ from the schema in name, order, type or nullability."""
    if batch.schema.names != schema.names:
        missing = [n for n in schema.names if n not in batch.schema.names]
        extra = [n for n in batch.schema.names if n not in schema.names]
        raise ContractError(
            f"{table}: columns differ from the contract: missing {missing}, unexpected {extra}; "
            f"expected in this order {schema.names}",
            table=table,
        )
    for expected, column in zip(schema, batch.columns, strict=True):
        if column.type != expected.type:
            raise ContractError(f"{table}.{expected.name}: is {column.type}, expected {expected.type}", table=table)
        if not expected.nullable and column.null_count:
            raise ContractError(
                f"{table}.{expected.name}: {column.null_count} null values where none is allowed", table=table
            )


def fragment_metadata(fragments: list[dict[str, Any]]) -> list[Any]:
    """Lance fragment metadata from its JSON form (``to_json`` returns a dict, ``from_json`` wants a string)."""
    import json

    from lance.fragment import FragmentMetadata

    return [FragmentMetadata.from_json(json.dumps(fragment)) for fragment in fragments]


def scan(dataset: Any, **arguments: Any) -> Iterator[pa.RecordBatch]:
    """Batches of a scan, in bounded memory."""
    yield from dataset.scanner(**arguments).to_batches()
