"""Arms: ways to select documents for a token budget, all through the one sampling mechanism."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from winnowry.evidence.comparison.dsir import log_importance
from winnowry.evidence.comparison.pool import Pool, complexity_operator
from winnowry.operators.scoring.grammatical_complexity import GrammaticalComplexity
from winnowry.operators.scoring.ngram import NgramModel
from winnowry.operators.scoring.ngram_tokens import vocabulary_size
from winnowry.recipe.comparison import Comparison
from winnowry.recipe.model import Recipe
from winnowry.sampling.draw import permanent_random
from winnowry.sampling.select import select
from winnowry.sampling.spec import SampleSpec

Int64s = npt.NDArray[np.int64]
Float64s = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Role = Literal["candidate", "reference", "positive_control", "negative_control"]

POSITIVE, NEGATIVE = "target_train", "shuffled_words"
ROLES: dict[str, Role] = {
    "random": "reference",
    "length_matched": "reference",
    "full": "reference",
    POSITIVE: "positive_control",
    NEGATIVE: "negative_control",
}
POOL_SHARE = 0.9
"""Of the pool, drawn anew for each seed: what differs between draws says how far a result holds for another pool."""
_POOL_SEED, _ARM_SEED = 1_000_003, 2_000_003
_GUMBEL_SEED = 3_000_017


@dataclass(frozen=True)
class Chosen:
    """What an arm selected.

    Attributes:
        documents: indexes into the pool's documents; one that `epochs` repeat is there as often.
        from_target: documents of the target's training half that come first (the positive control).
        shuffled: the tokens of each document are to be shuffled (the negative control).
        seconds: CPU seconds of scoring, the first time, and selecting.
    """

    documents: Int64s
    from_target: Int64s
    shuffled: bool
    seconds: float


class Arms:
    """All arms over one pool.

    Args:
        recipe: whose selection is compared.
        pool: what is selected from.
    """

    def __init__(self, recipe: Recipe, pool: Pool) -> None:
        assert recipe.comparison is not None
        assert recipe.sample is not None
        self.recipe, self.pool = recipe, pool
        self.comparison: Comparison = recipe.comparison
        self.spec: SampleSpec = recipe.sample

    def part(self, seed: int) -> Int64s:
        """The share of the pool that a seed sees: the same for all arms."""
        drawn = permanent_random(self.pool.words, self.comparison.seed + _POOL_SEED + seed)
        return np.flatnonzero(drawn < POOL_SHARE).astype(np.int64)

    def choose(
        self, arm: str, seed: int, token_fraction: float, *, without: str | None = None, source: str | None = None
    ) -> Chosen:
        """Select with an arm.

        Args:
            arm: name of an arm or a control.
            seed: repetition.
            token_fraction: budget as a share of the tokens that the seed sees.
            without: component that the complexity score leaves out (attribution).
            source: source whose documents are left out (attribution); the budget stays.
        """
        started = _cpu_seconds()
        rows = self.part(seed)
        budget = int(token_fraction * self.pool.sizes[rows].sum())
        if source is not None:
            rows = rows[self.pool.sources[rows] != source]
        target = np.empty(0, np.int64)
        if arm == "full":
            chosen = rows
        elif arm == POSITIVE:
            target, left = self._target(budget)
            chosen = (
                self._by(rows, SampleSpec(method="uniform", tokens=left, seed=self._draw_seed)) if left else rows[:0]
            )
        elif arm == "length_matched":
            chosen = self._length_matched(rows, budget)
        else:
            chosen = self._selected(arm, rows, budget, without)
        return Chosen(chosen, target, arm == NEGATIVE, _cpu_seconds() - started)

    def _selected(self, arm: str, rows: Int64s, budget: int, without: str | None) -> Int64s:
        uniform = SampleSpec(method="uniform", tokens=budget, seed=self._draw_seed)
        if arm in ("random", NEGATIVE):
            return self._by(rows, uniform)
        if arm == "bits_per_byte":
            return self._by(rows, _top(budget), -self._bits_per_byte[rows])
        if arm == "dsir":
            drawn = permanent_random(self.pool.words[rows], self._draw_seed + _GUMBEL_SEED)
            return self._by(rows, _top(budget), self._importance[rows] - np.log(-np.log(drawn)))
        if arm == "gc_paper":
            spec = SampleSpec(by="gc", tokens=budget, mode="paper", seed=self._draw_seed)
            return self._by(rows, spec, self._paper[rows])
        if arm == "gc_length_controlled":
            return self._by(rows, SampleSpec(by="gc", tokens=budget, seed=self._draw_seed), self._controlled[rows])
        assert arm == "recipe", arm
        unset = dict.fromkeys(("token_fraction", "fraction", "budget"))
        spec = self.spec.model_copy(update={**unset, "tokens": budget, "seed": self._draw_seed})
        scores = None
        if without is not None:
            scores = self._without(without)[rows]
        elif self.spec.by is not None:
            column = self.pool.columns[self.spec.by].to_numpy(zero_copy_only=False).astype(np.float64)
            scores = column[rows]
        strata = [self.pool.columns[name].take(pa.array(rows)).cast(pa.string()) for name in self.spec.strata]
        labels = pa.compute.binary_join_element_wise(*strata, "|") if strata else None
        return self._by(rows, spec if labels is None else _without_absent(spec, labels), scores, labels)

    def _by(self, rows: Int64s, spec: SampleSpec, scores: Float64s | None = None, strata: Any | None = None) -> Int64s:
        selection = select(self.pool.words[rows], scores, self.pool.sizes[rows], spec, strata)
        return np.repeat(rows, selection.repeats)  # what the recipe takes twice the proxy sees twice

    @property
    def _draw_seed(self) -> int:
        """Of the arms' own chance: the same in every draw of the pool, or its spread would count as the pool's."""
        return self.comparison.seed + _ARM_SEED

    def _length_matched(self, rows: Int64s, budget: int) -> Int64s:
        """Uniform within bins of length, in each as many tokens as the recipe's selection has there."""
        reference = self._selected("recipe", rows, budget, None)
        bins = np.floor(2 * np.log2(np.maximum(self.pool.sizes, 1))).astype(np.int64)
        parts = []
        for number in np.unique(bins[reference]).tolist():
            inside = rows[bins[rows] == number]
            wanted = int(self.pool.sizes[reference[bins[reference] == number]].sum())
            if wanted:
                parts.append(self._by(inside, SampleSpec(method="uniform", tokens=wanted, seed=self._draw_seed)))
        chosen = np.concatenate(parts) if parts else rows[:0]
        # Each bin falls short by part of a document; together they would be an arm with fewer tokens than the others.
        left = budget - int(self.pool.sizes[chosen].sum())
        if left > 0:
            others = np.setdiff1d(rows, chosen)
            more = self._by(others, SampleSpec(method="uniform", tokens=left, seed=self._draw_seed))
            chosen = np.concatenate([chosen, more])
        return np.sort(chosen)

    def _target(self, budget: int) -> tuple[Int64s, int]:
        """Documents of the target's training half for the budget, and the tokens that it leaves."""
        sizes = self.pool.target.lengths
        index = np.arange(len(sizes), dtype=np.uint64)
        order = np.argsort(permanent_random(np.stack([index, index], axis=1), self._draw_seed))
        documents = order[np.cumsum(sizes[order]) <= budget]
        left = budget - int(sizes[documents].sum())
        return documents.astype(np.int64), left if len(documents) == len(sizes) else 0

    @cached_property
    def _bits_per_byte(self) -> Float64s:
        target = self.pool.target
        model = NgramModel.train(target.token_ids, target.offsets, order=3, vocabulary_size=vocabulary_size())
        ids, offsets = self.pool.tokens.gather(self.pool.documents)
        bits_per_byte: Float64s = model.document_bits(ids, offsets) / np.maximum(
            self.pool.tokens.n_bytes[self.pool.documents], 1
        )
        return bits_per_byte

    @cached_property
    def _importance(self) -> Float64s:
        ids, offsets = self.pool.tokens.gather(self.pool.documents)
        return log_importance(ids, offsets, self.pool.target.token_ids, self.pool.target.offsets)

    @cached_property
    def complexity(self) -> GrammaticalComplexity:
        """The recipe's complexity score without a cascade: every text of the pool is measured."""
        return complexity_operator(self.recipe)

    def _rescored(self, **changes: Any) -> Float64s:
        operator = self.complexity.model_copy(update=changes)
        scores: Float64s = operator.scores(self.pool.components, operator.fit(self.pool.components))
        return np.nan_to_num(scores, nan=-np.inf)

    @cached_property
    def _paper(self) -> Float64s:
        return self._rescored(normalise="minmax", length_control="none", cascade=None)

    @cached_property
    def _controlled(self) -> Float64s:
        return self._rescored(normalise="robust", length_control="residual", cascade=None)

    def _without(self, component: str) -> Float64s:
        weights = self.complexity.weights.model_copy(update={component: 0.0})
        return self._rescored(weights=weights, cascade=None)

    def components(self) -> tuple[str, ...]:
        """Components of the score that the recipe selects by, each of which can be left out."""
        if self.spec.by != self.complexity.as_:
            return ()
        names = [name.removeprefix(f"{self.complexity.as_}_") for name in self.complexity.components().names]
        weighed = [name for name in names if getattr(self.complexity.weights, name, 0.0) > 0.0]
        return tuple(weighed) if len(weighed) > 1 else ()

    def source_names(self) -> tuple[str, ...]:
        """Sources of the pool, each of which can be left out; none where there is only one."""
        names = sorted(set(self.pool.sources.tolist()))
        return tuple(names) if len(names) > 1 else ()


def _without_absent(spec: SampleSpec, labels: Any) -> SampleSpec:
    """The specification for the strata that are there: a source may be left out, or not among what a seed sees."""
    present = set(labels.unique().to_pylist())
    return spec.model_copy(
        update={
            name: {stratum: value for stratum, value in getattr(spec, name).items() if stratum in present}
            for name in ("quotas", "weights", "epochs")
        }
    )


def _top(budget: int) -> SampleSpec:
    return SampleSpec(method="top_k", by="score", tokens=budget)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
