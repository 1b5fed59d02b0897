"""Interleaved documents put together again: two lists of one length, of texts and of pictures, in their order.

It is the form that ``format: interleaved`` reads, and that OBELICS has: where one list has a part, the other has null.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from winnowry.core.errors import DataError
from winnowry.operators.media.interleaved import pictures_in
from winnowry.operators.media.views import PAYLOAD
from winnowry.records.kinds import PICTURE_MARK
from winnowry.sources.media_types import extension_of

_IMAGES, _TEXT, _TEXTS = "images", "text", "texts"


def is_interleaved(columns: list[str]) -> bool:
    """Whether a release has documents that can be put together: their text, their pictures and which of them stay."""
    return {PAYLOAD, _TEXT, _IMAGES, "images_left_out"} <= {*columns}


def with_lists(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its document as lists; the bytes of a picture are in Base64.

    Raises:
        DataError: text and pictures do not fit together any more.
    """
    texts, images, pictures = _lists(row)
    held = iter(pictures)
    described = [
        None if image is None else {**image, "bytes": base64.b64encode(next(held)).decode()} for image in images
    ]
    return {**_others(row), _TEXTS: texts, _IMAGES: described}


def files_of(row: Mapping[str, Any]) -> tuple[dict[str, Any], Iterator[tuple[str, bytes]]]:
    """What the JSON file of a row says, and the extensions and bytes of its pictures, which it names.

    Raises:
        DataError: as :func:`with_lists`.
    """
    texts, images, pictures = _lists(row)
    there = [image for image in images if image is not None]
    names = [f"{number}.{extension_of(image['media_type'])}" for number, image in enumerate(there)]
    left = iter(names)
    described = {
        **_others(row),
        _TEXTS: texts,
        _IMAGES: [None if image is None else next(left) for image in images],
        "image_facts": there,
    }
    return described, zip(names, pictures, strict=True)


def _others(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in (PAYLOAD, _TEXT, _IMAGES)}


def _lists(row: Mapping[str, Any]) -> tuple[list[str | None], list[dict[str, Any] | None], list[bytes]]:
    """Texts and pictures as two lists of one length, and the bytes of the pictures in their order."""
    images: list[dict[str, Any]] = row[_IMAGES] or []
    parts = (row[_TEXT] or "").split(PICTURE_MARK)
    if len(parts) - 1 != len(images):
        raise DataError(
            f"record {row['record_id']} has {len(parts) - 1} marks of pictures in its text and {len(images)} pictures: "
            "an operator behind interleaved.images took some out of the text. Put it before interleaved.images, which "
            "compares them, and run again"
        )
    archive = [data for _, data in pictures_in(row[PAYLOAD] or b"")]
    texts: list[str | None] = []
    described: list[dict[str, Any] | None] = []
    for number, text in enumerate(parts):
        if text.strip():
            texts.append(text.strip("\n"))
            described.append(None)
        if number < len(images):
            texts.append(None)
            described.append(images[number])
    return texts, described, [archive[image["at"]] for image in images]
