"""What VALID² asks of a release: six letters, their indicators, and thresholds by domain and consumer.

The six qualities (Vitality, Authenticity, Large sample, Integrity, Diversity, knowledge Density) are the ones named for
high-quality data sets in China; no numbers are published for them. Indicators and thresholds are this project's own.
"""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Literal, NamedTuple, get_args

from pydantic import Field, model_validator

from winnowry.operators.quality import Family
from winnowry.recipe.base import GrowingPart, RecipePart

Letter = Literal["vitality", "authenticity", "large_sample", "integrity", "diversity", "density"]
LETTERS: tuple[Letter, ...] = get_args(Letter)

Domain = Literal["general", "news", "industry", "code", "timeless"]
Consumer = Family
Unit = Literal["share", "count", "days", "number"]

IndicatorName = Literal[
    "time_known", "fresh_share", "future_share", "half_life_score", "age_p50",
    "source_known", "license_known", "url_valid", "hash_verified", "synthetic_share", "synthetic_gap",
    "fact_conflict", "annotated_share", "annotation_accuracy", "annotation_kappa",
    "rows", "tokens", "size", "effective_share", "effective_rows", "smallest_stratum", "rate_half_width",
    "required_known", "text_present", "decoded_share", "traced_share", "truncated_share", "split_leak",
    "quarantined_share",
    "source_entropy", "top_source_share", "language_entropy", "license_entropy", "time_entropy", "stratum_entropy",
    "duplicate_share", "near_duplicate_share", "compression_ratio", "vendi_score", "effective_clusters",
    "boilerplate_share", "bytes_per_token", "content_word_share", "numbers_per_100_tokens", "zstd_ratio",
    "zstd_typical", "bits_per_byte", "knowledge_density", "reading_ease",
    "distorted_share", "clipped_share", "unstable_share", "narrow_share", "word_error_rate",
]  # fmt: skip


class Wanted(NamedTuple):
    """One indicator.

    Attributes:
        letter: quality it belongs to.
        at_least: whether more is better; the threshold is a floor then, else a ceiling.
        threshold: default; None: reported, not judged.
        unit: ``share`` is 0 to 1.
        label: for people.
    """

    letter: Letter
    at_least: bool
    threshold: float | None
    unit: Unit
    label: str


INDICATORS: dict[IndicatorName, Wanted] = {
    "time_known": Wanted("vitality", True, 0.95, "share", "records with a date"),
    "fresh_share": Wanted("vitality", True, None, "share", "tokens dated within the fresh days before the snapshot"),
    "future_share": Wanted("vitality", False, 0.001, "share", "records dated after the snapshot"),
    "half_life_score": Wanted("vitality", True, None, "share", "mean of 2^(-age/half-life) over dated tokens"),
    "age_p50": Wanted("vitality", False, None, "days", "median age of dated records"),
    "source_known": Wanted("authenticity", True, 0.99, "share", "records with a source"),
    "license_known": Wanted("authenticity", True, 0.99, "share", "records with a licence"),
    "url_valid": Wanted("authenticity", True, 0.99, "share", "values of `url` that are HTTP(S) URLs"),
    "hash_verified": Wanted("authenticity", True, 1.0, "share", "records as read whose SHA-256 is the recorded one"),
    "synthetic_share": Wanted("authenticity", False, None, "share", "records marked as synthetic"),
    "synthetic_gap": Wanted("authenticity", False, 0.05, "share", "declared less marked synthetic share, absolute"),
    "fact_conflict": Wanted("authenticity", False, 0.01, "share", "repeated keys with different values"),
    "annotated_share": Wanted("authenticity", True, None, "share", "records with a label"),
    "annotation_accuracy": Wanted("authenticity", True, 0.95, "share", "labels that are those of the reference"),
    "annotation_kappa": Wanted("authenticity", True, None, "number", "Cohen's kappa of labels and reference"),
    "rows": Wanted("large_sample", True, 1, "count", "records"),
    "tokens": Wanted("large_sample", True, None, "count", "tokens"),
    "size": Wanted("large_sample", True, None, "number", "size in the unit of the kind, where that is not tokens"),
    "effective_share": Wanted("large_sample", True, 0.9, "share", "effective records of all records"),
    "effective_rows": Wanted("large_sample", True, None, "count", "records / mean size of a group of copies"),
    "smallest_stratum": Wanted("large_sample", True, None, "count", "records of the smallest declared stratum"),
    "rate_half_width": Wanted("large_sample", False, 0.05, "share", "95 % half-width of a rate of one half"),
    "required_known": Wanted("integrity", True, 1.0, "share", "least filled required column"),
    "text_present": Wanted("integrity", True, 1.0, "share", "records whose text is not blank"),
    "decoded_share": Wanted("integrity", True, 0.999, "share", "records read that could be decoded"),
    "traced_share": Wanted("integrity", True, 1.0, "share", "records that lead back to one in `raw`"),
    "truncated_share": Wanted("integrity", False, 0.05, "share", "texts that end without terminal punctuation"),
    "split_leak": Wanted("integrity", False, 0.0, "share", "texts that lie in more than one split"),
    "quarantined_share": Wanted("integrity", False, None, "share", "records read that were quarantined"),
    "source_entropy": Wanted("diversity", True, 0.6, "share", "normalised entropy of tokens over sources"),
    "top_source_share": Wanted("diversity", False, 0.4, "share", "tokens of the largest source"),
    "language_entropy": Wanted("diversity", True, None, "share", "normalised entropy of tokens over languages"),
    "license_entropy": Wanted("diversity", True, None, "share", "normalised entropy of tokens over licences"),
    "time_entropy": Wanted("diversity", True, None, "share", "normalised entropy of tokens over years"),
    "stratum_entropy": Wanted("diversity", True, 0.6, "share", "normalised entropy over declared strata, lowest"),
    "duplicate_share": Wanted("diversity", False, 0.05, "share", "records that copy another one exactly"),
    "near_duplicate_share": Wanted("diversity", False, 0.05, "share", "records that nearly copy a published one"),
    "compression_ratio": Wanted("diversity", False, None, "number", "bytes of sampled texts together / compressed"),
    "vendi_score": Wanted("diversity", True, None, "number", "effective number of different sampled records"),
    "effective_clusters": Wanted("diversity", True, None, "number", "effective number of clusters of an embedding"),
    "boilerplate_share": Wanted("density", False, 0.1, "share", "characters in lines of several texts or of policies"),
    "bytes_per_token": Wanted("density", True, None, "number", "UTF-8 bytes of text a token"),
    "content_word_share": Wanted("density", True, None, "share", "English words that are not function words"),
    "numbers_per_100_tokens": Wanted("density", True, None, "number", "numbers in the text per 100 tokens"),
    "zstd_ratio": Wanted("density", True, None, "number", "median of bytes / compressed bytes of a text"),
    "zstd_typical": Wanted("density", True, 0.98, "share", "texts whose compression lies in the reference range"),
    "bits_per_byte": Wanted("density", False, None, "number", "mean bits per byte under the recipe's model"),
    "knowledge_density": Wanted("density", True, None, "number", "mean of the column `knowledge_density`"),
    "reading_ease": Wanted("density", True, None, "number", "mean Flesch reading ease"),
    "distorted_share": Wanted("density", False, None, "share", "pictures that look poor to people"),
    "clipped_share": Wanted("density", False, None, "share", "recordings that people hear cut off"),
    "unstable_share": Wanted("density", False, None, "share", "pictures whose copies a machine takes for others"),
    "narrow_share": Wanted("density", False, None, "share", "recordings without high frequencies"),
    "word_error_rate": Wanted("density", False, None, "number", "words that a recogniser had wrong, of all"),
}
"""Every indicator, in the order of the card."""


class _Preset(NamedTuple):
    fresh_days: int
    half_life_days: int
    fresh_share: float | None


_DOMAINS: dict[Domain, _Preset] = {
    "general": _Preset(365, 365, 0.1),
    "news": _Preset(90, 30, 0.5),
    "industry": _Preset(1095, 730, 0.2),
    "code": _Preset(730, 730, 0.2),
    "timeless": _Preset(3650, 3650, None),
}
_CONSUMERS: dict[Consumer, dict[IndicatorName, float]] = {
    "people": {"reading_ease": 30.0, "distorted_share": 0.1, "clipped_share": 0.1},
    "machine": {"bytes_per_token": 2.0, "unstable_share": 0.1, "narrow_share": 0.1, "word_error_rate": 0.3},
}


class Annotation(RecipePart):
    """Labels, and what they are judged by."""

    column: str = Field(min_length=1, description="column of published that holds the labels")
    reference: str = Field(
        min_length=1,
        description="column with a second annotator's labels, or with gold in some planted records and null elsewhere",
    )


class KeyedFacts(RecipePart):
    """Records that state a value for a key: of one key all should state the same."""

    key: str = Field(min_length=1, description="column of published that says what a record is about")
    value: str = Field(min_length=1, description="column with what it says")


class Valid2Gate(GrowingPart):
    """Gate on the VALID² card of a release; without it the card is made and blocks nothing."""

    domain: Domain = Field(
        default="general", description="preset of what is fresh: general, news, industry, code, timeless"
    )
    consumer: Consumer = Field(
        default="machine",
        description="whose family of quality is judged, in density: people (reading ease, distortion, clipping) or "
        "machine (tokens, stable hashes, bandwidth, word errors)",
    )
    blocks: tuple[Letter, ...] = Field(
        default=LETTERS, description="letters that stop a release when they fail; the others warn"
    )
    thresholds: dict[IndicatorName, float | None] = Field(
        default_factory=dict, description="threshold by indicator, in place of the preset's; null: not judged"
    )
    as_of: date | None = Field(default=None, description="date of the snapshot; unless set, the time of the release")
    fresh_days: int | None = Field(default=None, ge=1, description="days that are fresh; unless set, the domain's")
    half_life_days: int | None = Field(default=None, ge=1, description="half-life; unless set, the domain's, in days")
    strata: tuple[str, ...] = Field(
        default=(), description="columns of published whose values must be spread; unless set, the sample's strata"
    )
    required: tuple[str, ...] = Field(default=("source",), description="columns that every record must have filled")
    synthetic_share: float | None = Field(
        default=None, ge=0, le=1, description="share of synthetic records as declared by the owner"
    )
    annotation: Annotation | None = Field(default=None, description="labels that are judged; unset: there are none")
    facts: KeyedFacts | None = Field(default=None, description="keys and values that must not contradict each other")
    embedding: str | None = Field(
        default=None, min_length=1, description="column of published with a vector a record; unset: words are compared"
    )
    zstd_range: tuple[float, float] | None = Field(
        default=None, description="compression of 98 % of a reference set, lowest and highest, for `zstd_typical`"
    )
    sample_records: int = Field(
        default=2000, ge=100, le=1_000_000, description="records whose text is read, drawn by the hash of their ids"
    )

    _LATER: ClassVar[frozenset[str]] = frozenset(
        {"as_of", "fresh_days", "half_life_days", "synthetic_share", "annotation", "facts", "embedding", "zstd_range"}
    )

    @model_validator(mode="after")
    def _in_range(self) -> Valid2Gate:
        for name, value in self.thresholds.items():
            if value is not None and (value < 0 or (INDICATORS[name].unit == "share" and value > 1)):
                limit = "0 to 1" if INDICATORS[name].unit == "share" else "0 or more"
                raise ValueError(f"`thresholds.{name}` is {value}; expected {limit}")
        if self.zstd_range is not None and self.zstd_range[0] > self.zstd_range[1]:
            raise ValueError("`zstd_range` is [lowest, highest]")
        return self

    def threshold(self, name: IndicatorName) -> float | None:
        """What an indicator must reach or not exceed; None where it is only reported.

        >>> Valid2Gate(domain="news").threshold("fresh_share"), Valid2Gate().threshold("age_p50")
        (0.5, None)
        """
        if name in self.thresholds:
            return self.thresholds[name]
        if name == "fresh_share":
            return _DOMAINS[self.domain].fresh_share
        return _CONSUMERS[self.consumer].get(name, INDICATORS[name].threshold)

    def freshness(self) -> tuple[int, int]:
        """Days that are fresh, and the half-life in days."""
        preset = _DOMAINS[self.domain]
        return self.fresh_days or preset.fresh_days, self.half_life_days or preset.half_life_days
