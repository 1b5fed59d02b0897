"""Sound as a picture: a bar for each part of a recording, as long as the part is loud."""

from __future__ import annotations

import base64
from collections.abc import Sequence

_WIDTH_PX, _HEIGHT_PX = 160, 48
_BAR = 0.7  # of the room of a bar
_THINNEST_PX = 1.0


def wave_image(levels: Sequence[float]) -> str:
    """The levels of n parts as the address of an image (a ``data:`` URI of an SVG); the loudest part fills the height.

    Args:
        levels: root mean squares from 0 to 1.

    >>> wave_image([0.1, 0.2])[:26]
    'data:image/svg+xml;base64,'
    """
    loudest = max(levels, default=0.0) or 1.0
    room = _WIDTH_PX / max(1, len(levels))
    bars = []
    for number, level in enumerate(levels):
        height = max(_THINNEST_PX, level / loudest * _HEIGHT_PX)
        left, top = number * room, (_HEIGHT_PX - height) / 2
        bars.append(f"M{left:.1f} {top:.1f}h{room * _BAR:.1f}v{height:.1f}h-{room * _BAR:.1f}z")
    drawn = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH_PX}" height="{_HEIGHT_PX}" '
        f'viewBox="0 0 {_WIDTH_PX} {_HEIGHT_PX}"><path fill="#2563eb" d="{"".join(bars)}"/></svg>'
    )
    return f"data:image/svg+xml;base64,{base64.b64encode(drawn.encode()).decode()}"
