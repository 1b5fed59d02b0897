"""Draw 40 small pictures with captions into two shards: python draw_shards.py ROOT."""

import io
import json
import sys
import tarfile
from pathlib import Path

from PIL import Image, ImageDraw

COLOURS = {"red": (200, 40, 40), "green": (40, 150, 60), "blue": (50, 70, 200), "yellow": (230, 200, 40)}
SHAPES = ("circle", "square")
PLACES = ("on the left", "in the middle", "on the right", "near the top", "at the bottom")
BROKEN, TERSE, SILENT = 7, 18, 29  # a file that is cut off, a caption of one word, no caption at all


def picture(colour: str, shape: str, place: int) -> bytes:
    """A JPEG of one shape on grey."""
    image = Image.new("RGB", (224, 160), (225, 225, 220))
    x, y = ((30, 60), (90, 60), (150, 60), (90, 10), (90, 110))[place]
    drawn = ImageDraw.Draw(image)
    (drawn.ellipse if shape == "circle" else drawn.rectangle)((x, y, x + 40, y + 40), COLOURS[colour])
    written = io.BytesIO()
    image.save(written, "JPEG", quality=90)
    return written.getvalue()


def add(shard: tarfile.TarFile, name: str, data: bytes) -> None:
    """Add a file to a shard."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    shard.addfile(info, io.BytesIO(data))


folder = Path(sys.argv[1]) / "landing/drawings"
folder.mkdir(parents=True, exist_ok=True)
drawings = [(colour, shape, place) for colour in COLOURS for shape in SHAPES for place in range(len(PLACES))]
for number in range(2):
    with tarfile.open(folder / f"{number:05}.tar", "w") as shard:
        for index, (colour, shape, place) in list(enumerate(drawings))[number::2]:
            caption = f"A {colour} {shape} {PLACES[place]} of a light grey picture."
            data = picture(colour, shape, place)
            add(shard, f"{index:05}.jpg", data[:300] if index == BROKEN else data)
            if index != SILENT:
                add(shard, f"{index:05}.txt", (shape if index == TERSE else caption).encode())
            add(shard, f"{index:05}.json", json.dumps({"colour": colour, "shape": shape}).encode())
