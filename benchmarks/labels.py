"""Plant faults into KITTI's released tracking labels, count how many are seen, and time the checks against a loop.

    PYTHONPATH=. python benchmarks/labels.py FOLDER_OF_LABEL_FILES [--plants 100]

A fault is planted into one box at a time, into boxes that are not flagged as they were released. The loop checks one
box after the other in plain Python, for what two of the operators look at: edges, projection and angle. Seconds are of
the CPU.
"""

from __future__ import annotations

import argparse
import copy
import math
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from winnowry.operators.labels.convention import LabelConvention
from winnowry.operators.labels.geometry import LabelGeometry
from winnowry.operators.labels.poses import LabelPoses
from winnowry.operators.labels.projection import LabelProjection
from winnowry.operators.labels.tracks import LabelTracks
from winnowry.operators.labels.typical_size import LabelTypicalSize
from winnowry.records.annotations import COLUMNS
from winnowry.sources.base import ReadLimits, Record
from winnowry.sources.kitti import Kitti

WIDTH, HEIGHT = 1242, 375
MATRIX = (721.5377, 0, 609.5593, 44.85728, 0, 721.5377, 172.854, 0.2163791, 0, 0, 1, 0.0027459)
CLASSES = ("Car", "Van", "Truck", "Pedestrian", "Person", "Cyclist", "Tram", "Misc")
MEASURES = (LabelGeometry(), LabelProjection(), LabelTracks(), LabelPoses())
FITTED = LabelTypicalSize()
Box = dict[str, Any]


def wrap(angle: float) -> float:
    """An angle from -π to π."""
    return (angle + math.pi) % (2 * math.pi) - math.pi


def turn_of(box: Box) -> float:
    """Rotation about the vertical axis."""
    return 2 * math.atan2(box["qy"], box["qw"])


def turn(box: Box, angle: float) -> None:
    """Give a box another rotation."""
    box.update(qw=math.cos(angle / 2), qy=math.sin(angle / 2))


def move(box: Box, pixels: float) -> None:
    """Move a box in the picture."""
    box.update(x1=box["x1"] + pixels, x2=box["x2"] + pixels)


PLANTS: dict[str, Callable[[Box], object]] = {
    "height and length swapped": lambda b: b.update(h=b["l"], l=b["h"]),
    "half a turn": lambda b: (turn(b, wrap(turn_of(b) + math.pi)), b.update(alpha=wrap(b["alpha"] + math.pi))),
    "another class": lambda b: b.update({"class": CLASSES[(CLASSES.index(b["class"]) + 1) % len(CLASSES)]}),
    "30 pixels": lambda b: move(b, 30),
    "depth x 1.3": lambda b: b.update(x=b["x"] * 1.3, z=b["z"] * 1.3),
    "stale angle": lambda b: b.update(alpha=wrap(b["alpha"] + 0.4)),
    "outside": lambda b: move(b, WIDTH - b["x1"] + 5),
    "millimetres": lambda b: b.update(h=b["h"] * 1000, w=b["w"] * 1000, l=b["l"] * 1000),
    "left, top, width, height": lambda b: b.update(x2=b["x2"] - b["x1"], y2=b["y2"] - b["y1"]),
    "rotation negated": lambda b: turn(b, -turn_of(b)),
    "place is the centre": lambda b: b.update(y=b["y"] - b["h"] / 2),
}
CONVENTIONS = ("place is the centre", "rotation negated", "millimetres", "left, top, width, height")


def logs(folder: Path) -> list[dict[str, Any]]:
    """The sequences of a folder."""
    format_ = Kitti(record="log", projection=MATRIX, image_size=(WIDTH, HEIGHT))
    rows = []
    for path in sorted(folder.glob("*.txt")):
        with path.open("rb") as file:
            rows += [item.columns for item in format_.read(file, path.name, ReadLimits()) if isinstance(item, Record)]
    return [dict(row) for row in rows if row is not None]


def batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    """Records as operators are handed them."""
    return pa.RecordBatch.from_pylist(rows, schema=pa.schema(COLUMNS))


def flagged(table: pa.RecordBatch, fit: dict[str, Any]) -> list[list[tuple[int, str]]]:
    """Boxes of each record with a fault."""
    written = [operator.apply(table) for operator in MEASURES] + [FITTED.apply_fitted(table, fit)]
    columns = [out.column(next(name for name in out.schema.names if name.endswith("_faults"))) for out in written]
    lists = [column.to_pylist() for column in columns]
    return [[(one["box"], one["fault"]) for of in lists for one in of[row]] for row in range(table.num_rows)]


def loop(rows: list[dict[str, Any]]) -> int:
    """The same as geometry and projection, box by box in plain Python."""
    n = 0
    for row in rows:
        seen: dict[int, list[Box]] = {}
        for box in row["boxes"]:
            x1, y1, x2, y2 = box["x1"], box["y1"], box["x2"], box["y2"]
            n += x1 < -1 or y1 < -1 or x2 > WIDTH + 1 or y2 > HEIGHT + 1 or x2 <= x1 or y2 <= y1
            for other in seen.setdefault(box["number"], []):
                n += other["class"] == box["class"] and iou((x1, y1, x2, y2), tuple(other[k] for k in EDGES)) >= 0.9
            seen[box["number"]].append(box)
            if box.get("h") is None:
                continue
            angle = turn_of(box)
            n += abs(wrap(box["alpha"] - (angle - math.atan2(box["x"], box["z"])))) > 0.1
            corners = projected(box, angle)
            n += corners is not None and box["trunc"] == 0 and iou(corners, (x1, y1, x2, y2)) < 0.5
    return n


EDGES = ("x1", "y1", "x2", "y2")


def projected(box: Box, angle: float) -> tuple[float, ...] | None:
    """The box in the picture around eight corners."""
    c, s = math.cos(angle), math.sin(angle)
    us, vs = [], []
    for k in range(8):
        along = box["l"] / 2 if k & 2 == 0 else -box["l"] / 2
        across = box["w"] / 2 if (k & 3) % 3 == 0 else -box["w"] / 2
        x, y, z = (
            c * along + s * across + box["x"],
            (0.0 if k < 4 else -box["h"]) + box["y"],
            -s * along + c * across + box["z"],
        )
        if z < 0.5:
            return None
        depth = MATRIX[8] * x + MATRIX[9] * y + MATRIX[10] * z + MATRIX[11]
        us.append((MATRIX[0] * x + MATRIX[1] * y + MATRIX[2] * z + MATRIX[3]) / depth)
        vs.append((MATRIX[4] * x + MATRIX[5] * y + MATRIX[6] * z + MATRIX[7]) / depth)
    return max(min(us), 0.0), max(min(vs), 0.0), min(max(us), WIDTH - 1), min(max(vs), HEIGHT - 1)


def iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union."""
    both = max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    return both / max((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both, 1e-9)


def main() -> None:
    """Print how many plants are seen, and how fast."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--plants", type=int, default=100)
    options = parser.parse_args()
    rows = logs(options.folder)
    table = batch(rows)
    fit = FITTED.fit(pa.Table.from_batches([FITTED.measure(table)]))
    before = [{place for place, _ in row} for row in flagged(table, fit)]
    cared = sum(box.get("h") is not None for row in rows for box in row["boxes"])
    kinds = Counter(fault for row in flagged(table, fit) for _, fault in row)
    print(f"{cared} boxes; flagged as released {sum(map(len, before)) / cared:.4f} {dict(kinds)}")
    verdict = LabelConvention()
    print("conventions as released", Counter(verdict.apply(table).column("convention").to_pylist()))
    for name in CONVENTIONS:
        other = copy.deepcopy(rows)
        for row in other:
            for box in row["boxes"]:
                if box.get("h") is not None:
                    PLANTS[name](box)
        print(f"  all boxes, {name}:", Counter(verdict.apply(batch(other)).column("convention").to_pylist()))
    draw = random.Random(3)
    right = [(i, j) for i, row in enumerate(rows) for j, box in enumerate(row["boxes"])
             if box.get("h") is not None and j not in before[i]]  # fmt: skip
    for name, change in PLANTS.items():
        n_seen = 0
        for i, j in draw.sample(right, options.plants):
            row = dict(rows[i])
            row["boxes"] = list(row["boxes"])
            row["boxes"][j] = dict(row["boxes"][j])
            change(row["boxes"][j])
            (after,) = flagged(batch([row]), fit)
            n_seen += bool({place for place, _ in after} - before[i])
        print(f"  {name}: {n_seen} of {options.plants}")
    n_boxes = sum(len(row["boxes"]) for row in rows)
    start = time.process_time()
    for _ in range(10):
        for operator in MEASURES[:2]:
            operator.apply(table)
    flat = (time.process_time() - start) / 10
    start = time.process_time()
    loop(rows)
    plain = time.process_time() - start
    speeds = f"{n_boxes / flat:,.0f} boxes/CPU-s, the loop {n_boxes / plain:,.0f}: {plain / flat:.1f} times"
    print(f"geometry and projection: {speeds}")


if __name__ == "__main__":
    main()
