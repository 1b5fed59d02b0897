"""Preference pairs: a prompt, the answer that was chosen, the one that was rejected."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from winnowry.records.conversations import Turn, prompt_key, rendered, turn
from winnowry.records.turns import MESSAGES, SHAREGPT, Keys, TurnError, json_text, read_turn
from winnowry.sources.base import Record
from winnowry.sources.fields import absent, described
from winnowry.sources.structured import StructuredFormat, extra_of, left_over, turns_of, value_of

_MARKED = re.compile(r"\n\n(Human|Assistant):( ?)")
_SPEAKERS = {"Human": "user", "Assistant": "assistant"}
_DIFFERENCE = re.compile(r"\s+-\s+")


class Preferences(StructuredFormat):
    r"""Reads preference pairs: `prompt`, `chosen` and `rejected` as texts or lists of turns.

    Without a prompt it is what both sides begin with, in whole turns: each side has an answer of its own behind it.
    The texts of hh-rlhf, with their marks `\n\nHuman:` and `\n\nAssistant:`, are turns; two other texts without a
    prompt are no pair, wherever their letters begin to differ. `conversations` with `chosen` and `rejected` as one
    turn each is read too.

    `margin` is a path to a number, or `PATH - PATH`; what is no number (`"N/A"`, `"7.0"`, null) makes it null.
    `ratings` is the same for objects or lists of numbers, whose means count.
    """

    name: ClassVar[str] = "preferences"
    PARTS: ClassVar[Mapping[str, str]] = {
        "prompt": "prompt",
        "chosen": "chosen",
        "rejected": "rejected",
        "system": "system",
        "margin": "margin",
        "ratings": "",
        "label_source": "label_source",
        "annotators": "annotators",
        "group": "",
    }

    @property
    def record_kind(self) -> str:
        """Pairs, whose size is counted in tokens."""
        return "preference"

    def record_of(self, row: Record) -> Record:
        """The pair that a row is.

        Reasons: ``missing_field``, ``no_turns``, ``bad_turn``, ``wrong_type``, ``too_deep``; ``no_prompt`` (two texts
        without a prompt), ``no_completion`` (a side that ends where the other goes on), ``prompts_differ`` (they part
        at what a user says).
        """
        data = row.data
        layout: dict[str, Any] = {}
        used = [self.path("chosen"), self.path("rejected")]
        names = [self.path("prompt"), *used]
        if names != ["prompt", "chosen", "rejected"]:
            layout["names"] = names
        chosen, layout["chosen"] = self._side(data, "chosen")
        rejected, layout["rejected"] = self._side(data, "rejected")
        prompt = self._prompt(data, used, layout)
        if prompt is None:
            prompt, chosen, rejected = _shared(chosen, rejected, layout)
        elif _begins_with(chosen, prompt) and _begins_with(rejected, prompt):
            layout["repeated"] = True
            chosen, rejected = chosen[len(prompt) :], rejected[len(prompt) :]
        if not chosen or not rejected:
            raise TurnError(
                "no_completion", f"{'chosen' if not chosen else 'rejected'} ends with the prompt", "an answer"
            )
        system = self.part(data, "system")
        if isinstance(system, str) and system:
            used.append(self.path("system"))
            layout["system"] = "column"
            prompt = [turn("system", system), *prompt]
        rest = left_over(data, *used)
        group = self.part(data, "group") if self.paths.get("group") else None
        annotators = self.part(data, "annotators")
        label_source = self.part(data, "label_source")
        columns = {
            "prompt": prompt,
            "chosen": chosen,
            "rejected": rejected,
            "margin": _difference(data, self.path("margin")),
            "ratings_margin": _difference(data, self.path("ratings")),
            "label_source": label_source if isinstance(label_source, str) else None,
            "annotators": [str(one) for one in annotators] if isinstance(annotators, list) else None,
            "group": str(group) if group is not None else prompt_key(prompt),
            "extra": extra_of(rest),
            "layout": json_text({key: value for key, value in layout.items() if value not in (None, {})}),
        }
        return Record(row.position, rest, key=row.key, columns=columns, text=rendered(prompt, chosen, rejected))

    def _prompt(self, data: Mapping[str, object], used: list[str], layout: dict[str, Any]) -> list[Turn] | None:
        """The prompt of a row; None where it has none of its own."""
        path = self.path("prompt")
        if self.part(data, "prompt") is None and isinstance(data.get("conversations"), list):
            path = "conversations"
            layout["conversations"] = True
        value = value_of(data, path)
        if value is None:
            return None
        used.append(path)
        if isinstance(value, str):
            made, layout["prompt"] = _of_text(value, "user")
            return made
        made, layout["prompt"] = turns_of(data, path, SHAREGPT if _is_sharegpt(value) else MESSAGES)
        return made

    def _side(self, data: Mapping[str, object], part: str) -> tuple[list[Turn], dict[str, Any]]:
        path = self.path(part)
        value = value_of(data, path)
        if value is None:
            raise TurnError("missing_field", absent(data, path), "text, a turn, or a list of turns")
        if isinstance(value, str):
            return _of_text(value, "assistant")
        if isinstance(value, dict):
            keys = SHAREGPT if _is_sharegpt([value]) else MESSAGES
            made, unusual = read_turn(value, keys, path)
            return [made], {"form": "turn", **_keys(keys), **({"turns": {"0": unusual}} if unusual else {})}
        if isinstance(value, list):
            made_list, layout = turns_of(data, path, SHAREGPT if _is_sharegpt(value) else MESSAGES)
            return made_list, {"form": "turns", **layout}
        raise TurnError("wrong_type", f"{path} is {described(value)}", "text, a turn, or a list of turns")


def turns_of_marked(text: str) -> list[tuple[Turn, bool]] | None:
    r"""The turns of a text of hh-rlhf, and whether a space follows the mark; None where it begins with no mark.

    >>> [(t["role"], t["text"]) for t, _ in turns_of_marked("\n\nHuman: why?\n\nAssistant: So.")]
    [('user', 'why?'), ('assistant', 'So.')]
    """
    marks = list(_MARKED.finditer(text))
    if not marks or marks[0].start():
        return None
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return [
        (turn(_SPEAKERS[mark[1]], text[mark.end() : end], role_raw=mark[1]), bool(mark[2]))
        for mark, end in zip(marks, ends, strict=True)
    ]


def _of_text(text: str, role: str) -> tuple[list[Turn], dict[str, Any]]:
    marked = turns_of_marked(text)
    if marked is None:
        return [turn(role, text)], {"form": "text"}
    without = [number for number, (_, space) in enumerate(marked) if not space]
    return [made for made, _ in marked], {"form": "marked", **({"no_space": without} if without else {})}


def _shared(
    chosen: list[Turn], rejected: list[Turn], layout: dict[str, Any]
) -> tuple[list[Turn], list[Turn], list[Turn]]:
    """Prompt and answers of two conversations that begin alike."""
    if "text" in (layout["chosen"]["form"], layout["rejected"]["form"]):
        raise TurnError("no_prompt", "two texts without a prompt and without marks of turns", "a prompt, or turns")
    layout["implicit"] = True
    n = 0
    while n < min(len(chosen), len(rejected)) and chosen[n] == rejected[n]:
        n += 1
    if n == len(chosen) == len(rejected):
        n -= 1  # equal sides differ in nothing: their last turns are the answers
    prompt, mine, theirs = chosen[:n], chosen[n:], rejected[n:]
    if not mine or not theirs:
        raise TurnError(
            "no_completion", f"{'chosen' if not mine else 'rejected'} ends where the other goes on", "an answer"
        )
    if mine[0]["role"] != "assistant" or theirs[0]["role"] != "assistant":
        raise TurnError("prompts_differ", f"turn {n} differs, and is no answer", "the same turns up to the answers")
    if not prompt:
        raise TurnError("no_prompt", "the first turns differ", "a prompt")
    return prompt, mine, theirs


def _begins_with(side: list[Turn], prompt: list[Turn]) -> bool:
    return len(side) > len(prompt) and side[: len(prompt)] == prompt


def _is_sharegpt(turns: object) -> bool:
    return isinstance(turns, list) and bool(turns) and isinstance(turns[0], dict) and SHAREGPT.role in turns[0]


def _keys(keys: Keys) -> dict[str, Any]:
    return {"keys": list(keys)} if keys != MESSAGES else {}


def _difference(data: Mapping[str, object], expression: str) -> float | None:
    """A number, or the difference of two; None where one is none."""
    if not expression:
        return None
    numbers = [_number(value_of(data, path)) for path in _DIFFERENCE.split(expression)]
    if len(numbers) > 2 or None in numbers:
        return None
    first, *others = (number for number in numbers if number is not None)
    return first - others[0] if others else first


def _number(value: object) -> float | None:
    """A number, or the mean of an object's or a list's numbers."""
    if isinstance(value, dict | list):
        members = [_number(one) for one in (value.values() if isinstance(value, dict) else value)]
        known = [one for one in members if one is not None]
        return math.fsum(known) / len(known) if known and len(known) == len(members) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)
