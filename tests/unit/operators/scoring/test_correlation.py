from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from winnowry.operators.scoring.correlation import spearman


def test_perfect_agreement_is_1_and_perfect_reversal_minus_1() -> None:
    assert spearman([1, 5, 9], [2, 3, 100]) == 1.0
    assert spearman([1, 5, 9], [3, 2, 1]) == -1.0


def test_ties_share_their_average_rank() -> None:
    # ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5)
    assert spearman([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(4.5 / np.sqrt(4.5 * 5))


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=3, max_size=50))
def test_it_equals_scipy(pairs: list[tuple[int, int]]) -> None:
    x, y = [float(pair[0]) for pair in pairs], [float(pair[1]) for pair in pairs]
    if len(set(x)) > 1 and len(set(y)) > 1:
        assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
    else:
        assert spearman(x, y) is None


def test_rows_with_a_missing_value_are_left_out() -> None:
    assert spearman([1, 2, np.nan, 3], [1, 2, -9, 3]) == 1.0
    assert spearman([np.nan], [1.0]) is None


def test_a_capped_result_is_close_and_does_not_depend_on_the_order_of_rows() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=50_000)
    y = x + generator.normal(size=50_000)
    draws = generator.random(50_000)
    order = generator.permutation(50_000)
    capped = spearman(x, y, draws=draws, max_rows=10_000)
    assert capped == pytest.approx(spearman(x[order], y[order], draws=draws[order], max_rows=10_000), abs=1e-12)
    assert capped == pytest.approx(spearman(x, y), abs=0.03)
