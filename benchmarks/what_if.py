"""`winnowry plan --set` on a million kept records: CPU seconds, seconds and memory of the answer.

    python benchmarks/what_if.py [--kept 1000000] [--rejected 250000] [--partitions 20] [--root FOLDER] [--repeat 3]

The lake is synthetic and promoted with the real primitive: `cleaned` with the columns of six real operators (no text),
`quarantine` with the same columns as JSON (three of five rejected records were set aside before the language was told),
and `scored`. Values are drawn so that every rule rejects somebody. Each change is asked in a process that has asked
before, then once in a fresh interpreter with all imports.
"""

from __future__ import annotations

import argparse
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from winnowry.core.tables import QUARANTINE, SCORED, with_operator_columns
from winnowry.inspect.what_if import what_if
from winnowry.lakehouse.promotion import stage
from winnowry.lakehouse.record import PromotionRecord, new_promotion_id
from winnowry.lakehouse.table import FragmentWriter
from winnowry.lakehouse.workspace import Workspace
from winnowry.operators.base import Operator, Rule
from winnowry.recipe.model import Recipe
from winnowry.recipe.overrides import apply_overrides
from winnowry.recipe.tables import written_fields

CLEAN = (
    {"op": "text.length"},
    {"op": "text.language", "keep": ["en"]},
    {"op": "text.gopher_quality"},
    {"op": "text.gopher_repetition"},
    {"op": "text.string_filters"},
    {"op": "dedup.exact"},
)
SET_ASIDE_EARLY = 0.6
BATCH = 10_000


def recipe() -> Recipe:
    """The recipe that cleaned the lake."""
    return Recipe.model_validate(
        {
            "version": 1,
            "corpus": "bench",
            "sources": [{"name": "s", "uri": "landing/*", "fields": {"event_time": "at"}}],
            "clean": list(CLEAN),
        }
    )


def changes(base: Recipe) -> dict[str, list[str]]:
    """Overrides to ask about, by name."""
    every = []
    for operator in base.clean:
        for rule in operator.rules():
            if isinstance(rule.threshold, int | float) and not isinstance(rule.threshold, bool):
                factor = 1.1 if rule.comparison in (">=", ">") else 0.9
                moved = type(rule.threshold)(rule.threshold * factor)
                if moved != rule.threshold and getattr(operator, rule.name, None) == rule.threshold:
                    every.append(f"{operator.op}.{rule.name}={moved}")
    return {
        "one threshold, stricter": ["text.length.min_words=80"],
        "one threshold, looser": ["text.length.min_words=20"],
        "one late threshold, looser": ["text.gopher_quality.min_stop_words=1"],
        "another language": ["text.language.keep=[de]"],
        f"{len(every)} thresholds": every,
    }


def values(rng: np.random.Generator, n: int, field: pa.Field, rules: Sequence[Rule], *, keep: bool) -> pa.Array:
    """Values of a column that pass its rules, or of which about a tenth does not."""
    low, high = 0.0, 1.0
    for rule in rules:
        if isinstance(rule.threshold, int | float):
            if rule.comparison in (">=", ">"):
                low = float(rule.threshold)
                high = max(high, 4 * low)
            elif rule.comparison in ("<=", "<"):
                high = float(rule.threshold)
    if pa.types.is_string(field.type):
        if field.name == "language":
            return pa.array(rng.choice(["en"] if keep else ["en", "de", "fr"], n))
        return pa.array([f"{int(x):032x}" for x in rng.integers(0, 1 << 62, n)])
    spread = rng.random(n) ** 3 * (min(high, 1e4) - low) + low
    if not keep:
        spread *= np.where(rng.random(n) < 0.1, 0.3, 1.0)
    if pa.types.is_integer(field.type):
        return pa.array(np.ceil(spread).astype(np.int64), pa.int64()).cast(field.type)
    return pa.array(np.round(spread, 6)).cast(field.type)


def ids(partition: int, first: int, n: int) -> pa.Array:
    """Record ids of 32 hexadecimal characters."""
    return pa.array([f"{(partition << 40) + i:032x}" for i in range(first, first + n)])


def columns(rng: np.random.Generator, n: int, operators: Sequence[Operator], *, keep: bool) -> dict[str, pa.Array]:
    rules = [rule for operator in operators for rule in operator.rules()]
    return {
        field.name: values(rng, n, field, [rule for rule in rules if rule.column == field.name], keep=keep)
        for operator in operators
        for field in operator.writes()
    }


def reasons(held: dict[str, pa.Array], n: int, operators: Sequence[Operator]) -> list[list[dict[str, str]]]:
    """Every failing rule of n rejected rows, at least one each."""
    found: list[list[dict[str, str]]] = [[] for _ in range(n)]
    for operator in operators:
        for rule in operator.rules():
            if rule.column in held:
                fails = pc.invert(rule.keeps(held[rule.column])).to_numpy(zero_copy_only=False)
                why = {"operator": operator.op, "rule": rule.name, "value": "0.5", "threshold": str(rule.threshold)}
                for row in np.flatnonzero(fails):
                    found[row].append(why)
    spare = {"operator": "text.length", "rule": "min_words", "value": "10", "threshold": "50"}
    return [why or [spare] for why in found]


def quarantined(
    rng: np.random.Generator, operators: Sequence[Operator], key: str, first: pa.Array, promotion: str
) -> Iterator[pa.RecordBatch]:
    """Rejected rows, those set aside early first."""
    early = int(len(first) * SET_ASIDE_EARLY)
    for names, ran in ((first[:early], operators[:1]), (first[early:], operators)):
        n = len(names)
        held = columns(rng, n, ran, keep=False)
        if len(ran) == 1:
            held["n_words"] = pa.array(rng.integers(0, 50, n), pa.int64())
        listed = {name: column.to_pylist() for name, column in held.items()}
        told = reasons(held, n, ran)
        rows = {
            "record_id": names,
            "partition": [key] * n,
            "stage": ["cleaned"] * n,
            "operator": [why[0]["operator"] for why in told],
            "reason": [why[0]["rule"] for why in told],
            "value": [why[0]["value"] for why in told],
            "threshold": [why[0]["threshold"] for why in told],
            "reasons": told,
            "columns": [orjson.dumps({k: v[i] for k, v in listed.items()}).decode() for i in range(n)],
            "uri": [None] * n,
            "position": [None] * n,
            "payload": [None] * n,
            "promotion_id": [promotion] * n,
        }
        yield pa.RecordBatch.from_pydict(rows, schema=QUARANTINE)


def build(ws: Workspace, n_kept: int, n_rejected: int, partitions: int) -> None:
    """Promote the lake."""
    base = recipe()
    rng = np.random.default_rng(1)
    fields = [f for f in written_fields(base.clean) if f.name != "text"]
    identity = pa.schema([pa.field("record_id", pa.string(), nullable=False), pa.field("partition", pa.string())])
    schemas = {
        "cleaned": with_operator_columns(identity, fields),
        "quarantine": QUARANTINE,
        "scored": with_operator_columns(SCORED, []),
    }
    for name, schema in schemas.items():
        ws.lake.table(base.corpus, name).create(schema)
    lineage = {"spec": {"clean": [operator.fingerprint() for operator in base.clean]}}
    for partition in range(partitions):
        key, promotion = f"{2000 + partition}", new_promotion_id()
        writers = {name: FragmentWriter(ws.lake.table(base.corpus, name), schema) for name, schema in schemas.items()}
        for start in range(0, n_kept // partitions, BATCH):
            n = min(BATCH, n_kept // partitions - start)
            names, stamp = ids(partition, start, n), pa.array([promotion] * n)
            rows: dict[str, Any] = {"record_id": names, "partition": pa.array([key] * n), "promotion_id": stamp}
            kept = {**rows, **columns(rng, n, base.clean, keep=True)}
            scored = {**rows, "n_tokens": rng.integers(20, 5000, n)}
            for name, held in (("cleaned", kept), ("scored", scored)):
                writers[name].write(pa.RecordBatch.from_pydict(held, schema=schemas[name]))
        rejected = ids(partition, 1 << 30, n_rejected // partitions)
        for batch in quarantined(rng, base.clean, key, rejected, promotion):
            writers["quarantine"].write(batch)
        staged = {}
        for name, writer in writers.items():
            writer.flush()
            stage_name = "scored" if name == "scored" else "cleaned"
            staged[name] = stage(
                writer.table, writer.fragments, writer.rows, scope="partition", partition=key, stage_name=stage_name
            )
        for name, sides in (("cleaned", [staged["quarantine"]]), ("scored", [])):
            record = PromotionRecord(
                id=promotion, corpus=base.corpus, stage=name, partition=key, main=staged[name], sides=sides,
                replaces=None, state="staged", created_at=time.time(), lineage=lineage, outputs={}, ledger={},
            )  # fmt: skip
            ws.lake.promoter(base.corpus).promote(ws.lake.records(base.corpus).save(record))


def cpu_seconds() -> float:
    """User and system seconds of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def ask(root: str, overrides: list[str]) -> tuple[float, float, Any]:
    """CPU seconds and seconds of one answer, and the answer."""
    ws, base = Workspace.open(root), recipe()
    changed = apply_overrides(base, overrides)
    cpu, wall = cpu_seconds(), time.perf_counter()
    answer = what_if(ws, base, changed)
    return cpu_seconds() - cpu, time.perf_counter() - wall, answer


@contextmanager
def folder(given: str | None) -> Iterator[str]:
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="winnowry-what-if-") as scratch:
        yield scratch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kept", type=int, default=1_000_000)
    parser.add_argument("--rejected", type=int, default=250_000)
    parser.add_argument("--partitions", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--root", help="an absolute folder for the lake; used again when it holds one")
    parser.add_argument("--fresh", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fresh:
        ask(options.root, ["text.length.min_words=80"])
        print(f"{cpu_seconds():.2f}")
        return
    with folder(options.root) as root:
        ws = Workspace.open(root)
        if "scored" not in ws.lake.tables("bench"):
            build(ws, options.kept, options.rejected, options.partitions)
        kept = ws.lake.open("bench", "cleaned").count_rows()
        rejected = ws.lake.open("bench", "quarantine")
        size = rejected.sql("SELECT AVG(octet_length(columns)) AS n FROM dataset").to_pylist()[0]["n"]
        print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}; {kept:,} kept, "
              f"{rejected.count_rows():,} rejected with {size:.0f} bytes of columns each")  # fmt: skip
        for name, overrides in changes(recipe()).items():
            runs = [ask(root, overrides) for _ in range(options.repeat)]
            answer = runs[0][2]
            cpu, wall = (statistics.median(run[index] for run in runs) for index in (0, 1))
            print(f"{name:28} CPU {cpu:5.2f} s  wall {wall:5.2f} s  kept {answer.kept_now:,} → {answer.kept_then:,}  "
                  f"undecided {answer.undecided:,}  examples {len(answer.examples)}")  # fmt: skip
        fresh = subprocess.run(
            [sys.executable, __file__, "--fresh", "--root", root], capture_output=True, text=True, check=True
        )
        print(f"{'fresh interpreter':28} CPU {float(fresh.stdout):5.2f} s with imports, one threshold")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak memory of this process {peak:,.0f} MiB")


if __name__ == "__main__":
    main()
