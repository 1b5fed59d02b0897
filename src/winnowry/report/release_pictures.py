"""What the page of a release shows of its records: small pictures, and sound as bars that are as long as it is loud."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from winnowry.report.render import render

_WIDTH_PX, _HEIGHT_PX = 160, 48
_FILLED = 0.7  # of the room of a bar
_LEAST_PX = 1.0
_MARKDOWN_BYTES = 12 << 10


class _Bar(NamedTuple):
    left: float
    top: float
    width: float
    height: float


def wave_image(levels: Sequence[float]) -> str:
    """The levels of n parts as an SVG image in Base64; the loudest part fills the height.

    Args:
        levels: root mean squares from 0 to 1.
    """
    loudest = max(levels, default=0.0) or 1.0
    room = _WIDTH_PX / max(1, len(levels))
    heights = [max(_LEAST_PX, level / loudest * _HEIGHT_PX) for level in levels]
    bars = [
        _Bar(number * room, (_HEIGHT_PX - height) / 2, room * _FILLED, height) for number, height in enumerate(heights)
    ]
    drawn = render("wave.svg.j2", width=_WIDTH_PX, height=_HEIGHT_PX, bars=bars)
    return base64.b64encode(drawn.encode()).decode()


def pictures_view(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was drawn of the records: ``of``, and ``shown`` with ``image`` (a type and Base64) or ``frame``."""
    shown = facts["pictures"]["shown"]
    kinds = {"waveform": "sound", "svg": "motion", "frame": "boxes"}
    return {
        "of": next((kind for key, kind in kinds.items() if any(key in one for one in shown)), "pictures"),
        "shown": [
            {"caption": one["caption"], "record_id": one["record_id"], "frame": one.get("frame"), "image": _image(one)}
            for one in shown
        ],
    }


def _image(one: Mapping[str, Any]) -> tuple[str, str] | None:
    """Type and Base64 of what is shown of a record; None of what is drawn into the page."""
    if "waveform" in one:
        return "svg+xml", wave_image(one["waveform"])
    if "svg" in one:
        return "svg+xml", one["svg"]
    return ("jpeg", one["jpeg"]) if "jpeg" in one else None


def pictures_in_markdown(shown: Sequence[Mapping[str, Any]]) -> str:
    """The first pictures, or sounds as bars, as Markdown that holds them; at most 12 KiB, empty without any.

    Args:
        shown: of the facts of a release; captions are not among it: they may hold text of the data.
    """
    lines: list[str] = []
    for one in shown:
        image = _image(one)
        if image is None:
            continue
        kind, data = image
        line = f"![{one['record_id']}](data:image/{kind};base64,{data})"
        if sum(map(len, lines)) + len(line) > _MARKDOWN_BYTES:
            break
        lines.append(line)
    return " ".join(lines)
