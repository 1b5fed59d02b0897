"""What a kind of record says of itself, and how a kind comes from a package."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from winnowry.core.errors import UsageError
from winnowry.records import kinds as room
from winnowry.records.kinds import FILE, TEXT, Kind, kind_named, kinds, sized_by
from winnowry.sampling.spec import SampleSpec

CLOUD = Kind("point_cloud", "blob", "points", "n_points", lambda row: f"{row['n_points']:,} points")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("point_cloud", f"{__name__}:CLOUD", "winnowry.kinds")
    monkeypatch.setattr(EntryPoint, "load", lambda self: CLOUD)
    monkeypatch.setattr(room, "entry_points", lambda group: [entry])
    kinds.cache_clear()
    yield
    monkeypatch.undo()
    kinds.cache_clear()


def test_a_package_brings_a_kind_by_an_entry_point(installed: None) -> None:
    assert kind_named("point_cloud") is CLOUD
    assert sized_by(["record_id", "n_points"]) is CLOUD


def test_an_unknown_kind_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(UsageError, match="did you mean image"):
        kind_named("imag")


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        (["record_id", "text", "size", "n_tokens"], "text"),
        (["record_id", "size", "n_pixels"], "image"),
        (["record_id", "size"], "file"),
        (["record_id", "text", "size"], None),
    ],
)
def test_a_table_tells_by_its_columns_what_its_sizes_are(columns: list[str], name: str | None) -> None:
    kind = sized_by(columns)
    assert (kind.name if kind is not None else None) == name


def test_people_are_shown_what_is_known_of_a_record() -> None:
    image = {"media_type": "image/png", "width": 640, "height": 480, "size": 34_300}
    assert kind_named("image").shows(image) == "image/png, 640×480, 34.3 kB"
    assert kind_named("image").shows({"media_type": "image/png", "size": 67}) == "image/png, 67 B"
    assert (
        kind_named("audio").shows({"media_type": "audio/ogg", "duration_ms": 1500, "size": 9})
        == "audio/ogg, 1.5 s, 9 B"
    )
    assert FILE.shows({"media_type": "text/plain", "size": 4}) == "text/plain, 4 B"
    assert TEXT.shows({"text": "a" * 300}) == "a" * 200 + "…"


def test_a_budget_of_seconds_is_met_in_the_milliseconds_that_are_stored() -> None:
    spec = SampleSpec(method="uniform", budget={"seconds": 90})
    assert spec.unit == kind_named("video").unit
    assert spec.in_stored_sizes(kind_named("video").sizes_per_unit).budget_of(1_000_000) == 90_000


def test_unset_budgets_leave_the_fingerprint_of_a_sample_as_it_was() -> None:
    assert {"fraction", "budget"}.isdisjoint(SampleSpec(by="gc", token_fraction=0.2).fingerprint())
    assert SampleSpec(by="gc", fraction=0.2).fingerprint()["fraction"] == 0.2
