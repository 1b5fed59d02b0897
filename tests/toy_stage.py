"""A stage as somebody else would add it: this file, and one entry in the graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from winnowry.gates.suite import Suite
from winnowry.promotion.ledger import read_ids
from winnowry.promotion.lineage import data_version
from winnowry.promotion.production import Candidate, Findings, Production, Rows, ledger_of
from winnowry.stages.graph import Gate, Read, Stage

SCHEMA = pa.schema(
    [
        pa.field("record_id", pa.string(), nullable=False),
        pa.field("partition", pa.string(), nullable=False),
        pa.field("initial", pa.string()),
        pa.field("promotion_id", pa.string(), nullable=False),
    ]
)


class Initials(Production):
    """The first letter of every cleaned text."""

    lost = 0
    """Rows that it loses, to see the ledger notice."""

    def rows(self) -> Iterator[Rows]:
        for batch in self.work.part("cleaned").scan(columns=["record_id", "partition", "text"]):
            initial = pc.utf8_slice_codeunits(batch.column("text"), 0, 1).cast(pa.string())
            columns = [batch.column("record_id"), batch.column("partition"), initial]
            yield Rows(
                pa.RecordBatch.from_arrays(columns, names=["record_id", "partition", "initial"]).slice(self.lost)
            )

    def findings(self, candidate: Candidate) -> Findings:
        work = self.work
        return Findings(
            ledger_of(read_ids(work.part("cleaned")), candidate),
            outputs={work.partition: data_version(work.request.stage, work.recipe, work.inputs)},
        )


def suites(recipe: Any, schema: pa.Schema) -> list[Suite]:
    """Every record has its initial, and none is lost."""
    from expectations.contract import contract, ledger
    from winnowry.gates.native import gxe

    return [
        Suite("initials.contract", contract(schema)),
        ledger("initials"),
        Suite("initials.quality", [gxe.ExpectColumnValueLengthsToEqual(column="initial", value=1)]),
    ]


def sentence(row: Any, beside: Any) -> str:
    """What ``explain`` says."""
    return f"begins with {row['initial']}"


INITIALS = Stage(
    "initials",
    "partition",
    "The first letter of every cleaned text.",
    "tests.toy_stage:Initials",
    reads=(Read("cleaned", "same"),),
    schema=lambda recipe: SCHEMA,
    suites=("contract", "ledger", "quality"),
    expectations="tests.toy_stage",
    says="tests.toy_stage:sentence",
)


def capitals(recipe: Any, schema: pa.Schema) -> list[Suite]:
    """A concern that somebody else adds to the gate."""
    from winnowry.gates.native import gxe

    return [Suite("initials.capitals", [gxe.ExpectColumnValuesToMatchRegex(column="initial", regex="^[A-Z]$")])]


CAPITALS = Gate("initials", "capitals", "tests.toy_stage:capitals")
