"""Mistakes of mapped fields, gates and the release, told before any byte is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.recipe.test_check import problems_of
from winnowry.recipe.check_gates import lacking_for
from winnowry.recipe.load import load_recipe
from winnowry.stages.graph import stage_named

HEAD = "version: 1\ncorpus: letters\nsources:\n"
CLEAN = "clean:\n  - {op: text.length}\n"
SCORE = "score:\n  - {op: score.token_count}\n"
SAMPLE = "sample: {method: uniform, fraction: 1.0"


def source(fields: str, more: str = "", name: str = "one") -> str:
    return f"  - {{name: {name}, uri: 'a/*', fields: {{{fields}}}, partition: none{more}}}\n"


def recipe_of(tmp_path: Path, text: str):  # type: ignore[no-untyped-def]
    (tmp_path / "letters.yaml").write_text(text)
    return load_recipe(tmp_path / "letters.yaml")


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        (source("carry: [Size]"), "sources.0.fields.carry", "'Size' is a column of winnowry's tables"),
        (source("carry: [repeats]"), "sources.0.fields.carry", "{other_name: repeats}"),
        (
            source("carry: [n_words]") + CLEAN,
            "sources.0.fields.carry",
            "'n_words' is a column of text.length, in `clean`",
        ),
        (source("carry: [n_tokens]") + SCORE, "sources.0.fields.carry", "'n_tokens' is a column of"),
        (source("carry: [doc.url]"), "sources.0.fields.carry", "'doc.url' cannot be the name of a column"),
        (source("carry: ['']"), "sources.0.fields.carry", "cannot be the name of a column"),
        (source("carry: [url, URL]"), "sources.0.fields.carry", "differ in nothing but case"),
        (source("text: body, carry: [body]"), "sources.0.fields.carry", "'body' is the text"),
        (source("carry: [url]", ", format: files"), "sources.0.fields.carry", "only if the recipe has `clean`"),
        (
            source("carry: [url]") + "columns:\n  - {name: url, table: cleaned, sql: '1'}\n",
            "columns.0.name",
            "cleaned has a column url of its own",
        ),
        (source("event_time_range: [2000, 2001]"), "sources.0.fields.event_time_range", "`event_time` names"),
        (
            source("event_time: t, event_time_range: [2001, 2000]"),
            "sources.0.fields.event_time_range",
            "before the first",
        ),
        (source("event_time: t, event_time_range: [1.5, 2000]"), "sources.0.fields.event_time_range", ""),
        (source("event_time: t, event_time_range: [last, 2000]"), "sources.0.fields.event_time_range", "YYYY-MM-DD"),
        (source("event_time: t, event_time_format: '%Q'"), "sources.0.fields.event_time_format", "bad directive"),
        (source("event_time: t, event_time_format: '%d-%b'"), "sources.0.fields.event_time_format", "names no year"),
        (source("", ", format: csv, header: false"), "sources.0", "needs `columns`"),
        (source("", ", columns: [a]"), "sources.0.columns", "`columns` is for csv"),
        (
            source("") + SCORE + "  - {op: text.language}\n" + "sample: {method: cdf, fraction: 0.5, by: language}\n",
            "sample.by",
            "column 'language' is string, expected a number",
        ),
        (
            source("") + CLEAN + "  - {op: dedup.minhash}\n" + SCORE + SAMPLE + ", strata: [minhash]}\n",
            "sample.strata.0",
            "strata are named by single values",
        ),
        (source("") + SCORE + SAMPLE + ", strata: [url]}\n", "sample.strata.0", "no operator writes 'url'"),
        (source("") + "gates: {cleaned: {languages: [en]}}\n", "gates.cleaned.languages", "add {op: text.language}"),
        (
            source("") + "gates: {sampled: {disjoint: [source, spilt]}}\n",
            "gates.sampled.disjoint.1",
            "no column 'spilt'",
        ),
        (source("", ", format: files") + "gates: {cleaned: {}}\n", "gates.cleaned", "the recipe does not have"),
        (
            source("", ", format: files") + "clean:\n  - {op: image.properties}\ngates: {published: {}}\n",
            "gates.published",
            "add `sample`",
        ),
        (source("") + "publish: {tag: v2}\n", "publish.tag", "is the name of a release"),
        ("  - {name: one, uri: 'a/*'}\n", "sources.0.partition", "`partition: none` puts all records into one"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, place: str, expected: str) -> None:
    message = problems_of(tmp_path, HEAD + text)
    assert place in message
    assert expected in message


def test_what_a_recipe_lacks_is_told_for_the_stages_that_need_it_and_all_at_once(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, HEAD + source("") + CLEAN)
    assert lacking_for(recipe, ["landing", "raw", "cleaned", "duplicates"]) == []
    size, sample = lacking_for(recipe, ["cleaned", "scored", "sampled"])
    assert size.startswith("letters: score: nothing writes n_tokens")
    assert size.endswith("add {op: score.token_count}")
    assert sample.startswith("letters: sample: missing")
    assert lacking_for(recipe_of(tmp_path, HEAD + source("") + SCORE + SAMPLE + "}\n"), ["scored", "sampled"]) == []


def test_what_is_carried_changes_no_stage_before_cleaned(tmp_path: Path) -> None:
    plain, carrying = (recipe_of(tmp_path, HEAD + source(fields)) for fields in ("id: id", "id: id, carry: [url]"))
    changed = {name: stage_named(name).hash(plain) != stage_named(name).hash(carrying)
               for name in ("landing", "raw", "cleaned", "duplicates", "scored", "published")}  # fmt: skip
    assert changed == {"landing": False, "raw": False, "cleaned": True, "duplicates": False, "scored": False,
                       "published": True}  # fmt: skip


def test_two_sources_may_carry_different_fields(tmp_path: Path) -> None:
    text = source("carry: [url, title]") + source("carry: {title: doc.title, label: label}", name="two")
    recipe = recipe_of(tmp_path, HEAD + text + SCORE + SAMPLE + ", strata: [label]}\n")
    assert recipe.cleaning[0].writes().names == ["url", "title", "label"]
