"""People at work on one table: some add columns, others add, delete and compact rows, and one reads and checks.

Every row and every value follows from the row's number, so what anybody should read is known without the table.
"""

from __future__ import annotations

import json
import random
import time
import zlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from winnowry.lakehouse.blobs import blob_array, blob_columns, blob_field, blob_of

CORPUS, TABLE = "many", "cleaned"
PLAIN = pa.schema(
    [
        pa.field("record_id", pa.string(), nullable=False),
        pa.field("partition", pa.string(), nullable=False),
        pa.field("promotion_id", pa.string(), nullable=False),
        pa.field("n_words", pa.int64(), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
    ]
)
ROWS, MEDIA = PLAIN.append(pa.field("payload", pa.large_binary(), nullable=False)), PLAIN.append(blob_field("payload"))
LETTERS = "abcdefghij"
FUNCTIONS = "import zlib\nimport pyarrow as pa\nimport pyarrow.compute as pc\n" + "".join(
    f"""
def letter_{letter}(text):
    return pc.cast(pc.count_substring(text, {letter!r}), "int64")

def crc_{letter}(payload):
    values = [one.read() for one in payload] if isinstance(payload, list) else payload.to_pylist()
    return pa.array([zlib.crc32({letter!r}.encode() + value) for value in values], "int64")
"""
    for letter in LETTERS
)
DELETE_EVERY = 7  # more than a tenth of each fragment: enough for compaction to write it anew
_ATTEMPTS = 300


def words_of(n: int) -> int:
    return 3 + n * 7919 % 40


def text_of(n: int) -> str:
    return " ".join(f"{n * 31 + i * 17:x}" for i in range(words_of(n)))


def payload_of(n: int) -> bytes:
    """Bytes of a "video": mostly small enough to lie beside the row, every 400th in a file of many."""
    return zlib.adler32(str(n).encode()).to_bytes(4, "big") * (20_000 if n % 400 == 7 else 5 + n % 30)


def id_of(n: int) -> str:
    return f"{n:032x}"


def columns(count: int) -> dict[str, tuple[str, str, Callable[[int], int]]]:
    """Name → (kind, source, the value of a row): one of three by SQL, one from the text, one from the object."""
    found: dict[str, tuple[str, str, Callable[[int], int]]] = {}
    for number in range(count):
        kind, letter = number % 3, LETTERS[number // 3 % len(LETTERS)]
        if kind == 0:
            factor = number + 2
            found[f"c{number}"] = ("sql", f"n_words * {factor} + 1", lambda n, f=factor: words_of(n) * f + 1)
        elif kind == 1:
            found[f"c{number}"] = ("python", f"letter_{letter}", lambda n, c=letter: text_of(n).count(c))
        else:
            found[f"c{number}"] = (
                "python",
                f"crc_{letter}",
                lambda n, c=letter: zlib.crc32(c.encode() + payload_of(n)),
            )
    return found


def batch_of(numbers: range, partition: str, promotion: str, *, media: bool) -> pa.RecordBatch:
    rows = [(id_of(n), partition, promotion, words_of(n), text_of(n)) for n in numbers]
    plain = [pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), PLAIN, strict=True)]
    payloads = [payload_of(n) for n in numbers]
    objects = blob_array(map(blob_of, payloads)) if media else pa.array(payloads, pa.large_binary())
    return pa.RecordBatch.from_arrays([*plain, objects], schema=MEDIA if media else ROWS)


def workspace(root: str, environment: Mapping[str, str]) -> Any:
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.storage.settings import StorageSettings

    return Workspace.open(root, StorageSettings.from_env(environment))


def told(out: Path, **said: Any) -> None:
    """Acknowledge: whatever is written here must be in the table for ever."""
    with out.open("a") as log:
        log.write(json.dumps(said) + "\n")


def failed(out: Path, error: Exception) -> None:
    told(out, error=f"{type(error).__name__}: {error}"[:2000])
    raise SystemExit(1)


def promote_rows(ws: Any, partition: str, fragments: list[range]) -> int:
    """Add a partition as a stage does, beginning anew when a column came meanwhile; returns how often that was so."""
    from winnowry.columns.later_rows import complete_fragments, refuse_if_columns_landed
    from winnowry.core.errors import PromotionConflictError
    from winnowry.lakehouse.promotion import stage
    from winnowry.lakehouse.record import PromotionRecord, new_promotion_id
    from winnowry.lakehouse.table import FragmentWriter

    table, promoter, records = ws.lake.table(CORPUS, TABLE), ws.lake.promoter(CORPUS), ws.lake.records(CORPUS)
    media = bool(blob_columns(table.dataset().schema))
    for attempt in range(_ATTEMPTS):
        promoter.recover(TABLE, partition)
        if promoter.live(TABLE, TABLE, partition) is not None:
            return attempt
        promotion = new_promotion_id()
        writer = FragmentWriter(table, MEDIA if media else ROWS)
        for numbers in fragments:
            writer.write(batch_of(numbers, partition, promotion, media=media))
            writer.flush()
        try:
            looked_at = complete_fragments(ws, CORPUS, table, table.dataset(), set(), writer.fragments).version
            main = stage(table, writer.fragments, writer.rows, scope="partition", partition=partition, stage_name=TABLE)
            refuse_if_columns_landed(table, looked_at, main.base_version)
            record = PromotionRecord(
                promotion, CORPUS, TABLE, partition, main, [], None, "staged", time.time(), {}, {}, {}
            )
            promoter.promote(records.save(record))
        except PromotionConflictError:
            continue
        return attempt
    raise AssertionError(f"{partition} was refused {_ATTEMPTS} times")


def begin(root: str, environment: Mapping[str, str], *, media: bool, partitions: int, fragments: int, rows: int) -> int:
    """Make the table with an index on ids; returns how many rows it has."""
    ws = workspace(root, environment)
    ws.lake.table(CORPUS, TABLE).create(MEDIA if media else ROWS)
    size = fragments * rows
    for partition in range(partitions):
        first = partition * size
        promote_rows(ws, f"b{partition}", [range(first + i * rows, first + (i + 1) * rows) for i in range(fragments)])
    ws.lake.ensure_index(CORPUS, TABLE)
    return partitions * size


def add(
    root: str,
    environment: Mapping[str, str],
    name: str,
    kind: str,
    source: str,
    functions: str,
    wait: float,
    out: Path,
) -> None:
    """Add one column, after a while."""
    from expectations.registry import suites_for
    from winnowry.columns.fill import add_column
    from winnowry.columns.spec import python_column, sql_column
    from winnowry.core.errors import WinnowryError

    time.sleep(wait)
    try:
        ws = workspace(root, environment)
        dataset = ws.lake.table(CORPUS, TABLE).dataset()
        if kind == "sql":
            spec = sql_column(dataset, TABLE, name, source)
        else:
            spec = python_column(dataset, TABLE, name, f"{functions}:{source}", type_="int64")
        result = add_column(ws, CORPUS, spec, suites=suites_for)
    except (WinnowryError, OSError, ValueError) as error:
        failed(out, error)
    else:
        told(
            out,
            column=name,
            spec=spec.version,
            status=result.status,
            version=result.table_version,
            computed=result.fragments_computed,
            reused=result.fragments_reused,
            refused=result.commits_refused,
            seconds=round(result.seconds, 1),
        )


def append(root: str, environment: Mapping[str, str], prefix: str, parts: list[list[range]], out: Path) -> None:
    """Add partitions one after the other."""
    from winnowry.core.errors import WinnowryError

    try:
        ws = workspace(root, environment)
        for number, fragments in enumerate(parts):
            refused = promote_rows(ws, f"{prefix}-{number}", fragments)
            told(out, partition=f"{prefix}-{number}", refused=refused)
            time.sleep(4)
    except (WinnowryError, OSError, ValueError) as error:
        failed(out, error)


def delete(root: str, environment: Mapping[str, str], numbers: list[int], commits: int, out: Path) -> None:
    """Delete rows by id, in several commits."""
    from winnowry.core.errors import WinnowryError
    from winnowry.lakehouse.table import is_conflict

    try:
        table = workspace(root, environment).lake.table(CORPUS, TABLE)
        for part in range(commits):
            ids = ", ".join(f"'{id_of(n)}'" for n in numbers[part::commits])
            refused = 0
            while True:
                try:
                    table.dataset().delete(f"record_id IN ({ids})")
                    break
                except OSError as error:
                    if not is_conflict(error):
                        raise
                    refused += 1
                    time.sleep(random.random() * 0.2)
            told(out, deleted=part, refused=refused)
            time.sleep(4)
    except (WinnowryError, OSError, ValueError) as error:
        failed(out, error)


def compact(root: str, environment: Mapping[str, str], stop: Path, out: Path) -> None:
    """Merge small fragments and bring the index up to date until told to stop, whoever else is at work."""
    from winnowry.core.errors import WinnowryError
    from winnowry.lakehouse.maintenance import maintain_table

    try:
        ws = workspace(root, environment)
        table, rng = ws.lake.table(CORPUS, TABLE), random.Random(7)
        while not stop.exists():
            time.sleep(rng.uniform(0.5, 5))
            there = len(table.dataset().schema)
            # `winnowry maintain` would wait for columns and promotions that are on their way; this one does not.
            done = maintain_table(
                table, ws.store, live=[], kept_files=set(), busy=None, keep=timedelta(days=1),
                together="partition", dry_run=False,
            )  # fmt: skip
            told(out, merged=done.fragments_merged, added=there - len(ROWS), postponed=done.postponed)
    except (WinnowryError, OSError, ValueError) as error:
        failed(out, error)


def watch(root: str, environment: Mapping[str, str], rows: int, count: int, stop: Path, out: Path) -> None:
    """Read the latest version again and again: a column that is there has every value, and the right one."""
    from winnowry.core.errors import WinnowryError

    table = workspace(root, environment).lake.table(CORPUS, TABLE)
    expected = expected_values(rows, count)
    while not stop.exists():
        try:
            dataset = table.dataset()
            said = wrong_values(dataset, expected)
        except (WinnowryError, OSError, ValueError) as error:
            told(out, unread=f"{type(error).__name__}: {error}"[:300])
            continue
        told(out, version=int(dataset.version), columns=len(set(expected) & set(dataset.schema.names)), wrong=said)
        time.sleep(0.5)


def expected_values(rows: int, count: int) -> dict[str, np.ndarray[Any, np.dtype[np.int64]]]:
    return {
        name: np.fromiter(map(value, range(rows)), np.int64, rows) for name, (_, _, value) in columns(count).items()
    }


def wrong_values(dataset: Any, expected: Mapping[str, np.ndarray[Any, np.dtype[np.int64]]]) -> list[str]:
    """What is wrong with the columns of a version, and with its ids."""
    present = [name for name in expected if name in dataset.schema.names]
    found = dataset.to_table(columns=["record_id", *present])
    numbers = np.fromiter((int(value, 16) for value in found["record_id"].to_pylist()), np.int64, found.num_rows)
    said = [] if len(np.unique(numbers)) == len(numbers) else ["ids are there twice"]
    for name in present:
        if found[name].null_count:
            said.append(f"{name}: {found[name].null_count} nulls")
        elif not np.array_equal(found[name].to_numpy(), expected[name][numbers]):
            said.append(f"{name}: wrong values")
    return said
