"""``pairs.check``: whether a pair can teach a preference."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, ClassVar, Literal, get_args

import pyarrow as pa
from pydantic import Field

from winnowry.operators.base import Operator, Rule
from winnowry.records.conversations import TURNS

Fault = Literal["empty", "identical", "margin_contradicts", "tie"]
FAULTS: tuple[Fault, ...] = get_args(Fault)

PAIR = pa.schema([pa.field("chosen", TURNS), pa.field("rejected", TURNS)])
_INVISIBLE = frozenset("\u115f\u1160\u2800\u3164\uffa0")


class PairCheck(Operator):
    """Find pairs whose sides do not differ, are empty, or contradict their own scores.

    Sides are compared by the texts of their turns. ``pair_similarity`` is the Jaccard similarity of their sets of word
    3-grams, 1 for equal texts; ``pair_margin_contradicts`` that the source's score of the rejected side is higher;
    ``pair_ratings_disagree`` that the ratings of single aspects point the other way: reported, never a reason.
    ``pair_multi_turn`` says that a side has more than one turn.

    Source of the threshold .8: near-duplicates of MinHash pipelines (FineWeb uses .75); on hh-rlhf's harmless test set
    it refuses pairs that differ in a word or two.
    """

    op: Literal["pairs.check"] = "pairs.check"
    max_similarity: float | None = Field(
        default=0.8, ge=0, le=1, description="similarity from which on a pair is refused; off when null"
    )
    min_margin: float | None = Field(
        default=None, description="smallest margin; a pair without one is kept; off unless set"
    )
    allow: tuple[Fault, ...] = Field(
        default=("tie",),
        description="faults for which no pair is refused: `empty`, `identical`, `margin_contradicts`, `tie` (a margin "
        "of 0)",
    )

    ONLY_RULES: ClassVar[frozenset[str]] = frozenset({"allow"})
    FAULTS: ClassVar[tuple[Fault, ...]] = FAULTS
    PREFIX: ClassVar[str] = "pair"

    def _name(self, column: str) -> str:
        return f"{self.as_ or self.PREFIX}_{column}"

    def reads(self) -> pa.Schema:
        """``chosen``, ``rejected``, ``margin`` and ``ratings_margin``."""
        return pa.schema([*PAIR, pa.field("margin", pa.float64()), pa.field("ratings_margin", pa.float64())])

    def writes(self) -> pa.Schema:
        """A text for each fault, null where there is none, and what is reported."""
        return pa.schema(
            [
                *(pa.field(self._name(fault), pa.string()) for fault in FAULTS),
                pa.field(self._name("similarity"), pa.float64()),
                pa.field(self._name("margin"), pa.float64()),
                pa.field(self._name("ratings_disagree"), pa.bool_()),
                pa.field(self._name("multi_turn"), pa.bool_()),
            ]
        )

    def rules(self) -> tuple[Rule, ...]:
        """No fault but the allowed ones, and sides that differ enough."""
        rules = [
            Rule(name=fault, column=self._name(fault), comparison="==", threshold="", null="keep")
            for fault in FAULTS
            if fault not in self.allow
        ]
        if self.max_similarity is not None:
            column = self._name("similarity")
            rules.append(
                Rule(name="max_similarity", column=column, comparison="<", threshold=self.max_similarity, null="keep")
            )
        if self.min_margin is not None:
            column = self._name("margin")
            rules.append(
                Rule(name="min_margin", column=column, comparison=">=", threshold=self.min_margin, null="keep")
            )
        return tuple(rules)

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Look at n pairs."""
        rows = zip(*(batch.column(name).to_pylist() for name in self.reads().names), strict=True)
        made = [self._row(*row) for row in rows]
        return pa.RecordBatch.from_pylist(made, schema=self.writes())

    def _row(
        self,
        chosen: list[dict[str, Any]] | None,
        rejected: list[dict[str, Any]] | None,
        margin: float | None,
        ratings: float | None,
    ) -> dict[str, Any]:
        if chosen is None or rejected is None:
            return {}
        sides = side_text(chosen), side_text(rejected)
        faults: dict[Fault, str] = {}
        empty = [name for name, text in zip(("chosen", "rejected"), sides, strict=True) if not visible(text)]
        calls = any(turn["calls"] or turn["parts"] for turn in (*chosen, *rejected))
        if empty and not calls:
            faults["empty"] = " and ".join(empty)
        same = sides[0].split() == sides[1].split()
        if same and not calls:
            faults["identical"] = "both sides have the same text"
        if margin is not None and margin < 0:
            faults["margin_contradicts"] = f"{margin:g}"
        if margin == 0:
            faults["tie"] = "0"
        alike = None if empty or same else similarity(*sides)
        disagree = None if ratings is None or margin is None else ratings * margin < 0
        return {
            **{self._name(fault): value for fault, value in faults.items()},
            self._name("similarity"): alike,
            self._name("margin"): margin,
            self._name("ratings_disagree"): disagree,
            self._name("multi_turn"): max(len(chosen), len(rejected)) > 1,
        }


def side_text(turns: list[dict[str, Any]] | None) -> str:
    """The texts of a side's turns, a blank line between them."""
    return "\n\n".join(turn["text"] for turn in turns or () if turn["text"])


def visible(text: str) -> bool:
    r"""Whether something of a text can be seen.

    >>> visible(" \u200b\u3000"), visible("a")
    (False, True)
    """
    return any(
        not character.isspace() and unicodedata.category(character)[0] not in "CZ" and character not in _INVISIBLE
        for character in text
    )


def similarity(first: str, second: str, n: int = 3) -> float:
    """Jaccard similarity of the sets of n-grams of words; a text of fewer words is one n-gram.

    >>> similarity("a b c d", "a b c e")
    0.3333333333333333
    """
    grams = [_grams(re.split(r"\s+", text.strip()), n) for text in (first, second)]
    return len(grams[0] & grams[1]) / len(grams[0] | grams[1])


def _grams(words: list[str], n: int) -> set[tuple[str, ...]]:
    return {tuple(words[at : at + n]) for at in range(max(1, len(words) - n + 1))}
