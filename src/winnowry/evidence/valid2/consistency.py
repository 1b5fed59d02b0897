"""What columns that the gate names say of each other: labels against a reference, and values of one key."""

from __future__ import annotations

from winnowry.core.sql import identifier
from winnowry.evidence.valid2.indicators import Measured, unmeasured, wilson
from winnowry.evidence.valid2.whole import Counts, Indicators, examples_of
from winnowry.reading.session import Session
from winnowry.recipe.valid2 import IndicatorName, Valid2Gate

_NAMES: tuple[IndicatorName, ...] = ("annotated_share", "annotation_accuracy", "annotation_kappa")


def annotation(session: Session, gate: Valid2Gate, totals: Counts) -> Indicators:
    """How many records have a label, and how many labels are those of the reference where it has one.

    Labels are compared as text. With gold rows the share of equal ones is the accuracy, with a second annotator the
    agreement; the interval is that of a sample of as many records.

    Source: Cohen 1960, doi:10.1177/001316446002000104 (kappa).
    """
    columns = gate.annotation
    if columns is None:
        return dict.fromkeys(_NAMES, unmeasured("the gate names no `annotation`"))
    absent = [name for name in (columns.column, columns.reference) if not session.tables.has("published", name)]
    if absent:
        return dict.fromkeys(_NAMES, unmeasured(f"the release has no column {', '.join(absent)}"))
    label, reference = f"{identifier(columns.column)}::VARCHAR", f"{identifier(columns.reference)}::VARCHAR"
    labelled = session.one(f"SELECT COUNT(NULLIF(trim({label}), '')) AS n FROM published")["n"]
    result: Indicators = {
        "annotated_share": Measured(
            labelled / totals.rows,
            records=totals.rows,
            note=f"column {columns.column}",
            examples=lambda: examples_of(session, "'no label'", f"NULLIF(trim({label}), '') IS NULL"),
        )
    }
    both = f"{label} IS NOT NULL AND {reference} IS NOT NULL"
    # One row for each pair of labels that occurs: however many records there are, only these are held.
    pairs = session.rows(
        f"SELECT {label} AS a, {reference} AS b, COUNT(*) AS n FROM published WHERE {both} GROUP BY ALL"
    )
    n = sum(pair["n"] for pair in pairs)
    if not n:
        why = unmeasured(f"no record has both {columns.column} and {columns.reference}")
        return result | {"annotation_accuracy": why, "annotation_kappa": why}
    equal = sum(pair["n"] for pair in pairs if pair["a"] == pair["b"])
    labels_a, labels_b = dict[str, int](), dict[str, int]()
    for pair in pairs:
        labels_a[pair["a"]] = labels_a.get(pair["a"], 0) + pair["n"]
        labels_b[pair["b"]] = labels_b.get(pair["b"], 0) + pair["n"]
    chance = sum(count * labels_b.get(name, 0) for name, count in labels_a.items()) / n**2
    note = f"{columns.column} against {columns.reference}"
    wrong = f"{both} AND {label} <> {reference}"
    result["annotation_accuracy"] = Measured(
        equal / n,
        records=n,
        interval=wilson(equal, n),
        note=note,
        examples=lambda: examples_of(session, f"{label} || ', reference ' || {reference}", wrong),
    )
    if chance == 1:
        result["annotation_kappa"] = unmeasured(f"{note}: there is one label only")
    else:
        result["annotation_kappa"] = Measured((equal / n - chance) / (1 - chance), records=n, note=note)
    return result


def fact_conflicts(session: Session, gate: Valid2Gate) -> Indicators:
    """Share of keys with two different values, of those that at least two records give a value for."""
    columns = gate.facts
    if columns is None:
        return {"fact_conflict": unmeasured("the gate names no `facts`")}
    absent = [name for name in (columns.key, columns.value) if not session.tables.has("published", name)]
    if absent:
        return {"fact_conflict": unmeasured(f"the release has no column {', '.join(absent)}")}
    key, value = f"{identifier(columns.key)}::VARCHAR", f"{identifier(columns.value)}::VARCHAR"
    keyed = (
        f"(SELECT {key} AS k, MIN({value}) AS low, MAX({value}) AS high FROM published "
        f"WHERE {key} IS NOT NULL AND {value} IS NOT NULL GROUP BY 1 HAVING COUNT(*) > 1)"
    )
    row = session.one(f"SELECT COUNT(*) AS n, COUNT(*) FILTER (WHERE low <> high) AS apart FROM {keyed}")
    if not row["n"]:
        return {"fact_conflict": unmeasured(f"no two records have the same {columns.key}")}
    among = f"{key} IN (SELECT k FROM {keyed} WHERE low <> high)"
    return {
        "fact_conflict": Measured(
            row["apart"] / row["n"],
            records=row["n"],
            note=f"keys {columns.key}, values {columns.value}",
            examples=lambda: examples_of(session, f"{key} || ': ' || {value}", among, f"{key}, {value}, record_id"),
        )
    }
