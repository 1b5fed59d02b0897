"""Turns as sources write them, and as columns hold them: one way in, one way out, nothing lost between."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from winnowry.records.conversations import Turn, turn

ROLE_WORDS = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(
        ("assistant", "gpt", "chatgpt", "bing", "bard", "model", "bot", "function_call"),
        "assistant",
    ),
    **dict.fromkeys(("tool", "observation", "function", "ipython", "function_response", "tool_response"), "tool"),
}
"""What sources call a role; a word that is not here is an unknown role."""

MAX_DEPTH = 64
"""Of JSON that is kept as text."""

_REASONING = ("reasoning_content", "reasoning", "thinking")
_WEIGHT = ("weight", "train")
_CALLS = "tool_calls"
_FUNCTION_CALL = "function_call"
_AS_USUAL: dict[str, Any] = {}
_MEDIA_PARTS = {
    **dict.fromkeys(("image", "image_url", "input_image"), "image"),
    **dict.fromkeys(("video", "video_url", "input_video"), "video"),
    **dict.fromkeys(("audio", "audio_url", "input_audio"), "audio"),
}


class Keys(NamedTuple):
    """What a profile calls the role and the content of a turn."""

    role: str
    content: str


MESSAGES = Keys("role", "content")
SHAREGPT = Keys("from", "value")


class TurnError(ValueError):
    """Something is no turn.

    Attributes:
        reason: snake_case code.
        value: what is there.
        expected: what should be.
    """

    def __init__(self, reason: str, value: str, expected: str | None = None) -> None:
        super().__init__(f"{reason}: {value}")
        self.reason, self.value, self.expected = reason, value, expected


def json_text(value: object, *, spaced: bool = False) -> str:
    """A value as JSON text, keys in their order; with or without blanks behind commas and colons.

    Raises:
        TurnError: it is nested too deep.

    >>> json_text({"b": 1, "a": "é"})
    '{"b":1,"a":"é"}'
    """
    if _deeper(value, MAX_DEPTH):
        raise TurnError("too_deep", f"nested deeper than {MAX_DEPTH}", f"at most {MAX_DEPTH} levels")
    separators = None if spaced else (",", ":")
    return json.dumps(value, ensure_ascii=False, separators=separators, default=str)


def read_turn(message: object, keys: Keys, where: str) -> tuple[Turn, dict[str, Any]]:
    """A turn as columns, and what its source wrote in another way than usual.

    Args:
        message: one member of the list of turns.
        keys: names of role and content.
        where: its place, for messages.

    Raises:
        TurnError: it is no turn: ``bad_turn``, ``wrong_type`` or ``too_deep``.
    """
    if not isinstance(message, Mapping):
        raise TurnError("bad_turn", f"{where} is {_what(message)}", "an object")
    role, content = message.get(keys.role), message.get(keys.content)
    if len(message) == 2 and type(role) is str and type(content) is str and role != _FUNCTION_CALL:
        return turn(ROLE_WORDS.get(role), content, role_raw=role), _AS_USUAL  # nearly all of them
    left = {key: value for key, value in message.items() if value is not None}
    nulls = [key for key, value in message.items() if value is None]
    layout: dict[str, Any] = {}
    left.pop(keys.role, None)
    if role is not None and not isinstance(role, str):
        raise TurnError("wrong_type", f"{where}.{keys.role} is {_what(role)}", "text")
    made = turn(ROLE_WORDS.get(role or ""), None)
    made["role_raw"] = role
    left.pop(keys.content, None)
    _take_content(made, content, f"{where}.{keys.content}")
    _take_calls(made, left, layout)
    _take_names(made, left, layout)
    if left:
        made["extra"] = json_text(left)
    if nulls:
        layout["null"] = nulls
    return made, layout


def _take_content(made: Turn, content: object, where: str) -> None:
    if isinstance(content, str):
        made["text"] = content
    elif isinstance(content, list):
        made["parts"], made["text"] = json_text(content), _text_of_parts(content)
    elif content is not None:
        raise TurnError("wrong_type", f"{where} is {_what(content)}", "text, a list of parts, or null")


def _take_calls(made: Turn, left: dict[str, Any], layout: dict[str, Any]) -> None:
    """The calls of a turn, which ShareGPT writes as its text."""
    if made["role_raw"] == _FUNCTION_CALL and made["text"] is not None and made["parts"] is None:
        calls, form = _calls_of_text(made["text"])
        if calls is not None:
            made["calls"], made["text"], layout["call"] = calls, None, form
    elif _CALLS in left:
        listed, is_text = left[_CALLS], isinstance(left[_CALLS], str)
        if is_text:  # Parquet of mixed tools has them as JSON text
            listed = _list_in(listed)
        read = [_read_call(call) for call in listed] if isinstance(listed, list) else [None]
        if None not in read:
            made["calls"] = read
            del left[_CALLS]
            if is_text:
                layout["calls"] = "text"


def _take_names(made: Turn, left: dict[str, Any], layout: dict[str, Any]) -> None:
    """Fields that have a column, where they are what they should be; what they are called where it is unusual."""
    for column, key in (("call_id", "tool_call_id"), ("name", "name")):
        if isinstance(left.get(key), str):
            made[column] = left.pop(key)
    names: dict[str, str] = {}
    reasoning = next((key for key in _REASONING if isinstance(left.get(key), str)), None)
    if reasoning is not None:
        made["reasoning"] = left.pop(reasoning)
        names["reasoning"] = reasoning
    weight = next((key for key in _WEIGHT if _is_weight(key, left.get(key))), None)
    if weight is not None:
        made["weight"] = float(left.pop(weight))
        names["weight"] = weight
    usual = {"reasoning": _REASONING[0], "weight": _WEIGHT[0]}
    unusual = {column: key for column, key in names.items() if key != usual[column]}
    if unusual:
        layout["names"] = unusual


def message_of(made: Mapping[str, Any], keys: Keys, layout: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A turn as its source wrote it: what :func:`read_turn` was given."""
    layout = layout or {}
    names = layout.get("names", {})
    message: dict[str, Any] = {}
    if made["role_raw"] is not None:
        message[keys.role] = made["role_raw"]
    if "call" in layout:
        calls = [call_object(call) for call in made["calls"]]
        message[keys.content] = json_text(calls[0] if layout["call"] == "object" else calls)
    elif made["parts"] is not None:
        message[keys.content] = json.loads(made["parts"])
    elif made["text"] is not None:
        message[keys.content] = made["text"]
    if made["calls"] is not None and "call" not in layout:
        listed = [call_object(call) for call in made["calls"]]
        message[_CALLS] = json_text(listed) if layout.get("calls") == "text" else listed
    for column, key in (("call_id", "tool_call_id"), ("name", "name")):
        if made[column] is not None:
            message[key] = made[column]
    if made["reasoning"] is not None:
        message[names.get("reasoning", _REASONING[0])] = made["reasoning"]
    if made["weight"] is not None:
        key = names.get("weight", _WEIGHT[0])
        weight = made["weight"]
        message[key] = bool(weight) if key == "train" else int(weight) if weight.is_integer() else weight
    if made["extra"] is not None:
        message |= json.loads(made["extra"])
    return message | dict.fromkeys(layout.get("null", ()))


def call_object(call: Mapping[str, Any]) -> dict[str, Any]:
    """A call as its source wrote it."""
    whole: dict[str, Any] = {"type": "function", "function": {}} if call["extra"] is None else json.loads(call["extra"])
    inner = whole["function"] if isinstance(whole.get("function"), dict) else whole
    if call["id"] is not None:
        whole = {"id": call["id"], **whole}
        inner = whole["function"] if isinstance(whole.get("function"), dict) else whole
    inner["name"] = call["name"]
    if call["arguments"] is not None:
        inner["arguments"] = call["arguments"] if call["was_text"] else json.loads(call["arguments"])
    return whole


def media_of_parts(parts: str | None) -> list[tuple[str, str | None]]:
    """Type and address of the pictures, films and sounds among the parts of a content.

    >>> media_of_parts('[{"type":"image_url","image_url":{"url":"a.png"}},{"type":"text","text":"what?"}]')
    [('image', 'a.png')]
    """
    media = []
    for part in json.loads(parts) if parts is not None else ():
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in _MEDIA_PARTS:
            inner = next((part[key] for key in (kind, _MEDIA_PARTS[kind], "url", "path") if key in part), None)
            address = inner.get("url") if isinstance(inner, dict) else inner
            media.append((_MEDIA_PARTS[kind], address if isinstance(address, str) else None))
    return media


def _read_call(call: object) -> dict[str, Any] | None:
    """A call as columns; None where it is no call that can be told."""
    if not isinstance(call, Mapping):
        return None
    rest = dict(call)
    inner = rest.get("function")
    if isinstance(inner, Mapping):
        rest["function"] = inner = dict(inner)
    elif inner is None and "function" not in rest:
        inner = rest
    else:
        return None
    if not isinstance(inner.get("name"), str):
        return None
    name = inner.pop("name")
    identity = rest.pop("id") if isinstance(rest.get("id"), str) else None
    arguments = inner.get("arguments")
    was_text = isinstance(arguments, str)
    if arguments is not None:
        del inner["arguments"]
    return {
        "id": identity,
        "name": name,
        "arguments": arguments if was_text or arguments is None else json_text(arguments, spaced=True),
        "was_text": was_text,
        "extra": None if rest == {"type": "function", "function": {}} else json_text(rest),
    }


def _calls_of_text(text: str) -> tuple[list[dict[str, Any]] | None, str]:
    """The calls that a turn of ShareGPT writes as its text; None where it is no call."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None, ""
    several = isinstance(value, list)
    calls = [_read_call(call) for call in (value if several else [value])]
    if not calls or any(call is None for call in calls):
        return None, ""
    return [call for call in calls if call is not None], "list" if several else "object"


def _list_in(text: str) -> list[Any] | None:
    """The list that a JSON text is; None where it is another value, or empty."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) and value else None


def _text_of_parts(parts: list[Any]) -> str | None:
    texts = [
        part if isinstance(part, str) else part["text"]
        for part in parts
        if isinstance(part, str) or (isinstance(part, Mapping) and isinstance(part.get("text"), str))
    ]
    return "".join(texts) if texts else None


def _is_weight(key: str, value: object) -> bool:
    if key == "train":
        return isinstance(value, bool)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _deeper(value: object, levels: int) -> bool:
    if isinstance(value, Mapping):
        return levels == 0 or any(_deeper(inner, levels - 1) for inner in value.values())
    if isinstance(value, list):
        return levels == 0 or any(_deeper(inner, levels - 1) for inner in value)
    return False


def _what(value: object) -> str:
    if isinstance(value, Mapping):
        return "object"
    if isinstance(value, list | tuple):
        return "list"
    if isinstance(value, bool):
        return f"boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"number {value!s:.40}"
    return "null" if value is None else "text" if isinstance(value, str) else type(value).__name__
