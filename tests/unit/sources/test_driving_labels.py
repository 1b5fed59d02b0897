"""Labels of driving: KITTI, Argoverse 2 and nuScenes, read from their files as they are."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.label_files import edges, feather_table, png, read, reasons, records
from winnowry.sources.base import Record, Unreadable
from winnowry.sources.nuscenes import TABLES

DATA = Path(__file__).parents[4] / "shared" / "data" / "driving"

# ----------------------------------------------------------------------------------------------------------- KITTI

CAR = "Car 0.00 1 -1.57 600.5 170 650 200.25 1.5 1.6 3.9 2.0 1.7 20.0 -1.5"
DONT_CARE = "DontCare -1 -1 -10 503.89 169.71 590.61 190.13 -1000 -1000 -1000 -10 -1 -1 -1"
MATRIX = "700 0 600 45 0 700 180 0.2 0 0 1 0.003"


def kitti(text: str, uri: str = "k/label_02/0001.txt", files: dict[str, bytes] | None = None, **options: Any) -> Any:
    return read("kitti", {uri: text.encode(), **(files or {})}, uri, **options)


def test_a_row_of_kitti_is_a_box_in_the_picture_and_in_space() -> None:
    (record,) = records(kitti(CAR, "k/label_2/000007.txt"))
    (box,) = record["boxes"]
    assert (box["class"], edges(box), box["trunc"], box["occ"], box["alpha"]) == (
        "Car",
        [600.5, 170, 650, 200.25],
        0,
        1,
        -1.57,
    )
    assert [box[name] for name in ("h", "w", "l", "x", "y", "z")] == [1.5, 1.6, 3.9, 2.0, 1.7, 20.0]
    assert 2 * math.atan2(box["qy"], box["qw"]) == pytest.approx(-1.5)
    assert (record["frame"], record["group"], record["image"]["id"]) == ("camera", "000007", "000007")


@pytest.mark.parametrize("placeholders", ["-1000 -1000 -1000 -10 -1 -1 -1", "-1 -1 -1 -1000 -1000 -1000 -10"])
def test_a_region_to_ignore_has_no_place_whatever_its_placeholders(placeholders: str) -> None:
    row = f"DontCare -1 -1 -10 503.89 169.71 590.61 190.13 {placeholders}"
    (record,) = records(kitti(row, "k/label_2/a.txt"))
    (box,) = record["boxes"]
    assert [box[name] for name in ("h", "w", "l", "x", "y", "z", "qw", "alpha", "trunc", "occ")] == [None] * 10
    assert (box["crowd"], edges(box)) == (1, [503.89, 169.71, 590.61, 190.13])


TRACKING = f"0 1 {CAR}\n0 -1 {DONT_CARE}\n0 2 {CAR}\n2 1 {CAR}\n"


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("image", {"0": [(0, "1"), (0, None), (0, "2")], "2": [(2, "1")]}),
        ("track", {"1": [(0, "1"), (2, "1")], "2": [(0, "2")]}),
        ("log", {None: [(0, "1"), (0, None), (0, "2"), (2, "1")]}),
    ],
)
def test_a_sequence_is_cut_into_pictures_tracks_or_not_at_all(unit: str, expected: dict[Any, Any]) -> None:
    items = kitti(TRACKING, record=unit)
    assert {item.key: [(b.get("number"), b.get("track")) for b in item.columns["boxes"]] for item in items} == expected
    assert {record["group"] for record in records(items)} == {"0001"}
    assert json.loads(records(items)[0]["extra"] or "{}") == ({"without_track": 1} if unit == "track" else {})


def test_pictures_are_joined_by_number_not_by_rank() -> None:
    files = {"k/image_02/0001/000002.png": png(64, 48)}  # of frame 0 there is none
    first, second = records(kitti(TRACKING, files=files))
    assert (first["image"]["uri"], first["image"]["stored_width"]) == ("0001/000000.png", None)
    assert (second["image"]["uri"], second["image"]["stored_width"]) == ("0001/000002.png", 64)


def test_the_camera_is_read_from_the_calibration_beside_the_labels() -> None:
    matrix = [float(word) for word in MATRIX.split()]
    calibration = {"k/calib/0001.txt": f"P0: {MATRIX.replace('700', '1')}\nP2: {MATRIX}\n".encode()}
    assert [record["projection"] for record in records(kitti(TRACKING, files=calibration))] == [matrix, matrix]
    assert [record["projection"] for record in records(kitti(TRACKING))] == [None, None]
    declared = "../calib/{name}.txt"
    assert reasons(kitti(TRACKING, calibration=declared)) == ["calibration_missing"]
    broken = {"k/calib/0001.txt": b"P2: 1 2 3\n"}
    assert reasons(kitti(TRACKING, files=broken)) == ["calibration_invalid"]
    assert reasons(kitti(TRACKING, files={"k/calib/0001.txt": b"P3: 1\n"})) == ["calibration_invalid"]
    assert records(kitti(TRACKING, projection=tuple(matrix)))[0]["projection"] == matrix


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f"2 1 {CAR} 0.5 7", "columns"),
        ("2 1 Car 0 0", "columns"),
        (f"2 1 {CAR.replace('600.5', 'left')}", "not_a_number"),
        (f"2 1 {CAR.replace('600.5', 'nan')}", "not_finite"),
    ],
)
def test_a_row_that_cannot_be_read_costs_its_picture_and_names_its_line(row: str, reason: str) -> None:
    items = kitti(f"0 1 {CAR}\n{row}\n3 1 {CAR}\n")
    assert reasons(items) == [reason]
    (refused,) = [item for item in items if isinstance(item, Unreadable)]
    assert (refused.value or "").startswith("at line 2: ")
    assert [item.key for item in items if isinstance(item, Record)] == ["0", "3"]
    assert reasons(kitti(f"0 1 {CAR}\n{row}\n", record="log")) == [reason]


def test_a_score_is_one_and_an_empty_file_of_objects_is_background() -> None:
    assert records(kitti(f"{CAR} 0.75", "k/label_2/a.txt"))[0]["boxes"][0]["score"] == 0.75
    assert [record["state"] for record in records(kitti("", "k/label_2/a.txt"))] == ["background"]


# ----------------------------------------------------------------------------------------------------- Argoverse 2

LONG_AGO = 315969904359876000  # more than a float holds exactly


def argoverse(times: list[int], poses: list[int], drop: str | None = None, **changed: Any) -> dict[str, bytes]:
    n = len(times)
    turn = {"qw": [1.0] * n, "qx": [0.0] * n, "qy": [0.0] * n, "qz": [0.0] * n}
    boxes: dict[str, Any] = {
        "timestamp_ns": times, "track_uuid": ["a", "b"] * (n // 2), "category": ["BUS"] * n, "length_m": [9.0] * n,
        "width_m": [3.0] * n, "height_m": [2.5] * n, **turn, "tx_m": [1.0] * n, "ty_m": [2.0] * n, "tz_m": [3.0] * n,
        "num_interior_pts": [0] * n, **changed,
    }  # fmt: skip
    boxes.pop(drop or "", None)
    m = len(poses)
    place = {name: [float(i) for i in range(m)] for name in ("qw", "qx", "qy", "qz", "tx_m", "ty_m", "tz_m")}
    return {
        "log/annotations.feather": feather_table(boxes),
        "log/city_SE3_egovehicle.feather": feather_table({"timestamp_ns": poses, **place}),
    }


def test_boxes_of_argoverse_have_whole_times_and_the_poses_of_those_times() -> None:
    times = [LONG_AGO, LONG_AGO, LONG_AGO + 1, LONG_AGO + 1]
    files = argoverse(times, [LONG_AGO - 1, LONG_AGO, LONG_AGO + 1])
    first, second = records(read("argoverse2", files, "log/annotations.feather"))
    assert [box["time_ns"] for box in first["boxes"]] == [LONG_AGO, LONG_AGO + 1]
    assert [(box["number"], box["track"]) for box in second["boxes"]] == [(0, "b"), (1, "b")]
    assert [(pose["time_ns"], pose["x"]) for pose in first["poses"]] == [(LONG_AGO, 1.0), (LONG_AGO + 1, 2.0)]
    box = first["boxes"][0]
    assert [box[name] for name in ("l", "w", "h", "x", "y", "z", "points")] == [9.0, 3.0, 2.5, 1.0, 2.0, 3.0, 0]
    assert (first["frame"], first["group"], first["time_ns"]) == ("ego", "log", LONG_AGO)
    assert len(records(read("argoverse2", files, "log/annotations.feather", record="image"))) == 2
    assert len(records(read("argoverse2", files, "log/annotations.feather", record="log"))) == 1


def test_bad_argoverse_logs_are_refused_in_words() -> None:
    times = [LONG_AGO, LONG_AGO]
    uri = "log/annotations.feather"
    assert reasons(read("argoverse2", argoverse(times, times, drop="qw"), uri)) == ["columns_missing"]
    assert reasons(read("argoverse2", argoverse(times, times, tx_m=["x", "y"]), uri)) == ["wrong_type"]
    assert reasons(read("argoverse2", argoverse([0.5, 1.5], times), uri)) == ["wrong_type"]  # type: ignore[list-item]
    alone = {uri: argoverse(times, times)[uri]}
    assert reasons(read("argoverse2", alone, uri)) == ["no_pose"]
    assert reasons(read("argoverse2", {uri: b"ARROW1 and no more"}, uri)) == ["feather_invalid"]


# -------------------------------------------------------------------------------------------------------- nuScenes


def nuscenes() -> dict[str, list[dict[str, Any]]]:
    """A scene of three samples, half a second apart, with one instance in all and another in the last."""
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    tables["log"] = [{"token": "log"}]
    tables["scene"] = [{"token": "scene", "name": "scene-0061", "log_token": "log"}]
    tables["sensor"] = [{"token": "lidar", "channel": "LIDAR_TOP"}, {"token": "front", "channel": "CAM_FRONT"}]
    tables["calibrated_sensor"] = [{"token": f"of-{name}", "sensor_token": name} for name in ("lidar", "front")]
    tables["category"] = [{"token": "car", "name": "vehicle.car"}]
    tables["visibility"] = [{"token": "4"}]
    tables["attribute"] = [{"token": "moving", "name": "vehicle.moving"}]
    for n in range(3):
        time = 1532402927647951 + n * 500_000
        tables["sample"].append({"token": f"s{n}", "timestamp": time, "scene_token": "scene"})
        for name, late in (("lidar", 0), ("front", 20_000)):
            pose = {
                "token": f"p{n}{name}",
                "timestamp": time + late,
                "rotation": [1, 0, 0, 0],
                "translation": [n, 0, 0],
            }
            tables["ego_pose"].append(pose)
            tables["sample_data"].append(
                {
                    "token": f"d{n}{name}", "sample_token": f"s{n}", "ego_pose_token": pose["token"],
                    "timestamp": time + late, "calibrated_sensor_token": f"of-{name}", "is_key_frame": True,
                }
            )  # fmt: skip
    for name, samples in (("i", (0, 1, 2)), ("j", (2,))):
        tokens = [f"{name}{n}" for n in samples]
        tables["instance"].append(
            {
                "token": name, "category_token": "car", "nbr_annotations": len(tokens),
                "first_annotation_token": tokens[0], "last_annotation_token": tokens[-1],
            }
        )  # fmt: skip
        for place, n in enumerate(samples):
            tables["sample_annotation"].append(
                {
                    "token": tokens[place], "sample_token": f"s{n}", "instance_token": name, "visibility_token": "4",
                    "attribute_tokens": ["moving"], "translation": [373.2, 1130.4, 0.8], "size": [0.6, 0.7, 1.6],
                    "rotation": [0.98, 0, 0, -0.18], "num_lidar_pts": 1, "num_radar_pts": 0,
                    "prev": tokens[place - 1] if place else "",
                    "next": "" if place == len(tokens) - 1 else tokens[place + 1],
                }
            )  # fmt: skip
    return tables


def read_nuscenes(tables: dict[str, Any], **options: Any) -> list[Record | Unreadable]:
    files = {f"v1/{name}.json": json.dumps(rows).encode() for name, rows in tables.items()}
    return read("nuscenes", files, "v1/sample.json", **options)


def test_the_tables_of_nuscenes_are_tracks_samples_or_scenes() -> None:
    first, second = records(read_nuscenes(nuscenes()))
    box = first["boxes"][0]
    assert [box[name] for name in ("w", "l", "h", "x", "qw", "qz", "points")] == [0.6, 0.7, 1.6, 373.2, 0.98, -0.18, 1]
    assert (box["class"], box["track"], box["time_ns"]) == ("vehicle.car", "i", 1532402927647951000)
    assert [b["number"] for b in first["boxes"]] == [0, 1, 2]
    assert (first["frame"], first["group"], first["sync_ns"]) == ("global", "scene-0061", 20_000_000)
    assert [pose["x"] for pose in first["poses"]] == [0, 1, 2]
    assert second["n_boxes"] == 1
    images = records(read_nuscenes(nuscenes(), record="image"))
    assert [record["n_boxes"] for record in images] == [1, 1, 2]
    (scene,) = records(read_nuscenes(nuscenes(), record="log"))
    assert (scene["n_boxes"], [b["number"] for b in scene["boxes"]]) == (4, [0, 1, 2, 2])


def row_of(tables: dict[str, Any], table: str, token: str) -> dict[str, Any]:
    row: dict[str, Any] = next(row for row in tables[table] if row["token"] == token)
    return row


WRONG: list[tuple[str, Callable[[dict[str, Any]], object], list[str]]] = [
    (
        "an annotation of no sample",
        lambda t: row_of(t, "sample_annotation", "j2").update(sample_token="x"),
        ["dangling"],
    ),
    (
        "an annotation of no instance",
        lambda t: row_of(t, "sample_annotation", "j2").update(instance_token="x"),
        ["dangling"],
    ),
    ("no visibility", lambda t: row_of(t, "sample_annotation", "j2").update(visibility_token="x"), ["dangling"]),
    ("no attribute", lambda t: row_of(t, "sample_annotation", "j2").update(attribute_tokens=["x"]), ["dangling"]),
    ("no pose", lambda t: row_of(t, "sample_data", "d2lidar").update(ego_pose_token="x"), ["dangling"]),
    ("no scene", lambda t: t.update(scene=[]), ["dangling"]),
    ("a ring", lambda t: row_of(t, "sample_annotation", "i2").update(next="i0"), ["chain_cycle"]),
    ("a broken chain", lambda t: row_of(t, "sample_annotation", "i0").update(next="j2"), ["chain_broken"]),
    ("a chain back", lambda t: row_of(t, "sample_annotation", "i1").update(prev=""), ["chain_broken"]),
    ("a wrong last", lambda t: row_of(t, "instance", "i").update(last_annotation_token="i1"), ["chain_broken"]),
    ("a wrong count", lambda t: row_of(t, "instance", "i").update(nbr_annotations=4), ["count_differs"]),
    ("a size of two", lambda t: row_of(t, "sample_annotation", "i1").update(size=[1, 2]), ["value_count"]),
    (
        "a rotation of words",
        lambda t: row_of(t, "sample_annotation", "i1").update(rotation=["1", 0, 0, 0]),
        ["wrong_type"],
    ),
    ("no time", lambda t: row_of(t, "sample", "s0").pop("timestamp"), ["missing_field"]),
    ("a token twice", lambda t: t["sensor"].append(t["sensor"][0]), ["id_twice"]),
    ("no table", lambda t: t.pop("visibility"), ["table_missing"]),
    ("no list", lambda t: t.update(visibility={}), ["wrong_type"]),
]


@pytest.mark.parametrize(("what", "change", "expected"), WRONG, ids=[what for what, *_ in WRONG])
def test_tables_that_do_not_hold_together_are_said_and_cost_what_they_touch(
    what: str, change: Callable[[dict[str, Any]], object], expected: list[str]
) -> None:
    tables = copy.deepcopy(nuscenes())
    change(tables)
    items = read_nuscenes(tables)
    assert set(reasons(items)) >= set(expected)
    assert len(records(items)) < 2
    assert len({item.position for item in items}) == len(items)


# ------------------------------------------------------------------------------------------------ released labels


@pytest.mark.skipif(not DATA.is_dir(), reason=f"needs the development data at {DATA}")
def test_released_labels_are_read_whole(tmp_path: Path) -> None:
    import tarfile

    import zstandard

    for name in ("kitti_tracking_labels_train", "av2_logs"):
        with (
            (DATA / f"{name}.tar.zst").open("rb") as packed,
            zstandard.open(packed) as plain,
            tarfile.open(fileobj=plain, mode="r|") as archive,
        ):
            archive.extractall(tmp_path, filter="data")
    boxes = 0
    for path in sorted(tmp_path.rglob("label/*.txt")):
        items = kitti(path.read_text(), f"label_02/{path.name}", record="log")
        assert reasons(items) == []
        boxes += sum(record["n_boxes"] for record in records(items))
    assert boxes == 33_482  # rows of the files
    log = next(tmp_path.rglob("annotations.feather")).parent
    files = {f"log/{path.name}": path.read_bytes() for path in log.glob("*.feather")}
    items = read("argoverse2", files, "log/annotations.feather")
    assert (reasons(items), sum(record["n_boxes"] for record in records(items))) == ([], 12_078)
