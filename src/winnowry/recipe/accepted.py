"""What a person accepts in spite of a gate, signed with a reason."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from pydantic import Field, model_validator

from winnowry.recipe.base import RecipePart


class Accepted(RecipePart):
    """A failure that is accepted: of one expectation for one partition, or a partition that releases do without."""

    stage: str | None = Field(default=None, description="stage whose gate refuses, e.g. `cleaned`")
    partition: str | None = Field(
        default=None, description="partition that it refuses; unset: the candidate of a stage over the whole corpus"
    )
    expectation: str | None = Field(
        default=None,
        description="what may fail: an expectation, e.g. `expect_fraction_kept_to_be_at_least`, or a suite, e.g. "
        "`cleaned.quality`",
    )
    leave_out: bool = Field(
        default=False, description="releases do without this partition, and the others do not wait for it"
    )
    reason: str = Field(min_length=1, description="why; stands on the release page")
    by: str = Field(min_length=1, description="who accepts it; stands on the release page")
    until: date | None = Field(default=None, description="last day on which it counts (UTC); unset: for good")

    @model_validator(mode="after")
    def _complete(self) -> Accepted:
        if self.leave_out:
            if self.partition is None:
                raise ValueError("`leave_out: true` needs `partition`")
            if self.stage is not None or self.expectation is not None:
                raise ValueError("`leave_out: true` is about the partition: it takes no `stage` and no `expectation`")
        elif self.stage is None or self.expectation is None:
            raise ValueError("needs `stage` and `expectation`, or `leave_out: true`")
        return self

    def counts(self) -> bool:
        """Whether it still counts today."""
        return self.until is None or datetime.now(UTC).date() <= self.until

    def signed(self) -> str:
        """Who accepted it, and why."""
        until = f" until {self.until.isoformat()}" if self.until is not None else ""
        return f"accepted by {self.by}{until}: {self.reason}"

    def document(self) -> dict[str, Any]:
        """The acceptance as JSON-serialisable data."""
        return self.model_dump(mode="json")
