"""Records as rows that trainers read: from columns back to messages, ShareGPT or pairs, and what a form cannot say."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from winnowry.records.conversations import Turn
from winnowry.records.turns import MESSAGES, SHAREGPT, Keys, call_object, json_text, message_of

Losses = Counter[str]
"""What a form cannot say, counted: a name for each kind of loss."""

_SHAREGPT_ROLES = {"user": "human", "assistant": "gpt", "tool": "observation"}
_MARKS = {"user": "Human", "assistant": "Assistant"}


def messages_row(columns: Mapping[str, Any], losses: Losses) -> dict[str, Any]:
    """A conversation as ``messages``, as OpenAI, TRL and Axolotl read it; one that came so is what it was.

    Args:
        columns: those of a conversation.
        losses: is added to.
    """
    layout = _layout(columns)
    row: dict[str, Any] = _extra(columns)
    own = layout.get("profile") == "messages"
    if own:
        row["messages"] = _messages(columns["turns"], layout)
    else:
        row["messages"] = [_as_message(one) for one in columns["turns"]]
        unknown = sum(one["role"] is None for one in columns["turns"])
        if unknown:
            losses["roles without a word for them"] += unknown
    if columns["tools"] is not None:
        row["tools"] = columns["tools"] if own and layout.get("tools") == "text" else _parsed(columns["tools"])
    return row


def sharegpt_row(columns: Mapping[str, Any], losses: Losses) -> dict[str, Any]:
    """A conversation as ShareGPT, as LLaMA-Factory reads it; one that came so is what it was.

    Results of tools follow in the order of their calls, as the form has no ids.
    """
    layout = _layout(columns)
    row: dict[str, Any] = _extra(columns)
    turns: list[Turn] = list(columns["turns"])
    if layout.get("profile") == "sharegpt":
        unusual = layout.get("turns", {})
        first = 1 if layout.get("system") == "column" else 0
        row["conversations"] = [
            message_of(one, SHAREGPT, unusual.get(str(number))) for number, one in enumerate(turns) if number >= first
        ]
        if "system" in layout:
            row["system"] = turns[0]["text"] if first else ""
        if columns["tools"] is not None:
            row["tools"] = columns["tools"] if layout.get("tools") == "text" else _parsed(columns["tools"])
        return row
    row["conversations"] = [turn for one in _by_call(turns) for turn in _as_sharegpt(one, losses)]
    if columns["tools"] is not None:
        row["tools"] = columns["tools"]
    return row


def preference_row(columns: Mapping[str, Any], losses: Losses) -> dict[str, Any]:
    """A pair as ``prompt``, ``chosen`` and ``rejected``, as TRL reads it: texts where it came as texts, else turns."""
    layout = _layout(columns)
    row: dict[str, Any] = _extra(columns)
    prompt: list[Turn] = list(columns["prompt"])
    if layout.get("system") == "column":
        row["system"] = prompt.pop(0)["text"]
    shared = prompt if layout.get("repeated") or layout.get("implicit") else []
    if not layout.get("implicit"):
        row["conversations" if layout.get("conversations") else "prompt"] = _side(prompt, layout.get("prompt", {}))
    for part in ("chosen", "rejected"):
        row[part] = _side([*shared, *columns[part]], layout.get(part, {}))
    return row


def _side(turns: list[Turn], how: Mapping[str, Any]) -> Any:
    form = how.get("form")
    if form == "text" and len(turns) == 1:
        return turns[0]["text"]
    if form == "marked":
        no_space = set(how.get("no_space", ()))
        return "".join(
            f"\n\n{one['role_raw']}:{'' if number in no_space else ' '}{one['text']}"
            for number, one in enumerate(turns)
        )
    messages = _messages(turns, how)
    if form == "turn":
        return messages[0]
    return json_text(messages) if how.get("json_text") else messages


def _messages(turns: Iterable[Turn], layout: Mapping[str, Any]) -> list[dict[str, Any]]:
    keys = Keys(*layout["keys"]) if "keys" in layout else MESSAGES
    unusual = layout.get("turns", {})
    return [message_of(one, keys, unusual.get(str(number))) for number, one in enumerate(turns)]


def _as_message(one: Turn) -> dict[str, Any]:
    """A turn of another form as a message."""
    message = message_of({**one, "role_raw": one["role"] or one["role_raw"]}, MESSAGES)
    if one["calls"] and one["text"] is None:
        message["content"] = None
    if one["calls"]:
        message["tool_calls"] = [_standard(call) for call in one["calls"]]
    return message


def _standard(call: Mapping[str, Any]) -> dict[str, Any]:
    """A call in the form of OpenAI, whatever its own."""
    whole = call_object(call)
    if "function" in whole:
        return {"type": "function", **whole}
    arguments = {"arguments": whole["arguments"]} if "arguments" in whole else {}
    rest = {key: value for key, value in whole.items() if key not in ("name", "arguments")}
    return {**rest, "type": "function", "function": {"name": whole["name"], **arguments}}


def _as_sharegpt(one: Turn, losses: Losses) -> list[dict[str, Any]]:
    """A turn as turns of ShareGPT: text beside a call is a turn of its own."""
    turns: list[dict[str, Any]] = []
    text = one["text"] or ""
    if one["parts"] is not None:
        losses["contents in parts, of which the text is left"] += 1
    if one["reasoning"] is not None:
        text = f"<think>\n{one['reasoning']}\n</think>\n\n{text}"
    more = {} if one["weight"] is None else {"weight": one["weight"]}
    more |= json.loads(one["extra"]) if one["extra"] is not None else {}
    losses["ids of calls"] += one["call_id"] is not None
    losses["names of speakers and tools"] += one["name"] is not None
    if one["calls"]:
        if text:
            turns.append({"from": "gpt", "value": text, **more})
            losses["texts beside a call, which became a turn"] += 1
        calls = [{"name": call["name"], "arguments": _arguments(call)} for call in one["calls"]]
        losses["ids of calls"] += sum(call["id"] is not None for call in one["calls"])
        value = json.dumps(calls[0] if len(calls) == 1 else calls, ensure_ascii=False)
        return [*turns, {"from": "function_call", "value": value, **more}]
    word = _SHAREGPT_ROLES.get(one["role"] or "", one["role"] or one["role_raw"])
    return [{"from": word, "value": text, **more}]


def _arguments(call: Mapping[str, Any]) -> Any:
    """Arguments as an object, where they are one."""
    return {} if call["arguments"] is None else _parsed(call["arguments"])


def _by_call(turns: list[Turn]) -> list[Turn]:
    """The turns, with results of tools in the order of the calls that they answer."""
    ordered: list[Turn] = []
    at = 0
    while at < len(turns):
        ordered.append(turns[at])
        place = {call["id"]: number for number, call in enumerate(turns[at]["calls"] or ()) if call["id"] is not None}
        names = {call["name"]: number for number, call in enumerate(turns[at]["calls"] or ())}
        stop = at + 1
        while stop < len(turns) and turns[stop]["role"] == "tool":
            stop += 1
        results = turns[at + 1 : stop]
        last = len(place) + len(names)
        ordered += sorted(results, key=lambda one: place.get(one["call_id"], names.get(one["name"], last)))
        at = stop
    return ordered


def _layout(columns: Mapping[str, Any]) -> dict[str, Any]:
    return json.loads(columns["layout"]) if columns["layout"] is not None else {}


def _extra(columns: Mapping[str, Any]) -> dict[str, Any]:
    return json.loads(columns["extra"]) if columns["extra"] is not None else {}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
