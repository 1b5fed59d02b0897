"""Suites of ``landing``: objects that are read to their end, and sources whose records can be taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import pyarrow as pa

from expectations.contract import CRITICAL, WARNING, columns_and_types, ledger, refusal_limits
from expectations.custom import rounded_up, within
from winnowry.core.numbers import byte_size, counted
from winnowry.gates.facts import ExpectFact
from winnowry.gates.specification import gxe
from winnowry.gates.suite import Suite
from winnowry.recipe.gates import LandingGate
from winnowry.stages.landing_losses import Losses

_NAMED = 10  # objects in a message, the worst first


def _losses(facts: Mapping[str, Any]) -> Losses:
    lost = facts.get("landing")
    if not isinstance(lost, Losses):
        raise LookupError("the pipeline did not measure what landing lost")
    return lost


class ExpectObjectsToBeReadWhole(ExpectFact):
    """At most this number of objects was not read as a whole."""

    max_objects: int
    success_keys: ClassVar[tuple[str, ...]] = ("max_objects",)
    args_keys: ClassVar[tuple[str, ...]] = ("max_objects",)
    sentence: ClassVar[str] = "At most $max_objects objects may be truncated, damaged or of an unknown format."

    def judge(self, facts: Mapping[str, Any]) -> tuple[bool, Any, str]:
        """Judge ``facts["landing"]``: the objects that were not read as a whole, the worst named first."""
        lost = _losses(facts)
        unread = lost.unread
        if not unread:
            return True, 0, f"{counted(lost.objects, 'object')} read to the end"
        message = f"{len(unread):,} of {counted(lost.objects, 'object')} not read as a whole:\n"
        message += "\n".join(item.words(lost.bytes) for item in unread[:_NAMED])
        if len(unread) > _NAMED:
            message += f"\n{counted(len(unread) - _NAMED, 'more object')}; the column `unread` of landing names them"
        met = len(unread) <= self.max_objects
        if not met:
            message += (
                "\nreplace what is damaged, leave it out of the source's `uri`, or accept it: "
                f"gates.landing.max_unreadable_objects: {len(unread)}"
            )
        return met, len(unread), message


class ExpectUnreadBytesToBeFew(ExpectFact):
    """At most this share of the bytes lies in objects behind the place where reading ended."""

    max_fraction: float
    success_keys: ClassVar[tuple[str, ...]] = ("max_fraction",)
    args_keys: ClassVar[tuple[str, ...]] = ("max_fraction",)
    sentence: ClassVar[str] = "At most a fraction $max_fraction of the bytes may be left unread."

    def judge(self, facts: Mapping[str, Any]) -> tuple[bool, Any, str]:
        """Judge ``facts["landing"]``: bytes of objects that were not read, as stored."""
        lost = _losses(facts)
        share = lost.unread_bytes / lost.bytes if lost.bytes else 0.0
        met = share <= self.max_fraction
        message = f"{byte_size(lost.unread_bytes)} of {byte_size(lost.bytes)} were not read ({share:.1%})"
        if not met:
            message += f"; to accept it: gates.landing.max_unread_bytes_fraction: {rounded_up(share):g}"
        return met, share, message


class ExpectSourcesToYieldRecords(ExpectFact):
    """Of every source at least one record could be taken, if it holds any."""

    sentence: ClassVar[str] = "Of every source with records at least one must be readable and have a partition."

    def judge(self, facts: Mapping[str, Any]) -> tuple[bool, Any, str]:
        """Judge ``facts["landing"]``: sources of which every record was refused, with the reasons."""
        failed = [source for source in _losses(facts).sources if source.yields_nothing]
        if not failed:
            return True, 0, "every source yields records"
        return False, len(failed), "\n".join(source.nothing_taken() for source in failed)


class ExpectFractionRefusedToBeAtMost(ExpectFact):
    """At most this share of the records of any source was refused."""

    max_fraction: float
    strict_max: bool = False
    success_keys: ClassVar[tuple[str, ...]] = ("max_fraction", "strict_max")
    args_keys: ClassVar[tuple[str, ...]] = ("max_fraction", "strict_max")
    sentence: ClassVar[str] = "At most a fraction $max_fraction of a source's records may be refused."

    def judge(self, facts: Mapping[str, Any]) -> tuple[bool, Any, str]:
        """Judge ``facts["landing"]``: the source with the largest share of refused records that has others too."""
        sources = [source for source in _losses(facts).sources if source.usable]
        shares = [(source.records - source.usable) / source.records for source in sources]
        worst = max(shares, default=0.0)
        over = [
            (source, share)
            for source, share in zip(sources, shares, strict=True)
            if not within(share, self.max_fraction, self.strict_max)
        ]
        if not over:
            refused = sum(source.records - source.usable for source in sources)
            return True, worst, f"{refused:,} of {sum(source.records for source in sources):,} records refused"
        lines = [
            f"source {source.source}: {source.records - source.usable:,} of {source.records:,} records refused "
            f"({share:.1%}): {source.reasons()}"
            for source, share in over
        ]
        accepted = f"to accept it: gates.landing.max_quarantined_fraction: {rounded_up(worst):g}"
        return False, worst, "\n".join([*lines, accepted])


class ExpectObjectsToHoldRecords(ExpectFact):
    """No object with bytes is without a record."""

    sentence: ClassVar[str] = "Every object that is not empty should hold a record."

    def judge(self, facts: Mapping[str, Any]) -> tuple[bool, Any, str]:
        """Judge ``facts["landing"]``: objects with bytes of which the format made no record."""
        empty = _losses(facts).without_records
        if not empty:
            return True, 0, "every object that is not empty holds a record"
        message = f"{counted(len(empty), 'object')} with bytes and without a record: {_some(map(_name, empty))}"
        return False, len(empty), message


def _name(uri: str) -> str:
    return uri.rsplit("/", 1)[-1] or uri


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    rest = len(listed) - _NAMED
    return ", ".join(listed[:_NAMED]) + (f" and {rest:,} more" if rest > 0 else "")


def suites(recipe: Any, schema: pa.Schema) -> list[Suite]:
    """Contract, ledger and quality."""
    gate = recipe.gates.landing or LandingGate()
    return [
        Suite(
            "landing.contract",
            [
                *columns_and_types(schema),
                gxe.ExpectColumnValuesToBeBetween(column="size", min_value=0),
                gxe.ExpectColumnValuesToBeBetween(column="n_records", min_value=0),
            ],
        ),
        ledger("landing"),
        Suite(
            "landing.quality",
            [
                ExpectSourcesToYieldRecords(severity=CRITICAL),
                ExpectObjectsToBeReadWhole(max_objects=gate.max_unreadable_objects, severity=CRITICAL),
                ExpectUnreadBytesToBeFew(max_fraction=gate.max_unread_bytes_fraction, severity=CRITICAL),
                *[
                    ExpectFractionRefusedToBeAtMost(max_fraction=limit, strict_max=strict, severity=severity)
                    for limit, strict, severity in refusal_limits(recipe)
                ],
                ExpectObjectsToHoldRecords(severity=WARNING),
            ],
        ),
    ]
