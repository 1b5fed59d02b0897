"""Names of columns that a table cannot have, or that stand for another column, are refused with the recipe."""

from __future__ import annotations

import json

import pytest

from tests.unit.core.test_column_names import NO_NAMES
from winnowry.core.errors import UsageError
from winnowry.recipe.validate import validate
from winnowry.records import kinds as known_kinds
from winnowry.records.kinds import Kind

SOURCE = {"name": "s", "uri": "landing/*.jsonl", "partition": "none"}
LENGTH = {"op": "text.length"}
NAMES = [name for name in NO_NAMES if name != "\ud800"]  # which no JSON holds: refused before


def problems(clean: list[object], score: list[object], columns: list[object] | None = None, **source: object) -> str:
    data = {"version": 1, "corpus": "c", "sources": [{**SOURCE, **source}], "clean": clean, "score": score}
    data |= {"columns": columns} if columns is not None else {}
    _, mistakes = validate(json.loads(json.dumps(data)))
    return "\n".join(f"{problem.dotted}: {problem.message}" for problem in mistakes)


@pytest.mark.parametrize("name", [*NAMES, "a b", "1st", "_x", "x'; drop", "a-b"], ids=ascii)
@pytest.mark.parametrize("stage", ["clean", "score"])
def test_as_that_is_no_name_is_refused_with_the_recipe(stage: str, name: str) -> None:
    named = {"op": "score.distinct_ngrams", "as": name}
    message = problems([LENGTH, *([named] if stage == "clean" else [])], [named] if stage == "score" else [])
    assert f"{stage}.{1 if stage == 'clean' else 0}.as: " in message


@pytest.mark.parametrize(
    "name",
    ["record_id", "partition", "promotion_id", "payload", "stratum", "probability", "selected", "draw", "position"],
)
@pytest.mark.parametrize("spelled", [str, str.upper])
def test_as_of_a_column_that_every_table_has_is_refused(name: str, spelled: object) -> None:
    assert callable(spelled)
    message = problems([LENGTH], [{"op": "score.distinct_ngrams", "as": spelled(name)}])
    assert "score.0.as: column" in message
    assert "give it another name: `as`" in message


def test_text_is_written_by_what_makes_a_text_and_the_size_by_what_counts() -> None:
    assert problems([{"op": "text.extract_html"}], [{"op": "score.token_count"}]) == ""
    assert problems([{"op": "text.extract_html", "as": "text"}], [{"op": "score.token_count"}]) == ""
    assert "clean.0.as: column 'text' is one of winnowry's own" in problems(
        [{"op": "score.distinct_ngrams", "as": "text"}], []
    )
    assert "score.0.as: column 'n_tokens' is one of" in problems(
        [LENGTH], [{"op": "score.distinct_ngrams", "as": "n_tokens"}]
    )


def test_names_that_differ_in_case_only_are_refused() -> None:
    message = problems([LENGTH], [{"op": "score.distinct_ngrams", "as": "N_Words"}])
    assert "score.0.as: column 'N_Words' and 'n_words' of text.length, in `clean` differ in nothing but case" in message
    two = [{"op": "score.distinct_ngrams", "as": "lx"}, {"op": "score.distinct_ngrams", "as": "LX"}]
    assert "score.1.as: column 'LX' and 'lx'" in problems([LENGTH], two)


def test_a_column_that_another_operator_writes_is_not_written_over() -> None:
    message = problems([LENGTH], [{"op": "score.distinct_ngrams", "as": "n_words"}])
    assert "score.0.as: column 'n_words' is written by text.length too, whose values would be lost" in message


def test_a_carried_field_is_not_written_over() -> None:
    message = problems([LENGTH], [{"op": "score.distinct_ngrams", "as": "URL"}], fields={"carry": ["url"]})
    assert "'URL' and 'url' of `carry` of a source differ in nothing but case" in message


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_carried_field_that_is_no_name_is_refused_with_the_recipe(name: str) -> None:
    assert "sources.0.fields.carry: " in problems([LENGTH], [], fields={"carry": {name: "x"}})


def test_a_declared_column_is_message_apart_from_every_other_by_more_than_case() -> None:
    columns = [{"name": "N_Words", "sql": "1", "table": "cleaned"}]
    assert "columns.0.name: 'N_Words' and 'n_words' of text.length" in problems([LENGTH], [], columns)
    two = [{"name": name, "sql": "1", "table": "cleaned"} for name in ("extra", "Extra")]
    assert "columns.1.name: 'Extra' and 'extra', declared before it" in problems([LENGTH], [], two)
    assert "columns.0.name: " in problems([LENGTH], [], [{"name": "x" * 129, "sql": "1", "table": "cleaned"}])


def test_all_names_that_cannot_be_are_message_at_once() -> None:
    score = [{"op": "score.distinct_ngrams", "as": name} for name in ("_rowid", "a.b", "")]
    message = problems([LENGTH], score, fields={"carry": ["x.y"]})
    assert all(place in message for place in ("score.0.as", "score.1.as", "score.2.as", "sources.0.fields.carry"))


def test_a_kind_of_another_package_names_its_size_as_a_column(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        name = value = "other:KIND"

        def load(self) -> Kind:
            return Kind("cloud", "blob", "points", "n.points", str)

    monkeypatch.setattr(known_kinds, "entry_points", lambda group: [Entry()])
    known_kinds.kinds.cache_clear()
    try:
        with pytest.raises(UsageError, match=r"size_column 'n.points' cannot be the name of a column"):
            known_kinds.kinds()
    finally:
        known_kinds.kinds.cache_clear()
