"""Misread characters, brackets, slips of typing and repeated sequences: by hand, and against plain Python."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable

import pyarrow as pa
import pytest
from pydantic import ValidationError

from winnowry.operators.base import Operator
from winnowry.operators.scoring.distinct_ngrams import DistinctNgrams
from winnowry.operators.scoring.formatting_noise import FormattingNoise
from winnowry.operators.scoring.function_words import (
    CHINESE_FUNCTION_CHARACTERS,
    FUNCTION_WORDS,
    MAY_BE_DOUBLED,
)
from winnowry.operators.scoring.knowledge_density import KnowledgeDensity
from winnowry.operators.scoring.typing_faults import TypingFaults


def rows(operator: Operator, *texts: str | None) -> list[dict[str, float]]:
    found: list[dict[str, float]] = operator.apply(
        pa.record_batch({"text": pa.array(list(texts), pa.large_string())})
    ).to_pylist()
    return found


def broken(text: str) -> int:
    share = rows(FormattingNoise(), text)[0]["formatting_noise_broken"]
    return round(share * len(text))


def misread(text: str, encoding: str = "cp1252") -> str:
    """UTF-8 read as another encoding, where each of its bytes is a character there."""
    return text.encode().decode(encoding)


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_every_misread_character_counts_with_all_its_remains(encoding: str) -> None:
    for character in "éüñßÖç£©°«½łśżčёйЖ—–“‘…€™•✓→😀🎉":
        try:
            remains = misread(character, encoding)
        except UnicodeDecodeError:  # five bytes are no character of Windows-1252
            continue
        assert broken(f"plain words {remains} and more") == len(remains), character
        assert broken(f"ca{remains}fe") == len(remains), character
    assert broken(misread("\ufeffstart", encoding)) == 3
    assert broken(misread("naïve café – “quoted”…", "latin-1")) == 2 + 2 + 3 * 4


def test_proper_text_has_nothing_misread() -> None:
    for text in (
        "« Où êtes-vous ? » À l’opéra, où la Môme chantait déjà : « Non… »",
        "Coração, São João: “Já é amanhã!” AVÓ — IRMÃOS.",
        "Übergröße, Ärger, Öl. „Größe“ – sagte er…",
        "RÅ” och “BLÅ… är färger, sade Åke – och Ä»",
        "Việt Nam, Đà Nẵng, Â â ô ơ; ÐÑ",
        "Łódź, żółć, świętość – „tak”",
        "ÍSLAND: það er Ðí, ég à\u00a0: à\u00a0«",
        "Москва – столица… 北京是中国的首都。日本語。한국어",
        "日本語の「引用」と（括弧）",
        "😀🎉 →✓™ €5 £3 §4",
    ):
        assert broken(text) == 0, text


def test_brackets_without_a_partner_by_hand() -> None:
    for text, expected in (
        ("a (b [c] {d}) e", 0), ("a (b", 1), ("b) a", 0), ("word) a", 1), ("(a(b)", 1), (")(", 2), ("((", 2),
        ("1) one\n2) two\niv) four", 0), ("text 12) here", 0), ("text longer) here", 1), ("a ]b[", 2),
        ("（甲）【乙】《丙", 1), ("「丁』", 2), ("(a】", 2), ("mixed ([)]", 0),
    ):  # fmt: skip
        share = rows(FormattingNoise(), text)[0]["formatting_noise_brackets"]
        assert round(share * len(text)) == expected, text


def test_brackets_of_one_text_are_not_closed_by_the_next() -> None:
    first, second = rows(FormattingNoise(), "open (", ") close")
    assert (first["formatting_noise_brackets"], second["formatting_noise_brackets"]) == (1 / 6, 1 / 7)


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("we saw the the cat", "doubled", 1), ("we saw The\nthe cat", "doubled", 1), ("the. The cat", "doubled", 0),
        ("the, the cat", "doubled", 0), ("he had had it", "doubled", 0), ("cat cat", "doubled", 0),
        ("of of of", "doubled", 2), ("to 3 to", "doubled", 0),
        ("that was sooo good", "stretched", 1), ("Helllo there", "stretched", 1), ("www.site iii xxx", "stretched", 0),
        ("good book", "stretched", 0), ("hmmm", "stretched", 1), ("AAAB", "stretched", 0), ("wwwhat", "stretched", 0),
        ("one,two", "spacing", 1), ("end.Next day", "spacing", 1), ("e.g. U.S. 3.5 1,000", "spacing", 0),
        ("why?Because", "spacing", 1), ("page?id", "spacing", 0), ("a word , another", "spacing", 1),
        ("stop .\nNext", "spacing", 1), ("one, two; three. Four", "spacing", 0), ("x.y A.B end.", "spacing", 0),
        ("i think i'm late", "small_i", 2), ("I think i.e. it", "small_i", 0), ("i) item, a[i] b", "small_i", 0),
        ("and i, too", "small_i", 1), ("i", "small_i", 1), ("it is in", "small_i", 0), ("i’ve", "small_i", 1),
    ],
)  # fmt: skip
def test_slips_of_typing_by_hand(text: str, kind: str, expected: int) -> None:
    (row,) = rows(TypingFaults(), text)
    n_words = len(re.findall(r"(?:[^\W\d]|['’](?=\w)|(?<=\w)\d|\d+(?=[^\W\d]))+", text))
    assert row[f"typing_faults_{kind}"] == pytest.approx(100 * expected / n_words)


# fmt: off
PIECES = [
    "the", "the", "of", "it", "end.", "Next", "one,two", "sooo", "good", "i",
    "i'm", "Had", "had", "had", ";", ",", ".", "stop", ".Then", "what?Yes", "cat", "Cat",
    "42", "Hmmm", "to\nto", "a.b", "(i)", "is", "is", "we",
]
# fmt: on


def slips(text: str) -> list[int]:
    """The rules of the documentation, as regular expressions."""
    words = re.findall(r"[A-Za-z0-9]+(?:'[A-Za-z0-9]+)*|[^A-Za-z0-9\s]", text.lower())
    closed = set(FUNCTION_WORDS) - MAY_BE_DOUBLED
    return [
        sum(a == b and a in closed for a, b in itertools.pairwise(words)),
        len([w for w in re.findall(r"[A-Za-z]+", text) if re.search(r"(.)\1\1", w) and len(set(w.lower())) > 1]),
        len(
            re.findall(
                r"(?<=[A-Za-z])[,;](?=[A-Za-z])|(?<=[a-z])[.!?](?=[A-Z][a-z])|(?<=[A-Za-z] )[,;.](?=[ \n])", text
            )
        ),
        len(re.findall(r"(?<![^ \n])i(?:'[a-z]+)?(?![^ \n,])", text)),
    ]


def test_slips_of_typing_against_regular_expressions() -> None:
    random.seed(11)
    texts = [" ".join(random.choices(PIECES, k=random.randint(5, 60))) for _ in range(200)]
    kinds = ("doubled", "stretched", "spacing", "small_i")
    seen = [0, 0, 0, 0]
    for text, row in zip(texts, rows(TypingFaults(), *texts), strict=True):
        n_words = len([w for w in re.findall(r"[A-Za-z0-9]+(?:'[A-Za-z]+)*", text) if re.search("[A-Za-z]", w)])
        expected = slips(text)
        seen = [a + b for a, b in zip(seen, expected, strict=True)]
        assert [row[f"typing_faults_{kind}"] for kind in kinds] == pytest.approx([100 * x / n_words for x in expected])
        assert row["typing_faults"] == pytest.approx(100 * sum(expected) / n_words)
    assert min(seen) > 50


def plain_distinct(text: str, n: int, window: int) -> float | None:
    words = re.findall(r"[a-z0-9]+|[一-鿿]", text.lower())
    whole = [words[at : at + window] for at in range(0, len(words) - window + 1, window)] or [words]
    grams = [[tuple(part[at : at + n]) for at in range(len(part) - n + 1)] for part in whole]
    shares = [len(set(each)) / len(each) for each in grams if each]
    return sum(shares) / len(shares) if shares else None


@pytest.mark.parametrize(("n", "window"), [(1, 8), (1, 256), (2, 8), (3, 200), (5, 20), (8, 32)])
def test_distinct_ngrams_against_plain_python(n: int, window: int) -> None:
    random.seed(n)
    sizes = (0, 1, n - 1, n, n + 1, window - 1, window, window + 1, 2 * window, 700)
    words = ["so", "It", "goes", "AND", "we", "go", "12", "on", "经", "济", "x9"]
    texts = [" ".join(random.choices(words, k=size)) for size in sizes]
    texts += ["never the same word comes again here", "la " * 500, "经济增长经济增长经济"]
    found = [row["distinct_ngrams"] for row in rows(DistinctNgrams(n=n, window=window), *texts)]
    expected = [plain_distinct(text, n, window) for text in texts]
    assert [value is None for value in found] == [value is None for value in expected]
    known: Callable[[list[float | None]], list[float]] = lambda values: [x for x in values if x is not None]  # noqa: E731
    assert known(list(found)) == pytest.approx(known(expected))


def test_a_window_holds_several_ngrams() -> None:
    with pytest.raises(ValidationError, match="window: 8 words hold few 3-grams; give at least 12"):
        DistinctNgrams(n=3, window=8)
    assert rows(DistinctNgrams(), None) == [{"distinct_ngrams": None}]


def test_chinese_density_by_hand() -> None:
    """央行的利率为 3.5，利率稳定: units 央 行 的 利 率 为 3 5 利 率 稳 定.

    Pairs 央行, 利率 (twice), 率稳, 稳定; numbers 3, 5.
    """
    (row,) = rows(KnowledgeDensity(language="zh"), "央行的利率为 3.5，利率稳定")
    assert row == pytest.approx(
        {
            "knowledge_density": 100 * (4 + 2) / 12,
            "knowledge_density_content_chars": 8 / 10,
            "knowledge_density_numbers": 2 / 12,
        }
    )
    for text in (None, "", "3.5", "Only English.", "English words and 一个"):
        assert set(rows(KnowledgeDensity(language="zh"), text)[0].values()) == {None}, text


def plain_chinese_density(text: str, window: int) -> float:
    units = re.findall(r"[a-z0-9]+|[一-鿿]|[^a-z0-9一-鿿]", text.lower())
    parts: list[list[str]] = [[]]
    size = 0
    for unit in units:
        parts[-1].append(unit)
        size += unit.isalnum()
        if size == window:
            parts.append([])
            size = 0
    whole = [part for part in parts if sum(unit.isalnum() for unit in part) == window] or [parts[0]]
    shares = []
    for part in whole:
        distinct = {unit for unit in part if unit.isascii() and unit.isalnum()}
        for a, b in itertools.pairwise(part):
            content = all("一" <= x <= "鿿" and x not in CHINESE_FUNCTION_CHARACTERS for x in (a, b))
            distinct |= {a + b} if content else set()
        shares.append(len(distinct) / sum(unit.isalnum() for unit in part))
    return 100 * sum(shares) / len(shares)


@pytest.mark.parametrize("window", [20, 100, 256])
def test_chinese_density_against_plain_python(window: int) -> None:
    random.seed(window)
    characters = [*list("经济增长的了是央行利率稳定，。 "), "3", "GDP"]
    texts = ["经" + "".join(random.choices(characters, k=size)) for size in (1, 19, 30, 99, 120, 300, 900)]
    found = [row["knowledge_density"] for row in rows(KnowledgeDensity(language="zh", window=window), *texts)]
    assert found == pytest.approx([plain_chinese_density(text, window) for text in texts])
