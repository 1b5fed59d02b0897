"""Documents beside the corpus: the target and the evaluation sets that a recipe names."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

from winnowry.core.errors import EmptySourceError, UsageError
from winnowry.pipeline.workspace import Workspace
from winnowry.recipe.comparison import TextSet
from winnowry.sources.base import ReadLimits
from winnowry.sources.compression import BrokenStreamError, decompressed


def read_text_set(ws: Workspace, text_set: TextSet) -> Iterator[str]:
    """Texts of a set, in the order of its objects.

    Raises:
        EmptySourceError: no object matches.
        UsageError: an object cannot be read, or a record lacks the field; with the object and the line.
    """
    objects = list(ws.store.list(ws.store.resolve(text_set.uri)))
    if not objects:
        raise EmptySourceError(
            f"text set {text_set.name!r}: no object matches {ws.store.resolve(text_set.uri)}. Check its `uri` ("
            "relative ones start at --root)."
        )
    for info in objects:
        if info.uri.endswith(".parquet"):
            yield from _parquet(ws, text_set, info.uri)
        elif ".jsonl" in info.uri.rsplit("/", 1)[-1] or ".ndjson" in info.uri.rsplit("/", 1)[-1]:
            yield from _jsonl(text_set, info.uri, _content(ws, info.uri))
        else:
            yield _content(ws, info.uri).decode("utf-8", "replace")


def _content(ws: Workspace, uri: str) -> bytes:
    with ws.store.open(uri) as stream:
        try:
            return b"".join(decompressed(stream, ReadLimits()))
        except BrokenStreamError as error:
            raise UsageError(f"{uri}: cannot be decompressed: {error}") from error


def _jsonl(text_set: TextSet, uri: str, content: bytes) -> Iterator[str]:
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{uri}, line {number}: not JSON: {error}") from error
        if not isinstance(record, dict) or not isinstance(record.get(text_set.text), str):
            fields = ", ".join(record) if isinstance(record, dict) else type(record).__name__
            raise UsageError(
                f"{uri}, line {number}: no text in field {text_set.text!r} (it has {fields}); set `text` of text set "
                f"{text_set.name!r}"
            )
        yield record[text_set.text]


def _parquet(ws: Workspace, text_set: TextSet, uri: str) -> Iterator[str]:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(io.BytesIO(ws.store.read(uri)))
    if text_set.text not in file.schema_arrow.names:
        listed = ", ".join(file.schema_arrow.names)
        raise UsageError(f"{uri}: no field {text_set.text!r}; it has {listed}; set `text` of {text_set.name!r}")
    for batch in file.iter_batches(columns=[text_set.text]):
        yield from (text for text in batch.column(0).to_pylist() if text is not None)
