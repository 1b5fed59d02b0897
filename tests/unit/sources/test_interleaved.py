"""Documents of texts and pictures in shards: one order, whichever form says it."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import pytest

from winnowry.operators.media.interleaved import pictures_in
from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.interleaved import Interleaved

MARK = "\ufffc"


def shard(**files: bytes | dict[str, Any]) -> io.BytesIO:
    """A shard; two underscores are a dot."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            info = tarfile.TarInfo(name.replace("__", "."))
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    written.seek(0)
    return written


def read(limits: ReadLimits | None = None, /, **files: bytes | dict[str, Any]) -> list[Record | Unreadable]:
    return list(Interleaved().read(shard(**files), "0.tar", limits or ReadLimits()))


def document(**files: bytes | dict[str, Any]) -> tuple[str | None, list[tuple[str, bytes]]]:
    (record,) = read(**files)
    assert isinstance(record, Record)
    assert record.content is not None
    return record.text, list(pictures_in(record.content.read()))


@pytest.mark.parametrize(
    ("order", "text", "names"),
    [
        (
            {"texts": ["one", None, "two", None], "images": [None, "0.jpg", None, "1.png"]},
            f"one\n\n{MARK}\n\ntwo\n\n{MARK}", ["0.jpg", "1.png"],
        ),
        ({"texts": ["one", "two"], "images": ["0.jpg", None]}, f"one\n\n{MARK}\n\ntwo", ["0.jpg"]),
        ({"texts": [None, None], "images": ["1.png", "0.jpg"]}, f"{MARK}\n\n{MARK}", ["1.png", "0.jpg"]),
        ({"texts": ["one", " ", None], "images": [None, None, None]}, "one", []),
        ({"texts": [f"a {MARK} b", None], "images": [None, "0.jpg"]}, f"a  b\n\n{MARK}", ["0.jpg"]),
        ({"texts": ["one", None], "images": [None, {"name": "0.jpg", "sha256": "…"}]}, f"one\n\n{MARK}", ["0.jpg"]),
        (
            {
                "text_list": ["one", "two"],
                "image_info": [
                    {"image_name": "1.png", "matched_text_index": 1}, {"image_name": "0.jpg", "matched_text_index": 1}
                ],
            },
            f"one\n\n{MARK}\n\n{MARK}\n\ntwo", ["1.png", "0.jpg"],
        ),
    ],
    ids=["two lists", "a place with both", "pictures alone", "nothing", "a mark in a text", "with facts", "matched"],
)  # fmt: skip
def test_a_document_has_its_parts_in_order(order: dict[str, Any], text: str, names: list[str]) -> None:
    data = {"0.jpg": b"first", "1.png": b"second"}
    expected = [(name, data[name]) for name in names]
    assert document(a__json=order, a__0__jpg=b"first", a__1__png=b"second") == (text, expected)
    assert document(a__0__jpg=b"first", a__1__png=b"second", a__json=order) == (text, expected)  # wherever they lie


def test_a_picture_without_a_file_has_its_place_and_no_byte() -> None:
    text, pictures = document(a__json={"texts": ["one", None], "images": [None, "https://example.org/cat.jpg"]})
    assert (text, pictures) == (f"one\n\n{MARK}", [("cat.jpg", b"")])


def test_other_fields_are_fields_and_the_texts_are_in_one_place_only() -> None:
    (record,) = read(a__json={"texts": ["one"], "images": [None], "url": "u"})
    assert isinstance(record, Record)
    assert record.data == {"images": [None], "url": "u", "__key__": "a"}
    assert record.key == "a"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"a__jpg": b"x"}, "missing_part"),
        ({"a__json": b"{"}, "bad_json"),
        ({"a__json": {"text": "words"}}, "bad_order"),
        ({"a__json": {"texts": "words", "images": []}}, "wrong_type"),
        ({"a__json": {"texts": ["words"], "images": []}}, "bad_order"),
        ({"a__json": {"texts": [7], "images": [None]}}, "wrong_type"),
        ({"a__json": {"texts": [None], "images": [7]}}, "wrong_type"),
        ({"a__json": {"text_list": ["a"], "image_info": [{"image_name": "0", "matched_text_index": 1}]}}, "bad_order"),
        ({"a__json": {"text_list": ["a"], "image_info": [{"image_name": "0.jpg"}]}}, "bad_order"),
        ({"a": b"x"}, "foreign_member"),
    ],
)  # fmt: skip
def test_a_document_without_an_order_is_one_row_with_its_reason(files: dict[str, Any], reason: str) -> None:
    good = {"b__json": {"texts": ["one"], "images": [None]}}
    bad, other = read(**files, **good)
    assert isinstance(bad, Unreadable)
    assert (bad.operator, bad.reason) == ("source.interleaved", reason)
    assert isinstance(other, Record)


def test_pictures_of_a_document_are_bounded_together() -> None:
    order = {"texts": [None, None], "images": ["0.jpg", "1.jpg"]}
    (bad,) = read(ReadLimits(max_record_bytes=1500), a__json=order, a__0__jpg=bytes(1000), a__1__jpg=bytes(1000))
    assert isinstance(bad, Unreadable)
    assert bad.reason == "over_long_record"
