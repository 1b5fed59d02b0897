"""What the page of a release shows of its records: small pictures, and sound as bars that are as long as it is loud."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from winnowry.report.render import render

_WIDTH_PX, _HEIGHT_PX = 160, 48
_FILLED = 0.7  # of the room of a bar
_LEAST_PX = 1.0


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
    """What was drawn of the records: ``of_sound``, and ``shown`` with ``image`` (a type and Base64)."""
    shown = facts["pictures"]["shown"]
    return {
        "of_sound": any("waveform" in one for one in shown),
        "shown": [
            {
                "caption": one["caption"],
                "record_id": one["record_id"],
                "image": ("svg+xml", wave_image(one["waveform"])) if "waveform" in one else ("jpeg", one["jpeg"]),
            }
            for one in shown
        ],
    }
