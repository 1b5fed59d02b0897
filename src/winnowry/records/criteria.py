"""Columns of criteria: one thing that is asked of an answer, of a bank of rubrics."""

from __future__ import annotations

import pyarrow as pa

_LONG = pa.large_string()

TIERS = pa.list_(pa.struct([("label", pa.string()), ("score", pa.float64()), ("text", _LONG)]))
"""What a judge may answer, worst first."""


def _column(name: str, kind: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, kind, metadata={"description": description})


CRITERION = (
    _column("rubric_id", pa.string(), "The rubric that it belongs to"),
    _column("rubric_version", pa.int64(), "Of the rubric, as its author counts"),
    _column("criterion_id", pa.string(), "Its name, unique in the rubric"),
    _column(
        "scope", pa.string(), "What the rubric judges answers to: a `dataset`, a `task`, or one prompt (`instance`)"
    ),
    _column("scope_ref", pa.string(), "Which one"),
    _column("program", pa.string(), "The program that decides it; null: a judge does"),
    _column("params", _LONG, "Its parameters, as JSON"),
    _column("tiers", TIERS, "What a judge may answer, worst first"),
    _column("weight", pa.float64(), "What it counts in the mean"),
    _column("points", pa.float64(), "Signed points in place of the weight"),
    _column("veto", pa.bool_(), "Whether a low score leaves no reward at all"),
    _column("veto_below", pa.float64(), "Below which score"),
    _column("family", pa.string(), "What it is about"),
    _column("origin", pa.string(), "Who wrote it: `human`, `llm` or `hybrid`"),
    _column("author_model", pa.string(), "The model that wrote it"),
    _column("author_prompt_sha256", pa.string(), "SHA-256 of the prompt it was written by"),
    _column("reviewed_by", pa.string(), "Who has read it"),
    _column("interactions", _LONG, "Interactions of the rubric in which it is the first, as JSON"),
    _column("n_criteria", pa.int64(), "1: what a budget of criteria counts"),
    _column("group", pa.string(), "Criteria of one rubric belong together"),
)
"""The text of the record is what is asked."""
