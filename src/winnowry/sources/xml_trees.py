"""XML documents as trees, without entities: what a document declares is never expanded."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from winnowry.sources.annotated import RefusedLabels

_MOST_DEEP = 64


def tree_of(data: bytes) -> Element:
    """The root of a document.

    Raises:
        RefusedLabels: ``xml_entities`` (a document type with declarations, or one that leads elsewhere),
            ``xml_invalid`` or ``too_deep``.
    """
    builder = TreeBuilder()
    depth = 0

    def document_type(name: str, system: str | None, public: str | None, has_declarations: bool) -> None:
        if has_declarations or system is not None or public is not None:
            raise RefusedLabels("xml_entities", f"document type {name}", "no declarations: entities are not expanded")

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MOST_DEEP:
            raise RefusedLabels("too_deep", f"{depth} elements in each other", f"at most {_MOST_DEEP}")
        builder.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name)

    parser: Any = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = document_type
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise RefusedLabels("xml_invalid", str(error)) from None
    return builder.close()


def check_no_entities(data: bytes) -> None:
    """Refuse a document that is read in pieces where it declares entities.

    Raises:
        RefusedLabels: ``xml_entities``.
    """
    start = data.find(b"<!DOCTYPE")
    if (start >= 0 and b"[" in data[start : data.find(b">", start)]) or b"<!ENTITY" in data:
        raise RefusedLabels("xml_entities", "document type", "no declarations: entities are not expanded")


def required(element: Element, name: str) -> str:
    """The text of a child.

    Raises:
        RefusedLabels: ``missing_field``.
    """
    text = (element.findtext(name) or "").strip()
    if not text:
        raise RefusedLabels("missing_field", f"no {name} in {element.tag}")
    return text
