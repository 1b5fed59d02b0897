"""Labels of pictures: what a file says is what the record says, and one that says nothing sensible has a reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.label_files import edges, png, read, reasons, records
from winnowry.sources.base import Record, Unreadable

# ------------------------------------------------------------------------------------------------------------ COCO

IMAGES = [{"id": 1, "file_name": "a.png", "width": 100, "height": 80}]
CATEGORIES = [{"id": 3, "name": "car"}, {"id": 90, "name": "dog", "keypoints": ["nose", "tail"]}]


def coco(
    *annotations: dict[str, Any], images: list[dict[str, Any]] = IMAGES, **files: bytes
) -> list[Record | Unreadable]:
    document = {"images": images, "annotations": list(annotations), "categories": CATEGORIES}
    return read("coco", {"coco.json": json.dumps(document).encode(), **files}, "coco.json")


def of_coco(**fields: Any) -> dict[str, Any]:
    return {"id": 7, "image_id": 1, "category_id": 3, "bbox": [10, 20, 30, 40]} | fields


def test_a_record_of_coco_is_an_image_with_its_boxes() -> None:
    polygon = [[10.0, 20.0, 40.0, 20.0, 40.0, 60.0]]
    mask = {"size": [80, 100], "counts": "abc"}
    (record,) = records(
        coco(
            of_coco(area=600, iscrowd=0, segmentation=polygon, occluded=2),
            of_coco(id=8, category_id=90, segmentation=mask, keypoints=[1, 2, 2, 0, 0, 0]),
        )
    )
    first, second = record["boxes"]
    assert (record["state"], record["n_boxes"], record["image"]["id"], record["image"]["uri"]) == (
        "labelled",
        2,
        "1",
        "a.png",
    )
    assert (first["class"], edges(first), first["area"], first["polygon"]) == ("car", [10, 20, 40, 60], 600, polygon)
    assert json.loads(first["attributes"]) == {"occluded": 2}
    assert second["rle"] == {"height": 80, "width": 100, "counts": "abc", "runs": None}
    assert (second["class"], second["keypoints"]) == ("dog", [1, 2, 2, 0, 0, 0])


def test_an_image_of_coco_without_annotations_is_background_and_ids_with_gaps_are_ids() -> None:
    images = [*IMAGES, {"id": 900719925474099301, "file_name": "b.png"}]
    items = coco(of_coco(id=3), of_coco(id=9007199254740993), images=images)
    first, second = records(items)
    assert [one["id"] for one in first["boxes"]] == ["3", "9007199254740993"]  # beyond 2 ** 53
    assert (second["state"], second["n_boxes"], second["image"]["id"]) == ("background", 0, "900719925474099301")


@pytest.mark.parametrize(("image_id", "own"), [("img_1", "img_1"), ("1", 1), (1, "1"), ("0001", "0001")])
def test_ids_of_coco_are_equal_as_text(image_id: Any, own: Any) -> None:
    (record,) = records(coco(of_coco(image_id=image_id), images=[{"id": own, "file_name": "a.png"}]))
    assert record["n_boxes"] == 1


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"category_id": 0}, "class_unknown"),
        ({"category_id": None}, "class_missing"),
        ({"bbox": [1, 2, 3]}, "value_count"),
        ({"bbox": [1, 2, None, 4]}, "wrong_type"),
        ({"bbox": [1, 2, "3", 4]}, "wrong_type"),
        ({"bbox": [1, 2, float("nan"), 4]}, "not_finite"),
        ({"bbox": "1 2 3 4"}, "wrong_type"),
        ({"iscrowd": True}, "wrong_type"),
        ({"segmentation": [[1, 2, "x"]]}, "wrong_type"),
        ({"segmentation": {"size": [1], "counts": []}}, "value_count"),
        ({"keypoints": [1, 2, 2], "category_id": 90}, "value_count"),
        ({"area": [4]}, "wrong_type"),
    ],
)
def test_an_annotation_that_cannot_be_read_costs_its_image_and_no_other(fields: dict[str, Any], reason: str) -> None:
    images = [*IMAGES, {"id": 2, "file_name": "b.png"}]
    items = coco(of_coco(**fields), of_coco(id=8, image_id=2), images=images)
    assert reasons(items) == [reason]
    assert isinstance(items[0], Unreadable)
    assert "annotation 7" in (items[0].value or "")
    assert [record["image"]["id"] for record in records(items)] == ["2"]


def test_ids_that_come_twice_and_annotations_of_no_image_are_said() -> None:
    twice = coco(of_coco(), of_coco())
    assert reasons(twice) == ["id_twice"]
    items = coco(of_coco(), of_coco(id=8, image_id=5), of_coco(id=9, image_id=None))
    assert reasons(items) == ["image_unknown", "image_unknown"]
    assert len(records(items)) == 1
    assert len({item.position for item in items}) == 3
    assert reasons(coco(images=[*IMAGES, *IMAGES])) == ["id_twice", "id_twice"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b'{"images": [', "json_invalid"), (b"[]", "not_coco"), (b'{"images": {}}', "not_coco"), (b"", "json_invalid")],
)
def test_what_is_no_coco_document_is_one_place(data: bytes, reason: str) -> None:
    (item,) = read("coco", {"a.json": data}, "a.json")
    assert isinstance(item, Unreadable)
    assert (item.reason, item.ends_object) == (reason, True)


def test_a_caption_is_no_box() -> None:
    (record,) = records(coco({"id": 1, "image_id": 1, "caption": "a street"}))
    assert record["boxes"] == []
    assert json.loads(record["extra"])["captions"][0]["caption"] == "a street"


@pytest.mark.parametrize("orientation", [None, *range(1, 9)])
def test_a_picture_at_hand_says_its_stored_size_and_its_orientation(orientation: int | None) -> None:
    files = {"img/a.png": png(64, 48, orientation)}
    document = {"images": IMAGES, "annotations": [], "categories": []}
    (record,) = records(read("coco", {"coco.json": json.dumps(document).encode(), **files}, "coco.json"))
    image = record["image"]
    assert (image["width"], image["height"]) == (100, 80)
    assert (image["stored_width"], image["stored_height"], image["orientation"]) == (64, 48, orientation)


def test_pictures_that_are_not_there_are_not_looked_for_without_end() -> None:
    opened: list[str] = []

    class Files(dict[str, bytes]):
        def get(self, key: str, default: Any = None) -> Any:
            opened.append(key)
            return super().get(key, default)

    images = [{"id": n, "file_name": f"{n}.png"} for n in range(80)]
    document = json.dumps({"images": images, "annotations": [], "categories": []}).encode()
    absent = records(read("coco", Files({"coco.json": document}), "coco.json"))
    assert (len(absent), len(opened)) == (80, 50 * 4)
    late = Files({"coco.json": document, "img/40.png": png(9, 9), "img/79.png": png(9, 9)})
    widths = [record["image"]["stored_width"] for record in records(read("coco", late, "coco.json"))]
    assert [n for n, width in enumerate(widths) if width] == [40, 79]
    declared = Files({"coco.json": document, "a/79.png": png(9, 9)})
    assert records(read("coco", declared, "coco.json", pictures="a"))[79]["image"]["stored_width"] == 9


@pytest.mark.parametrize("path", ["../secret.png", "/etc/a.png", "a/../../b.png", "https://host/a.png"])
def test_a_path_that_leads_elsewhere_opens_nothing(path: str) -> None:
    opened: list[str] = []

    class Files(dict[str, bytes]):
        def get(self, key: str, default: Any = None) -> Any:
            opened.append(key)
            return default

    document = {"images": [{"id": 1, "file_name": path}], "annotations": [], "categories": []}
    files = Files({"coco.json": json.dumps(document).encode()})
    assert len(records(read("coco", files, "coco.json"))) == 1
    assert opened == []


# ------------------------------------------------------------------------------------------------------------ YOLO

YAML = b"names: {0: car, 1: dog}\n"
CAR = ("car", [40, 30, 60, 50], None)
SQUARE = [[10, 16, 40, 16, 40, 48, 10, 48]]


def yolo(text: str | bytes | None, yaml: bytes = YAML, **options: Any) -> list[Record | Unreadable]:
    data = text.encode() if isinstance(text, str) else text
    files = {"set/images/a.png": png(100, 80), "set/data.yaml": yaml} | (
        {} if data is None else {"set/labels/a.txt": data}
    )
    return read("yolo", files, "set/images/a.png" if data is None else "set/labels/a.txt", **options)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 0.5 0.5 0.2 0.25\n1 0.1 0.1 0.1 0.1\n", [CAR, ("dog", [5, 4, 15, 12], None)]),
        ("0 0.10 0.20 0.40 0.20 0.25 0.60\n", [("car", [10, 16, 40, 48], [[10, 16, 40, 16, 25, 48]])]),
        (
            "0 0.5 0.5 0.2 0.25\n1 0.10 0.20 0.40 0.20 0.40 0.60 0.10 0.60\n",
            [CAR, ("dog", [10, 16, 40, 48], SQUARE)],
        ),
        ("\n0 0.5 0.5 0.2 0.25\n\n", [CAR]),
        ("0 0.5 0.5 0.2 0.25\r\n", [CAR]),
        ("\ufeff0 0.5 0.5 0.2 0.25", [CAR]),
        ("0.0 0.5 0.5 0.2 0.25\n", [CAR]),
        ("0\t5e-1  .5 0.2 0.25\n", [CAR]),
        ("", []),
        ("\n \n", []),
    ],
)
def test_a_row_of_yolo_is_a_box_or_a_polygon(text: str, expected: list[Any]) -> None:
    (record,) = records(yolo(text))
    shapes = [
        (
            one["class"],
            edges(one),
            one["polygon"] and [[round(number, 3) for number in ring] for ring in one["polygon"]],
        )
        for one in record["boxes"]
    ]
    assert shapes == expected
    assert record["state"] == ("labelled" if expected else "background")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0.5 0.5 0.5 0.2 0.25", "class_unknown"),
        ("2 0.5 0.5 0.2 0.25", "class_unknown"),
        ("-1 0.5 0.5 0.2 0.25", "class_unknown"),
        ("car 0.5 0.5 0.2 0.25", "not_a_number"),
        ("0 0,5 0,5 0,2 0,25", "not_a_number"),
        ("0 0.5 0.5 0.2 1_0", "not_a_number"),
        ("0 nan 0.5 0.2 0.25", "not_finite"),
        ("0 1e999 0.5 0.2 0.25", "not_finite"),
        ("0 300 200 50 40", "not_normalised"),
        ("0 0.1 0.2 0.4 0.2 0.25 6.0", "not_normalised"),
        ("0 0.1 0.2 0.4 0.2 0.25", "columns"),  # a score, or an incomplete polygon
        ("0 0.5 0.5", "columns"),
        ("0 0.5 0.5 0.2 0.25\n0 0.1 0.2 0.4 0.2 0.25 0.3 0.1", "columns"),
    ],
)
def test_a_row_of_yolo_that_says_no_shape_has_a_reason_with_its_line(text: str, reason: str) -> None:
    (item,) = yolo(text)
    assert isinstance(item, Unreadable)
    assert item.reason == reason
    assert (item.value or "").startswith(f"line {text.count(chr(10)) + 1}: ")


def test_a_sixth_column_is_a_score_where_that_is_declared_and_never_a_coordinate() -> None:
    (record,) = records(yolo("0 0.5 0.5 0.2 0.25 0.91", score=True))
    assert edges(record["boxes"][0]) == [40, 30, 60, 50]
    assert record["boxes"][0]["score"] == 0.91
    assert reasons(yolo("0 0.5 0.5 0.2 0.25", score=True)) == ["columns"]


def test_a_picture_without_a_file_is_unlabelled_unless_declared_and_one_with_a_file_is_read_with_it() -> None:
    assert [record["state"] for record in records(yolo(None))] == ["unlabelled"]
    assert [record["state"] for record in records(yolo(None, missing="background"))] == ["background"]
    files = {"set/images/a.png": png(100, 80), "set/labels/a.txt": b"", "set/data.yaml": YAML}
    assert read("yolo", files, "set/images/a.png") == []
    assert read("yolo", files, "set/data.yaml") == []


def test_labels_without_a_picture_or_without_names_have_a_reason() -> None:
    row = b"0 0.5 0.5 0.2 0.25"
    assert reasons(read("yolo", {"s/labels/a.txt": row, "s/data.yaml": YAML}, "s/labels/a.txt")) == ["image_missing"]
    bare = {"s/labels/a.txt": row, "s/images/a.png": png(100, 80)}
    assert reasons(read("yolo", bare, "s/labels/a.txt")) == ["names_missing"]
    assert records(read("yolo", bare, "s/labels/a.txt", names=("car",)))[0]["boxes"][0]["class"] == "car"
    listed = {**bare, "s/labels/classes.txt": b"cat\ndog\n"}
    assert records(read("yolo", listed, "s/labels/a.txt"))[0]["boxes"][0]["class"] == "cat"
    assert read("yolo", listed, "s/labels/classes.txt") == []


def test_rows_are_shares_of_the_picture_as_it_is_shown() -> None:
    files = {"s/labels/a.txt": b"0 0.5 0.5 0.5 0.5", "s/data.yaml": YAML, "s/images/a.png": png(64, 48, 6)}
    (record,) = records(read("yolo", files, "s/labels/a.txt"))
    assert edges(record["boxes"][0]) == [12, 16, 36, 48]
    assert (record["image"]["width"], record["image"]["height"]) == (48, 64)


def test_folders_below_images_and_labels_belong_together_and_keypoints_are_read_where_they_are_declared() -> None:
    files = {
        "s/labels/train/b/a.txt": b"0 0.5 0.5 0.2 0.25 0.5 0.5 2 0 0 0",
        "s/images/train/b/a.png": png(100, 80),
        "s/data.yaml": b"names: [car]\nkpt_shape: [2, 3]\n",
    }
    (record,) = records(read("yolo", files, "s/labels/train/b/a.txt"))
    assert record["boxes"][0]["keypoints"] == [50, 40, 2, 0, 0, 0]


# ---------------------------------------------------------------------------------------------------- Label Studio


def region(x: float, y: float, w: float, h: float, label: str | None = "car", **fields: Any) -> dict[str, Any]:
    labels = {} if label is None else {"rectanglelabels": [label]}
    value = {"x": x, "y": y, "width": w, "height": h, "rotation": 0, **labels} | fields.pop("value", {})
    size = {"original_width": 200, "original_height": 100}
    return {"id": f"r{x}{y}", "type": "rectanglelabels", **size, "value": value, **fields}


def answer(name: int, by: Any, *regions: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "id": name,
        "completed_by": by,
        "result": list(regions),
        "was_cancelled": False,
        "ground_truth": False,
    } | fields


def studio(*tasks: dict[str, Any]) -> list[Record | Unreadable]:
    return read("label_studio", {"export.json": json.dumps(tasks).encode()}, "export.json")


def task(name: int, *answers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "id": name,
        "data": {"image": f"/data/{name}.jpg"},
        "annotations": list(answers),
        "predictions": [],
    } | fields


def sets(record: dict[str, Any]) -> list[tuple[Any, ...]]:
    others = record["others"] or []
    return [(one["annotator"], one["role"], [(b["class"], edges(b)) for b in one["boxes"]]) for one in others]


def test_an_answer_is_percents_of_the_picture_and_a_copy_of_a_task_is_the_same_record() -> None:
    one = task(1, answer(101, 7, region(10, 20, 30, 40)))
    items = studio(one, one)
    (record,) = records(items)
    assert [edges(box) for box in record["boxes"]] == [[20, 20, 80, 60]]
    assert (record["annotator"], record["gold"], record["image"]["width"]) == ("7", False, 200)
    assert reasons(items) == ["repeated_id"]


def test_entries_of_a_task_that_hold_other_answers_are_one_record() -> None:
    first, second = answer(1, 7, region(10, 10, 20, 20)), answer(2, 8, region(11, 10, 20, 20))
    items = studio(task(3, first), task(3, second))
    (record,) = records(items)
    assert (record["annotator"], sets(record)) == ("7", [("8", "annotator", [("car", [22, 10, 62, 30])])])
    assert reasons(items) == []


@pytest.mark.parametrize(
    ("made", "state"),
    [
        (task(2, answer(1, 7, region(0, 0, 50, 50), was_cancelled=True)), "skipped"),
        (task(5, answer(1, 7)), "background"),
        (task(6), "unlabelled"),
        (task(4, predictions=[{"result": [region(5, 5, 10, 10)], "score": 0.8, "model_version": "v3"}]), "unlabelled"),
        (task(9, answer(1, 7, region(0, 0, 50, 50), was_cancelled=True), answer(2, 8)), "background"),
    ],
)
def test_skipped_work_predictions_and_empty_answers_are_no_labels(made: dict[str, Any], state: str) -> None:
    (record,) = records(studio(made))
    assert (record["state"], record["boxes"]) == (state, [])


def test_a_prediction_stands_beside_with_its_model_and_score() -> None:
    predicted = {"result": [region(5, 5, 10, 10)], "score": 0.8, "model_version": "v3"}
    (record,) = records(studio(task(4, predictions=[predicted])))
    (other,) = record["others"]
    assert (other["role"], other["score"], other["model"], len(other["boxes"])) == ("prediction", 0.8, "v3", 1)


def test_gold_is_the_record_and_the_annotator_stands_beside_it() -> None:
    wrong, gold = (
        answer(106, 7, region(10, 10, 20, 20, "dog")),
        answer(107, 9, region(10, 10, 20, 20), ground_truth=True),
    )
    (record,) = records(studio(task(7, wrong, gold)))
    assert (record["gold"], record["annotator"], record["boxes"][0]["class"]) == (True, "9", "car")
    assert sets(record) == [("7", "annotator", [("dog", [20, 10, 60, 30])])]


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (region(1, 1, 2, 2, None), "class_missing"),
        (region(1, 1, 2, 2, value={"rectanglelabels": []}), "class_missing"),
        (region(1, 1, 2, 2, original_width=None), "image_size_missing"),
        (region(1, 1, 2, 2, value={"width": None}), "missing_field"),
        (region(1, 1, 2, 2, value={"x": "1"}), "wrong_type"),
        (region(1, 1, 2, 2, type="brushlabels"), "region_unknown"),
        ({"id": "a", "type": "rectanglelabels"}, "wrong_type"),
    ],
)
def test_a_region_that_is_no_box_costs_its_task(made: dict[str, Any], reason: str) -> None:
    items = studio(task(8, answer(108, 7, made)), task(9, answer(109, 7, region(1, 1, 2, 2))))
    assert reasons(items) == [reason]
    assert [record["image"]["id"] for record in records(items)] == ["9"]


def test_a_rectangle_turns_about_its_top_left_corner() -> None:
    (record,) = records(studio(task(1, answer(1, 7, region(50, 50, 10, 10, value={"rotation": 90})))))
    assert edges(record["boxes"][0]) == [90, 50, 100, 70]  # 20 x 10 pixels at (100, 50), turned clockwise
    assert json.loads(record["boxes"][0]["attributes"]) == {"rotation": 90.0}


def test_a_label_of_its_own_result_belongs_to_the_shape_of_the_same_id() -> None:
    shape = {**region(10, 20, 30, 40, None), "type": "rectangle", "id": "r"}
    label = {**shape, "type": "labels", "value": {**shape["value"], "labels": ["car"]}}
    (record,) = records(studio(task(1, answer(1, 7, shape, label))))
    assert [(one["class"], edges(one)) for one in record["boxes"]] == [("car", [20, 20, 80, 60])]


# ------------------------------------------------------------------------------------------------------------- VOC

VOC = b"""<annotation><filename>a.jpg</filename><size><width>100</width><height>80</height><depth>3</depth></size>
<object><name>car</name><difficult>1</difficult><truncated>0</truncated>
<bndbox><xmin>1</xmin><ymin>11</ymin><xmax>10</xmax><ymax>20.5</ymax></bndbox></object></annotation>"""


def voc(data: bytes) -> list[Record | Unreadable]:
    return read("voc", {"a.xml": data}, "a.xml")


def test_pixels_of_voc_count_from_one_and_both_ends_are_in_the_box() -> None:
    (record,) = records(voc(VOC))
    (one,) = record["boxes"]
    assert (one["class"], edges(one), one["trunc"], record["image"]["width"]) == ("car", [0, 10, 10, 20.5], 0.0, 100)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"<annotation>", b'<!DOCTYPE a [<!ENTITY x "y">]><annotation>', "xml_entities"),
        (b"<annotation>", b'<!DOCTYPE a SYSTEM "file:///etc/hostname"><annotation>', "xml_entities"),
        (b"</annotation>", b"", "xml_invalid"),
        (b"car", b"&unknown;", "xml_invalid"),
        (b"<name>car</name>", b"", "class_missing"),
        (b"<name>car</name>", b"<name> </name>", "class_missing"),
        (b"<xmin>1</xmin>", b"", "missing_field"),
        (b"<xmin>1</xmin>", b"<xmin>one</xmin>", "not_a_number"),
        (b"<xmin>1</xmin>", b"<xmin>inf</xmin>", "not_finite"),
        (b"<width>100</width>", b"", "image_size_missing"),
        (b"<width>100</width>", b"<width>0</width>", "image_size_missing"),
        (b"annotation>", b"annotations>", "not_voc"),
        (b"<name>car</name>", b"<name>car</name>" + b"<a>" * 80 + b"</a>" * 80, "too_deep"),
    ],
)
def test_bad_voc_is_refused_in_words(old: bytes, new: bytes, reason: str) -> None:
    assert reasons(voc(VOC.replace(old, new))) == [reason]


# ------------------------------------------------------------------------------------------------------------ CVAT


def cvat(body: str, **options: Any) -> list[Record | Unreadable]:
    data = f"<annotations><version>1.1</version>{body}</annotations>".encode()
    return read("cvat", {"a.xml": data}, "a.xml", **options)


def shape(frame: int, x: int, outside: int = 0, keyframe: int = 1) -> str:
    return (
        f'<box frame="{frame}" keyframe="{keyframe}" outside="{outside}" occluded="0" '
        f'xtl="{x}" ytl="0" xbr="{x + 10}" ybr="10"/>'
    )


def test_an_image_of_cvat_has_its_shapes() -> None:
    body = (
        '<image id="4" name="a.jpg" width="100" height="80">'
        '<box label="car" occluded="1" xtl="1.5" ytl="2" xbr="9" ybr="8">'
        '<attribute name="colour">red</attribute></box><polygon label="dog" points="1,1;5,1;5,6"/></image>'
        '<image id="5" name="b.jpg" width="100" height="80"></image>'
    )
    first, second = records(cvat(body))
    car, dog = first["boxes"]
    assert (car["class"], edges(car), car["occ"], json.loads(car["attributes"])) == (
        "car",
        [1.5, 2, 9, 8],
        1,
        {"colour": "red"},
    )
    assert (dog["class"], edges(dog), dog["polygon"]) == ("dog", [1, 1, 5, 6], [[1, 1, 5, 1, 5, 6]])
    assert second["state"] == "background"


@pytest.mark.parametrize(
    ("shapes", "frames"),
    [
        (shape(0, 0) + shape(1, 1) + shape(2, 2, outside=1), [0, 1]),
        # The track ended on a frame that was deleted, and the program went on drawing it.
        (shape(0, 0) + shape(1, 1, outside=1) + shape(3, 3, keyframe=0) + shape(4, 4, keyframe=0), [0]),
        (shape(0, 0) + shape(1, 1, outside=1) + shape(5, 5), [0, 5]),
        (shape(2, 2) + shape(0, 0, outside=1) + shape(1, 1, outside=1), [2]),  # not in order
        (shape(7, 0), [7]),
    ],
)
def test_after_outside_there_is_no_box_until_the_track_is_inside_again(shapes: str, frames: list[int]) -> None:
    body = f'<track id="0" label="car">{shapes}</track>'
    assert [record["boxes"][0]["number"] for record in records(cvat(body))] == frames
    (track,) = records(cvat(body, record="track"))
    assert [box["number"] for box in track["boxes"]] == frames


def test_boxes_of_several_tracks_are_joined_by_the_number_of_their_frame() -> None:
    body = "".join(
        f'<track id="{name}" label="{label}">{shapes}</track>'
        for name, label, shapes in (("0", "car", shape(3, 0) + shape(9, 0)), ("1", "dog", shape(9, 5)))
    )
    third, ninth = records(cvat(body))
    assert [box["class"] for box in third["boxes"]] == ["car"]
    assert [(box["class"], box["track"]) for box in ninth["boxes"]] == [("car", "0"), ("dog", "1")]


def test_a_track_that_cannot_be_read_costs_its_frames_and_no_others() -> None:
    good, bad = f'<track id="0" label="car">{shape(1, 0)}{shape(2, 0)}</track>', f'<track id="1">{shape(2, 0)}</track>'
    items = cvat(good + bad)
    assert reasons(items) == ["class_missing", "track_unreadable"]
    assert [record["boxes"][0]["number"] for record in records(items)] == [1]


def test_an_image_of_cvat_that_cannot_be_read_costs_itself_and_entities_cost_the_file() -> None:
    good = '<image id="1" name="a" width="9" height="9"/>'
    bad = '<image id="2" name="b" width="9" height="9"><box label="car" xtl="x" ytl="0" xbr="1" ybr="1"/></image>'
    items = cvat(bad + good)
    assert (reasons(items), len(records(items))) == (["not_a_number"], 1)
    entities = b'<!DOCTYPE a [<!ENTITY x "y">]><annotations><image/></annotations>'
    assert reasons(read("cvat", {"a.xml": entities}, "a.xml")) == ["xml_entities"]
    assert reasons(read("cvat", {"a.xml": b"<other/>"}, "a.xml")) == ["not_cvat"]
    assert reasons(cvat('<image id="2" name="b" width="9" height="9"><mask label="a"/></image>')) == ["region_unknown"]
