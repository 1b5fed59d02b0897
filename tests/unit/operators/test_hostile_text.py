"""Hostile texts in every text, dedup and scoring operator: each is handled or set aside, in bounded time and memory.

The short forms run small texts; the long ones (``slow``) 16 MB texts and single lines of 100 MB. A new operator is
covered as soon as it is registered; one with required parameters needs an entry in ``tests/operator_examples.py``.
"""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from tests.operator_examples import example_of
from winnowry.engine.chain import ERROR_RULE, Outcome, run_chain
from winnowry.operators.base import Derivation, FittedOperator, Operator
from winnowry.operators.registry import operators
from winnowry.records.conversations import TURNS, turn
from winnowry.sources.base import ReadLimits, Unreadable
from winnowry.sources.jsonl import JsonLines

NAMES = tuple(
    name
    for name, cls in operators().items()
    if name.startswith(("text.", "dedup.", "score.")) and not issubclass(cls, FittedOperator | Derivation)
)
PLAIN = "The committee met on Tuesday and decided, after a long discussion, that rates would stay where they were."


def _repeated(unit: str) -> Callable[[int], str]:
    return lambda n: (unit * (n // len(unit.encode()) + 1))[: max(1, n * len(unit) // len(unit.encode()))]


HOSTILE: dict[str, Callable[[int], str]] = {
    "one line of words": _repeated("word "),
    "one line without a space": _repeated("a"),
    "newlines": _repeated("\n"),
    "different lines": lambda n: "\n".join(map(str, range(n // 7))),
    "equal lines": _repeated("the same line again\n"),
    "paragraphs": _repeated("a paragraph of text.\n\n"),
    "different words": lambda n: " ".join(f"w{k}" for k in range(n // 7)),
    "spaces": lambda n: "x" + " " * n + "x",
    "tabs and carriage returns": _repeated("\t\r"),
    "NUL bytes": _repeated("a\x00"),
    "control characters": _repeated("".join(map(chr, range(32)))),
    "escapes": _repeated("\x1b["),
    "a combining storm": lambda n: "x" + "\u0301\u0316" * (n // 4),
    "many combining storms": lambda n: ("o" + "\u0302\u0323" * 20) * (n // 81),
    "right to left": _repeated("\u202eשלום مرحبا\u202c "),
    "joined emoji": _repeated("👩\u200d👩\u200d👧"),
    "mojibake": _repeated("Ã©â€œ "),
    "noncharacters": _repeated("\ufffe\uffff\U0010ffff\ufffd"),
    "Chinese without a stop": _repeated("人人生而自由在尊严和权利上一律平等"),
    "full stops": _repeated("."),
    "ellipses and bullets": _repeated("• …\n- ...\n"),
    "quotes and brackets": _repeated("\"'([{“"),
    "a sentence ends in every word": _repeated("a. B? c! "),
    # for patterns of addresses and numbers
    "at signs": _repeated("@"),
    "almost addresses": _repeated("a.a@"),
    "mailbox names": _repeated("a.b-c_d+"),
    "host names without an end": lambda n: "a@" + "a." * (n // 2),
    "addresses": _repeated("a@b.cc "),
    "digits": _repeated("1"),
    "single digits": _repeated("1 "),
    "groups of four": _repeated("4111 "),
    "cards": _repeated("4111 1111 1111 1111 "),
    "plus signs": _repeated("+1"),
    "areas in brackets": _repeated("(415) "),
    "hyphenated groups": _repeated("415-"),
    "dotted numbers": _repeated("61."),
    "IPv6 groups": _repeated("2001:"),
    "IPv6 compressed": _repeated("2001::2:"),
    "accounts": _repeated("DE89 3704 "),
    "slashes and digits": _repeated("/13812345678"),
    # for markup
    "open elements": _repeated("<div>"),
    "less-than signs": _repeated("<"),
    "attributes without an end": lambda n: "<a" + ' b="c"' * (n // 6),
    "formatting elements": _repeated("<p><b><i>"),
    "comments without an end": _repeated("<!--"),
    "entities": _repeated("&amp;&#0;&#xd800;"),
    "tables": _repeated("<table><tr><td>"),
    # for word lists and repetition filters
    "almost a term": _repeated("holy "),
    "terms": _repeated("holy cow 该死"),
    "a period of two": _repeated("ab"),
    "Fibonacci": lambda n: _fibonacci(n),
}


def _fibonacci(n: int) -> str:
    shorter, longer = "a", "a b "
    while len(longer) < n:
        shorter, longer = longer, longer + shorter
    return longer[:n]


def batch_of(operator: Operator, texts: list[str | None]) -> pa.RecordBatch:
    columns = []
    for field in operator.reads():
        if field.name == "text":
            columns.append(pa.array(texts, field.type))
        elif field.type == TURNS:
            columns.append(pa.array([None if text is None else [turn("user", text)] for text in texts], TURNS))
        elif pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            columns.append(pa.array([f"{field.name}-{k}" for k in range(len(texts))], field.type))
        else:
            columns.append(pa.array([None if t is None else len(t) for t in texts], pa.int64()).cast(field.type))
    return pa.record_batch(columns, schema=operator.reads())


def errors_of(outcome: Outcome) -> list[str | None]:
    return [
        reason.value
        for _, reasons in outcome.rejected
        for row in reasons
        for reason in row
        if reason.rule == ERROR_RULE
    ]


def n_rows(outcome: Outcome) -> int:
    return int(outcome.kept.num_rows + sum(batch.num_rows for batch, _ in outcome.rejected))


def values(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    return [{key: repr(value) for key, value in row.items()} for row in batch.to_pylist()]


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_text_is_handled_and_harms_no_other(name: str) -> None:
    operator = example_of(name)
    alone = [values(operator.apply(batch_of(operator, [PLAIN, None, "x", ""]).slice(row, 1))) for row in (0, 1, 3)]
    crashed = {}
    for case, make in HOSTILE.items():
        batch = batch_of(operator, [PLAIN, None, make(60_000), ""])
        outcome = run_chain([operator], batch)
        assert n_rows(outcome) == 4, case
        if errors_of(outcome):
            crashed[case] = errors_of(outcome)
            continue
        result = operator.apply(batch)
        result.validate(full=True)
        assert [values(result.slice(row, 1)) for row in (0, 1, 3)] == alone, case
    assert crashed == {}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("texts", [[], [None], [""], [None, None, ""], ["\x00"], ["\ufeff"]], ids=ascii)
def test_empty_and_null_texts_are_handled(name: str, texts: list[str | None]) -> None:
    operator = example_of(name)
    outcome = run_chain([operator], batch_of(operator, texts))
    assert errors_of(outcome) == []
    assert n_rows(outcome) == len(texts)


# a lone surrogate, a byte that never occurs, an overlong form, a character cut off, a code point beyond Unicode
MALFORMED = (b"\xed\xa0\x80", b"a\xffb", b"\xc0\xaf", b"caf\xc3", b"\xf4\x90\x80\x80", b"\x80" * 50)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("malformed", MALFORMED, ids=repr)
def test_bytes_that_are_not_utf8_set_aside_their_own_row_at_most(name: str, malformed: bytes) -> None:
    operator = example_of(name)
    good = batch_of(operator, [PLAIN, None, ""])
    whole = batch_of(operator, [PLAIN, None, "", "x"])
    raw = [PLAIN.encode(), None, b"", malformed]
    text = pa.Array.from_buffers(pa.large_string(), 4, pa.array(raw, pa.large_binary()).buffers())
    columns = [text if field.name == "text" else whole.column(field.name) for field in operator.reads()]
    outcome = run_chain([operator], pa.record_batch(columns, schema=operator.reads()))
    assert n_rows(outcome) == 4
    assert len(errors_of(outcome)) <= 1
    expected = run_chain([operator], good)
    assert outcome.kept.num_rows - expected.kept.num_rows in (0, 1)
    assert values(outcome.kept.slice(0, expected.kept.num_rows)) == values(expected.kept)


def test_a_lone_surrogate_enters_no_table() -> None:
    with pytest.raises(UnicodeEncodeError):
        pa.array(["\ud800"], pa.large_string())
    (record,) = JsonLines().read(io.BytesIO(b'{"text": "\\ud800"}\n'), "memory", ReadLimits())
    assert isinstance(record, Unreadable)


def seconds(operator: Operator, batch: pa.RecordBatch, repeats: int) -> float:
    """CPU seconds of the fastest run."""
    fastest = float("inf")
    for _ in range(repeats):
        begin = time.process_time()
        operator.apply(batch)
        fastest = min(fastest, time.process_time() - begin)
    return fastest


def growth(name: str, case: str, n: int, negligible: float) -> str | None:
    """What is wrong with the time that four times as many bytes take; None where it is at most linear."""
    operator = example_of(name)
    operator.apply(batch_of(operator, [PLAIN, HOSTILE[case](100)]))  # compile and load
    small, large = (batch_of(operator, [HOSTILE[case](size)]) for size in (n, 4 * n))
    before = after = 0.0
    for repeats in (1, 3):  # a busy machine gets a second chance
        before, after = max(seconds(operator, small, repeats), negligible), seconds(operator, large, repeats)
        if after <= 9 * before:
            return None
    return f"{n} bytes took {before:.3f} CPU s, four times as many {after:.3f}: more than linear"


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_time_grows_no_faster_than_the_text(name: str) -> None:
    found = {case: growth(name, case, 64_000, negligible=0.02) for case in HOSTILE}
    assert {case: wrong for case, wrong in found.items() if wrong} == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", HOSTILE)
def test_time_grows_no_faster_than_a_long_text(name: str, case: str) -> None:
    assert growth(name, case, 4_000_000, negligible=0.1) is None


MEMORY = """
import resource, sys
from tests.unit.operators.test_hostile_text import HOSTILE, PLAIN, batch_of, n_rows
from tests.operator_examples import example_of
from winnowry.engine.chain import run_chain
name, case, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
operator = example_of(name)
run_chain([operator], batch_of(operator, [PLAIN, HOSTILE[case](1000)]))
batch = batch_of(operator, [None, HOSTILE[case](n), PLAIN])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
outcome = run_chain([operator], batch)
print(n_rows(outcome), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
MEGABYTES = 100
MOST_COPIES = 25
"""Memory an operator may add, in sizes of the text; a list of its words takes about fifteen."""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux only")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "case", ["one line of words", "one line without a space", "newlines", "Chinese without a stop", "addresses"]
)
def test_a_hundred_megabytes_take_bounded_memory(name: str, case: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, name, case, str(MEGABYTES * 1_000_000)],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows, added_kib = map(int, done.stdout.split()[-2:])
    assert rows == 3
    assert added_kib * 1024 <= MOST_COPIES * MEGABYTES * 1_000_000, f"{added_kib / 1000:.0f} MB for {MEGABYTES} MB"
