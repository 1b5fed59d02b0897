"""What a stage over the whole corpus goes on without, and what it takes as it was: named, so that nobody wonders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from winnowry.recipe.accepted import Accepted

GAPS = "gaps"
"""What the metadata of a result calls the partitions that the stage went on without, or took as they were."""


@dataclass(frozen=True)
class Gap:
    """A partition that is not as it should be.

    Attributes:
        partition: its key.
        kind: ``missing``: none of its rows are used; ``stale``: the rows of an earlier promotion are.
        stage: the first of its stages that is missing or stale.
        promotion: of a stale one, the promotion of that stage whose rows are used.
        promoted_at: when that was promoted, ISO 8601.
        since: since when it is stale, ISO 8601; None where nothing says so.
        why: in words.
    """

    partition: str
    kind: Literal["missing", "stale"]
    stage: str
    why: str
    promotion: str | None = None
    promoted_at: str | None = None
    since: str | None = None

    def sentence(self) -> str:
        """The gap in words, without its partition."""
        if self.kind == "missing":
            return f"none of its rows: {self.stage} {self.why}"
        since = f" since {self.since}" if self.since is not None else ""
        return f"as of promotion {self.promotion} of {self.promoted_at}; {self.stage} is stale{since}: {self.why}"


@dataclass(frozen=True)
class Gaps:
    """All of them.

    Attributes:
        partitions: missing and stale ones.
        left_out: partitions that the recipe leaves out of releases, signed.
        unfit: missing ones that have rows, of an earlier state of the stage before: those rows are not read.
    """

    partitions: tuple[Gap, ...] = ()
    left_out: Mapping[str, Accepted] | None = None
    unfit: frozenset[str] = frozenset()

    @property
    def unread(self) -> frozenset[str]:
        """Partitions whose rows are not read, though there are some."""
        return self.unfit | frozenset(self.left_out or ())

    @property
    def missing(self) -> list[str]:
        """Partitions of which nothing is used, unless the recipe says so."""
        return [gap.partition for gap in self.partitions if gap.kind == "missing"]

    def lineage(self) -> dict[str, Any]:
        """What a promotion records of them; keys only for what there is."""
        stale = [asdict(gap) for gap in self.partitions if gap.kind == "stale"]
        left_out = [accepted.document() for accepted in (self.left_out or {}).values()]
        known: dict[str, Any] = {
            "missing_partitions": self.missing,
            "stale_partitions": stale,
            "left_out_partitions": left_out,
        }
        return {name: value for name, value in known.items() if value}
