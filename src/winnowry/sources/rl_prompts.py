"""Prompts for reinforcement learning: what is asked, the answer, and what policies answered with which reward."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, ClassVar

from pydantic import Field

from winnowry.records.conversations import Turn, prompt_key, rendered, turn
from winnowry.records.turns import MESSAGES, SHAREGPT, TurnError, json_text
from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.fields import absent, described
from winnowry.sources.preferences import turns_of_marked
from winnowry.sources.strict_json import spelling
from winnowry.sources.structured import StructuredFormat, extra_of, left_over, turns_of, value_of

_SPOOLED_BYTES = 64 << 20
_ROLLOUT = ("text", "reward", "policy", "step", "tokens", "finish")


class RlPrompts(StructuredFormat):
    """Reads prompts with answers and rollouts; an answer is text as it is spelt in the file.

    Rollouts are a list in a row (`rollouts`), or rows of their own: with `rollouts_by: FIELD` the rows of an object
    that share a value of that field are one prompt. Rows without that field are unreadable.
    """

    name: ClassVar[str] = "rl_prompts"
    PARTS: ClassVar[Mapping[str, str]] = {
        "prompt": "prompt",
        "answer": "answer",
        "verifier": "verifier",
        "rollouts": "rollouts",
        "group": "",
        "text": "text",
        "reward": "reward",
        "policy": "policy",
        "step": "step",
        "tokens": "tokens",
        "finish": "finish",
    }

    rollouts_by: str | None = Field(
        default=None,
        min_length=1,
        description="field that says which prompt a row is a rollout of; unset: a row is a prompt",
    )

    @property
    def record_kind(self) -> str:
        """Prompts, which are counted."""
        return "rl_prompt"

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`~winnowry.sources.base.Reader.read`.

        Reasons: those of :class:`~winnowry.sources.structured.StructuredFormat`; ``missing_field``, ``no_turns``,
        ``bad_turn``, ``bad_rollout``, ``wrong_type``; ``prompts_differ`` (rollouts of one prompt state several prompts
        or answers).
        """
        if self.rollouts_by is None:
            yield from super().read(stream, uri, limits)
        else:
            for item in self._gathered(stream, uri, limits):
                yield self._made(item) if isinstance(item, Record) else item

    def record_of(self, row: Record) -> Record:
        """The prompt that a row is."""
        data = row.data
        used = [self.path(part) for part in ("answer", "rollouts", "verifier")]
        layout: dict[str, Any] = {}
        prompt = self._prompt(data, used, layout)
        answer, kind = spelling(self.part(data, "answer"))
        if answer is not None and kind != "text":
            layout["answer"] = kind
        verifier, how = spelling(self.part(data, "verifier"))
        if verifier is not None and how != "text":
            layout["verifier"] = how
        listed = self.part(data, "rollouts")
        if listed is not None and not isinstance(listed, list):
            raise TurnError("bad_rollout", f"{self.path('rollouts')} is {described(listed)}", "a list of rollouts")
        rollouts = None if listed is None else [self._rollout(one, number) for number, one in enumerate(listed)]
        rest = left_over(data, *used)
        unknown = [left_over(one, *map(self.path, _ROLLOUT)) if isinstance(one, dict) else None for one in listed or ()]
        if any(one != {} for one in unknown):
            layout["rollouts"] = unknown
        names = {part: self.path(part) for part in ("prompt", "answer", "verifier", "rollouts") if part in self.paths}
        if names:
            layout["names"] = names
        nulls = [part for part in ("answer", "verifier", "rollouts") if self._is_null(data, part)]
        if nulls:
            layout["null"] = nulls
        group = self.part(data, "group") if self.paths.get("group") else None
        name = value_of(data, self.rollouts_by) if self.rollouts_by is not None else None
        columns = {
            "prompt": prompt or None,
            "answer": answer,
            "verifier": verifier,
            "rollouts": rollouts,
            "n_prompts": 1,
            "group": str(group) if group is not None else prompt_key(prompt) or (None if name is None else str(name)),
            "extra": extra_of(rest),
            "layout": json_text(layout),
        }
        return Record(row.position, rest, key=row.key, columns=columns, text=rendered(prompt) or str(name or ""))

    def _prompt(self, data: Mapping[str, object], used: list[str], layout: dict[str, Any]) -> list[Turn]:
        path = self.path("prompt")
        value = value_of(data, path)
        if value is None:
            if self.rollouts_by is None:
                raise TurnError("missing_field", absent(data, path), "a prompt: text, or a list of turns")
            return []
        used.append(path)
        if isinstance(value, str):
            marked = turns_of_marked(value)
            layout["prompt"] = {"form": "text" if marked is None else "marked"}
            if marked is not None:
                without = [number for number, (_, space) in enumerate(marked) if not space]
                layout["prompt"] |= {"no_space": without} if without else {}
                return [made for made, _ in marked]
            return [turn("user", value)]
        sharegpt = isinstance(value, list) and value and isinstance(value[0], dict) and SHAREGPT.role in value[0]
        made, how = turns_of(data, path, SHAREGPT if sharegpt else MESSAGES)
        layout["prompt"] = {"form": "turns", **how}
        return made

    def _rollout(self, one: object, number: int) -> dict[str, Any]:
        where = f"{self.path('rollouts')}[{number}]"
        if isinstance(one, str):
            return {**dict.fromkeys(_ROLLOUT), "text": one}
        if not isinstance(one, Mapping):
            raise TurnError("bad_rollout", f"{where} is {described(one)}", "an object")
        made: dict[str, Any] = {}
        for part in _ROLLOUT:
            value = value_of(one, self.path(part))
            wanted: type | tuple[type, ...] = str
            if part == "reward":
                value = float(value) if isinstance(value, bool | int) else value
                wanted = float
            elif part in ("step", "tokens"):
                wanted = int
            if value is not None and (not isinstance(value, wanted) or (wanted is int and isinstance(value, bool))):
                expected = "text" if wanted is str else "a number" if wanted is float else "a whole number"
                raise TurnError("bad_rollout", f"{where}.{self.path(part)} is {described(value)}", expected)
            made[part] = value
        return made

    def _is_null(self, data: Mapping[str, object], part: str) -> bool:
        return self.path(part) in data and self.part(data, part) is None

    def _gathered(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """Rows that are rollouts as prompts with their rollouts, where the first of each stands.

        The rows wait on disk: rollouts of a prompt may stand anywhere in an object.
        """
        assert self.rollouts_by is not None
        groups: dict[str, list[int]] = {}
        order: list[tuple[int, str | None, int]] = []  # position, prompt, place of what is unreadable
        with tempfile.SpooledTemporaryFile(_SPOOLED_BYTES) as spooled:
            for item in self.rows(stream, uri, limits):
                place = spooled.tell()
                refused: Unreadable | None = item if isinstance(item, Unreadable) else None
                name = None
                if isinstance(item, Record):
                    value = value_of(item.data, self.rollouts_by)
                    if value is None:
                        refused = self.refused(item, "missing_field", absent(item.data, self.rollouts_by))
                    elif isinstance(value, bool | dict | list | float):
                        wrong = f"{self.rollouts_by} is {described(value)}"
                        refused = self.refused(item, "wrong_type", wrong, "text or whole number")
                    else:
                        name = f"{type(value).__name__}:{value}"
                pickle.dump(refused if refused is not None else item, spooled)
                if name is None or name not in groups:
                    order.append((item.position, name, place))
                if name is not None:
                    groups.setdefault(name, []).append(place)
            for _, name, place in order:
                if name is None:
                    spooled.seek(place)
                    yield pickle.load(spooled)
                else:
                    yield self._prompt_of(groups[name], spooled)

    def _prompt_of(self, places: list[int], spooled: Any) -> Record | Unreadable:
        rows: list[Record] = []
        for place in places:
            spooled.seek(place)
            rows.append(pickle.load(spooled))
        first = rows[0]
        for part in ("prompt", "answer"):
            other = next((row for row in rows if self.part(row.data, part) != self.part(first.data, part)), None)
            if other is not None:
                value = f"{self.path(part)} of row {other.position} is not that of row {first.position}"
                return self.refused(first, "prompts_differ", value, "one prompt and one answer")
        own = {self.path(part).partition(".")[0] for part in _ROLLOUT}
        shared = {
            key: value
            for key, value in first.data.items()
            if key not in own and all(key in row.data and row.data[key] == value for row in rows)
        }
        rollouts = [{key: value for key, value in row.data.items() if key not in shared} for row in rows]
        return Record(first.position, {**shared, self.path("rollouts"): rollouts}, key=first.key)
