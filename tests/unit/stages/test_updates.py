"""Which records of other partitions an id has to be compared with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from winnowry.core.tables import RAW
from winnowry.stages import updates
from winnowry.stages.updates import CONFLICTING, REPEATED, Elsewhere, decide, version_of

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


class Raw:
    """A table whose record ``r`` lies in four partitions."""

    schema = RAW

    def count_rows(self) -> int:
        return 4

    def scan(self, columns: list[str], where: str) -> Iterator[pa.RecordBatch]:
        rows = [
            {"record_id": "r", "partition": partition, "source": "s", "event_time": NOON, "content_sha256": "00" * 32,
             "uri": f"{partition}.jsonl", "position": 0}
            for partition in ("own", "fresh", "stale", "gone")
        ]  # fmt: skip
        yield pa.RecordBatch.from_pylist(rows).select(columns)


def test_only_what_the_landing_says_now_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the own partition, nor one that is gone, nor one that the same run is about to make again."""
    monkeypatch.setattr(updates, "partitions_of", lambda *_: ["own", "fresh", "stale"])
    monkeypatch.setattr(updates, "why_stale", lambda *a: ["changed input"] if a[-1] == "stale" else [])
    ws: Any = SimpleNamespace(lake=SimpleNamespace(open=lambda *_: Raw()))
    recipe: Any = SimpleNamespace(corpus="c")
    elsewhere = Elsewhere(ws, recipe, "own")
    assert [partition for _, partition, _ in elsewhere.versions(["r"])] == ["fresh"]


@pytest.mark.parametrize(
    ("texts", "rule"),
    [
        (("a cat", "a cat"), REPEATED),
        (("a cat", "a dog"), CONFLICTING),
        ((None, ""), CONFLICTING),
        ((None, None), REPEATED),
    ],
)
def test_a_text_beside_the_same_bytes_is_part_of_what_a_record_holds(
    texts: tuple[str | None, str | None], rule: str
) -> None:
    first, second = (
        version_of({"event_time": NOON, "content_sha256": "00" * 32, "uri": f"{n}.tar", "position": 0, "text": text})
        for n, text in enumerate(texts)
    )
    assert decide(first, second, None).rule == rule
