"""Records with structure that a starting recipe is written for: how their rows are told, and what is checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Structured(NamedTuple):
    """Rows of a kind.

    Attributes:
        format: name of the source format.
        options: of the source, as lines of a recipe; empty where the usual ones fit.
        shown: the field that tells them.
        fields: what every row has, with the type of its values.
        clean: operators, as lines of a recipe.
        size: operator of `score` that counts it; empty where every record has it.
    """

    format: str
    options: str
    shown: str
    fields: Mapping[str, type | tuple[type, ...]]
    clean: str
    size: str = "score:\n  - {op: score.token_count}\n"


_CHAT = """\
  - {op: chat.structure}      # roles, calls and their results, pictures: each kind of fault is a reason
  - {op: chat.refusal}        # a column: nothing is refused for it
  - {op: chat.tokens}         # what is trained on; `max_length` of your model says what is left
  - {op: dedup.prompt}
"""
_PAIR = "  - {op: pairs.check}\n  - {op: pairs.length}\n  - {op: dedup.prompt, of: prompt}\n"
_SIDE = (str, list, dict)

KINDS = (
    Structured("preferences", "", "chosen", {"chosen": _SIDE, "rejected": _SIDE}, _PAIR),
    Structured(
        "rl_prompts",
        "",
        "rollouts",
        {"prompt": (str, list), "rollouts": list},
        "  - {op: rl.verifiable, verifiable: false}\n"
        '  - {op: rl.pass_rate, success: "reward >= 1"}   # say which reward is a success\n'
        "  - {op: dedup.prompt, of: prompt}\n",
        size="",
    ),
    Structured(
        "reasoning",
        "",
        "steps",
        {"prompt": (str, list), "steps": list},
        "  - {op: cot.steps}\n  - {op: cot.final}\n  - {op: dedup.prompt, of: prompt}\n",
    ),
    Structured("conversations", "", "messages", {"messages": list}, _CHAT),
    Structured("conversations", "    profile: sharegpt\n", "conversations", {"conversations": list}, _CHAT),
    Structured("conversations", "    profile: alpaca\n", "instruction", {"instruction": str, "output": str}, _CHAT),
)


def structure_of(rows: Sequence[Mapping[str, object]]) -> Structured | None:
    """The kind whose fields all rows have; None where they are of none.

    >>> structure_of([{"messages": [{"role": "user", "content": "Hi"}]}]).format
    'conversations'
    """
    for kind in KINDS:
        if rows and all(isinstance(row.get(name), types) for row in rows for name, types in kind.fields.items()):
            return kind
    return None


def structure_named(format_: str, shown: str) -> Structured | None:
    """The kind of a guess: by its format and the field that told it."""
    return next((kind for kind in KINDS if (kind.format, kind.shown) == (format_, shown)), None)
