"""The record format of SAC/TC609 (TC609-5-2025-02): JSON Lines whose text lies in ``data_content``.

Source: the format as dingo-python 2.5.0 checks it (rules 0201 and 0203 to 0205); the standard itself was not read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from winnowry.sources.base import Record, Unreadable, unreadable
from winnowry.sources.mapping import serialized

INTERNET = "互联网"
METHODS = frozenset({"人工标注", "自动标注", "半自动标注", "其他"})
ANNOTATORS = frozenset({"普通标注员", "专业标注员", "行业领域专家", "其他"})
_STRINGS = ("id", "original_time", "last_modified_time", "version", "license", "source", "source_details")
FIELDS = ("id", "rid", "data_content", "annotation", *_STRINGS[1:], "generated_data_indicator")
"""Fields of a record, in order."""
_SEMVER = re.compile(r"\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?")
_OPERATOR = "source.tc609"


def lift_text(record: Record, text_field: str) -> Record | Unreadable:
    """A record with the text of ``data_content`` in a field of its own.

    Several text items are joined by a blank line. ``data_content`` is kept only where it holds more than text.

    Args:
        record: as JSON Lines hold it.
        text_field: the field that the text goes to.

    Returns:
        The record, or an unreadable place for the reason ``no_data_content`` (not a list of objects) or
        ``no_text_content``.
    """
    content = record.data.get("data_content")
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        return unreadable(record.position, _OPERATOR, "no_data_content", serialized(record.data))
    texts = [item["content"] for item in content if _is_text(item) and isinstance(item.get("content"), str)]
    if not texts:
        return unreadable(record.position, _OPERATOR, "no_text_content", serialized(record.data))
    data = dict(record.data)
    if len(texts) == len(content):
        del data["data_content"]
    data[text_field] = "\n\n".join(texts)
    return Record(record.position, data, record.media_type)


def _is_text(item: Mapping[str, Any]) -> bool:
    kind = item.get("media_type")
    return isinstance(kind, str) and kind.strip().lower() == "text"


def problems(record: Mapping[str, Any]) -> list[str]:
    """Mistakes in a record of the format, one line each; empty where it is right.

    >>> problems({"id": "1"})[0]
    'rid: missing'
    """
    mistakes = [f"{name}: missing" for name in FIELDS if name not in record]
    mistakes += [
        f"{name}: expected a string that is not empty"
        for name in _STRINGS
        if name in record and (not isinstance(record[name], str) or not record[name].strip())
    ]
    if record.get("rid") is not None and not isinstance(record["rid"], list):
        mistakes.append("rid: expected a list or null")
    content = record.get("data_content")
    if not isinstance(content, list) or not content:
        mistakes.append("data_content: expected a list that is not empty")
    else:
        mistakes += [
            f"data_content[{place}]: expected media_type and content or path"
            for place, item in enumerate(content)
            if not isinstance(item, dict) or not item.get("media_type") or not ({"content", "path"} & set(item))
        ]
    if type(record.get("generated_data_indicator")) is not int or record["generated_data_indicator"] not in (0, 1):
        mistakes.append("generated_data_indicator: expected 0 or 1")
    if isinstance(record.get("version"), str) and not _SEMVER.fullmatch(record["version"]):
        mistakes.append("version: expected MAJOR.MINOR.PATCH")
    if record.get("source") == INTERNET and not is_url(record.get("source_details")):
        mistakes.append(f"source_details: expected an HTTP(S) URL, since source is {INTERNET}")
    return mistakes + _annotation_problems(record.get("annotation"))


def _annotation_problems(annotation: object) -> list[str]:
    if annotation is None:
        return []
    if not isinstance(annotation, dict):
        return ["annotation: expected an object or null"]
    mistakes = []
    if not isinstance(annotation.get("label"), list) or not annotation["label"]:
        mistakes.append("annotation.label: expected a list that is not empty")
    for name, allowed in (("annotation_method", METHODS), ("annotator", ANNOTATORS)):
        if name not in annotation or (annotation[name] is not None and annotation[name] not in allowed):
            mistakes.append(f"annotation.{name}: expected one of {', '.join(sorted(allowed))}")
    return mistakes


def is_url(value: object) -> bool:
    """Whether a value is an HTTP(S) URL with a host.

    >>> is_url("https://example.org/a"), is_url("example.org"), is_url("http://x y")
    (True, False, False)
    """
    if not isinstance(value, str) or any(character.isspace() for character in value):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme.lower() in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
