"""Chains of thought: a problem, the steps of a solution, its answer and the right one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from winnowry.records.conversations import Turn, prompt_key, rendered, turn
from winnowry.records.turns import MESSAGES, TurnError, json_text
from winnowry.sources.base import Record
from winnowry.sources.fields import absent, described
from winnowry.sources.strict_json import spelling
from winnowry.sources.structured import StructuredFormat, extra_of, left_over, text_of, turns_of, value_of

_LINE = re.compile(r"[^\n]*\S[^\n]*")
_THOUGHT = re.compile(r"<think>(.*?)</think>", re.DOTALL)


class Reasoning(StructuredFormat):
    """Reads chains of thought: `prompt`, `solution`, `answer` and `reference`, the right answer.

    Steps are the lines of the solution, of its `<think>` part where it has one; or the list `steps`, of texts or of
    objects with text and label. Answers and references are text as they are spelt in the file.
    """

    name: ClassVar[str] = "reasoning"
    PARTS: ClassVar[Mapping[str, str]] = {
        "prompt": "prompt",
        "solution": "solution",
        "steps": "steps",
        "labels": "labels",
        "answer": "answer",
        "reference": "reference",
        "verifier": "verifier",
        "verified": "verified",
        "group": "",
    }

    @property
    def record_kind(self) -> str:
        """Chains of thought, whose size is counted in tokens."""
        return "reasoning"

    def record_of(self, row: Record) -> Record:
        """The chain of thought that a row is.

        Reasons: ``missing_field``, ``no_turns``, ``bad_turn``, ``bad_step``, ``wrong_type``, ``too_deep``.
        """
        data = row.data
        layout: dict[str, Any] = {}
        used = [self.path("prompt")]
        prompt = self._prompt(data, layout)
        solution = text_of(data, self.path("solution"), required=False)
        listed = self.part(data, "steps")
        if listed is not None:
            steps = self._listed(listed, self.part(data, "labels"), layout)
            used += [self.path("steps"), *([self.path("labels")] if "labels" in layout else [])]
        elif solution is not None:
            steps = lines_of(solution)
        else:
            raise TurnError("missing_field", absent(data, self.path("solution")), "a solution, or a list of steps")
        if solution is not None:
            used.append(self.path("solution"))
        texts: dict[str, str | None] = {}
        for part in ("answer", "reference", "verifier"):
            texts[part], kind = spelling(self.part(data, part))
            if texts[part] is not None:
                used.append(self.path(part))
                if kind != "text":
                    layout[part] = kind
        verified = self.part(data, "verified")
        if verified is not None and not isinstance(verified, bool):
            raise TurnError("wrong_type", f"{self.path('verified')} is {described(verified)}", "true, false or null")
        if verified is not None:
            used.append(self.path("verified"))
        names = {part: path for part, path in self.paths.items() if part != "group"}
        if names:
            layout["names"] = names
        rest = left_over(data, *used)
        group = self.part(data, "group") if self.paths.get("group") else None
        answered = solution if solution is not None else "\n".join(step["text"] for step in steps)
        columns = {
            "prompt": prompt,
            "solution": solution,
            "steps": steps,
            **texts,
            "verified": verified,
            "group": str(group) if group is not None else prompt_key(prompt),
            "extra": extra_of(rest),
            "layout": json_text(layout),
        }
        return Record(
            row.position, rest, key=row.key, columns=columns, text=rendered(prompt, [turn("assistant", answered)])
        )

    def _prompt(self, data: Mapping[str, object], layout: dict[str, Any]) -> list[Turn]:
        path = self.path("prompt")
        value = value_of(data, path)
        if value is None:
            raise TurnError("missing_field", absent(data, path), "a prompt: text, or a list of turns")
        if isinstance(value, str):
            return [turn("user", value)]
        made, how = turns_of(data, path, MESSAGES)
        layout["prompt"] = {"form": "turns", **how}
        return made

    def _listed(self, listed: object, labels: object, layout: dict[str, Any]) -> list[dict[str, Any]]:
        """Steps of a list; labels beside it, or in its objects."""
        path = self.path("steps")
        if not isinstance(listed, list):
            raise TurnError("bad_step", f"{path} is {described(listed)}", "a list of steps")
        if isinstance(labels, list):
            if len(labels) != len(listed):
                raise TurnError("bad_step", f"{len(listed)} steps and {len(labels)} labels", "a label for each step")
            layout["labels"] = [spelling(label)[1] for label in labels]
        layout["steps"] = []
        steps = []
        for number, one in enumerate(listed):
            label = spelling(labels[number])[0] if isinstance(labels, list) else None
            if isinstance(one, Mapping) and isinstance(one.get("text"), str):
                label = spelling(one.get("label"))[0] if label is None else label
                layout["steps"].append({key: value for key, value in one.items() if key != "text"})
                text = one["text"]
            elif isinstance(one, str):
                layout["steps"].append(None)
                text = one
            else:
                raise TurnError("bad_step", f"{path}[{number}] is {described(one)}", "text, or an object with text")
            steps.append({"text": text, "start": None, "end": None, "label": label})
        if not any(layout["steps"]):
            layout["steps"] = "texts"
        return steps


def lines_of(solution: str) -> list[dict[str, Any]]:
    r"""The lines of a solution, of its thoughts where they are marked, as steps; blank ones are none.

    >>> [(s["text"], s["start"], s["end"]) for s in lines_of("a\n\n b ")]
    [('a', 0, 1), (' b ', 3, 6)]
    """
    thought = _THOUGHT.search(solution)
    start, end = thought.span(1) if thought is not None else (0, len(solution))
    return [
        {"text": line[0], "start": line.start(), "end": line.end(), "label": None}
        for line in _LINE.finditer(solution, start, end)
    ]
