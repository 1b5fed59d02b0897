from __future__ import annotations

import hashlib
import itertools
import json
import math
import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from winnowry.core.errors import ContractError, UsageError
from winnowry.operators.scoring.dsir import Dsir
from winnowry.operators.scoring.kernels.dsir import character_classes

TARGET = ["Profits rose 5% in Q3.", "The bank's shares fell; rates rose.", "利率 走低。"]
CORPUS = ["The cat sat on the mat.", "Profits, the cat said.", "A story of cats & dogs.", "利率 走低。 rates rose."]
TEXTS = ["The bank's profits ROSE 5% in q3.", "A cat.", "", None, "İstanbul ΟΔΟΣ ß_x1 ２３", "!!! ??? ...", "利率"]


def word_punct(text: str) -> list[str]:
    """Maximal runs of word characters, or of neither word characters nor white space, character by character."""
    found: list[str] = []
    last = ""
    for character in text:
        kind = "w" if character.isalnum() or character == "_" else "s" if character.isspace() else "p"
        if kind != "s":
            if kind == last:
                found[-1] += character
            else:
                found.append(character)
        last = kind
    return found


def grams(text: str) -> list[str]:
    words = word_punct(text.lower())
    return [*words, *(" ".join(pair) for pair in itertools.pairwise(words))]


def bucket(gram: str, n: int) -> int:
    return int(hashlib.sha256(gram.encode("utf-8")).hexdigest(), 16) % n


def reference(text: str, n: int) -> float:
    """The formula of the released code, with dictionaries."""
    shares = []
    for texts in (TARGET, CORPUS):
        counts = Counter(bucket(gram, n) for text in texts for gram in grams(text))
        total = sum(counts.values())
        shares.append({key: count / total for key, count in counts.items()})
    target, corpus = shares
    return sum(
        math.log(target.get(key, 0.0) + 1e-8) - math.log(corpus.get(key, 0.0) + 1e-8)
        for key in (bucket(gram, n) for gram in grams(text))
    )


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target.jsonl"
    path.write_text("\n".join(json.dumps({"text": text}) for text in TARGET))
    return path


def batch(texts: list[str | None]) -> pa.RecordBatch:
    return pa.record_batch({"text": pa.array(texts, pa.large_string())})


def scored(path: Path, **parameters: object) -> pa.RecordBatch:
    operator = Dsir.model_validate({"target": {"path": str(path)}, **parameters})
    fit = operator.fit(pa.table({"text": pa.array(CORPUS, pa.large_string())}))
    return operator.apply_fitted(batch(TEXTS), json.loads(json.dumps(fit)))


@pytest.mark.parametrize("n_buckets", [10_000, 7])
def test_weights_of_the_released_hash_equal_the_formula(target: Path, n_buckets: int) -> None:
    written = scored(target, hashing="sha256", n_buckets=n_buckets)
    expected = [reference(text, n_buckets) if text else None for text in TEXTS]
    for found, wanted in zip(written["dsir"].to_pylist(), expected, strict=True):
        assert found == (pytest.approx(wanted, abs=1e-9) if wanted is not None else None)
    assert written["dsir_n_words"].to_pylist() == [len(word_punct(t.lower())) if t is not None else None for t in TEXTS]
    assert written["dsir"][0].as_py() > 0 > written["dsir"][1].as_py()


def test_the_fast_hash_gives_the_same_weights_where_no_two_ngrams_share_a_bucket(target: Path) -> None:
    exact, fast = (scored(target, hashing=name, n_buckets=1 << 20) for name in ("sha256", "fast"))
    np.testing.assert_allclose(
        exact["dsir"].drop_null().to_numpy(), fast["dsir"].drop_null().to_numpy(), rtol=1e-9, atol=1e-9
    )
    assert exact["dsir_n_words"].equals(fast["dsir_n_words"])


def test_every_character_has_the_class_that_regular_expressions_give_it() -> None:
    classes = character_classes()
    kinds = {0: str.isspace, 1: lambda c: c.isalnum() or c == "_"}
    for code in [*range(0x3100), *range(0x3100, 0x110000, 97)]:
        character = chr(code)
        assert classes[code] == next((kind for kind, holds in kinds.items() if holds(character)), 2), hex(code)


def test_per_token_divides_by_the_tokens_and_short_texts_have_no_score(target: Path) -> None:
    whole, each = scored(target), scored(target, per_token=True, min_words=4)
    words = whole["dsir_n_words"].to_pylist()
    expected = [
        total / n if n is not None and n >= 4 else None
        for total, n in zip(whole["dsir"].to_pylist(), words, strict=True)
    ]
    assert each["dsir"].to_pylist() == expected
    assert expected.count(None) == 5  # of 2, 0, null, 3 and 1 tokens


def test_a_target_that_changed_since_the_recipe_was_loaded_is_refused(target: Path) -> None:
    operator = Dsir.model_validate({"target": {"path": str(target)}})
    sample = pa.table({"text": pa.array(CORPUS, pa.large_string())})
    fit = operator.fit(sample)
    target.write_text(json.dumps({"text": "another"}))
    with pytest.raises(ContractError, match="not the files of the recipe"):
        operator.fit(sample)
    target.unlink()
    with pytest.raises(ContractError, match="no file matches"):
        operator.fit(sample)
    copy = pickle.loads(pickle.dumps(operator))
    assert copy.apply_fitted(batch(TEXTS), fit).equals(operator.apply_fitted(batch(TEXTS), fit))
    with pytest.raises(ValueError, match="no file matches"):
        Dsir.model_validate({"target": {"path": str(target)}})


def test_counts_of_another_specification_are_refused(target: Path) -> None:
    operator = Dsir.model_validate({"target": {"path": str(target)}})
    fit = operator.fit(pa.table({"text": pa.array(CORPUS, pa.large_string())}))
    other = Dsir.model_validate({"target": {"path": str(target)}, "n_buckets": 100})
    with pytest.raises(UsageError, match="n_buckets 10000, not 100"):
        other.apply_fitted(batch(TEXTS), fit)


def test_targets_are_found_by_glob_and_named_by_their_contents(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt"):
        (tmp_path / name).write_text(f"{name} rose\n")
    by_glob = Dsir.model_validate({"target": {"path": str(tmp_path / "*.txt")}})
    assert list(by_glob.target.texts(by_glob.target_sha256 or "")) == ["a.txt rose\n", "b.txt rose\n"]
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("b.txt", "a.txt"):
        (moved / name).write_bytes((tmp_path / name).read_bytes())
    assert Dsir.model_validate({"target": {"path": str(moved / "*.txt")}}).target_sha256 == by_glob.target_sha256
