"""An independent judge of a small lake: Lance, the landing bytes and the records' JSON; nothing of winnowry.

What a right lake holds is worked out again from the landing files, by other code than the pipeline's. Every function
returns sentences, none when all is well; each sentence begins with the name of the check that failed.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lance

CORPUS = "small"
STAGES = ("landing", "raw", "cleaned", "duplicates", "scored", "sampled", "published")
BY_PARTITION = ("raw", "cleaned", "scored")
VOLATILE = ("promotion_id", "ingested_at", "uri", "etag", "modified_at", "draw_at")


def identity(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


@dataclass
class Landed:
    """The landing files, read line by line.

    Attributes:
        pages: record id → (year, name, html).
        broken: record id of an unreadable line → its bytes.
    """

    pages: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    broken: dict[str, bytes] = field(default_factory=dict)

    @staticmethod
    def read(root: Path) -> Landed:
        landed = Landed()
        for path in sorted((root / "landing" / "small").glob("*.jsonl.gz")):
            for index, line in enumerate(gzip.decompress(path.read_bytes()).splitlines()):
                try:
                    record = json.loads(line)
                except ValueError:
                    landed.broken[identity("at", "pages", path.name, str(index))] = line
                    continue
                name = record["id"]
                landed.pages[identity("id", "pages", name)] = (record["api_version"][:4], name, record["html"])
        return landed

    def kept(self) -> set[str]:
        """Pages that are English and long enough: all but the planted ones."""
        return {key for key, (_, name, _) in self.pages.items() if "-short-" not in name and "-de-" not in name}

    def duplicates(self) -> dict[str, str]:
        """Dropped id → keeper: the earliest year wins, then the smaller id."""
        groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for key in self.kept():
            year, _, html = self.pages[key]
            groups[html].append((year, key))
        found = {}
        for group in groups.values():
            keeper = min(group)[1]
            found.update({key: keeper for _, key in group if key != keeper})
        return found


class Lake:
    """The tables of a root as any Lance client sees them."""

    def __init__(self, root: Path) -> None:
        self.base = root / CORPUS

    def dataset(self, name: str, version: int | str | None = None) -> Any:
        return lance.dataset(str(self.base / f"{name}.lance"), version=version)

    def exists(self, name: str) -> bool:
        return any((self.base / f"{name}.lance" / "_versions").glob("*.manifest"))  # Lance leaves a folder behind

    def rows(self, name: str, version: int | str | None = None) -> list[dict[str, Any]]:
        if not self.exists(name):
            return []
        found: list[dict[str, Any]] = self.dataset(name, version).to_table().to_pylist()
        return found

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_bytes()) for path in sorted(self.base.glob("promotions/*/*/*.json"))]

    def live(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Newest promoted record of every stage and partition."""
        newest: dict[tuple[str, str], dict[str, Any]] = {}
        for record in sorted(self.records(), key=lambda r: r["promoted_at"] or 0.0):
            if record["state"] == "promoted":
                newest[record["stage"], record["partition"]] = record
        return newest

    def quarantine(self) -> list[dict[str, Any]]:
        """Rows of the quarantine that belong to a live promotion."""
        live = {record["id"] for record in self.live().values()}
        return [row for row in self.rows("quarantine") if row["promotion_id"] in live]


def problems(root: Path, reference: Path | None = None) -> list[str]:
    """Everything wrong with a lake whose walk has ended, against its landing files and an undisturbed walk's lake."""
    landed, lake = Landed.read(root), Lake(root)
    found: list[str] = []

    def expect(check: str, actual: Any, wanted: Any) -> None:
        found.extend(_differences(check, actual, wanted))

    raw = lake.rows("raw")
    rejected: dict[str, list[str]] = defaultdict(list)
    for row in lake.quarantine():
        rejected[row["stage"]].append(row["record_id"])
        if row["record_id"] in landed.broken and row["payload"] != landed.broken[row["record_id"]]:
            found.append(f"quarantine payload: {row['record_id']} is not the bytes of its line")
    cleaned, duplicates = lake.rows("cleaned"), lake.rows("duplicates")
    scored, sampled, published = lake.rows("scored"), lake.rows("sampled"), lake.rows("published")
    expect("raw ids", _ids(raw), sorted(landed.pages))
    expect(
        "raw payloads",
        {row["record_id"]: (row["partition"], row["payload"]) for row in raw},
        {key: (year, html) for key, (year, _, html) in landed.pages.items()},
    )
    expect("unreadable lines", sorted(rejected["raw"]), sorted(landed.broken))
    expect("cleaned ids", _ids(cleaned), sorted(landed.kept()))
    expect("cleaned ledger", sorted([*_ids(cleaned), *rejected["cleaned"]]), sorted(landed.pages))
    expect(
        "duplicates",
        sorted((row["record_id"], row["kept_record_id"]) for row in duplicates),
        sorted(landed.duplicates().items()),
    )
    keepers = sorted(landed.kept() - set(landed.duplicates()))
    expect("scored ids", sorted([*_ids(scored), *rejected["scored"]]), keepers)
    expect("sampled ids", _ids(sampled), sorted(_ids(scored)))
    selected = sorted(row["record_id"] for row in sampled if row["selected"])
    expect("published ids", _ids(published), selected)
    texts = {row["record_id"]: row["text"] for row in cleaned}
    for row in published:
        if texts.get(row["record_id"]) != row["text"]:
            found.append(f"published text: {row['record_id']} has another text than in cleaned")
    if not selected or len(selected) == len(keepers):
        found.append(f"selection: {len(selected)} of {len(keepers)} keepers is no selection")
    found += _tags(lake, selected)
    found += _indexes(lake, {"raw": raw, "published": published})
    found += _promotions(lake, ended=True)
    if reference is not None:
        found += _equal(lake, Lake(reference))
    return found


def visible_problems(root: Path) -> list[str]:
    """What a reader must never see, whenever it looks: parts of promotions, or rows without a committed record."""
    return _promotions(Lake(root), ended=False)


def _promotions(lake: Lake, *, ended: bool) -> list[str]:
    found = []
    # Tables before records: a record is written before the rows it speaks of.
    tables = {name: lake.rows(name) for name in STAGES}
    aside = Counter((row["promotion_id"], row["stage"]) for row in lake.rows("quarantine"))
    records = {record["id"]: record for record in lake.records()}
    for name, rows in tables.items():
        counted = Counter((row.get("partition", "__all__"), row["promotion_id"]) for row in rows)
        by_partition: dict[str, set[str]] = defaultdict(set)
        for (partition, promotion), n in counted.items():
            by_partition[partition].add(promotion)
            record = records.get(promotion)
            if record is None:
                found.append(f"records: {n} rows of {name} have no promotion record {promotion}")
                continue
            allowed = ("promoted",) if ended else ("committing", "promoted")
            if record["state"] not in allowed:
                found.append(f"record state: {name} shows {n} rows of {promotion}, which is {record['state']}")
            if name in BY_PARTITION:
                ledger = record["ledger"]
                if n != ledger["rows_out"]:
                    found.append(f"part of a promotion: {name} shows {n} rows of {promotion}, not {ledger['rows_out']}")
                if aside[promotion, name] != ledger["rows_quarantined"]:
                    found.append(
                        f"quarantine of a promotion: {aside[promotion, name]} rows of {promotion} for {name}, "
                        f"not {ledger['rows_quarantined']}"
                    )
                if ledger["rows_in"] != ledger["rows_out"] + ledger["rows_quarantined"]:
                    found.append(f"ledger: {ledger} of {promotion}")
        if name in BY_PARTITION:
            found += [
                f"one promotion a partition: {name}[{key}] shows {len(value)}"
                for key, value in by_partition.items()
                if len(value) > 1
            ]
        elif name in ("duplicates", "sampled", "landing"):
            everything = {promotion for _, promotion in counted}
            if len(everything) > 1:
                found.append(f"one promotion a table: {name} shows {len(everything)}")
        ids = Counter(row["record_id"] for row in rows if "record_id" in row)
        found += [f"duplicated id: {key} is {n} times in {name}" for key, n in ids.items() if n > 1]
    if ended:
        found += [f"record state: {r['id']} of {r['stage']} is left {r['state']}" for r in records.values()
                  if r["state"] == "committing"]  # fmt: skip
    return found


def _tags(lake: Lake, selected: list[str]) -> list[str]:
    tags = lake.dataset("published").tags.list()
    newest = max((name for name in tags if name != "prod"), default=None)
    if newest is None or "prod" not in tags:
        return [f"tags: {sorted(tags)} instead of a release and prod"]
    found = []
    for name in (newest, "prod"):
        if _ids(lake.rows("published", name)) != selected:
            found.append(f"tags: {name} does not show the selection")
    numbers = sorted(int(name[1:]) for name in tags if name != "prod")
    if numbers != list(range(1, len(numbers) + 1)):
        found.append(f"tags: releases are numbered {numbers}")
    return found


def _indexes(lake: Lake, tables: dict[str, list[dict[str, Any]]]) -> list[str]:
    found = []
    for name, rows in tables.items():
        dataset = lake.dataset(name)
        indexes = [index.name for index in dataset.describe_indices() if "record_id" in index.field_names]
        if not indexes:
            found.append(f"index: {name} has none on record_id")
        elif left_out := dataset.stats.index_stats(indexes[0])["num_unindexed_rows"]:
            found.append(f"index: {name} has {left_out} rows that it does not cover")
        for row in rows[:: max(1, len(rows) // 5)]:
            n = dataset.count_rows(filter=f"record_id = '{row['record_id']}'")
            if n != 1:
                found.append(f"index: {name} answers {n} rows for {row['record_id']}")
    return found


def _equal(lake: Lake, reference: Lake) -> list[str]:
    found = []
    for name in STAGES:
        found += _differences(f"same as undisturbed: {name}", _content(lake.rows(name)), _content(reference.rows(name)))
    found += _differences(
        "same as undisturbed: quarantine", _content(lake.quarantine()), _content(reference.quarantine())
    )
    for path in sorted(reference.base.glob("fits/*/*.json")):
        twin = lake.base / path.relative_to(reference.base)
        if not twin.exists() or twin.read_bytes() != path.read_bytes():
            found.append(f"same as undisturbed: fit {path.parent.name}")
    return found


def _content(rows: list[dict[str, Any]]) -> list[str]:
    kept = [
        {key: value for key, value in row.items() if key not in VOLATILE} | {"uri": Path(row.get("uri") or "").name}
        for row in rows
    ]
    return sorted(json.dumps(row, sort_keys=True, default=repr) for row in kept)


def _ids(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(row["record_id"] for row in rows)


def _differences(check: str, actual: Any, wanted: Any) -> list[str]:
    if actual == wanted:
        return []
    if isinstance(actual, dict):
        actual, wanted = list(actual.items()), list(wanted.items())
    have, want = Counter(map(repr, actual)), Counter(map(repr, wanted))
    missing, extra = want - have, have - want
    shown = [f"-{_short(k)}" for k in list(missing)[:2]] + [f"+{_short(k)}" for k in list(extra)[:2]]
    return [f"{check}: {sum(missing.values())} missing, {sum(extra.values())} too many: {' '.join(shown)}"]


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}…"
