"""Cheap measures of pictures against people's ratings: why the variance of the Laplacian is called no quality.

    PYTHONPATH=. python benchmarks/picture_ratings.py [--data shared/data]

Rank correlations (Spearman) with DMOS of LIVE release 2, where higher is worse, of pictures that
``images/live_subset.tar.zst`` holds under Gaussian blur and white noise. Which rating belongs to which picture is
inferred from the order of strength, where an original has as many ratings as pictures; those under JPEG have more, and
are left out. Beside them stand the measures of a machine (``image.resolution``, ``image.stability``), which are about
something else. Without the data nothing is measured.
"""

from __future__ import annotations

import argparse
import csv
import io
import tarfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import zstandard

from benchmarks.real_texts import DATA
from winnowry.operators.media.measure import ImageMeasure
from winnowry.operators.media.piqe import ImagePiqe
from winnowry.operators.media.resolution import ImageResolution
from winnowry.operators.media.stability import ImageStability
from winnowry.operators.scoring.correlation import spearman

FOLDERS = {"gblur": "gblur", "wnoise": "wn"}
"""Folder of the archive to the name of the distortion in the table of ratings."""
COLUMNS = ("sharpness", "noise", "blur", "blockiness", "piqe", "detail_share", "flipped_bits_jpeg")


def ratings(path: Path) -> dict[tuple[str, str], list[float]]:
    """DMOS by distortion and original, from the best to the worst; undistorted copies are left out."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if float(row["score"]) > 0:
                found[row["dis_type"], Path(row["ref_img_path"]).stem].append(float(row["score"]))
    return {key: sorted(scores) for key, scores in found.items()}


def pictures(path: Path) -> dict[str, bytes]:
    """Files of the archive by their names."""
    with path.open("rb") as stored:
        data = zstandard.ZstdDecompressor().stream_reader(stored).read()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        held = ((member.name.removeprefix("./"), archive.extractfile(member)) for member in archive)
        return {name: file.read() for name, file in held if file is not None}


def measured(files: list[bytes]) -> list[dict[str, Any]]:
    """Every column of the four operators."""
    batch = pa.record_batch({"payload": pa.array(files, pa.large_binary())})
    every = ImageMeasure(min_side=None, max_aspect=None, min_entropy=None)
    operators = (every, ImagePiqe(), ImageResolution(), ImageStability())
    tables = [operator.apply(batch).to_pylist() for operator in operators]
    return [{name: value for row in rows for name, value in row.items()} for rows in zip(*tables, strict=True)]


def rated(files: dict[str, bytes], scores: dict[tuple[str, str], list[float]]) -> list[tuple[str, bytes, float]]:
    """Distortion, file and rating of the pictures whose rating can be inferred."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in files:
        folder, stem = Path(name).parent.name, Path(name).stem
        if folder in FOLDERS:
            groups[folder, stem.rpartition("_")[0]].append(name)
    found = []
    for (folder, original), names in sorted(groups.items()):
        known = scores.get((FOLDERS[folder], original), [])
        ordered = sorted(names, key=lambda name: strength(files[name], files[f"ref_images/{original}.bmp"]))
        if len(known) == len(ordered):
            found += [(folder, files[name], score) for name, score in zip(ordered, known, strict=True)]
    return found


def strength(picture: bytes, original: bytes) -> float:
    """Mean squared error against the original."""
    import numpy as np
    from PIL import Image

    planes = [np.asarray(Image.open(io.BytesIO(data)).convert("L"), np.float64) for data in (picture, original)]
    if planes[0].shape != planes[1].shape:
        return float("inf")
    return float(np.square(planes[0] - planes[1]).mean())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with images/")
    folder = parser.parse_args().data / "images"
    archive, table = folder / "live_subset.tar.zst", folder / "mos_LIVE.csv"
    if not (archive.exists() and table.exists()):
        print(f"no {archive.name} and {table.name} in {folder}: nothing to measure")
        return
    sample = rated(pictures(archive), ratings(table))
    rows = measured([file for _, file, _ in sample])
    print(f"Spearman with DMOS (higher is worse), {len(sample)} pictures\n")
    print("| measure | " + " | ".join((*FOLDERS, "all")) + " |")
    print("| --- |" + " ---: |" * (len(FOLDERS) + 1))
    for column in COLUMNS:
        cells = []
        for wanted in (*FOLDERS, None):
            chosen = [
                (row[column], score)
                for row, (kind, _, score) in zip(rows, sample, strict=True)
                if wanted in (kind, None)
            ]
            value = spearman(*zip(*((float("nan") if a is None else a, b) for a, b in chosen), strict=True))
            cells.append("–" if value is None else f"{value:+.2f}")
        print(f"| `{column}` | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
