"""Conversations: turns as OpenAI and ShareGPT write them, instructions of Alpaca, prompts with responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from winnowry.records.conversations import Turn, prompt_key, rendered, turn
from winnowry.records.turns import MESSAGES, SHAREGPT, Keys, TurnError, json_text, media_of_parts
from winnowry.sources.base import Record
from winnowry.sources.fields import described
from winnowry.sources.structured import StructuredFormat, extra_of, left_over, text_of, turns_of

Profile = Literal["messages", "sharegpt", "alpaca", "prompt_response"]

_TURNS_UNDER = {
    "messages": "messages",
    "sharegpt": "conversations",
    "alpaca": "instruction",
    "prompt_response": "prompt",
}
_MEDIA = (("images", "image"), ("videos", "video"), ("audios", "audio"))
_ALPACA = ("instruction", "input", "output", "system", "history")


class Conversations(StructuredFormat):
    """Reads conversations: a row of JSON Lines or Parquet is one conversation.

    Contents stay as they are written. A role that nobody knows, an order that makes no sense or a call without an
    answer are no fault of a row here: `chat.structure` finds them.
    """

    name: ClassVar[str] = "conversations"
    PARTS: ClassVar[Mapping[str, str]] = {
        "turns": "",
        "role": "",
        "content": "",
        "system": "system",
        "tools": "tools",
        "group": "",
        "instruction": "instruction",
        "input": "input",
        "output": "output",
        "history": "history",
        "prompt": "prompt",
        "response": "response",
        "images": "images",
        "videos": "videos",
        "audios": "audios",
    }

    profile: Profile = Field(
        default="messages",
        description="how a row is written: `messages` (`messages` with role and content, as OpenAI), `sharegpt` "
        "(`conversations` with from and value), `alpaca` (instruction, input, output, history), `prompt_response`",
    )

    @property
    def record_kind(self) -> str:
        """Conversations, whose size is counted in tokens."""
        return "conversation"

    def record_of(self, row: Record) -> Record:
        """The conversation that a row is.

        Reasons: ``no_turns``, ``mixed_profile`` (it is written in another profile), ``bad_turn``, ``wrong_type``,
        ``missing_field``, ``too_deep``.
        """
        data = row.data
        layout: dict[str, Any] = {"profile": self.profile}
        used: list[str] = []
        if self.profile in ("messages", "sharegpt"):
            made, more = self._listed(data, used)
        elif self.profile == "alpaca":
            made, more = self._alpaca(data, used)
        else:
            made, more = self._answered(data, used)
        layout |= more
        tools = self._tools(data, used, layout)
        media = self._media(data, used, layout, made)
        group = self.part(data, "group") if self.paths.get("group") else None
        rest = left_over(data, *used)
        columns = {
            "turns": made,
            "tools": tools,
            "media": media,
            "group": str(group) if group is not None else prompt_key(made),
            "extra": extra_of(rest),
            "layout": json_text(layout),
        }
        return Record(row.position, rest, key=row.key, columns=columns, text=rendered(made))

    def _listed(self, data: Mapping[str, object], used: list[str]) -> tuple[list[Turn], dict[str, Any]]:
        usual = SHAREGPT if self.profile == "sharegpt" else MESSAGES
        keys = Keys(self.paths.get("role") or usual.role, self.paths.get("content") or usual.content)
        path = self.paths.get("turns") or _TURNS_UNDER[self.profile]
        self._refuse_other_profile(data, path)
        made, layout = turns_of(data, path, keys)
        used.append(path)
        if path != _TURNS_UNDER[self.profile]:
            layout["path"] = path
        system = self.part(data, "system") if self.profile == "sharegpt" else None
        if isinstance(system, str):
            used.append(self.path("system"))
            if system:
                made.insert(0, turn("system", system))
                layout["system"] = "column"
                layout["turns"] = {str(int(number) + 1): how for number, how in layout.get("turns", {}).items()}
            else:
                layout["system"] = "empty"
        return made, layout

    def _refuse_other_profile(self, data: Mapping[str, object], path: str) -> None:
        """Refuse a row that is written as those of another profile are."""
        if path in data or "." in path:
            return
        for profile, under in _TURNS_UNDER.items():
            if profile != self.profile and under in data and profile in ("messages", "sharegpt", "alpaca"):
                raise TurnError("mixed_profile", f"{under}, which is of {profile}", f"{path}, of {self.profile}")

    def _alpaca(self, data: Mapping[str, object], used: list[str]) -> tuple[list[Turn], dict[str, Any]]:
        if self.part(data, "instruction") is None:
            self._refuse_other_profile(data, self.path("instruction"))
        asked = text_of(data, self.path("instruction"))
        answered = text_of(data, self.path("output"))
        beside = text_of(data, self.path("input"), required=False)
        system = text_of(data, self.path("system"), required=False)
        history = self.part(data, "history")
        used += [self.path(part) for part in _ALPACA if self.part(data, part) is not None]
        layout: dict[str, Any] = {}
        made = [turn("system", system)] if system else []
        if system == "":
            layout["system"] = "empty"
        if beside == "":
            layout["input"] = "empty"
        if history is not None:
            layout["history"] = True
            made += _history(history, self.path("history"))
        assert asked is not None
        if beside:
            layout["split"] = len(asked)
        made += [turn("user", f"{asked}\n{beside}" if beside else asked), turn("assistant", answered)]
        return made, layout

    def _answered(self, data: Mapping[str, object], used: list[str]) -> tuple[list[Turn], dict[str, Any]]:
        self_prompt, response = self.path("prompt"), self.path("response")
        if self.part(data, "prompt") is None:
            self._refuse_other_profile(data, self_prompt)
        system = text_of(data, self.path("system"), required=False)
        made = [turn("system", system)] if system else []
        layout: dict[str, Any] = {"system": "empty"} if system == "" else {}
        if isinstance(self.part(data, "prompt"), list):
            asked, how = turns_of(data, self_prompt, MESSAGES)
            layout["prompt"] = how
            layout["prompt_turns"] = len(asked)
        else:
            asked = [turn("user", text_of(data, self_prompt))]
        if isinstance(self.part(data, "response"), list):
            answered, how = turns_of(data, response, MESSAGES)
            layout["response"] = how
            layout["response_turns"] = len(answered)
        else:
            answered = [turn("assistant", text_of(data, response))]
        used += [self_prompt, response, *([self.path("system")] if system is not None else [])]
        if (self_prompt, response) != ("prompt", "response"):
            layout["names"] = [self_prompt, response]
        return [*made, *asked, *answered], layout

    def _tools(self, data: Mapping[str, object], used: list[str], layout: dict[str, Any]) -> str | None:
        """Descriptions of tools as JSON text."""
        value = self.part(data, "tools")
        if value is None:
            return None
        used.append(self.path("tools"))
        if isinstance(value, str):
            layout["tools"] = "text"
            return value
        return json_text(value)

    def _media(
        self, data: Mapping[str, object], used: list[str], layout: dict[str, Any], turns: list[Turn]
    ) -> list[dict[str, Any]] | None:
        """Pictures, films and sounds of a record: a list of paths, or one path."""
        media: list[dict[str, Any]] = []
        for part, kind in _MEDIA:
            value = self.part(data, part) if self.paths or part in data else None
            if value is None:
                continue
            listed = value if isinstance(value, list) else [value]
            if not all(one is None or isinstance(one, str | dict) for one in listed):
                raise TurnError("wrong_type", f"{self.path(part)} is {described(value)}", "a path, or a list of paths")
            # The column stays among the fields that nobody knows: it is written again as it stands.
            media += [self._medium(kind, one.get("path") if isinstance(one, dict) else one) for one in listed]
        for one in turns:
            if one["parts"] is not None:
                media += [self._medium(kind, address) for kind, address in media_of_parts(one["parts"])]
        return media or None

    def _medium(self, kind: str, address: object) -> dict[str, Any]:
        if not isinstance(address, str):
            return {"type": kind, "uri": None, "found": False}
        if address.startswith("data:"):
            return {"type": kind, "uri": address.partition(",")[0], "found": True}
        if "://" in address or address.startswith("/"):
            return {"type": kind, "uri": address, "found": None}
        inside = ".." not in address.split("/")
        there = self.neighbour(address) if inside else None
        if there is not None:
            there.close()
        return {"type": kind, "uri": address, "found": there is not None if self._neighbour is not None else None}


def _history(value: object, path: str) -> list[Turn]:
    """Earlier rounds: pairs of what was said and answered."""
    if not isinstance(value, list):
        raise TurnError("wrong_type", f"{path} is {described(value)}", "a list of pairs of texts")
    made: list[Turn] = []
    for number, pair in enumerate(value):
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(one, str) for one in pair):
            raise TurnError("bad_turn", f"{path}[{number}] is {described(pair)}", "a pair of texts")
        made += [turn("user", pair[0]), turn("assistant", pair[1])]
    return made
