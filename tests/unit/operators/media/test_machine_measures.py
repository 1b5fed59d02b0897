"""What a machine gets out of a picture: the size it can be restored from, and a hash that stays when it is copied."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("PIL")
pytest.importorskip("simplejpeg")
pytest.importorskip("pi_heif")

from PIL import Image

from tests.pictures import saved, scene, turned
from winnowry.engine.chain import run_chain
from winnowry.operators.base import Operator
from winnowry.operators.media.measure import ImageMeasure
from winnowry.operators.media.resolution import ImageResolution, detail_share
from winnowry.operators.media.stability import ImageStability


def rows(operator: Operator, *files: bytes | None) -> list[dict[str, Any]]:
    batch = pa.record_batch({"payload": pa.array(files, pa.large_binary())})
    written: list[dict[str, Any]] = operator.apply(batch).to_pylist()
    return written


def hashed(*files: bytes) -> list[int]:
    return [int(row["phash"], 16) for row in rows(ImageMeasure(), *files)]


@pytest.mark.parametrize("seed", range(3))
def test_flipped_bits_are_those_between_the_hashes_of_the_picture_and_of_its_copies(seed: int) -> None:
    # The copies by Pillow: JPEG as it writes it, and means of 2 x 2 pixels.
    picture = Image.fromarray(scene(seed, 300, 400))
    compressed = saved(picture, "JPEG", quality=75)
    halved = saved(picture.resize((200, 150), Image.Resampling.BOX), "PNG")
    original, *copies = hashed(saved(picture, "PNG"), compressed, halved)
    expected = [(original ^ copy).bit_count() for copy in copies]
    (row,) = rows(ImageStability(), saved(picture, "PNG"))
    assert [row["flipped_bits_jpeg"], row["flipped_bits_half"]] == expected


def waves(grey_levels: float) -> bytes:
    """Sixty waves of one height."""
    y, x = np.mgrid[:256, :256]
    shown, rng = np.full((256, 256), 128.0), np.random.default_rng(3)
    for _ in range(60):
        across, down = rng.uniform(0.01, 0.2, 2)
        shown += grey_levels * np.sin(across * x + down * y + rng.uniform(0, 6.3))
    return saved(np.rint(shown).astype(np.uint8), "PNG")


def test_a_faint_picture_flips_more_bits_than_the_same_in_full_contrast() -> None:
    faint, clear = rows(ImageStability(), waves(0.35), waves(5))
    assert faint["flipped_bits_jpeg"] > clear["flipped_bits_jpeg"] == 0


def test_a_turned_picture_is_as_stable_as_it_is_upright_and_what_is_none_is_null() -> None:
    shown = scene(4, 160, 240)
    upright, on_its_side, grey = rows(
        ImageStability(), saved(shown, "PNG"), turned(shown, 6, "PNG"), saved(shown[..., 0], "PNG")
    )
    assert abs(upright["flipped_bits_half"] - on_its_side["flipped_bits_half"]) <= 2
    assert grey["flipped_bits_jpeg"] is not None
    none = {"flipped_bits_jpeg": None, "flipped_bits_half": None}
    flat = saved(np.full((64, 64), 7, np.uint8), "PNG")
    assert rows(ImageStability(), None, b"<html>", saved(shown, "JPEG")[:900], flat) == [none] * 4


@pytest.mark.parametrize("blur_px", [1.0, 2.0, 3.0])
def test_the_share_is_the_frequency_beyond_which_a_blurred_noise_has_an_error_of_forty_decibels(blur_px: float) -> None:
    # White noise of 60 grey levels under a Gaussian has 60²/(4 pi s²) exp(-4 pi² s² f²) beyond the frequency f.
    gaussian = pytest.importorskip("scipy.ndimage").gaussian_filter
    noise = np.random.default_rng(0).normal(0, 60, (512, 512))
    plane = np.rint(gaussian(noise, blur_px, mode="wrap") + 128).clip(0, 255).astype(np.uint8)
    lost = 255**2 / 10**4
    f = math.sqrt(math.log(60**2 / (4 * math.pi * blur_px**2) / lost)) / (2 * math.pi * blur_px)
    assert detail_share(plane) == pytest.approx(2 * f, abs=0.02)


def photograph(height: int, width: int, seed: int = 0) -> Image.Image:
    """The spectrum of photographs: amplitude falls as one over frequency (Field 1987)."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    frequency[0, 0] = np.inf
    waves = np.fft.fft2(np.random.default_rng(seed).normal(0, 1, (height, width))) / frequency
    shown = np.fft.ifft2(waves).real
    return Image.fromarray(np.rint(128 + 25 * shown / shown.std()).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("quality", [None, 95])
@pytest.mark.parametrize("times", [2, 4])
def test_an_enlarged_picture_is_about_as_large_as_it_was_also_as_jpeg(times: int, quality: int | None) -> None:
    small = photograph(200, 240)
    large = small.resize((240 * times, 200 * times), Image.Resampling.BICUBIC)
    stored = saved(large, "PNG") if quality is None else saved(large, "JPEG", quality=quality)
    own, enlarged = (row["effective_min_side"] for row in rows(ImageResolution(), saved(small, "PNG"), stored))
    assert own >= 0.7 * 200
    assert enlarged == pytest.approx(own, rel=0.3)


def test_what_is_flat_tiny_or_no_picture_has_no_detail_or_none_that_is_known() -> None:
    flat, tiny, none = rows(
        ImageResolution(), saved(np.full((64, 90), 9, np.uint8), "PNG"), saved(scene(0, 31, 90), "PNG"), b"<html>"
    )
    assert flat == {"detail_share": 0.0, "effective_min_side": 0}
    assert tiny == none == {"detail_share": None, "effective_min_side": None}


def test_a_picture_is_decoded_once_for_both_and_their_limits_are_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    from winnowry.operators.media import pictures

    decoded: list[bytes] = []
    decode = pictures.decode_picture

    def watched(data: bytes, reductions: Any) -> Any:
        decoded.append(data)
        return decode(data, reductions)

    monkeypatch.setattr(pictures, "decode_picture", watched)
    soft = photograph(100, 120).resize((480, 400), Image.Resampling.BICUBIC)
    files = [saved(photograph(300, 300), "PNG"), saved(soft, "PNG")]
    batch = pa.record_batch({"record_id": ["sharp", "soft"], "payload": pa.array(files, pa.large_binary())})
    outcome = run_chain([ImageResolution(min_effective_side=150), ImageStability(max_flipped_bits=64)], batch)
    assert decoded == files
    assert outcome.kept["record_id"].to_pylist() == ["sharp"]
