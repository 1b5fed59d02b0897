"""Label files of KITTI: a sequence's (tracking) or a picture's (object)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from winnowry.releases.labels.layouts import File, LabelLayout, Names, Row, is_file_name, is_label, parsed

_NOT_WRITTEN = ("id", "polygon", "rle", "keypoints", "attributes", "area", "points", "time_ns")
_UNKNOWN = (-1.0, -1.0, -1.0, -1000.0, -1000.0, -1000.0, -10.0)
"""Height, width, length, place and rotation of a box without them."""


class KittiLayout(LabelLayout):
    """``label_02/SEQUENCE.txt`` of records with numbers of frames, else ``label_2/NAME.txt``.

    Only boxes with a place in the frame `camera`, or without a place, can be said. Numbers have six decimals.
    """

    name: ClassVar[str] = "kitti"

    def files(self, rows: Iterable[Row]) -> Iterator[File]:
        """See :meth:`LabelLayout.files`."""
        names = Names()
        sequences: dict[str, list[tuple[int, int, str]]] = {}
        records: dict[str, int] = {}
        group_names: dict[str, str] = {}
        for row in rows:
            self.lost(row, box_fields=_NOT_WRITTEN)
            if not is_label(row):
                self.losses[f"records.{row['state']}"] += 1
                continue
            lines = [(box, line) for box in row["boxes"] if (line := self._line(box, row["frame"])) is not None]
            if not parsed(row["layout"]).get("tracking", any(box["number"] is not None for box in row["boxes"])):
                yield f"label_2/{names.of(row)}.txt", "".join(f"{line}\n" for _, line in lines).encode(), 1
                continue
            group = str(row["group"] or "")
            group = group if is_file_name(group) else group_names.setdefault(group, f"sequence-{len(group_names):04d}")
            records[group] = records.get(group, 0) + 1
            sequence = sequences.setdefault(group, [])
            for box, line in lines:
                track = box["track"] if box["track"] is not None else "-1"
                order = (box["number"] or 0, int(track) if track.lstrip("-").isdecimal() else 0)
                sequence.append((*order, f"{order[0]} {track} {line}\n"))
        for name, listed in sorted(sequences.items()):
            yield f"label_02/{name}.txt", "".join(line for *_, line in sorted(listed)).encode(), records[name]

    def _line(self, box: Mapping[str, Any], frame: str | None) -> str | None:
        edges = [box[name] for name in ("x1", "y1", "x2", "y2")]
        in_space = [box[name] for name in ("h", "w", "l", "x", "y", "z", "qw")]
        if None in edges:
            self.losses["boxes.without_edges"] += 1
            return None
        if None in in_space or frame != "camera":
            self.losses["boxes.x"] += None not in in_space
            last = _UNKNOWN
        else:
            last = (*in_space[:6], 2 * math.atan2(box["qy"], box["qw"]))
        alpha = box["alpha"] if box["alpha"] is not None else -10.0
        trunc, occ = (box[name] if box[name] is not None else -1 for name in ("trunc", "occ"))
        numbers = " ".join(f"{value:.6f}" for value in (alpha, *edges, *last))
        score = f" {box['score']:.6f}" if box["score"] is not None else ""
        name = "_".join(str(box["class"]).split())
        self.losses["classes.with_blanks"] += name != box["class"]
        return f"{name} {trunc:g} {occ} {numbers}{score}"
