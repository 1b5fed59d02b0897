"""``score.grammatical_complexity``: how rich the words and how involved the sentences of a text are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from winnowry.core.errors import UsageError
from winnowry.operators.base import FittedOperator
from winnowry.operators.scoring.lexical import lexical_components
from winnowry.operators.scoring.statistics import Normalise, expected_at, length_regression, normalised, summary
from winnowry.operators.scoring.tagged import tagged_components, tagger_version

Float64s = npt.NDArray[np.float64]

COMPONENTS = ("con_ent", "pos_ent", "sent_len")
FIT_VERSION = 1


class ComponentWeights(BaseModel):
    """Weight of each component; they are divided by the sum of those that could be measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    con_ent: float = Field(default=1.0, ge=0.0, allow_inf_nan=False, description="weight of lexical diversity")
    pos_ent: float = Field(default=1.0, ge=0.0, allow_inf_nan=False, description="weight of grammatical diversity")
    sent_len: float = Field(default=1.0, ge=0.0, allow_inf_nan=False, description="weight of sentence length")

    @model_validator(mode="after")
    def _some_weight(self) -> Self:
        if self.con_ent + self.pos_ent + self.sent_len <= 0.0:
            raise ValueError("all weights are 0; give at least one component a weight above 0")
        return self


class GrammaticalComplexity(FittedOperator):
    """Grammatical complexity of English text: higher is more complex, 0 to 1.

    Three components, each on a common scale, then their weighted mean:

    * ``con_ent``: entropy in bits of the surface forms of content words (lexical diversity);
    * ``pos_ent``: entropy in bits of part-of-speech tags (tier tagged) or, its stand-in without a tagger, of
      function words (tier lexical);
    * ``sent_len``: natural log of the mean sentence length in words.

    These are the components of CDF-GC that need no parser; the paper has two more, of dependency trees. A component
    that cannot be measured is left out, the weights of the others are scaled up, and ``<as>_partial`` is true. A text
    without any word, or a null, has a null score. Scores are never NaN.

    The paper's own form is ``normalise: minmax, length_control: none``. The defaults differ because of what was
    measured: one outlier shifts every min-max score (CURATION-SPEC §1.6 (4)), and entropy grows with length, so the
    highest scores are largely the longest texts (§1.6 (5), docs/reference/scores.md).

    Writes ``<as>`` (double), ``<as>_con_ent``, ``<as>_pos_ent``, ``<as>_sent_len`` (double, un-normalised),
    ``<as>_partial`` (bool).

    Source: Ying et al., EMNLP 2025 main 1121; CURATION-SPEC §1.1, §1.2, §1.7.
    """

    COST: ClassVar[Literal["cheap", "costly"]] = "costly"

    op: Literal["score.grammatical_complexity"] = "score.grammatical_complexity"
    as_: str = Field(
        default="gc", alias="as", min_length=1, description="name of the score column and prefix of the others"
    )
    tier: Literal["lexical", "tagged"] = Field(
        default="lexical",
        description="lexical: counts of words, no model; tagged: part-of-speech tags by spaCy (extra winnowry[tagged])",
    )
    normalise: Normalise = Field(
        default="robust",
        description="scale of the components: minmax (paper), rank, or robust (1st to 99th percentile of the pool)",
    )
    length_control: Literal["none", "residual"] = Field(
        default="residual",
        description=(
            "residual: components count as what they exceed the pool's expectation at that number of words; "
            "none: as measured (paper), where a high score is largely a long text"
        ),
    )
    weights: ComponentWeights = Field(default=ComponentWeights(), description="weights of the components")

    def reads(self) -> pa.Schema:
        """The text."""
        return pa.schema([pa.field("text", pa.large_string())])

    def writes(self) -> pa.Schema:
        """The score, its components as measured, and whether one is missing."""
        doubles = [pa.field(name, pa.float64()) for name in (self.as_, *self._component_names())]
        return pa.schema([*doubles, pa.field(f"{self.as_}_partial", pa.bool_(), nullable=False)])

    def components(self) -> pa.Schema:
        """The components as measured and the number of words."""
        names = (*self._component_names(), f"{self.as_}_n_words")
        return pa.schema([pa.field(name, pa.float64()) for name in names])

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Measure n texts.

        Raises:
            ImportError: tier tagged without the extra ``tagged``.
        """
        texts = batch.column("text")
        measured = tagged_components(texts) if self.tier == "tagged" else lexical_components(texts)
        return pa.record_batch([_nullable(column) for column in measured.T], schema=self.components())

    def fit(self, components: pa.Table) -> dict[str, Any]:
        """Summarise the components of a reference pool; the order of its rows does not matter.

        Args:
            components: n rows of :meth:`measure`.

        Returns:
            A JSON object: ``version``, ``tier``, ``tagger``, ``length_control``, ``n_rows``, ``log_words`` (range of
            the log of the number of words) and for each component ``length_coefficients`` and ``values`` (count,
            mean, standard deviation, range, percentiles and quantiles, after length control). A pool without a
            single word gives empty statistics, with which no text has a score.
        """
        measured = self._columns(components)
        n_words = measured[:, 3]
        worded = n_words > 0
        log_words = np.log(n_words[worded])
        limits = (float(log_words.min()), float(log_words.max())) if len(log_words) else (0.0, 0.0)
        fitted: dict[str, Any] = {}
        for number, name in enumerate(COMPONENTS):
            values = measured[worded, number]
            known = ~np.isnan(values)
            coefficients = length_regression(values[known], log_words[known])
            if self.length_control == "residual":
                values = values - expected_at(log_words, coefficients, limits)
            fitted[name] = {"length_coefficients": coefficients, "values": summary(values[known])}
        return {
            "version": FIT_VERSION,
            "operator": self.op,
            "operator_version": self.VERSION,
            "tier": self.tier,
            "tagger": tagger_version() if self.tier == "tagged" else None,
            "length_control": self.length_control,
            "n_rows": len(measured),
            "n_rows_with_words": int(worded.sum()),
            "log_words": {"min": limits[0], "max": limits[1]},
            "components": fitted,
        }

    def apply_fitted(self, batch: pa.RecordBatch, fit: Mapping[str, Any]) -> pa.RecordBatch:
        """Score n texts with frozen statistics.

        Raises:
            UsageError: the statistics were fitted with another version, tier or length control.
        """
        return self.combine(self.measure(batch), fit)

    def combine(self, components: pa.RecordBatch | pa.Table, fit: Mapping[str, Any]) -> pa.RecordBatch:
        """Scores from components that were measured before.

        Args:
            components: n rows of :meth:`measure`; a null component is one that could not be measured.
            fit: what :meth:`fit` returned.

        Returns:
            n rows of :meth:`writes`.

        Raises:
            UsageError: the statistics were fitted with another version, tier or length control.
        """
        self._check(fit)
        measured = self._columns(components)
        n_words = measured[:, 3]
        log_words = np.log(np.maximum(n_words, 1.0))
        limits = (float(fit["log_words"]["min"]), float(fit["log_words"]["max"]))
        score = np.zeros(len(measured))
        weight = np.zeros(len(measured))
        for number, name in enumerate(COMPONENTS):
            pool = fit["components"][name]
            values = measured[:, number]
            if self.length_control == "residual":
                values = values - expected_at(log_words, pool["length_coefficients"], limits)
            scaled = normalised(values, pool["values"], self.normalise)
            known = ~np.isnan(scaled) & bool(pool["values"]["n"])
            share = float(getattr(self.weights, name))
            score[known] += share * scaled[known]
            weight[known] += share
        with np.errstate(invalid="ignore"):
            score /= weight  # 0 / 0 where nothing could be measured: null below
        missing = np.isnan(measured[:, : len(COMPONENTS)]).any(axis=1)
        columns = [_nullable(score), *(_nullable(measured[:, number]) for number in range(len(COMPONENTS)))]
        return pa.record_batch([*columns, pa.array(missing)], schema=self.writes())

    def fingerprint(self) -> dict[str, Any]:
        """Name, version and parameters; for tier tagged also the tagger's package version."""
        found = super().fingerprint()
        return {**found, "tagger": tagger_version()} if self.tier == "tagged" else found

    def _component_names(self) -> tuple[str, ...]:
        return tuple(f"{self.as_}_{name}" for name in COMPONENTS)

    def _columns(self, components: pa.RecordBatch | pa.Table) -> Float64s:
        """Components as float64 (n, 4), nulls as NaN."""
        read = np.empty((components.num_rows, 4), np.float64)
        for number, name in enumerate(self.components().names):
            column = components.column(name)
            values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
            read[:, number] = values.to_numpy(zero_copy_only=False)
        return read

    def _check(self, fit: Mapping[str, Any]) -> None:
        expected = {
            "version": FIT_VERSION,
            "operator": self.op,
            "operator_version": self.VERSION,
            "tier": self.tier,
            "length_control": self.length_control,
        }
        wrong = [
            f"{key} {fit.get(key)!r}, expected {value!r}" for key, value in expected.items() if fit.get(key) != value
        ]
        if wrong:
            raise UsageError(
                f"the statistics given to {self.op} ({self.as_}) do not fit it: {'; '.join(wrong)}; "
                "run the stage fit again"
            )


def _nullable(values: Float64s) -> pa.Array:
    """NaN as null: a measure that does not exist is null, so that no later sum or comparison meets a NaN."""
    return pa.array(np.ascontiguousarray(values), pa.float64(), mask=np.isnan(values))
