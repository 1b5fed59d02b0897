"""``chat.refusal``: answers that decline, and phrases that a model says of itself."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from winnowry.operators.base import Operator, Rule
from winnowry.operators.chat.columns import TURNS_FIELD, answers_of

Verdict = Literal["explicit", "partial", "none"]

_HEAD_CHARACTERS = 400
_HEAD_SENTENCES = 2
_CHINESE_OPENING = 60
_ADVERBS = (
    r"(?:(?:really|just|simply|certainly|definitely|also|still|actually|possibly|personally|ethically"
    r"|in good conscience) )*"
)
_DECLINES = (
    r"(?:can(?:no|')t|can not|won't|will not|(?:am|'m) (?:unable to|not (?:able|allowed|going|permitted|authorized|"
    r"programmed|supposed|here) to|not (?:comfortable|willing)(?: to| with)?)|would(?:n't| not) be (?:able|comfortable|"
    r"willing)(?: to| with)?|won't be able to|will not be able to|(?:must|have to)? ?(?:refuse|decline) to"
    r"|(?:don't|do not) "
    r"feel comfortable)"
)
_HELPING = (
    r"(?:help|assist|do (?:that|this|so|it)|answer|provid(?:e|ing)|giv(?:e|ing) (?:you|out|that|this|any|advice"
    r"|medical|"
    r"legal)|tell(?:ing)? you|shar(?:e|ing)|discuss(?:ing)?|advis(?:e|ing)|offer(?:ing)?|support(?:ing)?|comply|create|"
    r"creating|writ(?:e|ing)|generat(?:e|ing)|respond(?:ing)?|engag(?:e|ing)|participat(?:e|ing)|condon(?:e|ing)"
    r"|fulfil+|"
    r"recommend(?:ing)?|talk(?:ing)? about|speak(?:ing)? (?:to|about)|show(?:ing)? you|teach(?:ing)? you|helping"
    r"|assisting)"
)
_OPENING = (
    r"^[^a-z]{0,3}(?:(?:oh|no|well|hmm?|ok(?:ay)?)[,. ]+)*(?:(?:i'm|i am)? ?(?:so |very |really "
    r"|truly )*(?:sorry|afraid)"
    r"|unfortunately|sorry|i apologi[sz]e|my apologies|as an? [a-z ]{2,40}"
    r"|i understand[^.]{0,60})?[,.]* ?(?:but |that )*"
    r"(?:as an? [a-z ]{2,40}?,? )?"
)
_EXPLICIT = re.compile(rf"{_OPENING}i ?{_ADVERBS}{_DECLINES} {_ADVERBS}(?:be )?{_HELPING}\b(?! but)", re.IGNORECASE)
_ANYWHERE = re.compile(
    rf"\bi ?{_ADVERBS}{_DECLINES} {_ADVERBS}(?:be (?:able|of any help|a part|involved)|{_HELPING})\b"
    rf"|\bi {_ADVERBS}(?:can't|cannot|won't)(?=[.!,]|$)"
    r"|\bi'd rather not\b"
    r"|\bnot (?:really )?something (?:that )?i (?:can|could|will|feel comfortable)\b"
    r"|\bagainst my (?:programming|guidelines|principles|policy)\b",
    re.IGNORECASE,
)
_GOES_ON = re.compile(
    r"\b(?:but|however|although|though|instead)\b[^.!?]{0,25}\b(?:i (?:can(?!'|not)|could(?!n)|will(?! not)"
    r"|do have|'d be|"
    r"would be)|i'll|i'd be|let me|here(?:'s| is| are)|there (?:is|are)|you (?:can|could|might|may))"
    r"|\bhere(?:'s| is| are) (?:a|some|the)\b|^(?:while|although|sure|of course)\b|\b(?:until|unless) you\b"
    r"|\bwithout (?:further|more) information|\bfrom this (?:information|context)\b"
    r"|\bi(?: can|'ll) (?:mention|suggest)\b",
    re.IGNORECASE,
)
_CHINESE = re.compile(
    r"(?:很?抱歉|对不起|不好意思)[^。！？\n]{0,20}(?:无法|不能|不可以|没有办法|没办法)"
    r"|(?:作为|身为)一?[个名款]?(?:AI|人工智能|语言模型|大型?语言)[^。！？\n]{0,20}(?:无法|不能|没有|不会)"
    r"|我(?:无法|不能|不可以|拒绝|没办法)(?:[为给向](?:您|你))?[^。！？\n]{0,6}(?:提供|回答|协助|帮助|满足|讨论"
    r"|支持|执行|完成)"
)
_CHINESE_GOES_ON = re.compile(r"(?:但|不过|但是)[^。！？\n]{0,12}(?:可以|能)")
_BOILERPLATE = re.compile(
    r"\bas an? (?:ai|artificial intelligence|large language|language)(?: language)?(?: model| assistant| system)?\b"
    r"|\b(?:trained|developed|created) by (?:openai|anthropic|google|meta|alibaba)\b"
    r"|\bmy (?:knowledge cut-?off|training data)\b"
    r"|\bi (?:do not|don't) have (?:personal|real-time|access to (?:real|current))"
    r"|作为一?[个名款]?(?:AI|人工智能)(?:语言)?(?:模型|助手)"
    r"|\bregenerate response\b|\bi hope this helps\b",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+|(?<=[。！？])|\n+")


class RefusalMarks(Operator):
    """Tell answers that decline, in English and Chinese, by their first two sentences (at most 400 characters).

    ``explicit``: the answer opens with it and does not go on to help. ``partial``: it declines somewhere in its
    opening, or declines and then helps. ``none``: neither was found, which is no proof. A column and a share, no
    quality: read some before you set `keep`.

    Writes ``chat_refusal`` of the last answer (null without one), ``chat_n_refusals`` (explicit ones among all answers)
    and ``chat_n_boilerplate`` (answers with phrases such as "As an AI language model").

    How often it is right: docs/how-to/conversations.md.
    """

    op: Literal["chat.refusal"] = "chat.refusal"
    keep: tuple[Verdict, ...] | None = Field(
        default=None, description="verdicts of the last answer that are kept; off unless set"
    )
    of: Literal["turns", "chosen", "rejected"] = Field(default="turns", description="column with the answers")

    PREFIX: ClassVar[str] = "chat"

    def _name(self, column: str) -> str:
        return f"{self.as_ or self.PREFIX}_{column}"

    def reads(self) -> pa.Schema:
        """The column with the answers."""
        return pa.schema([TURNS_FIELD.with_name(self.of)])

    def writes(self) -> pa.Schema:
        """The verdict on the last answer, and two counts."""
        return pa.schema(
            [
                pa.field(self._name("refusal"), pa.string()),
                pa.field(self._name("n_refusals"), pa.int64()),
                pa.field(self._name("n_boilerplate"), pa.int64()),
            ]
        )

    def rules(self) -> tuple[Rule, ...]:
        """The verdicts that are kept, where some are named."""
        if self.keep is None:
            return ()
        return (Rule(name="keep", column=self._name("refusal"), comparison="in", threshold=self.keep, null="keep"),)

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Look at the answers of n records."""
        rows: list[tuple[str | None, int, int]] = []
        for turns in batch.column(self.of).to_pylist():
            answers = answers_of(turns)
            verdicts = [refusal(answer) for answer in answers]
            boilerplate = sum(_BOILERPLATE.search(_plain(answer)) is not None for answer in answers)
            rows.append((verdicts[-1] if verdicts else None, verdicts.count("explicit"), boilerplate))
        columns = list(zip(*rows, strict=True)) or [(), (), ()]
        arrays = [pa.array(values, field.type) for values, field in zip(columns, self.writes(), strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.writes())


def refusal(answer: str) -> Verdict:
    """Whether an answer declines.

    >>> refusal("I'm sorry, but I can't help with that."), refusal("Sure! First, open the lid.")
    ('explicit', 'none')
    >>> refusal("I can't give medical advice, but here is what doctors say.")
    'partial'
    """
    head = _head(answer)
    goes_on = _GOES_ON.search(head) is not None
    if _EXPLICIT.search(head) is not None and not goes_on:
        return "explicit"
    opening = head[:_CHINESE_OPENING]
    if _CHINESE.search(opening) is not None:
        return "partial" if _CHINESE_GOES_ON.search(head) is not None else "explicit"
    return "partial" if _EXPLICIT.search(head) is not None or _ANYWHERE.search(head) is not None else "none"


def _head(answer: str) -> str:
    """The first two sentences, at most 400 characters of them."""
    parts = [part for part in _SENTENCE_END.split(_plain(answer.strip()[:_HEAD_CHARACTERS])) if part]
    return " ".join(parts[:_HEAD_SENTENCES])


def _plain(text: str) -> str:
    return text.replace("’", "'")
