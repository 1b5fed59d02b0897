"""Write clips of two people who march on the spot, in BVH; two of the clips have faults, and one file is cut."""

from __future__ import annotations

import math
import sys
from pathlib import Path

JOINTS = """\
HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Spine
  {
    OFFSET 0 30 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT Head
    {
      OFFSET 0 40 0
      CHANNELS 3 Zrotation Xrotation Yrotation
      End Site
      {
        OFFSET 0 20 0
      }
    }
    JOINT LeftArm
    {
      OFFSET 20 30 0
      CHANNELS 3 Zrotation Xrotation Yrotation
      End Site
      {
        OFFSET 60 0 0
      }
    }
    JOINT RightArm
    {
      OFFSET -20 30 0
      CHANNELS 3 Zrotation Xrotation Yrotation
      End Site
      {
        OFFSET -60 0 0
      }
    }
  }
  JOINT LeftUpLeg
  {
    OFFSET 10 0 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT LeftFoot
    {
      OFFSET 0 -80 0
      CHANNELS 3 Zrotation Xrotation Yrotation
      End Site
      {
        OFFSET 0 0 15
      }
    }
  }
  JOINT RightUpLeg
  {
    OFFSET -10 0 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT RightFoot
    {
      OFFSET 0 -80 0
      CHANNELS 3 Zrotation Xrotation Yrotation
      End Site
      {
        OFFSET 0 0 15
      }
    }
  }
}
"""
FPS = 30


def frame(second: float, swing: float) -> list[float]:
    """The channels of a moment: the thighs rise in turn, the arms hang and swing, the head looks about."""
    wave = math.sin(2 * math.pi * 0.8 * second)
    legs = (swing * max(0.0, wave), -swing * max(0.0, -wave))
    look = 10 * math.sin(2 * math.pi * 0.3 * second)
    root, spine, head = [0.0, 80.0, 0.0, 0.0, 0.0, 0.0], [0.0] * 3, [0.0, 0.0, look]
    arms = [-75 + swing / 4 * wave, 0.0, 0.0, 75 + swing / 4 * wave, 0.0, 0.0]
    return [*root, *spine, *head, *arms, 0.0, legs[0], 0.0, *[0.0] * 3, 0.0, legs[1], 0.0, *[0.0] * 3]


def bvh(frames: list[list[float]]) -> str:
    """A file of frames."""
    lines = [JOINTS + "MOTION", f"Frames: {len(frames)}", f"Frame Time: {1 / FPS!r}"]
    return "\n".join([*lines, *(" ".join(map(repr, row)) for row in frames)]) + "\n"


def main(lake: Path) -> None:
    """Write the landing files below a folder."""
    for number, who in enumerate(("anna", "ben")):
        folder = lake / "landing" / "motion" / who
        folder.mkdir(parents=True, exist_ok=True)
        for take in range(5):
            swing = 18 + 3 * number + take
            frames = [frame((second + 7 * take) / FPS, swing) for second in range(150)]
            if (who, take) == ("anna", 3):  # the system lost her: the root jumps half a metre
                frames = [[row[0] + 50 * (at >= 75), *row[1:]] for at, row in enumerate(frames)]
            if (who, take) == ("ben", 2):  # the system stood still for a second
                frames = [frames[60] if 60 <= at < 90 else row for at, row in enumerate(frames)]
            (folder / f"march_{take}.bvh").write_text(bvh(frames))
    cut = bvh([frame(second / FPS, 20) for second in range(150)])
    (lake / "landing" / "motion" / "ben" / "cut.bvh").write_text(cut[: len(cut) // 2])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
