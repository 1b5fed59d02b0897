"""Expectations about a candidate as a whole: the ledger, the token budget, drift.

They are ordinary Great Expectations expectations. What they judge is not in the candidate's rows but was measured by
the pipeline (``facts`` of ``run_checkpoint``), and reaches them as a metric of the engine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from winnowry.gates.facts import ExpectFact


def _fact(facts: Mapping[str, Any], *path: str) -> Any:
    """A fact by its path.

    Raises:
        LookupError: it was not measured.
    """
    value: Any = facts
    for at, name in enumerate(path):
        if not isinstance(value, Mapping) or name not in value:
            raise LookupError(f"the pipeline measured no {'.'.join(path[: at + 1])!r}")
        value = value[name]
    return value


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise LookupError(f"{what} is {value!r}, not a finite number")
    return float(value)


def _some(ids: Sequence[Any], shown: int = 3) -> str:
    return ", ".join(map(str, ids[:shown])) + (", …" if len(ids) > shown else "")


class ExpectLedgerToBalance(ExpectFact):
    """Every record that went in came out, was quarantined, or was replaced by records made of it; once."""

    sentence: ClassVar[str] = (
        "Rows in must equal rows out plus rows quarantined, with no record lost, invented or twice."
    )

    def judge(self, facts: Mapping[str, Any]) -> tuple[bool, Any, str]:
        """Judge ``facts["ledger"]``: counts, and the ids that were lost, invented or duplicated.

        Inputs that were consumed are out of the balance, and the rows made of them are in it; both are absent where a
        stage makes no records of records.
        """
        rows = {key: int(_fact(facts, "ledger", key)) for key in ("rows_in", "rows_out", "rows_quarantined")}
        derived, consumed = (int(facts["ledger"].get(key, 0)) for key in ("rows_derived", "rows_consumed"))
        balance = rows["rows_in"] - consumed + derived - rows["rows_out"] - rows["rows_quarantined"]
        wrong = {key: list(_fact(facts, "ledger", key)) for key in ("missing", "unexpected", "duplicated")}
        message = "{rows_in:,} in = {rows_out:,} out + {rows_quarantined:,} quarantined".format(**rows)
        if derived or consumed:
            message = message.replace(" in ", f" in - {consumed:,} replaced by {derived:,} made of them ")
        if balance:
            message = message.replace("=", "≠") + f" (difference {balance:,})"
        for key, ids in wrong.items():
            if ids:
                message += f"; {key}: {_some(ids)}"
        return balance == 0 and not any(wrong.values()), balance, message


class ExpectColumnTypes(ExpectFact):
    """Columns have the Arrow types that the stage declares."""

    success_keys: ClassVar[tuple[str, ...]] = ("types",)
    sentence: ClassVar[str] = "Columns must have these Arrow types: $types."
    types: dict[str, str]

    def judge(self, facts: Mapping[str, Any]) -> tuple[bool, Any, str]:
        """Judge ``facts["column_types"]``: Arrow type names by column, as read from the candidate."""
        types = _fact(facts, "column_types")
        wrong = [
            f"{name} is {types.get(name, 'missing')}, expected {type_}"
            for name, type_ in self.types.items()
            if types.get(name) != type_
        ]
        return not wrong, len(wrong), "; ".join(wrong) if wrong else "all types are as declared"


class ExpectNoCollidingIds(ExpectFact):
    """No id stands for different records, in this partition or in another one."""

    sentence: ClassVar[str] = "No id may stand for different records."

    def judge(self, facts: Mapping[str, Any]) -> tuple[bool, Any, str]:
        """Judge ``facts["global"]["colliding_ids"]``: what has one id, and where."""
        ids = list(_fact(facts, "global", "colliding_ids"))
        if not ids:
            return True, 0, "every id stands for one record"
        remedy = (
            "Name a field that tells the records of the whole source apart (`fields.id`), or leave it out: then file "
            "and line do. If a later record replaces an earlier one, say `on_update: latest` in the source"
        )
        return False, len(ids), f"different records of one id: {_some(ids, 1)}. {remedy}"


class ExpectKeepersToBeKept(ExpectFact):
    """The record that a duplicate points to is itself not dropped."""

    sentence: ClassVar[str] = "A record kept in place of its duplicates must not be dropped itself."

    def judge(self, facts: Mapping[str, Any]) -> tuple[bool, Any, str]:
        """Judge ``facts["keepers"]["dropped"]``."""
        ids = list(_fact(facts, "keepers", "dropped"))
        return not ids, len(ids), f"kept and dropped: {_some(ids)}" if ids else "every keeper is kept"


class ExpectFractionQuarantinedToBeAtMost(ExpectFact):
    """At most this share of the input was quarantined, what ``landing`` refused of it included."""

    max_fraction: float
    strict_max: bool = False
    success_keys: ClassVar[tuple[str, ...]] = ("max_fraction", "strict_max")
    args_keys: ClassVar[tuple[str, ...]] = ("max_fraction", "strict_max")
    sentence: ClassVar[str] = "At most a fraction $max_fraction of the rows may be quarantined."

    def judge(self, facts: Mapping[str, Any]) -> tuple[bool, Any, str]:
        """Judge the ledger's counts, and ``facts["landing"]["refused"]``; no input at all is none quarantined.

        What a later record replaced is not lost: ``facts["superseded"]``.


        Where records were made of records, an input counts as quarantined if nothing of it was kept.
        """
        total = int(_fact(facts, "ledger", "rows_in"))
        lost = int(_fact(facts, "ledger", "rows_quarantined"))
        kept = facts["ledger"].get("inputs_kept")
        if kept is not None:
            lost = total - int(kept)
        lost -= int(facts.get("superseded", 0))
        refused = _number(facts.get("landing", {}).get("refused", 0), "landing.refused")
        share = (lost + refused) / (total + refused) if total + refused else 0.0
        message = f"{lost + refused:,.0f} of {total + refused:,.0f} rows quarantined ({share:.1%})"
        if refused:
            message += f", {refused:,.0f} of them by landing"
        return within(share, self.max_fraction, self.strict_max), share, message


class ExpectFractionDroppedToBeAtMost(ExpectFact):
    """At most this share of the records is left out because others stand for them."""

    max_fraction: float
    success_keys: ClassVar[tuple[str, ...]] = ("max_fraction",)
    args_keys: ClassVar[tuple[str, ...]] = ("max_fraction",)
    sentence: ClassVar[str] = "At most a fraction $max_fraction of the records may be dropped as duplicates."

    def judge(self, facts: Mapping[str, Any]) -> tuple[bool, Any, str]:
        """Judge the ledger's counts; the message has ``facts["duplicates"]``, records by method."""
        total = int(_fact(facts, "ledger", "rows_in"))
        lost = int(_fact(facts, "ledger", "rows_quarantined"))
        methods = _fact(facts, "duplicates")
        share = lost / total if total else 0.0
        message = f"{lost:,} of {total:,} records dropped as duplicates ({share:.1%})"
        if methods:
            message += ": " + ", ".join(f"{n:,} {method}" for method, n in sorted(methods.items()))
        if share > self.max_fraction:
            message += f"; to accept it: gates.duplicates.max_dropped_fraction: {rounded_up(share):g}"
        return share <= self.max_fraction, share, message


class ExpectFewRepeatsToBeRemoved(ExpectFact):
    """Operators that remove repeated lines and paragraphs leave most of the texts, on average."""

    max_fraction: float
    success_keys: ClassVar[tuple[str, ...]] = ("max_fraction",)
    args_keys: ClassVar[tuple[str, ...]] = ("max_fraction",)
    sentence: ClassVar[str] = "Of the texts at most a fraction $max_fraction may be removed as repeats, on average."

    def judge(self, facts: Mapping[str, Any]) -> tuple[bool, Any, str]:
        """Judge ``facts["repeats"]``: mean share of characters removed, by operator; null without rows."""
        shares = {name: share for name, share in _fact(facts, "repeats").items() if share is not None}
        worst = max(shares.values(), default=0.0)
        message = "; ".join(f"{name} removes {share:.1%} of a text on average" for name, share in shares.items())
        return worst <= self.max_fraction, worst, message or "no text is there"


def rounded_up(share: float) -> float:
    """The next hundredth: a limit that allows a share."""
    return min(1.0, (int(share * 100) + 1) / 100)


def within(share: float, limit: float, strict: bool) -> bool:
    """Whether a share is allowed; where the limit is strict, the limit itself is not."""
    return share < limit if strict else share <= limit


class ExpectFractionKeptToBeAtLeast(ExpectFact):
    """At least this share of the input was kept."""

    min_fraction: float
    success_keys: ClassVar[tuple[str, ...]] = ("min_fraction",)
    args_keys: ClassVar[tuple[str, ...]] = ("min_fraction",)
    sentence: ClassVar[str] = "At least a fraction $min_fraction of the rows must be kept."

    def judge(self, facts: Mapping[str, Any]) -> tuple[bool, Any, str]:
        """Judge the ledger's counts; no input at all is fully kept.

        Where records were made of records, an input counts as kept if anything of it was.
        """
        total, kept = int(_fact(facts, "ledger", "rows_in")), int(_fact(facts, "ledger", "rows_out"))
        kept = int(facts["ledger"].get("inputs_kept", kept))
        share = kept / total if total else 1.0
        return share >= self.min_fraction, share, f"{kept:,} of {total:,} rows kept ({share:.1%})"


class ExpectTokenBudgetToBeMet(ExpectFact):
    """The selected tokens equal the budget to within a number of records of the largest size."""

    tolerance_records: float = 1.0
    success_keys: ClassVar[tuple[str, ...]] = ("tolerance_records",)
    args_keys: ClassVar[tuple[str, ...]] = ("tolerance_records",)
    sentence: ClassVar[str] = "The token budget must be met to within $tolerance_records records."

    def judge(self, facts: Mapping[str, Any]) -> tuple[bool, Any, str]:
        """Judge ``facts["budget"]``: ``tokens`` asked for, ``selected_tokens`` and ``largest_record``, in tokens.

        Of other kinds than text the facts name their ``unit``, and it stands for ``tokens``.
        """
        unit = str(_fact(facts, "budget").get("unit", "tokens"))
        budget, selected, largest = (
            _number(_fact(facts, "budget", key), f"budget.{key}")
            for key in (unit, f"selected_{unit}", "largest_record")
        )
        off, allowed = abs(selected - budget), self.tolerance_records * largest
        message = f"{selected:,.0f} {unit} selected of {budget:,.0f}; off by {off:,.0f}, allowed {allowed:,.0f}"
        return off <= allowed, selected, message


class ExpectNothingShared(ExpectFact):
    """No value of one column lies in two of another, such as a speaker in two splits."""

    of: str
    between: str
    success_keys: ClassVar[tuple[str, ...]] = ("of", "between")
    args_keys: ClassVar[tuple[str, ...]] = ("of", "between")
    sentence: ClassVar[str] = "No $of may lie in two of $between."

    def judge(self, facts: Mapping[str, Any]) -> tuple[bool, Any, str]:
        """Judge ``facts["shared"]``: values, each with where it lies."""
        shared = list(_fact(facts, "shared"))
        if not shared:
            return True, 0, f"every {self.of} lies in one {self.between}"
        return False, len(shared), f"{self.of} in several of {self.between}: {_some(shared)}"


class ExpectScoreLengthCorrelation(ExpectFact):
    """A score is not a proxy of length."""

    score: str
    max_correlation: float
    success_keys: ClassVar[tuple[str, ...]] = ("score", "max_correlation")
    args_keys: ClassVar[tuple[str, ...]] = ("score", "max_correlation")
    sentence: ClassVar[str] = "The rank correlation of $score with length must lie within ± $max_correlation."

    def judge(self, facts: Mapping[str, Any]) -> tuple[bool, Any, str]:
        """Judge ``facts["correlation"][score]``: Spearman's rho of score and tokens.

        A score that is the same for all rows, or fewer than two rows, has no rank correlation: met.
        """
        rho = _fact(facts, "correlation").get(self.score)
        if rho is None or (isinstance(rho, float) and math.isnan(rho)):
            return True, None, f"{self.score}: no rank correlation (too few or equal values)"
        value = _number(rho, f"correlation.{self.score}")
        return abs(value) <= self.max_correlation, value, f"Spearman({self.score}, tokens) = {value:+.3f}"


class ExpectNoDrift(ExpectFact):
    """A measure of this partition is close to the median of the partitions before it."""

    measure: str
    max_relative_change: float = 0.5
    min_partitions: int = 2
    success_keys: ClassVar[tuple[str, ...]] = ("measure", "max_relative_change", "min_partitions")
    args_keys: ClassVar[tuple[str, ...]] = ("measure", "max_relative_change", "min_partitions")
    sentence: ClassVar[str] = (
        "$measure must be within ± $max_relative_change (relative) of the median of trailing partitions, "
        "once there are $min_partitions."
    )

    def judge(self, facts: Mapping[str, Any]) -> tuple[bool, Any, str]:
        """Judge ``facts["measures"][measure]`` against ``facts["trailing"][measure]``.

        The change is |now - median| / |median|; against a median of zero only zero is no change. Too few trailing
        partitions, or a measure that an empty partition does not have: met.
        """
        trailing = [float(v) for v in _fact(facts, "trailing").get(self.measure, ()) if v is not None]
        now = self._now(facts)
        if now is None or len(trailing) < self.min_partitions:
            return True, now, f"{self.measure}: {len(trailing)} trailing partitions, nothing to compare yet"
        middle = _median(trailing)
        change = abs(now - middle) / abs(middle) if middle else (0.0 if now == middle else math.inf)
        message = f"{self.measure} is {now:,.4g}, median of {len(trailing)} partitions before {middle:,.4g}"
        return change <= self.max_relative_change, now, message

    def _now(self, facts: Mapping[str, Any]) -> float | None:
        measured = facts.get("measures", {}).get(self.measure)
        if measured is None and self.measure == "n_rows":
            measured = _fact(facts, "ledger", "rows_out")
        return None if measured is None else _number(measured, self.measure)


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
