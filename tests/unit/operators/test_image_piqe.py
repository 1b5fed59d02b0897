"""``image.piqe`` computes what the reference implementation computes, and rises with distortion."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("PIL")
pytest.importorskip("simplejpeg")
pytest.importorskip("pi_heif")

from PIL import Image, ImageFilter

from tests.pictures import saved, scene, turned
from winnowry.engine.chain import run_chain
from winnowry.operators.media import pictures
from winnowry.operators.media.kernels.piqe import piqe
from winnowry.operators.media.measure import ImageMeasure
from winnowry.operators.media.piqe import ImagePiqe


def scores(*files: bytes | None) -> list[float | None]:
    batch = pa.record_batch({"payload": pa.array(files, pa.large_binary())})
    values: list[float | None] = ImagePiqe().apply(batch)["piqe"].to_pylist()
    return values


@pytest.mark.parametrize("size", [(16, 16), (17, 33), (5, 5), (1, 40), (100, 61), (240, 321)])
def test_it_equals_the_reference_implementation(size: tuple[int, int]) -> None:
    reference = pytest.importorskip("pypiqe").piqe
    rng = np.random.default_rng(size[0])
    waves = 128 + 60 * np.sin(np.arange(size[1]) / 5)[None]
    for kind in (
        rng.integers(0, 256, size),
        waves + rng.normal(0, 4, size),
        waves + rng.normal(0, 12, size),
        (waves + rng.normal(0, 12, size)) // 16 * 16,
        np.where(np.arange(size[1]) < size[1] // 2, 30, 90) + rng.normal(0, 2, size),  # none is white: it is stretched
    ):
        luma = np.clip(kind, 0, 255).astype(np.uint8)
        assert piqe(luma) == pytest.approx(reference(luma)[0], abs=1e-9)


def test_values_of_the_reference_are_kept_where_it_is_not_installed() -> None:
    # From pypiqe 1.2, which gives MATLAB's values for five pictures of TID2013 (100, 21.62, 35.86, 41.15, 76.95).
    y, x = np.mgrid[:96, :112]
    waves = 128 + 50 * np.sin(x / 4 + y / 9) + 30 * np.cos(x * y / 300)
    coarse = waves // 24 * 24
    values = [piqe(plane.astype(np.uint8)) for plane in (waves, coarse, np.zeros((40, 40)), np.full((40, 40), 9))]
    assert values == pytest.approx([100.000000, 38.341908, 100, 100], abs=1e-5)


def test_it_rises_with_noise_blur_and_compression() -> None:
    image = Image.fromarray(scene(2, 320, 400))
    noise = np.random.default_rng(0).normal(0, 1, (320, 400, 3))
    for files in (
        [saved((np.asarray(image) + noise * sigma).clip(0, 255).astype(np.uint8), "PNG") for sigma in (4, 10, 25)],
        [saved(image, "JPEG", quality=quality) for quality in (60, 20, 5)],
    ):
        values: list[Any] = scores(*files)
        assert values == sorted(values)
        assert values[-1] > values[0]
    soft = scores(saved(image, "PNG"), saved(image.filter(ImageFilter.GaussianBlur(4)), "PNG"))
    assert soft[1] != soft[0]


def test_a_picture_is_judged_as_it_is_shown_and_a_broken_one_not_at_all() -> None:
    shown = scene(4, 170, 230)
    upright, stored_turned = scores(saved(shown, "PNG"), turned(shown, 6, "PNG"))
    assert stored_turned == upright
    assert scores(None, b"", b"<html>", saved(shown, "JPEG")[:900]) == [None] * 4


def test_beside_image_measure_nothing_is_decoded_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []
    decode = pictures.decode_picture

    def watched(data: bytes, reductions: Any) -> Any:
        decoded.append(data)
        return decode(data, reductions)

    monkeypatch.setattr(pictures, "decode_picture", watched)
    files = [saved(scene(seed), "PNG") for seed in range(3)]
    batch = pa.record_batch({"record_id": ["a", "b", "c"], "payload": pa.array(files, pa.large_binary())})
    outcome = run_chain([ImageMeasure(), ImagePiqe(max_piqe=100)], batch)
    assert decoded == files
    assert outcome.kept["piqe"].to_pylist() == scores(*files)
