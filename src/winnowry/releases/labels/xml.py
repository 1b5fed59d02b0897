"""Labels in XML: a file of Pascal VOC for each picture, or one document of CVAT 1.1."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from winnowry.releases.labels.layouts import File, LabelLayout, Names, Row, is_label, parsed

_TAG = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_EDGES = ("x1", "y1", "x2", "y2")


class VocLayout(LabelLayout):
    """``Annotations/NAME.xml`` for each picture; pixels count from 1 there, and both ends belong to a box."""

    name: ClassVar[str] = "voc"
    not_written: ClassVar[tuple[str, ...]] = ("id", "track", "polygon", "rle", "keypoints", "x", "score", "points")

    def files(self, rows: Iterable[Row]) -> Iterator[File]:
        """See :meth:`LabelLayout.files`."""
        names = Names()
        for row in rows:
            self.lost(row, box_fields=self.not_written)
            image = row["image"] or {}
            if not is_label(row):
                self.losses[f"records.{row['state']}"] += 1
            elif not image.get("width") or not image.get("height"):
                self.losses["records.without_size"] += 1
            else:
                yield f"Annotations/{names.of(row)}.xml", _document(self._root(row, image)), 1

    def _root(self, row: Row, image: Mapping[str, Any]) -> Element:
        root = Element("annotation")
        SubElement(root, "filename").text = image.get("uri") or ""
        size = SubElement(root, "size")
        for name, value in (("width", image["width"]), ("height", image["height"])):
            SubElement(size, name).text = str(value)
        SubElement(size, "depth").text = str(parsed(row["layout"]).get("depth") or 3)
        for box in row["boxes"]:
            if None in [box[name] for name in _EDGES]:
                self.losses["boxes.without_edges"] += 1
                continue
            element = SubElement(root, "object")
            SubElement(element, "name").text = box["class"]
            for name, value in parsed(box["attributes"]).items():
                if isinstance(value, str) and _TAG.fullmatch(name):
                    SubElement(element, name).text = value
                else:
                    self.losses["boxes.attributes"] += 1
            bounds = SubElement(element, "bndbox")
            for name, value in (
                ("xmin", box["x1"] + 1),
                ("ymin", box["y1"] + 1),
                ("xmax", box["x2"]),
                ("ymax", box["y2"]),
            ):
                SubElement(bounds, name).text = _number(value)
        return root


class CvatLayout(LabelLayout):
    """One document ``annotations.xml`` of the form "CVAT for images 1.1"."""

    name: ClassVar[str] = "cvat"
    not_written: ClassVar[tuple[str, ...]] = ("rle", "keypoints", "x", "score", "points", "trunc")

    def files(self, rows: Iterable[Row]) -> Iterator[File]:
        """See :meth:`LabelLayout.files`."""
        root = Element("annotations")
        SubElement(root, "version").text = "1.1"
        n = 0
        for row in rows:
            self.lost(row, box_fields=self.not_written)
            image = row["image"] or {}
            if not is_label(row):
                self.losses[f"records.{row['state']}"] += 1
            elif not image.get("width") or not image.get("height"):
                self.losses["records.without_size"] += 1
            else:
                name = image.get("uri") or row["record_id"]
                size = {"width": str(image["width"]), "height": str(image["height"])}
                self._shapes(SubElement(root, "image", {"id": str(n), "name": name, **size}), row)
                n += 1
        yield "annotations.xml", _document(root), n

    def _shapes(self, image: Element, row: Row) -> None:
        for box in row["boxes"]:
            shared = {"label": box["class"] or "", "occluded": str(int(bool(box["occ"]))), "z_order": "0"}
            polygon = box["polygon"] or []
            if len(polygon) == 1:
                ring = polygon[0]
                points = ";".join(f"{_number(x)},{_number(y)}" for x, y in zip(ring[::2], ring[1::2], strict=True))
                shape = SubElement(image, "polygon", {**shared, "points": points})
            elif None in [box[name] for name in _EDGES]:
                self.losses["boxes.without_edges"] += 1
                continue
            else:
                self.losses["boxes.polygon"] += bool(polygon)
                corners = dict(zip(("xtl", "ytl", "xbr", "ybr"), (_number(box[name]) for name in _EDGES), strict=True))
                shape = SubElement(image, "box", {**shared, **corners})
            for name, value in parsed(box["attributes"]).items():
                if isinstance(value, str) and name != "z_order":
                    SubElement(shape, "attribute", {"name": name}).text = value
                elif not isinstance(value, str):
                    self.losses["boxes.attributes"] += 1


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _document(root: Element) -> bytes:
    indent(root)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode").encode() + b"\n"
