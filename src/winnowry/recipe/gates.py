"""Parameters of the gates, by stage; the suites themselves are code in ``expectations/``."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from winnowry.recipe.accepted import Accepted
from winnowry.recipe.base import GrowingPart, RecipePart
from winnowry.recipe.valid2 import Valid2Gate


class _Drift(RecipePart):
    max_drift: float = Field(default=0.5, ge=0, description="relative change against trailing partitions that warns")


class LandingGate(RecipePart):
    """Gate of ``landing``: what may be lost of objects and of records before any partition sees them."""

    max_unreadable_objects: int = Field(
        default=0, ge=0, description="most objects that are truncated, damaged, of an unknown format, or wholly refused"
    )
    max_unread_bytes_fraction: float = Field(
        default=0.1, ge=0, le=1, description="largest share of all bytes, as stored, that such objects leave unread"
    )
    max_quarantined_fraction: float | None = Field(
        default=None, ge=0, le=1, description="largest share of a source's records refused; that of raw unless set"
    )


class RawGate(_Drift):
    """Gate of ``raw``."""

    min_rows: int = Field(default=1, ge=0, description="fewest records")
    max_quarantined_fraction: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="largest share quarantined by landing and raw together; at the default, half itself is too much "
        "and more than a tenth warns",
    )


class CleanedGate(_Drift):
    """Gate of ``cleaned``."""

    min_kept_fraction: float = Field(default=0.05, ge=0, le=1, description="smallest share of records kept")
    languages: tuple[str, ...] = Field(default=(), description="languages expected; empty: not checked")
    min_language_share: float = Field(default=0.9, ge=0, le=1, description="share of records in those languages")


class DuplicatesGate(RecipePart):
    """Gate of ``duplicates``."""

    max_dropped_fraction: float = Field(
        default=0.9,
        ge=0,
        le=1,
        description="largest share of records dropped because others stand for them; unless the gate is set, more "
        "than half warns",
    )


class ScoredGate(_Drift):
    """Gate of ``scored``."""

    max_length_correlation: float = Field(default=1.0, ge=0, le=1, description="largest |Spearman(score, tokens)|")
    min_scored_fraction: float = Field(default=0.95, ge=0, le=1, description="share of records with a score")


class SampledGate(GrowingPart):
    """Gate of ``sampled``."""

    budget_tolerance_records: float = Field(default=1.0, ge=0, description="budget may be missed by so many records")
    disjoint: tuple[str, str] | None = Field(
        default=None,
        description="two columns, e.g. `[speaker, split]`: no value of the first may lie in two of the second among "
        "the records that are drawn; records without either do not count",
    )

    _LATER: ClassVar[frozenset[str]] = frozenset({"disjoint"})


class ComparisonGate(RecipePart):
    """Gate of ``comparison``: with it, a selection that does not prove itself is not published."""

    better_than: Literal["random", "length_matched"] = Field(
        default="length_matched", description="the selection must beat this arm by more than the detectable effect"
    )
    on: str = Field(default="holdout", description="evaluation that decides: `holdout`, the target or another set")


class PublishedGate(GrowingPart):
    """Gate of ``published``."""

    min_rows: int = Field(default=1, ge=0, description="fewest records in a release")
    valid2: Valid2Gate | None = Field(
        default=None, description="gate on the VALID² card; without it the card is made and blocks nothing"
    )

    _LATER: ClassVar[frozenset[str]] = frozenset({"valid2"})


class Gates(GrowingPart):
    """Parameters of every stage's gate."""

    landing: LandingGate | None = Field(default=None, description="gate of landing")
    raw: RawGate = Field(default_factory=RawGate, description="gate of raw")
    cleaned: CleanedGate = Field(default_factory=CleanedGate, description="gate of cleaned")
    duplicates: DuplicatesGate | None = Field(default=None, description="gate of duplicates")
    scored: ScoredGate = Field(default_factory=ScoredGate, description="gate of scored")
    sampled: SampledGate = Field(default_factory=SampledGate, description="gate of sampled")
    comparison: ComparisonGate | None = Field(
        default=None, description="gate of comparison; without it a comparison reports and blocks nothing"
    )
    published: PublishedGate = Field(default_factory=PublishedGate, description="gate of published")
    accept: tuple[Accepted, ...] | None = Field(
        default=None, description="failures that are accepted, each signed with a reason"
    )

    _LATER: ClassVar[frozenset[str]] = frozenset({"landing", "duplicates", "comparison", "accept"})

    def left_out(self) -> dict[str, Accepted]:
        """Partitions that releases do without today, with who has signed for it."""
        return {
            accepted.partition: accepted
            for accepted in self.accept or ()
            if accepted.leave_out and accepted.partition is not None and accepted.counts()
        }

    @property
    def max_refused_fraction(self) -> float | None:
        """Largest share of records that ``landing``, or it and ``raw``, may refuse; None where the default holds.

        Half is the default of ``raw``, and stands for itself in the hash of every recipe: written out it means no more.
        """
        if self.landing is not None and self.landing.max_quarantined_fraction is not None:
            return self.landing.max_quarantined_fraction
        limit = self.raw.max_quarantined_fraction
        return limit if limit != RawGate.model_fields["max_quarantined_fraction"].default else None
