"""What lies in a landing folder besides records: each costs one row that names it, and the others are read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, ClassVar

from tests.walk import open_recipe, run_all
from winnowry.sources import registry
from winnowry.sources.base import ReadLimits, Record, SourceFormat, Unreadable

RECIPE = """\
version: 1
corpus: odd
sources:
  - {name: lines, uri: "landing/**/*.jsonl", fields: {id: id},
     partition: {by: field, field: p, missing: all}}
  - {name: fragile, uri: "landing/*.fragile", format: fragile, fields: {id: id},
     partition: {by: field, field: p, missing: all}}
gates:
  landing: {max_unreadable_objects: 4, max_unread_bytes_fraction: 1, max_quarantined_fraction: 0.9}
  raw: {max_quarantined_fraction: 0.9}
"""


class Fragile(SourceFormat):
    """Raises where the object says so."""

    name: ClassVar[str] = "fragile"

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        for position, line in enumerate(stream):
            yield Record(position, {"id": f"{uri}{position}", "text": str(1 // int(line))})


def line(name: str, **fields: object) -> str:
    return json.dumps({"id": name, "text": name, **fields}) + "\n"


def test_every_odd_object_costs_one_row_and_no_run(tmp_path: Path) -> None:
    registry.register(Fragile)
    landing = tmp_path / "landing"
    (landing / "a").mkdir(parents=True)
    nested = '{"id": "deep", "text": "x", "a": ' + "[" * 1000 + "]" * 1000 + "}\n"
    (landing / "a/good.jsonl").write_text(line("one") + nested + line("two", n=2**64) + line("three"))
    (landing / "a/surrogate.jsonl").write_text('{"id": "s", "text": "\\ud800"}\n' + line("four"))
    (landing / "latest").symlink_to(".")
    (landing / "gone.jsonl").symlink_to("nowhere")
    os.mkfifo(landing / "pipe.jsonl")
    with open(os.fsencode(landing) + b"/caf\xe9.jsonl", "wb") as file:  # noqa: PTH123 - a name of bytes
        file.write(line("hidden").encode())
    (landing / "x.fragile").write_text("1\n1\n0\n1\n")
    (tmp_path / "odd.yaml").write_text(RECIPE)

    ws, recipe = open_recipe(tmp_path, tmp_path / "odd.yaml")
    run_all(ws, recipe, to="raw")

    rows = ws.lake.open("odd", "raw").to_table(columns=["source", "payload"]).to_pylist()
    assert sorted(row["payload"] for row in rows) == ["1", "1", "four", "one", "three", "two"]
    lost = ws.lake.open("odd", "quarantine").to_table(columns=["uri", "position", "reason", "value"]).to_pylist()
    assert sorted((row["uri"].removeprefix("landing/"), row["position"], row["reason"]) for row in lost) == [
        ("a/good.jsonl", 1, "mapping_failed"),
        ("a/surrogate.jsonl", 0, "bad_json"),
        ("caf\\xe9.jsonl", 0, "name_not_utf8"),
        ("gone.jsonl", 0, "broken_link"),
        ("pipe.jsonl", 0, "not_a_file"),
        ("x.fragile", 2, "reader_failed"),
    ]
    values = {row["reason"]: row["value"] for row in lost}
    assert values["reader_failed"].startswith("ZeroDivisionError: ")
    assert values["mapping_failed"].startswith("RecursionError: ")
