"""Why a record was drawn into the sample or not, for ``winnowry explain``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from winnowry.lakehouse.view import TableView


from winnowry.core.sql import identifier, literal


def draw_values(scored: TableView | None, record_id: str, sample: Mapping[str, Any]) -> dict[str, Any]:
    """What the draw of a record rested on.

    Args:
        scored: the scored records; None where there are none any more.
        record_id: the record.
        sample: the recipe's ``sample`` when it was drawn; empty where nobody stored it.

    Returns:
        ``method`` and ``rule``, how it is decided; by a score also ``score_column``, ``score`` (null where it is
        missing or no number), ``scored_below`` (records with a lower score, 0 to ``scored_records``) and
        ``scored_records`` (those with a usable score). Reads one column.
    """
    values: dict[str, Any] = {}
    if sample.get("method"):
        values["method"] = sample["method"]
        values["rule"] = _rule(sample)
    by = sample.get("by")
    if scored is None or not by or by not in scored.schema.names:
        return values
    held = scored.to_table(columns=[by], where=f"record_id = {literal(record_id)}", limit=1)[by].to_pylist()
    score = float(held[0]) if held and held[0] is not None else math.nan
    values |= {"score_column": by, "score": score if math.isfinite(score) else None}
    if math.isfinite(score):
        name = identifier(by)
        usable = f"{name} IS NOT NULL AND NOT isnan(CAST({name} AS DOUBLE))"
        (counts,) = scored.sql(
            f"SELECT COUNT(*) AS n, COUNT(*) FILTER (WHERE {name} < {score!r}) AS below FROM dataset WHERE {usable}"
        ).to_pylist()
        values |= {"scored_below": int(counts["below"]), "scored_records": int(counts["n"])}
    return values


def _rule(sample: Mapping[str, Any]) -> str:
    if sample["method"] == "threshold":
        return "drawn are the records that reach the threshold"
    if sample.get("mode") == "paper":
        return "drawn are the records whose draw is at most their probability"
    named = sample.get("budget") or sample.get("fraction")  # in the unit of the corpus, which a fraction does not name
    budget = "budget" if named else "token budget"
    return f"drawn are the records with the smallest draws for their probabilities, until the {budget} is full"


def draw_sentence(values: Mapping[str, Any]) -> str:
    """The score behind a draw in a few words; nothing where there was none."""
    by = values.get("score_column")
    if by is None:
        return ""
    if values.get("score") is None:
        return f"; no usable {by}"
    sentence = f"; {by} {values['score']:.4g}"
    total = values.get("scored_records")
    return f"{sentence}, above {100 * values['scored_below'] / total:.0f} % of {total:,} scored" if total else sentence
