"""Readability, density and noise: by hand, and against plain Python that shares no code."""

from __future__ import annotations

import math
import random
import re
import zlib

import pyarrow as pa
import pytest

from winnowry.operators.base import Operator
from winnowry.operators.scoring.compression import Compression
from winnowry.operators.scoring.formatting_noise import FormattingNoise
from winnowry.operators.scoring.function_words import FUNCTION_WORDS
from winnowry.operators.scoring.knowledge_density import KnowledgeDensity
from winnowry.operators.scoring.readability import Readability, common_characters
from winnowry.operators.scoring.token_fertility import TokenFertility
from winnowry.operators.scoring.typing_faults import TypingFaults

PROSE = (
    "The committee reported on Monday that quarterly earnings had increased considerably. Analysts had expected less! "
    "Did anybody in Ohio notice? The bank, founded in 1906, lent 40 million to small companies.\n\nNobody complained."
)


def rows(operator: Operator, *texts: str | None) -> list[dict[str, float | None]]:
    found: list[dict[str, float | None]] = operator.apply(
        pa.record_batch({"text": pa.array(list(texts), pa.large_string())})
    ).to_pylist()
    return found


def syllables(word: str) -> int:
    """The rule of the documentation, as regular expressions."""
    word = word.lower().replace("'", "")
    n = len(re.findall("[aeiouy]+", word))
    silent = ("[^aeiouy]e$", "[^aeiouytd]ed$", "[^aeiouysxzcgh]es$")
    spoken = ("[^aeiouy]le$", "[^aeiouy]les$")
    if n > 1 and any(re.search(end, word) for end in silent) and not any(re.search(end, word) for end in spoken):
        n -= 1
    return max(1, n)


@pytest.mark.parametrize(
    ("word", "expected"),
    [("cat", 1), ("table", 2), ("make", 1), ("makes", 1), ("boxes", 2), ("tables", 2), ("walked", 1), ("wanted", 2),
     ("the", 1), ("reported", 3), ("considerably", 5), ("rhythm", 1), ("queue", 1), ("companies", 3), ("hmm", 1)],
)  # fmt: skip
def test_syllables_of_words(word: str, expected: int) -> None:
    assert syllables(word) == expected
    (row,) = rows(Readability(), word + ".")
    assert row["readability_kincaid"] == pytest.approx(0.39 + 11.8 * expected - 15.59)


def test_the_formulas_on_hand_counts() -> None:
    """Six words in two sentences, 22 letters, 8 syllables: ca-ble and sto-ry have two, one word has three."""
    (row,) = rows(Readability(), "The cable cat. Understand one story!")
    words, sentences = 6, 2
    syllable = 1 + 2 + 1 + 3 + 1 + 2
    letters = len("Thecablecat") + len("Understandonestory")
    assert row == pytest.approx(
        {
            "readability_flesch": 206.835 - 1.015 * words / sentences - 84.6 * syllable / words,
            "readability_kincaid": 0.39 * words / sentences + 11.8 * syllable / words - 15.59,
            "readability_fog": 0.4 * (words / sentences + 100 * 1 / words),
            "readability_coleman_liau": 0.0588 * (100 * letters / words) - 0.296 * (100 * sentences / words) - 15.8,
            "readability_ari": 4.71 * letters / words + 0.5 * words / sentences - 21.43,
        }
    )


def test_the_formulas_against_plain_python() -> None:
    random.seed(3)
    vocabulary = re.findall("[A-Za-z]+", PROSE)
    texts = []
    for _ in range(50):
        sentences = [" ".join(random.choices(vocabulary, k=random.randint(1, 20))) for _ in range(random.randint(1, 9))]
        texts.append(" ".join(sentence.capitalize() + random.choice(".!?") for sentence in sentences))
    for text, row in zip(texts, rows(Readability(), *texts), strict=True):
        words = re.findall("[A-Za-z]+", text)
        n_sentences = len(re.findall("[.!?]", text))
        counted = [syllables(word) for word in words]
        assert row["readability_flesch"] == pytest.approx(
            206.835 - 1.015 * len(words) / n_sentences - 84.6 * sum(counted) / len(words)
        )
        assert row["readability_fog"] == pytest.approx(
            0.4 * (len(words) / n_sentences + 100 * sum(n >= 3 for n in counted) / len(words))
        )


def test_what_is_no_english_text_has_no_english_readability() -> None:
    for text in (None, "", "   ", "12 34.", "经济增长放缓。", "Привет, мир."):
        for operator in (Readability(), KnowledgeDensity(), TypingFaults()):
            assert set(rows(operator, text)[0].values()) == {None}, text


def test_chinese_by_characters() -> None:
    """Nine ideographs, of which one is rare; two sentences; two marks."""
    assert common_characters().sum() == 3755
    (row,) = rows(Readability(language="zh"), "我们看见龘。今天很好！")
    assert row == pytest.approx(
        {"readability_common_chars": 8 / 9, "readability_sentence_chars": 11 / 2, "readability_punctuation": 2 / 11}
    )
    assert set(rows(Readability(language="zh"), "Only English here.")[0].values()) == {None}


def plain_density(text: str, window: int) -> float:
    words = [word.lower() for word in re.findall(r"[A-Za-z0-9]+", text)]
    whole = [words[at : at + window] for at in range(0, len(words) - window + 1, window)] or [words]
    kinds = [len({word for word in part if word not in FUNCTION_WORDS}) / len(part) for part in whole]
    return 100 * sum(kinds) / len(kinds)


@pytest.mark.parametrize("window", [20, 100])
def test_density_is_the_mean_over_windows(window: int) -> None:
    random.seed(4)
    vocabulary = re.findall("[A-Za-z0-9]+", PROSE)
    texts = [" ".join(random.choices(vocabulary, k=n)) for n in (1, 19, 20, 21, 99, 100, 150, 200, 555)]
    found = [row["knowledge_density"] for row in rows(KnowledgeDensity(window=window), *texts)]
    assert found == pytest.approx([plain_density(text, window) for text in texts])


def test_numbers_names_and_content_words_by_hand() -> None:
    """The bank of Ohio lent 40 million in 1906. Nobody there complained: names Ohio; numbers 40, 1906."""
    (row,) = rows(KnowledgeDensity(), "The bank of Ohio lent 40 million in 1906. Complaints came.")
    assert row["knowledge_density_numbers"] == pytest.approx(2 / 11)
    assert row["knowledge_density_names"] == pytest.approx(1 / 11)
    assert row["knowledge_density_content_words"] == pytest.approx(6 / 11)  # bank Ohio lent million complaints came
    assert row["knowledge_density"] == pytest.approx(100 * 8 / 11)


def test_noise_by_hand() -> None:
    assert rows(FormattingNoise(), "A clean line, of course.")[0]["formatting_noise"] == 0
    text = "<div>&nbsp;x\ufffd ---- BUYNOW " + "a" * 41
    (row,) = rows(FormattingNoise(), text)
    n = len(text)
    assert row == pytest.approx(
        {
            "formatting_noise": (11 + 1 + 4 + 6 + 41) / n,
            "formatting_noise_broken": 1 / n,
            "formatting_noise_markup": 11 / n,
            "formatting_noise_marks": 4 / n,
            "formatting_noise_capitals": 6 / n,
            "formatting_noise_long_words": 41 / n,
            "formatting_noise_brackets": 0,
        }
    )
    assert rows(FormattingNoise(), "", None) == [
        dict.fromkeys(row, 0.0),
        dict.fromkeys(row),
    ]
    for innocent in ("a < b && c", "AT&T; &", "x <- y", "1 < 2 > 0", "<>", "&;"):
        assert rows(FormattingNoise(), innocent)[0]["formatting_noise_markup"] == 0, innocent


def test_compression_orders_texts_as_another_compressor_does() -> None:
    random.seed(6)
    texts = ["the same line again\n" * 60, PROSE * 4, PROSE, "".join(random.choices("abcdefghijklmnop", k=600))]
    found = [row["zstd_ratio"] for row in rows(Compression(), *texts)]
    other = [len(text) / len(zlib.compress(text.encode())) for text in texts]
    assert all(value is not None for value in found)
    assert sorted(range(4), key=lambda i: found[i] or 0) == sorted(range(4), key=other.__getitem__)
    assert rows(Compression(), None, "") == [{"zstd_ratio": None}] * 2


def test_fertility_counts_characters_not_bytes() -> None:
    batch = pa.record_batch(
        {
            "text": pa.array(["abcdef", "经济增长", "", None], pa.large_string()),
            "n_tokens": pa.array([2, 4, 0, 0], pa.int64()),
        }
    )
    assert TokenFertility().apply(batch)["chars_per_token"].to_pylist() == [3.0, 1.0, None, None]


def test_slices_give_the_same() -> None:
    texts = [PROSE, "", None, "经济", PROSE[:50], "x" * 300]
    whole = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    for operator in (Readability(), Readability(language="zh"), KnowledgeDensity(), FormattingNoise(), Compression()):
        parts = [operator.apply(whole.slice(at, 2)).to_pylist() for at in (0, 2, 4)]
        joined = [row for part in parts for row in part]
        for one, other in zip(operator.apply(whole).to_pylist(), joined, strict=True):
            assert one.keys() == other.keys()
            assert all(
                a == b or (a is not None and math.isclose(a, b))
                for a, b in zip(one.values(), other.values(), strict=True)
            )
