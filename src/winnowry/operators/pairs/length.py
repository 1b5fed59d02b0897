"""``pairs.length``: how much longer the chosen answer is."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import pyarrow as pa

from winnowry.operators.base import Operator
from winnowry.operators.pairs.check import PAIR, side_text


class PairLength(Operator):
    """Measure how the lengths of the two answers of a pair compare; there is no rule.

    ``pair_chosen_chars`` and ``pair_rejected_chars`` are characters. ``pair_log_ratio`` is the natural logarithm of
    (chosen + 1) / (rejected + 1), and ``pair_longer_chosen`` is 1, 0, or null where they are of one length: its mean
    over a corpus is the share of pairs in which the longer answer was chosen. About .5 says that length decides
    nothing; GPT-4's choices in alpaca_eval have .9.

    Source: Dubois et al. 2024, "Length-Controlled AlpacaEval", section 2.
    """

    op: Literal["pairs.length"] = "pairs.length"

    PREFIX: ClassVar[str] = "pair"

    def reads(self) -> pa.Schema:
        """``chosen`` and ``rejected``."""
        return PAIR

    def writes(self) -> pa.Schema:
        """Two lengths, their log ratio, and which is longer."""
        prefix = self.as_ or self.PREFIX
        kinds = {
            "chosen_chars": pa.int64(),
            "rejected_chars": pa.int64(),
            "log_ratio": pa.float64(),
            "longer_chosen": pa.int64(),
        }
        return pa.schema([pa.field(f"{prefix}_{name}", kind) for name, kind in kinds.items()])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Measure n pairs."""
        rows: list[tuple[int | None, int | None, float | None, int | None]] = []
        for chosen, rejected in zip(*(batch.column(name).to_pylist() for name in PAIR.names), strict=True):
            if chosen is None or rejected is None:
                rows.append((None, None, None, None))
                continue
            mine, theirs = len(side_text(chosen)), len(side_text(rejected))
            longer = None if mine == theirs else int(mine > theirs)
            rows.append((mine, theirs, math.log((mine + 1) / (theirs + 1)), longer))
        columns = list(zip(*rows, strict=True)) or [()] * 4
        schema = self.writes()
        arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)
