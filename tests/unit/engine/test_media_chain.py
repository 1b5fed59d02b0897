"""Operators on media in a chain: one decoding for all of them, views in step with the rows."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from tests.unit.engine.test_chain import named
from winnowry.core.ids import record_id
from winnowry.engine.chain import ERROR_RULE, NO_CHILDREN, run_chain
from winnowry.operators.base import Derived, Rule
from winnowry.operators.media import pictures
from winnowry.operators.media.operator import CONTENT, SPAN_FIELD, MediaDerivation, MediaOperator
from winnowry.operators.media.pictures import Picture, PictureFacts
from winnowry.operators.media.views import SPAN_TYPE, DecodeError, Views, Wants

WORD = pa.schema([pa.field("word", pa.string()), pa.field("fault", pa.string())])


def shout(pixels: Any) -> str:
    return str(pixels).upper()


def whisper(pixels: Any) -> str:
    return str(pixels).lower()


class Words(MediaOperator):
    """What was made of each file; crashes on ``CRASH``."""

    op: str = named("words")
    loud: bool = True
    least: int = 0

    def wants(self) -> Wants:
        return Wants(picture=frozenset({shout if self.loud else whisper}))

    def writes(self) -> pa.Schema:
        return pa.schema([field.with_name(("loud_" if self.loud else "low_") + field.name) for field in WORD])

    def rules(self) -> tuple[Rule, ...]:
        fault = self.writes().names[1]
        return (Rule(name="least", column=fault, comparison="==", threshold="", null="keep"),)

    def apply_media(self, batch: pa.RecordBatch, views: Views) -> pa.RecordBatch:
        assert "payload" not in batch.schema.names
        rows: list[tuple[str | None, str | None]] = []
        for view in views:
            try:
                word = view.picture().value(shout if self.loud else whisper)
            except DecodeError as error:
                rows.append((None, str(error)))
                continue
            if word == "CRASH":
                raise ValueError("crashed")
            part = word if view.span is None else word[int(view.span.start) : int(view.span.end)]
            rows.append((part, None))
        return pa.RecordBatch.from_arrays(
            [pa.array(column, pa.string()) for column in zip(*rows, strict=True)] if rows else
            [pa.array([], pa.string())] * 2, schema=self.writes(),
        )  # fmt: skip


class Letters(MediaDerivation):
    """A child for every letter."""

    op: str = named("letters")

    def wants(self) -> Wants:
        return Wants(picture=frozenset({whisper}))

    def writes(self) -> pa.Schema:
        return pa.schema([SPAN_FIELD])

    def derive_media(self, batch: pa.RecordBatch, views: Views) -> Derived:
        spans = [
            (row, {"start": float(at), "end": at + 1.0, "unit": "letter"})
            for row, view in enumerate(views)
            for at in range(len(view.picture().value(whisper)))
        ]
        written = pa.record_batch([pa.array([span for _, span in spans], SPAN_TYPE)], schema=self.writes())
        return Derived(pa.array([row for row, _ in spans], pa.int32()), written)


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The files that were decoded, in order; a file is a word, and one that begins with ``!`` is damaged."""
    decoded: list[bytes] = []

    def decode(data: bytes, reductions: frozenset[Any]) -> Picture:
        decoded.append(data)
        if data.startswith(b"!"):
            raise OSError("broken data stream")
        facts = PictureFacts("WORD", len(data), 1, None, 8, 1, None)
        return Picture(facts, {reduction: reduction(data.decode()) for reduction in reductions})

    monkeypatch.setattr(pictures, "decode_picture", decode)
    return decoded


def batch(*files: bytes | None) -> pa.RecordBatch:
    ids = [record_id("s", mapped_id=str(number)) for number in range(len(files))]
    return pa.record_batch({"record_id": ids, "payload": pa.array(files, pa.large_binary())})


def test_a_chain_decodes_each_file_once_for_all_that_look_at_it(decodings: list[bytes]) -> None:
    outcome = run_chain([Words(), Words(loud=False)], batch(b"One", b"!x", b"Two"))
    assert decodings == [b"One", b"!x", b"Two"]
    assert outcome.kept.select(["loud_word", "low_word"]).to_pylist() == [
        {"loud_word": "ONE", "low_word": "one"},
        {"loud_word": "TWO", "low_word": "two"},
    ]
    ((_, reasons),) = outcome.rejected
    assert [reason[0].value for reason in reasons] == ["OSError: broken data stream"]


def test_a_row_that_crashes_an_operator_is_set_aside_alone_and_no_other_is_decoded_again(
    decodings: list[bytes],
) -> None:
    files = [b"a", b"Crash", b"b", None, b"c"]
    outcome = run_chain([Words(), Words(loud=False)], batch(*files))
    assert sorted(decodings) == sorted(file for file in files if file is not None)
    assert outcome.kept.column("low_word").to_pylist() == ["a", "b", "c"]
    rejected = [(reasons[0].rule, reasons[0].value) for _, rows in outcome.rejected for reasons in rows]
    assert rejected == [(ERROR_RULE, "ValueError: crashed"), ("least", "no bytes")]


def test_children_see_their_part_of_their_root_and_hold_no_bytes(decodings: list[bytes]) -> None:
    outcome = run_chain([Letters(), Words()], batch(b"ab", b"c"))
    assert decodings == [b"ab", b"c"]
    assert outcome.kept.column("loud_word").to_pylist() == ["A", "B", "C"]
    assert "payload" not in outcome.kept.schema.names
    assert [len(parents) for parents in outcome.kept.column("parent_ids").to_pylist()] == [1, 1, 1]


def test_a_file_that_gives_no_children_is_rejected_and_views_stay_in_step(decodings: list[bytes]) -> None:
    outcome = run_chain([Letters(), Words()], batch(b"ab", b"!x", b"c"))
    assert outcome.kept.column("loud_word").to_pylist() == ["A", "B", "C"]
    assert [reasons[0].rule for _, rows in outcome.rejected for reasons in rows] == [ERROR_RULE]
    assert NO_CHILDREN != ERROR_RULE


def test_an_operator_alone_makes_its_own_views(decodings: list[bytes]) -> None:
    files = batch(b"One").select(CONTENT.names)
    assert Words().apply(files).to_pylist() == [{"loud_word": "ONE", "loud_fault": None}]
    assert Letters().derive(files).parent.to_pylist() == [0, 0, 0]
