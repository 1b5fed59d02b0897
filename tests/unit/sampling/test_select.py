from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sampling import reference
from winnowry.core.errors import UsageError
from winnowry.sampling.select import Selection, select
from winnowry.sampling.spec import SampleSpec
from winnowry.sampling.strata import quotas, stratum_labels


def corpus(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    ids = generator.integers(0, 2**63, (n, 2)).astype(np.uint64)
    sizes = np.maximum(20, generator.lognormal(6, 1.1, n)).astype(np.int64)
    return ids, generator.beta(8, 8, n), sizes


def equal_records(n: int, tokens: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ids = np.column_stack([np.arange(n), np.zeros(n)]).astype(np.uint64)
    return ids, np.arange(n, dtype=float), np.full(n, tokens)


PAPER = SampleSpec(by="gc", token_fraction=0.2, mode="paper")
EXACT = SampleSpec(by="gc", token_fraction=0.2)


class TestPaperMode:
    """Expected values: closed forms of the released procedure, counted by hand."""

    def test_ten_records_of_100_tokens_have_an_empty_hard_set_and_lose_80_tokens(self) -> None:
        selection = select(*equal_records(10, 100), PAPER)
        assert selection.strata[0].hard_rows == 0
        assert selection.strata[0].expected_tokens == pytest.approx(120)
        assert selection.budget_tokens == 200

    def test_a_hundred_records_of_10_tokens_have_eight_hard_ones(self) -> None:
        selection = select(*equal_records(100, 10), PAPER)
        assert selection.strata[0].hard_rows == 8
        assert selection.r == pytest.approx(0.2581, abs=5e-5)
        assert selection.strata[0].expected_tokens == pytest.approx(200)

    @pytest.mark.parametrize(
        ("fraction", "r", "met"),
        [(0.2, 0.261, 1.0), (0.6, 0.947, 1.0), (0.7, 1.167, 0.988), (0.8, 1.412, 0.949), (0.9, 1.687, 0.900)],
    )
    def test_r_and_the_expected_tokens_follow_the_closed_form(self, fraction: float, r: float, met: float) -> None:
        selection = select(*equal_records(20_000, 7), PAPER.model_copy(update={"token_fraction": fraction}))
        assert selection.r == pytest.approx(r, abs=1e-3)
        assert selection.strata[0].expected_tokens / selection.budget_tokens == pytest.approx(met, abs=1e-3)

    def test_the_lowest_fifth_is_kept_with_3_percent_and_the_highest_with_55_percent(self) -> None:
        selection = select(*equal_records(20_000, 7), PAPER)
        fifths = selection.probability.reshape(5, -1).mean(axis=1)  # scores ascend with the row
        # By hand: r = 0.24/0.92 = .2609; the first four are r times their mean CDF, (.1, .3, .5, .7) / .92; the fifth
        # is the rest, for the mean is .2. (The table's .554 is of one simulated corpus of log-normal sizes.)
        assert fifths == pytest.approx([0.028, 0.085, 0.142, 0.199, 0.546], abs=1e-3)

    @settings(max_examples=200)
    @given(
        st.lists(st.tuples(st.integers(0, 6), st.integers(1, 300)), min_size=1, max_size=80),
        st.sampled_from([0.05, 0.2, 0.625, 0.7, 0.9, 1.0]),
        st.sampled_from([0.0, 0.1, 0.4, 1.0]),
        st.integers(0, 1000),
    )
    def test_probabilities_and_choice_equal_the_released_procedure(
        self, rows: list[tuple[int, int]], fraction: float, hard: float, seed: int
    ) -> None:
        ids = [f"{number * 7919 % 1009:032x}" for number in range(len(rows))]
        expected, r = reference.released(
            [(record_id, float(score), size) for record_id, (score, size) in zip(ids, rows, strict=True)],
            fraction,
            hard,
        )
        spec = SampleSpec(by="gc", token_fraction=fraction, hard_fraction=hard, mode="paper", seed=seed)
        selection = select(
            np.array(ids), np.array([float(score) for score, _ in rows]), np.array([size for _, size in rows]), spec
        )
        assert selection.r == pytest.approx(r, rel=1e-12)
        assert selection.probability.tolist() == pytest.approx([expected[record_id] for record_id in ids], rel=1e-12)
        chosen = [reference.permanent_random(record_id, seed) <= selection.probability[row]
                  for row, record_id in enumerate(ids)]  # fmt: skip
        assert selection.selected.tolist() == chosen


class TestExactMode:
    def test_what_the_hard_set_cannot_use_goes_to_the_rest(self) -> None:
        selection = select(*equal_records(10, 100), EXACT)
        assert selection.strata[0].expected_tokens == pytest.approx(200)
        assert selection.selected_tokens == 200

    def test_without_big_records_the_probabilities_are_those_of_the_paper(self) -> None:
        records = equal_records(100, 10)
        exact, paper = select(*records, EXACT), select(*records, PAPER)
        assert exact.probability == pytest.approx(paper.probability)
        assert exact.r == pytest.approx(0.2581, abs=5e-5)

    @pytest.mark.parametrize("fraction", [0.05, 0.2, 0.6, 0.7, 0.9, 1.0])
    @pytest.mark.parametrize("method", ["cdf", "uniform", "temperature", "top_k"])
    def test_the_budget_is_met_to_within_one_record(self, method: str, fraction: float) -> None:
        parameters = {"uniform": {"by": None}, "temperature": {"temperature": 0.5}}.get(method, {})
        spec = SampleSpec.model_validate({"by": "gc", "method": method, "token_fraction": fraction, **parameters})
        ids, scores, sizes = corpus(20_000)
        selection = select(ids, scores, sizes, spec)
        gap = selection.budget_tokens - selection.selected_tokens
        assert selection.selected_tokens == sizes[selection.selected].sum()
        assert selection.budget_tokens == int(sizes.sum() * fraction)
        assert 0 <= gap <= sizes.mean()
        if method != "top_k":
            assert selection.strata[0].expected_tokens == pytest.approx(selection.budget_tokens, rel=1e-9)

    def test_a_budget_of_everything_selects_everything(self) -> None:
        ids, scores, sizes = corpus(1000)
        assert select(ids, scores, sizes, SampleSpec(by="gc", tokens=10**12)).selected.all()

    def test_one_record_larger_than_the_budget_does_not_stop_the_others(self) -> None:
        ids, scores, sizes = corpus(1000)
        sizes[scores.argmax()] = sizes.sum() * 2
        selection = select(ids, scores, sizes, SampleSpec(by="gc", tokens=50_000))
        assert 50_000 - sizes.mean() <= selection.selected_tokens <= 50_000

    @pytest.mark.parametrize("mode", ["exact", "paper"])
    @pytest.mark.parametrize("strata", [False, True])
    def test_the_selection_does_not_depend_on_the_order_of_rows(self, mode: str, strata: bool) -> None:
        ids, scores, sizes = corpus(5000)
        scores = scores.round(2)  # many ties
        scores[::50] = np.nan
        groups = np.array([f"s{word % 7}" for word in ids[:, 1]])
        spec = SampleSpec.model_validate({"by": "gc", "token_fraction": 0.3, "mode": mode, "seed": 3})
        order = np.random.default_rng(5).permutation(5000)
        first = select(ids, scores, sizes, spec, strata=groups if strata else None)
        second = select(ids[order], scores[order], sizes[order], spec, strata=groups[order] if strata else None)
        assert (first.selected[order] == second.selected).all()
        assert (first.probability[order] == second.probability).all()
        assert first.strata == second.strata

    def test_appending_one_percent_changes_less_than_one_percent_of_the_old_selection(self) -> None:
        ids, scores, sizes = corpus(50_500)
        old = select(ids[:50_000], scores[:50_000], sizes[:50_000], EXACT)
        new = select(ids, scores, sizes, EXACT)
        changed = (old.selected != new.selected[:50_000]).sum()
        assert 0 < changed < 0.01 * old.selected.sum()

    def test_records_are_included_with_their_probabilities(self) -> None:
        ids, scores, sizes = corpus(2000)
        runs = 600
        times = np.zeros(2000)
        for seed in range(runs):
            selection = select(ids, scores, sizes, EXACT.model_copy(update={"seed": seed}))
            times += selection.selected
        p = selection.probability
        drawn = p < 1
        assert (times[~drawn] == runs).all()
        z = (times[drawn] / runs - p[drawn]) / np.sqrt(p[drawn] * (1 - p[drawn]) / runs)
        assert abs(z).max() < 5  # two-sided, 2000 records: p < 0.002
        assert z.std() < 1.1
        by_fifth = [abs((times / runs - p)[part].mean()) for part in np.array_split(np.argsort(scores), 5)]
        by_size = [abs((times / runs - p)[part].mean()) for part in np.array_split(np.argsort(sizes), 5)]
        assert max(by_fifth + by_size) < 0.004  # standard error of a fifth: below 0.001

    def test_equal_scores_have_equal_probabilities(self) -> None:
        ids, _, sizes = corpus(1000)
        selection = select(ids, np.repeat([0.1, 0.5], 500), sizes, EXACT.model_copy(update={"hard_fraction": 0.0}))
        low, high = np.unique(selection.probability[:500]), np.unique(selection.probability[500:])
        assert len(low) == len(high) == 1
        assert 0 < low[0] < high[0]

    def test_a_record_without_score_ranks_lowest_and_still_has_a_chance(self) -> None:
        ids, scores, sizes = corpus(1000)
        scores[17] = np.nan
        selection = select(ids, scores, sizes, EXACT)
        assert selection.probability[17] == selection.probability.min() > 0

    def test_a_record_without_tokens_is_never_selected(self) -> None:
        ids, scores, sizes = corpus(1000)
        sizes[scores.argsort()[-10:]] = 0
        selection = select(ids, scores, sizes, EXACT)
        assert not selection.selected[sizes == 0].any()
        assert (selection.probability[sizes == 0] == 0).all()

    def test_hard_records_are_the_highest_scores(self) -> None:
        ids, scores, sizes = corpus(5000)
        selection = select(ids, scores, sizes, EXACT)
        stratum = selection.strata[0]
        assert stratum.hard_score is not None
        assert selection.selected[scores.argsort()[-20:]].all()
        assert 0.4 * selection.budget_tokens - sizes.mean() <= stratum.hard_tokens <= 0.4 * selection.budget_tokens

    @settings(max_examples=150)
    @given(
        st.lists(
            st.tuples(st.one_of(st.just(float("nan")), st.floats(-9, 9)), st.integers(0, 500), st.integers(0, 3)),
            max_size=60,
        ),
        st.sampled_from(["cdf", "top_k", "uniform", "threshold", "temperature"]),
        st.floats(0.01, 1.0),
        st.booleans(),
    )
    def test_any_records_give_a_selection_within_the_budget(
        self, rows: list[tuple[float, int, int]], method: str, fraction: float, stratified: bool
    ) -> None:
        parameters = {"uniform": {"by": None}, "threshold": {"threshold": 0.0}, "temperature": {"temperature": 0.01}}
        spec = SampleSpec.model_validate(
            {"by": "gc", "method": method, "token_fraction": fraction, **parameters.get(method, {})}
        )
        ids = np.column_stack([np.arange(len(rows)), np.zeros(len(rows))]).astype(np.uint64)
        scores, sizes = np.array([row[0] for row in rows], float), np.array([row[1] for row in rows], np.int64)
        strata = np.array([row[2] for row in rows], np.int64) if stratified else None
        selection = select(ids, scores, sizes, spec, strata=strata)
        assert selection.selected_tokens == int(sizes[selection.selected].sum()) <= selection.budget_tokens
        assert np.isfinite(selection.probability).all()
        assert ((selection.probability >= 0) & (selection.probability <= 1)).all()
        assert not (selection.selected & (selection.probability == 0)).any()
        if method == "threshold":
            assert (scores[selection.selected] >= 0.0).all()
        elif method != "top_k" and len(rows):
            assert selection.budget_tokens - selection.selected_tokens <= selection.largest_record


class TestOtherMethods:
    def test_top_k_takes_the_highest_scores(self) -> None:
        selection = select(*equal_records(100, 10), SampleSpec(by="gc", method="top_k", tokens=205))
        assert np.flatnonzero(selection.selected).tolist() == list(range(80, 100))

    def test_threshold_takes_all_above_it_when_they_fit(self) -> None:
        spec = SampleSpec(by="gc", method="threshold", threshold=90.0, tokens=500)
        assert np.flatnonzero(select(*equal_records(100, 10), spec).selected).tolist() == list(range(90, 100))

    def test_a_low_temperature_is_top_k_and_a_high_one_is_uniform(self) -> None:
        records = equal_records(100, 10)
        cold = select(*records, SampleSpec(by="gc", method="temperature", temperature=1e-4, tokens=200))
        hot = select(*records, SampleSpec(by="gc", method="temperature", temperature=1e6, tokens=200))
        assert np.flatnonzero(cold.selected).tolist() == list(range(80, 100))
        assert hot.probability == pytest.approx(np.full(100, 0.2), abs=1e-5)

    def test_uniform_needs_no_scores(self) -> None:
        ids, _, sizes = corpus(1000)
        selection = select(ids, None, sizes, SampleSpec(method="uniform", token_fraction=0.5))
        assert selection.probability == pytest.approx(np.full(1000, 0.5), abs=1e-5)


class TestStrata:
    def test_every_stratum_gets_its_share_of_the_tokens(self) -> None:
        ids, scores, sizes = corpus(20_000)
        groups = pa.array(np.where(ids[:, 0] % 4 == 0, "small", "large"))
        selection = select(ids, scores, sizes, EXACT, strata=groups)
        assert [stratum.stratum for stratum in selection.strata] == ["large", "small"]
        for stratum in selection.strata:
            assert stratum.selected_tokens / stratum.tokens == pytest.approx(0.2, abs=0.003)
        assert sum(stratum.budget_tokens for stratum in selection.strata) == selection.budget_tokens

    def test_strata_smaller_than_a_record_still_meet_the_whole_budget(self) -> None:
        ids, scores, sizes = corpus(5000)
        selection = select(ids, scores, sizes, EXACT, strata=np.arange(5000) % 2500)
        assert 0 <= selection.budget_tokens - selection.selected_tokens <= sizes.mean()

    def test_the_numbers_given_to_strata_do_not_matter(self) -> None:
        ids, scores, sizes = corpus(2000)
        labels = [("b", "a", "c")[word % 3] for word in ids[:, 0].tolist()]
        plain = pa.array(labels)
        encoded = pa.DictionaryArray.from_arrays(
            pa.array([["c", "b", "a"].index(label) for label in labels], pa.int32()), ["c", "b", "a"]
        )
        first, second = (select(ids, scores, sizes, EXACT, strata=strata) for strata in (plain, encoded))
        assert first.strata == second.strata
        assert (first.selected == second.selected).all()

    def test_labels_name_columns_and_values(self) -> None:
        labels = stratum_labels({"source": pa.chunked_array([["a"], ["b"]]), "year": pa.array([2020, None])})
        assert labels.to_pylist() == ["source=a/year=2020", "source=b/year=null"]

    @given(st.lists(st.integers(0, 10**12), min_size=1, max_size=20), st.floats(0, 1))
    def test_quotas_sum_to_the_budget_and_are_within_one_token_of_proportional(
        self, tokens: list[int], fraction: float
    ) -> None:
        budget = int(sum(tokens) * fraction)
        shares = quotas(np.array(tokens), budget).tolist()
        assert sum(shares) == budget if sum(tokens) else shares == [0] * len(tokens)
        for share, count in zip(shares, tokens, strict=True):
            assert abs(share - count * budget / max(sum(tokens), 1)) <= 1 + 1e-3


def test_no_records_give_an_empty_selection() -> None:
    for spec in (EXACT, PAPER):
        selection = select(np.empty((0, 2), np.uint64), np.empty(0), np.empty(0, np.int64), spec)
        assert isinstance(selection, Selection)
        assert (len(selection.selected), selection.budget_tokens, selection.selected_tokens) == (0, 0, 0)


@pytest.mark.parametrize(
    ("scores", "sizes", "message"),
    [
        (np.zeros(3), np.ones(2, int), "scores of column 'gc' have 3 rows, the records 2"),
        (np.zeros(2), np.ones(3, int), "sizes have 3 rows, the records 2"),
        (np.zeros(2), np.array([5, -1]), "size -1 (row 1) is negative"),
        (np.zeros(2), np.array([5.0, 1.0]), "expected whole numbers of tokens"),
        (None, np.ones(2, int), "method cdf needs the scores of column 'gc'"),
    ],
)
def test_wrong_input_is_refused(scores: np.ndarray | None, sizes: np.ndarray, message: str) -> None:
    ids = np.array([[1, 0], [2, 0]], np.uint64)
    with pytest.raises(UsageError) as error:
        select(ids, scores, sizes, EXACT)
    assert message in str(error.value)


@pytest.mark.parametrize("mode", ["exact", "paper"])
def test_records_of_size_0_that_say_something_are_drawn_with_the_share_of_the_budget(mode: str) -> None:
    n = 4_000
    ids = np.array([[number, 0] for number in range(n)], np.uint64)
    sizes = np.where(np.arange(n) % 2 == 0, 0, 3)
    by = {} if mode == "exact" else {"by": "score", "hard_fraction": 0.0}
    spec = SampleSpec.model_validate(
        {"token_fraction": 0.25, "seed": 3, "mode": mode, "method": "uniform" if mode == "exact" else "cdf", **by}
    )
    scores = None if mode == "exact" else np.arange(n, dtype=np.float64)
    without = select(ids, scores, sizes, spec)
    drawn = select(ids, scores, sizes, spec, may_be_empty=True)
    empty = sizes == 0
    if mode == "exact":
        assert without.selected[empty].sum() == 0
    assert (drawn.selected[~empty] == without.selected[~empty]).all()
    assert drawn.selected_tokens == without.selected_tokens
    assert set(drawn.probability[empty]) == {0.25}
    assert abs(drawn.selected[empty].mean() - 0.25) < 0.04  # four standard deviations of 2,000 draws


def test_a_corpus_of_records_of_size_0_is_drawn_whole() -> None:
    ids = np.array([[number, 0] for number in range(5)], np.uint64)
    spec = SampleSpec(method="uniform", token_fraction=0.5, seed=1)
    assert select(ids, None, np.zeros(5, np.int64), spec, may_be_empty=True).selected.all()
