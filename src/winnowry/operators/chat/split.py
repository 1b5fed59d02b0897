"""``group.split``: a split that parts no group."""

from __future__ import annotations

import hashlib
from typing import Literal, Self

import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.operators.base import Operator

_DRAWS = 1 << 64


class GroupSplit(Operator):
    """Put every record into a split by its group: records of one group are in the same one, in every run.

    The split is told by a hash of the group and the seed; so shares are met only about, and a record without a group
    is in none. With it, what asks the same never stands on both sides: the gate ``sampled: {disjoint: [group, split]}``
    proves it.

    Writes ``split``, or the name given by ``as``.

    >>> batch = pa.record_batch({"group": pa.array(["a", "a", None])})
    >>> GroupSplit(shares={"train": 0.5, "test": 0.5}).apply(batch)["split"].to_pylist()
    ['train', 'train', None]
    """

    op: Literal["group.split"] = "group.split"
    shares: dict[str, float] = Field(
        default={"train": 0.9, "test": 0.1},
        description="names of the splits, and the share of groups of each; 1 in all",
    )
    seed: int = Field(default=0, ge=0, lt=2**63, description="another one gives another split")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.shares or min(self.shares.values()) < 0 or abs(sum(self.shares.values()) - 1) > 1e-9:
            raise ValueError(f"shares are {self.shares}; expected shares of 0 or more that add up to 1")
        return self

    def reads(self) -> pa.Schema:
        """``group``."""
        return pa.schema([pa.field("group", pa.string())])

    def writes(self) -> pa.Schema:
        """``split``, string."""
        return pa.schema([pa.field(self.as_ or "split", pa.string())])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Name the splits of n records."""
        names = [None if group is None else self._split_of(group) for group in batch.column("group").to_pylist()]
        return pa.record_batch([pa.array(names, pa.string())], schema=self.writes())

    def _split_of(self, group: str) -> str:
        digest = hashlib.sha256(f"{self.seed}:{group}".encode("utf-8", "surrogatepass")).digest()
        draw, reached = int.from_bytes(digest[:8], "big") / _DRAWS, 0.0
        for name, share in sorted(self.shares.items()):  # their order in a recipe means nothing
            reached += share
            if draw < reached:
                return name
        return max(self.shares)
