"""Measures of pictures on one decoding: CPU seconds beside decoding alone, and beside measures that each decode.

    PYTHONPATH=. python benchmarks/media.py [--pictures 40] [--rounds 3]

All sides see the same files in this process, in turn; the first round warms up and does not count. ``limit`` decodes
to RGB with the fastest of the libraries and nothing else. ``fused`` is ``image.measure`` as a chain runs it. ``apart``
makes the same columns with a decoding for tones, detail, colour, hash, thumbnail and facts each. Printed are pictures a
CPU second, and the ratios.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import simplejpeg
from PIL import Image

from tests.pictures import saved, scene
from winnowry.engine.chain import run_chain
from winnowry.operators.media import measure
from winnowry.operators.media.measure import ImageMeasure
from winnowry.operators.media.perceptual_hash import perceptual_hash
from winnowry.operators.media.pictures import Pixels, decode_picture
from winnowry.operators.media.piqe import ImagePiqe

SIZES = {"0.26 Mpx": (512, 512), "1.9 Mpx": (1200, 1600)}
FORMATS = {"JPEG": {"quality": 90}, "WEBP": {"quality": 90}, "PNG": {}}


def limit(data: bytes) -> None:
    """Decoding alone."""
    if data.startswith(b"\xff\xd8"):
        simplejpeg.decode_jpeg(data, "RGB")
    else:
        np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def apart(data: bytes) -> None:
    """A decoding for each group of columns."""
    steps: list[Callable[[Pixels], object]] = [
        lambda p: measure._of_tones(p.small_luma),
        lambda p: measure._of_detail(p.small_luma, measure._native_middle(p)),
        lambda p: measure._colour(p.small),
        lambda p: perceptual_hash(p.small_luma),
        lambda p: measure._thumbnail(p.small),
        lambda p: p.facts,
    ]
    for step in steps:
        decode_picture(data, [step])


def chain(*operators: object) -> Callable[[list[bytes]], None]:
    """All files through operators, as a stage does it."""

    def run(files: list[bytes]) -> None:
        batch = pa.record_batch(
            {"record_id": [str(n) for n in range(len(files))], "payload": pa.array(files, pa.large_binary())}
        )
        run_chain(list(operators), batch)  # type: ignore[arg-type]

    return run


def each(function: Callable[[bytes], None]) -> Callable[[list[bytes]], None]:
    """All files one by one."""
    return lambda files: [function(data) for data in files] and None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    sides = {
        "limit": each(limit),
        "fused": chain(ImageMeasure()),
        "apart": each(apart),
        "with piqe": chain(ImageMeasure(), ImagePiqe()),
    }
    for size, (height, width) in SIZES.items():
        shown = [scene(seed, height, width) for seed in range(min(options.pictures, 8))]
        for form, how in FORMATS.items():
            files = [saved(picture, form, **how) for picture in shown]
            files = (files * options.pictures)[: options.pictures]
            spent = dict.fromkeys(sides, 0.0)
            for number in range(options.rounds + 1):
                for name, side in sides.items():
                    started = time.process_time()
                    side(files)
                    spent[name] += (time.process_time() - started) * bool(number)
            speed = {name: len(files) * options.rounds / seconds for name, seconds in spent.items()}
            shown_speed = ", ".join(f"{name} {value:.0f}" for name, value in speed.items())
            print(
                f"{size} {form}: {shown_speed} a CPU second; fused {speed['fused'] / speed['limit']:.2f} of the "
                f"limit, {speed['fused'] / speed['apart']:.1f} times apart"
            )


if __name__ == "__main__":
    main()
