"""Mistakes between parts of a recipe that are each valid, told with their place."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from winnowry.core.errors import RecipeError
from winnowry.operators.base import Operator
from winnowry.operators.registry import operators
from winnowry.recipe.check import check_parts
from winnowry.recipe.load import load_recipe

HEAD = "version: 1\ncorpus: letters\nsources:\n"
BY_YEAR = "partition: {by: event_time, every: year}"
SOURCE = f"  - {{name: one, uri: 'a/*.jsonl', fields: {{event_time: date}}, {BY_YEAR}}}\n"
CLEAN = "clean:\n  - {op: text.length}\n"
SCORE = "score:\n  - {op: score.token_count}\n"


def problems_of(tmp_path: Path, text: str) -> str:
    (tmp_path / "letters.yaml").write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(tmp_path / "letters.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        (HEAD + SOURCE + SOURCE + CLEAN, "sources.1.name", "sources.0 is named 'one' already"),
        (
            HEAD + SOURCE + SOURCE.replace("one", "two").replace("year", "month") + CLEAN,
            "sources.1.partition",
            "not cut as sources.0 is (by event_time, every year)",
        ),
        (
            HEAD + SOURCE + SOURCE.replace("one", "two").replace("every: year", "every: year, keys: ['2020']") + CLEAN,
            "sources.1.partition",
            "either every source of a corpus declares `keys`, or none",
        ),
        (HEAD + SOURCE.replace("fields: {event_time: date}, ", "") + CLEAN, "sources.0.partition", "needs `fields:"),
        (HEAD + SOURCE + CLEAN + "  - {op: text.length}\n", "clean.1", "clean.0 is 'text.length' already"),
        (
            HEAD + SOURCE + CLEAN + SCORE + "sample: {method: cdf, by: n_token, token_fraction: 0.5}\n",
            "sample.by",
            "no operator of `score` writes 'n_token'; did you mean 'n_tokens'?",
        ),
        (
            HEAD + SOURCE + CLEAN + SCORE
            + "sample: {method: cdf, by: n_tokens, token_fraction: 0.5, strata: [partitions]}\n",
            "sample.strata.0",
            "did you mean 'partition'?",
        ),
        (HEAD + SOURCE + CLEAN + "  - {op: dedup.exact, keep: best}\n", "clean.1", "`by: COLUMN` need each"),
        (
            HEAD + SOURCE + CLEAN + "  - {op: dedup.exact}\n  - {op: dedup.minhash, keep: longest}\n",
            "clean.2.keep",
            "keeps the longest, but clean.1 (dedup.exact) keeps the earliest",
        ),
        (
            HEAD + SOURCE + CLEAN + "  - {op: dedup.exact, keep: best, by: n_words}\n"
            + "  - {op: dedup.minhash, keep: best, by: size}\n",
            "clean.2.by",
            "keeps the best by 'size', but clean.1 (dedup.exact) keeps the best by 'n_words'",
        ),
        (
            HEAD + SOURCE + CLEAN + "  - {op: dedup.exact, keep: best, by: n_word}\n",
            "clean.1.by",
            "no operator of `clean` writes 'n_word'; did you mean 'n_words'?",
        ),
        (
            HEAD + SOURCE + CLEAN + "  - {op: dedup.exact, keep: best, by: n_tokens}\n" + SCORE,
            "clean.1.by",
            "column 'n_tokens' is written in `score`, after keepers are decided",
        ),
        (
            HEAD + SOURCE + CLEAN + "  - {op: dedup.exact, keep: best, by: event_time}\n",
            "clean.1.by",
            "column 'event_time' is timestamp[us, tz=UTC], expected a number",
        ),
        (
            HEAD + SOURCE + CLEAN + SCORE + "  - {op: text.chunks, max_chars: 500}\n",
            "score.1",
            "text.chunks makes records of records: scores are of records, put it into `clean`",
        ),
        (
            HEAD + SOURCE + CLEAN + "  - {op: dedup.exact}\n  - {op: text.chunks, max_chars: 500}\n",
            "clean.1",
            "dedup.exact stands before text.chunks (clean.2)",
        ),
        (
            HEAD + SOURCE + CLEAN
            + "columns:\n  - {name: piece, table: cleaned, operator: {op: text.chunks, max_chars: 500}}\n",
            "columns.0.operator",
            "text.chunks makes records of records: put it into `clean`",
        ),
    ],
)  # fmt: skip
def test_a_mistake_between_parts_is_told_with_its_place(tmp_path: Path, text: str, place: str, expected: str) -> None:
    told = problems_of(tmp_path, text)
    assert place in told
    assert expected in told


class Halve(Operator):
    """Reads a column that another operator writes; without a default name it stays out of the registry."""

    def reads(self) -> pa.Schema:
        return pa.schema([pa.field("n_words", pa.int64())])

    def writes(self) -> pa.Schema:
        return pa.schema([pa.field("half", pa.int64())])


def test_a_column_must_be_written_before_it_is_read() -> None:
    length, halve = operators()["text.length"].model_validate({}), Halve(op="test.halve")
    assert check_parts([None], [length, halve], [], None) == []
    (problem,) = check_parts([None], [halve, length], [], None)
    assert problem.message == "test.halve reads column 'n_words', which nothing before it writes"
    assert check_parts([None], [None, halve], [], None) == [], "what a wrong operator would have written is unknown"


def test_a_keeper_may_be_chosen_by_any_number_that_cleaning_leaves_wherever_it_is_written(tmp_path: Path) -> None:
    """The ``duplicates`` stage reads it from ``cleaned``, when all operators have run."""
    exact = "  - {op: dedup.exact, keep: best, by: n_words}\n"
    for clean in ("clean:\n" + exact + CLEAN.removeprefix("clean:\n"), CLEAN + exact.replace("n_words", "size")):
        (tmp_path / "letters.yaml").write_text(HEAD + SOURCE + clean)
        assert load_recipe(tmp_path / "letters.yaml").corpus == "letters"


def test_a_keeper_by_what_a_wrong_operator_may_write_is_not_judged() -> None:
    best = operators()["dedup.exact"].model_validate({"keep": "best", "by": "n_words"})
    assert check_parts([None], [None, best], [], None) == []
    (problem,) = check_parts([None], [best], [], None)
    assert problem.path == ("clean", 0, "by")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    told = problems_of(
        tmp_path,
        HEAD + SOURCE + SOURCE + CLEAN + "  - {op: text.length}\n  - {op: text.lenght}\n"
        "  - {op: dedup.exact, keep: best, by: size}\n  - {op: dedup.minhash}\n",
    )
    assert "keeps the earliest, but clean.3 (dedup.exact) keeps the best by 'size'" in told
    assert "is named 'one' already" in told
    assert "is 'text.length' already" in told
    assert "did you mean 'text.length'?" in told
