"""Shards of WebDataset: which files are one record, what it carries, and what a bad one costs.

Keys and fields of the first table are those that webdataset 1.0.2 gives; the rest is by construction.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
from typing import Any

import pytest

from tests.shards import JPEG, shard
from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.webdataset import WebDataset

PICTURE = JPEG + b"picture"


def read(data: bytes, text_field: str = "text", **options: Any) -> list[Record | Unreadable]:
    source = WebDataset(**options).with_text_field(text_field)
    return list(source.read(io.BytesIO(data), "a.tar", ReadLimits()))


def told(item: Record | Unreadable) -> tuple[str | None, str | None]:
    """Key and text of a record; reason and value of what is none."""
    return (item.key, item.text) if isinstance(item, Record) else (item.reason, item.value)


def record(item: Record | Unreadable) -> Record:
    assert isinstance(item, Record), item
    return item


def sample(key: str, text: bytes | None = b"a caption", **others: bytes) -> list[tuple[str, bytes]]:
    return [(f"{key}.jpg", PICTURE), *([(f"{key}.txt", text)] if text is not None else []),
            *((f"{key}.{name}", data) for name, data in others.items())]  # fmt: skip


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["v1.0/train.set/0001.jpg", "v1.0/train.set/0001.txt"], ["v1.0/train.set/0001"]),
        (["v1.0/0002.JPG", "v1.0/0002.TXT"], ["v1.0/0002"]),
        (["left/0003.jpg", "left/0003.txt", "right/0003.jpg", "right/0003.txt"], ["left/0003", "right/0003"]),
        (["0005.jpg", "0005.seg.png", "0005.txt"], ["0005"]),
        (["./0006.jpg", "./0006.txt"], ["0006"]),
        (["./0007.jpg", "0007.txt"], ["0007"]),
        (["a//0008.jpg", "a/0008.txt"], ["a/0008"]),
        (["0.jpg", "1.jpg", "2.jpg", "2.txt", "0.txt", "1.txt"], ["0", "1", "2"]),
        (["22.05.jpg", "22.05.txt", "22.06.jpg", "22.06.txt"], ["22.05", "22.06"]),
        (["3.14.jpg", "3.14.txt"], ["3.14"]),
        (["IMG.2021.05.01.JPG", "IMG.2021.05.01.txt"], ["IMG.2021.05.01"]),
    ],
)
def test_the_key_is_the_path_up_to_the_first_dot_of_its_last_part(names: list[str], expected: list[str]) -> None:
    items = read(shard((name, PICTURE if name.lower().endswith(("jpg", "png")) else b"words") for name in names))
    assert [told(item) for item in items] == [(key, "words") for key in expected]
    assert [item.position for item in items] == list(range(len(expected)))


def test_a_second_picture_is_a_field_of_its_own_by_name_and_size() -> None:
    (item,) = read(shard([("5.jpg", PICTURE), ("5.seg.png", b"mask!"), ("5.txt", b"two"), ("5.cls", b"7")]))
    assert record(item).data == {"seg.png": {"member": "5.seg.png", "bytes": 5}, "cls": "7", "__key__": "5"}
    content = record(item).content
    assert content is not None
    assert content.read() == PICTURE
    (chosen,) = read(shard([("5.jpg", PICTURE), ("5.seg.png", b"mask!"), ("5.txt", b"two")]), content="SEG.png")
    assert record(chosen).place == (1536, 5)
    assert record(chosen).data["jpg"] == {"member": "5.jpg", "bytes": len(PICTURE)}


@pytest.mark.parametrize(
    ("members", "reason", "says"),
    [
        ([("1.jpg", PICTURE)], "missing_part", "1: no text; there is 1.jpg"),
        ([("1.txt", b"words")], "missing_part", "1: no image; there is 1.txt"),
        ([("1.jpg", PICTURE), ("1.json", b'{"caption": null}')], "missing_part", "1: no text; there is 1.jpg, 1.json"),
        (
            [("1.txt", b"w"), ("1.json", b'{"status": "failed_to_download", "error_message": "HTTP 404"}')],
            "missing_part",
            "1: no image; there is 1.txt, 1.json; status failed_to_download: HTTP 404",
        ),
        (
            [("1.jpg", PICTURE), ("1.txt", b"one"), ("1.txt", b"two"), ("1.jpg", PICTURE)],
            "name_twice_in_shard",
            "1: 1.jpg, 1.txt, 1.txt, 1.jpg",
        ),
        ([("1.jpg", PICTURE), ("1.JPG", PICTURE), ("1.txt", b"w")], "name_twice_in_shard", "1: 1.jpg, 1.txt, 1.JPG"),
        ([("1.jpg", PICTURE), ("1.png", PICTURE), ("1.txt", b"w")], "ambiguous_part", "1: 1.jpg, 1.png, 1.txt"),
        (
            [("1.left.jpg", PICTURE), ("1.right.jpg", PICTURE), ("1.txt", b"w")],
            "ambiguous_key",
            "1: 1.left.jpg, 1.right.jpg, 1.txt",
        ),
        ([*sample("1", b"")[1:], ("1.jpg", b"")], "empty_file", "1: 1.jpg has no byte"),
        (sample("1", "Größe".encode("latin-1")), "bad_utf8", "1: 1.txt: invalid start byte at byte 2"),
        (sample("1", "words".encode("utf-16-le")), "bad_utf8", "1: 1.txt: a NUL at character 1"),
        (sample("1", json=b'{"similarity": 0.3'), "bad_json", "1: the json: "),
        (sample("1", json=b'["1", 0.3]'), "bad_json", "1: the json is list of mixed values"),
        (sample("1", json=b""), "bad_json", "1: the json: "),
        (sample("1", json=b"[" * 100_000), "bad_json", "1: the json: "),
        (sample("1", None, json=b'{"caption": ["a", "b"]}'), "wrong_type", "1: caption is list of texts"),
        (sample("1", None, json=b'{"caption": "\\ud800"}'), "bad_utf8", "1: caption: surrogates not allowed"),
        ([("README", b"words")], "foreign_member", "README: no extension, so it is part of no record"),
    ],
)  # fmt: skip
def test_a_bad_sample_costs_one_row_and_never_the_shard(
    members: list[tuple[str, bytes]], reason: str, says: str
) -> None:
    items = read(shard([*sample("0"), *members, *sample("2")]))
    assert [told(items[0]), told(items[-1])] == [("0", "a caption"), ("2", "a caption")]
    (bad,) = items[1:-1]
    assert isinstance(bad, Unreadable)
    assert (bad.reason, bad.position, bad.ends_object) == (reason, 1, False)
    assert bad.value is not None
    assert bad.value.startswith(says)


@pytest.mark.parametrize(
    ("parts", "text", "fields"),
    [
        ({"txt": b"plain", "json": b'{"caption": "other"}'}, "plain", {"caption": "other"}),
        ({"txt": "\ufeffmarked".encode()}, "marked", {}),
        ({"txt": "sixteen bit".encode("utf-16")}, "sixteen bit", {}),
        ({"txt": "thirty-two".encode("utf-32")}, "thirty-two", {}),
        ({"txt": b"", "json": b'{"caption": NaN, "similarity": NaN}'}, "", {"caption": None, "similarity": None}),
        ({"json": b'{"caption": "of the sidecar", "similarity": 0.33}'}, "of the sidecar", {"similarity": 0.33}),
        ({"json": b'\xef\xbb\xbf{"caption": "marked"}'}, "marked", {}),
        ({"json": '{"caption": "wide"}'.encode("utf-16")}, "wide", {}),
        ({"json": b'{"text": "by its name"}'}, "by its name", {}),
        ({"txt": b"w", "json": b'{"id": 12345678901234567890123}'}, "w", {"id": 12345678901234567890123}),
        ({"txt": b"w", "json": b'{"width": Infinity, "w": -Infinity}'}, "w", {"width": None, "w": None}),
    ],
)
def test_the_text_is_the_txt_else_the_caption_of_the_sidecar(
    parts: dict[str, bytes], text: str, fields: dict[str, object]
) -> None:
    (item,) = read(shard(sample("1", None, **parts)))
    assert record(item).text == text
    assert record(item).data == {**fields, "__key__": "1"}


def test_another_text_is_taken_where_the_source_maps_one() -> None:
    data = shard(sample("1", b"short", **{"en.txt": b"in English", "json": b'{"prompt": {"long": "a long one"}}'}))
    assert [record(read(data, name)[0]).text for name in ("text", "en.txt", "prompt.long")] == [
        "short", "in English", "a long one",
    ]  # fmt: skip
    (missing,) = read(data, "prompt.none")
    assert told(missing)[0] == "missing_part"


def test_a_record_without_a_text_stays_where_the_text_is_optional() -> None:
    items = read(shard([("1.jpg", PICTURE), *sample("2"), ("3.txt", b"w")]), text="optional")
    assert [told(item) for item in items] == [
        ("1", None), ("2", "a caption"), ("missing_part", "3: no image; there is 3.txt"),
    ]  # fmt: skip


def test_what_an_operating_system_left_in_a_shard_is_no_record() -> None:
    litter = ["__MACOSX/._0.jpg", "._0.jpg", ".DS_Store", "a/.hidden.jpg", "Thumbs.db", "pictures/"]
    assert [told(item) for item in read(shard([(name, b"") for name in litter] + sample("0")))] == [("0", "a caption")]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_files_of_a_compressed_shard_have_no_place_to_refer_to(pack: Any) -> None:
    plain = shard([*sample("0"), *sample("1")])
    assert [record(item).place for item in read(plain)] == [(512, len(PICTURE)), (2560, len(PICTURE))]
    packed = read(pack(plain))
    assert [(told(item), record(item).place) for item in packed] == [
        (("0", "a caption"), None), (("1", "a caption"), None),
    ]  # fmt: skip


def test_a_compressed_shard_that_is_cut_off_gives_what_was_whole_and_says_why() -> None:
    whole = shard(pair for n in range(50) for pair in [(f"{n}.jpg", JPEG + bytes([n]) * 500), (f"{n}.txt", b"w")])
    items = read(gzip.compress(whole, 0)[:30_000])
    *good, last = items
    assert len(good) > 10
    assert all(isinstance(item, Record) for item in good)
    assert isinstance(last, Unreadable)
    assert (last.reason, last.ends_object) == ("truncated_gzip", True)


@pytest.mark.parametrize("tenth", range(1, 10))
def test_a_shard_cut_at_any_tenth_gives_whole_records_only(tenth: int) -> None:
    captions = {f"{n:03}": f"caption {n}" for n in range(20)}
    data = shard(pair for key, text in captions.items() for pair in sample(key, text.encode(), json=b'{"n": 1}'))
    items = read(data[: len(data) * tenth // 10 + 100], text="optional")
    records = [item for item in items if isinstance(item, Record)]
    assert {item.key: item.text for item in records}.items() <= captions.items()
    assert all(item.data == {"n": 1, "__key__": item.key} for item in records)
    assert len(records) >= len(captions) * tenth // 10 - 2
    if len(records) < len(captions):
        assert isinstance(items[-1], Unreadable)
        assert (items[-1].reason, items[-1].ends_object) == ("truncated_tar", True)


def test_a_damaged_header_ends_the_shard_and_takes_the_record_beside_it() -> None:
    data = bytearray(shard([*sample("0"), *sample("1"), *sample("2")]))
    data[2048 + 1024 + 20] ^= 0xFF  # in the header of 1.txt
    first, bad = read(bytes(data), text="optional")
    assert told(first) == ("0", "a caption")
    assert isinstance(bad, Unreadable)
    assert (bad.reason, bad.value, bad.ends_object) == ("bad_tar", "1: the checksum of a header is wrong", True)


def test_another_thing_than_a_shard_is_named() -> None:
    (bad,) = read(b"PK\x03\x04" + bytes(1000))
    assert told(bad) == ("bad_tar", "this is a zip archive")
    assert read(b"") == []


def test_an_index_is_made_without_reading_the_pictures() -> None:
    big = JPEG + bytes(1 << 20)
    data = shard(pair for n in range(16) for pair in [(f"{n}.jpg", big), (f"{n}.txt", b"words")])

    class Counting(io.BytesIO):
        n_bytes = 0

        def read(self, size: int | None = -1, /) -> bytes:
            done = super().read(size)
            self.n_bytes += len(done)
            return done

    stream = Counting(data)
    assert sum(isinstance(item, Record) for item in WebDataset().read(stream, "a.tar", ReadLimits())) == 16
    assert stream.n_bytes < 64 << 10


def test_a_long_sidecar_is_refused_and_a_long_picture_is_not_read() -> None:
    data = shard([*sample("0", json=json.dumps({"a": "b" * 2000}).encode()), ("1.jpg", bytes(5000)), ("1.txt", b"w")])
    items = list(WebDataset().read(io.BytesIO(data), "a.tar", ReadLimits(max_record_bytes=1000)))
    assert [told(item) for item in items] == [("over_long_record", "0: 0.json has 2009 bytes"), ("1", "w")]


def test_files_inside_a_shard_are_not_chosen_by_members_and_the_kind_is_one_of_bytes() -> None:
    assert WebDataset().why_no_members() is not None
    with pytest.raises(ValueError, match="records have one of the kinds"):
        WebDataset(kind="text")
