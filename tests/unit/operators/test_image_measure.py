"""``image.measure``: pictures as they are shown, damage told from wholeness, and measures that others agree with."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("PIL")
pytest.importorskip("simplejpeg")
pytest.importorskip("pi_heif")

from PIL import Image, ImageCms, ImageFilter

from tests.pictures import gif, png, quadrants, saved, scene, turned
from winnowry.engine.chain import run_chain
from winnowry.operators.media.measure import THUMBNAIL_BYTES, ImageMeasure


def measured(*files: bytes | None, **parameters: Any) -> list[dict[str, Any]]:
    batch = pa.record_batch({"payload": pa.array(files, pa.large_binary())})
    return ImageMeasure(**parameters).apply(batch).to_pylist()


def apart(a: str, b: str) -> int:
    return (int(a, 16) ^ int(b, 16)).bit_count()


def bits_apart(*rows: dict[str, Any]) -> int:
    return max(apart(rows[0]["phash"], row["phash"]) for row in rows)


# --- geometry -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("AVIF", {}),
    ],
)
def test_a_picture_that_is_stored_turned_is_measured_as_it_is_shown(form: str, options: dict[str, Any]) -> None:
    if form == "AVIF" and not _writes("AVIF"):
        pytest.skip("this Pillow writes no AVIF")
    rows = measured(*(turned(quadrants(), tag, form, **options) for tag in range(1, 9)))
    upright = measured(saved(quadrants(), "PNG"))[0]
    assert {(row["width"], row["height"], row["min_side"], row["aspect"]) for row in rows} == {(240, 160, 160, 1.5)}
    assert [row["orientation"] or 1 for row in rows] == list(range(1, 9))
    assert all(abs(row["luma_mean"] - 130.25) < 0.5 for row in rows)  # the mean luma of the four colours and the bar
    assert bits_apart(upright, *rows) <= 2
    for row in rows:
        small = np.asarray(Image.open(io.BytesIO(row["thumbnail"])).convert("RGB")).astype(int)
        height, width = small.shape[:2]
        corners = [small[y, x] for y in (height // 3, 3 * height // 4) for x in (width // 3, 3 * width // 4)]
        expected = [(250, 30, 30), (30, 220, 30), (30, 30, 250), (240, 240, 240)]
        assert np.abs(np.array(corners) - expected).max() < 25


def _writes(form: str) -> bool:
    Image.init()
    return form in Image.SAVE


@pytest.mark.parametrize("tag", [0, 9, 65535])
def test_an_orientation_that_is_not_defined_turns_nothing(tag: int) -> None:
    (row,) = measured(turned(quadrants(), tag, "JPEG"))
    assert (row["width"], row["height"], row["orientation"], row["decode_error"]) == (240, 160, tag, None)


def test_damaged_metadata_do_not_keep_a_picture_from_being_measured() -> None:
    whole = turned(quadrants(), 6, "JPEG")
    at = whole.index(b"Exif\0\0") + 6
    (row,) = measured(whole[:at] + b"\xff" * 20 + whole[at + 20 :])
    assert (row["width"], row["height"], row["orientation"]) == (160, 240, None)


# --- colour ---------------------------------------------------------------------------------------------------------

RAMP = np.tile(np.arange(256, dtype=np.uint16), (256, 1))


def _sixteen(values: Any) -> list[bytes]:
    return [row.astype(">u2").tobytes() for row in values]


def test_sixteen_bits_are_scaled_and_never_clipped() -> None:
    wide = (RAMP * 257).astype(np.uint16)
    rows = measured(
        saved(RAMP.astype(np.uint8), "PNG"),
        png(_sixteen(wide), 0, 16, 256, 256),
        png([np.repeat(row, 3).astype(">u2").tobytes() for row in wide], 2, 16, 256, 256),
        saved(Image.fromarray(wide), "TIFF", compression="tiff_deflate"),
        b"P5 256 256 65535\n" + b"".join(_sixteen(wide)),
    )
    assert [row["bit_depth"] for row in rows] == [8, 16, 16, 16, 16]
    assert all(abs(row["luma_mean"] - 127.5) < 0.6 and abs(row["bright"] - 6 / 256) < 0.004 for row in rows)
    assert len({row["phash"] for row in rows}) == 1
    dark, two = measured(
        png(_sixteen(wide >> 4), 0, 16, 256, 256), saved(Image.fromarray(RAMP.astype(np.uint8) >= 128), "PNG")
    )
    assert 7.5 <= dark["luma_mean"] <= 8.0  # 0 … 4095 of 65535: it is dark, and stays so
    assert (two["luma_mean"], two["bit_depth"], two["width"]) == (127.5, 1, 256)
    assert two["phash"] != rows[0]["phash"] != dark["phash"]


def _swapped_profile() -> bytes:
    """A profile by which red and green change places."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile.replace("sRGB".encode("utf-16-be"), "xRGB".encode("utf-16-be"))
    return profile.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")


RED = Image.new("RGB", (64, 48), (255, 0, 0))


@pytest.mark.parametrize(
    ("file", "luma"),
    [
        pytest.param(saved(RED, "PNG"), 76, id="red"),
        pytest.param(saved(RED.convert("CMYK"), "JPEG"), 76, id="inks in a JPEG file"),
        pytest.param(saved(RED.convert("CMYK"), "TIFF"), 76, id="inks in a TIFF file"),
        pytest.param(saved(RED.convert("L"), "JPEG"), 76, id="grey"),
        pytest.param(saved(RED.convert("P"), "PNG"), 76, id="palette"),
        pytest.param(saved(Image.new("RGBA", (64, 48), (0, 0, 0, 0)), "PNG"), 255, id="transparent"),
        pytest.param(saved(Image.new("RGBA", (64, 48), (0, 0, 0, 128)), "PNG"), 127, id="half transparent"),
        pytest.param(saved(Image.new("LA", (64, 48), (0, 0)), "PNG"), 255, id="transparent grey"),
        pytest.param(saved(Image.new("P", (64, 48), 0), "PNG", transparency=0), 255, id="transparent palette"),
        pytest.param(saved(RED, "PNG", transparency=(255, 0, 0)), 255, id="transparent colour"),
        pytest.param(
            saved(Image.new("RGBA", (64, 48), (0, 0, 0, 0)), "WEBP", lossless=True), 255, id="transparent WebP"
        ),
        pytest.param(saved(RED, "PNG", icc_profile=_swapped_profile()), 150, id="profile"),
        pytest.param(saved(RED, "JPEG", quality=95, icc_profile=_swapped_profile()), 150, id="profile of a JPEG file"),
        pytest.param(saved(RED, "PNG", icc_profile=b"no profile" * 20), 76, id="damaged profile"),
        pytest.param(saved(RED, "BMP"), 76, id="BMP"),
        pytest.param(saved(RED, "PPM"), 76, id="PPM"),
        pytest.param(saved(Image.fromarray(np.full((9, 9), 0.5, np.float32)), "TIFF"), 128, id="fractions"),
    ],
)
def test_colours_are_those_that_are_shown(file: bytes, luma: float) -> None:
    (row,) = measured(file)
    assert row["decode_error"] is None
    assert row["luma_mean"] == pytest.approx(luma, abs=1.6)


# --- whole and damaged ----------------------------------------------------------------------------------------------


def test_every_format_cut_at_every_tenth_is_told_from_the_whole_file() -> None:
    first, second = Image.fromarray(scene(1)), Image.fromarray(scene(2))
    animation = {"save_all": True, "append_images": [second], "duration": 100}
    whole = {
        "JPEG": saved(first, "JPEG"), "progressive": saved(first, "JPEG", progressive=True),
        "inks": saved(first.convert("CMYK"), "JPEG"), "grey": saved(first.convert("L"), "JPEG"),
        "PNG": saved(first, "PNG"), "WebP": saved(first, "WEBP"), "lossless WebP": saved(first, "WEBP", lossless=True),
        "GIF": saved(first, "GIF"), "TIFF": saved(first, "TIFF"),
        "packed TIFF": saved(first, "TIFF", compression="tiff_lzw"),
        "BMP": saved(first, "BMP"), "PPM": saved(first, "PPM"), "animated GIF": saved(first, "GIF", **animation),
        "animated PNG": saved(first, "PNG", **animation), "animated WebP": saved(first, "WEBP", **animation),
    }  # fmt: skip
    cut = {(form, tenth): data[: len(data) * tenth // 10] for form, data in whole.items() for tenth in range(1, 10)}
    rows = dict(zip([*whole, *cut], measured(*whole.values(), *cut.values()), strict=True))
    assert {name: row["decode_error"] for name, row in rows.items() if name in whole} == dict.fromkeys(whole)
    assert [name for name in cut if rows[name]["decode_error"] is None] == []
    assert all(rows[form]["n_frames"] == 1 + form.startswith("animated") for form in whole)


PHOTO = saved(scene(5), "JPEG", quality=45)
SCANS = saved(scene(5), "JPEG", quality=45, progressive=True)
PALETTE = saved(Image.fromarray(scene(5)).quantize(16), "PNG")


def _at(data: bytes, marker: bytes, number: int) -> int:
    at = -1
    for _ in range(number):
        at = data.index(marker, at + 1)
    return at


@pytest.mark.parametrize(
    ("file", "warning"),
    [
        pytest.param(PHOTO, None, id="whole"),
        pytest.param(PHOTO + bytes(3), None, id="padded"),
        pytest.param(PHOTO + b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + bytes(2000), None, id="a film behind it"),
        pytest.param(PHOTO + PHOTO, None, id="two pictures"),
        pytest.param(SCANS, None, id="all scans"),
        pytest.param(PHOTO[:-2], "end mark missing", id="no end mark"),
        pytest.param(PHOTO[:-2] + bytes(3) + PHOTO[-2:], None, id="stray bytes"),
        pytest.param(PALETTE, None, id="PNG"),
        pytest.param(PALETTE + b"junk", None, id="PNG with junk behind it"),
        pytest.param(PALETTE[:-12], "end mark missing", id="PNG without end"),
        pytest.param(gif((0, 0, 9, 9, 1))[:-1], "end mark missing", id="GIF without end"),
    ],
)
def test_a_file_all_of_whose_pixels_are_there_is_kept(file: bytes, warning: str | None) -> None:
    (row,) = measured(file)
    assert row["decode_error"] is None
    assert (row["decode_warning"] or "").endswith(warning or "")
    assert bool(row["decode_warning"]) == (warning is not None)


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        pytest.param(None, "no bytes", id="null"),
        pytest.param(b"", "no bytes", id="empty"),
        pytest.param(b"<!doctype html><title>404</title>", "no picture of a known format", id="a page"),
        pytest.param(PHOTO[: len(PHOTO) // 2] + b"\xff\xd9", "truncated", id="cut, then closed"),
        pytest.param(PHOTO[: len(PHOTO) // 2] + b"\xff\xd9" + PHOTO[-400:], "truncated", id="cut, with a proper end"),
        pytest.param(SCANS[: _at(SCANS, b"\xff\xda", 2)] + b"\xff\xd9", "last scans", id="the first of its scans"),
        pytest.param(SCANS[: _at(SCANS, b"\xff\xda", 4)] + b"\xff\xd9", "last scans", id="three of its scans"),
        pytest.param(PALETTE[:-40] + b"\0" + PALETTE[-39:], "wrong checksum", id="PNG with another byte"),
        pytest.param(PHOTO[:2] + PHOTO[-2:] + bytes(60), "without a frame", id="JPEG without a frame"),
        pytest.param(png([b""], 2, 8, 100_000, 100_000), "more than 100,000,000", id="a bomb in a PNG file"),
        pytest.param(
            PHOTO[: _at(PHOTO, b"\xff\xc0", 1) + 5] + b"\xff\xdc\xff\xdc" + PHOTO[_at(PHOTO, b"\xff\xc0", 1) + 9 :],
            "65500×65500 is 4,290,250,000 pixels, more than 100,000,000",
            id="a bomb in a JPEG file",
        ),
    ],
)
def test_a_file_that_is_no_whole_picture_has_a_reason_and_no_measures(file: bytes | None, reason: str) -> None:
    (row,) = measured(file)
    assert reason in row.pop("decode_error")
    assert set(row.values()) == {None}


def test_flipped_bits_are_refused_or_measured_and_never_crash() -> None:
    rng = np.random.default_rng(1)
    files = []
    for whole in (PHOTO, PALETTE, saved(scene(1), "WEBP"), gif((0, 0, 20, 20, 1)), saved(scene(1), "TIFF")):
        for _ in range(12):
            damaged = bytearray(whole)
            for at in rng.integers(0, len(whole), 4).tolist():
                damaged[at] ^= 1 << int(rng.integers(0, 8))
            files.append(bytes(damaged))
    rows = measured(*files)
    assert all((row["decode_error"] is None) == (row["width"] is not None) for row in rows)
    assert not any(row["decode_error"] == "" for row in rows)
    assert all(row["decode_error"] for row in rows[12:24])  # PNG has checksums


# --- animations -----------------------------------------------------------------------------------------------------


def test_of_an_animation_the_first_frame_that_is_shown_is_measured_on_its_canvas() -> None:
    first = np.full((200, 240, 3), 255, np.uint8)
    first[80:120, 100:140] = 220, 30, 30
    second = first.copy()
    second[:60, :60] = 30, 30, 220
    a, b = Image.fromarray(first), Image.fromarray(second)
    files = {
        "small first": gif((100, 80, 40, 40, 1), (0, 0, 60, 60, 2)),
        "PNG": saved(a, "PNG", save_all=True, append_images=[b], duration=100),
        "WebP": saved(a, "WEBP", save_all=True, append_images=[b], lossless=True, duration=100),
        "hidden default": saved(
            Image.new("RGB", (240, 200)), "PNG", save_all=True, append_images=[a, b], default_image=True, duration=100
        ),
        "still": saved(a, "PNG"),
        "still WebP": saved(a, "WEBP", lossless=True),
        "many": gif(*((k % 230, k % 190, 2, 2, 1 + k % 2) for k in range(300))),
        "half": gif((0, 0, 240, 100, 1)),
    }
    rows = dict(zip(files, measured(*files.values()), strict=True))
    assert {(row["width"], row["height"]) for row in rows.values()} == {(240, 200)}
    assert {name: row["n_frames"] for name, row in rows.items()} == {
        "small first": 2, "PNG": 2, "WebP": 2, "hidden default": 2, "still": 1, "still WebP": 1, "many": 300, "half": 1,
    }  # fmt: skip
    # A red square of 40 × 40, luma 87, on white: 255 - 168 / 30.
    alike = [rows[name] for name in files if name not in ("many", "half")]
    assert all(row["luma_mean"] == pytest.approx(249.4, abs=0.3) for row in alike)
    assert bits_apart(*alike) == 0
    assert rows["many"]["luma_mean"] == pytest.approx(255, abs=0.1)
    assert rows["half"]["luma_mean"] == pytest.approx((87 + 255) / 2, abs=0.5)
    batch = pa.record_batch({"record_id": list(files), "payload": pa.array(files.values(), pa.large_binary())})
    outcome = run_chain([ImageMeasure(min_entropy=None, max_frames=1)], batch)
    assert outcome.kept.column("record_id").to_pylist() == ["still", "still WebP", "half"]


# --- hash -----------------------------------------------------------------------------------------------------------


def test_pictures_without_structure_have_no_hash_and_those_with_little_have_their_own() -> None:
    flat = [np.full((256, 256, 3), colour, np.uint8) for colour in ((200, 0, 0), (0, 0, 254), (255,) * 3, (0,) * 3)]
    rng = np.random.default_rng(0)
    grain = (200 + rng.normal(0, 3, (256, 256))).clip(0, 255).astype(np.uint8)
    assert {row["phash"] for row in measured(*(saved(picture, "PNG") for picture in (*flat, grain)))} == {None}
    halves = np.where(np.arange(256) < 128, 200, 40).astype(np.uint8)
    ramp = np.arange(256, dtype=np.uint8)
    little = [np.tile(row, (256, 1)) for row in (halves, halves[::-1], halves // 2, ramp, ramp[::-1], ramp // 2)]
    little += [picture.T for picture in little]
    pale = [row["phash"] for row in measured(*(saved(np.ascontiguousarray(p // 16 + 90), "PNG") for p in little))]
    assert len(set(pale) - {None}) == len([value for value in pale if value is not None])
    hashes = [row["phash"] for row in measured(*(saved(np.ascontiguousarray(p), "PNG") for p in little))]
    assert min(apart(a, b) for at, a in enumerate(hashes) for b in hashes[:at]) > 11


def test_copies_share_most_bits_of_their_hash_and_other_pictures_do_not() -> None:
    pictures = [scene(seed, 300, 400) for seed in range(12)]
    images = [Image.fromarray(picture) for picture in pictures]
    noise = np.random.default_rng(2)
    edits = {
        "original": [saved(image, "PNG") for image in images],
        "JPEG": [saved(image, "JPEG", quality=50) for image in images],
        "half": [saved(image.resize((200, 150), Image.Resampling.BOX), "PNG") for image in images],
        "blur": [saved(image.filter(ImageFilter.GaussianBlur(2)), "PNG") for image in images],
        "noise": [saved((p + noise.normal(0, 15, p.shape)).clip(0, 255).astype(np.uint8), "PNG") for p in pictures],
        "grey": [saved(image.convert("L"), "PNG") for image in images],
    }
    hashes = {name: [row["phash"] for row in measured(*files)] for name, files in edits.items()}
    copies = [apart(a, b) for name in edits for a, b in zip(hashes["original"], hashes[name], strict=True)]
    others = [apart(a, b) for at, a in enumerate(hashes["original"]) for b in hashes["original"][:at]]
    assert max(copies) <= 7
    assert min(others) > 11


def test_the_hash_is_nearly_that_of_imagehash() -> None:
    imagehash = pytest.importorskip("imagehash")
    pictures = [Image.fromarray(scene(seed)) for seed in range(8)]
    rows = measured(*(saved(picture, "PNG") for picture in pictures))
    theirs = [str(imagehash.phash(picture)) for picture in pictures]
    assert max(apart(row["phash"], other) for row, other in zip(rows, theirs, strict=True)) <= 6


# --- measures -------------------------------------------------------------------------------------------------------


def test_measures_are_those_of_their_formulas() -> None:
    picture = scene(3)
    (row,) = measured(saved(picture, "PNG"))
    red, green, blue = (picture[..., n].astype(np.float64) for n in range(3))
    luma = np.floor((19595 * red + 38470 * green + 7471 * blue + 32768) / 65536)
    assert row["luma_mean"] == pytest.approx(luma.mean())
    assert row["luma_std"] == pytest.approx(luma.std())
    shares = np.bincount(luma.astype(int).ravel(), minlength=256) / luma.size
    assert row["entropy"] == pytest.approx(-sum(p * np.log2(p) for p in shares if p))
    assert row["dark"] == pytest.approx((luma <= 5).mean())
    assert row["bright"] == pytest.approx((luma >= 250).mean())
    assert (row["p5"], row["p95"]) == tuple(np.percentile(luma, [5, 95], method="inverted_cdf"))
    middle, sides = luma[1:-1, 1:-1], luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    assert row["sharpness"] == pytest.approx((sides - 4 * middle).var())
    corners = luma[:-2, :-2] + luma[:-2, 2:] + luma[2:, :-2] + luma[2:, 2:]
    assert row["noise"] == pytest.approx(np.sqrt(np.pi / 2) / 6 * np.abs(corners - 2 * sides + 4 * middle).mean())
    rg, yb = red - green, 0.5 * (red + green) - blue
    assert row["colour"] == pytest.approx(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))
    assert row["blur"] == pytest.approx(max(_crete(luma), _crete(luma.T)))
    assert row["blockiness"] == pytest.approx(_steps(luma))


def _crete(luma: Any) -> float:
    """Along the rows, only where the low-pass of nine pixels lies inside."""
    soft = np.stack([np.convolve(row, np.ones(9) / 9, "valid") for row in luma])
    sharp = np.abs(np.diff(luma[:, 4:-4], axis=1))
    lost = np.maximum(0, sharp - np.abs(np.diff(soft, axis=1)))
    return float((sharp.sum() - lost.sum()) / sharp.sum())


def _steps(luma: Any) -> float:
    lines, inside = [], []
    for steps in (np.abs(np.diff(luma, axis=1)), np.abs(np.diff(luma.T, axis=1))):
        on_line = np.arange(steps.shape[1]) % 8 == 7
        lines.append(steps[:, on_line].ravel())
        inside.append(steps[:, ~on_line].ravel())
    return float((np.concatenate(lines).mean() + 0.5) / (np.concatenate(inside).mean() + 0.5) - 1)


@pytest.mark.parametrize(
    ("measure", "levels"),
    [
        ("noise", [np.random.default_rng(9).normal(0, sigma, (200, 240, 3)) for sigma in (1, 3, 6, 12, 24)]),
        ("blur", [0.5, 1.0, 2.0, 3.0]),
        ("blockiness", [60, 40, 25, 12, 5]),
    ],
)
def test_each_measure_rises_with_its_own_distortion(measure: str, levels: list[Any]) -> None:
    for seed in range(4):
        picture = scene(seed)
        image = Image.fromarray(picture)
        files = {
            "noise": lambda level, p=picture: saved((p + level).clip(0, 255).astype(np.uint8), "PNG"),
            "blur": lambda level, i=image: saved(i.filter(ImageFilter.GaussianBlur(level)), "PNG"),
            "blockiness": lambda level, i=image: saved(i, "JPEG", quality=level),
        }
        values = [row[measure] for row in measured(*(files[measure](level) for level in levels))]
        assert values == sorted(values), values


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (9, 9), (10, 10), (2, 5000)])
def test_tiny_and_thin_pictures_are_measured_as_far_as_they_go(size: tuple[int, int]) -> None:
    (row,) = measured(saved(Image.effect_noise(size, 60), "PNG"))
    assert (row["width"], row["height"], row["decode_error"]) == (*size, None)
    assert (row["sharpness"] is None) == (min(size) < 10)
    assert len(row["thumbnail"]) <= THUMBNAIL_BYTES


def test_a_thumbnail_of_noise_is_small_enough_too() -> None:
    (row,) = measured(saved(np.random.default_rng(0).integers(0, 256, (600, 600, 3)).astype(np.uint8), "PNG"))
    assert 0 < len(row["thumbnail"]) <= THUMBNAIL_BYTES


def test_a_broken_file_fails_one_rule_and_a_picture_every_rule_that_it_fails() -> None:
    files = {
        "broken": PHOTO[:500], "small": saved(scene(1, 199, 240), "PNG"), "long": saved(scene(1, 200, 601), "PNG"),
        "flat": saved(np.full((300, 1200, 3), 7, np.uint8), "PNG"), "good": saved(scene(1, 200, 600), "PNG"),
    }  # fmt: skip
    batch = pa.record_batch({"record_id": list(files), "payload": pa.array(files.values(), pa.large_binary())})
    outcome = run_chain([ImageMeasure()], batch)
    ((rejected, reasons),) = outcome.rejected
    rules = {
        name: [reason.rule for reason in why]
        for name, why in zip(rejected["record_id"].to_pylist(), reasons, strict=True)
    }
    assert rules == {
        "broken": ["decodable"], "small": ["min_side"], "long": ["max_aspect"], "flat": ["max_aspect", "min_entropy"],
    }  # fmt: skip
    assert outcome.kept["record_id"].to_pylist() == ["good"]
    off = ImageMeasure(decodable=False, min_side=None, max_aspect=None, min_entropy=None)
    assert run_chain([off], batch).kept.num_rows == len(files)


def test_a_webp_header_that_lies_about_its_length_is_refused() -> None:
    whole = saved(scene(1), "WEBP")
    lying = whole[:4] + struct.pack("<I", len(whole) * 2) + whole[8:]
    (row,) = measured(lying)
    assert row["decode_error"] is not None
