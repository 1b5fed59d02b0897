"""Clips of motion: one that marches passes every check, and each planted fault breaks the rule that is about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest

from tests.motion_files import FPS, column, march
from winnowry.operators.base import Operator
from winnowry.operators.motion.limits import MotionLimits
from winnowry.operators.motion.motion import MotionMeasure
from winnowry.operators.motion.strip import STRIP_BYTES
from winnowry.operators.motion.structure import MotionStructure
from winnowry.records.motion import MOTION_COLUMNS, Joint, Motion

SCHEMA = pa.schema(MOTION_COLUMNS)
POOL = [march(seed=seed, swing=18 + seed) for seed in range(6)]
LIMITS = MotionLimits()


def batch(*clips: Motion) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([clip.columns() for clip in clips], schema=SCHEMA)


FIT = LIMITS.fit(pa.Table.from_batches([LIMITS.measure(batch(*POOL))]))


def measured(operator: Operator, *clips: Motion) -> list[dict[str, Any]]:
    written = (
        operator.apply_fitted(batch(*clips), FIT)
        if isinstance(operator, MotionLimits)
        else operator.apply(batch(*clips))
    )
    rows: list[dict[str, Any]] = written.to_pylist()
    return rows


def broken_rules(clip: Motion) -> set[str]:
    """Rules that the operators' defaults refuse a clip by."""
    broken = set()
    for operator in (MotionStructure(), MotionMeasure(), LIMITS):
        rows = pa.RecordBatch.from_pylist(measured(operator, clip), schema=operator.writes())
        broken |= {rule.name for rule in operator.rules() if not rule.keeps(rows.column(rule.column))[0].as_py()}
    return broken


def changed(change: Callable[[np.ndarray, Motion], None], clip: Motion | None = None) -> Motion:
    clip = clip or march(seed=9)
    values = clip.values.copy()
    change(values, clip)
    return replace(clip, values=values)


def set_at(joint: str, channel: str, value: float, *, add: bool = False, frames: slice = slice(45, 55)) -> Any:
    def change(values: np.ndarray, clip: Motion) -> None:
        at = column(clip, joint, channel)
        values[frames, at] = values[frames, at] + value if add else value

    return change


def drift(values: np.ndarray, clip: Motion) -> None:
    values[:, column(clip, "Hips", "xposition")] += np.arange(len(values)) * 100 / FPS  # 1 m/s


FAULTS: dict[str, tuple[Callable[[np.ndarray, Motion], None], str]] = {
    "no number": (set_at("Head", "yrotation", np.nan, frames=slice(50, 51)), "sound"),
    "beyond all numbers": (set_at("Head", "yrotation", np.inf, frames=slice(50, 51)), "sound"),
    "a knee bent forwards": (set_at("LeftFoot", "xrotation", -70), "max_excess_deg"),
    "an elbow turned through": (set_at("RightHand", "xrotation", 230), "max_excess_deg"),
    "a head turned round": (set_at("Head", "yrotation", 150, frames=slice(45, None)), "max_excess_deg"),
    "an angle that goes round": (set_at("LeftArm", "xrotation", 360, add=True), "max_excess_deg"),
    "a flipped arm": (set_at("LeftArm", "yrotation", 178, frames=slice(45, 48)), "max_turn_deg"),
    "a jump of the root": (set_at("Hips", "xposition", 40, add=True, frames=slice(50, None)), "max_jump_ratio"),
    "a joint that pops out": (set_at("LeftUpLeg", "xrotation", 45, add=True, frames=slice(50, 51)), "max_jump_ratio"),
    "a frozen clip": (lambda values, _: values.__setitem__(slice(40, 60), values[40]), "max_frozen_frames"),
    "feet that slide": (drift, "max_slide_mps"),
    "a body sunk into the floor": (
        set_at("Hips", "yposition", -40, add=True, frames=slice(30, 50)),
        "max_below_floor_m",
    ),
    "radians": (
        lambda values, _: values.__setitem__((slice(None), slice(3, None)), np.radians(values[:, 3:])),
        "degrees",
    ),
}


@pytest.mark.parametrize("seed", range(10, 16))
def test_a_clip_without_a_fault_breaks_no_rule(seed: int) -> None:
    assert broken_rules(march(seed=seed, swing=15 + seed / 2)) == set()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_breaks_the_rule_that_is_about_it(fault: str) -> None:
    change, rule = FAULTS[fault]
    assert rule in broken_rules(changed(change))


def test_what_is_measured_says_where_it_is() -> None:
    turned = changed(set_at("RightHand", "xrotation", 120, frames=slice(60, 70)))
    (row,) = measured(MotionMeasure(), turned)
    assert row["step_deg"] == 120
    assert row["step_at"] == "RightHand xrotation, frame 61"
    (row,) = measured(LIMITS, turned)
    # The pool holds it at 0, so its range is widened by 25 degrees.
    assert row["limits_excess_deg"] == 95
    assert row["limits_excess_deg_at"] == "RightHand xrotation zxy, frame 61"
    frozen = changed(lambda values, _: values.__setitem__(slice(40, 60), values[40]))
    (row,) = measured(MotionMeasure(), frozen)
    assert (row["frozen_frames"], row["frozen_frame"]) == (19, 41)


def test_an_angle_that_goes_round_is_a_fault_of_hinges_and_none_of_joints_with_three_angles() -> None:
    round_once = set_at("LeftFoot", "yrotation", 360, add=True, frames=slice(45, None))
    (row,) = measured(MotionMeasure(), changed(round_once))
    assert (row["step_deg"], row["wraps"]) == (360, 0)
    assert row["turn_deg"] < 5
    clip = march()
    hinge = tuple(
        replace(joint, channels=("xrotation",)) if joint.name == "LeftFoot" else joint for joint in clip.skeleton
    )
    first = column(clip, "LeftFoot", "zrotation")
    values = np.delete(clip.values, [first, first + 2], axis=1)
    values[45:, first] += 360
    (row,) = measured(MotionMeasure(), replace(clip, skeleton=hinge, values=values))
    assert row["wraps"] == 1


def test_unit_and_up_axis_are_stated_or_marked_as_guessed() -> None:
    clip = march()
    stated = replace(clip, unit="cm", up="y")
    metres = replace(
        clip,
        skeleton=tuple(replace(one, offset=tuple(x / 100 for x in one.offset)) for one in clip.skeleton),  # type: ignore[arg-type]
    )
    rows = measured(MotionStructure(), stated, clip, metres)
    assert [(row["metres_per_unit"], row["unit_from"], row["up_axis"], row["up_from"]) for row in rows] == [
        (0.01, "stated", "y", "stated"),
        (0.01, "guessed", "y", "guessed"),
        (1.0, "guessed", "y", "guessed"),
    ]
    assert [(row["n_joints"], row["n_channels"], row["missing"]) for row in rows[:1]] == [(16, 36, 0.0)]
    assert rows[0]["fps"] == pytest.approx(FPS)


def test_a_body_that_lies_with_another_axis_up_is_measured_as_the_upright_one() -> None:
    clip = march()
    x, y, z = (clip.values[:, column(clip, "Hips", f"{axis}position")] for axis in "xyz")
    # A root above all others turns the whole body so that z points up.
    root = Joint("World", -1, (0.0, 0.0, 0.0), ("xrotation",))
    below = tuple(replace(one, parent=one.parent + 1) for one in clip.skeleton)
    turned = replace(clip, skeleton=(root, *below), values=np.column_stack([np.full(len(x), 90.0), clip.values]))
    (upright,), (lying,) = measured(MotionMeasure(), clip), measured(MotionMeasure(), turned)
    assert measured(MotionStructure(), turned)[0]["up_axis"] == "z"
    for name in ("jump_ratio", "slide_mps", "below_floor_m"):
        assert lying[name] == pytest.approx(upright[name], abs=1e-9)
    assert not np.allclose(y, z)


def test_arms_held_out_are_a_t_pose() -> None:
    still = march(20)
    still.values[:, 3:] = 0
    (row,) = measured(MotionMeasure(), still)
    assert (row["t_pose"], row["frozen_frames"]) == (1.0, 19)
    assert measured(MotionMeasure(), march())[0]["t_pose"] == 0.0


def points(n_frames: int = 60) -> Motion:
    """A thigh of three points that keep their distance, and a head, which sways."""
    time = np.arange(n_frames)[:, None] / 100
    base = np.array([[0, 0, 500], [80, 0, 500], [0, 0, 420], [0, 0, 1700]], float)
    sway = np.stack([50 * np.sin(3 * time), np.zeros_like(time), 5 * np.cos(3 * time)], axis=2)
    places = base[None] + sway
    places[:, 3, 0] += 60 * np.sin(7 * time[:, 0])
    labels = ("LTHI", "LTHI2", "LTHI3", "HEAD")
    return Motion((), places.reshape(n_frames, -1), 0.01, "mm", "z", labels, np.ones((n_frames, 4)))


def test_points_that_keep_their_distance_are_held_to_it() -> None:
    clip = points()
    assert measured(MotionMeasure(), clip)[0]["length_change"] < 0.01
    swapped = clip.values.copy().reshape(60, 4, 3)
    swapped[30:35, [1, 3]] = swapped[30:35, [3, 1]]
    faulty = replace(clip, values=swapped.reshape(60, -1))
    assert measured(MotionMeasure(), faulty)[0]["length_change"] > 0.5
    assert "max_length_change" in broken_rules(faulty)


def test_points_that_were_not_seen_are_counted_and_break_no_measure() -> None:
    clip = points()
    clip.values[10:40, 0:3] = np.nan
    (row,) = measured(MotionStructure(max_missing=0.1), clip)
    assert (row["structure_fault"], row["missing"]) == (None, 0.125)
    assert broken_rules(clip) == set()
    clip.values[:] = np.nan
    (row,) = measured(MotionMeasure(), clip)
    assert row["jump_ratio"] is row["slide_mps"] is row["below_floor_m"] is row["thumbnail"] is None


def test_values_that_fill_no_whole_frames_are_a_fault_of_structure() -> None:
    clip = march(5)
    columns = {**clip.columns(), "values": clip.values.reshape(-1)[:-1]}
    written = MotionStructure().apply(pa.RecordBatch.from_pylist([columns], schema=SCHEMA))
    assert written.column("structure_fault").to_pylist() == ["no_values"]
    assert measured(MotionStructure(), replace(clip, frame_time=None))[0]["structure_fault"] == "frame_time"
    assert measured(MotionStructure(), march(1))[0]["structure_fault"] == "no_frames"


def test_the_strip_is_small_and_shows_eight_figures_on_a_floor_with_the_one_that_jumps_in_red() -> None:
    jumping = changed(FAULTS["a jump of the root"][0])
    for clip in (march(), jumping, march(3), points()):
        (row,) = measured(MotionMeasure(), clip)
        assert len(row["thumbnail"]) <= STRIP_BYTES
        drawn = ElementTree.fromstring(row["thumbnail"])
        texts = [one.text for one in drawn.iter("{http://www.w3.org/2000/svg}text")]
        assert len(texts) == min(8, clip.n_frames)
        assert texts[-1] == str(clip.n_frames)
        assert (b"#c00" in row["thumbnail"]) == (clip is jumping)


def test_one_faulty_clip_does_not_set_a_range() -> None:
    wild = changed(set_at("Head", "yrotation", 170, frames=slice(0, None)))
    pool = [*POOL, wild]
    fit = LIMITS.fit(pa.Table.from_batches([LIMITS.measure(batch(*pool))]))
    written = LIMITS.apply_fitted(batch(wild), fit).to_pylist()[0]
    assert written["limits_excess_deg"] > 100
    few = LIMITS.fit(pa.Table.from_batches([LIMITS.measure(batch(*POOL[:2]))]))
    assert LIMITS.apply_fitted(batch(wild), few).to_pylist()[0]["limits_excess_deg"] is None


def test_long_clips_are_placed_in_blocks_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = changed(FAULTS["a jump of the root"][0])
    (whole,) = measured(MotionMeasure(), clip)
    monkeypatch.setattr("winnowry.operators.motion.kinematics.BLOCK_FRAMES", 7)
    (cut,) = measured(MotionMeasure(), clip)
    assert cut == whole
