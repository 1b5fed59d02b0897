"""Which rows of the quarantine count against which quality: by the kind of rule that put them there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, get_args

from winnowry.recipe.valid2 import IndicatorName

RuleKind = Literal["undecodable", "incomplete", "undated", "repeated", "not wanted", "cleaned away"]
"""What a rule says of the rows it rejects.

``undecodable``: the bytes are no record of the format; ``incomplete``: a record that lacks what its mapping needs, such
as its text or its id; ``undated``: a record without a usable event time, which its partition needs; ``repeated``: a
record whose id was read before; ``not wanted``: one that the source's own limits leave out; ``cleaned away``: a rule of
cleaning.
"""

KINDS: tuple[RuleKind, ...] = get_args(RuleKind)

COUNTED: Mapping[IndicatorName, frozenset[RuleKind]] = {
    "decoded_share": frozenset({"undecodable"}),
    "quarantined_share": frozenset(KINDS),
}
"""Kinds of rules that an indicator counts; no other indicator looks at the quarantine."""

_MAPPING = "source.map"
_BY_RULE: Mapping[str, RuleKind] = {
    "duplicate_record_id": "repeated",
    "revisit": "repeated",  # a web archive's note that it holds the page already
    "missing_event_time": "undated",
    "bad_event_time": "undated",
    "http_status": "not wanted",
    "content_type": "not wanted",
    "no_data_content": "incomplete",
    "no_text_content": "incomplete",
    "bad_utf8": "undecodable",  # also where the mapping finds it, in the text of a record that was read
}
"""Rules that are known by their name, whatever reader they are of."""

_UNDECODABLE = frozenset({"decodable", "decodes"})
"""Rules of cleaning that say that a file is not what it says: nobody decodes one before."""


def rule_kind(stage: str, operator: str, rule: str, reading: Collection[str]) -> RuleKind:
    """Kind of the rule that rejected a row.

    A reader's rule that is not listed counts as undecodable, one of the mapping as incomplete. Of cleaning only the
    rules that say that a file cannot be decoded count as more than cleaning.

    Args:
        stage: that rejected it.
        operator: as above.
        rule: as above.
        reading: stages that read what arrives.

    >>> rule_kind("raw", "source.jsonl", "bad_json", ("raw",)), rule_kind("raw", "source.map", "missing_id", ("raw",))
    ('undecodable', 'incomplete')
    """
    if stage not in reading:
        return "undecodable" if rule in _UNDECODABLE else "cleaned away"
    return _BY_RULE.get(rule, "incomplete" if operator == _MAPPING else "undecodable")
