"""The page of faults names tests that are there, says which are slow, and leaves out no test of faults."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/explanation/faults.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "`tests/" in line]
CITED = [
    (slow == "slow: ", path, name)
    for row in ROWS
    for slow, path, name in re.findall(r"(slow: )?`(tests/[\w/]+\.py)(?:::(\w+))?`", row)
]


def slow_tests(text: str) -> dict[str, bool]:
    """Every test of a file, and whether it is slow."""
    marks = re.search(r"^pytestmark = (\[.*?^\]|[^\n]*)", text, re.M | re.S)
    everything = marks is not None and "pytest.mark.slow" in marks[1]
    tests = re.findall(r"^((?:@[^\n]*\n(?:[ )\]][^\n]*\n)*)*)def (test_\w+)", text, re.M)
    return {name: everything or "pytest.mark.slow" in decorators for decorators, name in tests}


def test_every_row_names_what_struck_when_the_outcome_and_a_test() -> None:
    assert len(ROWS) > 30
    assert all(len(re.split(r"(?<!\\)\|", row)) == 6 and all(map(str.strip, row.split("|")[1:-1])) for row in ROWS)


@pytest.mark.parametrize(("slow", "path", "name"), CITED, ids=lambda value: str(value))
def test_a_named_test_is_there_and_as_slow_as_the_page_says(slow: bool, path: str, name: str) -> None:
    tests = slow_tests((ROOT / path).read_text(encoding="utf-8"))
    chosen = [tests[name]] if name else list(tests.values())
    assert chosen
    assert all(chosen) if slow else not all(chosen)


def test_no_file_of_fault_tests_is_left_out() -> None:
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests/faults").glob("test_*.py")}
    assert files <= {path for _, path, _ in CITED}
