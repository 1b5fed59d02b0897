from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pyarrow as pa
import pytest

from winnowry.core.errors import UsageError
from winnowry.operators.text import language as module
from winnowry.operators.text.kernels.fasttext import read_model
from winnowry.operators.text.language import Language


def identify(*texts: str | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (
        Language().apply(pa.record_batch([pa.array(texts, pa.large_string())], names=["text"])).to_pylist()
    )
    return rows


# Article 1 of the Universal Declaration of Human Rights
ARTICLE_1 = {
    "en": "All human beings are born free and equal in dignity and rights. They are endowed with reason.",
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und Gewissen begabt.",
    "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison.",
    "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como están de razón.",
    "zh": "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。",
    "ja": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
    "ar": "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق. وقد وهبوا عقلا وضميرا.",
    "ru": "Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены разумом и совестью.",
}


@pytest.mark.parametrize("code", ARTICLE_1)
def test_the_declaration_of_human_rights_is_recognised(code: str) -> None:
    (row,) = identify(ARTICLE_1[code])
    assert row["language"] == code
    assert row["language_score"] >= 0.65


IN_CAPITALS = {
    "en": "TROPICAL STORM WARNING IN EFFECT FOR THE NORTHERN COAST. WINDS OF 50 KNOTS ARE EXPECTED OVERNIGHT.",
    "fr": "LE LOGICIEL EST FOURNI EN L'ÉTAT, SANS GARANTIE D'AUCUNE SORTE, EXPRESSE OU IMPLICITE, Y COMPRIS CELLES.",
    "de": "DIE STRASSE WAR GROẞ UND WEISS, UND ÜBER DEN FLÜSSEN STAND DER MOND DIE GANZE NACHT.",
    "es": "TODOS LOS SERES HUMANOS NACEN LIBRES E IGUALES EN DIGNIDAD Y DERECHOS.",
    "tr": "BÜTÜN İNSANLAR HÜR, HAYSİYET VE HAKLAR BAKIMINDAN EŞİT DOĞARLAR. AKIL VE VİCDANA SAHİPTİRLER.",
    "pl": "WSZYSCY LUDZIE RODZĄ SIĘ WOLNI I RÓWNI POD WZGLĘDEM SWEJ GODNOŚCI I SWYCH PRAW.",
    "vi": "TẤT CẢ MỌI NGƯỜI SINH RA ĐỀU ĐƯỢC TỰ DO VÀ BÌNH ĐẲNG VỀ NHÂN PHẨM VÀ QUYỀN LỢI.",
    "ru": "ВСЕ ЛЮДИ РОЖДАЮТСЯ СВОБОДНЫМИ И РАВНЫМИ В СВОЕМ ДОСТОИНСТВЕ И ПРАВАХ.",
    "el": "ΌΛΟΙ ΟΙ ΆΝΘΡΩΠΟΙ ΓΕΝΝΙΟΎΝΤΑΙ ΕΛΕΎΘΕΡΟΙ ΚΑΙ ΊΣΟΙ ΣΤΗΝ ΑΞΙΟΠΡΈΠΕΙΑ ΚΑΙ ΤΑ ΔΙΚΑΙΏΜΑΤΑ.",
}


@pytest.mark.parametrize("code", IN_CAPITALS)
def test_a_text_in_capitals_is_recognised(code: str) -> None:
    (row,) = identify(IN_CAPITALS[code])
    assert row["language"] == code
    assert row["language_score"] >= 0.65


@pytest.mark.parametrize(
    "text",
    [
        "MY FRIEND IS A BIRD",
        "My Friend Is A Bird",
        "How To Write Your First Novel In Thirty Days",
        "THE COURT: Please be seated. COUNSEL, ARE YOU READY TO PROCEED WITH YOUR NEXT WITNESS?",
        "NASA, ESA and JAXA sign ISS deal",  # in lower case the model takes it for Spanish
    ],
)
def test_capitals_of_any_measure_hide_no_english(text: str) -> None:
    (row,) = identify(text)
    assert row["language"] == "en"
    assert row["language_score"] >= 0.65


@pytest.mark.parametrize("code", ["en", "de", "ru"])
def test_prose_is_read_as_it_is_written(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    as_it_is = identify(ARTICLE_1[code])
    monkeypatch.setattr(module, "_MOST_CAPITALS", 1.0)
    assert identify(ARTICLE_1[code]) == as_it_is


def test_null_is_null_and_blank_is_undetermined() -> None:
    assert identify(None, "", " \n\u3000") == [
        {"language": None, "language_score": None},
        {"language": "und", "language_score": 0.0},
        {"language": "und", "language_score": 0.0},
    ]


def test_only_the_first_thousand_characters_after_white_space_count() -> None:
    beginning = (ARTICLE_1["de"] + " ") * 20
    with_tail, without = identify("\n" * 5000 + beginning[:1000] + ARTICLE_1["zh"] * 99, beginning[:1000])
    assert with_tail == without


def test_newlines_and_nul_bytes_are_read() -> None:
    (row,) = identify(ARTICLE_1["en"].replace(" ", "\n") + "\x00\r\n")
    assert row["language"] == "en"


def test_equal_probabilities_go_to_the_first_label() -> None:
    equal = np.array([[0.25, 0.25, 0.5, 0.0], [0.1, 0.45, 0.0, 0.45]], dtype=np.float32)
    labels = ("__label__nl", "__label__sv", "__label__af", "__label__da")
    assert module._most_probable(labels, equal) == (["af", "da"], [0.5, 0.45])


@pytest.mark.parametrize("seed", range(4))
def test_probabilities_are_those_of_the_library(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_CAPITALS", 1.0)  # as the library, which reads what is written
    """fastText's own code over the same file, on texts cut out of articles, with odd separators, words and scripts."""
    rng = random.Random(seed)
    odd = [
        "__label__en",
        "__label__",
        "</s>",
        "a",
        "\U0001f600",
        "<",
        "é" * 400,
        "\t",
        "\x00",
        "\x0b",
        "\x1f",
        "x" * 3000,
    ]
    texts = []
    for _ in range(150):
        words = " ".join(rng.sample(list(ARTICLE_1.values()), 2)).split(" ")
        mixed = [rng.choice(odd if rng.random() < 0.1 else words) for _ in range(rng.randrange(40))]
        texts.append(" ".join(mixed))
    library = fasttext.load_model(str(module._model_path()))
    for text, row in zip(texts, identify(*texts), strict=True):
        read = text.lstrip()[:1000].replace("\n", " ")
        if read:
            (label,), (probability,) = library.predict(read)
            assert row == {"language": label.removeprefix("__label__"),
                           "language_score": pytest.approx(min(float(probability), 1.0), abs=1.5e-6)}  # fmt: skip


def test_a_file_that_is_no_such_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.bin"
    path.write_bytes(b"\0" * 100)
    with pytest.raises(ValueError, match="not a model of fastText"):
        read_model(path)


def test_rules_keep_the_wanted_languages_and_scores() -> None:
    assert [(rule.name, rule.threshold) for rule in Language(keep=("en", "de")).rules()] == [
        ("keep", ("en", "de")),
        ("min_score", 0.65),
    ]
    assert [rule.name for rule in Language().rules()] == ["min_score"]


def test_another_model_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "lid.176.ftz"
    other.write_bytes(b"another model")
    monkeypatch.setattr(module, "_model_path", lambda: other)
    with pytest.raises(UsageError, match="is not the model"):
        module._model.__wrapped__()


def kept(operator: Language, *texts: str | None) -> list[bool]:
    written = operator.apply(pa.record_batch([pa.array(texts, pa.large_string())], names=["text"]))
    verdicts = [rule.keeps(written[rule.column]).to_pylist() for rule in operator.rules()]
    return [all(verdict) for verdict in zip(*verdicts, strict=True)]


def test_a_language_may_have_a_threshold_of_its_own() -> None:
    texts = [ARTICLE_1["en"], ARTICLE_1["de"], ARTICLE_1["fr"], "", None]
    assert kept(Language(min_score=0.65), *texts) == [True, True, True, False, False]
    assert kept(Language(min_score=0.65, min_scores={"de": 1.0}), *texts) == [True, False, True, False, False]
    assert kept(Language(min_score=1.0, min_scores={"de": 0.5, "en": 0.5}), *texts) == [True, True, False, False, False]
    assert kept(Language(min_score=0.0, min_scores={"de": 0.5}), *texts) == [True, True, True, True, True]
    assert kept(Language(keep=("fr",), min_scores={"de": 0.5}), *texts) == [False, False, True, False, False]


def test_each_threshold_is_asked_of_a_column_that_holds_only_its_language() -> None:
    operator = Language(min_scores={"zh": 0.4, "de": 0.5})
    assert [(rule.name, rule.column, rule.threshold) for rule in operator.rules()] == [
        ("min_score", "language_score_other", 0.65),
        ("min_scores", "language_score_de", 0.5),
        ("min_scores", "language_score_zh", 0.4),
    ]
    batch = pa.record_batch([pa.array([ARTICLE_1["zh"], ARTICLE_1["fr"], None], pa.large_string())], names=["text"])
    zh, fr, null = operator.apply(batch).to_pylist()
    assert (zh["language_score_zh"], zh["language_score_de"], zh["language_score_other"]) == (
        zh["language_score"], None, None,
    )  # fmt: skip
    assert (fr["language_score_zh"], fr["language_score_other"]) == (None, fr["language_score"])
    assert (null["language_score_zh"], null["language_score_other"]) == (None, 0.0)


def test_a_moved_threshold_leaves_the_columns_and_another_language_adds_one() -> None:
    one, moved, two = (Language(min_scores=scores) for scores in ({"de": 0.5}, {"de": 0.6}, {"de": 0.5, "zh": 0.4}))
    differing = {key for key, value in one.fingerprint().items() if moved.fingerprint()[key] != value}
    assert differing == {"min_scores"}
    assert one.writes() == moved.writes()
    assert one.fingerprint()["own_columns"] != two.fingerprint()["own_columns"]
    assert Language.model_validate({"min_scores": {"de": 0.5}, "own_columns": ["fr"]}) == one


def test_how_much_is_read_can_be_set() -> None:
    text = ARTICLE_1["de"] + " " + ARTICLE_1["en"] * 20
    batch = pa.record_batch([pa.array([text], pa.large_string())], names=["text"])
    assert Language(read_chars=100).apply(batch)["language"].to_pylist() == ["de"]
    assert Language(read_chars=2000).apply(batch)["language"].to_pylist() == ["en"]


@pytest.mark.parametrize("wrong", [{"de": 1.5}, {"German": 0.5}])
def test_thresholds_are_probabilities_of_language_codes(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        Language(min_scores=wrong)
