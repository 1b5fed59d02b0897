"""What a release can be written as."""

from __future__ import annotations

from typing import Literal

ExportFormat = Literal["jsonl", "parquet", "webdataset", "coco", "yolo", "voc", "cvat", "kitti"]
"""The last five are for annotations."""
