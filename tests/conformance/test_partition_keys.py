"""A value that names a partition is stored safely or refused, on a folder as on S3."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.s3_server import S3Server
from winnowry.core.partition_keys import wrong_key
from winnowry.lakehouse.record import PromotionRecord, RecordStore, new_promotion_id
from winnowry.promotion.units import KeptUnits
from winnowry.recipe.model import Partition
from winnowry.stages.updates import Claim, claim, claims_on, drop_claims
from winnowry.storage.objects import ObjectStore
from winnowry.storage.open import open_store

STORED = [
    "a/b", "/", "100%", "%2F", "%", "a b", "a+b", "北京", "日" * 28, "\u00c9", "E\u0301", "*", "?", "[x]", "a'b", 'a"b',
    "~", "-", ".x", "x.", "..x", "a.json", "null", "__x__", "#", "&", "x" * 200, "🙂",
]  # fmt: skip
REFUSED = [
    "", " ", ".", "..", "__all__", "__unpartitioned__", "a\nb", "a\tb", "\x00", "a...b", "x" * 201, "日" * 29,
    "\ud800", "​",
]  # fmt: skip


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "local":
        return open_store(str(tmp_path / "lake"))
    server: S3Server = request.getfixturevalue("s3_server")
    return open_store(f"s3://{server.make_bucket()}/lake", server.settings)


def record(partition: str) -> PromotionRecord:
    return PromotionRecord(
        new_promotion_id(), "c", "raw", partition, None, [], None, "promoted", 0.0, {}, {partition: "v"}, {}
    )


def test_records_units_and_claims_of_every_key_are_read_back(store: ObjectStore) -> None:
    records = RecordStore(store, f"{store.root}/c")
    lake = SimpleNamespace(corpus_uri=lambda corpus: f"{store.root}/{corpus}")
    ws: Any = SimpleNamespace(store=store, lake=lake)
    for key in STORED:
        assert wrong_key(key) is None, key
        saved = records.save(record(key))
        assert [stored.id for stored in records.of("raw", key)] == [saved.id]
        assert records.load("raw", key, saved.id) == saved
        KeptUnits(store, f"{store.root}/c", "raw", key, "k").clear()
        claim(ws, "c", [key], Claim("2024-01", saved.id))
        assert claims_on(ws, "c", key) == [Claim("2024-01", saved.id)]
        drop_claims(ws, "c", key, [saved.id])
        assert claims_on(ws, "c", key) == []
    assert records.partitions("raw") == sorted(STORED)


@pytest.mark.parametrize("key", REFUSED)
def test_a_key_that_cannot_be_stored_is_refused_and_the_recipe_may_not_name_it(key: str) -> None:
    assert wrong_key(key) is not None
    with pytest.raises(ValueError, match="cannot be the key of a partition"):
        Partition(by="field", field="f", missing=key)
    with pytest.raises(ValueError, match="cannot be the key of a partition"):
        Partition(by="field", field="f", keys=("a", key))
