from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from winnowry.operators.scoring import cascade
from winnowry.operators.scoring.cascade import fit_cascade, in_band, mapped
from winnowry.operators.scoring.grammatical_complexity import GrammaticalComplexity

SCORES = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(1, 500)), min_size=1, max_size=80)


@given(SCORES)
@example([(0.0, 0.0, 1), (5e-324, 1.0, 1)])  # the slope between two knots overflowed
def test_the_mapping_never_turns_two_rows_round(rows: list[tuple[float, float, int]]) -> None:
    lite, full, words = np.array(rows).T
    fitted = json.loads(json.dumps(fit_cascade(lite, full, words, (0.7, 0.9))))
    points = np.linspace(0, 1, 101)
    values = mapped(points, fitted)
    assert (np.diff(values) >= 0).all()
    assert ((values >= 0) & (values <= 1)).all()


@given(SCORES)
def test_the_fit_does_not_depend_on_the_order_of_rows(rows: list[tuple[float, float, int]]) -> None:
    lite, full, words = np.array(rows).T
    forward, backward = (
        fit_cascade(lite[s], full[s], words[s], (0.7, 0.9)) for s in (slice(None), slice(None, None, -1))
    )
    assert forward["lite"] == pytest.approx(backward["lite"])
    assert forward["full"] == pytest.approx(backward["full"])
    assert forward["band_scores"] == backward["band_scores"]


def test_the_mapping_is_the_isotonic_regression_of_bins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cascade, "ROWS_A_BIN", 1)
    generator = np.random.default_rng(1)
    lite = np.sort(generator.random(60))
    full = np.clip(lite + generator.normal(0, 0.3, 60), 0, 1)
    fitted = fit_cascade(lite, full, np.ones(60), (0.0, 1.0))
    assert fitted["full"] == pytest.approx(sorted(set(isotonic_regression(full).x.round(12))))


def test_the_band_is_a_range_of_ranks_weighted_by_words() -> None:
    lite = np.array([0.1, 0.2, 0.3, 0.4])
    words = np.array([70.0, 10.0, 10.0, 10.0])
    fitted = fit_cascade(lite, lite, words, (0.75, 0.9))  # shares reached: .7 .8 .9 1
    assert fitted["band_scores"] == [0.2, 0.3]
    assert in_band(np.array([0.1, 0.2, 0.25, 0.3, 0.31, np.nan]), fitted).tolist() == [
        False, True, True, True, False, False,
    ]  # fmt: skip
    everything = fit_cascade(lite, lite, words, (0.0, 1.0))
    assert in_band(np.array([0.0, 1.0]), everything).all()


def test_a_pool_without_scores_parses_nothing_and_maps_nothing() -> None:
    fitted = fit_cascade(np.array([np.nan]), np.array([0.5]), np.array([3.0]), (0.7, 0.9))
    assert not in_band(np.array([0.5, np.nan]), fitted).any()
    assert np.isnan(mapped(np.array([0.5]), fitted)).all()


class TestOperator:
    """Over a parser that answers at once: each word hangs on the one before."""

    @pytest.fixture(autouse=True)
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        from winnowry.operators.scoring import grammatical_complexity
        from winnowry.operators.scoring.parsers.base import Parse, Sentence

        asked: list[str] = []

        class Chains:
            def parse(self, texts: list[str]) -> list[Parse]:
                asked.extend(texts)
                return [Parse([chain(part) for part in text.split(".") if part.split()]) for text in texts]

        def chain(text: str) -> Sentence:
            words = text.split()
            tags = ["NN" if len(word) % 2 else "VB" for word in words]
            return Sentence(words, tags, tags, range(len(words)), [f"d{len(word)}" for word in words])

        monkeypatch.setattr(grammatical_complexity, "parser_of", lambda *_: Chains())
        monkeypatch.setattr(grammatical_complexity, "parser_version", lambda *_: "chains 1")
        return asked

    @staticmethod
    def texts(n: int = 300) -> pa.RecordBatch:
        generator = np.random.default_rng(7)
        vocabulary = ["the", "of", "and", *(f"{'w' * (n % 9 + 1)}{n}" for n in range(400))]
        found: list[str | None] = [None, "", "..."]
        for _ in range(n):
            size = int(generator.integers(3, 25))
            words = generator.choice(vocabulary[: int(generator.integers(10, 400))], int(generator.integers(30, 300)))
            found.append(". ".join(" ".join(part) for part in np.array_split(words, max(1, len(words) // size))))
        return pa.record_batch({"text": pa.array(found, pa.large_string())})

    def test_only_rows_in_the_band_are_parsed_and_they_have_the_full_score(self, asked: list[str]) -> None:
        texts = self.texts()
        full = GrammaticalComplexity.model_validate({"tier": "parsed"})
        form = GrammaticalComplexity.model_validate({"tier": "parsed", "cascade": {"band": [0.6, 0.9]}})
        components = pa.table(form.measure(texts))
        fit = json.loads(json.dumps(form.fit(components)))
        asked.clear()
        written = form.apply_fitted(texts, fit)
        assert written.schema == form.writes()
        parsed = written["gc_parsed"].to_numpy(zero_copy_only=False)
        assert asked == texts["text"].filter(pa.array(parsed)).to_pylist()
        assert 0.2 < parsed.mean() < 0.4
        everything = full.apply_fitted(texts, full.fit(pa.table(full.measure(texts))))
        chosen = pa.array(parsed)
        for name in ("gc", "gc_dep_ent", "gc_avg_dep_height"):
            assert written[name].filter(chosen).equals(everything[name].filter(chosen))
        others = written.filter(pa.array(~parsed))
        assert others["gc_dep_ent"].null_count == others.num_rows
        assert written["gc"].is_null().to_pylist()[:4] == [True, True, True, False]
        assert written["gc_partial"].to_pylist() == [True, True, True, *[False] * (texts.num_rows - 3)]
        known = others.filter(others["gc_lite"].is_valid())
        order = np.argsort(known["gc_lite"].to_numpy())
        assert (np.diff(known["gc"].to_numpy()[order]) >= 0).all()
        assert form.combine(components, fit).equals(written)

    def test_rows_may_be_cut_anywhere(self) -> None:
        texts = self.texts(60)
        form = GrammaticalComplexity.model_validate({"tier": "parsed", "cascade": {}})
        fit = form.fit(pa.table(form.measure(texts)))
        parts = [form.apply_fitted(texts.slice(at, 5), fit) for at in range(0, texts.num_rows, 5)]
        assert (
            pa.Table.from_batches(parts).combine_chunks().equals(pa.Table.from_batches([form.apply_fitted(texts, fit)]))
        )

    def test_the_band_is_part_of_what_statistics_are_fitted_with(self) -> None:
        texts = self.texts(30)
        form = GrammaticalComplexity.model_validate({"tier": "parsed", "cascade": {}})
        fit = form.fit(pa.table(form.measure(texts)))
        other = GrammaticalComplexity.model_validate({"tier": "parsed", "cascade": {"band": [0.1, 0.2]}})
        with pytest.raises(Exception, match=r"band \[0.7, 0.9\], expected \[0.1, 0.2\]"):
            other.apply_fitted(texts, fit)
