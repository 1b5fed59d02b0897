"""``chat.structure``: whether the turns of a conversation can follow one another as they do."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, ClassVar, Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from winnowry.operators.base import Operator, Rule
from winnowry.operators.chat.columns import ASSISTANT, SYSTEM, TOOL, TURNS_FIELD, UNKNOWN, Turns
from winnowry.records.conversations import MEDIA
from winnowry.records.turns import media_of_parts

Fault = Literal[
    "unknown_role",
    "system_not_first",
    "same_role_twice",
    "first_not_user",
    "last_not_assistant",
    "empty_turn",
    "no_content",
    "tool_result_without_call",
    "tool_call_unanswered",
    "call_id_twice",
    "ambiguous_pairing",
    "media_mismatch",
    "media_missing",
]
FAULTS: tuple[Fault, ...] = get_args(Fault)

CONTROL = (
    r"<\|[A-Za-z0-9_\-]{1,40}\|>|<｜[^<>｜]{1,40}｜>|</?(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>|</?s>|<[be]os>"
)
"""Spellings of control tokens: ChatML, Llama 2 to 4, Gemma, Phi, Mistral, DeepSeek."""
_CONTROL = re.compile(CONTROL)
_TAGS = {kind: f"<{kind}>" for kind in ("image", "video", "audio")}


class Structure(Operator):
    """Find what is wrong with the order of turns, the calls of tools and the pictures of a conversation.

    Each kind of fault has a column with the first place of it, null where there is none, and refuses the record unless
    `allow` names it. Turns are counted from 0.

    ==============================  ===================================================================================
    ``unknown_role``                a role that is no word for system, user, assistant or tool
    ``system_not_first``            a system turn behind another turn
    ``same_role_twice``             two turns of one role in a row, but for results of tools
    ``first_not_user``              the first turn behind the system's is an assistant's
    ``last_not_assistant``          the last turn is not an assistant's: nothing to train on
    ``empty_turn``                  a text of nothing but blanks (Unicode's too), without calls
    ``no_content``                  neither text nor parts nor calls
    ``tool_result_without_call``    a result that answers no call of the assistant turn before it
    ``tool_call_unanswered``        a call without a result before the conversation goes on; its last turn may be one
    ``call_id_twice``               an id of two calls of one turn
    ``ambiguous_pairing``           results without ids, and several calls that they may answer
    ``media_mismatch``              tags ``<image>`` of users are not as many as the pictures (films, sounds)
    ``media_missing``               a picture whose file is not there
    ==============================  ===================================================================================

    Results belong to calls by id, within the assistant turn before them; without ids where there is one of each, or by
    a name that is the only one; never by their order. A tag in an answer is text, and so is one where no picture is
    declared.

    ``chat_control_tokens`` lists spellings of control tokens in contents as ``TURN SPELLING``, and
    ``chat_n_control_tokens`` counts them. They may be residue of an earlier rendering, an attack, or what is talked
    about: the gate of ``cleaned`` warns where more than 5 % of a partition have some, and there is a rule only with
    `max_control_tokens`.
    """

    op: Literal["chat.structure"] = "chat.structure"
    allow: tuple[Fault, ...] = Field(default=(), description="faults for which no record is refused")
    max_control_tokens: int | None = Field(
        default=None, ge=0, description="most spellings of control tokens in contents; off unless set"
    )

    ONLY_RULES: ClassVar[frozenset[str]] = frozenset({"allow"})
    FAULTS: ClassVar[tuple[Fault, ...]] = FAULTS
    PREFIX: ClassVar[str] = "chat"

    def _name(self, column: str) -> str:
        return f"{self.as_ or self.PREFIX}_{column}"

    @property
    def control_tokens_column(self) -> str:
        """The column that counts spellings of control tokens."""
        return self._name("n_control_tokens")

    def reads(self) -> pa.Schema:
        """``turns`` and ``media``."""
        return pa.schema([TURNS_FIELD, pa.field("media", MEDIA)])

    def writes(self) -> pa.Schema:
        """``chat_n_turns``, a text for each kind of fault, and the control tokens."""
        return pa.schema(
            [
                pa.field(self._name("n_turns"), pa.int64()),
                *(pa.field(self._name(fault), pa.string()) for fault in FAULTS),
                pa.field(self._name("control_tokens"), pa.list_(pa.string())),
                pa.field(self._name("n_control_tokens"), pa.int64()),
            ]
        )

    def rules(self) -> tuple[Rule, ...]:
        """No fault, but for those that are allowed."""
        faults = [
            Rule(name=fault, column=self._name(fault), comparison="==", threshold="", null="keep")
            for fault in FAULTS
            if fault not in self.allow
        ]
        if self.max_control_tokens is not None:
            limit = Rule(
                name="max_control_tokens",
                column=self._name("n_control_tokens"),
                comparison="<=",
                threshold=self.max_control_tokens,
                null="keep",
            )
            faults.append(limit)
        return tuple(faults)

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Look at n conversations."""
        turns = Turns(batch.column("turns"))
        faults: list[dict[Fault, str]] = _order(turns)
        _pairings(turns, faults)
        _media(turns, batch.column("media"), faults)
        tokens = control_tokens(turns)
        columns = [
            pa.array([stop - start for start, stop in turns], pa.int64()),
            *(pa.array([one.get(fault) for one in faults], pa.string()) for fault in FAULTS),
            pa.array(tokens, pa.list_(pa.string())),
            pa.array([len(listed) for listed in tokens], pa.int64()),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self.writes())


def _order(turns: Turns) -> list[dict[Fault, str]]:
    """Faults of roles and contents."""
    roles, blank, n_calls = turns.roles().tolist(), turns.blank().tolist(), turns.n_calls().tolist()
    has_text, parts = turns.present("text").tolist(), turns.field("parts")
    has_parts = pc.is_valid(parts).to_pylist()
    words = turns.field("role_raw")
    of_records: list[dict[Fault, str]] = []
    for start, stop in turns:
        faults: dict[Fault, str] = {}
        before = None
        opening = next((at for at in range(start, stop) if roles[at] != SYSTEM), None)
        if opening is not None and roles[opening] == ASSISTANT:
            faults["first_not_user"] = f"turn {opening - start}"
        for at in range(start, stop):
            role, where = roles[at], f"turn {at - start}"
            if role == UNKNOWN:
                word = words[at].as_py()
                faults.setdefault("unknown_role", f"{where}: {'no role' if word is None else f'role {word!r:.60}'}")
            if role == SYSTEM and at > start:
                faults.setdefault("system_not_first", where)
            if role == before and role not in (TOOL, UNKNOWN):
                faults.setdefault("same_role_twice", f"{where}: {('system', 'user', 'assistant')[role]}")
            if not n_calls[at]:
                if not has_text[at] and not has_parts[at]:
                    faults.setdefault("no_content", where)
                elif role != TOOL and (blank[at] or not has_text[at]) and not media_of_parts(parts[at].as_py()):
                    faults.setdefault("empty_turn", where)
            before = role
        if stop > start and before != ASSISTANT:
            faults.setdefault("last_not_assistant", f"turn {stop - start - 1}")
        of_records.append(faults)
    return of_records


def _pairings(turns: Turns, faults: list[dict[Fault, str]]) -> None:
    """Faults of calls and their results, in the records that have any."""
    roles = turns.roles()
    concerned = (roles == TOOL) | (turns.n_calls() > 0)
    for row, (start, stop) in enumerate(turns):
        if concerned[start:stop].any():
            for fault, where in _unpaired(turns.turns.slice(start, stop - start).to_pylist()).items():
                faults[row].setdefault(fault, where)


def _unpaired(turns: list[dict[str, Any]]) -> dict[Fault, str]:
    faults: dict[Fault, str] = {}
    late: set[str] = set()  # ids of calls that the conversation went on without
    at = 0
    while at < len(turns):
        calls = turns[at]["calls"] or []
        if turns[at]["role"] == "tool":
            if turns[at]["call_id"] not in late:
                faults.setdefault("tool_result_without_call", f"turn {at}")
            at += 1
            continue
        stop = at + 1
        while calls and stop < len(turns) and turns[stop]["role"] == "tool":
            stop += 1
        if calls:
            _pair(turns, at, stop, faults, late)
        at = stop
    return faults


def _pair(turns: list[dict[str, Any]], at: int, stop: int, faults: dict[Fault, str], late: set[str]) -> None:
    """Pair the calls of turn ``at`` with the results behind it, up to turn ``stop``."""
    open_calls = list(turns[at]["calls"])
    twice = [name for name, n in Counter(call["id"] for call in open_calls if call["id"] is not None).items() if n > 1]
    if twice:
        faults.setdefault("call_id_twice", f"turn {at}: {twice[0]!r:.60}")
    without_id = []
    for number in range(at + 1, stop):
        name = turns[number]["call_id"]
        if name is None:
            without_id.append(number)
            continue
        answered = next((call for call in open_calls if call["id"] == name), None)
        if answered is not None:
            open_calls.remove(answered)
        elif name not in late:
            faults.setdefault("tool_result_without_call", f"turn {number}: id {name!r:.60}")
    for number in without_id:
        if not open_calls:
            faults.setdefault("tool_result_without_call", f"turn {number}")
            continue
        match = _answered(turns[number], open_calls, [turns[other]["name"] for other in without_id])
        if match is None:
            faults.setdefault("ambiguous_pairing", f"turn {number}: {len(open_calls)} calls that it may answer")
            return
        if not match:
            faults.setdefault("tool_result_without_call", f"turn {number}: name {turns[number]['name']!r:.60}")
        for call in match:
            open_calls.remove(call)
    if open_calls and (stop < len(turns) or stop > at + 1):  # a call may be the last word
        faults.setdefault("tool_call_unanswered", f"turn {at}: {open_calls[0]['name']!r:.60}")
        late |= {call["id"] for call in open_calls if call["id"] is not None}


def _answered(
    result: dict[str, Any], calls: list[dict[str, Any]], names: list[str | None]
) -> list[dict[str, Any]] | None:
    """The calls that a result without an id answers; none where its name is no call's, None where it cannot be told."""
    name = result["name"]
    if name is not None:
        named = [call for call in calls if call["name"] == name]
        if not named or (len(named) == 1 and names.count(name) == 1):
            return named
        return None
    if len(names) == 1 and (len(calls) == 1 or result["role_raw"] != "tool"):
        return list(calls)  # ShareGPT has one observation for all calls of a turn
    return None


def _media(turns: Turns, column: pa.Array, faults: list[dict[Fault, str]]) -> None:
    """Faults of pictures, films and sounds, in the records that have any."""
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_pylist()
    for row, (start, stop) in enumerate(turns):
        if not lengths[row]:
            continue
        media = column[row].as_py()
        gone = next((number for number, one in enumerate(media) if one["uri"] is None or one["found"] is False), None)
        if gone is not None:
            uri = media[gone]["uri"]
            faults[row]["media_missing"] = f"{media[gone]['type']} {gone}: {'null' if uri is None else uri:.200}"
        wrong = _mismatch(turns.turns.slice(start, stop - start).to_pylist(), media)
        if wrong is not None:
            faults[row]["media_mismatch"] = wrong


def _mismatch(turns: list[dict[str, Any]], media: list[dict[str, Any]]) -> str | None:
    in_parts = Counter(kind for one in turns for kind, _ in media_of_parts(one["parts"]))
    declared = Counter(one["type"] for one in media)
    for kind, tag in _TAGS.items():
        n_media = declared[kind] - in_parts[kind]
        n_tags = sum(one["text"].count(tag) for one in turns if one["role"] == "user" and one["text"])
        if declared[kind] and n_tags != n_media:
            return f"{n_tags} tags {tag}, {n_media} declared"
    return None


def control_tokens(turns: Turns) -> list[list[str]]:
    """Spellings of control tokens in contents, as ``TURN SPELLING``, a list for each record."""
    texts = turns.field("text")
    hits = pc.fill_null(pc.match_substring_regex(texts, CONTROL), False).to_numpy(zero_copy_only=False)
    tokens: list[list[str]] = []
    for start, stop in turns:
        tokens.append(
            [
                f"{at - start} {token}"
                for at in range(start, stop)
                if hits[at]
                for token in _CONTROL.findall(texts[at].as_py())
            ]
        )
    return tokens
