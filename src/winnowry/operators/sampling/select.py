"""Select records: scores and sizes in, a selection that meets a token budget out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from winnowry.core.errors import UsageError
from winnowry.operators.sampling import probabilities
from winnowry.operators.sampling.draw import (
    Bools,
    Float64s,
    Int64s,
    UInt64s,
    ascending,
    filled,
    id_words,
    pareto_order,
    permanent_random,
)
from winnowry.operators.sampling.spec import SampleSpec
from winnowry.operators.sampling.strata import quotas, stratum_codes


@dataclass(frozen=True)
class StratumDraw:
    """What was drawn from one stratum.

    Attributes:
        stratum: label; ``all`` where the specification names no strata.
        rows: records.
        tokens: their tokens.
        budget_tokens: share of the budget.
        selected_rows: records selected.
        selected_tokens: their tokens.
        hard_rows: records kept for sure because of their score (methods cdf and top_k).
        hard_tokens: their tokens.
        hard_score: lowest score among them, or None.
        r: factor on the base weights (CURATION-SPEC §1.3), before clipping at 1; None for method temperature.
        expected_tokens: sum of probability * tokens.
    """

    stratum: str
    rows: int
    tokens: int
    budget_tokens: int
    selected_rows: int
    selected_tokens: int
    hard_rows: int
    hard_tokens: int
    hard_score: float | None
    r: float | None
    expected_tokens: float


@dataclass(frozen=True)
class Selection:
    """A selection, row by row in the order given, and how it was reached.

    Attributes:
        probability: n floats in [0, 1]: inclusion probability.
        draw: n floats in (0, 1): the record's permanent random number.
        selected: n booleans.
        budget_tokens: the budget.
        selected_tokens: tokens of the selected records; mode exact: never above the budget.
        largest_record: tokens of the largest record.
        strata: what was drawn from each stratum, by label.
    """

    probability: Float64s
    draw: Float64s
    selected: Bools
    budget_tokens: int
    selected_tokens: int
    largest_record: int
    strata: tuple[StratumDraw, ...]

    @property
    def r(self) -> float | None:
        """Factor on the base weights of the only stratum; None where there are several (see ``strata``)."""
        return self.strata[0].r if len(self.strata) == 1 else None


def select(
    record_ids: npt.NDArray[np.generic] | pa.Array | pa.ChunkedArray,
    scores: Float64s | None,
    sizes: Int64s,
    spec: SampleSpec,
    strata: npt.NDArray[np.generic] | pa.Array | pa.ChunkedArray | None = None,
) -> Selection:
    """Select records for a token budget.

    The result does not depend on the order of rows, on how they were partitioned or on the numbers given to strata.
    Records of equal score are ordered by id. Record ids must be unique (the ledger gate checks that); of two rows
    with the same id and score the selection may depend on the order.

    Mode exact takes records in Pareto order of their permanent random numbers until the budget is full: the selected
    tokens never exceed the budget, and fall short of it by less than the largest record, in practice by less than an
    average one. What strata leave of their shares goes to the records, of any stratum, that came next.
    Mode paper keeps a record if ``draw <= probability``: independent draws, as in the released code, but from the
    permanent random number instead of a generator's stream; the selected tokens vary around the expected ones.

    Args:
        record_ids: n ids in any form of :func:`~winnowry.operators.sampling.draw.id_words`.
        scores: n floats, higher is better; NaN means no score and ranks below every score. None only for method
            uniform.
        sizes: n token counts, not negative. Mode exact never selects a record of 0 tokens (probability 0).
        spec: method, budget, mode and seed.
        strata: n stratum labels, or None for one stratum.

    Returns:
        The selection, n rows in the order given.

    Raises:
        UsageError: lengths differ, a size is negative, or scores are missing.

    Source: CURATION-SPEC §1.3 (paper), §1.7 (exact).

    >>> ids = np.array([[n, 0] for n in range(10)], np.uint64)
    >>> spec = SampleSpec(by="gc", token_fraction=0.2, seed=7)
    >>> selection = select(ids, np.arange(10.0), np.full(10, 100), spec)
    >>> selection.budget_tokens, selection.selected_tokens
    (200, 200)
    """
    words = id_words(record_ids)
    n = len(words)
    sizes = _checked_sizes(sizes, n)
    codes, labels = stratum_codes(strata, n)
    drawn = permanent_random(words, spec.seed)
    order, keys, bounds = _sorted_rows(words, _checked_scores(scores, n, spec), codes, len(labels))
    tokens = np.array([int(sizes[order[start:end]].sum()) for start, end in bounds], np.int64)
    budget = spec.budget(int(tokens.sum()))
    shares = quotas(tokens, budget)
    probability = np.empty(n, np.float64)
    selected = np.zeros(n, np.bool_)
    draws = []
    for label, (start, end), share in zip(labels, bounds, shares.tolist(), strict=True):
        rows = order[start:end]
        scored = keys[start:end]
        inclusion = _inclusion(spec, scored, sizes[rows], share)
        probability[rows] = inclusion.probability
        if spec.mode == "paper":
            selected[rows] = drawn[rows] <= inclusion.probability
        else:
            _take(rows, share, sizes, probability, drawn, words, selected)
        draws.append((label, rows, scored, share, inclusion))
    selected_tokens = int(sizes[selected].sum())
    if spec.mode == "exact" and len(labels) > 1 and selected_tokens < budget:
        left = np.flatnonzero(~selected & (probability > 0.0))
        _take(left, budget - selected_tokens, sizes, probability, drawn, words, selected)
        selected_tokens = int(sizes[selected].sum())
    return Selection(
        probability=probability,
        draw=drawn,
        selected=selected,
        budget_tokens=budget,
        selected_tokens=selected_tokens,
        largest_record=int(sizes.max(initial=0)),
        strata=tuple(
            _summary(label, rows, scored, share, inclusion, sizes, selected)
            for label, rows, scored, share, inclusion in draws
        ),
    )


def _checked_sizes(sizes: Int64s, n: int) -> Int64s:
    sizes = np.asarray(sizes)
    if len(sizes) != n:
        raise UsageError(f"sizes have {len(sizes)} rows, the records {n}")
    if sizes.dtype.kind not in "iu":
        raise UsageError(f"sizes have numpy type {sizes.dtype}; expected whole numbers of tokens, without nulls")
    if n and int(sizes.min()) < 0:
        raise UsageError(f"size {int(sizes.min())} (row {int(sizes.argmin())}) is negative; expected a token count")
    return sizes.astype(np.int64, copy=False)


def _checked_scores(scores: Float64s | None, n: int, spec: SampleSpec) -> Float64s | None:
    """Scores as sortable keys: no score ranks lowest."""
    if spec.method == "uniform":
        return None
    if scores is None:
        raise UsageError(f"method {spec.method} needs the scores of column {spec.by!r}; only uniform does without")
    if len(scores) != n:
        raise UsageError(f"scores of column {spec.by!r} have {len(scores)} rows, the records {n}")
    keys = np.array(scores, np.float64)
    keys[np.isnan(keys)] = -np.inf
    return keys


def _sorted_rows(
    words: UInt64s, keys: Float64s | None, codes: npt.NDArray[np.integer] | None, n_strata: int
) -> tuple[Int64s, Float64s, list[tuple[int, int]]]:
    """Rows by stratum, score and id; their scores in that order; and where each stratum starts and ends."""
    n = len(words)
    order = ascending(keys, words) if keys is not None else np.arange(n)
    if codes is None:
        bounds = [(0, n)]
    else:
        by_stratum = np.argsort(codes[order], kind="stable")
        order = order[by_stratum]
        ends = np.cumsum(np.bincount(codes, minlength=n_strata)).tolist()
        bounds = list(zip([0, *ends[:-1]], ends, strict=True)) if n_strata else []
    return order, (keys[order] if keys is not None else np.zeros(n)), bounds


def _inclusion(spec: SampleSpec, scores: Float64s, sizes: Int64s, budget: int) -> probabilities.Inclusion:
    """Probabilities of one stratum; outside mode paper a record without tokens has probability 0."""
    if spec.mode == "paper":
        return probabilities.paper(sizes, budget, spec.hard_fraction)
    eligible = sizes > 0
    if spec.threshold is not None:
        eligible &= scores >= spec.threshold
    if eligible.all():
        return _inclusion_of_eligible(spec, scores, sizes, budget)
    probability = np.zeros(len(sizes))
    hard = np.zeros(len(sizes), np.bool_)
    inclusion = _inclusion_of_eligible(spec, scores[eligible], sizes[eligible], budget)
    probability[eligible] = inclusion.probability
    hard[eligible] = inclusion.hard
    return probabilities.Inclusion(probability, inclusion.r, hard)


def _inclusion_of_eligible(spec: SampleSpec, scores: Float64s, sizes: Int64s, budget: int) -> probabilities.Inclusion:
    if spec.method == "cdf":
        starts = np.ones(len(scores), np.bool_)
        np.not_equal(scores[1:], scores[:-1], out=starts[1:])
        return probabilities.cdf(sizes, starts, budget, spec.hard_fraction)
    if spec.method == "top_k":
        return probabilities.top(sizes, budget)
    if spec.method == "temperature":
        assert spec.temperature is not None
        return probabilities.softmax(scores, sizes, budget, spec.temperature)
    return probabilities.flat(sizes, budget)


def _take(
    rows: Int64s,
    budget: int,
    sizes: Int64s,
    probability: Float64s,
    drawn: Float64s,
    words: UInt64s,
    selected: Bools,
) -> None:
    """Mark rows as selected in Pareto order until the budget is full; only rows of a positive probability."""
    rows = rows[probability[rows] > 0.0]
    certain = probability[rows] >= 1.0
    sure = rows[certain]
    selected[sure] = True
    rows = rows[~certain]
    if len(rows) == 0:
        return
    rows = rows[ascending(pareto_order(probability[rows], drawn[rows]), words[rows])]
    in_order = sizes[rows]
    taken = filled(in_order, budget - int(sizes[sure].sum()), stop_below=float(in_order.mean()))
    selected[rows[taken]] = True


def _summary(
    label: str,
    rows: Int64s,
    scores: Float64s,
    budget: int,
    inclusion: probabilities.Inclusion,
    sizes: Int64s,
    selected: Bools,
) -> StratumDraw:
    tokens, kept = sizes[rows], selected[rows]
    hard_scores = scores[inclusion.hard]
    return StratumDraw(
        stratum=label,
        rows=len(rows),
        tokens=int(tokens.sum()),
        budget_tokens=budget,
        selected_rows=int(kept.sum()),
        selected_tokens=int(tokens[kept].sum()),
        hard_rows=len(hard_scores),
        hard_tokens=int(tokens[inclusion.hard].sum()),
        hard_score=float(hard_scores[0]) if len(hard_scores) and np.isfinite(hard_scores[0]) else None,
        r=inclusion.r,
        expected_tokens=float((inclusion.probability * tokens).sum()),
    )
