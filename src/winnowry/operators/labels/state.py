"""``labels.state``: which records are labels at all."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa
from pydantic import Field

from winnowry.operators.base import Operator, Rule
from winnowry.records.annotations import State

_LABELS: tuple[State, ...] = ("labelled", "background")


class LabelState(Operator):
    """Keep records that are labels: with boxes, or with the answer that there is nothing.

    Work that was skipped, and images that nobody has looked at, have no boxes either; trained on, they would say that
    their images are empty.

    Writes ``label_state`` (string): the state.
    """

    op: Literal["labels.state"] = "labels.state"
    keep: tuple[State, ...] | None = Field(
        default=_LABELS,
        min_length=1,
        description="states that are kept, of labelled, background, unlabelled and skipped; null: all",
    )

    def reads(self) -> pa.Schema:
        """``state``."""
        return pa.schema([pa.field("state", pa.string())])

    def writes(self) -> pa.Schema:
        """``label_state``, or the name of ``as``."""
        return pa.schema([(self.as_ or "label_state", pa.string())])

    def rules(self) -> tuple[Rule, ...]:
        """Only labels; a record without a state is none."""
        if self.keep is None:
            return ()
        return (Rule(name="keep", column=self.as_ or "label_state", comparison="in", threshold=self.keep),)

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Look at the state of n records."""
        return pa.RecordBatch.from_arrays([batch.column("state")], schema=self.writes())
