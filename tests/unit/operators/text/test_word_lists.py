from __future__ import annotations

import itertools
import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from winnowry.core.errors import UsageError
from winnowry.operators.text.kernels.terms import compile_terms, count_terms, word_kinds
from winnowry.operators.text.word_lists import WordLists


def count(terms: list[list[str]], *texts: str | None, match_case: bool = False) -> list[list[int]]:
    """Words, covered words, and occurrences of each category, row by row."""
    from winnowry.operators.buffers import utf8_buffers

    automaton = compile_terms(terms, match_case=match_case)
    text = utf8_buffers(pa.array(texts, pa.large_string()))
    counts = count_terms(
        text.offsets,
        text.data,
        word_kinds(),
        len(terms),
        automaton.symbols,
        automaton.root,
        automaton.edges,
        automaton.fails,
        automaton.links,
        automaton.lengths,
        automaton.categories,
    )
    rows: list[list[int]] = counts.T.tolist()
    return rows


@pytest.mark.parametrize(
    ("terms", "text", "expected"),
    [
        # words, covered, occurrences: counted by hand
        (["ass"], "The class has an ASS. Pass, ass!", [7, 2, 2]),
        (["hot dog", "dog"], "hot   dog\ndog hotdog hot\u3000dogs", [6, 3, 2]),
        (["bad", "very bad", "bad word"], "a very bad word", [4, 3, 1]),
        (["a b", "b c", "c d"], "a b c d", [4, 4, 2]),
        (["性", "性爱"], "他性爱男性", [5, 3, 2]),
        (["abc", "bc"], "abc bc xbc", [3, 2, 2]),
        (["爱"], "I爱you爱", [4, 2, 2]),
        (["c++", "$$$"], "c++ c+++ $$$$ xc++", [3, 2, 3]),
        (["école"], "École écoles ÉCOLE", [3, 2, 2]),
        (["שלום"], "שלום ושלום", [2, 1, 1]),
        (["x"], "", [0, 0, 0]),
        (["x"], " \n ", [0, 0, 0]),
        (["a a"], "a a a a a", [5, 5, 2]),
        (["a " * 63 + "a"], "a " * 200, [200, 200, 3]),
        (["ไทย"], "ภาษาไทย", [7, 3, 1]),
    ],
)
def test_terms_are_counted_where_they_cut_no_word(terms: list[str], text: str, expected: list[int]) -> None:
    assert count([terms], text) == [expected]


def test_case_matters_where_asked_for() -> None:
    assert count([["Bush"]], "bush Bush BUSH", match_case=True) == [[3, 1, 1]]
    assert count([["Bush"]], "bush Bush BUSH") == [[3, 3, 3]]


def test_categories_are_counted_apart_and_covered_words_once() -> None:
    assert count([["b c", "x"], ["a b"], ["b"]], "a b c x") == [[4, 4, 2, 1, 1]]


def _kind(character: str) -> int:
    if character.isspace():
        return 3
    if "\u4e00" <= character <= "\u9fff":
        return 2
    return int(character.isalnum())


def reference(terms: list[list[str]], text: str) -> list[int]:
    """Every substring against every term, and the best selection by trying all ends."""
    folded = "".join(" " if c.isspace() else c.lower() if len(c.lower()) == 1 else c for c in text)
    folded = "".join(c for c, before in zip(folded, "\0" + folded, strict=False) if not (c == " " == before))
    kinds = [_kind(c) for c in folded]
    starts = [k == 2 or (k == 1 and (i == 0 or kinds[i - 1] != 1)) for i, k in enumerate(kinds)]
    word = list(itertools.accumulate(starts, initial=0))
    edge = [i in (0, len(kinds)) or not (kinds[i - 1] == kinds[i] == 1) for i in range(len(kinds) + 1)]
    covered: set[int] = set()
    counts = []
    for listed in terms:
        folded_terms = {"".join(c.lower() for c in term) for term in listed}
        spans = [
            (i, j)
            for j in range(len(folded) + 1)
            for i in range(j)
            if edge[i] and edge[j] and folded[i:j] in folded_terms
        ]
        for i, j in spans:
            covered.update(range(word[i], word[j]))
        best = [0] * (len(folded) + 1)
        for j in range(1, len(folded) + 1):
            best[j] = max([best[j - 1], *(best[i] + 1 for i, end in spans if end == j)])
        counts.append(best[-1])
    return [word[-1], len(covered), *counts]


PIECES = st.sampled_from(["a", "b", "ab", "A", "爱", "性", " ", "\n", "  ", "-", "é", "\u0130", "\x00"])
TERM = st.lists(st.sampled_from(["a", "b", "ab", "爱", "性", " ", "-", "é"]), min_size=1, max_size=5).map("".join)
TERMS = TERM.map(lambda term: " ".join(term.split())).filter(bool)


@given(
    st.lists(st.lists(TERMS, min_size=1, max_size=6), min_size=1, max_size=3),
    st.lists(PIECES, max_size=30).map("".join),
)
@settings(max_examples=400)
@example([["a b", "b"], ["b a", "ab"]], "a b a bab")
@example([["b", "a b a"]], "a b a")
def test_the_automaton_agrees_with_trying_every_substring(terms: list[list[str]], text: str) -> None:
    assert count(terms, text) == [reference(terms, text)]


@pytest.fixture
def lists(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "crude.txt").write_text("\ufeff# a comment\n\n darn \nholy   cow\n#tag\n", encoding="utf-8")
    (tmp_path / "violent.txt").write_text("kill\n杀\n", encoding="utf-8")
    return {"crude": str(tmp_path / "crude.txt"), "violent": str(tmp_path / "violent.txt")}


def apply(operator: WordLists, *texts: str | None) -> list[dict[str, Any]]:
    batch = pa.record_batch([pa.array(texts, pa.large_string())], names=["text"])
    rows: list[dict[str, Any]] = operator.apply(batch).to_pylist()
    return rows


def test_columns_are_counts_by_category_their_sum_and_the_share(lists: dict[str, str]) -> None:
    assert apply(WordLists(lists=lists), "Darn, holy cow #tag!", "他杀人 kill", None, "") == [
        {"listed_n": 3, "listed_share": 1.0, "listed_crude_n": 3, "listed_violent_n": 0},
        {"listed_n": 2, "listed_share": 0.5, "listed_crude_n": 0, "listed_violent_n": 2},
        dict.fromkeys(["listed_n", "listed_share", "listed_crude_n", "listed_violent_n"]),
        {"listed_n": 0, "listed_share": 0.0, "listed_crude_n": 0, "listed_violent_n": 0},
    ]


def test_limits_are_rules(lists: dict[str, str]) -> None:
    operator = WordLists.model_validate({"lists": lists, "max_n": 0, "max_share": 0.1, "as": "w"})
    assert [(r.name, r.column, r.comparison, r.threshold) for r in operator.rules()] == [
        ("max_n", "w_n", "<=", 0),
        ("max_share", "w_share", "<=", 0.1),
    ]
    assert WordLists(lists=lists).rules() == ()


def test_the_content_of_a_list_is_part_of_the_fingerprint(lists: dict[str, str]) -> None:
    before = WordLists(lists=lists)
    Path(lists["violent"]).write_text("kill\n", encoding="utf-8")
    after = WordLists(lists=lists)
    assert before.fingerprint() != after.fingerprint()
    assert before.fingerprint()["lists_sha256"]["crude"] == after.fingerprint()["lists_sha256"]["crude"]


def test_a_list_that_changes_after_the_recipe_was_read_is_refused(lists: dict[str, str]) -> None:
    operator = pickle.loads(pickle.dumps(WordLists(lists=lists)))
    Path(lists["crude"]).write_text("other\n", encoding="utf-8")
    with pytest.raises(UsageError, match="has changed since the recipe was read"):
        apply(operator, "darn")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"\xff\xfe", "not UTF-8 at byte 0"),
        (b"# only\n\n", "holds no term"),
        (("a " * 65).encode(), ":1: a term of more than 64 words"),
        (("爱" * 65).encode(), ":1: a term of more than 64 words"),
    ],
)
def test_a_list_that_cannot_be_used_is_a_mistake_of_the_recipe(
    content: bytes | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "list.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        WordLists(lists={"x": str(path)})


def test_a_category_is_a_column_name(lists: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="pattern"):
        WordLists(lists={"No Good": lists["crude"]})
    with pytest.raises(ValueError, match="at least 1"):
        WordLists(lists={})
