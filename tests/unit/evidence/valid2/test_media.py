"""Cards of pictures, sound and films: counted by hand, and what nobody measured is said to be so."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
import pytest

from tests.unit.evidence.valid2.test_card import SETTING, identity, view
from winnowry.evidence.valid2.card import make_card
from winnowry.evidence.valid2.quarantined import rule_kind
from winnowry.evidence.valid2.tc609_media import media_items
from winnowry.lakehouse.blobs import blob_array, blob_field
from winnowry.lakehouse.view import TableView
from winnowry.reading.session import Tables, session
from winnowry.recipe.valid2 import Valid2Gate
from winnowry.records.kinds import kind_named
from winnowry.releases.facts.media import media

N = 4


def tables(root: Path, files: list[bytes] | None = None, **columns: Any) -> Tables:
    """A release of four files."""
    ids = [identity(i) for i in range(N)]
    published = {
        "record_id": ids,
        "source": ["s"] * N,
        "license": ["CC0-1.0"] * N,
        "event_time": pa.nulls(N, pa.timestamp("us", "UTC")),
        "media_type": ["image/png"] * N,
        "size": pa.array([9] * N, pa.int64()),
        **columns,
    }
    views = {"published": view(root, "published", published)}
    if files is not None:
        schema = pa.schema(
            [pa.field("record_id", pa.string()), pa.field("content_sha256", pa.string()), blob_field("payload")]
        )
        arrays = [pa.array(ids), pa.array([hashlib.sha256(b"file %d" % i).hexdigest() for i in range(N)])]
        table = pa.table([*arrays, blob_array(files)], schema=schema)
        made = lance.write_dataset(table, str(root / "raw.lance"), data_storage_version="2.2")
        views["raw"] = TableView(str(root / "raw.lance"), made.version, {}, "raw")
    return Tables(views=views, records={})


def card(of: Tables, kind: str = "image", **gate: Any) -> dict[str, dict[str, Any]]:
    setting = replace(SETTING, kind=kind_named(kind), operators=frozenset({"dedup.image"}))
    made = make_card(of, Valid2Gate(**gate), setting)
    return {item["name"]: item for letter in made["letters"] for item in letter["indicators"]}


PIQE = pa.array([10.0, 50.0, 50.1, None])
FLIPPED = {
    "flipped_bits_jpeg": pa.array([0, 8, 2, None], pa.int64()),
    "flipped_bits_half": pa.array([7, 0, 9, None], pa.int64()),
}


def test_each_consumer_is_judged_by_its_own_family(tmp_path: Path) -> None:
    release = tables(tmp_path, piqe=PIQE, **FLIPPED)
    people, machine = card(release, consumer="people"), card(release, consumer="machine")
    # One of three is above 50; two of three flip more than 7 bits in one of the copies.
    for measured in (people, machine):
        assert measured["distorted_share"]["value"] == pytest.approx(1 / 3)
        assert measured["unstable_share"]["value"] == pytest.approx(2 / 3)
    assert (people["distorted_share"]["passed"], people["unstable_share"]["passed"]) == (False, None)
    assert (machine["distorted_share"]["passed"], machine["unstable_share"]["passed"]) == (None, False)
    assert [example["record_id"] for example in people["distorted_share"]["examples"]] == [identity(2)]


def test_sound_is_judged_by_what_is_cut_off_narrow_or_misheard(tmp_path: Path) -> None:
    release = tables(
        tmp_path,
        clip_ratio=pa.array([0.0, 0.001, 0.002, None]),
        bandwidth_hz=pa.array([8000.0, 7000.0, 3400.0, 3400.0]),
        word_errors=pa.array([1, 0, 3, None], pa.int64()),
        reference_words=pa.array([10, 10, 20, 5], pa.int64()),
        duration_ms=pa.array([1500, 500, 2000, 0], pa.int64()),
    )
    measured = card(release, "audio")
    assert measured["clipped_share"]["value"] == pytest.approx(1 / 3)
    assert measured["narrow_share"]["value"] == 0.5
    assert measured["word_error_rate"]["value"] == pytest.approx(4 / 40)
    assert (measured["size"]["value"], measured["size"]["note"]) == (4.0, "seconds")


def test_what_no_operator_measured_is_not_measured_and_judged_by_nobody(tmp_path: Path) -> None:
    measured = card(tables(tmp_path))
    for name in ("distorted_share", "unstable_share", "clipped_share", "narrow_share", "word_error_rate", "size"):
        assert (measured[name]["value"], measured[name]["score"]) == (None, None)
        assert measured[name]["why"]


def test_pictures_are_as_different_as_their_hashes(tmp_path: Path) -> None:
    # Two pairs of hashes that differ in half of their bits: K/n has the eigenvalues 1/2, 1/2, 0, 0.
    alike, other = "ffffffffffffffff", "ffffffff00000000"
    assert card(tables(tmp_path, phash=[alike, other, alike, other]))["vendi_score"]["value"] == pytest.approx(2.0)


def test_files_are_hashed_anew(tmp_path: Path) -> None:
    whole = card(tables(tmp_path / "whole", [b"file %d" % i for i in range(N)]))["hash_verified"]
    assert (whole["value"], whole["records"]) == (1.0, N)
    damaged = card(tables(tmp_path / "damaged", [b"file 0", b"file 1", b"fiLe 2", b"file 3"]))["hash_verified"]
    assert damaged["value"] == 0.75
    assert [example["record_id"] for example in damaged["examples"]] == [identity(2)]


@pytest.mark.parametrize(
    ("stage", "rule", "kind"),
    [
        ("cleaned", "decodable", "undecodable"),
        ("cleaned", "decodes", "undecodable"),
        ("cleaned", "min_side", "cleaned away"),
        ("raw", "bad_json", "undecodable"),
    ],
)
def test_a_file_that_cleaning_cannot_decode_counts_as_undecodable(stage: str, rule: str, kind: str) -> None:
    assert rule_kind(stage, "image.measure", rule, ("landing", "raw")) == kind


def facts_of(root: Path, media_type: str, made: Any = None, **columns: Any) -> dict[str, Any]:
    release = tables(root, media_type=[media_type] * N, **columns)
    with session(release) as opened:
        held = media(opened)
    copies = {"share": 0.25, "methods": [{"method": "image"}]}
    return {
        "media": held,
        "duplicates": copies,
        "made": {"stages": made or {"cleaned": {"clean": [{"op": "dedup.x"}]}}},
    }


def answers(facts: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {item["name"]: (item["status"], item["value"]) for item in media_items(facts)}


def test_sixteen_items_are_answered_from_medians(tmp_path: Path) -> None:
    found = answers(
        facts_of(
            tmp_path,
            "image/jpeg",
            width=pa.array([100, 300, 500, 700], pa.int64()),
            height=pa.array([100, 200, 200, 100], pa.int64()),
            luma_std=pa.array([10.0, 10.0, 100.0, 0.0]),
            noise=pa.array([1.0, 1.0, 1.0, 1.0]),
            piqe=pa.array([20.0, 30.0, 40.0, None]),
        )
    )
    assert len(found) == 16
    assert found["image: resolution"] == ("measured", "median 400 × 150 pixels")
    assert found["image: signal-to-noise ratio"] == ("measured", "median 20.0 dB")  # of 20, 20 and 40; 0 has none
    assert found["image: clarity"] == ("measured", "median PIQE 30.0 (0 excellent to 100 bad)")
    assert found["image: duplication rate"][0] == "measured"
    assert {name: status for name, (status, _) in found.items() if not name.startswith("image")} == dict.fromkeys(
        (name for name in found if not name.startswith("image")), "not applicable"
    )


def test_what_has_no_reference_or_was_not_measured_is_said_to_be_so(tmp_path: Path) -> None:
    sound = answers(facts_of(tmp_path, "audio/flac", {"cleaned": {}}, rate_hz=pa.array([16000] * N, pa.int64())))
    assert sound["audio: sample rate"] == ("measured", "median 16,000 Hz")
    assert sound["audio: signal-to-distortion ratio"] == (
        "not measured", "it needs the undistorted signal, which a release does not have",
    )  # fmt: skip
    assert sound["audio: bit depth"] == ("not measured", "the release has no value of `bits` (operator audio.facts)")
    film = answers(facts_of(tmp_path / "film", "video/mp4", {"cleaned": {}}))
    assert {status for name, (status, _) in film.items() if name.startswith("video")} == {"not measured"}
    assert film["video: duplication rate"][1] == "the recipe looks for no duplicates"
