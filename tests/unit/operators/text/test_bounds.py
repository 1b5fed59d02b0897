"""Hostile texts take bounded time in every text operator; the limits are far above what a busy machine needs."""

from __future__ import annotations

import time
from functools import cache

import pyarrow as pa
import pytest

from winnowry.operators.base import Operator
from winnowry.operators.dedup.exact import ExactDuplicates
from winnowry.operators.text.characters import Characters
from winnowry.operators.text.extract_html import ExtractHtml
from winnowry.operators.text.language import Language
from winnowry.operators.text.length import Length
from winnowry.operators.text.lines import Lines
from winnowry.operators.text.normalize_unicode import NormalizeUnicode

OPERATORS = (Length(), Characters(), Lines(), Language(), NormalizeUnicode(), ExtractHtml(), ExactDuplicates())
SECONDS = 20.0

HOSTILE = {
    "a million newlines": lambda: "\n" * 1_000_000,
    "a million short lines": lambda: "ab\n" * 1_000_000,
    "half a million different lines": lambda: "\n".join(map(str, range(500_000))),
    "one line of 5 MB": lambda: "word " * 1_000_000,
    "5 MB of spaces": lambda: "x" + " " * 5_000_000 + "x",
    "NUL bytes": lambda: "a\x00" * 1_000_000,
    "a combining storm": lambda: "x" + "\u0301\u0316" * 500_000,
    "composed storms": lambda: ("o" + "\u0302\u0323" * 20) * 20_000,
    "right to left": lambda: "\u202eשלום مرحبا\u202c " * 100_000,
    "mojibake on one line": lambda: "Ã©â€œ " * 200_000,
    "escapes": lambda: "\x1b[" * 1_000_000,
    "carriage returns": lambda: "\r" * 1_000_000,
}


def batch_of(*texts: str | None) -> pa.RecordBatch:
    return pa.record_batch([pa.array(texts, pa.large_string())], names=["text"])


@cache
def warm(op: str) -> None:
    next(operator for operator in OPERATORS if operator.op == op).apply(batch_of("<p>é</p>", "cafÃ©"))


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.op)
def test_hostile_text_takes_bounded_time(operator: Operator, name: str) -> None:
    warm(operator.op)
    batch = batch_of(None, HOSTILE[name](), "")
    begin = time.process_time()
    result = operator.apply(batch)
    assert time.process_time() - begin < SECONDS
    assert result.schema == operator.writes()
    assert result.num_rows == 3
    assert [column[0].as_py() for column in result.columns] == [None] * result.num_columns
