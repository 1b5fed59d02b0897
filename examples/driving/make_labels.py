"""Make labels of two drives, five tracks of them wrong: python make_labels.py ROOT."""

import math
import random
import sys
from pathlib import Path

FRAMES, TRACKS = 20, 24
WIDTH, HEIGHT = 1242, 375
FOCAL, MIDDLE_X, MIDDLE_Y = 721.5, 609.6, 172.9
SIZES = {"Car": (1.5, 1.6, 4.0), "Pedestrian": (1.75, 0.65, 0.8)}  # height, width, length in metres


def row(frame, track, name, size, place, turn, shift=0.0):
    """A row of KITTI: a box that stands on the road, and its corners as the camera sees them."""
    (h, w, length), (x, y, z) = size, place
    us, vs = [], []
    for along in (-length / 2, length / 2):
        for across in (-w / 2, w / 2):
            depth = z - math.sin(turn) * along + math.cos(turn) * across
            us += [MIDDLE_X + FOCAL * (x + math.cos(turn) * along + math.sin(turn) * across) / depth] * 2
            vs += [MIDDLE_Y + FOCAL * height / depth for height in (y - h, y)]
    left, right = (min(max(edge(us) + shift, 0), WIDTH - 1) for edge in (min, max))
    top, bottom = (min(max(edge(vs), 0), HEIGHT - 1) for edge in (min, max))
    alpha = (turn - math.atan2(x, z) + math.pi) % (2 * math.pi) - math.pi
    numbers = (alpha, left, top, right, bottom, h, w, length, x, y, z, turn)
    return f"{frame} {track} {name} 0 0 " + " ".join(f"{number:.6f}" for number in numbers)


draw = random.Random(7)
landing = Path(sys.argv[1]) / "landing/driving"
for folder in ("label_02", "calib"):
    (landing / folder).mkdir(parents=True, exist_ok=True)
for drive in ("0000", "0001"):
    rows = []
    for track in range(TRACKS):
        name = "Pedestrian" if track % 4 == 3 else "Car"
        size = tuple(side * draw.uniform(0.95, 1.05) for side in SIZES[name])
        x, z, turn = draw.uniform(-6, 6), draw.uniform(18, 40), draw.uniform(-3, 3)
        for frame in range(FRAMES):
            made = {"size": size, "place": (x, 1.7, z + 0.5 * frame), "turn": turn, "name": name}
            if drive == "0000" and frame == 10:  # one fault in each of five tracks
                made |= (
                    [
                        {"size": (size[2], size[1], size[0])},  # height and length changed places
                        {"place": (x, 1.7, z + 12)},  # somewhere else
                        {"turn": turn + math.pi},
                        {"name": "Van"},
                        {"shift": 60.0},  # the box in the picture beside the car
                    ][track]
                    if track < 5
                    else {}
                )
            rows.append(row(frame, track, **made))
        rows.append(f"0 -1 DontCare -1 -1 -10 {' '.join(['1 2 30 40', *['-1'] * 3, *['-1000'] * 3, '-10'])}")
    rows.append(f"{FRAMES} 99 Car 0 0")  # a row that was cut
    (landing / f"label_02/{drive}.txt").write_text("\n".join(rows) + "\n")
    matrix = (FOCAL, 0, MIDDLE_X, 0, 0, FOCAL, MIDDLE_Y, 0, 0, 0, 1, 0)
    (landing / f"calib/{drive}.txt").write_text(f"P2: {' '.join(map(str, matrix))}\n")
