"""Labels out and in again: what a format can say comes back equal, what it cannot say is counted."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from tests.label_files import SCHEMA, box, edges, labelled, png, read, reasons, records
from winnowry.core.errors import UsageError
from winnowry.records.annotations import COLUMNS
from winnowry.releases.labels.formats import label_layout
from winnowry.releases.labels.layouts import LabelLayout


def layout_of(format_: str) -> LabelLayout:
    layout = label_layout(format_, ["record_id", *(field.name for field in COLUMNS)], "street v1")
    assert layout is not None
    return layout


def written(format_: str, rows: list[dict[str, Any]]) -> tuple[dict[str, bytes], dict[str, int]]:
    """The files of records, and what was left out."""
    layout = layout_of(format_)
    files = {
        name: data
        for name, data, _ in layout.files([{"record_id": f"id{n}", **row} for n, row in enumerate(records_of(rows))])
    }
    return files, dict(+layout.losses)


DOCUMENT: dict[str, Any] = {
    "images": [
        {"id": 5, "file_name": "a.jpg", "width": 640, "height": 480, "license": 3, "date_captured": "2013-11-14"},
        {"id": 17, "file_name": "b.jpg", "width": 640, "height": 480},
    ],
    "annotations": [
        {
            "id": 1768, "image_id": 5, "category_id": 18, "iscrowd": 0, "area": 702.1057499999998,
            "bbox": [473.07, 395.93, 38.65, 28.67], "segmentation": [[510.66, 423.01, 511.72, 420.03, 510.45, 423.01]],
        },
        {
            "id": 900100, "image_id": 5, "category_id": 1, "iscrowd": 1, "area": 3.5, "bbox": [0, 0.1, 0.2, 0.7],
            "segmentation": {"size": [480, 640], "counts": [272, 2, 4]}, "occluded": 2,
        },
        {
            "id": 900101, "image_id": 5, "category_id": 1, "bbox": [199.84, 200.46, 77.71, 70.88], "num_keypoints": 1,
            "keypoints": [142, 309, 1], "segmentation": {"size": [480, 640], "counts": "abc0"}, "score": 0.25,
        },
        {"id": 7, "image_id": 17, "caption": "a dog"},
    ],
    "categories": [
        {"id": 18, "name": "dog", "supercategory": "animal"},
        {"id": 1, "name": "person", "supercategory": "person", "keypoints": ["nose"], "skeleton": []},
    ],
}  # fmt: skip


@pytest.mark.parametrize("text_ids", [False, True])
def test_a_coco_document_comes_back_equal(text_ids: bool) -> None:
    document = json.loads(json.dumps(DOCUMENT))
    if text_ids:
        for item in [*document["images"], *document["annotations"]]:
            item["id"] = f"n{item['id']}"
        for item in document["annotations"]:
            item["image_id"] = f"n{item['image_id']}"
    items = read("coco", {"a.json": json.dumps(document).encode()}, "a.json")
    files, losses = written("coco", records(items))
    again = json.loads(files["annotations.json"])
    assert losses == {}
    for name in ("images", "annotations", "categories"):
        assert {str(item["id"]): item for item in again[name]} == {str(item["id"]): item for item in document[name]}
        assert len(again[name]) == len(document[name])


def test_records_of_two_sources_get_numbers_of_their_own_in_coco() -> None:
    rows = records(read("coco", {"a.json": json.dumps(DOCUMENT).encode()}, "a.json"))
    files, losses = written("coco", [*rows, labelled(box(1, 2, 3, 4, "cat"), width=9, height=9)])
    document = json.loads(files["annotations.json"])
    assert [image["id"] for image in document["images"]] == [1, 2, 3]
    assert [item["id"] for item in document["annotations"]] == [1, 2, 3, 4]
    assert document["images"][2]["record_id"] == "id2"
    assert losses == {"images.fields": 1, "captions": 1}
    assert {category["name"] for category in document["categories"]} == {"dog", "person", "cat"}


ROWS = [
    labelled(
        box(10, 20, 41.5, 60.25), box(0, 0, 640, 480, "dog"), box(1, 1, 5, 6, "dog", polygon=[[1, 1, 5, 1, 5, 6]]),
        width=640, height=480, image={"uri": "a.png", "id": "1"},
    ),
    labelled(width=640, height=480, image={"uri": "b.png", "id": "2"}),
]  # fmt: skip


def shown(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        row["image"]["uri"]: (row["state"], [(one["class"], edges(one), one["polygon"]) for one in row["boxes"]])
        for row in rows
    }


def test_labels_of_yolo_come_back_within_a_thousandth_of_a_pixel() -> None:
    files, losses = written("yolo", records_of(ROWS))
    pictures = {f"images/{name}.png": png(640, 480) for name in "ab"}
    back = [row for name in "ab" for row in records(read("yolo", {**files, **pictures}, f"labels/{name}.txt"))]
    rounded = {
        uri: (state, [(name, box_edges, ring and [[round(v, 3) for v in ring[0]]]) for name, box_edges, ring in boxes])
        for uri, (state, boxes) in shown(back).items()
    }
    assert rounded == shown(records_of(ROWS))
    assert losses == {}


def test_labels_of_voc_and_cvat_come_back_equal() -> None:
    files, losses = written("voc", records_of(ROWS))
    back = [row for name in "ab" for row in records(read("voc", files, f"Annotations/{name}.xml"))]
    expected = {
        uri: (state, [(name, numbers, None) for name, numbers, _ in boxes])
        for uri, (state, boxes) in shown(records_of(ROWS)).items()
    }
    assert shown(back) == expected
    assert losses == {"boxes.polygon": 1}
    files, losses = written("cvat", records_of(ROWS))
    assert shown(records(read("cvat", files, "annotations.xml"))) == shown(records_of(ROWS))
    assert losses == {}


def records_of(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records as a table gives them back."""
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA).to_pylist()


def test_a_sequence_of_kitti_comes_back_letter_by_letter() -> None:
    numbers = (-1.57, 600.5, 170, 650, 200.25, 1.5, 1.6, 3.9, 2, 1.7, 20, -1.5)
    car = "Car 0 1 " + " ".join(f"{number:.6f}" for number in numbers)
    numbers = (-10, 5, 6, 7, 8, -1, -1, -1, -1000, -1000, -1000, -10)
    care = "DontCare -1 -1 " + " ".join(f"{number:.6f}" for number in numbers)
    text = f"0 -1 {care}\n0 1 {car}\n0 12 {car}\n3 1 {car}\n"
    for unit in ("image", "log"):
        rows = records(read("kitti", {"label_02/0004.txt": text.encode()}, "label_02/0004.txt", record=unit))
        files, losses = written("kitti", rows)
        assert {name: data.decode() for name, data in files.items()} == {"label_02/0004.txt": text}
        assert losses == {}


def test_what_a_format_cannot_say_is_counted_and_what_nobody_labelled_is_not_written() -> None:
    rich = box(0, 0, 9, 9, id="7", track="t", h=1.0, w=1.0, l=1.0, x=1.0, y=1.0, z=1.0, qw=1.0, qx=0.0, qy=0.0, qz=0.0)
    rows = records_of(
        [
            labelled(rich, {"class": "car", "x": 1.0}, width=99, height=99, image={"uri": "a.png"}),
            labelled(state="unlabelled", width=9, height=9, image={"uri": "b.png"}),
            labelled(state="skipped", width=9, height=9, image={"uri": "c.png"}),
            labelled(box(0, 0, 1, 1), image={"uri": "d.png"}),
        ]
    )
    files, losses = written("yolo", rows)
    assert sorted(files) == ["data.yaml", "labels/a.txt"]
    assert losses == {
        "boxes.id": 1, "boxes.track": 1, "boxes.x": 2, "boxes.without_edges": 1, "records.unlabelled": 1,
        "records.skipped": 1, "records.without_size": 1,
    }  # fmt: skip
    document = json.loads(written("coco", rows)[0]["annotations.json"])
    assert [image["file_name"] for image in document["images"]] == ["a.png", "d.png"]


@pytest.mark.parametrize("uri", ["../../etc/x.png", "a/b/../c.png", "nul\0.png", "", "..", "a.png"])
def test_names_of_files_stay_in_the_folder_of_the_export(uri: str) -> None:
    row = labelled(box(0, 0, 5, 5), width=9, height=9, image={"uri": uri})
    files, _ = written("voc", records_of([row, row]))
    assert len(files) == 2
    for name in files:
        folder, _, last = name.rpartition("/")
        assert folder == "Annotations"
        assert last.isprintable()
        assert last.strip(".") not in ("", "xml")


def test_strange_classes_and_attributes_do_not_break_a_file() -> None:
    odd = box(1, 2, 3, 4, 'a <b> & "c"\n', attributes='{"x y":"1","ok":"<&>","n":3}')
    rows = records_of([labelled(odd, width=9, height=9, image={"uri": "a.png"})])
    for format_, uri in (("voc", "Annotations/a.xml"), ("cvat", "annotations.xml")):
        files, _ = written(format_, rows)
        items = read(format_, files, uri)
        assert reasons(items) == []
        (one,) = records(items)[0]["boxes"]
        assert one["class"].split() == ["a", "<b>", "&", '"c"']
        assert json.loads(one["attributes"])["ok"] == "<&>"
    files, losses = written("kitti", rows)
    assert files["label_2/a.txt"].split()[:4] == [b'a_<b>_&_"c"', b"-1", b"-1", b"-10.000000"]
    assert losses["classes.with_blanks"] == 1


def test_a_release_without_annotations_cannot_be_written_as_labels() -> None:
    with pytest.raises(UsageError, match="is for annotations: the release has no column image"):
        label_layout("coco", ["record_id", "text"], "news v1")
    assert label_layout("jsonl", [], "news v1") is None
