"""Films: as they are shown, in presentation time, decoded past what is damaged."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("av", reason="needs the extra winnowry[video]")

from tests.film_files import film, ground, moving, turned
from winnowry.operators.media.film_operator import part_of
from winnowry.operators.media.films import decode_film
from winnowry.operators.media.video_facts import VideoFacts
from winnowry.operators.media.video_measure import VideoMeasure
from winnowry.operators.media.video_shots import VideoShots
from winnowry.operators.media.views import SPAN_TYPE, DecodeError, Views, Wants

SIZE = (240, 180)
PHONE = [33 * k for k in range(60)] + [2000 + 125 * k for k in range(32)]
"""Sixty frames in two seconds, then eight a second, to 5.875 s."""
SCREEN = [0, 40, 80, 120, 3000, 3040, 3080, 6000, 6040, 6080, 6120, 6160]
"""A frame only where something changes."""
STEADY = [100 * k for k in range(60)]


def batch(*files: bytes | None, spans: list[tuple[float, float] | None] | None = None) -> pa.RecordBatch:
    columns = {"payload": pa.array(files, pa.large_binary())}
    if spans is not None:
        parts = [None if span is None else {"start": span[0], "end": span[1], "unit": "s"} for span in spans]
        columns["span"] = pa.array(parts, SPAN_TYPE)
    return pa.record_batch(columns)


def facts(data: bytes, **options: Any) -> dict[str, Any]:
    return VideoFacts(**options).apply(batch(data)).to_pylist()[0]


def measures(data: bytes, **options: Any) -> dict[str, Any]:
    return VideoMeasure(**options).apply(batch(data)).to_pylist()[0]


def clips(data: bytes, **options: Any) -> list[dict[str, Any]]:
    return VideoShots(**options).derive(batch(data)).batch.to_pylist()


def two_scenes(cut_ms: int) -> Any:
    return lambda at: moving(0 if at < cut_ms else 1, at, SIZE)


def corner(at: int) -> Any:
    """Red above left, the rest grey; a white block moves below."""
    picture = np.full((240, 320, 3), 60, np.uint8)
    picture[:120, :160] = 230, 40, 40
    picture[160:220, at // 10 : at // 10 + 30] = 240
    return picture


@pytest.fixture(scope="module")
def upright() -> bytes:
    return film(range(0, 3000, 100), corner)


@pytest.mark.parametrize(
    ("degrees", "size", "red"),
    [(0, (320, 240), (0, 0)), (90, (240, 320), (0, 1)), (180, (320, 240), (1, 1)), (270, (240, 320), (1, 0))],
)
def test_a_film_is_as_wide_and_high_as_it_is_shown_and_so_is_its_picture(
    upright: bytes, degrees: int, size: tuple[int, int], red: tuple[int, int]
) -> None:
    data = turned(upright, degrees, (320, 240))
    film_facts = facts(data)
    assert (film_facts["width"], film_facts["height"], film_facts["rotation"]) == (*size, degrees)
    assert (film_facts["n_frames"], film_facts["fps"], film_facts["duration_ms"], film_facts["uneven"]) == (
        30,
        10.0,
        3000,
        False,
    )
    from PIL import Image

    measured = measures(data, min_motion=None)
    shown = np.asarray(Image.open(io.BytesIO(measured["thumbnail"])).convert("RGB")).astype(int)
    height, width, _ = shown.shape
    assert width / height == pytest.approx(size[0] / size[1], abs=0.02)
    redness = shown[:, :, 0] - shown[:, :, 1]
    quarters = {
        (down, right): redness[
            down * height // 2 : (down + 1) * height // 2, right * width // 2 : (right + 1) * width // 2
        ].mean()
        for down in (0, 1)
        for right in (0, 1)
    }
    assert max(quarters, key=lambda place: quarters[place]) == red


def test_turned_films_move_alike_and_look_different(upright: bytes) -> None:
    all_four = [measures(turned(upright, degrees, (320, 240))) for degrees in (0, 90, 180, 270)]
    assert len({one["phash"] for one in all_four}) == 4
    for name in ("motion", "black", "luma_mean"):
        assert [one[name] for one in all_four] == pytest.approx([all_four[0][name]] * 4, rel=0.05)


def test_pixels_that_are_wider_than_high_make_a_wider_film() -> None:
    film_facts = facts(film(range(0, 1000, 100), corner, ratio=(4, 3)))
    assert (film_facts["width"], film_facts["height"]) == (427, 240)
    assert film_facts["aspect"] == pytest.approx(16 / 9, abs=0.01)


@pytest.mark.parametrize(
    ("times", "cut_ms", "form", "duration_s", "uneven", "longest_s"),
    [
        (PHONE, 4000, "mp4", 5.91, True, 0.125),
        (PHONE, 4000, "matroska", 5.91, True, 0.125),
        (SCREEN, 6000, "mp4", 6.19, True, 2.92),
        (STEADY, 4000, "mp4", 5.93, False, 0.1),
    ],
)
def test_cuts_lie_where_they_are_shown_however_uneven_frames_are(
    times: list[int], cut_ms: int, form: str, duration_s: float, uneven: bool, longest_s: float
) -> None:
    data = film(times, two_scenes(cut_ms), rate=30, form=form)
    film_facts = facts(data)
    assert film_facts["decode_error"] is None
    assert (film_facts["n_frames"], film_facts["uneven"], film_facts["n_backward"]) == (len(times), uneven, 0)
    assert film_facts["duration_ms"] / 1000 == pytest.approx(duration_s, abs=0.13)
    assert film_facts["fps"] == pytest.approx(len(times) / duration_s, rel=0.03)
    assert film_facts["longest_step_s"] == pytest.approx(longest_s, abs=0.002)
    made = clips(data, min_scene_s=0.1, min_s=0)
    assert [clip["begins_with"] for clip in made] == ["start", "cut"]
    assert made[0]["span"]["start"] == 0.0
    assert made[0]["span"]["end"] == made[1]["span"]["start"] == pytest.approx(cut_ms / 1000, abs=0.01)
    assert made[1]["span"]["end"] == pytest.approx(film_facts["duration_ms"] / 1000, abs=0.001)
    assert [(clip["clip_index"], clip["n_clips"]) for clip in made] == [(0, 2), (1, 2)]


def test_a_frame_is_sampled_at_every_second_and_stays_until_the_next() -> None:
    phone = decode_film(film(PHONE, two_scenes(4000)), ())
    assert [at for at, _ in phone.samples] == [0, 1, 2, 3, 4, 5]
    screen = decode_film(film(SCREEN, two_scenes(6000)), ())
    assert [at for at, _ in screen.samples] == [0, 1, 2, 3, 4, 5, 6]


def test_a_dissolve_and_a_fade_end_a_shot_and_motion_does_not() -> None:
    def dissolving(at: int) -> Any:
        share = min(1.0, max(0.0, (at - 1500) / 1000))
        return (ground(0, SIZE) * (1 - share) + ground(1, SIZE) * share).astype(np.uint8)

    made = clips(film(range(0, 4000, 40), dissolving), min_s=0)
    assert [clip["begins_with"] for clip in made] == ["start", "dissolve"]
    assert 1.5 < made[1]["span"]["start"] < 2.5
    assert len(clips(film(range(0, 4000, 40), lambda at: moving(0, at, SIZE)), min_s=0)) == 1


def test_a_long_shot_is_cut_after_every_ten_seconds_and_nothing_of_it_is_lost() -> None:
    made = clips(film(range(0, 12_000, 200), lambda at: moving(0, at, SIZE), rate=5), max_s=5)
    assert [(clip["span"]["start"], clip["span"]["end"]) for clip in made] == [(0, 5), (5, 10), (10, 12)]
    assert [clip["begins_with"] for clip in made] == ["start", "length", "length"]
    assert [clip["duration_ms"] for clip in made] == [5000, 5000, 2000]


@pytest.mark.parametrize(
    ("first_ms", "sound_ms", "offset_s", "beyond_s"),
    [(0, (0, 3000), 0.0, 0.0), (1500, (0, 4000), 1.5, 0.0), (0, (0, 5000), 0.0, 2.0)],
)
def test_sound_that_begins_elsewhere_or_goes_on_is_a_fact(
    first_ms: int, sound_ms: tuple[int, int], offset_s: float, beyond_s: float
) -> None:
    data = film(range(first_ms, first_ms + 3000, 100), two_scenes(9000), form="matroska", sound_ms=sound_ms)
    film_facts = facts(data)
    assert film_facts["decode_error"] is None
    assert (film_facts["n_frames"], film_facts["duration_ms"]) == (30, 3000)
    assert film_facts["sound_offset_s"] == pytest.approx(offset_s, abs=0.13)
    assert film_facts["sound_beyond_s"] == pytest.approx(beyond_s, abs=0.13)
    assert [clip["span"]["end"] for clip in clips(data, min_s=0)] == [3.0]


def test_the_rules_about_sound_name_exactly_the_film_that_is_late_and_the_one_whose_sound_is_longer() -> None:
    rules = {rule.name: rule for rule in VideoFacts(max_sound_offset_s=0.4, max_sound_beyond_s=0.4).rules()}
    columns = pa.array([0.0, 1.5, None]), pa.array([2.0, 0.0, None])
    assert rules["max_sound_offset_s"].keeps(columns[0]).to_pylist() == [True, False, True]
    assert rules["max_sound_beyond_s"].keeps(columns[1]).to_pylist() == [False, True, True]
    assert [rule.name for rule in VideoFacts().rules()] == ["decodable"]


def test_black_and_still_films_are_measured_as_such() -> None:
    black = measures(film(range(0, 3000, 100), lambda at: np.zeros((180, 240, 3), np.uint8)))
    assert (black["black"], black["still"], black["phash"]) == (1.0, 1.0, None)
    still = measures(film(range(0, 3000, 100), lambda at: ground(0, SIZE)))
    assert (still["black"], still["motion"]) == (0.0, pytest.approx(0.0, abs=1e-4))
    assert still["still"] > 0.9
    in_motion = measures(film(range(0, 3000, 100), lambda at: moving(0, at, SIZE)))
    assert (in_motion["still"], in_motion["seconds"]) == (0.0, 3.0)
    assert in_motion["motion"] > 0.0005


def test_a_part_is_measured_by_its_own_frames() -> None:
    def half_black(at: int) -> Any:
        return np.zeros((180, 240, 3), np.uint8) if at < 2000 else moving(1, at, SIZE)

    data = film(range(0, 4000, 100), half_black)
    first, second, whole = (
        VideoMeasure().apply(batch(data, spans=[span])).to_pylist()[0] for span in ((0.0, 2.0), (2.0, 4.0), None)
    )
    assert (first["black"], second["black"], whole["black"]) == (1.0, 0.0, 0.5)
    assert (first["seconds"], second["seconds"], whole["seconds"]) == (2.0, 2.0, 4.0)
    assert second["still"] == 0.0


@pytest.mark.parametrize("span", [(-1.0, 2.0), (3.0, 3.0), (1.0, 9.0), (7.0, 9.0)])
def test_a_span_outside_its_film_is_a_reason(span: tuple[float, float]) -> None:
    data = film(range(0, 4000, 100), two_scenes(9000))
    row = VideoMeasure().apply(batch(data, spans=[span])).to_pylist()[0]
    assert "the film has 0 s to 4.0" in row["decode_error"]
    with pytest.raises(DecodeError, match="span"):
        part_of(Views.of_batch(batch(data, spans=[span]), Wants()).of(0))


NO_FILM = {
    "nothing": b"",
    "null": None,
    "html": b"<html><body>404</body></html>",
    "zeros": bytes(4096),
    "text": b"no film at all" * 50,
}


@pytest.mark.parametrize("name", NO_FILM)
def test_what_is_no_film_has_one_reason_and_no_child(name: str) -> None:
    data = NO_FILM[name]
    for operator in (VideoFacts(), VideoMeasure()):
        row = operator.apply(batch(data)).to_pylist()[0]
        assert row.pop("decode_error")
        assert set(row.values()) == {None}
    derived = VideoShots().derive(batch(data))
    assert (derived.batch.num_rows, [refusal.rule for refusal in derived.refused.values()]) == (0, ["decodable"])


def test_sound_with_a_cover_picture_is_no_film() -> None:
    import av

    written = io.BytesIO()
    with av.open(written, "w", format="mp4") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")))
        container.mux(cover.encode())
    assert "no stream of pictures" in facts(written.getvalue())["decode_error"]


def test_a_film_that_was_cut_off_says_how_many_frames_it_declares(tmp_path: Path) -> None:
    import av

    whole = film(range(0, 4000, 50), two_scenes(2000))
    path = tmp_path / "moved.mp4"
    with (
        av.open(io.BytesIO(whole)) as source,
        av.open(str(path), "w", options={"movflags": "faststart"}) as rewritten,
    ):
        stream = rewritten.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                rewritten.mux(packet)
    data = path.read_bytes()
    assert facts(data)["decode_error"] is None
    for tenth in range(1, 10):
        film_facts = facts(data[: len(data) * tenth // 10])["decode_error"]
        assert film_facts, f"{tenth} tenths"
        half = facts(whole[: len(whole) * tenth // 10])["decode_error"]
        assert half, f"{tenth} tenths with its index at the end"
    assert "declares 80 frames" in str(facts(data[: len(data) * 8 // 10])["decode_error"])


def test_a_film_is_decoded_past_what_is_damaged() -> None:
    data = bytearray(film(range(0, 6000, 50), two_scenes(3000), form="matroska"))
    data[len(data) // 2 : len(data) // 2 + 8] = bytes(8)
    seen = decode_film(bytes(data), ())
    assert seen.facts.n_frames > 60
    assert seen.facts.duration_s > 5


def test_rows_are_what_they_are_alone_and_a_film_is_decoded_once_for_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    from winnowry.operators.media import films

    calls = []
    decode = films.decode_film
    monkeypatch.setattr(films, "decode_film", lambda *args: calls.append(1) or decode(*args))
    data = film(range(0, 4000, 100), two_scenes(2000))
    views = Views.of_batch(batch(data), VideoMeasure().wants())
    derived = VideoShots(min_s=0).derive_media(batch(data).select([]), views)
    children = views.children(derived.parent.to_pylist(), derived.batch.column("span"))
    together = VideoMeasure().apply_media(derived.batch, children)
    assert len(calls) == 1
    alone = [
        VideoMeasure().apply(batch(data, spans=[(child["span"]["start"], child["span"]["end"])])).to_pylist()[0]
        for child in derived.batch.to_pylist()
    ]
    assert together.to_pylist() == alone
