"""Plain data to a recipe: every mistake of every part at once, each at its place."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from winnowry.recipe.validate import validate

GOOD: dict[str, Any] = {
    "version": 1,
    "corpus": "small",
    "sources": [{"name": "web", "uri": "landing/*.warc", "format": "warc", "partition": {"by": "path", "part": 0}}],
    "clean": [{"op": "text.length", "min_words": 20}],
    "score": [{"op": "score.token_count"}],
    "sample": {"method": "uniform", "token_fraction": 0.5},
    "columns": [{"name": "n", "sql": "length(text)"}],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The good recipe with one value at a dotted path."""
    data = copy.deepcopy(GOOD)
    node: Any = data
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in parents:
        node = node[part]
    node[last] = value
    return data


def mistakes(data: dict[str, Any]) -> list[tuple[str, str]]:
    recipe, problems = validate(data)
    assert (recipe is None) == bool(problems)
    return [(problem.dotted, problem.message) for problem in problems]


def test_a_recipe_without_mistakes_is_made_and_the_data_is_left_as_it_is() -> None:
    data = copy.deepcopy(GOOD)
    recipe, problems = validate(data)
    assert problems == []
    assert recipe is not None
    assert (recipe.corpus, recipe.clean[0].op, recipe.sources[0].options.name) == ("small", "text.length", "warc")
    assert data == GOOD


def test_mistakes_of_all_parts_are_found_at_once() -> None:
    data = changed("sources.0.statuses", [200, "x"])
    data["clean"][0]["min_words"] = "many"
    data["score"][0]["op"] = "score.token_coun"
    data["sample"]["method"] = "unifrom"
    data["columns"][0]["table"] = "row"
    data["limits"] = {"batch_rows": 0}
    assert [path for path, _ in mistakes(data)] == [
        "sources.0.statuses.1",
        "clean.0.min_words",
        "score.0.op",
        "columns.0.table",
        "sample.method",
        "limits.batch_rows",
    ]


def test_mistakes_in_the_keys_of_a_source_and_in_the_options_of_its_format_are_found_at_once() -> None:
    data = changed("sources.0", {**GOOD["sources"][0], "name": "Web", "statuses": 200, "encoding": "utf-8", "nme": 1})
    assert mistakes(data) == [
        ("sources.0.name", "must match ^[a-z][a-z0-9_]*$; got 'Web'"),
        (
            "sources.0.encoding",
            "`encoding` is for csv and html and jsonl and sgml and text and xml; the format is warc",
        ),
        ("sources.0.nme", "unknown field 'nme'; did you mean 'name'?"),
        ("sources.0.statuses", "expected a list; got 200"),
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"format": "wark"}, "; did you mean 'warc'?"),
        ({"format": 3}, "expected text; got 3"),
        ({"format": ["warc"]}, "expected text; got ['warc']"),
        ({"format": "xml"}, "`format: xml` needs `record_element`, the element that is a record"),
        ({"format": "html", "encoding": "klingon"}, "`encoding: klingon` is unknown; e.g. utf-8"),
        ({"format": "csv", "delimiter": "\n"}, "expected one character, not a quote or line break"),
        ({"format": "jsonl", "profile": "tc608"}, "expected one of 'tc609'; got 'tc608'; did you mean 'tc609'?"),
        ({"format": "jsonl", "statuses": [200]}, "`statuses` is for warc; the format is jsonl"),
        ({"format": "files", "payload": "referenced", "members": "*"}, "files inside archives are copied"),
        ({"statuses": []}, "needs at least 1 item(s)"),
        ({"statuses": ["200"]}, "expected a whole number; got '200'"),
        ({"statuses": [True]}, "expected a whole number; got True"),
        ({"status": [200]}, "unknown field 'status'; did you mean 'statuses'?"),
        ({1: 2}, "unknown field '1'; fields are name, uri, format, "),
    ],
)
def test_an_option_that_does_not_fit_is_a_mistake_in_words(options: dict[Any, Any], expected: str) -> None:
    (_, message), *_ = mistakes(changed("sources.0", {**GOOD["sources"][0], **options}))
    assert expected in message


def test_an_option_that_is_null_is_not_set() -> None:
    recipe, problems = validate(changed("sources.0", {**GOOD["sources"][0], "statuses": None, "encoding": None}))
    assert problems == []
    assert recipe is not None
    assert recipe.sources[0] == validate(GOOD)[0].sources[0]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("path", "value", "place", "message"),
    [
        ("clean.0", "text.length", "clean.0", "an operator is a mapping with `op`"),
        ("clean.0", {"min_words": 3}, "clean.0", "an operator is a mapping with `op`"),
        ("clean.0", {"op": "text.lenght"}, "clean.0.op", "did you mean 'text.length'?"),
        ("columns.0", {"name": "n", "operator": {"op": "nothing"}}, "columns.0.operator.op", "unknown op 'nothing'"),
        ("sources", {}, "sources", "expected a list"),
        ("sources", [], "sources", "needs at least 1 item(s)"),
        ("sources.0", "web", "sources.0", "expected a mapping; got 'web'"),
        ("version", "1", "version", "expected one of 1; got '1'"),
        ("description", "${env:HOME}", "description", "may only stand in the uri of a source or of a text set"),
        ("clean.0.min_words", "${env:HOME}", "clean.0.min_words", "may only stand in the uri"),
    ],
)
def test_what_is_no_part_of_a_recipe_is_named_with_its_place(path: str, value: Any, place: str, message: str) -> None:
    assert any(where == place and message in text for where, text in mistakes(changed(path, value)))


@pytest.mark.parametrize("section", ["sample", "gates", "publish", "limits", "comparison"])
def test_a_section_that_is_null_is_as_one_that_is_not_there(section: str) -> None:
    without = copy.deepcopy(GOOD)
    without.pop(section, None)
    assert validate({**without, section: None}) == validate(without)


def test_a_broken_part_is_judged_once_and_what_depends_on_it_is_not_judged() -> None:
    data = changed("score.0", {"op": "score.token_count", "wrong": 1})
    assert [path for path, _ in mistakes(data)] == ["score.0.wrong"]  # not also that nothing writes n_tokens
