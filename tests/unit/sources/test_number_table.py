"""Numbers of tables are those that Python reads, to the last bit, and everything else is told by its place."""

from __future__ import annotations

import numpy as np
import pytest

from winnowry.sources.number_table import Stopped, numbers

AWKWARD = [
    "1e5", "-.5", "5.", "+3", "1e-400", "123456789012345678901234567890", "1e400", "+1.5e+30", "-0",
    "0000000000000000001.5", "1E22", "1e23", "0.00000000000000000000001", "9007199254740993", "-1.2e-05",
    "2.2250738585072011e-308", "5e-324",
]  # fmt: skip


def test_every_decimal_is_the_double_that_python_makes_of_it() -> None:
    generator = np.random.default_rng(1)
    words = [repr(float(x)) for x in generator.normal(size=5000) * 10.0 ** generator.integers(-30, 30, 5000)]
    words += [f"{x:.{digits}f}" for digits in range(12) for x in generator.normal(size=200) * 1000] + AWKWARD
    expected = np.array([float(word) for word in words])
    read = numbers(" ".join(words).encode(), 0, 1, len(words))
    assert read.stopped is None
    assert read.values.tobytes() == expected.tobytes()  # -0.0 is not 0.0


@pytest.mark.parametrize(
    "word", ["1e", "5x", "-", ".", "+.", "nan", "inf", "0x10", "1_000", "--1", "0.0-7.5", "1,5", "1e5.5", "e5", "１"]
)
def test_what_is_no_number_is_told_by_its_place(word: str) -> None:
    read = numbers(f"1 {word} 2".encode(), 0, 1, 3)
    assert (read.values.tolist(), read.stopped) == ([1.0], Stopped("number", 2))


@pytest.mark.parametrize(
    ("text", "ragged"),
    [
        ("1 2\n3 4\n", None),
        ("1\n2\n3\n4\n", None),
        ("1 2 3\n4\n", 0),
        ("1 2\n3\n4 5\n6\n", 1),
        ("\n\n1 2\n\n3 4", None),
    ],
)
def test_rows_that_do_not_end_with_a_line_are_told(text: str, ragged: int | None) -> None:
    assert numbers(text.encode(), 0, 9, 2).ragged == ragged


def test_numbers_behind_the_last_row_are_told_and_not_read() -> None:
    read = numbers(b"1 2\n3 4\n5 6\n", 0, 2, 2)
    assert (read.values.tolist(), read.stopped) == ([1.0, 2.0, 3.0, 4.0], Stopped("more", 8))
