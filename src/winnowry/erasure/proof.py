"""Proof that nothing is left: every object below the corpus folder is decoded as what it is."""

from __future__ import annotations

import io
from collections.abc import Collection
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from winnowry.lakehouse.blobs import blob_columns
from winnowry.lakehouse.erasing import read_file
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.units import decode
from winnowry.releases.erased import FOLDER as ERASURES

_TEXT = (".json", ".jsonl", ".html", ".md", ".yaml", ".yml", ".txt", ".css", ".svg")
_PLAIN = (".manifest", ".txn", ".bin", ".blob", ".claim")
_OF_OBJECTS = "object_sha256"
"""Column of ``landing``: the hash of an object that still lies there, and is not the lake's to change."""


@dataclass
class Proof:
    """What was looked at and found.

    Attributes:
        objects: objects that were decoded.
        values: values in them.
        hits: URIs of objects that still hold something.
        unknown: URIs of objects of a kind that cannot be decoded: nothing is proven of them.
    """

    objects: int = 0
    values: int = 0
    hits: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing is left, and everything was looked at."""
        return not self.hits and not self.unknown


def prove(ws: Workspace, corpus: str, words: Collection[str]) -> Proof:
    """Decode every object of a corpus and look for words.

    Args:
        ws: the lake.
        corpus: the corpus.
        words: ids and passages that must be nowhere.
    """
    proof = Proof()
    base = ws.lake.corpus_uri(corpus)
    for info in ws.store.list(f"{base}/**/*"):
        if info.uri.startswith(f"{base}/{ERASURES}/"):
            continue  # names ids until it is finished
        proof.objects += 1
        if info.uri.endswith(".lance"):
            table = ws.lake.table(corpus, info.uri.removeprefix(f"{base}/").partition(".lance/")[0])
            rows = read_file(table, info.uri)
            if rows is None:
                proof.unknown.append(info.uri)
                continue
            hit = _in_table(rows, words, proof)
            if blob_columns(table.dataset().schema):  # small ones lie in the file, as they are
                body = ws.store.read(info.uri)
                hit |= any(word.encode() in body for word in words)
        elif info.uri.startswith(f"{base}/units/"):
            unit = decode(ws.store.read(info.uri), info.uri)
            batches = [*unit.quarantined, *([unit.kept] if unit.kept is not None else [])]
            hit = bool(sum(_in_table(pa.Table.from_batches([batch]), words, proof) for batch in batches))
        elif info.uri.endswith(".arrow"):
            rows = pa.ipc.open_file(io.BytesIO(ws.store.read(info.uri))).read_all()
            hit = _in_table(rows, words, proof)
        elif info.uri.endswith((*_TEXT, *_PLAIN)):
            proof.values += 1
            text = ws.store.read(info.uri).decode("utf-8", "replace")
            hit = any(word in text for word in words)
        else:
            proof.unknown.append(info.uri)
            continue
        if hit:
            proof.hits.append(info.uri)
    return proof


def _in_table(rows: pa.Table, words: Collection[str], proof: Proof) -> bool:
    hit = False
    for name in rows.schema.names:
        if name == _OF_OBJECTS:
            continue
        column = rows.column(name)
        proof.values += len(column)
        kind = column.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            hit |= any(pc.any(pc.match_substring(column, word)).as_py() for word in words)
        elif pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            for value in column.to_pylist():
                text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
                hit |= any(word in text for word in words)
    return hit
