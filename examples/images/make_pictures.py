"""Make 24 small pictures in two folders: python make_pictures.py ROOT."""

import random
import sys
from pathlib import Path

from PIL import Image

for index in range(24):
    folder = Path(sys.argv[1]) / "landing/pictures" / ("day", "night")[index % 2]
    folder.mkdir(parents=True, exist_ok=True)
    size = (40 + 8 * (index % 5), 30 + 6 * (index % 3))
    noise = Image.frombytes("RGB", size, random.Random(index).randbytes(3 * size[0] * size[1]))
    noise.save(folder / f"{index:02}.png")
