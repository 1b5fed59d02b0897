"""``mocap.limits``: angles far outside of what the same joint does in the other clips."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import Field

from winnowry.operators.base import FittedOperator, Rule
from winnowry.operators.motion.clips import CLIP, as_batch, clips
from winnowry.records.motion import ROTATIONS, Motion

FIT_VERSION = 1
_LOWEST, _HIGHEST = 0.001, 0.999  # quantiles of a clip
_RANGES = pa.field(
    "ranges", pa.list_(pa.struct([("joint", pa.string()), ("low", pa.float64()), ("high", pa.float64())]))
)
_FULL_CIRCLE = 2 * np.pi
_RADIANS_BELOW = 0.2  # of the usual largest angle of the pool


class MotionLimits(FittedOperator):
    """How far the angles of a clip leave the ranges of their joints, as the other clips have them.

    The limits that skeleton files state are no help: 3.5 to 7 % of the angles of good CMU clips lie beyond them. The
    ranges are fitted instead, for each joint and axis, and frozen: of the 0.1 % and 99.9 % quantiles of every clip the
    second smallest and the second largest, so that one faulty clip does not set a range; widened on both sides by half
    of the range, at least ``slack_deg``. Joints that fewer than ``min_clips`` clips have get no range. Roots, which
    turn as the body does, have none either.

    Writes ``<as>`` (double: degrees that the worst angle lies beyond its range; 0: none does; null where no joint has a
    range), ``<as>_at`` (string: its joint, axis and frame, from 1) and ``<as>_in_radians`` (bool: whether the clip's
    angles look like radians among degrees: none is above 2 pi, and the pool's clips usually go five times as far).

    Source: fitted and tested on clips of the CMU database, each left out in turn: no clean clip exceeds its ranges by
    more than 30 degrees, two clips with known faults do by 361 and 249.
    """

    op: Literal["mocap.limits"] = "mocap.limits"
    as_: str = Field(
        default="limits_excess_deg", alias="as", min_length=1, description="name of the column and prefix of the others"
    )
    max_excess_deg: float | None = Field(
        default=30.0, ge=0, description="most degrees that an angle may lie beyond its range; null: any"
    )
    slack_deg: float = Field(default=25.0, ge=0, description="least degrees by which a range is widened on each side")
    min_clips: int = Field(default=3, ge=2, description="fewest clips that a range is fitted to")
    degrees: bool = Field(default=True, description="whether clips whose angles look like radians are refused")

    def reads(self) -> pa.Schema:
        """The columns of a clip."""
        return CLIP

    def writes(self) -> pa.Schema:
        """The excess, its place, and whether angles are in another unit."""
        return pa.schema(
            [
                pa.field(self.as_, pa.float64()),
                pa.field(f"{self.as_}_at", pa.string()),
                pa.field(f"{self.as_}_in_radians", pa.bool_()),
            ]
        )

    def rules(self) -> tuple[Rule, ...]:
        """``max_excess_deg``; and ``degrees``, whether angles are in degrees."""
        rules = []
        if self.max_excess_deg is not None:
            rules.append(
                Rule(
                    name="max_excess_deg",
                    column=self.as_,
                    comparison="<=",
                    threshold=self.max_excess_deg,
                    null="keep",
                )
            )
        if self.degrees:
            rules.append(
                Rule(name="degrees", column=f"{self.as_}_in_radians", comparison="==", threshold=False, null="keep")
            )
        return tuple(rules)

    def components(self) -> pa.Schema:
        """The range of every joint and axis of a clip."""
        return pa.schema([_RANGES])

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The ranges of n clips."""
        rows = [
            (None if motion is None else [{"joint": a.key, "low": a.low, "high": a.high} for a in _angles(motion)],)
            for motion in clips(batch)
        ]
        return as_batch(self.components(), rows)

    def fit(self, components: pa.Table) -> dict[str, Any]:
        """The ranges of all joints, and how far the angles of a clip usually go.

        Returns:
            A JSON object: ``ranges``: by joint and axis the lowest and the highest angle; ``usual_angle``: degrees.
        """
        lows, highs = defaultdict(list), defaultdict(list)
        largest = []
        for ranges in components["ranges"].to_pylist():
            for one in ranges or ():
                lows[one["joint"]].append(one["low"])
                highs[one["joint"]].append(one["high"])
            if ranges:
                largest.append(max(max(abs(one["low"]), abs(one["high"])) for one in ranges))
        return {
            "version": FIT_VERSION,
            "operator_version": self.VERSION,
            "usual_angle": float(np.median(largest)) if largest else 0.0,
            "ranges": {
                joint: [sorted(values)[1], sorted(highs[joint])[-2]]
                for joint, values in sorted(lows.items())
                if len(values) >= self.min_clips
            },
        }

    def apply_fitted(self, batch: pa.RecordBatch, fit: Mapping[str, Any]) -> pa.RecordBatch:
        """Compare n clips with the ranges."""
        return as_batch(self.writes(), [self._values(motion, fit) for motion in clips(batch)])

    def _values(self, motion: Motion | None, fit: Mapping[str, Any]) -> tuple[float | None, str | None, bool | None]:
        if motion is None or motion.n_frames == 0:
            return None, None, None
        angles = list(_angles(motion))
        worst, at = None, None
        for angle in angles:
            known = fit["ranges"].get(angle.key)
            if known is None:
                continue
            low, high = known
            slack = max(self.slack_deg, (high - low) / 2)
            beyond = np.maximum(low - slack - angle.degrees, angle.degrees - high - slack)
            frame = int(np.nanargmax(beyond)) if np.isfinite(beyond).any() else 0
            excess = max(0.0, float(beyond[frame]))
            if worst is None or excess > worst:
                worst, at = excess, f"{angle.key}, frame {frame + 1}" if excess > 0 else None
        if not angles:
            return None, None, None
        largest = max(float(np.abs(angle.degrees).max()) for angle in angles)
        return worst, at, largest <= _FULL_CIRCLE and largest < _RADIANS_BELOW * fit["usual_angle"]


class _Angle(NamedTuple):
    key: str
    degrees: np.ndarray

    @property
    def low(self) -> float:
        return float(np.quantile(self.degrees, _LOWEST))

    @property
    def high(self) -> float:
        return float(np.quantile(self.degrees, _HIGHEST))


def _angles(motion: Motion) -> Iterator[_Angle]:
    """The angles of every joint but the root, in degrees; a joint whose angles come in another order is another one."""
    first = 0
    for joint in motion.skeleton:
        names = joint.channels or ()
        order = joint.axis_order or "".join(name[0] for name in joint.rotations)
        for place, name in enumerate(names):
            if name in ROTATIONS and joint.parent >= 0 and motion.n_frames:
                values = motion.values[:, first + place]
                yield _Angle(f"{joint.name} {name} {order}", np.degrees(values) if motion.in_radians else values)
        first += len(names)
