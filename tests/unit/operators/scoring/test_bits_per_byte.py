from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.unit.operators.scoring.ngram_reference import Reference
from winnowry.core.errors import UsageError
from winnowry.operators.scoring.bits_per_byte import BitsPerByte
from winnowry.operators.scoring.ngram import NgramModel
from winnowry.operators.scoring.ngram_tokens import encoded, vocabulary_size

TARGET = ["Net profit rose 12 percent.", "Net profit fell 3 percent.", "央行下调利率。", "Rates rose."]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target.jsonl"
    path.write_text("\n".join(json.dumps({"text": text}) for text in TARGET))
    return path


def batch(texts: list[str | None]) -> pa.RecordBatch:
    return pa.record_batch({"text": pa.array(texts, pa.large_string())})


def pool(operator: BitsPerByte, texts: list[str | None]) -> pa.Table:
    return pa.Table.from_batches([operator.measure(batch(texts))])


def ids(texts: list[str]) -> list[list[int]]:
    found = encoded(pa.array(texts, pa.large_string()))
    return [part.tolist() for part in np.split(found.token_ids, found.offsets[1:-1])]


def test_bits_are_those_of_the_formula_over_the_bytes_of_the_text(target: Path) -> None:
    operator = BitsPerByte.model_validate({"target": {"path": str(target)}, "order": 2})
    fit = operator.fit(pool(operator, ["whatever"]))
    texts = ["Net profit rose 3 percent.", "央行", "zzz \x00 ك", "cafe\u0301"]
    written = operator.apply_fitted(batch([*texts, None, ""]), fit)["bits_per_byte"].to_pylist()
    reference = Reference(ids(TARGET), 2, 0)
    reference.vocabulary = [*range(vocabulary_size()), "</s>"]
    seen = {token for document in ids(TARGET) for token in document}
    n_bytes = [26, 6, 8, 5]  # counted by hand; the last is `café` in NFC
    for text, size, found in zip(texts, n_bytes, written, strict=False):
        # The dictionaries ask every symbol of the vocabulary: leave out those that no n-gram has.
        bits = _bits(reference, ids([text])[0], seen)
        assert found == pytest.approx(bits / size, rel=1e-9), text
    assert written[4:] == [None, None]
    assert written[0] < written[2]


def _bits(reference: Reference, document: list[int], seen: set[int]) -> float:
    everything = reference.vocabulary

    class Some(list[object]):
        """Symbols that were seen; as many as the whole vocabulary."""

        def __len__(self) -> int:
            return len(everything)

    reference.vocabulary = Some([*sorted(seen), "</s>"])  # type: ignore[assignment]
    return reference.bits(document)


def test_what_the_target_has_never_seen_pays_for_its_bytes(target: Path) -> None:
    operator = BitsPerByte.model_validate({"target": {"path": str(target)}})
    fit = operator.fit(pool(operator, []))
    alien = "".join(map(chr, np.random.default_rng(0).integers(0x1000, 0x2000, 200)))
    bits = operator.apply_fitted(batch([alien, *TARGET]), fit)["bits_per_byte"].to_numpy()
    assert bits[0] > 8.0  # worse than sending the bytes as they are
    assert (bits[1:] < 4.0).all()


def test_without_a_target_no_text_is_scored_by_a_model_that_learnt_it() -> None:
    operator = BitsPerByte()
    rng = np.random.default_rng(1)
    words = [chr(0x4E00 + n) for n in range(400)]
    texts = ["".join(rng.choice(words, 60)) for _ in range(60)]
    fit = operator.fit(pool(operator, [*texts, None, ""]))
    assert fit["n_models"] == 2
    assert fit["n_documents"] == 60
    unseen = ["".join(rng.choice(words, 60)) for _ in range(60)]
    learnt, fresh = (
        operator.apply_fitted(batch(some), fit)["bits_per_byte"].to_numpy().mean() for some in (texts, unseen)
    )
    assert learnt == pytest.approx(fresh, rel=0.03)
    both = encoded(pa.array(texts))
    model = NgramModel.train(both.token_ids, both.offsets, 3, vocabulary_size())
    memorised = (model.document_bits(both.token_ids, both.offsets) / both.n_bytes).mean()
    assert memorised < 0.6 * fresh  # what a model says of its own texts


def test_the_order_of_the_sample_does_not_matter_and_a_copy_scores_alike(target: Path) -> None:
    operator = BitsPerByte()
    texts = [f"{text} {n}" for n, text in enumerate(TARGET * 5)]
    fits = [operator.fit(pool(operator, some)) for some in (texts, texts[::-1])]
    assert fits[0] == fits[1]
    copy, copied = pickle.loads(pickle.dumps((operator, fits[0])))
    assert copy.apply_fitted(batch(texts), copied).equals(operator.apply_fitted(batch(texts), fits[1]))


def test_learning_stops_at_the_declared_number_of_tokens(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("\n".join(f"line {n} of a long target" for n in range(2000)))
    operator = BitsPerByte.model_validate({"target": {"path": str(path)}, "max_tokens": 1000})
    assert operator.fit(pool(operator, []))["n_tokens"] == 1000


def test_a_model_of_another_specification_is_refused(target: Path) -> None:
    operator = BitsPerByte.model_validate({"target": {"path": str(target)}})
    fit = operator.fit(pool(operator, []))
    with pytest.raises(UsageError, match="order 3, not 2"):
        operator.model_copy(update={"order": 2}).apply_fitted(batch(["a"]), fit)
