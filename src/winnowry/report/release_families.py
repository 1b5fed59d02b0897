"""Section of a release's page: the two families of quality, each for itself, and how they are ranked together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from winnowry.core.numbers import NONE, counted, fixed, number, significant
from winnowry.report.cells import Table

Facts = Mapping[str, Any]

_TITLES = {"people": "What people see, hear and read", "machine": "What a machine gets out of it"}
_NO_COLUMN = {
    "people": "No operator of the recipe measures what people experience.",
    "machine": "No operator of the recipe measures what a machine gets out of a record.",
}


def families_view(facts: Facts) -> dict[str, Any]:
    """The columns of each family with their spread, and the rank correlation of each pair of the two."""
    measured = facts["families"]
    return {
        "judged": _judged(facts),
        "looked_at": counted(measured["records"], "record"),
        "families": [
            {"title": title, "table": _table(measured, family), "none": _NO_COLUMN[family]}
            for family, title in _TITLES.items()
        ],
        "agreement": _agreement([pair for pair in measured["pairs"] if pair["agreement"] is not None]),
        "unranked": _unranked(measured["pairs"]),
    }


def _judged(facts: Facts) -> str:
    """Which of the two the release was judged by."""
    card = facts["valid2"]
    if card is None or not card.get("gated"):
        return "The recipe asks for no limits on either (gates.published.valid2)."
    other = {"people": "machine", "machine": "people"}[card["consumer"]]
    return f"The recipe's consumer is {card['consumer']}: VALID² judges that family; of {other} it only reports."


def _table(measured: Facts, family: str) -> Table:
    rows = [
        [
            column["column"],
            column["better"] or "neither end",
            *(significant(column[end]) for end in ("median", "low", "high")),
            number(column["records"], missing=NONE),
            column["operator"],
        ]
        for column in measured["columns"]
        if column["family"] == family
    ]
    return Table(["column", "better", "median", "5 %", "95 %", "records", "operator"], rows, left=(0, 1, 6), tight=(1,))


def _agreement(pairs: list[Facts]) -> Table:
    """People's columns down, the machine's across."""
    by_pair: dict[tuple[str, str], float] = {(pair["people"], pair["machine"]): pair["agreement"] for pair in pairs}
    people, machine = (list(dict.fromkeys(pair[family] for pair in pairs)) for family in ("people", "machine"))
    rows = [[left, *(fixed(by_pair.get((left, right)), 2, sign=True) for right in machine)] for left in people]
    return Table(["people ↓ machine →", *machine], rows)


def _unranked(pairs: list[Facts]) -> str:
    """Columns that no other can be ranked against: they have one value."""
    names = dict.fromkeys(pair[family] for family in ("people", "machine") for pair in pairs)
    ranked = {pair[family] for family in ("people", "machine") for pair in pairs if pair["agreement"] is not None}
    return ", ".join(name for name in names if name not in ranked)
