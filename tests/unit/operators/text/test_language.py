from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from winnowry.core.errors import UsageError
from winnowry.operators.text import language as module
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


def test_equal_probabilities_go_to_the_first_label(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tie:
        def predict(self, text: str, k: int) -> tuple[tuple[str, ...], tuple[float, ...]]:
            return ("__label__nl", "__label__af"), (0.5, 0.5)

    monkeypatch.setattr(module, "_model", Tie)
    assert identify("x") == [{"language": "af", "language_score": 0.5}]


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
