"""The two families of quality in a release: what people experience, what a machine gets, and whether they agree."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from winnowry.core.sql import literal
from winnowry.evidence.valid2.indicators import id_bound
from winnowry.operators.quality import FAMILIES, Quality
from winnowry.operators.scoring.correlation import spearman
from winnowry.reading.session import Session
from winnowry.releases.facts.specified import specified_operators
from winnowry.stages.graph import PUBLISHED

_LOOKED_AT = 100_000  # records
_SIGN = {"higher": 1.0, "lower": -1.0}
Numbers = npt.NDArray[np.float64]


def families(session: Session, stages: Mapping[str, Any]) -> dict[str, Any] | None:
    """What each family says of the release, and how the two are ranked against each other.

    Args:
        session: a session over the tables of a release.
        stages: specification of every stage, by name.

    Returns:
        None where no column is of either. ``records``: how many were looked at, those with the lowest ids;
        ``columns``: ``column``, ``operator``, ``family``, ``better`` (higher, lower, None), ``records`` with a value,
        ``low``, ``median`` and ``high`` (5th, 50th and 95th percentile; None without a value); ``pairs``: ``people``,
        ``machine``, ``records`` and ``agreement``: Spearman's rank correlation of the two columns, each counted so
        that more is better, from -1 to 1; None where one of them has one value only.
    """
    view = session.tables.views[PUBLISHED]
    stated: dict[str, tuple[str, Quality]] = {}
    for _, operator in specified_operators(stages):
        stated |= {name: (operator.op, quality) for name, quality in operator.qualities().items()}
    names = [name for name in view.schema.names if name in stated]
    if not names:
        return None
    bound = id_bound(view, _LOOKED_AT, view.count_rows())
    table = view.to_table(names, f"record_id < {literal(bound)}" if bound is not None else None)
    values = {name: _numbers(table[name]) for name in names}
    by_family = {family: [name for name in names if stated[name][1].family == family] for family in FAMILIES}
    ranked = {family: [name for name in of if stated[name][1].better is not None] for family, of in by_family.items()}
    return {
        "records": table.num_rows,
        "columns": [
            {
                "column": name,
                "operator": stated[name][0],
                "family": family,
                "better": stated[name][1].better,
                **_spread(values[name]),
            }
            for family in FAMILIES
            for name in by_family[family]
        ],
        "pairs": [
            {"people": people, "machine": machine, **_agreement(values, stated, people, machine)}
            for people, machine in product(ranked["people"], ranked["machine"])
        ],
    }


def _numbers(column: pa.ChunkedArray) -> Numbers:
    """Values as numbers, NaN for none; of a text whether there is one."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.asarray(column.is_valid().to_numpy(), np.float64)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    return np.asarray(column.cast(pa.float64()).to_numpy(), np.float64)


def _spread(values: Numbers) -> dict[str, Any]:
    known = values[np.isfinite(values)]
    ends = np.percentile(known, [5, 50, 95]).tolist() if len(known) else [None] * 3
    return {"records": len(known), **dict(zip(("low", "median", "high"), ends, strict=True))}


def _agreement(
    values: Mapping[str, Numbers], stated: Mapping[str, tuple[str, Quality]], people: str, machine: str
) -> dict[str, Any]:
    left, right = (values[name] * _SIGN[str(stated[name][1].better)] for name in (people, machine))
    left, right = (np.where(np.isfinite(side), side, np.nan) for side in (left, right))
    known = ~(np.isnan(left) | np.isnan(right))
    return {"records": int(known.sum()), "agreement": spearman(left, right)}
