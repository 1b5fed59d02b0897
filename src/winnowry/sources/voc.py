"""Pascal VOC: an XML file for each picture; pixels count from 1 and both ends belong to a box."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, ClassVar
from xml.etree.ElementTree import Element

from winnowry.sources.annotated import AnnotationFormat, Box, RefusedLabels, number_in, whole_number
from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.content import text_chunks
from winnowry.sources.mapping import serialized
from winnowry.sources.text import whole_object
from winnowry.sources.xml_trees import required, tree_of

_EDGES = ("xmin", "ymin", "xmax", "ymax")
_OWN = frozenset({"name", "bndbox"})


class Voc(AnnotationFormat):
    """Reads Pascal VOC: a record is the picture that a file is about.

    Pixels count from 1 there and the far edge is in the box: `xmin 1, xmax 10` are ten pixels, from 0 to 10 here.
    """

    name: ClassVar[str] = "voc"
    one_record: ClassVar[bool] = True

    def items(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`AnnotationFormat.items`.

        Reasons: ``xml_entities``, ``xml_invalid``, ``too_deep``, ``not_voc``, ``missing_field``, ``class_missing``,
        ``not_a_number``, ``not_finite``, ``image_size_missing``, ``over_long_record``, and those of
        :class:`~winnowry.sources.streams.BrokenStreamError`.
        """
        chunks = text_chunks(stream, None, limits, any_text=True)
        data, refusal = whole_object(chunks, limits, f"source.{self.name}")
        if data is not None:
            try:
                yield self._record(data, uri)
            except RefusedLabels as error:
                yield self.refused(0, error, data)
        if refusal is not None:
            yield refusal

    def _record(self, data: bytes, uri: str) -> Record:
        root = tree_of(data)
        if root.tag != "annotation":
            raise RefusedLabels("not_voc", f"root {root.tag}", "annotation")
        stem = uri.rpartition("/")[2].rpartition(".")[0]
        path = (root.findtext("filename") or "").strip() or None
        width, height = (_size(root, name) for name in ("width", "height"))
        image = self.image(stem, path, width or None, height or None)
        if not width or not height:
            if image["stored_width"] is None:
                raise RefusedLabels("image_size_missing", "no size with a width and a height", "size, or the picture")
            image |= {"width": image["stored_width"], "height": image["stored_height"]}
        boxes = []
        for place, element in enumerate(root.findall("object")):
            try:
                boxes.append(_box(element))
            except RefusedLabels as error:
                raise RefusedLabels(error.reason, f"object {place}: {error.value}", error.expected) from None
        fields: dict[str, object] = {"id": stem, "filename": path}
        for name in ("folder", "segmented"):
            if (text := root.findtext(name)) is not None:
                fields[name] = text.strip()
        layout = {"format": "voc", "depth": root.findtext("size/depth")}
        return self.labels(0, fields, boxes, image=image, layout=serialized(layout).decode())


def _size(root: Element, name: str) -> int | None:
    text = root.findtext(f"size/{name}")
    return whole_number(name, number_in(name, text)) if text is not None and text.strip() else None


def _box(element: Element) -> Box:
    name = (element.findtext("name") or "").strip()
    if not name:
        raise RefusedLabels("class_missing", "no name")
    bounds = element.find("bndbox")
    if bounds is None:
        raise RefusedLabels("missing_field", "no bndbox")
    x1, y1, x2, y2 = (number_in(edge, required(bounds, edge)) for edge in _EDGES)
    other = {child.tag: _value(child) for child in element if child.tag not in _OWN}
    truncated, occluded = other.get("truncated"), other.get("occluded")
    return {
        "class": name, "x1": x1 - 1, "y1": y1 - 1, "x2": x2, "y2": y2,
        "trunc": float(truncated) if truncated in ("0", "1") else None,
        "occ": int(occluded) if occluded in ("0", "1") else None,
        "attributes": serialized(other).decode() if other else None,
    }  # fmt: skip


def _value(element: Element) -> object:
    """What an element says: its text, or its children by name."""
    if len(element) == 0:
        return (element.text or "").strip()
    return [{child.tag: _value(child)} for child in element]
