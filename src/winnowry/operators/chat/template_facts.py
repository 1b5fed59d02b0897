"""Chat templates as facts: what stands before and behind the turns of each role. No template is copied or run.

Source: the chat templates released with Qwen 2.5, Qwen 3 (instruct 2507), Llama 3, Gemma, Gemma 3, Phi 3 and Phi 3.5;
renderings of plain conversations are equal to theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

TemplateName = Literal["chatml", "qwen2.5", "qwen3", "llama3", "gemma", "gemma3", "phi3", "phi3.5"]


class SystemNotSupportedError(ValueError):
    """The template has no place for a system turn."""


class Piece(NamedTuple):
    """A part of a rendered conversation.

    Attributes:
        text: its characters.
        special: whether it is one token, whatever it is spelt like.
        turn: the turn whose content it holds; None of a frame.
        trained: whether a model is trained on it.
    """

    text: str
    special: bool = False
    turn: int | None = None
    trained: bool = False


@dataclass(frozen=True)
class Facts:
    """A template.

    Attributes:
        opening: special tokens at the start of the text.
        turn_start: special token at the start of a turn; ``{role}`` where the role is in it.
        header: plain text behind it, with ``{role}``.
        header_end: special token that ends the header, and the text behind it.
        turn_end: special token at the end of a turn.
        gap: plain text between two turns.
        roles: what the template calls roles, where not by their own names.
        system: ``turn``: as any other; ``refused``; ``before_user``: in front of the first user's text.
        default_system: of a conversation without a system turn.
        strips: whether blanks around contents are cut off.
    """

    turn_start: str
    turn_end: str
    gap: str
    header: str = ""
    header_end: tuple[str, str] | None = None
    opening: str | None = None
    roles: tuple[tuple[str, str], ...] = ()
    system: Literal["turn", "refused", "before_user"] = "turn"
    default_system: str | None = None
    strips: bool = False


_CHATML = Facts("<|im_start|>", "<|im_end|>", "\n", header="{role}\n")
_GEMMA = Facts(
    "<start_of_turn>",
    "<end_of_turn>",
    "\n",
    header="{role}\n",
    opening="<bos>",
    roles=(("assistant", "model"),),
    system="refused",
    strips=True,
)
_PHI = Facts("<|{role}|>", "<|end|>", "\n", header="\n")
FACTS: Mapping[TemplateName, Facts] = {
    "chatml": _CHATML,
    "qwen2.5": Facts(
        "<|im_start|>",
        "<|im_end|>",
        "\n",
        header="{role}\n",
        default_system="You are Qwen, created by Alibaba Cloud. You are a helpful assistant.",
    ),
    "qwen3": _CHATML,
    "llama3": Facts(
        "<|start_header_id|>",
        "<|eot_id|>",
        "",
        header="{role}",
        header_end=("<|end_header_id|>", "\n\n"),
        opening="<|begin_of_text|>",
        strips=True,
    ),
    "gemma": _GEMMA,
    "gemma3": Facts(
        "<start_of_turn>",
        "<end_of_turn>",
        "\n",
        header="{role}\n",
        opening="<bos>",
        roles=(("assistant", "model"),),
        system="before_user",
        strips=True,
    ),
    "phi3": _PHI,
    "phi3.5": _PHI,
}


def pieces(turns: Iterable[Mapping[str, Any]], name: TemplateName, tools: str | None = None) -> list[Piece]:
    r"""A conversation as the template lays it out.

    Contents are plain text, whatever they spell. Calls of tools are their JSON behind the text of their turn, tools
    their JSON in front of the system's: an agreed form, which no released template has.

    Raises:
        SystemNotSupportedError: there is a system turn, or tools, and the template has no place for one.

    >>> from winnowry.records.conversations import turn
    >>> "".join(piece.text for piece in pieces([turn("user", "Hi"), turn("assistant", "Hello.")], "chatml"))
    '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello.<|im_end|>\n'
    """
    facts = FACTS[name]
    listed = [
        (number, part["role"] or part["role_raw"] or "user", content_of(part), part["weight"])
        for number, part in enumerate(turns)
    ]
    system = "\n\n".join(text for _, role, text, _ in listed if role == "system")
    has_system = any(role == "system" for _, role, _, _ in listed)
    if tools:
        system = f"{tools}\n\n{system}" if system else tools
        listed = [(0, "system", system, None), *(one for one in listed if one[1] != "system")]
        has_system = True
    elif not has_system and facts.default_system is not None:
        listed = [(-1, "system", facts.default_system, None), *listed]
    laid = [Piece(facts.opening, special=True)] if facts.opening is not None else []
    before = ""
    if has_system and facts.system == "refused":
        raise SystemNotSupportedError(f"{name} has no place for a system turn")
    if has_system and facts.system == "before_user":
        before = (system.strip() if facts.strips else system) + "\n\n"
        listed = [one for one in listed if one[1] != "system"]
    for number, role, text, weight in listed:
        content = text.strip() if facts.strips else text
        if role == "user" and before:
            content, before = before + content, ""
        called = dict(facts.roles).get(role, role)
        trains = role == "assistant" and weight != 0
        laid.append(Piece(facts.turn_start.format(role=called), special=True))
        if facts.header:
            laid.append(Piece(facts.header.format(role=called)))
        if facts.header_end is not None:
            laid += [Piece(facts.header_end[0], special=True), Piece(facts.header_end[1])]
        laid.append(Piece(content, turn=number, trained=trains))
        laid.append(Piece(facts.turn_end, special=True, trained=trains))
        if facts.gap:
            laid.append(Piece(facts.gap))
    return laid


def content_of(part: Mapping[str, Any]) -> str:
    """What a turn says: its reasoning in marks, its text, its calls as JSON."""
    text = f"<think>\n{part['reasoning']}\n</think>\n\n" if part["reasoning"] else ""
    text += part["text"] or ""
    for call in part["calls"] or ():
        text += f'{chr(10) if text else ""}{{"name": "{call["name"]}", "arguments": {call["arguments"] or "{}"}}}'
    return text
