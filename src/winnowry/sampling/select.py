"""Select records: scores and sizes in, a selection that meets a token budget out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from winnowry.core.errors import UsageError
from winnowry.sampling import probabilities
from winnowry.sampling.draw import (
    Bools,
    Float64s,
    Int64s,
    UInt64s,
    ascending,
    filled,
    gumbel_order,
    id_words,
    pareto_order,
    permanent_random,
)
from winnowry.sampling.spec import SampleSpec
from winnowry.sampling.strata import Mixture, mixture, quotas, stratum_codes


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
        r: factor on the base weights, before clipping at 1; None where weights have no scale.
        expected_tokens: sum of probability * tokens, without repetitions.
        epochs: how often every record is taken before the draw: 0, unless the stratum is repeated to fill its share.
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
    epochs: int = 0


@dataclass(frozen=True)
class Selection:
    """A selection, row by row in the order given, and how it was reached.

    Attributes:
        probability: n floats in [0, 1]: inclusion probability.
        draw: n floats in (0, 1): the record's permanent random number.
        selected: n booleans.
        repeats: n whole numbers: how often the record is taken; 0 or 1, unless the specification has ``epochs``.
        budget_tokens: the budget, as far as the strata can fill it.
        unfilled_tokens: what quotas left of the declared budget because a stratum has too few tokens.
        selected_tokens: tokens of the selected records, repetitions counted; mode exact: never above the budget.
        largest_record: tokens of the largest record.
        strata: what was drawn from each stratum, by label.
    """

    probability: Float64s
    draw: Float64s
    selected: Bools
    repeats: Int64s
    budget_tokens: int
    unfilled_tokens: int
    selected_tokens: int
    largest_record: int
    strata: tuple[StratumDraw, ...]

    @property
    def r(self) -> float | None:
        """Factor on the base weights of the only stratum; None where there are several (see ``strata``)."""
        return self.strata[0].r if len(self.strata) == 1 else None


class _Draw(NamedTuple):
    """One stratum while its records are drawn; its rows by score and id, and their scores in that order."""

    label: str
    rows: Int64s
    scores: Float64s
    budget: int
    inclusion: probabilities.Inclusion
    epochs: int


def select(
    record_ids: npt.NDArray[np.generic] | pa.Array | pa.ChunkedArray,
    scores: Float64s | None,
    sizes: Int64s,
    spec: SampleSpec,
    strata: npt.NDArray[np.generic] | pa.Array | pa.ChunkedArray | None = None,
    *,
    may_be_empty: bool = False,
) -> Selection:
    """Select records for a token budget.

    The result does not depend on the order of rows, on how they were partitioned or on the numbers given to strata.
    Records of equal score are ordered by id. Record ids must be unique (the ledger gate checks that); of two rows
    with the same id and score the selection may depend on the order.

    Mode exact takes records in Pareto order of their permanent random numbers until the budget is full: the selected
    tokens never exceed the budget, and fall short of it by less than the largest record, in practice by less than an
    average one. What strata leave of their shares goes to the records, of any stratum, that came next; first to those
    of strata below their quota.
    Mode paper keeps a record if ``draw <= probability``: independent draws, as in the released code, but from the
    permanent random number instead of a generator's stream; the selected tokens vary around the expected ones.

    Args:
        record_ids: n ids in any form of :func:`~winnowry.sampling.draw.id_words`.
        scores: n floats, see ``spec.prefer``; NaN means no score and ranks below every score. None only where the
            specification names no score column.
        sizes: n token counts, not negative. Mode exact never selects a record of 0 tokens (probability 0), unless
            ``may_be_empty``.
        spec: method, budget, mode and seed.
        strata: n stratum labels, or None for one stratum.
        may_be_empty: a record of size 0 says something, as an image with nothing in it does: those of a stratum are
            drawn with the share of it that the budget is, and cost nothing.

    Returns:
        The selection, n rows in the order given.

    Raises:
        UsageError: lengths differ, a size is negative, scores are missing, or the specification names a stratum
            that no record is of.

    Source: paper: the released code of Ying et al., EMNLP 2025 main 1121; exact: this project.

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
    shared = _shares(spec, labels, tokens)
    budget = int(shared.shares.sum())
    probability = np.empty(n, np.float64)
    selected = np.zeros(n, np.bool_)
    repeats = np.zeros(n, np.int64)
    ranking = _gumbel_ranking(spec, keys, order, drawn) if spec.method == "gumbel_top_k" else None
    draws = []
    for label, (start, end), share in zip(labels, bounds, shared.shares.tolist(), strict=True):
        rows = order[start:end]
        scored = keys[start:end]
        whole = int(sizes[rows].sum())
        epochs, rest = divmod(share, whole) if share > whole else (0, share)
        inclusion = _inclusion(spec, scored, sizes[rows], rest)
        probability[rows] = inclusion.probability
        empty = _eligible(spec, scored, np.ones(len(rows), np.int64)) & (sizes[rows] == 0) & may_be_empty
        probability[rows[empty]] = 0.0
        if spec.mode == "paper":
            selected[rows] = drawn[rows] <= inclusion.probability
        else:
            _take(rows, rest, sizes, probability, drawn, words, selected, ranking)
        if empty.any():
            probability[rows[empty]] = min(1.0, rest / whole) if whole else 1.0
            selected[rows[empty]] = drawn[rows[empty]] <= probability[rows[empty]]
        repeats[rows] = epochs * ((sizes[rows] > 0) | empty)
        draws.append(_Draw(label, rows, scored, share, inclusion, epochs))
    if spec.mode == "exact" and codes is not None and len(labels) > 1:
        for capped in (False, True):
            gap = budget - int((sizes * (repeats + selected)).sum())
            if gap > 0:
                open_rows = shared.capped[codes] == capped
                left = np.flatnonzero(~selected & (probability > 0.0) & (sizes > 0) & open_rows)
                _take(left, gap, sizes, probability, drawn, words, selected, ranking)
    if spec.epochs:
        probability[repeats > 0] = 1.0
    repeats += selected
    selected |= repeats > 0
    return Selection(
        probability=probability,
        draw=drawn,
        selected=selected,
        repeats=repeats,
        budget_tokens=budget,
        unfilled_tokens=shared.unfilled,
        selected_tokens=int((sizes * repeats).sum()),
        largest_record=int(sizes.max(initial=0)),
        strata=tuple(_summary(spec, draw, sizes, repeats) for draw in draws),
    )


def _shares(spec: SampleSpec, labels: list[str], tokens: Int64s) -> Mixture:
    """Budget of each stratum."""
    total = int(tokens.sum())
    named = {*spec.quotas, *spec.weights, *spec.epochs}
    if not named:
        shares = quotas(tokens, spec.budget_of(total))
        return Mixture(shares, np.zeros(len(labels), np.bool_), 0)
    unknown = sorted(named - set(labels))
    if unknown:
        raise UsageError(
            f"sample names strata that no record is of: {', '.join(map(repr, unknown))}; there are "
            f"{', '.join(map(repr, labels)) or 'none'} (values of {', '.join(spec.strata)} joined by `|`)"
        )
    epochs = np.array([spec.epochs.get(label, 1.0) for label in labels])
    bounds = np.array([spec.bounds(label) for label in labels]).reshape(-1, 2)
    return mixture(
        tokens,
        spec.budget_of(total, int(np.floor(tokens * epochs).sum())),
        np.array([spec.weights.get(label, 1.0) for label in labels]),
        bounds[:, 0],
        bounds[:, 1],
        epochs,
    )


def _gumbel_ranking(spec: SampleSpec, keys: Float64s, order: Int64s, drawn: Float64s) -> Float64s:
    """Ranking variable of every row, in the order given."""
    ranking = np.empty(len(order), np.float64)
    ranking[order] = gumbel_order(keys / (spec.temperature or 1.0), drawn[order])
    return ranking


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
    if spec.by is None:
        return None
    if scores is None:
        raise UsageError(f"method {spec.method} needs the scores of column {spec.by!r}; only uniform does without")
    if len(scores) != n:
        raise UsageError(f"scores of column {spec.by!r} have {len(scores)} rows, the records {n}")
    keys = np.array(scores, np.float64)
    if spec.prefer == "lowest":
        np.negative(keys, out=keys)
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
    eligible = _eligible(spec, scores, sizes)
    if eligible.all():
        return _inclusion_of_eligible(spec, scores, sizes, budget)
    probability = np.zeros(len(sizes))
    hard = np.zeros(len(sizes), np.bool_)
    inclusion = _inclusion_of_eligible(spec, scores[eligible], sizes[eligible], budget)
    probability[eligible] = inclusion.probability
    hard[eligible] = inclusion.hard
    return probabilities.Inclusion(probability, inclusion.r, hard)


def _eligible(spec: SampleSpec, scores: Float64s, sizes: Int64s) -> Bools:
    """Records that have a size, and a score that passes the threshold."""
    eligible: Bools = sizes > 0
    if spec.threshold is not None:
        eligible &= scores >= (-spec.threshold if spec.prefer == "lowest" else spec.threshold)
    return eligible


def _inclusion_of_eligible(spec: SampleSpec, scores: Float64s, sizes: Int64s, budget: int) -> probabilities.Inclusion:
    if spec.method == "length_matched":
        method = "uniform" if spec.by is None else spec.match or "cdf"
        other = _inclusion_of_eligible(spec.model_copy(update={"method": method}), scores, sizes, budget)
        return probabilities.length_matched(sizes, other.probability, budget)
    if spec.method == "gumbel_top_k":
        return probabilities.exponential(scores / (spec.temperature or 1.0), sizes, budget)
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
    ranking: Float64s | None = None,
) -> None:
    """Mark rows as selected in the order of their ranking until the budget is full; only of a positive probability.

    ``ranking`` has n entries; None: the Pareto ranking, in which probabilities of 1 are certain.
    """
    rows = rows[probability[rows] > 0.0]
    certain = (probability[rows] >= 1.0) & (ranking is None)
    sure = rows[certain]
    selected[sure] = True
    rows = rows[~certain]
    if len(rows) == 0:
        return
    keys = pareto_order(probability[rows], drawn[rows]) if ranking is None else ranking[rows]
    rows = rows[ascending(keys, words[rows])]
    in_order = sizes[rows]
    chosen = filled(in_order, budget - int(sizes[sure].sum()), stop_below=float(in_order.mean()))
    selected[rows[chosen]] = True


def _summary(spec: SampleSpec, draw: _Draw, sizes: Int64s, repeats: Int64s) -> StratumDraw:
    tokens, times = sizes[draw.rows], repeats[draw.rows]
    hard = draw.inclusion.hard
    hard_scores = draw.scores[hard]
    hard_score = float(hard_scores[0]) if len(hard_scores) and np.isfinite(hard_scores[0]) else None
    if hard_score is not None and spec.prefer == "lowest":
        hard_score = -hard_score
    return StratumDraw(
        stratum=draw.label,
        rows=len(draw.rows),
        tokens=int(tokens.sum()),
        budget_tokens=draw.budget,
        selected_rows=int((times > 0).sum()),
        selected_tokens=int((tokens * times).sum()),
        hard_rows=len(hard_scores),
        hard_tokens=int(tokens[hard].sum()),
        hard_score=hard_score,
        r=draw.inclusion.r,
        expected_tokens=float((draw.inclusion.probability * tokens).sum()),
        epochs=draw.epochs,
    )
