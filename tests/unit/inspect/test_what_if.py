"""A changed rule, asked of stored columns: the answer is what running the changed recipe does."""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.cleaned_lake import CORPUS, promote_cleaned, promote_scored, recipe_of, run
from winnowry.core.errors import NotFoundError
from winnowry.inspect.what_if import RuleCount, WhatIf, what_if
from winnowry.lakehouse.workspace import Workspace
from winnowry.reading.stored_columns import read_columns
from winnowry.recipe.model import Recipe

ENGLISH_TEXT = "the cat sat on a mat and the dog looked at it for a while before they both went away"
GERMAN_TEXT = "der Hund und die Katze saßen auf dem Dach und schauten in die Ferne bis es Abend wurde"
ENGLISH, GERMAN = ENGLISH_TEXT.split(), GERMAN_TEXT.split()


def text_of(rng: random.Random, n_words: int) -> str:
    words = rng.choice((ENGLISH, ENGLISH, GERMAN))
    return " ".join(rng.choice(words) for _ in range(n_words))


def texts_of(seed: int, n: int) -> dict[str, str | None]:
    """Texts by id: 0 to 40 words, English or German; some null, some empty."""
    rng = random.Random(seed)
    found: dict[str, str | None] = {f"{seed:08x}{i:024x}": text_of(rng, rng.randrange(41)) for i in range(n)}
    found[f"{seed:08x}{n:024x}"] = None
    found[f"{seed:08x}{n + 1:024x}"] = ""
    return found


LENGTH: dict[str, Any] = {"op": "text.length", "min_words": 10, "max_words": 30}
LANGUAGE: dict[str, Any] = {"op": "text.language", "keep": ["en"], "min_score": 0.4}
CHARACTERS: dict[str, Any] = {"op": "text.length", "as": "late", "min_words": None, "max_words": None, "min_chars": 60}
EXACT: dict[str, Any] = {"op": "dedup.exact"}
CLEAN = (LENGTH, LANGUAGE, CHARACTERS, EXACT)


@pytest.fixture(scope="module")
def texts() -> dict[str, dict[str, str | None]]:
    return {"2020": texts_of(1, 300), "2021": texts_of(2, 200)}


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory, texts: dict[str, dict[str, str | None]]) -> Workspace:
    ws = Workspace.open(str(tmp_path_factory.mktemp("lake")))
    for partition, held in texts.items():
        promote_cleaned(ws, recipe_of(*CLEAN), partition, held)
        kept = run(recipe_of(*CLEAN).clean, partition, held).kept["record_id"].to_pylist()
        promote_scored(ws, partition, {name: 1000 + len(held[name] or "") for name in kept})
    return ws


def kept_by(recipe: Recipe, texts: Mapping[str, Mapping[str, str | None]]) -> dict[str, str | None]:
    """Texts by id that running the recipe keeps."""
    ids = [
        name
        for partition, held in texts.items()
        for name in run(recipe.clean, partition, held).kept["record_id"].to_pylist()
    ]
    return {name: held[name] for held in texts.values() for name in ids if name in held}


def count(answer: WhatIf, label: str) -> RuleCount:
    return next(rule for rule in answer.rules if rule.rule == label)


CHANGES: list[tuple[str, tuple[dict[str, Any], ...]]] = [
    ("nothing", CLEAN),
    ("stricter", ({**LENGTH, "min_words": 20}, LANGUAGE, CHARACTERS, EXACT)),
    ("looser", ({**LENGTH, "min_words": 3}, LANGUAGE, CHARACTERS, EXACT)),
    ("looser late", (LENGTH, LANGUAGE, {**CHARACTERS, "min_chars": 20}, EXACT)),
    ("stricter late", (LENGTH, LANGUAGE, {**CHARACTERS, "min_chars": 90}, EXACT)),
    ("both ways", ({**LENGTH, "min_words": 5, "max_words": 25}, LANGUAGE, CHARACTERS, EXACT)),
    ("language", (LENGTH, {**LANGUAGE, "keep": ["de"]}, CHARACTERS, EXACT)),
    ("two languages", (LENGTH, {**LANGUAGE, "keep": ["en", "de"], "min_score": 0.2}, CHARACTERS, EXACT)),
    ("any language", (LENGTH, {"op": "text.language", "min_score": 0.0}, CHARACTERS, EXACT)),
    ("a rule goes", ({**LENGTH, "max_words": None}, LANGUAGE, CHARACTERS, EXACT)),
    ("a rule comes", ({**LENGTH, "min_chars": 80}, LANGUAGE, CHARACTERS, EXACT)),
    ("all at once", ({**LENGTH, "min_words": 1, "max_words": 35, "max_chars": 150}, {**LANGUAGE, "min_score": 0.3},
                     {**CHARACTERS, "min_chars": 10}, EXACT)),
    ("an operator goes", (LENGTH, LANGUAGE, EXACT)),
]  # fmt: skip


@pytest.mark.parametrize("clean", [clean for _, clean in CHANGES], ids=[name for name, _ in CHANGES])
def test_the_answer_is_what_running_the_changed_recipe_does(
    ws: Workspace, texts: dict[str, dict[str, str | None]], clean: tuple[dict[str, Any], ...]
) -> None:
    now, then = recipe_of(*CLEAN), recipe_of(*clean)
    answer = what_if(ws, now, then)
    before, after = kept_by(now, texts), kept_by(then, texts)
    assert (answer.kept_now, answer.dropped_now) == (len(before), 504 - len(before))
    assert answer.kept_now + answer.dropped_now == answer.kept_then + answer.dropped_then + answer.undecided == 504
    assert answer.kept_then <= len(after) <= answer.kept_then + answer.undecided
    assert answer.tokens_now == sum(1000 + len(text or "") for text in before.values())
    assert answer.tokens_then == sum(1000 + len(text or "") for name, text in before.items() if name in after)
    assert answer.recipe_differs == answer.operators_recomputed == []
    for example in answer.examples:
        assert (example["record_id"] in before) == (example["now"] == "kept"), example
        if example["then"] != "undecided":
            assert (example["record_id"] in after) == (example["then"] == "kept"), example
    moved = len(before.keys() ^ after.keys())
    assert len(answer.examples) >= min(10, moved)
    assert answer.reopens_dedup == bool(answer.examples)
    if answer.undecided:
        assert set(answer.undecided_operators) <= {"text.language", "late"}, "length is computed for every record"
        assert answer.undecided_operators


def test_counts_by_rule_are_those_of_the_records_that_had_the_column(
    ws: Workspace, texts: dict[str, dict[str, str | None]]
) -> None:
    """Counted here from the texts: words for all of them, characters for those that reach the late operator."""
    words = {name: len((text or "").split()) for held in texts.values() for name, text in held.items()}
    null = [name for held in texts.values() for name, text in held.items() if text is None]
    answer = what_if(ws, recipe_of(*CLEAN), recipe_of({**LENGTH, "min_words": 20}, *CLEAN[1:]))
    # A null text has no number of words, and fails both limits.
    assert count(answer, "text.length.min_words") == RuleCount(
        "text.length.min_words",
        "10",
        "20",
        sum(n < 10 for n in words.values()),
        sum(n < 20 for n in words.values()),
    )
    assert count(answer, "text.length.max_words").dropped_then == len(null) + sum(n > 30 for n in words.values())
    reached = [name for name, n in words.items() if 10 <= n <= 30]
    german = {name for name in reached if name not in kept_by(recipe_of(LENGTH, LANGUAGE), texts)}
    short = {n for n in reached if len(next(held[n] or "" for held in texts.values() if n in held)) < 60}
    late = count(answer, "late.min_chars")
    assert (late.dropped_now, late.dropped_then) == (len(short), len(short))
    assert german, "records that fail the language go on to the late operator, which is cheap"


def test_records_set_aside_before_a_column_are_undecided_and_a_run_would_compute_it(
    ws: Workspace, texts: dict[str, dict[str, str | None]]
) -> None:
    answer = what_if(ws, recipe_of(*CLEAN), recipe_of({**LENGTH, "min_words": 8}, *CLEAN[1:]))
    entering = [t for held in texts.values() for t in held.values() if t is not None and 8 <= len(t.split()) < 10]
    assert answer.undecided == len(entering) > 0
    assert answer.undecided_operators == ["late", "text.language"]
    assert {e["then"] for e in answer.examples} == {"undecided"}


def test_examples_show_both_directions(ws: Workspace) -> None:
    answer = what_if(ws, recipe_of(*CLEAN), recipe_of({**LENGTH, "min_words": 5, "max_words": 20}, *CLEAN[1:]))
    sides = Counter((e["now"].split(" ")[0], e["then"].split(" ")[0]) for e in answer.examples)
    assert sum(sides.values()) == 10
    assert sides["kept", "dropped"] >= 3
    assert sides["dropped", "undecided"] >= 3
    assert {e["then"] for e in answer.examples if e["now"] == "kept"} == {"dropped (text.length.max_words)"}
    assert {e["now"] for e in answer.examples if e["now"] != "kept"} == {"dropped (text.length.min_words)"}


# ----------------------------------------------------------------------------------------- what is live, and the file


def test_now_is_what_is_live_and_a_recipe_file_that_has_moved_on_is_told(
    ws: Workspace, texts: dict[str, dict[str, str | None]]
) -> None:
    """The file says 15 words and was not run; the question is about the largest number of words."""
    file = recipe_of({**LENGTH, "min_words": 15}, *CLEAN[1:])
    asked = recipe_of({**LENGTH, "min_words": 15, "max_words": 25}, *CLEAN[1:])
    answer = what_if(ws, file, asked)
    rule = count(answer, "text.length.min_words")
    assert (rule.threshold_now, rule.threshold_then) == ("10", "15")
    assert rule.dropped_now == sum(len((t or "").split()) < 10 for held in texts.values() for t in held.values())
    assert answer.kept_now == len(kept_by(recipe_of(*CLEAN), texts))
    assert answer.kept_then == len(kept_by(asked, texts))
    assert answer.recipe_differs == ["text.length: min_words 10 → 15"]


def test_what_the_command_shows_says_so(ws: Workspace) -> None:
    from rich.console import Console

    from winnowry.cli.what_if import what_if_view

    file = recipe_of({**LENGTH, "min_words": 8}, *CLEAN[1:])
    answer = what_if(ws, file, recipe_of({**LENGTH, "min_words": 8, "max_words": 25}, *CLEAN[1:]))
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(*what_if_view(answer, ("text.length.max_words=25",)), sep="\n")
    text = console.export_text()
    assert "text.length: min_words 10 → 8" in text
    assert "(late, text.language)" in text


def test_partitions_cleaned_by_different_rules_are_each_judged_by_their_own(tmp_path: Path) -> None:
    ws = Workspace.open(str(tmp_path))
    held = {"2020": texts_of(3, 60), "2021": texts_of(4, 60)}
    old, new = recipe_of(LENGTH), recipe_of({**LENGTH, "min_words": 20})
    promote_cleaned(ws, old, "2020", held["2020"])
    promote_cleaned(ws, new, "2021", held["2021"])
    answer = what_if(ws, new, new)
    first, second = (kept_by(r, {p: held[p]}) for r, p in ((old, "2020"), (new, "2021")))
    assert answer.kept_now == len(first) + len(second)
    assert answer.kept_then == len(kept_by(new, held))
    assert answer.undecided == 0
    rule = count(answer, "text.length.min_words")
    assert (rule.threshold_now, rule.threshold_then) == ("10 / 20", "20")
    short = {p: [len((t or "").split()) for t in held[p].values()] for p in held}
    assert rule.dropped_now == sum(n < 10 for n in short["2020"]) + sum(n < 20 for n in short["2021"])
    assert rule.dropped_then == sum(n < 20 for n in short["2020"] + short["2021"])
    assert answer.recipe_differs == ["text.length: min_words 10 → 20"]


def test_a_partition_cleaned_before_an_operator_came_is_undecided_by_its_rules(tmp_path: Path) -> None:
    """The table has the column by now, and null in the older partition: that is no value to judge."""
    ws = Workspace.open(str(tmp_path))
    held = {"2020": texts_of(3, 60), "2021": texts_of(4, 60)}
    old, new = recipe_of(LENGTH), recipe_of(LENGTH, LANGUAGE)
    promote_cleaned(ws, old, "2020", held["2020"])
    promote_cleaned(ws, new, "2021", held["2021"])
    answer = what_if(ws, new, new)
    assert answer.undecided == len(kept_by(old, {"2020": held["2020"]}))
    assert answer.kept_then == len(kept_by(new, {"2021": held["2021"]}))
    assert answer.operators_recomputed == answer.undecided_operators == ["text.language"]


# --------------------------------------------------------------------------- what stored columns cannot be asked about


def test_a_column_that_would_be_computed_from_other_text_is_not_asked(ws: Workspace) -> None:
    """Unicode normalisation in front changes the text that every operator reads."""
    answer = what_if(ws, recipe_of(*CLEAN), recipe_of({"op": "text.normalize_unicode"}, *CLEAN))
    assert answer.operators_recomputed == [
        "text.normalize_unicode", "text.length", "text.language", "late", "dedup.exact",
    ]  # fmt: skip
    assert (answer.kept_then, answer.dropped_then, answer.undecided) == (0, 0, 504)


def test_a_new_operator_with_a_rule_leaves_those_that_pass_undecided(ws: Workspace) -> None:
    fineweb = {"op": "text.c4_paragraph"}
    answer = what_if(ws, recipe_of(*CLEAN), recipe_of(*CLEAN, fineweb))
    assert (answer.kept_then, answer.undecided) == (0, answer.kept_now)
    assert answer.operators_recomputed == answer.undecided_operators == ["text.c4_paragraph"]
    rule = count(answer, "c4_paragraph.min_paragraph_chars".replace("c4", "text.c4"))
    assert (rule.threshold_now, rule.dropped_now, rule.dropped_then) == (None, 0, 0)


def test_another_keeper_policy_reopens_deduplication_and_moves_no_decision(ws: Workspace) -> None:
    answer = what_if(ws, recipe_of(*CLEAN), recipe_of(*CLEAN[:3], {"op": "dedup.exact", "keep": "longest"}))
    assert answer.reopens_dedup
    assert (answer.kept_then, answer.undecided, answer.examples) == (answer.kept_now, 0, [])


def test_without_deduplication_there_is_nothing_to_reopen(tmp_path: Path) -> None:
    ws = Workspace.open(str(tmp_path))
    promote_cleaned(ws, recipe_of(LENGTH), "2020", texts_of(5, 40))
    answer = what_if(ws, recipe_of(LENGTH), recipe_of({**LENGTH, "min_words": 20}))
    assert answer.examples
    assert not answer.reopens_dedup
    assert (answer.tokens_now, answer.tokens_then) == (None, None), "nothing is scored"


def test_a_record_that_crashed_an_operator_stays_dropped_whatever_its_rules_say(tmp_path: Path) -> None:
    ws = Workspace.open(str(tmp_path))
    promote_cleaned(ws, recipe_of(LENGTH), "2020", {"a" * 32: ENGLISH_TEXT}, crashed={"b" * 32: "text.length"})
    answer = what_if(ws, recipe_of(LENGTH), recipe_of({**LENGTH, "min_words": None, "max_words": None}))
    assert (answer.kept_now, answer.kept_then, answer.dropped_then, answer.undecided) == (1, 1, 1, 0)


def test_rules_of_an_operator_that_is_no_more_are_counted_and_let_go(tmp_path: Path) -> None:
    """It measured something that nobody reads; what it rejected has no other reason to be dropped."""
    ws = Workspace.open(str(tmp_path))
    retired = {"op": "text.retired", "as": None, "min_x": 3, "version": 2}
    spec = [*(operator.fingerprint() for operator in recipe_of(LENGTH).clean), retired]
    promote_cleaned(
        ws, recipe_of(LENGTH), "2020", {"a" * 32: ENGLISH_TEXT}, crashed={"b" * 32: "text.retired"}, spec=spec
    )
    answer = what_if(ws, recipe_of(LENGTH), recipe_of(LENGTH))
    assert count(answer, "text.retired.before") == RuleCount("text.retired.before", None, None, 1, 0)
    assert answer.recipe_differs == ["text.retired: removed"]


def test_nothing_cleaned_yet_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=f"{CORPUS}: nothing is cleaned yet"):
        what_if(Workspace.open(str(tmp_path)), recipe_of(LENGTH), recipe_of(LENGTH))


# -------------------------------------------------------------------------------------------------- columns as JSON


def test_columns_come_back_with_their_types_and_a_null_is_told_from_a_column_that_is_not_there() -> None:
    texts = pa.array(
        [
            '{"n":3,"ratio":1,"ok":true,"name":"a\\"x\\":b","tail":1}',
            '{"n":null,"ratio":0.25,"ok":false,"name":null,"tail":null}',
            '{"n":-7,"ratio":null}',
            "{}",
            None,
        ]
    )
    fields = [pa.field("n", pa.int32()), pa.field("ratio", pa.float64()), pa.field("ok", pa.bool_()),
              pa.field("name", pa.large_string()), pa.field("x", pa.int64())]  # fmt: skip
    stored = read_columns(texts, fields, ["n", "ratio", "ok", "name", "x", "tail"])
    assert {name: column.to_pylist() for name, column in stored.values.items()} == {
        "n": [3, None, -7, None, None],
        "ratio": [1.0, 0.25, None, None, None],
        "ok": [True, False, None, None, None],
        "name": ['a"x":b', None, None, None, None],
        "x": [None] * 5,
    }
    assert [stored.values[f.name].type for f in fields] == [f.type for f in fields]
    assert {name: mask.tolist() for name, mask in stored.computed().items()} == {
        "n": [True, True, True, False, False],
        "ratio": [True, True, True, False, False],
        "ok": [True, True, False, False, False],
        "name": [True, True, False, False, False],
        "x": [False] * 5,
    }
