"""A release as plain files for training: shuffled over the whole corpus, the same files every time."""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Literal, cast

import numpy as np
import pyarrow as pa

from winnowry.core.arguments import check_choice
from winnowry.core.errors import DataError, ObjectChangedError, UsageError
from winnowry.core.export_formats import ExportFormat as Format
from winnowry.lakehouse.blobs import blob_columns, pieces_of
from winnowry.lakehouse.references import read_contents
from winnowry.lakehouse.seal import damaged_files, sealed_files
from winnowry.operators.media.views import PAYLOAD, SPAN
from winnowry.releases.model import Release
from winnowry.releases.parts import Parts
from winnowry.releases.recipes import recipe_of
from winnowry.releases.releases import find_release, releases
from winnowry.releases.webdataset_export import BYTES_PER_SHARD, ROWS_PER_SHARD, write_shard
from winnowry.sources.tc609 import FIELDS
from winnowry.stages.graph import PUBLISHED
from winnowry.storage.named import storage_named

if TYPE_CHECKING:
    from winnowry.lakehouse.view import TableView
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.records.rows import Losses
    from winnowry.releases.labels.layouts import LabelLayout
    from winnowry.releases.tc609_export import Shape
    from winnowry.storage.objects import ObjectStore

Profile = Literal["tc609", "messages", "sharegpt", "preference"]

MANIFEST = "manifest.json"
_LISTED = 5  # damaged files
_ROWS_PER_FILE = 50_000
_SUFFIX = {"jsonl": "jsonl", "parquet": "parquet", "webdataset": "tar"}
_ROWS_AT_ONCE = 2_048
_CONTENT_BYTES = 64 << 20  # of large objects


@dataclass(frozen=True)
class ExportedFile:
    """One file of an export.

    Attributes:
        name: file name in the folder.
        rows: records in it, or lines of a list of files.
        bytes: its size.
        sha256: of its bytes.
    """

    name: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Export:
    """What was exported; also written beside the files as ``manifest.json``.

    Attributes:
        release: numbered name of the release.
        version: version of ``published``.
        out: URI of the folder.
        seed: of the shuffle.
        profile: record format that rows were brought to; None: rows as they are.
        losses: what the format or profile cannot say, and how often it was left out; None where rows are as they are.
    """

    corpus: str
    release: str
    version: int
    format: Format
    out: str
    seed: int
    rows: int
    bytes: int
    columns: tuple[str, ...]
    files: tuple[ExportedFile, ...]
    profile: Profile | None = None
    losses: Mapping[str, int] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The export as JSON-serialisable data; ``profile`` and ``losses`` only where there are any."""
        optional = ("profile", "losses")
        return {key: value for key, value in asdict(self).items() if key not in optional or value is not None}


def export(
    ws: Workspace,
    corpus: str,
    format: Format,
    out: str,
    tag: str | None = None,
    *,
    seed: int = 0,
    rows_per_file: int | None = None,
    profile: Profile | None = None,
) -> Export:
    """Write a release as files, in one random order over the whole corpus.

    The order depends on seed and record ids only, so the same release gives the same bytes. Only record ids are held
    in memory for all rows; text is read and written in small batches.

    Args:
        ws: the lake.
        corpus: the corpus.
        format: ``jsonl`` (one object a line, UTF-8; bytes of files in Base64), ``parquet`` (zstd) or ``webdataset``
            (tar archives of bytes as they arrived, ``.txt`` and ``.json``; beside each a list of its files and hashes);
            of annotations also ``coco``, ``yolo``, ``voc``, ``cvat`` and ``kitti``, as their programs read them.
            Documents of texts and pictures are put together again, in order, in JSON Lines and archives.
        out: folder or URI; made when missing.
        tag: release or tag; ``prod`` where there is one, else the newest release.
        seed: of the shuffle.
        rows_per_file: most rows of a file: 50,000, of webdataset 10,000 unless set. Archives end at 1 GiB too.
        profile: in JSON Lines only: ``tc609`` writes the records of SAC/TC609 (see ``valid2.tc609_export``);
            ``messages``, ``sharegpt`` and ``preference`` write conversations and pairs as trainers read them.

    Raises:
        NotFoundError: no such corpus or release.
        UsageError: an unknown format or profile, the folder already holds an export, or the release lacks what the
            profile demands.
        ObjectChangedError: the release refers to bytes outside the lake that are not what they were; names the object.
            Nothing is left in the folder.
        StorageError: the lake could not be read or the folder not be written; without its manifest what is there is no
            export, and the next one replaces it.
    """
    check_choice("format", format, Format)
    if profile is not None:
        check_choice("profile", profile, Profile)
    rows = rows_per_file
    if rows is None:
        rows = ROWS_PER_SHARD if format == "webdataset" else _ROWS_PER_FILE
    if rows < 1:
        raise UsageError(f"rows_per_file {rows}: expected at least 1")
    with storage_named(f"export of {corpus} to {out}", ws.root, then="export again"):
        return _export(ws, corpus, format, out, tag, seed, rows, profile)


def _export(
    ws: Workspace,
    corpus: str,
    format: Format,
    out: str,
    tag: str | None,
    seed: int,
    rows_per_file: int,
    profile: Profile | None,
) -> Export:
    from winnowry.sampling.draw import ascending, id_words, permanent_random
    from winnowry.storage.open import open_store

    release = find_release(ws, corpus, tag) if tag is not None else _default_release(ws, corpus)
    target = open_store(out)
    if target.exists(target.resolve(MANIFEST)):
        raise UsageError(f"{out} already holds an export ({MANIFEST}); name another folder")
    if profile is not None and format != "jsonl":
        raise UsageError(f"profile {profile} is for the format jsonl")
    view = ws.lake.open(corpus, "published", release.version)
    dataset = view.dataset()
    _refuse_damaged(ws, corpus, release, dataset)
    words = id_words(view.to_table(columns=["record_id"])["record_id"])
    order = ascending(permanent_random(words, seed), words)  # equal draws by id, never by where a row happens to lie
    form = _form_of(ws, corpus, release, view, format, profile)
    columns, layout = form.columns, form.layout
    addresses = _addresses(dataset)
    parts = _parts(ws, corpus, release, view, format)
    contents = [*blob_columns(view.schema), *([PAYLOAD] if parts is not None else [])]
    cuts = _cuts(view, order, rows_per_file, format) if layout is None else []
    files: list[ExportedFile] = []
    schema = pa.schema([_plain_field(view.schema, column) for column in columns])
    if layout is not None:
        rows = (row for table in _batches(dataset, order, columns) for row in table.to_pylist())
        files = [_written(target, *file) for file in layout.files(rows)]
    try:
        for index, (start, stop) in enumerate(cuts):
            chosen = order[start:stop]
            name = f"part-{index:05d}-of-{len(cuts):05d}.{_SUFFIX[format]}"
            batches = _with_contents(dataset, _batches(dataset, chosen, columns), addresses, chosen)
            if parts is not None:
                batches = parts.beside(batches)
            files += _write(target, name, format, schema, batches, len(chosen), form.shape, contents)
    except ObjectChangedError as changed:
        for file in files:
            target.delete(target.resolve(file.name))
        raise ObjectChangedError(f"{corpus} {release.name}: {changed}. Nothing was exported") from changed
    done = Export(
        corpus=corpus,
        release=release.name,
        version=release.version,
        format=format,
        out=target.root,
        seed=seed,
        rows=len(order),
        bytes=sum(file.bytes for file in files),
        columns=tuple(form.fields or columns),
        files=tuple(files),
        profile=profile,
        losses=None if form.lost is None else {name: n for name, n in sorted(form.lost.items()) if n},
    )
    described = {key: value for key, value in done.to_dict().items() if key != "out"}
    target.write(target.resolve(MANIFEST), json.dumps(described, indent=2).encode() + b"\n")
    return done


@dataclass(frozen=True)
class _Form:
    """What rows become in the files of an export.

    Attributes:
        columns: of the release, that are read.
        shape: what a row becomes; None: it stays as it is.
        fields: of what it becomes, where a profile says so.
        lost: what cannot be said, counted while rows are written; None where everything can.
        layout: of formats of labels, how all rows make files.
    """

    columns: list[str]
    shape: Shape | None = None
    fields: tuple[str, ...] = ()
    lost: Losses | None = None
    layout: LabelLayout | None = None


def _form_of(
    ws: Workspace, corpus: str, release: Release, view: TableView, format: Format, profile: Profile | None
) -> _Form:
    from winnowry.releases import conversation_export, interleaved_export, tc609_export
    from winnowry.releases.labels import layouts
    from winnowry.releases.labels.formats import label_layout

    columns = [name for name in view.schema.names if name != "promotion_id"]
    whole = f"{corpus} {release.name}"
    if profile == "tc609":
        shape = tc609_export.record_shape(ws, corpus, release, view)
        return _Form([name for name in columns if name in tc609_export.COLUMNS], shape, FIELDS)
    if profile is not None:
        lost: Losses = Counter()
        shape, needed, fields = conversation_export.record_shape(whole, view, profile, lost)
        return _Form([name for name in columns if name in needed], shape, fields, lost)
    layout = label_layout(format, columns, whole)
    if layout is not None:
        return _Form(list(layouts.COLUMNS), lost=layout.losses, layout=layout)
    if interleaved_export.is_interleaved(columns) and format == "jsonl":
        return _Form(columns, interleaved_export.with_lists)
    return _Form(columns)


def _parts(ws: Workspace, corpus: str, release: Release, view: TableView, format: Format) -> Parts | None:
    """What cuts the records of a release out of their files, where they are parts of files and the format holds bytes.

    JSON Lines and Parquet say which part of which record of ``raw`` a row is.
    """
    is_parts = SPAN in view.schema.names and not blob_columns(view.schema)
    if not is_parts or format != "webdataset":
        return None
    recipe = recipe_of(ws, release)
    sources = recipe.spec["sources"] if recipe is not None else []
    kinds = {kind for source in sources if (kind := source.get("kind"))}
    return Parts(ws, corpus, release.name, *sorted(kinds)[:1])


def _cuts(view: TableView, order: Any, rows_per_file: int, format: Format) -> list[tuple[int, int]]:
    """First row of each file, and the one behind its last; archives end where their bytes are many, too."""
    n = len(order)
    cuts = [(start, min(start + rows_per_file, n)) for start in range(0, n, rows_per_file)] or [(0, 0)]
    if format != "webdataset" or "size" not in view.schema.names:
        return cuts
    sizes = view.to_table(columns=["size"])["size"].to_numpy()[order].tolist()
    return [
        (start + first, start + last)
        for start, stop in cuts
        for first, last in pieces_of(sizes[start:stop], BYTES_PER_SHARD) or [(0, 0)]
    ]


def _refuse_damaged(ws: Workspace, corpus: str, release: Release, dataset: Any) -> None:
    """Refuse a release of which a file is not as it was written; each is looked at once.

    Raises:
        DataError: files are missing or damaged.
    """
    store, base = ws.store, ws.lake.corpus_uri(corpus)
    sealed = sealed_files(store, base, ws.lake.records(corpus).of_stage(PUBLISHED))
    folder = f"{PUBLISHED}.lance"
    names = {f"{folder}/data/{file.path}" for part in dataset.get_fragments() for file in part.data_files()}
    names |= {f"{folder}/{part.deletion_file()}" for part in dataset.get_fragments() if part.deletion_file()}
    wrong = damaged_files(store, base, sealed, names)
    if wrong:
        more = f" and {len(wrong) - _LISTED} more" if len(wrong) > _LISTED else ""
        raise DataError(
            f"{corpus} {release.name}: {'; '.join(wrong[:_LISTED])}{more}. Nothing was exported. `winnowry verify "
            f"{corpus}` says what is damaged and what to do"
        )


def _default_release(ws: Workspace, corpus: str) -> Any:
    known = releases(ws, corpus)
    return next((release for release in known if "prod" in release.tags), known[0])


def _batches(dataset: Any, rows: Any, columns: list[str]) -> Iterator[pa.Table]:
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        chunk = rows[start : start + _ROWS_AT_ONCE]
        # Sorted for the disk, then put back into the shuffled order.
        ascending = np.argsort(chunk, kind="stable")
        table = dataset.take(chunk[ascending].tolist(), columns=columns)
        back = np.empty_like(ascending)
        back[ascending] = np.arange(len(ascending))
        yield table.take(pa.array(back))


def _addresses(dataset: Any) -> pa.Array | None:
    """Row addresses in table order, where rows have large objects."""
    if not blob_columns(dataset.schema):
        return None
    return dataset.to_table(columns=[], with_row_address=True)["_rowaddr"].combine_chunks()


def _plain_field(schema: pa.Schema, name: str) -> pa.Field:
    """A column as it is exported: large objects as their bytes."""
    return pa.field(name, pa.large_binary()) if name in blob_columns(schema) else schema.field(name)


def _with_contents(
    dataset: Any, tables: Iterator[pa.Table], addresses: pa.Array | None, rows: Any
) -> Iterator[pa.Table]:
    """Rows with the bytes of their large objects, about 64 MiB at a time."""
    if addresses is None:
        yield from tables
        return
    done = 0
    for table in tables:
        there = addresses.take(pa.array(rows[done : done + table.num_rows]))
        done += table.num_rows
        for start, stop in pieces_of(table["size"].to_pylist(), _CONTENT_BYTES):
            piece = table.slice(start, stop - start)
            for name in [name for name in blob_columns(dataset.schema) if name in table.schema.names]:
                contents = read_contents(dataset, name, piece, there.slice(start, stop - start))
                at = piece.schema.get_field_index(name)
                piece = piece.set_column(at, name, pa.array(contents, pa.large_binary()))
            yield piece


def _write(
    target: ObjectStore,
    name: str,
    format: Format,
    schema: pa.Schema,
    batches: Iterator[pa.Table],
    rows: int,
    shape: Shape | None,
    contents: list[str],
) -> list[ExportedFile]:
    """Write a file of the export; of an archive also the list of its files."""
    with tempfile.TemporaryFile(prefix="winnowry-export-") as scratch:
        if format == "webdataset":
            with tempfile.TemporaryFile(prefix="winnowry-export-") as listed:
                n_listed = 0
                for line in write_shard(scratch, batches, contents, _plain):
                    listed.write(line)
                    n_listed += 1
                beside = _uploaded(target, f"{name.removesuffix('.tar')}.files.jsonl", listed, n_listed)
                return [_uploaded(target, name, scratch, rows), beside]
        if format == "parquet":
            _write_parquet(scratch, schema, batches)
        else:
            for table in batches:
                scratch.writelines(_line(row if shape is None else shape(row)) for row in table.to_pylist())
        return [_uploaded(target, name, scratch, rows)]


def _written(target: ObjectStore, name: str, data: bytes, rows: int) -> ExportedFile:
    target.write(target.resolve(name), data)
    return ExportedFile(name, rows, len(data), hashlib.sha256(data).hexdigest())


def _uploaded(target: ObjectStore, name: str, scratch: IO[bytes], rows: int) -> ExportedFile:
    n_bytes = scratch.seek(0, 2)
    scratch.seek(0)
    digest = hashlib.file_digest(scratch, "sha256").hexdigest()  # type: ignore[arg-type]
    scratch.seek(0)
    target.upload(target.resolve(name), cast(BinaryIO, scratch))
    return ExportedFile(name, rows, n_bytes, digest)


def _write_parquet(scratch: IO[bytes], schema: pa.Schema, batches: Iterator[pa.Table]) -> None:
    import pyarrow.parquet as pq

    # A row group a batch of the take would be tiny; the writer's own buffering is by table, so gather a few.
    with pq.ParquetWriter(scratch, schema, compression="zstd") as writer:
        for table in batches:
            writer.write_table(table.select(schema.names).cast(schema))


def _line(row: dict[str, Any]) -> bytes:
    import orjson

    return orjson.dumps(row, default=_plain, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)
