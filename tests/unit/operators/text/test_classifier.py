"""The user's model is stood in for by the language model of a wheel; text.language is the other way to ask it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.operator_examples import fasttext_model
from winnowry.core.errors import UsageError
from winnowry.operators.text.classifier import Classifier
from winnowry.operators.text.language import Language

ENGLISH = "All human beings are born free and equal in dignity and rights."
GERMAN = "Alle Menschen sind frei und gleich an Würde und Rechten geboren."


def score(operator: Classifier, *texts: str | None) -> list[float | None]:
    result: list[float | None] = operator.apply(
        pa.record_batch([pa.array(texts, pa.large_string())], names=["text"])
    ).column(0).to_pylist()  # fmt: skip
    return result


def test_the_score_is_the_probability_of_the_label() -> None:
    batch = pa.record_batch([pa.array([ENGLISH, GERMAN], pa.large_string())], names=["text"])
    languages = Language().apply(batch).to_pylist()
    assert [row["language"] for row in languages] == ["en", "de"]
    english = score(Classifier(model=fasttext_model(), label="en"), ENGLISH, GERMAN)
    german = score(Classifier(model=fasttext_model(), label="de"), ENGLISH, GERMAN)
    assert english[0] == languages[0]["language_score"]
    assert german[1] == languages[1]["language_score"]
    assert english[1] is not None
    assert english[1] < 0.1


def test_null_is_null_and_blank_is_zero() -> None:
    assert score(Classifier(model=fasttext_model(), label="en"), None, "", " \n\u3000") == [None, 0.0, 0.0]


def test_newlines_and_nul_bytes_are_read_and_only_the_beginning_counts() -> None:
    operator = Classifier(model=fasttext_model(), label="en", read_chars=len(ENGLISH))
    whole, lines, tail = score(operator, ENGLISH, ENGLISH.replace(" ", "\n"), ENGLISH + GERMAN * 100)
    assert whole == lines == tail


def test_limits_are_rules() -> None:
    operator = Classifier.model_validate(
        {"model": fasttext_model(), "label": "en", "min_score": 0.2, "max_score": 0.9, "as": "toxic"}
    )
    assert [(r.name, r.column, r.comparison, r.threshold) for r in operator.rules()] == [
        ("min_score", "toxic_score", ">=", 0.2),
        ("max_score", "toxic_score", "<=", 0.9),
    ]


def test_the_content_of_the_model_is_part_of_the_fingerprint() -> None:
    digest = hashlib.sha256(Path(fasttext_model()).read_bytes()).hexdigest()
    assert Classifier(model=fasttext_model(), label="en").fingerprint()["model_sha256"] == digest


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"sha256": "0" * 64}, "expected 0000000000000000"), ({"label": "klingon"}, "has no label 'klingon'; its labels")],
)
def test_another_model_or_label_is_refused(changed: dict[str, Any], message: str) -> None:
    operator = Classifier.model_validate({"model": fasttext_model(), "label": "en", **changed})
    with pytest.raises(UsageError, match=message):
        score(operator, ENGLISH)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"not a model")
    with pytest.raises(UsageError, match="no supervised fastText model"):
        score(Classifier(model=str(path), label="en"), ENGLISH)
    with pytest.raises(ValueError, match="no such file"):
        Classifier(model=str(tmp_path / "missing.bin"), label="en")
