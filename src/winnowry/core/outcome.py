"""The one rule by which a measured difference counts."""

from __future__ import annotations

from typing import Literal

Outcome = Literal["better", "worse", "not told apart"]


def outcome(difference: float, detectable: float) -> Outcome:
    """What may be said of a difference: it counts where it is larger than the effect that can be detected.

    Verdict, recommendation, gate, page and card of a comparison all ask here.

    >>> outcome(0.02, 0.01), outcome(-0.02, 0.01), outcome(0.01, 0.01)
    ('better', 'worse', 'not told apart')
    """
    if abs(difference) <= detectable:
        return "not told apart"
    return "better" if difference > 0 else "worse"
