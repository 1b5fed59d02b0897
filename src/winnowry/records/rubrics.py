"""Rubrics: criteria with tiers or points, weights, vetoes and interactions, read from YAML or JSON and checked at once.

A criterion is judged by a program (:mod:`~winnowry.operators.rubric.programs`) or by a judge. Its score is 0 to 1.
The form is that of Rubicon (arXiv 2508.12790), in which the numbers of tiers and weights are not published, with the
signed points of HealthBench.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from winnowry.core.errors import UsageError
from winnowry.core.jsonable import digest

_LEAST_WORDS = 3


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tier(_Part):
    """One answer that a judge may give, and what it is worth.

    Attributes:
        label: what the judge says.
        score: any finite number; the tiers of a criterion rise, and its score is scaled to 0 to 1.
        text: what an answer of this tier is like.
    """

    label: str = Field(min_length=1)
    score: float = Field(allow_inf_nan=False)
    text: str = ""

    @field_validator("label", mode="before")
    @classmethod
    def _as_written(cls, value: Any) -> Any:
        """YAML reads a bare 1 as a number, and a bare yes as true."""
        return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


YES_NO = (Tier(label="no", score=0.0), Tier(label="yes", score=1.0))
"""Tiers where a criterion names none: it is met, or it is not."""


class Criterion(_Part):
    """One thing that is asked of an answer.

    Attributes:
        criterion_id: unique in its rubric.
        text: what is asked, for people and judges.
        program: name of the program that judges it; None: a judge does.
        params: of the program.
        tiers: what a judge may answer, worst first.
        weight: what it counts in the mean; 0 or more.
        points: HealthBench's signed points instead of the weight: what meeting it adds or costs.
        veto: whether an answer that scores below ``veto_below`` has no reward at all.
        veto_below: a score, 0 to 1.
        family: what it is about, such as ``format`` or ``honesty``; rewards are reported by family.
        origin: who wrote it.
        author_model: the model that wrote it, where one did.
        author_prompt_sha256: of the prompt that it wrote it for.
        license: of the text.
        reviewed_by: who has read it.
    """

    criterion_id: str = Field(min_length=1)
    text: str = ""
    program: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    tiers: tuple[Tier, ...] = YES_NO
    weight: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    points: float | None = Field(default=None, allow_inf_nan=False)
    veto: bool = False
    veto_below: float = Field(default=0.5, ge=0, le=1)
    family: str = ""
    origin: Literal["human", "llm", "hybrid"] | None = None
    author_model: str | None = None
    author_prompt_sha256: str | None = None
    license: str | None = None
    reviewed_by: str | None = None

    @model_validator(mode="after")
    def _judgeable(self) -> Self:
        wrong = list(_wrong_tiers(self.tiers))
        if self.program is None and len(self.text.split()) < _LEAST_WORDS and not _dense(self.text):
            wrong.append(f"no judge can decide {self.text!r}: expected a sentence of {_LEAST_WORDS} words or more")
        if self.origin == "llm" and self.author_model is None:
            wrong.append("`origin: llm` needs `author_model`")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @property
    def score_of(self) -> dict[str, float]:
        """Score of each label, 0 to 1.

        >>> Criterion(criterion_id="a", text="is it short", tiers=[{"label": 1, "score": 1}, {"label": 5, "score": 5},
        ...           {"label": 9, "score": 9}]).score_of
        {'1': 0.0, '5': 0.5, '9': 1.0}
        """
        low, high = self.tiers[0].score, self.tiers[-1].score
        return {tier.label: (tier.score - low) / (high - low) for tier in self.tiers}


def _dense(text: str) -> bool:
    """Whether it is written without spaces, as Chinese is: then four characters are a sentence."""
    return sum("\u3400" <= c <= "\u9fff" or "\u3040" <= c <= "\u30ff" for c in text) > _LEAST_WORDS


def _wrong_tiers(tiers: Sequence[Tier]) -> Iterator[str]:
    if len(tiers) < 2:
        yield f"{len(tiers)} tiers: expected two or more"
    for lower, higher in pairwise(tiers):
        if higher.score <= lower.score:
            yield f"tier {higher.label!r} ({higher.score:g}) does not lie above {lower.label!r} ({lower.score:g})"
    for label, n in Counter(tier.label for tier in tiers).items():
        if n > 1:
            yield f"{n} tiers are called {label!r}"


class Interaction(_Part):
    """What two criteria are worth together: ``strength × min(score, score)``, added or taken away."""

    a: str
    b: str
    kind: Literal["synergy", "conflict"]
    strength: float = Field(gt=0, le=1)


class Rubric(_Part):
    """Criteria that are asked together.

    Attributes:
        rubric_id: its name.
        version: of its text, as its author counts.
        criteria: at least one.
        interactions: between criteria of this rubric.
    """

    rubric_id: str = Field(min_length=1)
    version: int = Field(default=1, ge=1)
    criteria: tuple[Criterion, ...] = Field(min_length=1)
    interactions: tuple[Interaction, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        wrong = list(wrong_together(self.criteria, self.interactions))
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @property
    def hash(self) -> str:
        """What identifies the rubric: everything that is in it."""
        return digest(self.model_dump(mode="json"))


def wrong_together(criteria: Sequence[Criterion], interactions: Sequence[Interaction] = ()) -> Iterator[str]:
    """What is wrong with criteria that each for itself is right."""
    for name, n in Counter(criterion.criterion_id for criterion in criteria).items():
        if n > 1:
            yield f"{n} criteria are called {name!r}"
    for text, n in Counter(" ".join(c.text.lower().split()) for c in criteria if c.program is None).items():
        if n > 1:
            yield f"{n} criteria ask the same: {text!r}"
    by_points = [criterion.points is not None for criterion in criteria]
    if any(by_points) and not all(by_points):
        yield "some criteria have `points` and others none: use points for all of them, or weights"
    if all(by_points) and not any((criterion.points or 0) > 0 for criterion in criteria):
        yield "no criterion has points above 0: no answer could earn anything"
    if not any(by_points) and not sum(criterion.weight for criterion in criteria) > 0:
        yield "the weights sum to 0: no answer could earn anything"
    names = {criterion.criterion_id for criterion in criteria}
    for pair in interactions:
        for name in (pair.a, pair.b):
            if name not in names:
                yield f"an interaction names {name!r}, and no criterion is called so"
        if pair.a == pair.b:
            yield f"an interaction of {pair.a!r} with itself"


def rubric_of(data: Mapping[str, Any], place: str) -> Rubric:
    """A rubric from what a file holds.

    Args:
        data: ``rubric_id``, ``criteria`` and what else :class:`Rubric` has.
        place: the file, for messages.

    Raises:
        UsageError: it is none; every mistake is in the message, each with its place.
    """
    try:
        return Rubric.model_validate(data)
    except ValidationError as error:
        raise UsageError(f"{place}: no usable rubric: {'; '.join(_mistakes(error))}") from None


def _mistakes(error: ValidationError) -> Iterable[str]:
    for mistake in error.errors(include_url=False, include_input=False):
        where = ".".join(map(str, mistake["loc"]))
        yield f"{where}: {mistake['msg'].removeprefix('Value error, ')}" if where else mistake["msg"]


def rubric_of_rows(rows: Iterable[Mapping[str, Any]], place: str) -> Rubric:
    """The rubric of rows of a bank, as its release or an export of it has them.

    Args:
        rows: with the columns of :data:`~winnowry.records.criteria.CRITERION` and ``text``.
        place: where they are from, for messages.

    Raises:
        UsageError: they are of several rubrics or of none, or make no rubric.
    """
    listed = list(rows)
    names = sorted({str(row.get("rubric_id")) for row in listed})
    if len(names) != 1:
        shown = ", ".join(names[:5]) + ("" if len(names) <= 5 else f" and {len(names) - 5} more")
        raise UsageError(f"{place}: criteria of {len(names)} rubrics{f' ({shown})' if names else ''}: expected one")
    criteria = []
    interactions: list[Any] = []
    for row in listed:
        fields = {name: row[name] for name in Criterion.model_fields if row.get(name) is not None}
        if isinstance(fields.get("params"), str):
            fields["params"] = json.loads(fields["params"])
        criteria.append(fields)
        interactions += json.loads(row.get("interactions") or "[]")
    version = listed[0].get("rubric_version") or 1
    data = {"rubric_id": names[0], "version": version, "criteria": criteria, "interactions": interactions}
    return rubric_of(data, place)


def read_rubric(path: str | Path) -> Rubric:
    """The rubric of a YAML or JSON file, or of JSON Lines that a bank was exported to.

    Raises:
        UsageError: there is no such file, it is neither, or it holds no rubric.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    place = Path(path)
    try:
        text = place.read_text(encoding="utf-8")
        if place.suffix == ".jsonl":
            return rubric_of_rows([json.loads(line) for line in text.splitlines() if line.strip()], str(path))
        data = YAML(typ="safe", pure=True).load(text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (YAMLError, ValueError) as error:
        raise UsageError(f"{path}: neither YAML nor JSON: {' '.join(str(error).split())}") from None
    if not isinstance(data, Mapping):
        raise UsageError(f"{path}: expected a rubric with `rubric_id` and `criteria`, got {type(data).__name__}")
    return rubric_of(data, str(path))
