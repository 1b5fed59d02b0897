"""Every registered format on damaged input: it ends, raises nothing, and positions rise.

Formats that are added later join by themselves: one without a fixture fails, and says what to add.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance.test_sources import OPTIONS, ROWS, encoded
from winnowry.recipe.model import Partition, Source
from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.mapping import map_record
from winnowry.sources.registry import formats, reader_of

LIMITS = ReadLimits(max_record_bytes=4096, max_compression_ratio=50, ratio_applies_above_bytes=1 << 16)
PEAK_BYTES, CPU_S = 64 << 20, 10.0  # of an object of some kilobytes; decompressors have a window of their own
Damage = Callable[[bytes], bytes]


def tarred(data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in ("a", "b"):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a", "b"):
            archive.writestr(name, data)
    return out.getvalue()


PACKED: dict[str, Damage] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.compress,
    "zip": zipped,
    "tar": tarred,
}


def flip(place: int, bit: int) -> Damage:
    def flipped(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[place % len(data)] ^= 1 << bit
        return bytes(changed)

    return flipped


def cut(place: int) -> Damage:
    return lambda data: data[: max(place % len(data), 1)]


def insert(place: int, piece: bytes) -> Damage:
    return lambda data: data[: place % len(data)] + piece + data[place % len(data) :]


def duplicate(start: int, length: int) -> Damage:
    def duplicated(data: bytes) -> bytes:
        at = start % len(data)
        return data[: at + length] + data[at:]

    return duplicated


def splice(start: int, length: int, to: int) -> Damage:
    """A piece of the data moved to another place of it."""

    def spliced(data: bytes) -> bytes:
        at = start % len(data)
        piece, rest = data[at : at + length], data[:at] + data[at + length :]
        put = to % (len(rest) + 1)
        return rest[:put] + piece + rest[put:]

    return spliced


PLACES = st.integers(0, 1 << 16)
PIECES = st.sampled_from(
    [
        b"[", b"{", b'"', b"\\", b"\n", b"\0" * 9, b"<", b"]]>", b"&#x110000;", b"\xff\xfe", b"[" * 2000, b"9" * 5000,
        b'"\\ud800"', b"NaN", b"PK\x03\x04", b"\x1f\x8b", b"<!--", b"WARC/1.0\r\n", b"Content-Length: 99999\r\n",
    ]
)  # fmt: skip
DAMAGES = st.lists(
    st.builds(flip, PLACES, st.integers(0, 7))
    | st.builds(cut, PLACES)
    | st.builds(insert, PLACES, PIECES)
    | st.builds(duplicate, PLACES, st.integers(1, 600))
    | st.builds(splice, PLACES, st.integers(1, 600), PLACES),
    max_size=4,
)


def check(name: str, packing: str, inside: list[Damage], outside: list[Damage]) -> None:
    """Read the rows of the conformance suite, damaged before and after they are packed."""
    data = encoded(name, ROWS)
    for damage in inside:
        data = damage(data)
    data = PACKED[packing](data)
    for damage in outside:
        data = damage(data)
    options = formats()[name](**OPTIONS.get(name, {}))
    reader = reader_of(options, members="*" if packing == "tar" else None)
    source = Source(name="s", uri="a/*", format=name, **OPTIONS.get(name, {}), partition=Partition(by="none"))
    position, ended, started = -1, False, time.process_time()
    tracemalloc.start()
    try:
        for n_items, item in enumerate(reader.read(io.BytesIO(data), f"a.{name}", LIMITS)):
            assert item.position > position
            assert not ended, "the object goes on after its end"
            assert n_items < 20_000
            position = item.position
            ended = isinstance(item, Unreadable) and item.ends_object and packing not in ("tar", "zip")
            if isinstance(item, Record):
                map_record(item, source, f"a.{name}", f"a.{name}", None)
                assert item.content is None or len(item.content.read(LIMITS.max_record_bytes)) <= len(data) * 50
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < PEAK_BYTES
    assert time.process_time() - started < CPU_S


@pytest.mark.parametrize("name", formats())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(PACKED)), DAMAGES, DAMAGES)
def test_damaged_input_ends_in_rows_and_never_in_an_exception(
    name: str, packing: str, inside: list[Damage], outside: list[Damage]
) -> None:
    check(name, packing, inside, outside)


@pytest.mark.slow
@pytest.mark.parametrize("name", formats())
@settings(max_examples=3000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(PACKED)), DAMAGES, DAMAGES)
def test_much_damaged_input_ends_in_rows_and_never_in_an_exception(
    name: str, packing: str, inside: list[Damage], outside: list[Damage]
) -> None:
    check(name, packing, inside, outside)


def test_a_format_without_a_fixture_is_told_what_to_add() -> None:
    with pytest.raises(AssertionError, match="source format 'new' has no fixture: say in `encoded`"):
        encoded("new", ROWS)
