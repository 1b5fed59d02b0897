"""The proof decodes every kind of object that a corpus has beside its tables, and names what it does not know."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from winnowry.engine.tasks import ChainResult
from winnowry.erasure.proof import prove
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.units import encode

WORD = "zanzibar"


def unit(text: str) -> bytes:
    rows = pa.record_batch({"text": pa.array([text], pa.large_string())})
    return encode(ChainResult(rows, [rows.slice(0, 0)], {}, 1, {}))


def arrow(text: str) -> bytes:
    sink = pa.BufferOutputStream()
    rows = pa.table({"nested": [[{"text": text}]]})
    with pa.ipc.new_file(sink, rows.schema) as writer:
        writer.write_table(rows)
    return bytes(sink.getvalue())


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("units/cleaned/2024/key/000000000000-000001", unit),
        ("units/cleaned/2024/key/000000000000-000001.arrow", unit),
        ("fit/some.arrow", arrow),
        ("fit/some.bin", str.encode),
        ("raw.lance/data/key/0.blob", str.encode),
        ("claims/2024/2025/id.claim", str.encode),
        ("releases/v1/page.html", str.encode),
        ("columns/published/loud.json", str.encode),
    ],
)
def test_an_object_of_each_kind_is_decoded(tmp_path: Path, name: str, body: object) -> None:
    assert callable(body)
    ws = Workspace.open(str(tmp_path))
    for text, hits in ((f"the {WORD} affair", [f"{tmp_path}/c/{name}"]), ("nothing", [])):
        ws.store.write(f"c/{name}", body(text))
        proof = prove(ws, "c", {WORD})
        assert (proof.objects, proof.hits, proof.unknown) == (1, hits, [])


def test_an_object_of_unknown_kind_proves_nothing(tmp_path: Path) -> None:
    ws = Workspace.open(str(tmp_path))
    ws.store.write("c/releases/v1/page.docx", b"nothing")
    assert prove(ws, "c", {WORD}).unknown == [f"{tmp_path}/c/releases/v1/page.docx"]
