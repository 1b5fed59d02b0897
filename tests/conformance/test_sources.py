"""One suite for every source format: the same records come out, positions hold, damage is reported and never raised."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile
from collections.abc import Callable
from xml.sax.saxutils import escape

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from tests.label_files import SAMPLES
from tests.motion_files import amc, c3d, march
from tests.shards import JPEG, shard
from winnowry.records.motion_files import bvh_of
from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.registry import formats, reader_of

ROWS = [{"id": "1", "text": "grüße"}, {"id": "2", "text": 'line\nbreak, "quoted"'}, {"id": "3", "text": ""}]
OPTIONS: dict[str, dict[str, object]] = {
    "sgml": {"record_element": "row"},
    "xml": {"record_element": "row"},
    "amc": {"fps": 120},
}
WHOLE_OBJECT = ("text", "html")
MOTION = {"bvh": bvh_of(march(2)), "amc": amc().encode(), "c3d": c3d(np.zeros((2, 2, 3)))}
"""A clip is no row; these files have none."""
STRUCTURED: dict[str, Callable[[str], dict[str, object]]] = {
    "conversations": lambda text: {"messages": [{"role": "user", "content": text}]},
    "preferences": lambda text: {"prompt": text, "chosen": "", "rejected": ""},
    "rl_prompts": lambda text: {"prompt": text},
    "reasoning": lambda text: {"prompt": text, "solution": ""},
    "rollouts": lambda text: {"prompt": "why?", "completion": text},
}
FORMATS = tuple(
    name for name, cls in formats().items() if cls.payload_kind != "structured" or name in MOTION or name in STRUCTURED
)
"""Other formats whose records are columns have suites of their own."""


def encoded(name: str, rows: list[dict[str, str]]) -> bytes:  # noqa: PLR0911 - one return a kind
    if name == "speech_manifest":
        rows = [{**row, "audio_filepath": f"wavs/{row['id']}.flac"} for row in rows]
        return encoded("jsonl", rows)
    if name in MOTION or name in SAMPLES:
        return MOTION[name] if name in MOTION else SAMPLES[name]
    if name in STRUCTURED:
        return encoded("jsonl", [{"id": row["id"], **STRUCTURED[name](row["text"])} for row in rows])
    if name == "jsonl" or name in WHOLE_OBJECT:
        return "".join(json.dumps(row) + "\n" for row in rows).encode()
    if name == "parquet":
        out = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), out, row_group_size=2)
        return out.getvalue()
    if name == "warc":
        return b"".join(conversion(row["id"], row["text"].encode()) for row in rows)
    if name == "webdataset":
        parts = (("jpg", lambda row: JPEG + row["id"].encode()), ("txt", lambda row: row["text"].encode()))
        return shard((f"{row['id']}.{end}", data(row)) for row in rows for end, data in parts)
    if name == "interleaved":
        order = ({"id": row["id"], "texts": [row["text"], None], "images": [None, "0.jpg"]} for row in rows)
        pairs = ((fields["id"], json.dumps(fields).encode()) for fields in order)
        files = ((f"{key}.json", data) for key, data in pairs)
        return shard(file for json_file in files for file in (json_file, (f"{json_file[0][:-5]}.0.jpg", JPEG)))
    if name in ("sgml", "xml"):
        return "".join(f'<row id="{row["id"]}"><text>{escape(row["text"])}</text></row>\n' for row in rows).encode()
    if name not in ("csv", "files"):
        raise AssertionError(
            f"source format {name!r} has no fixture: say in `encoded` ({__name__}) how these rows are written in it, "
            "and in OPTIONS which options it needs"
        )
    text = io.StringIO()
    writer = csv.DictWriter(text, ["id", "text"])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def conversion(name: str, text: bytes) -> bytes:
    head = f"WARC/1.1\r\nWARC-Type: conversion\r\nWARC-Target-URI: {name}\r\nContent-Type: text/plain\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(text) + text + b"\r\n\r\n"


def read(
    name: str, data: bytes, limits: ReadLimits | None = None, members: str | None = None
) -> list[Record | Unreadable]:
    reader = reader_of(formats()[name](**OPTIONS.get(name, {})), members=members)
    return list(reader.read(io.BytesIO(data), f"a.{name}", limits or ReadLimits()))


def rows_of(items: list[Record | Unreadable]) -> list[tuple[int, object, object]]:
    """Position, identifier and text of records, whatever else the format tells."""
    assert all(isinstance(item, Record) for item in items)
    return [
        (item.position, item.data[next(name for name in ("id", "@id", "@ID", "url") if name in item.data)], text)
        for item in items
        if isinstance(item, Record)
        for text in [item.text if item.columns is not None else item.data.get("TEXT", item.data.get("text"))]
    ]


EXPECTED = [(index, row["id"], row["text"]) for index, row in enumerate(ROWS)]

TABULAR = ["jsonl", "speech_manifest", "csv", "parquet", "warc", "sgml", "xml", *STRUCTURED]
TEXTS = [
    name
    for name in FORMATS
    if name not in MOTION and (formats()[name].payload_kind != "blob" or name == "speech_manifest")
]
"""The content of others is judged when `raw` takes it in; test_webdataset.py cuts shards."""
STREAMED = [name for name in TABULAR if name != "parquet"]
COMPRESSIONS = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "gzip of two members": lambda data: gzip.compress(data[:7]) + gzip.compress(data[7:]),
    "zstd": lambda data: zstandard.compress(data),
    "zstd of two frames": lambda data: zstandard.compress(data[:7]) + zstandard.compress(data[7:]),
}


@pytest.mark.parametrize("name", TABULAR)
def test_every_format_yields_the_same_records_at_the_same_positions(name: str) -> None:
    assert rows_of(read(name, encoded(name, ROWS))) == EXPECTED


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("name", STREAMED)
def test_compression_is_told_by_the_content(name: str, compression: str) -> None:
    data = COMPRESSIONS[compression](encoded(name, ROWS))
    assert rows_of(read(name, data)) == EXPECTED


@pytest.mark.parametrize("pack", ["w:gz", "w"])
@pytest.mark.parametrize("name", TABULAR)
def test_every_format_is_read_from_inside_tar_archives_with_positions_that_run_on(name: str, pack: str) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=pack) as archive:  # type: ignore[call-overload]
        for path in ("a/readme", f"a/one.{name}", f"a/two.{name}"):
            content = encoded(name, ROWS) if path.endswith(name) else b"not asked for"
            info = tarfile.TarInfo(path)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    items = read(name, out.getvalue(), members=f"*.{name}")
    assert rows_of(items) == EXPECTED + [(3 + position, name, text) for position, name, text in EXPECTED]
    assert [item.data["member"] for item in items if isinstance(item, Record)] == (
        [f"a/one.{name}"] * 3 + [f"a/two.{name}"] * 3
    )


@pytest.mark.parametrize("name", TEXTS)
def test_every_truncation_is_reported_and_never_raises(name: str) -> None:
    whole = encoded(name, ROWS)
    data = whole if name == "parquet" else gzip.compress(whole)
    expected = read(name, data)
    for cut in range(1, len(data)):
        if name != "parquet" and cut < 4:
            continue  # not to be told from a plain file
        items = read(name, data[:cut])
        assert isinstance(items[-1], Unreadable), cut
        assert items[:-1] == expected[: len(items) - 1]
        assert items[-1].reason in {"truncated_gzip", "bad_parquet"}


@pytest.mark.parametrize("name", FORMATS)
def test_any_byte_flipped_is_survived_with_rising_positions(name: str) -> None:
    whole = encoded(name, ROWS)
    for place in range(len(whole)):
        data = bytearray(whole)
        data[place] ^= 0xFF
        items = read(name, bytes(data))
        positions = [item.position for item in items]
        assert positions == sorted(set(positions))


@pytest.mark.parametrize("name", [*STREAMED, *WHOLE_OBJECT])
def test_an_empty_object_has_no_bad_record(name: str) -> None:
    assert not [item for item in read(name, b"") if isinstance(item, Unreadable)]


@pytest.mark.parametrize("name", TEXTS)
def test_a_record_above_the_limit_is_reported_and_the_next_one_is_read(name: str) -> None:
    rows = [{"id": "1", "text": "x" * 3000}, {"id": "2", "text": "short"}]
    items = read(name, encoded(name, rows), ReadLimits(max_record_bytes=1000))
    assert isinstance(items[0], Unreadable)
    assert (items[0].reason, items[0].threshold, items[0].position) == ("over_long_record", "1000", 0)
    assert rows_of(items[1:]) == ([] if name in WHOLE_OBJECT else [(1, "2", "short")])


@pytest.mark.parametrize("name", [*(name for name in STREAMED if name != "speech_manifest"), *WHOLE_OBJECT])
@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_a_decompression_bomb_is_stopped(name: str, compress: object) -> None:
    # A manifest of speech ends at its first line, which is no header.
    data = compress(b"a,b\n" + b"\0" * (8 << 20))  # type: ignore[operator]
    limits = ReadLimits(max_record_bytes=64 << 20, max_compression_ratio=100, ratio_applies_above_bytes=1 << 20)
    items = read(name, data, limits)
    assert isinstance(items[-1], Unreadable)
    assert items[-1].reason == "compression_ratio"
    assert len(items[-1].payload) <= 1 << 20
