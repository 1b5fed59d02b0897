"""Notes on added columns quote rows that failed: an erasure forgets them."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pyarrow as pa
import pytest

from winnowry.columns.definitions import Definitions
from winnowry.columns.spec import ColumnSpec
from winnowry.erasure.columns import correct_columns
from winnowry.lakehouse.columns import ColumnFile
from winnowry.lakehouse.workspace import Workspace

GONE, STAYS = "a" * 32, "b" * 32


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace.open(str(tmp_path))


def test_notes_of_files_that_are_gone_go_and_others_quote_it_no_more(ws: Workspace) -> None:
    definitions = Definitions(ws, "c")
    arrow = base64.b64encode(pa.schema([pa.field("tone", pa.int64())]).serialize()).decode()
    spec = ColumnSpec("tone", "published", "python", "tone.py:tone", ("text",), arrow, on_error="null")
    definitions.claim(spec)
    definitions.fail(spec, ValueError(f"row {GONE}: not a number"))
    failed = ((GONE, "not a number"), (STAYS, "not a number"))
    for name in ("there", "gone"):
        definitions.keep(spec, ColumnFile(name, f"{name}.lance", 2, 2, "int64", 2, failed))
    ws.store.write("c/published.lance/data/there.lance", b"")

    correct_columns(ws, "c", "published", {GONE})

    [file] = definitions.files(spec).values()
    assert (file.path, file.n_failed) == ("there.lance", 2)
    assert STAYS in json.dumps(file.failed)
    assert GONE not in "".join(path.read_text() for path in Path(ws.root).rglob("c/columns/**/*.json"))
    definition = definitions.get("published", spec.name)
    assert definition is not None
    assert (definition.state, definition.error) == ("failed", "(removed by an erasure)")
