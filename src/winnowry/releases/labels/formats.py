"""The formats of labels by their names."""

from __future__ import annotations

from collections.abc import Collection

from winnowry.core.errors import UsageError
from winnowry.releases.labels.coco import CocoLayout
from winnowry.releases.labels.kitti import KittiLayout
from winnowry.releases.labels.layouts import COLUMNS, LabelLayout
from winnowry.releases.labels.xml import CvatLayout, VocLayout
from winnowry.releases.labels.yolo import YoloLayout

_LAYOUTS: dict[str, type[LabelLayout]] = {
    cls.name: cls for cls in (CocoLayout, YoloLayout, VocLayout, CvatLayout, KittiLayout)
}


def label_layout(format: str, columns: Collection[str], what: str) -> LabelLayout | None:
    """The layout of a format; None of formats that any release can be written in.

    Args:
        format: name of it.
        columns: of the release.
        what: corpus and release, for the message.

    Raises:
        UsageError: the release holds no annotations.
    """
    if format not in _LAYOUTS:
        return None
    lacking = [name for name in COLUMNS if name not in columns]
    if lacking:
        raise UsageError(
            f"{what} cannot be written as {format}, which is for annotations: the release has no column "
            f"{', '.join(lacking[:3])}"
        )
    return _LAYOUTS[format]()
