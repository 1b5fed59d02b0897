"""Columns of rollouts: one answer of a policy to a prompt, with the criteria that the prompt brings along."""

from __future__ import annotations

import pyarrow as pa

from winnowry.records.conversations import TURNS

_LONG = pa.large_string()


def _column(name: str, kind: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, kind, metadata={"description": description})


ROLLOUT = (
    _column("prompt_id", pa.string(), "The prompt that is answered: rollouts of one are compared"),
    _column("prompt", TURNS, "Its turns"),
    _column("policy", pa.string(), "The model that answered"),
    _column("policy_step", pa.int64(), "The step of its training"),
    _column("criteria", _LONG, "Criteria of the prompt of its own, as a JSON array; null where it has none"),
    _column("reference", _LONG, "A right or a good answer, where there is one"),
    _column("finish", pa.string(), "Why the answer ended, as the endpoint says: `stop`, `length`"),
    _column("n_rollouts", pa.int64(), "1: what a budget of rollouts counts"),
    _column("group", pa.string(), "Rollouts of one prompt belong on one side of a split"),
)
"""The text of the record is the answer."""
