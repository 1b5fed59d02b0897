"""Programs that judge answers: each kind on answers that a person has counted."""

from __future__ import annotations

import time
from typing import Any

import pyarrow as pa
import pytest

from winnowry.core.errors import UsageError
from winnowry.operators.rubric.program import program, programs
from winnowry.operators.rubric.programs import Programs

P, N = "\n\n", "\n"
VERDICTS: list[tuple[str, dict[str, Any], str, bool]] = [
    ("keywords:existence", {"keywords": ["Cat", "dog"]}, "A catalogue of DOGS.", True),
    ("keywords:existence", {"keywords": ["cat", "dog"]}, "A cat.", False),
    ("keywords:frequency", {"keyword": "no", "frequency": 2}, "No, nothing.", True),
    ("keywords:frequency", {"keyword": "no", "frequency": 2, "relation": "less than"}, "No, nothing.", False),
    ("keywords:forbidden_words", {"forbidden_words": ["ill"]}, "I will.", True),
    ("keywords:forbidden_words", {"forbidden_words": ["ill"]}, "He is ILL.", False),
    ("keywords:letter_frequency", {"letter": "A", "let_frequency": 3}, "Banana", True),
    ("keywords:letter_frequency", {"letter": "a", "let_frequency": 3, "let_relation": "less than"}, "Banana", False),
    ("length_constraints:number_words", {"num_words": 4}, "it's two-fold", True),  # it, s, two, fold
    ("length_constraints:number_words", {"num_words": 4, "relation": "less than"}, "it's two-fold", False),
    ("length_constraints:number_sentences", {"num_sentences": 2}, "Dr. Wu left. Why?", True),
    ("length_constraints:number_sentences", {"num_sentences": 3}, "Dr. Wu left. Why?", False),
    ("length_constraints:number_sentences", {"num_sentences": 2}, "他走了。为什么？", True),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "one\n***\ntwo\n***\n", True),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "one ******  two", False),  # an empty one inside
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "then"},
        f'First.{P}"Then, it',
        True,
    ),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 3, "first_word": "then"},
        f"First.{P}Then it",
        False,
    ),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[name] of [place]", True),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, f"[name [place] [{N}]", False),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Bye.\np. s. Call me.", True),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "Bye. P.S. Call me.", False),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* one\n  - two\n**bold**", True),
    ("detectable_format:number_bullet_lists", {"num_bullets": 3}, "* one\n  - two\n**bold**", False),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*one* and **two**", True),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 1}, "** ** and *", False),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "SECTION", "num_sections": 2},
        "SECTION 1 a SECTION2",
        True,
    ),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "SECTION", "num_sections": 2},
        "SECTION a SECTION 2",
        False,
    ),
    ("detectable_format:json_format", {}, '```json\n{"a": [1]}\n```', True),
    ("detectable_format:json_format", {}, "{'a': 1}", False),
    ("detectable_format:title", {}, "<<Ode>>\nO", True),
    ("detectable_format:title", {}, "<< >>\n<<O\n>>", False),
    ("detectable_format:constrained_response", {}, "Well. My answer is maybe.", True),
    ("detectable_format:constrained_response", {}, "my answer is maybe", False),
    ("combination:two_responses", {}, "one ****** two", True),
    ("combination:two_responses", {}, "one ****** one", False),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say it."}, "say it. It.", True),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say it."}, "It. Say it.", False),
    ("startend:end_checker", {"end_phrase": "The End."}, 'That is "the end."', True),
    ("startend:end_checker", {"end_phrase": "The End."}, "The End. Or so", False),
    ("startend:quotation", {}, ' "Hi." ', True),
    ("startend:quotation", {}, '"', False),
    ("change_case:capital_word_frequency", {"capital_frequency": 2}, "NASA and U.S. ok", True),
    ("change_case:capital_word_frequency", {"capital_frequency": 2, "capital_relation": "less than"}, "A B", False),
    ("change_case:english_capital", {}, "THE RIVER RUNS TO THE SEA AND THE RAIN COMES BACK", True),
    ("change_case:english_capital", {}, "LE FLEUVE COULE VERS LA MER ET LA PLUIE REVIENT", False),
    ("change_case:english_lowercase", {}, "the river runs to the sea and the rain comes back", True),
    ("change_case:english_lowercase", {}, "The river runs to the sea and the rain comes back", False),
    ("punctuation:no_comma", {}, "one; two", True),
    ("punctuation:no_comma", {}, "one, two", False),
    ("language:response_language", {"language": "de"}, "Der Fluss läuft zum Meer, und der Regen kommt zurück.", True),
    ("language:response_language", {"language": "de"}, "The river runs to the sea and the rain comes back.", False),
    ("regex", {"pattern": r"(?i)^dear \w+"}, "Dear Ann, hello", True),
    ("regex", {"pattern": r"(?i)^dear \w+", "absent": True}, "Dear Ann, hello", False),
    ("json_schema", {"schema": {"type": "object", "required": ["a"]}}, '```json\n{"a": 1}\n```', True),
    ("json_schema", {"schema": {"type": "object", "required": ["a"]}}, '{"b": 1}', False),
    ("json_schema", {"schema": {"type": "object"}}, "[" * 100_000, False),
    ("words", {"least": 2, "most": 3}, "one two three", True),
    ("words", {"most": 2}, "one two three", False),
    ("characters", {"least": 4}, " 你好世界 ", True),
    ("characters", {"least": 5}, " 你好世界 ", False),
    ("lines", {"most": 2}, "one\n\n two\n", True),
    ("lines", {"least": 3}, "one\n\n two\n", False),
    ("citations", {"least": 3}, "As [1, 2] and (Wu, 2019) say, see https://a.b/c", True),
    ("citations", {}, "In [brackets] (so far)", False),
    ("required_terms", {"terms": ["tax", "利率"]}, "A Tax on 高利率时代", True),
    ("required_terms", {"terms": ["tax"]}, "A taxi", False),
    ("forbidden_terms", {"terms": ["tax"]}, "A taxi", True),
    ("forbidden_terms", {"terms": ["Tax"], "case_sensitive": True}, "Tax", False),
]


@pytest.mark.parametrize(("name", "params", "text", "met"), VERDICTS)
def test_an_answer_meets_a_criterion_or_not(name: str, params: dict[str, Any], text: str, met: bool) -> None:
    assert program(name, params).score(text) == float(met)


def test_every_program_has_an_answer_that_meets_it_and_one_that_does_not() -> None:
    assert {(name, met) for name, _, _, met in VERDICTS} == {
        (name, met) for name in programs() for met in (True, False)
    }


HOSTILE = [
    *("", "  \n", "\0\0", "\ud7ff\ufffd", "٣" * 1000),
    *(piece * 100_000 for piece in ("[[", "**", "<<", "a.", "p.s", "\n\n", "(")),
]


@pytest.mark.parametrize("name", sorted(programs()))
def test_every_program_has_a_verdict_on_any_text_in_linear_time(name: str) -> None:
    params = next(params for known, params, _, _ in VERDICTS if known == name)
    check = program(name, params)
    started = time.process_time()
    assert check.score(None) is None
    assert [check.score(text) for text in HOSTILE[:2]] == [0.0, 0.0]
    assert all(check.score(text) in (0.0, 1.0) for text in HOSTILE)
    assert time.process_time() - started < 20  # a quadratic one takes minutes


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("keywords:existance", {}, "did you mean keywords:existence"),
        ("words", {}, "expected `least`, `most` or both"),
        ("words", {"least": 3, "most": 2}, r"`most` \(2\) is below `least` \(3\)"),
        ("words", {"last": 3}, "last: Extra inputs are not permitted"),
        ("regex", {"pattern": "("}, "no pattern of RE2"),
        ("json_schema", {"schema": {"type": "objekt"}}, "no JSON Schema"),
        ("json_schema", {"schema": {"$ref": "file:///etc/passwd"}}, r"a \$ref leads out of the schema"),
        ("required_terms", {"terms": [" "]}, "a term is empty"),
    ],
)
def test_what_is_no_program_is_named(name: str, params: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        program(name, params)


def test_criteria_of_a_record_that_cannot_be_used_refuse_the_record_alone() -> None:
    criteria = [
        '[{"criterion_id": "a", "program": "words", "params": {"most": 1}}]',
        '[{"criterion_id": "a", "program": "wordz"}]',
        "no json",
        None,
        '[{"criterion_id": "a", "text": "Is it kind to read?"}]',  # for a judge
    ]
    batch = pa.record_batch(
        {"text": pa.array(["one"] * 5, pa.large_string()), "criteria": pa.array(criteria, pa.large_string())}
    )
    judged = Programs().apply(batch).to_pylist()
    assert [[item["score"] for item in row["programs"]] for row in judged] == [[1.0], [], [], [], []]
    errors = [row["criteria_error"] for row in judged]
    assert [error is None for error in errors] == [True, False, False, True, True]
    assert "did you mean words" in errors[1]
    assert "no JSON" in errors[2]
