"""Gumbel top-k, length matching, preference, quotas, weights and epochs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sampling import reference
from winnowry.core.errors import UsageError
from winnowry.sampling.select import Selection, select
from winnowry.sampling.spec import SampleSpec
from winnowry.sampling.strata import mixture

METHODS: dict[str, dict[str, Any]] = {
    "cdf": {"by": "s"},
    "lowest": {"by": "s", "prefer": "lowest"},
    "gumbel": {"by": "s", "method": "gumbel_top_k", "temperature": 0.5},
    "length_matched": {"by": "s", "method": "length_matched"},
    "length_matched_top": {"by": "s", "method": "length_matched", "match": "top_k"},
    "length_matched_corpus": {"method": "length_matched"},
}
MIXTURES: dict[str, dict[str, Any]] = {
    "plain": {},
    "quota": {"quotas": {"a": 0.6, "b": {"at_most": 0.1}}},
    "weights": {"weights": {"a": 3.0, "b": 0.5}},
    "epochs": {"quotas": {"a": 0.9}, "epochs": {"a": 2.5}},
}


def corpus(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    ids = generator.integers(0, 2**63, (n, 2)).astype(np.uint64)
    sizes = np.maximum(20, generator.lognormal(6, 1.1, n)).astype(np.int64)
    scores = generator.normal(size=n)
    return ids, scores, sizes, generator.choice(["a", "b", "c"], n, p=[0.15, 0.35, 0.5])


def spec_of(method: str, mix: str, fraction: float = 0.2, seed: int = 3) -> SampleSpec:
    return SampleSpec.model_validate(
        {"token_fraction": fraction, "seed": seed, "strata": ("domain",), **METHODS[method], **MIXTURES[mix]}
    )


def draw(spec: SampleSpec, rows: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]) -> Selection:
    ids, scores, sizes, strata = rows
    return select(ids, scores if spec.by else None, sizes, spec, strata)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mix", MIXTURES)
class TestEveryMethodAndMixture:
    def test_the_budget_is_met_to_within_an_average_record(self, method: str, mix: str) -> None:
        rows = corpus(4000)
        selection = draw(spec_of(method, mix), rows)
        assert selection.budget_tokens == int(0.2 * rows[2].sum())
        assert selection.unfilled_tokens == 0
        assert selection.selected_tokens == int((rows[2] * selection.repeats).sum())
        assert 0 <= selection.budget_tokens - selection.selected_tokens <= rows[2].mean()
        assert ((selection.repeats > 0) == selection.selected).all()
        assert (selection.probability[selection.selected] > 0).all()
        assert selection.selected_tokens == sum(stratum.selected_tokens for stratum in selection.strata)

    def test_the_order_of_rows_does_not_matter(self, method: str, mix: str) -> None:
        rows = corpus(1500)
        whole = draw(spec_of(method, mix), rows)
        order = np.random.default_rng(1).permutation(1500)
        shuffled = draw(spec_of(method, mix), tuple(column[order] for column in rows))  # type: ignore[arg-type]
        assert (shuffled.repeats == whole.repeats[order]).all()
        assert (shuffled.probability == whole.probability[order]).all()
        for one, other in zip(whole.strata, shuffled.strata, strict=True):
            assert other.expected_tokens == pytest.approx(one.expected_tokens, rel=1e-12)  # a sum of floats
            assert replace(other, expected_tokens=one.expected_tokens) == one

    def test_one_percent_more_records_change_about_one_percent_of_the_old_selection(
        self, method: str, mix: str
    ) -> None:
        rows = corpus(20_200)
        before = draw(spec_of(method, mix), tuple(column[:20_000] for column in rows))  # type: ignore[arg-type]
        after = draw(spec_of(method, mix), rows)
        changed = (before.repeats != after.repeats[:20_000]).sum() / before.selected.sum()
        assert changed <= 0.02


class TestGumbelTopK:
    def test_it_takes_the_largest_perturbed_scores(self) -> None:
        ids, scores, _, _ = corpus(300)
        scores[::7] = np.nan
        spec = SampleSpec(by="s", method="gumbel_top_k", temperature=0.7, tokens=50, seed=11)
        selection = select(ids, scores, np.ones(300, np.int64), spec)
        perturbed = []
        for row in range(300):
            u = reference.permanent_random(f"{int(ids[row, 0]):016x}{int(ids[row, 1]):016x}", 11)
            gumbel = -math.log(-math.log(1.0 - u))
            perturbed.append(scores[row] / 0.7 + gumbel if not math.isnan(scores[row]) else -math.inf)
        assert set(np.flatnonzero(selection.selected)) == set(np.argsort(perturbed)[-50:].tolist())

    def test_the_first_record_drawn_is_a_softmax_of_the_scores(self) -> None:
        ids = np.array([[1, 2], [3, 4], [5, 6]], np.uint64)
        scores = np.array([0.0, 1.0, 2.0])
        times = np.zeros(3)
        for seed in range(4000):
            spec = SampleSpec(by="s", method="gumbel_top_k", tokens=10, seed=seed)
            times += select(ids, scores, np.full(3, 10), spec).selected
        expected = np.array([1.0, math.e, math.e**2]) / (1 + math.e + math.e**2)
        assert abs(times / 4000 - expected).max() < 5 * math.sqrt(0.25 / 4000)

    def test_probabilities_say_how_often_a_record_is_selected(self) -> None:
        ids, scores, sizes, _ = corpus(1000)
        times = np.zeros(1000)
        runs = 400
        for seed in range(runs):
            spec = SampleSpec(by="s", method="gumbel_top_k", token_fraction=0.2, seed=seed)
            selection = select(ids, scores, sizes, spec)
            times += selection.selected
        p = selection.probability
        assert float((p * sizes).sum()) == pytest.approx(selection.budget_tokens, rel=1e-9)
        z = (times / runs - p) / np.sqrt(p * (1 - p) / runs)
        assert abs(z).max() < 5.5
        assert abs((times / runs - p).mean()) < 0.003

    def test_weights_too_far_apart_for_floats_are_top_k(self) -> None:
        ids, _, sizes, _ = corpus(100)
        scores = np.arange(100) * 1e4
        spec = SampleSpec(by="s", method="gumbel_top_k", tokens=int(sizes[80:].sum()))
        assert np.flatnonzero(select(ids, scores, sizes, spec).selected).tolist() == list(range(80, 100))


class TestLengthMatching:
    def test_lengths_are_those_of_the_other_selection_and_scores_are_not(self) -> None:
        ids, _, sizes, _ = corpus(30_000)
        scores = np.log(sizes) + np.random.default_rng(5).normal(0, 1.0, 30_000)  # a score that is largely length
        common = {"by": "s", "token_fraction": 0.2, "seed": 1}
        other = select(ids, scores, sizes, SampleSpec.model_validate({**common, "method": "top_k"}))
        matched = select(
            ids, scores, sizes, SampleSpec.model_validate({**common, "method": "length_matched", "match": "top_k"})
        )
        edges = np.quantile(np.log(sizes[other.selected]), np.linspace(0, 1, 11))
        shares = [
            np.histogram(np.log(sizes[kept]), edges, weights=sizes[kept])[0] / sizes[kept].sum()
            for kept in (other.selected, matched.selected)
        ]
        assert abs(shares[0] - shares[1]).max() < 0.02
        assert (other.selected != matched.selected).mean() > 0.02
        near = (sizes > 3000) & (sizes < 3300)  # within a length the score does not matter
        chance = matched.probability[near]
        assert chance.min() == chance.max() or len(np.unique(chance)) <= 2

    def test_without_a_score_every_length_has_the_share_that_it_has_in_the_corpus(self) -> None:
        ids, _, sizes, _ = corpus(5000)
        selection = select(ids, None, sizes, SampleSpec(method="length_matched", token_fraction=0.3))
        assert selection.probability == pytest.approx(np.full(5000, 0.3), abs=1e-4)


class TestPreference:
    def test_lowest_is_highest_of_the_negated_score(self) -> None:
        ids, scores, sizes, _ = corpus(1000)
        scores[5] = np.nan
        for method, extra in (("cdf", {}), ("top_k", {}), ("threshold", {"threshold": 0.25})):
            common = {"by": "s", "token_fraction": 0.1, "method": method}
            low = select(ids, scores, sizes, SampleSpec.model_validate({**common, **extra, "prefer": "lowest"}))
            negated = {"threshold": -0.25} if extra else {}
            high = select(ids, -scores, sizes, SampleSpec.model_validate({**common, **negated}))
            assert (low.selected == high.selected).all()
            assert method != "top_k" or not low.selected[5]
        assert scores[low.selected].max() <= 0.25


class TestMixtures:
    def test_quotas_are_shares_of_the_budget(self) -> None:
        rows = corpus(20_000)
        selection = draw(spec_of("cdf", "quota"), rows)
        shares = {s.stratum: s.selected_tokens / selection.budget_tokens for s in selection.strata}
        assert shares["a"] == pytest.approx(0.6, abs=0.002)
        assert shares["b"] == pytest.approx(0.1, abs=0.002)
        assert shares["c"] == pytest.approx(0.3, abs=0.002)

    def test_weights_are_factors_on_natural_shares(self) -> None:
        rows = corpus(20_000)
        selection = draw(spec_of("cdf", "weights"), rows)
        tokens = {s.stratum: s.tokens for s in selection.strata}
        weighted = {"a": 3.0 * tokens["a"], "b": 0.5 * tokens["b"], "c": float(tokens["c"])}
        for stratum in selection.strata:
            expected = weighted[stratum.stratum] / sum(weighted.values())
            assert stratum.selected_tokens / selection.budget_tokens == pytest.approx(expected, abs=0.002)

    def test_a_stratum_is_repeated_to_fill_its_share(self) -> None:
        ids = np.column_stack([np.arange(20), np.zeros(20)]).astype(np.uint64)
        strata = np.array(["a"] * 10 + ["b"] * 10)
        spec = SampleSpec.model_validate(
            {
                "by": "s", "tokens": 300, "strata": ("domain",), "hard_fraction": 1.0,
                "quotas": {"a": 0.8}, "epochs": {"a": 3.0},
            }
        )  # fmt: skip
        selection = select(ids, np.arange(20.0), np.full(20, 10), spec, strata)
        # 240 of 300 tokens from the 100 of `a`: all twice, and the four best a third time; 60 from `b`.
        assert selection.repeats.tolist() == [2] * 6 + [3] * 4 + [0] * 4 + [1] * 6
        assert [stratum.epochs for stratum in selection.strata] == [2, 0]
        assert (selection.probability[:10] == 1.0).all()

    def test_what_cannot_be_filled_is_reported(self) -> None:
        ids, scores, sizes, strata = corpus(2000)
        spec = SampleSpec.model_validate(
            {"by": "s", "token_fraction": 0.5, "strata": ("d",), "quotas": {"a": 0.5, "b": 0.25, "c": 0.25}}
        )
        selection = select(ids, scores, sizes, spec, strata)
        of_a = int(sizes[strata == "a"].sum())
        budget = int(0.5 * sizes.sum())
        assert selection.unfilled_tokens == pytest.approx(0.5 * budget - of_a, abs=2)
        assert selection.budget_tokens == budget - selection.unfilled_tokens
        assert selection.selected[strata == "a"].all()

    def test_a_stratum_that_does_not_exist_is_refused_by_name(self) -> None:
        spec = SampleSpec.model_validate({"by": "s", "tokens": 5, "strata": ("d",), "quotas": {"finance": 0.5}})
        with pytest.raises(UsageError, match=r"'finance'; there are 'a', 'b', 'c'"):
            draw(spec, corpus(100))

    @settings(max_examples=300)
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 10_000),
                st.one_of(st.just(0.0), st.floats(1e-6, 5)),
                st.floats(0, 0.3),
                st.floats(0, 1),
                st.sampled_from([1.0, 1.5, 3.0]),
            ),
            min_size=1,
            max_size=4,
        ),
        st.integers(0, 30_000),
    )
    def test_shares_keep_their_bounds_and_add_up(
        self, strata: list[tuple[int, float, float, float, float]], budget: int
    ) -> None:
        tokens, weights, low, width, epochs = (np.array(column) for column in zip(*strata, strict=True))
        high = np.minimum(low + width, 1.0)
        found = mixture(tokens, budget, weights, low, high, epochs)
        capacity = np.floor(tokens * epochs)
        assert int(found.shares.sum()) + found.unfilled == budget
        assert (found.shares <= np.minimum(np.ceil(high * budget), capacity)).all()
        assert (found.shares >= np.minimum(np.floor(low * budget), capacity) - 1e-9).all()
        if found.unfilled > 0:  # then nobody could take more
            full = found.shares >= np.minimum(np.floor(high * budget), capacity)
            assert (full | (weights * tokens == 0)).all()
        free = (found.shares > low * budget + 1) & (found.shares < np.minimum(high * budget, capacity) - 1)
        rates = found.shares[free] / (weights * tokens)[free]
        slack = 1.0 / (weights * tokens)[free]
        if len(rates):
            assert (rates + 2 * slack).min() >= (rates - 2 * slack).max()  # one factor for all
