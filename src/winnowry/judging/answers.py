"""What a judge has answered: read exactly, or not at all and why.

Exact is: the whole content is one JSON object (or a list of objects) with a label for each criterion; or, where one
criterion was asked, the bare label. Before it there may be thinking that is closed; around all of it one code fence.
Prose around it, a second verdict, a label that the rubric does not have, or an end that was cut are no verdict, and
never the nearest one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from winnowry.judging.calls import ALONE, TOOL, Question
from winnowry.judging.spec import Judge

Reason = Literal[
    "length", "refusal", "content_filter", "interrupted", "no_choices", "no_content", "unreadable", "two_verdicts",
    "open_thinking", "unknown_label", "missing", "contradicting", "undecided",
]  # fmt: skip
"""Why an answer is no verdict."""

UNREADABLE = frozenset(
    {"length", "no_choices", "no_content", "unreadable", "two_verdicts", "open_thinking", "unknown_label", "missing",
     "contradicting", "interrupted"}
)  # fmt: skip
"""Those that say that the judge does not answer as it was asked; it may refuse, or be undecided, in good form."""

AGAIN = frozenset(
    {"length", "unreadable", "two_verdicts", "open_thinking", "unknown_label", "missing", "contradicting",
     "interrupted"}
)  # fmt: skip
"""Those that may be gone when the judge is asked the same once more."""

_ENDED = frozenset({"", "stop", "tool_calls", "function_call", "end_turn", "stop_sequence", "eos", "eos_token"})
_CUT = frozenset({"length", "max_tokens", "model_length", "max_output_tokens"})
_FILTERED = frozenset({"content_filter", "safety", "recitation", "blocklist", "prohibited_content", "spii"})
_FENCE = re.compile(r"\A```[A-Za-z0-9_-]*[ \t]*\n(.*?)\n?```\Z", re.DOTALL)
_OPENS = re.compile(r"<(think|thinking|thought|reasoning)>", re.IGNORECASE)
_CLOSES = re.compile(r"</(think|thinking|thought|reasoning)>", re.IGNORECASE)
_IDS = ("criterion_id", "criterion", "id")
_LABELS = ("verdict", "label", "tier")
_WHY = ("rationale", "reason", "reasoning", "explanation")


class Verdict(NamedTuple):
    """What was answered about one criterion.

    Attributes:
        tier: the label; None where there is none.
        error: why not.
        detail: the same for people.
        rationale: what the judge gives as its reason.
    """

    tier: str | None = None
    error: Reason | None = None
    detail: str | None = None
    rationale: str | None = None


class Answer(NamedTuple):
    """What was answered to a call.

    Attributes:
        verdicts: one for each question, in its order.
        raw: what came back, thinking included.
    """

    verdicts: tuple[Verdict, ...]
    raw: str

    @property
    def errors(self) -> set[str]:
        """Reasons of the verdicts that are none."""
        return {verdict.error for verdict in self.verdicts if verdict.error is not None}


class _NoVerdict(Exception):
    """The whole answer cannot be read."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def read_answer(reply: Mapping[str, Any], questions: Sequence[Question], judge: Judge) -> Answer:
    """Read a reply of ``/chat/completions``.

    Args:
        reply: its body, which is no error.
        questions: what was asked.
        judge: who, and in which form.
    """
    choices = reply.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, Mapping):
        return _none(questions, "no_choices", "the reply has no choices", "")
    message = choice.get("message")
    message = message if isinstance(message, Mapping) else {}
    raw = raw_of(message)
    try:
        _refuse_unfinished(choice, message)
        text = _content(message, judge)
        usage = reply.get("usage")
        used = usage.get("completion_tokens") if isinstance(usage, Mapping) else None
        full = isinstance(used, int) and used >= judge.max_tokens
        values = _values(text, questions, judge, ended=bool(choice.get("finish_reason")) and not full)
    except _NoVerdict as no:
        return _none(questions, no.reason, str(no), raw)
    return Answer(tuple(_verdict(values.get(q.criterion_id, []), q, judge) for q in questions), raw)


def _none(questions: Sequence[Question], reason: Reason, detail: str, raw: str) -> Answer:
    return Answer(tuple(Verdict(None, reason, detail) for _ in questions), raw)


def raw_of(message: Mapping[str, Any]) -> str:
    """All that a message holds, for people: thinking, content, refusal and calls."""
    parts = [
        message.get("reasoning_content") or message.get("reasoning"),
        _joined(message.get("content")),
        message.get("refusal"),
        message.get("tool_calls"),
    ]
    return "\n".join(part if isinstance(part, str) else json.dumps(part, ensure_ascii=False) for part in parts if part)


def _joined(content: Any) -> str | None:
    """The text of a content, which may come in parts; None where it holds none."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    texts = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, Mapping) and part.get("type", "text") in ("text", "output_text"):
            text = part.get("text")
            texts.append(text if isinstance(text, str) else "")
    return "".join(texts)


def _refuse_unfinished(choice: Mapping[str, Any], message: Mapping[str, Any]) -> None:
    """An end that was cut is part of the answer, even where what is left of it reads well."""
    finish = choice.get("finish_reason")
    finish = str(finish).lower() if finish is not None else ""
    if finish in _CUT:
        raise _NoVerdict("length", f"truncated: finish_reason {finish}")
    if message.get("refusal") or finish == "refusal":
        raise _NoVerdict("refusal", "the judge refuses")
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    if any(isinstance(part, Mapping) and part.get("type") == "refusal" for part in parts):
        raise _NoVerdict("refusal", "the judge refuses")
    if finish in _FILTERED:
        raise _NoVerdict("content_filter", f"finish_reason {finish}")
    if finish not in _ENDED:
        raise _NoVerdict("interrupted", f"finish_reason {finish}")


def _content(message: Mapping[str, Any], judge: Judge) -> str:
    calls = message.get("tool_calls")
    if judge.answer_by == "tool" and isinstance(calls, list) and calls:
        functions = [call.get("function") for call in calls if isinstance(call, Mapping)]
        named = [f for f in functions if isinstance(f, Mapping) and f.get("name") == TOOL]
        if len(named) != len(calls):
            raise _NoVerdict("unreadable", f"a tool other than {TOOL} was called")
        if len(named) > 1:
            raise _NoVerdict("two_verdicts", f"{TOOL} was called {len(named)} times")
        arguments = named[0].get("arguments")
        return arguments if isinstance(arguments, str) else json.dumps(arguments)
    text = _joined(message.get("content"))
    if text is None or not text.strip():
        beside = " there is only thinking" if message.get("reasoning_content") or message.get("reasoning") else ""
        raise _NoVerdict("no_content", f"the message is empty{':' if beside else ''}{beside}")
    return text.strip()


def _values(
    text: str, questions: Sequence[Question], judge: Judge, *, ended: bool
) -> dict[str, list[tuple[Any, str | None]]]:
    """What is answered about each criterion, with its reason; more than one where it is answered more than once."""
    alone = questions[0] if len(questions) == 1 else None
    for form in _forms(text):
        if alone is not None and _label(form, alone, judge) is not None:
            if not ended and any(label.startswith(form) and label != form for label in alone.labels):
                raise _NoVerdict("length", f"{form!r} may be the beginning of another label, and nothing says it ended")
            return {alone.criterion_id: [(form, None)]}
        try:
            value = json.loads(form, object_pairs_hook=_Pairs, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            continue
        return dict(_by_criterion(value, alone))
    if _OPENS.match(text) and not _CLOSES.search(text):
        raise _NoVerdict("open_thinking", "the thinking has no end")
    if _n_objects(text) > 1:
        raise _NoVerdict("two_verdicts", "more than one JSON object")
    raise _NoVerdict("unreadable", "neither the JSON that was asked for nor a label alone")


def _forms(text: str) -> Iterator[str]:
    """What may be the answer: the text; what follows its thinking; what a fence holds."""
    closings = list(_CLOSES.finditer(text))
    rests = [text] + [text[closing.end() :].strip() for closing in (closings[:1] + closings[-1:])]
    for rest in rests:
        yield rest
        if (fence := _FENCE.match(rest)) is not None:
            yield fence[1].strip()


class _Pairs(list[tuple[str, Any]]):
    """An object as JSON has it: a name may stand there twice."""


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def _by_criterion(value: Any, alone: Question | None) -> Iterator[tuple[str, list[tuple[Any, str | None]]]]:
    items: dict[str, list[tuple[Any, str | None]]] = {}
    if alone is not None and (isinstance(value, str | int | float) or value is None):
        items[alone.criterion_id] = [(value, None)]
    elif isinstance(value, _Pairs):
        _of_object(value, alone, items)
    elif isinstance(value, list):
        for item in value:
            if not isinstance(item, _Pairs):
                raise _NoVerdict("unreadable", "a list of other things than objects")
            _of_item(item, alone, items)
    else:
        raise _NoVerdict("unreadable", f"JSON, but {type(value).__name__}")
    yield from items.items()


def _of_object(pairs: _Pairs, alone: Question | None, items: dict[str, list[tuple[Any, str | None]]]) -> None:
    names = [name for name, _ in pairs]
    if len(pairs) == 1 and isinstance(pairs[0][1], list) and names[0] in ("verdicts", "criteria", "judgements"):
        for item in pairs[0][1]:
            if not isinstance(item, _Pairs):
                raise _NoVerdict("unreadable", f"{names[0]}: expected objects")
            _of_item(item, alone, items)
    elif any(name in _IDS for name in names) and any(name in _LABELS for name in names):
        _of_item(pairs, alone, items)
    else:
        why = next((text for name, text in pairs if name in _WHY and isinstance(text, str)), None)
        for name, value in pairs:
            if alone is not None and name == ALONE:
                name = alone.criterion_id
            items.setdefault(name, []).append(_with_reason(value, why if alone is not None else None))


def _of_item(pairs: _Pairs, alone: Question | None, items: dict[str, list[tuple[Any, str | None]]]) -> None:
    names = [str(value) for name, value in pairs if name in _IDS]
    if not names and alone is not None:
        names = [alone.criterion_id]
    if len(set(names)) != 1:
        raise _NoVerdict("unreadable", "a verdict that names no criterion, or two")
    items.setdefault(names[0], []).append(_with_reason(pairs, None))


def _with_reason(value: Any, why: str | None) -> tuple[Any, str | None]:
    """A label, and its reason where both come as an object."""
    if not isinstance(value, _Pairs):
        return value, why
    labels = [inner for name, inner in value if name in _LABELS]
    reasons = [inner for name, inner in value if name in _WHY and isinstance(inner, str)]
    if not labels:
        return value, why
    first = labels[0]
    return (first if all(label == first for label in labels) else labels), reasons[0] if reasons else why


def _verdict(values: Sequence[tuple[Any, str | None]], question: Question, judge: Judge) -> Verdict:
    if not values:
        return Verdict(None, "missing", f"nothing is answered about {question.criterion_id}")
    if all(value is None for value, _ in values):
        return Verdict(None, "undecided", "the judge answers null", values[0][1])
    labels = {_label(value, question, judge) for value, _ in values}
    if len(labels) > 1 or any(isinstance(value, list) and not isinstance(value, _Pairs) for value, _ in values):
        return Verdict(None, "contradicting", f"{len(values)} verdicts about {question.criterion_id} that differ")
    label = labels.pop()
    if label is None:
        return Verdict(None, "unknown_label", f"not one of the labels {', '.join(question.labels)}", values[0][1])
    return Verdict(label, None, None, values[0][1])


def _label(value: Any, question: Question, judge: Judge) -> str | None:
    """The label that a value is, exactly; a whole number is its digits."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value).strip()
    if text in question.labels:
        return text
    if not judge.any_case:
        return None
    alike = [label for label in question.labels if label.casefold() == text.casefold()]
    return alike[0] if len(alike) == 1 else None


def _n_objects(text: str) -> int:
    """JSON objects in a text, one behind the other."""
    decoder, n, at = json.JSONDecoder(), 0, text.find("{")
    while at >= 0:
        try:
            _, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            n += 1
        at = text.find("{", end)
    return n
