"""``labels.agreement``: how far other answers to an image agree with its own, and annotators with planted gold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from winnowry.operators.base import Operator, Rule
from winnowry.operators.labels.flat import Floats
from winnowry.records.annotations import BOXES, COLUMNS

_FIELDS = {field.name: field for field in COLUMNS}
_READ = ("gold", "others")
_EDGES = ("x1", "y1", "x2", "y2")

ANSWERS = pa.list_(
    pa.struct(
        [
            pa.field("annotator", pa.string()),
            pa.field("against", pa.string()),
            *(pa.field(name, pa.int32()) for name in ("n_matched", "n_missing", "n_extra", "n_same_class")),
            pa.field("mean_iou", pa.float64()),
            pa.field("f1", pa.float64()),
        ]
    )
)
"""Of each other answer: whose it is; whether it is held against ``gold`` or another ``annotator``; boxes of both, of
the record's answer only, of this answer only; pairs of one class; mean overlap of the pairs; and F1 of boxes."""


class LabelAgreement(Operator):
    """Compare the boxes of a record with those of every other answer to it, but predictions.

    Boxes of one frame are paired one to one, greatest overlap first, from an intersection over union of `min_overlap`
    on; classes are compared inside the pairs. Where the record's answer is planted gold, that is the accuracy of each
    annotator; else it is how far two annotators agree.

    Writes ``answers`` (a list, see :data:`ANSWERS`), ``agreement_f1`` (2 × pairs over the boxes of both, all answers
    together; 1 where nobody has a box), ``agreement_kappa`` (Cohen's, of the classes of the pairs; null without pairs
    or with one class only), null for a record with a single answer.

    Source: Everingham et al. 2010 for the overlap of .5; Cohen 1960.
    """

    op: Literal["labels.agreement"] = "labels.agreement"
    min_overlap: float = Field(default=0.5, gt=0, le=1, description="least intersection over union of a pair")
    min_f1: float | None = Field(default=None, ge=0, le=1, description="least F1 of boxes; null: any")
    min_kappa: float | None = Field(default=None, ge=-1, le=1, description="least kappa of classes; null: any")

    @property
    def _prefix(self) -> str:
        return f"{self.as_}_" if self.as_ is not None else ""

    def reads(self) -> pa.Schema:
        """The answers."""
        return pa.schema([*(_FIELDS[name] for name in _READ), BOXES])

    def writes(self) -> pa.Schema:
        """The columns of the class's description; after ``as``, if given."""
        return pa.schema(
            [
                (f"{self._prefix}answers", ANSWERS),
                (f"{self._prefix}agreement_f1", pa.float64()),
                (f"{self._prefix}agreement_kappa", pa.float64()),
            ]
        )

    def rules(self) -> tuple[Rule, ...]:
        """One for each limit that is set; a record with a single answer passes."""
        limits = (("min_f1", "agreement_f1"), ("min_kappa", "agreement_kappa"))
        return tuple(
            Rule(name=name, column=f"{self._prefix}{column}", comparison=">=", threshold=least, null="keep")
            for name, column in limits
            if (least := getattr(self, name)) is not None
        )

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Compare the answers of n records."""
        columns = [batch.column(name).to_pylist() for name in (*_READ, "boxes")]
        rows = [self._row(gold, others, boxes) for gold, others, boxes in zip(*columns, strict=True)]
        arrays = [
            pa.array([row[place] for row in rows], field.type) for place, field in enumerate(self.writes())
        ]  # fmt: skip
        return pa.RecordBatch.from_arrays(arrays, schema=self.writes())

    def _row(self, gold: bool | None, others: Sequence[Any] | None, boxes: Sequence[Any] | None) -> tuple[Any, ...]:
        answers, pairs = [], []
        n_pairs = n_boxes = 0
        for other in others or ():
            if other["role"] == "prediction" or other["state"] not in ("labelled", "background"):
                continue
            theirs = other["boxes"] or []
            matched = self._matched(boxes or [], theirs)
            same = sum(one == two for one, two, _ in matched)
            total = len(boxes or []) + len(theirs)
            answers.append(
                {
                    "annotator": other["annotator"], "against": "gold" if gold else "annotator",
                    "n_matched": len(matched), "n_missing": len(boxes or []) - len(matched),
                    "n_extra": len(theirs) - len(matched), "n_same_class": same,
                    "mean_iou": float(np.mean([overlap for *_, overlap in matched])) if matched else None,
                    "f1": 2 * len(matched) / total if total else 1.0,
                }
            )  # fmt: skip
            pairs += [(one, two) for one, two, _ in matched]
            n_pairs, n_boxes = n_pairs + len(matched), n_boxes + total
        if not answers:
            return None, None, None
        return answers, 2 * n_pairs / n_boxes if n_boxes else 1.0, kappa(pairs)

    def _matched(self, ours: Sequence[Any], theirs: Sequence[Any]) -> list[tuple[str | None, str | None, float]]:
        """Classes of both boxes of each pair, and their overlap."""
        from winnowry.operators.labels.kernels.overlap import matches

        result = []
        frames = {box["number"] for box in ours} & {box["number"] for box in theirs}
        for frame in sorted(frames, key=lambda number: (number is not None, number or 0)):
            left, right = ([box for box in boxes if box["number"] == frame] for boxes in (ours, theirs))
            pairs = matches(_edges(left), _edges(right), self.min_overlap)
            result += [
                (left[i]["class"], right[j]["class"], float(overlap)) for i, j, overlap in zip(*pairs, strict=True)
            ]
        return result


def kappa(pairs: Sequence[tuple[str | None, str | None]]) -> float | None:
    """Cohen's kappa of two codings of the same things; None where chance alone would agree always.

    >>> kappa([("car", "car"), ("dog", "dog"), ("car", "dog"), ("dog", "dog")]), kappa([("car", "car")])
    (0.5, None)
    """
    if not pairs:
        return None
    classes = sorted({str(name) for pair in pairs for name in pair})
    table = np.zeros((len(classes), len(classes)))
    for one, two in pairs:
        table[classes.index(str(one)), classes.index(str(two))] += 1
    n = table.sum()
    by_chance = float((table.sum(0) * table.sum(1)).sum() / n**2)
    agreed = float(np.trace(table) / n)
    return None if by_chance == 1 else (agreed - by_chance) / (1 - by_chance)


def _edges(boxes: Sequence[Any]) -> Floats:
    """Edges of boxes; those without any overlap nothing."""
    values = [[np.nan if box[name] is None else box[name] for name in _EDGES] for box in boxes]
    return np.nan_to_num(np.array(values, np.float64).reshape(-1, 4))
