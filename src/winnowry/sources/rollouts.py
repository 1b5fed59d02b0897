"""Rollouts: answers of policies, one a row, with the criteria of their prompts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from winnowry.records.conversations import Turn, prompt_key, turn
from winnowry.records.turns import MESSAGES, TurnError, json_text
from winnowry.sources.base import Record
from winnowry.sources.fields import described
from winnowry.sources.structured import StructuredFormat, left_over, text_of, turns_of, value_of


class Rollouts(StructuredFormat):
    """Reads rollouts: prompt, answer, and what it is judged by.

    Criteria are a list of objects as :class:`~winnowry.records.rubrics.Criterion` has them, or its JSON as
    text. With ``profile: ifeval`` they are made of ``instruction_id_list`` and ``kwargs``.
    """

    name: ClassVar[str] = "rollouts"
    PARTS: ClassVar[Mapping[str, str]] = {
        "prompt": "prompt",
        "prompt_id": "prompt_id",
        "text": "completion",
        "policy": "policy",
        "policy_step": "policy_step",
        "criteria": "criteria",
        "reference": "reference",
        "finish": "finish_reason",
    }

    profile: Literal["ifeval"] | None = Field(
        default=None, description="`ifeval` reads `response`, `instruction_id_list` and `kwargs`"
    )

    @property
    def record_kind(self) -> str:
        """Rollouts, which are counted."""
        return "rollout"

    def path(self, part: str) -> str:
        """See :meth:`StructuredFormat.path`."""
        return (
            "response" if self.profile == "ifeval" and part == "text" and part not in self.paths else super().path(part)
        )

    def record_of(self, row: Record) -> Record:
        """The rollout that a row is.

        Reasons: ``missing_field`` (no prompt and no prompt id, or no answer), ``wrong_type``, ``no_turns``,
        ``bad_criteria``.
        """
        data = row.data
        prompt = self._prompt(data)
        answer = text_of(data, self.path("text"))
        named = self.part(data, "prompt_id")
        if named is not None and (isinstance(named, bool) or not isinstance(named, str | int)):
            raise TurnError("wrong_type", f"{self.path('prompt_id')} is {described(named)}", "text or whole number")
        prompt_id = str(named) if named is not None else prompt_key(prompt)
        if prompt_id is None:
            raise TurnError("missing_field", "neither a prompt nor a prompt id", "one of them")
        step = self.part(data, "policy_step")
        if step is not None and (isinstance(step, bool) or not isinstance(step, int)):
            raise TurnError("wrong_type", f"{self.path('policy_step')} is {described(step)}", "a whole number")
        columns = {
            "prompt_id": prompt_id,
            "prompt": prompt or None,
            "policy": self._text(data, "policy"),
            "policy_step": step,
            "criteria": self._criteria(data),
            "reference": self._text(data, "reference"),
            "finish": self._text(data, "finish"),
            "n_rollouts": 1,
            "group": prompt_id,
        }
        used = [self.path(part) for part in self.PARTS if part not in ("prompt_id", "policy_step")]
        rest = left_over(data, *used, *(("instruction_id_list", "kwargs") if self.profile else ()))
        return Record(row.position, rest, key=row.key, columns=columns, text=answer)

    def _prompt(self, data: Mapping[str, object]) -> list[Turn]:
        path = self.path("prompt")
        value = value_of(data, path)
        if value is None:
            return []
        return [turn("user", value)] if isinstance(value, str) else turns_of(data, path, MESSAGES)[0]

    def _text(self, data: Mapping[str, object], part: str) -> str | None:
        return text_of(data, self.path(part), required=False)

    def _criteria(self, data: Mapping[str, object]) -> str | None:
        if self.profile == "ifeval":
            return _of_instructions(data.get("instruction_id_list"), data.get("kwargs"))
        value = self.part(data, "criteria")
        if value is None or isinstance(value, str):
            return value or None
        if not isinstance(value, list):
            raise TurnError("bad_criteria", f"{self.path('criteria')} is {described(value)}", "a list of criteria")
        return json_text(left_over({"criteria": value})["criteria"]) if value else None


def _of_instructions(names: object, params: object) -> str | None:
    """Criteria of IFEval's two lists."""
    if names is None:
        return None
    if not isinstance(names, list) or not isinstance(params, list) or len(names) != len(params):
        raise TurnError(
            "bad_criteria", "instruction_id_list and kwargs differ in length", "one kwargs for each instruction"
        )
    criteria: list[dict[str, Any]] = []
    for number, (name, arguments) in enumerate(zip(names, params, strict=True)):
        plain = str(name).removeprefix("en:")
        options = {key: value for key, value in (arguments or {}).items() if value is not None}
        family = plain.partition(":")[0]
        criteria.append({"criterion_id": f"{number}:{plain}", "program": plain, "params": options, "family": family})
    return json_text(left_over({"criteria": criteria})["criteria"]) if criteria else None
