"""Hostile texts take bounded time and memory in every rule-based filter."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache

import pyarrow as pa
import pytest

from tests.unit.operators.text.test_bounds import HOSTILE
from winnowry.operators.base import Operator
from winnowry.operators.text.c4 import C4
from winnowry.operators.text.c4_paragraph import C4Paragraph
from winnowry.operators.text.chinese import Chinese
from winnowry.operators.text.fineweb import FineWeb
from winnowry.operators.text.gopher_quality import GopherQuality
from winnowry.operators.text.gopher_repetition import GopherRepetition
from winnowry.operators.text.string_filters import StringFilters

OPERATORS = (
    GopherQuality(), GopherRepetition(), C4(), C4(drop_unterminated_lines=False), C4Paragraph(), FineWeb(),
    StringFilters(), Chinese(),
)  # fmt: skip
SECONDS = 20.0

ADVERSARIAL: dict[str, Callable[[], str]] = {
    **HOSTILE,
    "one word of 5 MB": lambda: "x" * 5_000_000,
    "one address of 5 MB": lambda: "http://" + "a" * 5_000_000,
    "addresses that are none": lambda: "http://" * 700_000,
    "open brackets": lambda: "[" * 2_000_000 + "." + "[1" * 1_000_000,
    "beginnings of phrases": lambda: "cookie use cookie privac " * 200_000,
    "full stops": lambda: "." * 3_000_000 + " ." * 1_000_000,
    "words that count up": lambda: " ".join(map(str, range(500_000))),
    "a square of repeated words": lambda: " ".join(f"w{i % 1000} v{i // 1000}" for i in range(500_000)),
    "abbreviations": lambda: "U.S. J. Mr. " * 400_000,
}


def batch_of(*texts: str | None) -> pa.RecordBatch:
    return pa.record_batch([pa.array(texts, pa.large_string())], names=["text"])


@cache
def warm(index: int) -> None:
    OPERATORS[index].apply(batch_of("é. A b.\n\n- c"))


@pytest.mark.parametrize("name", ADVERSARIAL)
@pytest.mark.parametrize("index", range(len(OPERATORS)), ids=[operator.op for operator in OPERATORS])
def test_hostile_text_takes_bounded_time(index: int, name: str) -> None:
    warm(index)
    operator: Operator = OPERATORS[index]
    batch = batch_of(None, ADVERSARIAL[name](), "")
    begin = time.process_time()
    result = operator.apply(batch)
    assert time.process_time() - begin < SECONDS
    assert result.schema == operator.writes()
    result.validate(full=True)
    assert [column[0].as_py() for column in result.columns] == [None] * result.num_columns


_LINE_OF_100_MB = """
import resource, sys, time
import pyarrow as pa
from winnowry.operators.registry import operators

operator = operators()[sys.argv[1]].model_validate({})
operator.apply(pa.record_batch([pa.array(["é. A b."], pa.large_string())], names=["text"]))
batch = pa.record_batch([pa.array(["ab cde, " * 12_500_000], pa.large_string())], names=["text"])
begin, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
operator.apply(batch)
print(time.process_time() - begin, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e5)
"""


@pytest.mark.slow
@pytest.mark.parametrize("op", sorted({operator.op for operator in OPERATORS}))
def test_a_line_of_100_mb_takes_a_minute_at_most_and_forty_times_its_size(op: str) -> None:
    command = [sys.executable, "-c", _LINE_OF_100_MB, op]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=500)
    seconds, sizes = map(float, done.stdout.split())
    print(f"{op}: {seconds:.1f} CPU s, {sizes:.1f} times the text")
    assert seconds < 60
    assert sizes < 40
