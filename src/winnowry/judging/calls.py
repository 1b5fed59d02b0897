"""What is asked: the criteria of one answer, as one request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import Template
from typing import Any, Literal

from winnowry.core.jsonable import canonical_json, digest
from winnowry.judging.spec import Judge
from winnowry.records.rubrics import Criterion

Order = Literal["ab", "ba"]
"""In which order labels are offered: ``ab`` as the rubric has them, worst first; ``ba`` the other way round."""

TOOL = "verdict"
ALONE = "verdict"
"""What an answer about a single criterion may call it, instead of its id."""


@dataclass(frozen=True)
class Rollout:
    """An answer to be judged, with what it answers."""

    record_id: str
    answer: str
    prompt: str | None = None
    reference: str | None = None
    prompt_id: str | None = None

    @property
    def content(self) -> str:
        """What identifies what a judge is shown of it."""
        return digest([self.prompt, self.reference, self.answer])


def rollout_of(row: Mapping[str, Any]) -> Rollout:
    """A rollout from a row with ``record_id``, ``text``, and what else there is of it."""
    prompt, reference, prompt_id = _shown(row.get("prompt")), row.get("reference"), row.get("prompt_id")
    return Rollout(str(row["record_id"]), row["text"], prompt, reference, prompt_id)


def _shown(prompt: Any) -> str | None:
    """A prompt as a judge reads it: of one turn its text, of more each with its role."""
    if prompt is None or isinstance(prompt, str):
        return prompt
    turns = [(turn.get("role") or turn.get("role_raw") or "user", turn.get("text") or "") for turn in prompt]
    if len(turns) == 1:
        return str(turns[0][1])
    return json.dumps([{"role": role, "text": text} for role, text in turns], ensure_ascii=False, indent=1)


@dataclass(frozen=True)
class Question:
    """One criterion of one answer.

    Attributes:
        key: what identifies the judgement: answer, criterion, judge, repeat and order. Weights, points, vetoes and
            scores of tiers are not in it: they may change without asking again.
    """

    criterion: Criterion
    key: str

    @property
    def criterion_id(self) -> str:
        """Id of the criterion."""
        return self.criterion.criterion_id

    @property
    def labels(self) -> tuple[str, ...]:
        """What may be answered, worst first."""
        return tuple(tier.label for tier in self.criterion.tiers)


def asks(criterion: Criterion) -> str:
    """What identifies what a criterion asks: its id, its text, its labels and what they mean."""
    return digest([criterion.criterion_id, criterion.text, [[tier.label, tier.text] for tier in criterion.tiers]])


@dataclass(frozen=True)
class Call:
    """A request.

    Attributes:
        call_id: what identifies it: the judgements that it asks for.
    """

    rollout: Rollout
    questions: tuple[Question, ...]
    repeat: int
    order: Order

    @property
    def call_id(self) -> str:
        """What identifies it: the judgements that it asks for."""
        return digest([question.key for question in self.questions])

    def text(self, judge: Judge) -> str:
        """What the judge reads."""
        rollout = self.rollout
        return Template(judge.template).substitute(
            prompt=rollout.prompt if rollout.prompt is not None else "(not known)",
            answer=rollout.answer,
            reference=rollout.reference if rollout.reference is not None else "(none)",
            criteria="\n".join(self._criterion(question) for question in self.questions),
            form=self._form(judge),
            mark=rollout.content[:12],  # nobody who wrote the answer could know it
        )

    def _labels(self, question: Question) -> list[str]:
        return list(question.labels if self.order == "ab" else reversed(question.labels))

    def _criterion(self, question: Question) -> str:
        means = {tier.label: tier.text for tier in question.criterion.tiers}
        labels = [
            f"{canonical_json(label)} ({means[label]})" if means[label] else canonical_json(label)
            for label in self._labels(question)
        ]
        return f"- {canonical_json(question.criterion_id)}: {question.criterion.text} Labels: {', '.join(labels)}"

    def _form(self, judge: Judge) -> str:
        value = '{"rationale": "why", "verdict": "label"}' if judge.rationale else '"label"'
        fields = ", ".join(f"{canonical_json(question.criterion_id)}: {value}" for question in self.questions)
        return f"Reply with one JSON object and nothing else: {{{fields}}}"

    def schema(self, judge: Judge) -> dict[str, Any]:
        """JSON Schema of the answer."""
        return _object({q.criterion_id: self._value(q, judge) for q in self.questions})

    def _value(self, question: Question, judge: Judge) -> dict[str, Any]:
        label = {"type": "string", "enum": self._labels(question)}
        return _object({"rationale": {"type": "string"}, "verdict": label}) if judge.rationale else label

    def body(self, judge: Judge) -> dict[str, Any]:
        """The request."""
        body: dict[str, Any] = {
            "model": judge.model,
            "messages": [{"role": "user", "content": self.text(judge)}],
            "temperature": judge.temperature,
            "max_tokens": judge.max_tokens,
        }
        if self.repeat:
            body["seed"] = self.repeat  # an endpoint that keeps replies would only repeat the first one
        schema = self.schema(judge)
        if judge.answer_by == "schema":
            form = {"name": TOOL, "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        elif judge.answer_by == "tool":
            body["tools"] = [{"type": "function", "function": {"name": TOOL, "strict": True, "parameters": schema}}]
            body["tool_choice"] = {"type": "function", "function": {"name": TOOL}}
        return {name: value for name, value in (body | judge.extra_body).items() if value is not None}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def questions_of(
    rollout: Rollout, criteria: Sequence[Criterion], judge: Judge, repeat: int, order: Order
) -> Iterator[Question]:
    """What may be asked of an answer; criteria that programs decide are passed over."""
    content, judge_hash = rollout.content, judge.hash
    for criterion in criteria:
        if criterion.program is None:
            key = digest([rollout.record_id, content, asks(criterion), judge_hash, repeat, order])
            yield Question(criterion, key)


def calls_of(
    rollout: Rollout, questions: Sequence[Question], judge: Judge, repeat: int, order: Order
) -> Iterator[Call]:
    """Requests for questions, as many in one as the judge is asked at once."""
    step = judge.criteria_per_call
    for start in range(0, len(questions), step):
        yield Call(rollout, tuple(questions[start : start + step]), repeat, order)
